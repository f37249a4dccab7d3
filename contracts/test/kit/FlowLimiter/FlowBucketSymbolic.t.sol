// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FlowBucket} from "../../../src/kit/FlowBucket.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice The packed word, for every value of every field: by halmos as `check_…`, by forge as a fuzz test of the same.
contract FlowBucketSymbolic is Assert {
    using FlowBucket for uint256;

    /// @dev A word as {FlowBucket} can have written it: a window, a scale of a cap below 2^128, and a level within the cap.
    function _word(uint80 level, uint40 last, uint16 factorBps, uint8 flags, uint8 scale, uint24 window, uint80 cap)
        private
        pure
        returns (uint256)
    {
        vm.assume(window != 0 && level <= cap && scale >= 4 && scale <= 132);
        return uint256(flags) << 136 | uint256(scale) << 144 | uint256(level) | uint256(last) << 80 | uint256(factorBps)
            << 120 | uint256(window) << 152 | uint256(cap) << 176;
    }

    /// @notice The short path of every day is the rule: it passes iff the amount, rounded up to units, is left after the refill;
    /// it writes level and time, and nothing else; and the level stays within the capacity.
    function _requireCharged(uint256 word, uint256 cap, uint256 elapsed, uint256 window, uint256 amount) private pure {
        uint256 time = ((word >> 80) & type(uint40).max) + elapsed;
        uint256 left = cap - FlowBucket.drain(word & type(uint80).max, cap, elapsed, window);
        uint256 next = word.charge(cap, time, amount);
        assert((next == 0) == (amount > word.toBase(left)));
        if (next == 0) return;
        uint256 scale = (word >> 144) & type(uint8).max;
        assert(next & type(uint80).max == cap - left + ((amount << 64) + (uint256(1) << scale) - 1 >> scale));
        assert(next & type(uint80).max <= cap);
        assert(next >> 80 == (word >> 80) + elapsed);
    }

    /// @dev Any refill, at one scale: units and base units are the same.
    function check_ChargeRefills(
        uint80 level,
        uint32 last,
        uint8 flags,
        uint24 window,
        uint80 cap,
        uint32 elapsed,
        uint256 amount
    ) public pure {
        uint256 word = _word(level, last, 10_000, flags | 1, 64, window, cap);
        _requireCharged(word, cap, elapsed, window, amount);
    }

    /// @dev Any scale, without a refill.
    function check_ChargeRounds(uint80 level, uint40 last, uint8 scale, uint80 cap, uint256 amount) public pure {
        uint256 word = _word(level, last, 10_000, 1, scale, 1, cap);
        _requireCharged(word, cap, 0, 1, amount);
    }

    /// @notice What is kept fits under the new capacity and is no more than before; it is all of it, or all of the capacity.
    function check_Keep(uint80 level, uint80 before, uint80 next) public pure {
        vm.assume(level <= before);
        uint256 kept = FlowBucket.keep(level, before, next);
        assert(kept <= next);
        uint256 left = next - kept;
        assert(left <= before - level);
        assert(left == before - level || left == next);
    }

    /// @notice A new configuration leaves scale and flags, and each field is where it is read.
    function check_Fill(
        uint80 level,
        uint40 last,
        uint8 flags,
        uint8 scale,
        uint40 time,
        uint80 cap,
        uint24 window,
        uint16 factorBps
    ) public pure {
        uint256 word = _word(level, last, 2_500, flags, scale, 7, type(uint80).max).fill(factorBps, time, cap, window);
        assert(word.capOf() == cap);
        assert(word.windowOf() == window);
        assert(word & type(uint80).max == 0);
        assert((word >> 80) & type(uint40).max == time);
        assert((word >> 120) & type(uint16).max == factorBps);
        assert(word >> 136 & type(uint16).max == uint256(scale) << 8 | flags);
        assert(word.isPlain() == (flags == 1 && factorBps == 10_000));
    }

    function testFuzz_Charge(
        uint80 level,
        uint40 last,
        uint8 flags,
        uint8 scale,
        uint24 window,
        uint80 cap,
        uint40 elapsed,
        uint256 amount
    ) public pure {
        (cap, window) = (uint80(clamp(cap, 1, type(uint80).max)), uint24(clamp(window, 1, type(uint24).max)));
        scale = uint8(clamp(scale, 4, 132));
        (last, elapsed) = (last / 2, uint40(clamp(elapsed, 0, type(uint32).max)));
        // Around what is there, else next to nothing would fit.
        if (amount % 4 != 0) amount = clamp(amount / 4, 0, uint256(cap) << scale >> 63);
        uint256 word = _word(uint80(clamp(level, 0, cap)), last, 10_000, flags | 1, scale, window, cap);
        _requireCharged(word, cap, elapsed, window, amount);
    }

    function testFuzz_Keep(uint80 level, uint80 before, uint80 next) public pure {
        check_Keep(uint80(clamp(level, 0, before)), before, next);
    }

    function testFuzz_Fill(
        uint80 level,
        uint40 last,
        uint8 flags,
        uint8 scale,
        uint40 time,
        uint80 cap,
        uint24 window,
        uint16 factorBps
    ) public pure {
        check_Fill(level, last, flags, uint8(clamp(scale, 4, 132)), time, cap, window, factorBps);
    }
}
