// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice One leaky bucket in one storage word, as pure arithmetic.
/// @dev Problem: a limit that reads several slots, loses its refill to rounding, or refills when it is raised.
/// Guarantee: `level` never exceeds the capacity in force; what a change of cap, window or factor leaves to spend is at most what
/// there was before; every rounding is against the spender. Hence outflow over t seconds <= cap + cap * t / window, with the
/// largest cap and rate in force.
/// Trust: the caller passes a time that never falls and a factor of at most {FULL}, and keeps the word that it gets back.
/// Failure modes: none of its own.
///
/// Word, from the low end: level u80, last u40, cap u80, window u24, scale u8, flags u8, lastFactor u16. A unit is
/// 2^(scale - 64) base units of the asset. The scale is chosen once, so that the first cap is a number of 60 bits: never so
/// coarse that refill is lost to division, and with room for a raise by a factor of a million.
library FlowBucket {
    /// @notice Flag, the hint: the hot word may say something else than "healthy", so it has to be read.
    uint256 internal constant HINT = 1 << 137;

    /// @notice Flag: each account has a bucket of its own besides.
    uint256 internal constant SHARED = 1 << 138;

    /// @notice Factor of 1, in bps.
    uint256 internal constant FULL = 10_000;

    /// @dev Flag: the key has a limit. Without one its word is zero, and zero is never "no limit".
    uint256 private constant CONFIGURED = 1 << 136;

    uint256 private constant LAST = 80;
    uint256 private constant FACTOR = 120;
    uint256 private constant FLAGS = 136;
    uint256 private constant SCALE = 144;
    uint256 private constant WINDOW = 152;
    uint256 private constant CAP = 176;
    uint256 private constant BIAS = 64;
    uint256 private constant CAP_BITS = 60;

    error ZeroWindow();

    /// @param least with a smaller cap, spending every second would lose more than 0.002 % of the refill to division
    error CapOutOfRange(uint256 units, uint256 least, uint256 most);

    /// @notice A full bucket for `amount` base units per `window` seconds.
    function create(uint256 amount, uint256 window, uint256 time) internal pure returns (uint256 word) {
        uint256 bits;
        while (bits <= 128 && amount >> bits != 0) ++bits;
        word = CONFIGURED | (BIAS + bits - CAP_BITS) << SCALE;
        return fill(word, FULL, time, toUnits(word, amount, window), window);
    }

    /// @notice A full bucket in the units and with the flags of `word`.
    function fill(uint256 word, uint256 factorBps, uint256 time, uint256 cap, uint256 window)
        internal
        pure
        returns (uint256)
    {
        return (word & uint256(type(uint16).max) << FLAGS) | time << LAST | cap << CAP | window << WINDOW | factorBps
            << FACTOR;
    }

    /// @notice The word under another cap and window: settled under the old ones, keeping no more than was available.
    function configure(uint256 word, uint256 factorBps, uint256 time, uint256 cap, uint256 window)
        internal
        pure
        returns (uint256)
    {
        (uint256 level, uint256 capacity) = settle(word, factorBps, time);
        return fill(word, factorBps, time, cap, window) | keep(level, capacity, cap * factorBps / FULL);
    }

    /// @notice The word as it is under `factorBps`, and the capacity in force.
    function under(uint256 word, uint256 factorBps, uint256 time) internal pure returns (uint256, uint256 capacity) {
        capacity = capOf(word) * factorBps / FULL;
        if (_factorOf(word) == factorBps) return (word, capacity);
        return (configure(word, factorBps, time, capOf(word), windowOf(word)), capacity);
    }

    /// @notice The word after spending `amount` base units at an unchanged factor, or 0 when they do not fit.
    /// @dev The path of every day: unchecked, since cap < 2^80, elapsed < 2^40 and scale < 2^8 cannot overflow.
    function charge(uint256 word, uint256 capacity, uint256 time, uint256 amount) internal pure returns (uint256 next) {
        unchecked {
            uint256 level;
            uint256 scale;
            // {drain} without its test for a zero window, which {toUnits} refuses, and without a branch.
            assembly ("memory-safe") {
                let elapsed := sub(time, and(shr(80, word), 0xffffffffff))
                let refill := div(mul(capacity, elapsed), and(shr(152, word), 0xffffff))
                level := and(word, 0xffffffffffffffffffff)
                level := mul(gt(level, refill), sub(level, refill))
                scale := byte(13, word)
            }
            // Compared in base units, which no amount can overflow; what fits there also fits in units, rounded up.
            if (amount > (capacity - level) << scale >> BIAS) return 0;
            // A right shift of a negative number rounds down, so that the amount is rounded up. By the line above it is < 2^149.
            // forge-lint: disable-next-line(unsafe-typecast)
            return word >> FACTOR << FACTOR | time << LAST | level - uint256(-int256(amount << BIAS) >> scale);
        }
    }

    /// @notice Level and capacity in force at `time`. A factor that changed since the last spend is found here: the whole time
    /// since then refills at the smaller of the two, and no more stays available than was.
    function settle(uint256 word, uint256 factorBps, uint256 time)
        internal
        pure
        returns (uint256 level, uint256 capacity)
    {
        uint256 before = capOf(word) * _factorOf(word) / FULL;
        capacity = capOf(word) * factorBps / FULL;
        level =
            drain(word & type(uint80).max, before < capacity ? before : capacity, time - _lastOf(word), windowOf(word));
        if (before != capacity) level = keep(level, before, capacity);
    }

    /// @notice What is left of `level` after `elapsed` seconds at `capacity` per `window`.
    function drain(uint256 level, uint256 capacity, uint256 elapsed, uint256 window) internal pure returns (uint256) {
        uint256 refill = capacity * elapsed / window;
        return refill < level ? level - refill : 0;
    }

    /// @notice The level that leaves as much available under capacity `next` as `level` did under `before`, or all of `next`.
    function keep(uint256 level, uint256 before, uint256 next) internal pure returns (uint256) {
        uint256 left = before - level;
        return left < next ? next - left : 0;
    }

    /// @notice Base units that can be spent now.
    function available(uint256 word, uint256 factorBps, uint256 time) internal pure returns (uint256) {
        (uint256 level, uint256 capacity) = settle(word, factorBps, time);
        return toBase(word, capacity - level);
    }

    /// @notice A cap of `amount` base units per `window` in the units of `word`, rounded down.
    function toUnits(uint256 word, uint256 amount, uint256 window) internal pure returns (uint256 cap) {
        if (window == 0) revert ZeroWindow();
        cap = amount > type(uint128).max ? amount : amount << BIAS >> _scaleOf(word);
        if (cap < window << 16 || cap > type(uint80).max) revert CapOutOfRange(cap, window << 16, type(uint80).max);
    }

    function toBase(uint256 word, uint256 units) internal pure returns (uint256) {
        return units << _scaleOf(word) >> BIAS;
    }

    function capOf(uint256 word) internal pure returns (uint256) {
        return word >> CAP;
    }

    /// @notice Whether it is configured, not shared, was at full factor, and is healthy still by its hint.
    function isPlain(uint256 word) internal pure returns (bool) {
        return (word >> FACTOR) & type(uint24).max == 1 << 16 | FULL;
    }

    function windowOf(uint256 word) internal pure returns (uint256) {
        return (word >> WINDOW) & type(uint24).max;
    }

    function _lastOf(uint256 word) private pure returns (uint256) {
        return (word >> LAST) & type(uint40).max;
    }

    function _factorOf(uint256 word) private pure returns (uint256) {
        return (word >> FACTOR) & type(uint16).max;
    }

    function _scaleOf(uint256 word) private pure returns (uint256) {
        return (word >> SCALE) & type(uint8).max;
    }
}
