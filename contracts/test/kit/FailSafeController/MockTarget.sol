// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FailSafeWord, Hot} from "../../../src/kit/FailSafeWord.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";

/// @notice A target without budgets, whose behaviour in a push can be chosen. It keeps one word like a real one.
contract MockTarget {
    using FailSafeWord for Hot;

    enum Behaviour {
        OBEY,
        REFUSE,
        EAT_GAS,
        BOMB,
        IGNORE,
        GARBAGE,
        REENTER
    }

    error Refused();

    Behaviour public behaviour;
    bytes public reentry;
    bool public reentered;
    bytes public answer;
    uint40 public longest = type(uint40).max;
    uint24 public s0 = 6 hours;
    uint256 public calls;
    bool public insolvent;
    uint32 public held;
    bool public gapWaived;
    Restriction private _last;
    uint256 private _word = 1;

    function behave(Behaviour behaviour_) external {
        behaviour = behaviour_;
    }

    function behaveReentering(bytes calldata call_) external {
        (behaviour, reentry) = (Behaviour.REENTER, call_);
    }

    /// @dev Grants no second after `until`, as a budget would.
    function grantUntil(uint40 until) external {
        longest = until;
    }

    function serveS0(uint24 secs) external {
        s0 = secs;
    }

    function last() external view returns (Restriction memory) {
        return _last;
    }

    function failsafeArm(Restriction calldata r, bytes32) external returns (uint256) {
        _act();
        if (behaviour == Behaviour.IGNORE) return _word;
        if (behaviour == Behaviour.GARBAGE) return type(uint256).max;
        ++calls;
        _last = r;
        Hot memory h = FailSafeWord.unpack(_word).effective(block.timestamp, 24 hours);
        if (r.origin == Origin.COUNCIL) {
            (h.mode, h.stage, h.mask, h.until, h.s0Left) = (r.mode, r.stage, r.mask, r.until, 0);
            if (r.mode == Mode.RECOVERING) h.until = uint40(block.timestamp) + 30 days;
        } else {
            if (FailSafeWord.rank(r.mode, 0) >= FailSafeWord.rank(h.mode, h.stage)) h.mode = r.mode;
            h.mask |= r.mask;
            uint40 until = r.until < longest ? r.until : longest;
            if (until <= block.timestamp) revert Refused();
            if (until > h.until) h.until = until;
            if (h.episodeStart == 0) (h.episodeStart, h.s0Left) = (uint40(block.timestamp), s0);
        }
        return _word = h.pack();
    }

    function failsafeInsolvent(bool insolvent_) external {
        _act();
        insolvent = insolvent_;
    }

    function failsafeHold(uint32 mask) external {
        _act();
        held = mask;
    }

    function failsafeWaiveGap() external {
        _act();
        gapWaived = true;
    }

    function failsafeWord() external view returns (uint256) {
        if (behaviour == Behaviour.GARBAGE) return type(uint256).max;
        return FailSafeWord.unpack(_word).effective(block.timestamp, 24 hours).pack();
    }

    function mode() external view returns (Mode) {
        return FailSafeWord.unpack(_word).effective(block.timestamp, 24 hours).mode;
    }

    function stage() external view returns (uint8) {
        return FailSafeWord.unpack(_word).effective(block.timestamp, 24 hours).stage;
    }

    function _act() private {
        if (behaviour == Behaviour.REFUSE) revert Refused();
        if (behaviour == Behaviour.EAT_GAS) {
            while (true) {}
        }
        if (behaviour == Behaviour.BOMB) {
            assembly {
                return(0, 1000000)
            }
        }
        if (behaviour == Behaviour.REENTER) {
            (reentered, answer) = msg.sender.call(reentry);
        }
    }
}
