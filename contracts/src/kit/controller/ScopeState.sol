// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {FailSafeWord} from "../FailSafeWord.sol";
import {Mode} from "../Types.sol";

/// @notice A scope as its controller keeps it, in one slot. The mode is not stored: it follows from the ends and the time.
/// @param mask classes that the episode closed
/// @param haltFor seconds from the start of the episode to the end of HALTED: the longest that a target granted; 0 for none
/// @param s0For seconds of S0 after that, as the targets tell; 0 when the episode has served it
/// @param tightFor seconds to the end of RESTRICTED or, as long as nothing tighter was asked for, of WATCH
/// @param episodeStart second of the episode's first trip; before the first episode, of the scope's creation
/// @param tripBlock block of the episode's first trip
/// @param incidentBack blocks from the incident to `tripBlock`
/// @param episodeId episodes so far
/// @param epoch council releases so far
/// @param tripCount guardian trips landed in the episode
/// @param targets contracts in the scope and below
/// @param stage 2..4 once the recovery plan has opened it
/// @param flags see {ScopeState}
struct Scope {
    uint32 mask;
    uint256 haltFor;
    uint256 s0For;
    uint256 tightFor;
    uint256 episodeStart;
    uint256 tripBlock;
    uint256 incidentBack;
    uint24 episodeId;
    uint16 epoch;
    uint8 tripCount;
    uint8 targets;
    uint8 stage;
    uint8 flags;
}

/// @notice What time makes of a scope: no transaction is needed for anything to end.
library ScopeState {
    /// @dev The episode was RESTRICTED or HALTED, and recovers until the plan finishes it.
    uint8 internal constant TIGHT = 1;
    uint8 internal constant INSOLVENT = 2;
    uint8 internal constant EXITED = 4;

    /// @dev From the low end: mask 32, haltFor 21, s0For 17, tightFor 21, episodeStart 40, tripBlock 40, incidentBack 24, episodeId 24,
    /// epoch 16, tripCount 6, targets 6, stage 3, flags 3. Ends lie within the episode cap; the rest is bounded where it is set.
    function pack(Scope memory s) internal pure returns (uint256 word) {
        word = uint256(s.flags) << 3 | s.stage;
        word = word << 6 | s.targets;
        word = word << 6 | s.tripCount;
        word = word << 16 | s.epoch;
        word = word << 24 | s.episodeId;
        word = word << 24 | s.incidentBack;
        word = word << 40 | s.tripBlock;
        word = word << 40 | s.episodeStart;
        word = word << 21 | s.tightFor;
        word = word << 17 | s.s0For;
        word = word << 21 | s.haltFor;
        word = word << 32 | s.mask;
    }

    function unpack(uint256 word) internal pure returns (Scope memory s) {
        s.mask = uint32(word);
        s.haltFor = word >> 32 & 0x1fffff;
        s.s0For = word >> 53 & 0x1ffff;
        s.tightFor = word >> 70 & 0x1fffff;
        s.episodeStart = uint40(word >> 91);
        s.tripBlock = uint40(word >> 131);
        s.incidentBack = uint24(word >> 171);
        s.episodeId = uint24(word >> 195);
        s.epoch = uint16(word >> 219);
        s.tripCount = uint8(word >> 235 & 63);
        s.targets = uint8(word >> 241 & 63);
        s.stage = uint8(word >> 247 & 7);
        s.flags = uint8(word >> 250);
    }

    /// @notice Mode and stage at `time`, and the end of the mode; in S0 its end, later the end of what the scope recovers from.
    function inForce(Scope memory s, uint256 time) internal pure returns (Mode mode, uint8 stage, uint40 until) {
        if (s.flags & EXITED != 0) return (Mode.EXIT, 0, type(uint40).max);
        uint256 tightEnd = s.episodeStart + s.tightFor;
        if (s.flags & TIGHT == 0) return (time < tightEnd ? Mode.WATCH : Mode.NORMAL, 0, uint40(tightEnd));
        uint256 haltEnd = s.episodeStart + s.haltFor;
        if (time < haltEnd) return (Mode.HALTED, 0, uint40(haltEnd));
        uint256 s0End = haltEnd + s.s0For;
        if (time < s0End) return (Mode.RECOVERING, 0, uint40(s0End));
        if (time < tightEnd) return (Mode.RESTRICTED, 0, uint40(tightEnd));
        bool held =
            s.flags & INSOLVENT != 0 && time < s.episodeStart + FailSafeWord.EPISODE_CAP + FailSafeWord.LAST_HOLD;
        return (Mode.RECOVERING, s.stage != 0 ? s.stage : held ? 0 : 1, uint40(tightEnd > s0End ? tightEnd : s0End));
    }

    /// @notice Begins an episode.
    function open(Scope memory s, uint256 time, uint256 blockNumber) internal pure {
        finish(s);
        ++s.episodeId;
        (s.episodeStart, s.tripBlock, s.incidentBack, s.tripCount) = (time, blockNumber, 0, 0);
    }

    /// @notice Joins what targets granted. A halt and a RESTRICTED keep ends of their own, so that neither lends time to the other.
    /// @param s0 seconds of S0 that follow a halt
    /// @return tighter whether anything moved
    function join(Scope memory s, Mode mode, uint32 mask, uint256 granted, uint256 s0)
        internal
        pure
        returns (bool tighter)
    {
        tighter = mask & ~s.mask != 0;
        s.mask |= mask;
        uint256 length = granted - s.episodeStart;
        if (mode != Mode.WATCH && s.flags & TIGHT == 0) (s.flags, s.tightFor) = (s.flags | TIGHT, 0);
        if (length > (mode == Mode.HALTED ? s.haltFor : s.tightFor)) {
            if (mode == Mode.HALTED) {
                // S0 ends no earlier than it would have.
                uint256 s0End = s.haltFor + s.s0For;
                (s.haltFor, s.s0For) = (length, s0End > length + s0 ? s0End - length : s0);
            } else {
                s.tightFor = length;
            }
            (tighter, s.stage) = (true, 0);
        }
    }

    /// @notice Ends now what is live.
    function end(Scope memory s, uint256 time) internal pure {
        uint256 length = time - s.episodeStart;
        if (length < s.haltFor) s.haltFor = length;
        if (length < s.tightFor) s.tightFor = length;
    }

    /// @notice Back to NORMAL.
    function finish(Scope memory s) internal pure {
        (s.mask, s.haltFor, s.s0For, s.tightFor, s.stage, s.flags) = (0, 0, 0, 0, 0, 0);
    }
}
