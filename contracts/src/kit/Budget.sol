// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Cold, FailSafeWord, Hot} from "./FailSafeWord.sol";
import {Mode} from "./Types.sol";

/// @notice Leaky buckets that bound how long everybody but the council can keep a contract tight.
/// @dev Problem: a bound per trip is no bound, since trips can be chained. Guarantee: what is granted in any {WINDOW} is at most
/// twice a bucket's capacity, in every bucket; SENSOR and VOUCHER together reach at most a third of what they may use at all, so
/// that nobody can spend a guardian's halt. Time is paid for when it is granted, with S0 and the ramp that follow from it.
/// Trust: none; the time does not fall. Failure modes: a bucket that cannot pay S0 and ramp grants nothing.
///
/// Buckets: 0 HALTED plus S0; 1 RESTRICTED or tighter; 2 WATCH or tighter, stages included; 3 and 4 the share of SENSOR and VOUCHER
/// in 1 and 2. Five numbers in one word, bucket 0 lowest: levels and capacities are minutes of 16 bits, demands are seconds of 40.
library Budget {
    using FailSafeWord for Hot;

    uint256 internal constant WINDOW = 90 days;
    uint256 private constant SHARE = 3;

    /// @notice Capacities in minutes from seconds of HALTED plus S0, of RESTRICTED or tighter, of WATCH or tighter.
    function capacities(uint256 halt, uint256 tight, uint256 watch) internal pure returns (uint256) {
        (halt, tight, watch) = (halt / 1 minutes, tight / 1 minutes, watch / 1 minutes);
        return halt | tight << 16 | watch << 32 | tight / SHARE << 48 | watch / SHARE << 64;
    }

    /// @notice Drains all buckets to `time`.
    /// @dev The drained total is a floor of absolute time, not of the time since the last write: frequent writes lose nothing,
    /// and over exactly one window it is exactly the capacity.
    function drain(Cold memory c, uint256 budgets, uint256 time) internal pure {
        (uint256 levels, uint256 from) = (c.used, c.bucketsAt);
        (c.used, c.bucketsAt) = (0, uint40(time));
        // Nothing can overflow: capacities have 16 bits, times 40.
        unchecked {
            for (uint256 i = 0; levels >> i != 0; i += 16) {
                uint256 capacity = uint16(budgets >> i);
                uint256 drained = time * capacity / WINDOW - from * capacity / WINDOW;
                c.used |= uint80(FailSafeWord.minus(uint16(levels >> i), drained) << i);
            }
        }
    }

    /// @notice Seconds that `h` still takes from each bucket after `time`, if every stage ends when it is due.
    /// @param ramp dwell of the stages after the present one; of all when the ramp has not begun
    function demand(Hot memory h, uint256 time, uint256 ramp) internal pure returns (uint256) {
        Mode mode = h.mode;
        if (mode == Mode.NORMAL || mode == Mode.EXIT) return 0;
        uint256 end = h.until;
        if (mode == Mode.WATCH) return demandOf(0, 0, FailSafeWord.minus(end, time));
        if (mode == Mode.RECOVERING && h.stage > 0) return demandOf(0, 0, FailSafeWord.minus(end, time) + ramp);
        uint256 halt = 0;
        if (mode != Mode.RESTRICTED) {
            end += h.s0Left;
            halt = FailSafeWord.minus(end, time);
            uint256 restricted = h.restrictedUntil();
            if (restricted > end) end = restricted;
        }
        uint256 tight = FailSafeWord.minus(end, time);
        return demandOf(halt, tight, tight + ramp);
    }

    function demandOf(uint256 halt, uint256 tight, uint256 watch) internal pure returns (uint256) {
        return halt | tight << 40 | watch << 80 | tight << 120 | watch << 160;
    }

    /// @notice Seconds of a mode that all its buckets can pay.
    /// @param paid demand of what is in force already
    /// @param fixed_ demand of the new state without the time asked for
    function affordable(Cold memory c, uint256 budgets, Mode mode, uint256 paid, uint256 fixed_, bool soft)
        internal
        pure
        returns (uint256 secs)
    {
        secs = type(uint40).max;
        uint256 levels = c.used;
        unchecked {
            // The first bucket that counts the mode; the shares of sensors count RESTRICTED in 3 and all in 4.
            for (uint256 i = 3 - uint256(mode); i < (soft ? 5 : 3); ++i) {
                if (i == 3 && mode == Mode.WATCH) continue;
                // Never filled to the brim: one minute for a floor that runs ahead of time, one for ends rounded up to minutes.
                uint256 room =
                    FailSafeWord.minus(uint16(budgets >> 16 * i), uint256(uint16(levels >> 16 * i)) + 2) * 1 minutes;
                room = FailSafeWord.minus(room + uint40(paid >> 40 * i), uint40(fixed_ >> 40 * i));
                if (room < secs) secs = room;
            }
        }
    }

    /// @notice Charges what `to` takes more than `from`, rounded up to minutes; gives back what it takes less, rounded down.
    function settle(Cold memory c, uint256 from, uint256 to, bool soft) internal pure {
        uint256 levels = c.used;
        unchecked {
            for (uint256 i = 0; i < (soft ? 5 : 3); ++i) {
                uint256 level = uint16(levels >> 16 * i);
                (uint256 before, uint256 next) = (uint40(from >> 40 * i), uint40(to >> 40 * i));
                uint256 moved = next > before
                    ? level + (next - before + 59) / 1 minutes
                    : FailSafeWord.minus(level, (before - next) / 1 minutes);
                if (moved > type(uint16).max) moved = type(uint16).max;
                levels ^= (level ^ moved) << 16 * i;
            }
        }
        c.used = uint80(levels);
    }
}
