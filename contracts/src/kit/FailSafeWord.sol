// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Classes} from "./Classes.sol";
import {Mode, Origin} from "./Types.sol";

/// @notice What is in force in a guarded contract, and what follows from it by time alone.
/// @param mask classes that the episode closed; in RESTRICTED, HALTED and EXIT exactly the closed ones
/// @param until end of WATCH, RESTRICTED or HALTED; while RECOVERING, the second before which the stage cannot end
/// @param graceUntil LIQUIDATE is closed until this second
/// @param episodeStart second of the episode's first trip
/// @param openAt second in which a transaction loosened something: it opens after it
/// @param stage 0..4 while RECOVERING
/// @param origin whose budget pays: COUNCIL when it took the episode over, GUARDIAN before SENSOR and VOUCHER
/// @param insolvent holds S0
/// @param factorBps limiter factor outside RECOVERING
/// @param held classes of {Classes-HOLDABLE} that stay closed in every mode
/// @param restrictedFor minutes of RESTRICTED below a halt, counted from `until`
/// @param s0Left seconds of S0 that this episode still has to serve
struct Hot {
    uint32 mask;
    uint40 until;
    uint40 graceUntil;
    uint40 episodeStart;
    uint40 openAt;
    Mode mode;
    uint8 stage;
    Origin origin;
    bool insolvent;
    uint16 factorBps;
    uint8 held;
    uint16 restrictedFor;
    uint24 s0Left;
}

/// @notice What only a write and {FailSafe-frozenSeconds} need.
/// @param frozenStored seconds HALTED or in S0 before `frozenFrom`
/// @param frozenFrom second up to which `frozenStored` counts
/// @param guardianHalt seconds of HALTED that guardians were granted in this episode
/// @param lastGuardianEnd end of the last episode with a guardian-only halt; 0 for none
/// @param bucketsAt second of `used`
/// @param used minutes in each bucket of {Budget}, 16 bits each
struct Cold {
    uint32 frozenStored;
    uint40 frozenFrom;
    uint24 guardianHalt;
    uint40 lastGuardianEnd;
    uint40 bucketsAt;
    uint80 used;
}

