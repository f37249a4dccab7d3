// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {Cold, FailSafeWord, Hot} from "../../../src/kit/FailSafeWord.sol";
import {Mode, Origin} from "../../../src/kit/Types.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice The two words, and the state machine as a function of time, against a reference that knows spans only.
contract WordTest is Assert {
    using FailSafeWord for Hot;
    using FailSafeWord for uint256;

    uint40 private constant FOREVER = type(uint40).max;
    uint256 private constant S1_DWELL = 24 hours;

    // ------------------------------------------------------------- packing

    function testFuzz_HotRoundTrip(uint256 word) public pure {
        word = _valid(word);
        eq(word.unpack().pack(), word, "hot word");
    }

    function testFuzz_ColdRoundTrip(uint256 word) public pure {
        eq(FailSafeWord.packCold(FailSafeWord.unpackCold(word)), word, "cold word");
    }

    /// @dev Every field at its ceiling, the others zero: a field that lost bits or overlaps would not come back.
    function test_EveryFieldHasItsOwnBits() public pure {
        Hot memory none;
        uint256 seen = none.pack();
        eq(seen, FailSafeWord.HEALTHY, "nothing set is healthy");
        for (uint256 i = 0; i < 13; ++i) {
            Hot memory h;
            if (i == 0) h.mask = type(uint32).max;
            if (i == 1) h.until = FOREVER;
            if (i == 2) h.graceUntil = FOREVER;
            if (i == 3) h.episodeStart = FOREVER;
            if (i == 4) h.openAt = FOREVER;
            if (i == 5) h.mode = Mode.RECOVERING;
            if (i == 6) h.stage = 7;
            if (i == 7) h.origin = Origin.VOUCHER;
            if (i == 8) h.insolvent = true;
            if (i == 9) h.factorBps = 16_383;
            if (i == 10) h.held = 255;
            if (i == 11) h.restrictedFor = 32_767;
            if (i == 12) h.s0Left = 131_071;
            uint256 bits = h.pack() ^ FailSafeWord.HEALTHY;
            yes(bits != 0 && bits & seen == 0, "own bits");
            yes(keccak256(abi.encode(h)) == keccak256(abi.encode(h.pack().unpack())), "comes back");
            seen |= bits;
        }
        // Two of the three mode bits: mode 5 is the highest.
        eq(seen, type(uint256).max ^ 1 << 194, "no bit is left over");
        eq(type(uint40).max, uint40(seen.untilOf()), "until by itself");
    }

    // ------------------------------------------------------------- time

    function testFuzz_EffectiveIsTheTimeline(uint256 seed, uint256 from, uint256 elapsed) public pure {
        Hot memory h = _state(seed, from);
        uint256 time = _moment(from) + elapsed % 40 days;
        (Mode mode, uint8 stage) = _reference(h, time);
        Hot memory e = h.pack().unpack().effective(time, S1_DWELL);
        eq(uint8(e.mode), uint8(mode), "mode");
        eq(e.stage, stage, "stage");
    }

    /// @dev Whether and when somebody settles changes nothing.
    function testFuzz_SettlingChangesNothing(uint256 seed, uint256 from, uint256 first, uint256 second) public pure {
        uint256 word = _state(seed, from).pack();
        uint256 early = _moment(from) + first % 40 days;
        uint256 late = early + second % 40 days;
        uint256 direct = word.unpack().effective(late, S1_DWELL).pack();
        eq(word.unpack().effective(early, S1_DWELL).effective(late, S1_DWELL).pack(), direct, "in two steps");
        eq(word.effectiveWord(late, S1_DWELL), direct, "by the word");
        Hot memory h = word.unpack().effective(early, S1_DWELL);
        uint256 whole = word.unpack().frozen(_moment(from), late);
        eq(word.unpack().frozen(_moment(from), early) + h.frozen(early, late), whole, "frozen seconds add up");
    }

    /// @dev Time opens. Only insolvency closes payouts again, when a RESTRICTED ends.
    function testFuzz_TimeOnlyOpens(uint256 seed, uint256 from, uint256 first, uint256 second) public pure {
        Hot memory h = _state(seed, from);
        h.insolvent = false;
        uint256 early = _moment(from) + first % 40 days;
        uint256 late = early + second % 40 days;
        Hot memory before = h.pack().unpack().effective(early, S1_DWELL);
        Hot memory later = h.pack().unpack().effective(late, S1_DWELL);
        yes(FailSafeWord.rank(later.mode, later.stage) <= FailSafeWord.rank(before.mode, before.stage), "rank");
        yes(later.closed(late) & ~before.closed(early) == 0, "closed set");
    }

    /// @dev At any second, a larger mask closes no less.
    function testFuzz_ClosedIsMonotoneInTheMask(uint256 seed, uint256 from, uint256 elapsed, uint32 more) public pure {
        Hot memory less = _state(seed, from);
        Hot memory larger = less.pack().unpack();
        larger.mask |= more;
        uint256 time = _moment(from) + elapsed % 40 days;
        yes(less.effective(time, S1_DWELL).closed(time) & ~larger.effective(time, S1_DWELL).closed(time) == 0, "mask");
    }

    function test_NothingWrapsAtTheEndOfTime() public pure {
        Hot memory h;
        (h.mode, h.until, h.mask, h.s0Left) = (Mode.HALTED, FOREVER - 10, Classes.RESTRICTABLE, 6 hours);
        h.setEnds(FOREVER - 10, uint256(FOREVER) + 30 days);
        eq(h.restrictedFor, 32_767, "what waits saturates");
        h.effective(uint256(FOREVER) - 5, S1_DWELL);
        eq(uint8(h.mode), uint8(Mode.RECOVERING), "mode");
        eq(h.until, FOREVER, "end saturates");
    }

    // ------------------------------------------------------------- reference

    /// @dev The spans of a tight state, one after the other.
    function _reference(Hot memory h, uint256 time) private pure returns (Mode, uint8) {
        if (h.mode == Mode.EXIT) return (Mode.EXIT, 0);
        if (h.mode == Mode.NORMAL || h.mode == Mode.WATCH) {
            return (time < h.until && h.mode == Mode.WATCH ? Mode.WATCH : Mode.NORMAL, 0);
        }
        if (h.mode == Mode.RECOVERING && h.stage > 0) return (Mode.RECOVERING, h.stage);
        uint256 hold = h.insolvent ? uint256(h.episodeStart) + 23 days : 0;
        uint256 waiting = h.restrictedFor == 0 ? 0 : h.until + uint256(h.restrictedFor) * 60;
        uint256 end = h.until;
        if (h.mode == Mode.RESTRICTED) {
            if (time < end) return (Mode.RESTRICTED, 0);
            return (Mode.RECOVERING, time < hold ? 0 : 1);
        }
        if (h.mode == Mode.HALTED) {
            if (time < end) return (Mode.HALTED, 0);
            end += h.s0Left;
        }
        if (time < end || time < hold) return (Mode.RECOVERING, 0);
        return time < waiting ? (Mode.RESTRICTED, 0) : (Mode.RECOVERING, 1);
    }

    /// @dev Near 0, near 2^32, near 2^40 and today.
    function _moment(uint256 from) private pure returns (uint256) {
        uint256 base = [uint256(0), 2 ** 32 - 20 days, 2 ** 40 - 200 days, 1_700_000_000][from % 4];
        return base + (from >> 8) % 20 days;
    }

    /// @dev A state that a transaction at `_moment(from)` may leave.
    function _state(uint256 seed, uint256 from) private pure returns (Hot memory h) {
        uint256 time = _moment(from);
        h.mode = Mode(seed % 6);
        h.mask = uint32(seed >> 8) & Classes.RESTRICTABLE;
        h.origin = Origin((seed >> 40) % 4);
        if (h.mode == Mode.NORMAL) return h;
        h.episodeStart = uint40(time - (time < 30 days ? 0 : (seed >> 48) % 22 days));
        h.until = uint40(time + 1 + (seed >> 80) % 21 days);
        if (h.mode == Mode.EXIT) h.until = FOREVER;
        h.factorBps = 5_000;
        h.insolvent = h.mode > Mode.WATCH && seed >> 112 & 1 == 1;
        if (h.mode == Mode.RECOVERING) h.stage = uint8((seed >> 120) % 5);
        if (h.mode == Mode.HALTED) h.s0Left = uint24((seed >> 128) % 24 hours);
        if (h.mode == Mode.HALTED || h.isS0()) h.restrictedFor = uint16((seed >> 160) % 2 * ((seed >> 161) % 20_000));
        if (h.mode != Mode.HALTED && h.mode != Mode.EXIT) h.mask &= Classes.closable(Mode.RESTRICTED);
    }

    function _valid(uint256 word) private pure returns (uint256) {
        uint256 mode = (word >> 193 & 7) % 6;
        return word & ~uint256(7 << 193) | mode << 193 | FailSafeWord.HEALTHY;
    }
}
