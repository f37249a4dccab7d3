// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {MutualIndex} from "../../../src/kit/loss/MutualIndex.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice The mutualization index against an exact, naive account of the same losses.
contract MutualTest is Assert {
    using MutualIndex for MutualIndex.State;

    uint256 private constant RAY = 1e27;

    struct Position {
        uint128 units;
        uint256 entry;
    }

    MutualIndex.State private _s;
    Position[] private _positions;

    /// @dev Positions come and go, losses of all sizes happen. After each: the rule of one step by its definition, the
    /// identity over all events, and in the end the pool has collected at least the loss and hardly more.
    function testFuzz_MutualizationIdentity(uint256 seed) public {
        uint256 spread;
        uint256 losses;
        uint256 collected;
        uint256 largest;
        uint256 closed;
        for (uint256 step = 0; step < 20; ++step) {
            uint256 r = uint256(keccak256(abi.encode(seed, step)));
            if (r % 10 < 4) {
                _positions.push(Position(uint128(1 + (r >> 8) % 10 ** (1 + (r >> 200) % 30)), _s.index));
                continue;
            }
            if (r % 10 < 5 && _positions.length != 0) {
                collected += _close((r >> 8) % _positions.length);
                ++closed;
                continue;
            }
            uint256 units = _units();
            if (units > largest) largest = units;
            uint256[4] memory parts = [uint256(1), 3, 50, 10_000];
            uint256 loss = (r >> 8) % ((units == 0 ? 1 : units) / parts[(r >> 250) % 4] + 2);
            (uint256 d, uint256 taken, uint256 err) = _byDefinition(loss, units);
            uint256 before = _s.index;
            eq(_s.absorb(uint128(loss), uint128(units)), taken, "taken");
            eq(_s.index, before + d, "index");
            eq(_s.err, err, "remainder");
            atMost(_s.index, RAY, "index within RAY");
            spread += d * units;
            losses += taken;
            eq(spread - err, losses * RAY, "identity over all events");
            if (_s.index < RAY && units != 0) eq(taken, loss, "all of it");
        }
        uint256 n = _positions.length + closed;
        while (_positions.length != 0) {
            collected += _close(0);
        }
        atLeast(collected, losses, "at least the loss");
        atMost(collected, losses + n + 1 + largest / RAY + 1, "and hardly more");
    }

    /// @dev The index stops at RAY, what it does not cover is said, and a newcomer owes nothing for what was before it.
    function test_Regress_Review_UnboundedIndex() public {
        eq(_s.capacity(1_000), 1_000, "everything, once");
        eq(_s.absorb(600, 1_000), 600, "first loss");
        uint256 entry = _s.index;
        eq(_s.debit(5_000, entry), 0, "a newcomer owes nothing for it");
        // 1000 old units can still bear 400, 5000 new ones 40 % of theirs.
        eq(_s.absorb(10_000, 6_000), 2_400, "the rest is left");
        eq(_s.index, RAY, "never beyond");
        eq(_s.debit(1_000, 0), 1_000, "nobody owes more than everything");
        eq(_s.debit(5_000, entry), 2_000, "by its own time");
        eq(_s.absorb(type(uint128).max, type(uint128).max), 0, "full");
        eq(_s.capacity(6_000), 0, "full");
    }

    function test_WidestFiguresFit() public {
        eq(_s.absorb(type(uint128).max, type(uint128).max), type(uint128).max, "all");
        eq(_s.debit(type(uint128).max, 0), type(uint128).max, "all");
    }

    function test_NobodyThereBearsNothing() public {
        eq(_s.absorb(5, 0), 0, "no units");
        eq(_s.index + _s.err, 0, "no trace");
    }

    /// @dev num = l RAY - err, d = min(ceil(num / U), RAY - X), taken = min(l, floor((d U + err) / RAY)).
    function _byDefinition(uint256 loss, uint256 units) private view returns (uint256 d, uint256 taken, uint256 err) {
        int256 num = int256(loss * RAY) - int256(_s.err);
        if (num > 0 && units != 0) {
            d = uint256(num) / units;
            if (d * units < uint256(num)) ++d;
            if (_s.index + d > RAY) d = RAY - _s.index;
        }
        uint256 pool = d * units + _s.err;
        taken = pool / RAY;
        if (taken > loss) taken = loss;
        err = pool - taken * RAY;
    }

    function _units() private view returns (uint256 sum) {
        for (uint256 i = 0; i < _positions.length; ++i) {
            sum += _positions[i].units;
        }
    }

    function _close(uint256 i) private returns (uint256 owed) {
        Position memory p = _positions[i];
        owed = _s.debit(p.units, p.entry);
        // Rounded up, and never by more than one unit.
        uint256 exact = uint256(p.units) * (_s.index - p.entry);
        yes(owed * RAY >= exact && owed * RAY < exact + RAY, "rounded up");
        _positions[i] = _positions[_positions.length - 1];
        _positions.pop();
    }
}