/// @notice The two storage words of {FailSafe}, and the state machine as a pure function of one of them and the time.
/// @dev Problem: a pause that needs a transaction to end lasts for ever when nobody sends it. Guarantee: {effective} is the only
/// reading of a word; it needs no transaction, ends every tight state in S1 or NORMAL, and the closed set is a function of it.
/// Trust: the words were written by {FailSafe}. Failure modes: none; ends beyond 2^40 s saturate.
library FailSafeWord {
    /// @notice NORMAL, with nothing left of an episode. Not zero, so that a trip does not pay for a fresh slot.
    uint256 internal constant HEALTHY = 1;

    uint256 internal constant EPISODE_CAP = 21 days;
    /// @notice From the end of the episode cap, so long can the insolvency bit still hold S0.
    uint256 internal constant LAST_HOLD = 48 hours;

    uint32 internal constant PAYOUTS = uint32(1 << Classes.EXIT | 1 << Classes.TRANSFER);

    /// @dev From the low end: sentinel 1, mask 32, until 40, graceUntil 40, episodeStart 40, openAt 40, mode 3, stage 3, origin 2,
    /// insolvent 1, factorBps 14, held 8, restrictedFor 15, s0Left 17.
    function pack(Hot memory h) internal pure returns (uint256 word) {
        word = uint256(h.s0Left) << 15 | h.restrictedFor;
        word = word << 8 | h.held;
        word = word << 14 | h.factorBps;
        word = word << 1 | (h.insolvent ? 1 : 0);
        word = word << 2 | uint8(h.origin);
        word = word << 3 | h.stage;
        word = word << 3 | uint8(h.mode);
        word = word << 40 | h.openAt;
        word = word << 40 | h.episodeStart;
        word = word << 40 | h.graceUntil;
        word = word << 40 | h.until;
        word = word << 32 | h.mask;
        word = word << 1 | HEALTHY;
    }

    function unpack(uint256 word) internal pure returns (Hot memory h) {
        h.mask = uint32(word >> 1);
        h.until = untilOf(word);
        h.graceUntil = uint40(word >> 73);
        h.episodeStart = uint40(word >> 113);
        h.openAt = uint40(word >> 153);
        h.mode = modeOf(word);
        h.stage = stageOf(word);
        h.origin = Origin(word >> 199 & 3);
        h.insolvent = word >> 201 & 1 == 1;
        h.factorBps = uint16(word >> 202 & 0x3fff);
        h.held = uint8(word >> 216);
        h.restrictedFor = uint16(word >> 224 & 0x7fff);
        h.s0Left = uint24(word >> 239);
    }

    function untilOf(uint256 word) internal pure returns (uint40) {
        return uint40(word >> 33);
    }

    function maskOf(uint256 word) internal pure returns (uint32) {
        return uint32(word >> 1);
    }

    /// @notice {restrictedUntil} of a word.
    function restrictedUntilOf(uint256 word) internal pure returns (uint256) {
        return untilOf(word) + (word >> 224 & 0x7fff) * 1 minutes;
    }

    function s0LeftOf(uint256 word) internal pure returns (uint256) {
        return word >> 239;
    }

    /// @notice A stranger's word, or 0 if it names no mode: to read that would revert.
    function sound(uint256 word) internal pure returns (uint256) {
        return word >> 193 & 7 > uint256(type(Mode).max) ? 0 : word;
    }

    function modeOf(uint256 word) internal pure returns (Mode) {
        return Mode(word >> 193 & 7);
    }

    function stageOf(uint256 word) internal pure returns (uint8) {
        return uint8(word >> 196 & 7);
    }

    /// @dev From the low end: frozenStored 32, frozenFrom 40, guardianHalt 24, lastGuardianEnd 40, bucketsAt 40, used 80.
    function packCold(Cold memory c) internal pure returns (uint256 word) {
        word = uint256(c.used) << 40 | c.bucketsAt;
        word = word << 40 | c.lastGuardianEnd;
        word = word << 24 | c.guardianHalt;
        word = word << 40 | c.frozenFrom;
        word = word << 32 | c.frozenStored;
    }

    function unpackCold(uint256 word) internal pure returns (Cold memory c) {
        c.frozenStored = uint32(word);
        c.frozenFrom = uint40(word >> 32);
        c.guardianHalt = uint24(word >> 72);
        c.lastGuardianEnd = uint40(word >> 96);
        c.bucketsAt = uint40(word >> 136);
        c.used = uint80(word >> 176);
    }

    /// @notice How tight a mode is. S0 pays nothing out and ranks above RESTRICTED, which limits only.
    function rank(Mode mode, uint256 stage) internal pure returns (uint256) {
        unchecked {
            if (mode == Mode.RECOVERING) return stage == 0 ? 8 : 7 - stage;
            return mode < Mode.RESTRICTED ? uint256(mode) : mode == Mode.RESTRICTED ? 7 : uint256(mode) + 6;
        }
    }

    function isS0(Hot memory h) internal pure returns (bool) {
        return h.mode == Mode.RECOVERING && h.stage == 0;
    }

    /// @notice The word that says at `time` what `word` says then.
    function effectiveWord(uint256 word, uint256 time, uint256 s1Dwell) internal pure returns (uint256) {
        // Short of its end nothing changes; NORMAL has no end.
        return word == HEALTHY || time < untilOf(word) ? word : pack(effective(unpack(word), time, s1Dwell));
    }

    /// @notice The state at `time`. Changes `h` and returns it.
    function effective(Hot memory h, uint256 time, uint256 s1Dwell) internal pure returns (Hot memory) {
        if (h.mode == Mode.NORMAL || h.mode == Mode.WATCH) {
            if (h.mode == Mode.WATCH && time >= h.until) toNormal(h);
            if (h.mode == Mode.NORMAL && time > h.openAt) {
                (h.mask, h.factorBps, h.openAt) = (0, 0, 0);
                if (time >= h.graceUntil) h.graceUntil = 0;
            }
            return h;
        }
        if (time < h.until || h.mode == Mode.EXIT || (h.mode == Mode.RECOVERING && h.stage > 0)) return h;
        if (h.mode == Mode.HALTED) {
            h.mode = Mode.RECOVERING;
            setEnds(h, uint256(h.until) + h.s0Left, restrictedUntil(h));
            h.s0Left = 0;
        }
        if (h.mode == Mode.RECOVERING && time >= s0End(h) && restrictedUntil(h) > s0End(h)) {
            h.mode = Mode.RESTRICTED;
            h.mask &= Classes.closable(Mode.RESTRICTED);
            setEnds(h, restrictedUntil(h), 0);
        }
        // What follows RESTRICTED is an S0 without length, unless insolvency holds it.
        if (h.mode == Mode.RESTRICTED && time >= h.until) h.mode = Mode.RECOVERING;
        if (h.mode == Mode.RECOVERING && time >= s0End(h)) {
            h.stage = 1;
            setEnds(h, s0End(h) + s1Dwell, 0);
        }
        return h;
    }

    /// @notice Ends the episode. What may outlive it: grace, a hold, and for one second what a transaction opens.
    function toNormal(Hot memory h) internal pure {
        (h.mode, h.stage, h.origin, h.insolvent) = (Mode.NORMAL, 0, Origin.GUARDIAN, false);
        (h.until, h.episodeStart, h.restrictedFor, h.s0Left) = (0, 0, 0, 0);
    }

    /// @notice Closed classes of an effective state.
    function closed(Hot memory h, uint256 time) internal pure returns (uint32 mask) {
        mask = closedByEpisode(h, time) | h.held;
        if (time < h.graceUntil) mask |= uint32(1 << Classes.LIQUIDATE);
    }

    /// @notice Whether a class is open; one beyond the mask is never, lest a wrong number guard nothing.
    function isOpen(Hot memory h, uint8 class_, uint256 time) internal pure returns (bool) {
        return class_ < 32 && closed(h, time) >> class_ & 1 == 0;
    }

    /// @notice {closed} without hold and grace, which end by themselves.
    function closedByEpisode(Hot memory h, uint256 time) internal pure returns (uint32 mask) {
        bool fresh = time <= h.openAt;
        if (h.mode == Mode.NORMAL || h.mode == Mode.WATCH) return fresh ? h.mask : 0;
        mask = h.mask | uint32(1 << Classes.UPGRADE);
        if (h.mode != Mode.RECOVERING || (fresh && h.stage == 0)) return mask;
        mask &= Classes.closedIn(stageInForce(h, time));
        if (h.stage == 0 && h.insolvent) mask |= PAYOUTS;
    }

    /// @notice Limiter factor of an effective state, in bps.
    function factor(Hot memory h, uint256 time) internal pure returns (uint16) {
        if (h.mode == Mode.RECOVERING) return Classes.factorOf(stageInForce(h, time));
        return h.mode == Mode.NORMAL && h.factorBps == 0 ? 10_000 : h.factorBps;
    }

    /// @notice The stage that binds: the one before, in the second in which a transaction opened the next.
    function stageInForce(Hot memory h, uint256 time) internal pure returns (uint8) {
        return time <= h.openAt && h.stage > 0 ? h.stage - 1 : h.stage;
    }

    /// @notice Seconds of (from, to] in which `h`, written at or before `from`, was HALTED or in S0.
    function frozen(Hot memory h, uint256 from, uint256 to) internal pure returns (uint256) {
        if (h.mode != Mode.HALTED && h.mode != Mode.RESTRICTED && !isS0(h)) return 0;
        if (h.mode == Mode.RESTRICTED && from < h.until) from = h.until;
        return minus(to < s0End(h) ? to : s0End(h), from);
    }

    /// @notice End of the S0 that `h` is in or leads to.
    function s0End(Hot memory h) internal pure returns (uint256 end) {
        // Here and below, no sum of 40-bit numbers overflows 256 bits.
        unchecked {
            end = uint256(h.until) + (h.mode == Mode.HALTED ? h.s0Left : 0);
            uint256 lastHold = h.episodeStart + EPISODE_CAP + LAST_HOLD;
            if (h.insolvent && lastHold > end) end = lastHold;
        }
    }

    /// @notice End of the RESTRICTED that is, or waits below a halt; not above `until` when none waits.
    function restrictedUntil(Hot memory h) internal pure returns (uint256) {
        unchecked {
            return h.until + uint256(h.restrictedFor) * 1 minutes;
        }
    }

    /// @notice End of the RESTRICTED that a halt would leave waiting; 0 for none.
    function below(Hot memory h) internal pure returns (uint256) {
        return h.mode == Mode.RESTRICTED || h.restrictedFor != 0 ? restrictedUntil(h) : 0;
    }

    /// @notice Sets both ends; what waits below a halt is rounded up to minutes.
    function setEnds(Hot memory h, uint256 until, uint256 restricted) internal pure {
        if (until > type(uint40).max) until = type(uint40).max;
        unchecked {
            uint256 minutes_ = (minus(restricted, until) + 59) / 1 minutes;
            (h.until, h.restrictedFor) = (uint40(until), minutes_ < 0x7fff ? uint16(minutes_) : 0x7fff);
        }
    }

    /// @notice a - b, or 0.
    function minus(uint256 a, uint256 b) internal pure returns (uint256) {
        return a > b ? a - b : 0;
    }
}
