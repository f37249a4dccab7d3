// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice The exit arithmetic told naively: an index that every funding and rejection steps forward and that carries its
/// remainder; positions in plain arrays. {EmergencyExit} computes the same figures in another way.
contract Reference {
    struct Tranche {
        uint256 total;
        uint256 index;
        uint256 err;
        uint256 surplus;
        uint256 funded;
        bool capped;
    }

    uint256 internal constant RAY = 1e27;

    int256[] public equity;
    int256[] public deposits;
    int256[] public withdrawals;
    int256[] public movedOut;
    int256[] public carriedIn;
    int256[] public carriedOut;
    mapping(uint256 => mapping(uint256 => int256)) public moved;
    mapping(uint256 => mapping(uint256 => int256)) public carried;

    uint256[] public shareA;
    uint256[] public shareB;
    uint256[] public paid;
    Tranche public a;
    Tranche public b;

    constructor(int256[] memory equity_) {
        uint256 n = equity_.length;
        equity = equity_;
        deposits = new int256[](n);
        withdrawals = new int256[](n);
        movedOut = new int256[](n);
        carriedIn = new int256[](n);
        carriedOut = new int256[](n);
        shareA = new uint256[](n);
        shareB = new uint256[](n);
        paid = new uint256[](n);
    }

    // ---------------------------------------------------------------- net flow

    function deposit(uint256 i, uint256 amount) external {
        deposits[i] += int256(amount);
    }

    function withdraw(uint256 i, uint256 amount) external {
        withdrawals[i] += int256(amount);
    }

    function move(uint256 i, uint256 j, uint256 amount) external {
        movedOut[i] += int256(amount);
        moved[i][j] += int256(amount);
    }

    function carry(uint256 i, uint256 j) external returns (uint256) {
        int256 able = _max0(equity[i] + deposits[i] - withdrawals[i] + carriedIn[i]) - carriedOut[i];
        int256 open = moved[i][j] - carried[i][j];
        int256 c = _max0(open < able ? open : able);
        carried[i][j] += c;
        carriedOut[i] += c;
        carriedIn[j] += c;
        return uint256(c);
    }

    function net(uint256 i) public view returns (int256) {
        return equity[i] + flow(i) + carriedIn[i];
    }

    function flow(uint256 i) public view returns (int256) {
        return deposits[i] - withdrawals[i] - movedOut[i];
    }

    function withdrawable(uint256 i) external view returns (uint256) {
        return uint256(_max0(net(i)));
    }

    // ---------------------------------------------------------------- the round

    /// @dev Shares of all accounts, and both tranches; `entered[i]` says who was counted in time.
    function count(bool[] calldata entered, uint256 total, bool nominal) external {
        int256 totalB = int256(total);
        uint256 totalA;
        for (uint256 i; i < equity.length; ++i) {
            int256 e = equity[i];
            int256 n = flow(i);
            if (entered[i]) {
                int256 left = _max0(net(i));
                int256 refund = _max0(n) < left ? _max0(n) : left;
                shareA[i] = uint256(refund);
                shareB[i] = uint256(left - refund);
                totalA += shareA[i];
                totalB -= _max0(e) - (left - refund);
            } else {
                shareB[i] = uint256(_max0(e < e + n ? e : e + n));
            }
            if (!nominal && entered[i]) (shareA[i], shareB[i]) = (0, shareA[i] + shareB[i]);
        }
        a.capped = true;
        b.capped = nominal;
        if (nominal) (a.total, b.total) = (totalA, uint256(totalB));
        else b.total = uint256(totalB) + totalA;
    }

    function fund(uint256 amount) external {
        _step(b, _step(a, amount));
    }

    function remove(uint256 i) external {
        _step(b, _drop(a, shareA[i]));
        _drop(b, shareB[i]);
        (shareA[i], shareB[i]) = (0, 0);
    }

    function pay(uint256 i) external returns (uint256 due) {
        due = shareA[i] * a.index / RAY + _mulRay(shareB[i], b.index) - paid[i];
        paid[i] += due;
    }

    /// @dev Returns what became surplus.
    function _step(Tranche storage t, uint256 amount) private returns (uint256) {
        t.funded += amount;
        uint256 num = amount * RAY + t.err;
        uint256 d;
        uint256 s;
        if (t.total == 0) {
            s = num / RAY;
            t.err = num - s * RAY;
        } else {
            d = num / t.total;
            t.err = num % t.total;
            // "Reaches" and not "passes": with totals above RAY the remainder could hold whole units of surplus otherwise.
            if (t.capped && t.index + d >= RAY) {
                d = RAY - t.index;
                s = (num - d * t.total) / RAY;
                t.err = num - d * t.total - s * RAY;
            }
        }
        t.index += d;
        t.surplus += s;
        require(t.index * t.total + t.err + t.surplus * RAY == t.funded * RAY, "index identity");
        return s;
    }

    function _drop(Tranche storage t, uint256 share) private returns (uint256) {
        t.total -= share;
        t.err += t.index * share;
        return _step(t, 0);
    }

    /// @dev floor(share * index / RAY) by long multiplication in halves of the share: share < 2^128, index < 2^218.
    function _mulRay(uint256 share, uint256 index) private pure returns (uint256) {
        uint256 low = mulmod(share, index, type(uint256).max);
        unchecked {
            uint256 product = share * index;
            uint256 high = low - product - (low < product ? 1 : 0);
            if (high == 0) return product / RAY;
            // Schoolbook division of the 512-bit product, bit by bit.
            uint256 rest = high % RAY;
            require(high / RAY == 0, "payout overflows");
            uint256 quotient;
            for (uint256 bit = 256; bit > 0; --bit) {
                rest = rest * 2 + (product >> (bit - 1) & 1);
                quotient *= 2;
                if (rest >= RAY) (rest, quotient) = (rest - RAY, quotient + 1);
            }
            return quotient;
        }
    }

    function _max0(int256 x) private pure returns (int256) {
        return x > 0 ? x : int256(0);
    }
}
