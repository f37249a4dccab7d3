// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeWord} from "../../../src/kit/FailSafeWord.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {Scope, ScopeState} from "../../../src/kit/controller/ScopeState.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice The word of a scope, over all values that can be reached and more.
contract ScopeStateTest is Assert {
    using ScopeState for Scope;

    function testFuzz_PackingRoundTrip(uint256 word) public pure {
        word &= (1 << 253) - 1;
        eq(ScopeState.unpack(word).pack(), word, "round trip");
    }

    function test_PackingAtTheEdges() public pure {
        eq(ScopeState.unpack(0).pack(), 0, "zero");
        eq(ScopeState.unpack((1 << 253) - 1).pack(), (1 << 253) - 1, "all ones");
        Scope memory s;
        (s.episodeStart, s.tripBlock) = (1 << 32, 1 << 39);
        Scope memory back = ScopeState.unpack(s.pack());
        eq(back.episodeStart, 1 << 32, "beyond 2106");
        eq(back.tripBlock, 1 << 39, "block");
    }

    /// @dev T1: at no later time is anything looser after a join than it would have been without.
    /// forge-config: default.fuzz.runs = 20000
    function testFuzz_JoinNeverLoosens(uint256 seed) public pure {
        (Scope memory s, uint256 time) = _some(seed);
        uint256 word = s.pack();
        Mode mode = Mode(1 + (seed >> 200) % 3);
        // The controller asks for no WATCH in a tight episode.
        if (mode == Mode.WATCH && s.flags & ScopeState.TIGHT != 0) mode = Mode.RESTRICTED;
        uint256 granted = time + 1 + (seed >> 210) % 72 hours;
        s.join(mode, uint32(seed >> 32), granted, (seed >> 40) % 7 hours);
        Scope memory before = ScopeState.unpack(word);
        eq(before.mask & ~s.mask, 0, "mask");
        // A scope tells the S0 that insolvency holds after a RESTRICTED, a target before it; each decides for itself.
        if (s.flags & ScopeState.INSOLVENT != 0) return;
        for (uint256 n; n < 8; ++n) {
            uint256 later = time + uint256(keccak256(abi.encode(seed, n))) % 6 days;
            (Mode wasMode, uint8 wasStage,) = before.inForce(later);
            (Mode isMode, uint8 isStage,) = s.inForce(later);
            atLeast(FailSafeWord.rank(isMode, isStage), FailSafeWord.rank(wasMode, wasStage), "looser");
        }
        (Mode now_,,) = s.inForce(time);
        atLeast(FailSafeWord.rank(now_, 0), FailSafeWord.rank(mode, 0), "as tight as asked");
    }

    /// @dev T4: time alone only loosens, but that insolvency holds an S0 after RESTRICTED, and everything tight ends in S1.
    /// forge-config: default.fuzz.runs = 20000
    function testFuzz_TimeOnlyLoosens(uint256 seed) public pure {
        (Scope memory s, uint256 time) = _some(seed);
        uint256 rank = type(uint256).max;
        for (uint256 n; n < 60; ++n) {
            (Mode mode, uint8 stage,) = s.inForce(time + n * 12 hours);
            bool held = s.flags & ScopeState.INSOLVENT != 0 && mode == Mode.RECOVERING && stage == 0;
            yes(FailSafeWord.rank(mode, stage) <= rank || held, "tighter by time");
            rank = FailSafeWord.rank(mode, stage);
        }
        (Mode end, uint8 stageAtEnd,) = s.inForce(time + 30 days);
        yes(s.flags & ScopeState.TIGHT == 0 ? end == Mode.NORMAL : end == Mode.RECOVERING && stageAtEnd != 0, "ends");
    }

    /// @dev A scope in the middle of an episode, at some time in it.
    function _some(uint256 seed) private pure returns (Scope memory s, uint256 time) {
        s.episodeStart = 1_700_000_000;
        s.episodeId = 1;
        time = s.episodeStart + seed % 5 days;
        s.tightFor = (seed >> 64) % 4 days;
        if (seed >> 60 & 1 == 1) {
            s.flags = ScopeState.TIGHT;
            if (seed >> 61 & 1 == 1) (s.haltFor, s.s0For) = (1 + (seed >> 96) % 4 days, (seed >> 128) % 7 hours);
            if (seed >> 62 & 1 == 1) s.flags |= ScopeState.INSOLVENT;
            (Mode mode, uint8 stage,) = s.inForce(time);
            // The plan has opened stages since.
            if (mode == Mode.RECOVERING && stage == 1) s.stage = [0, 2, 3, 4][(seed >> 160) % 4];
        }
        s.mask = uint32(seed >> 176) & Classes.RESTRICTABLE;
    }
}
