// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Budget} from "./Budget.sol";
import {Classes} from "./Classes.sol";
import {Cold, FailSafeWord, Hot} from "./FailSafeWord.sol";
import {Mode, Origin, Restriction} from "./Types.sol";
import {IFailSafe} from "./interfaces/IFailSafe.sol";

/// @notice Bounds of one guarded contract, fixed at deployment, and the time.
/// @param rest seconds of each stage and all stages after it, five times 40 bits, S0 lowest
/// @param budgets capacities of {Budget}
/// @param grace seconds from live prices to liquidation
/// @param factorFloorBps least limiter factor that a guardian can set
/// @param time the present second
struct Rules {
    uint256 rest;
    uint256 budgets;
    uint256 grace;
    uint16 factorFloorBps;
    uint256 time;
}

/// @notice What a transaction may change in a guarded contract, as pure functions of its two words.
/// @dev Problem: whoever may tighten must not be able to loosen, and whoever may loosen must not be able to skip or revive.
/// Guarantee: {tighten} moves every component to the tighter side or reverts, and stays inside {Budget}, 72 h of HALTED per
/// episode and 48 h between episodes. {decide} prolongs what is live, up to day 21, releases it into the ramp, or goes one stage
/// further after its dwell; EXIT it only enters. Both change `h` and `c` in place, which must be effective at the time.
/// Trust: the caller for the origin. Failure modes: all are typed reverts.
library Transitions {
    using Budget for Cold;
    using Budget for Hot;
    using FailSafeWord for Hot;

    uint256 internal constant TRIP_MAX = 24 hours;
    uint256 private constant VOUCHER_MAX = 12 hours;
    uint256 private constant GUARDIAN_HALT_MAX = 72 hours;
    uint256 private constant GUARDIAN_GAP = 48 hours;

    /// @notice Joins a restriction of anyone but the council.
    /// @return end second to which the request was granted
    function tighten(Hot memory h, Cold memory c, Restriction memory r, Rules memory rules)
        internal
        pure
        returns (uint256 end)
    {
        _requireTightening(r, rules.time);
        bool rises = FailSafeWord.rank(r.mode, 0) >= FailSafeWord.rank(h.mode, h.stage);
        // A tighter mode is a change by itself.
        uint256 before = rises && h.mode != r.mode ? 0 : h.pack();
        uint16 factor = rises ? h.factor(rules.time) : h.factorBps;
        // A ramp that the council took over was given back, so it is paid for anew.
        bool anew =
            h.mode == Mode.NORMAL || (h.origin == Origin.COUNCIL && h.mode == Mode.RECOVERING && h.restrictedFor == 0);
        Origin payer = anew || h.origin > Origin.COUNCIL ? r.origin : h.origin;
        if (rises || r.mode == Mode.RESTRICTED) end = _buy(h, c, r, rules, anew, rises);
        else if (h.mode != Mode.RECOVERING) end = r.until;
        else revert IFailSafe.NothingChanges();
        uint16 least = r.factorBps > rules.factorFloorBps ? r.factorBps : rules.factorFloorBps;
        h.factorBps = least < factor ? least : factor;
        if (before != 0 && h.pack() == before) {
            if (end < r.until) revert IFailSafe.BudgetExhausted(r.until);
            revert IFailSafe.NothingChanges();
        }
        h.origin = payer;
    }

    /// @notice What the council may do. What others paid for and it ends or takes over is given back to them.
    function decide(Hot memory h, Cold memory c, Restriction memory r, Rules memory rules) internal pure {
        uint256 time = rules.time;
        (Origin payer, uint256 paid) = (h.origin, h.demand(time, ramp(rules, h.stage)));
        if (payer != Origin.COUNCIL && h.mode == Mode.HALTED) c.guardianHalt -= uint24(h.until - time);
        bool ramps = r.mode == Mode.RECOVERING || r.mode == Mode.NORMAL;
        if (r.mode == Mode.EXIT) {
            h.toNormal();
            (h.mode, h.origin, h.factorBps) = (Mode.EXIT, Origin.COUNCIL, Classes.factorOf(0));
            (h.mask, h.until) = (Classes.RESTRICTABLE, type(uint40).max);
        } else if (!ramps) {
            _takeOver(h, r, time);
        } else if (r.mode == Mode.NORMAL ? h.mode == Mode.WATCH : r.stage < 2) {
            _release(h, rules);
        } else {
            _advance(h, c, r, rules);
        }
        uint256 next = h.origin == Origin.COUNCIL ? 0 : h.demand(time, ramp(rules, h.stage));
        if (payer != Origin.COUNCIL) c.settle(paid, next, payer != Origin.GUARDIAN);
    }

    /// @notice Sets or clears the insolvency bit, which holds S0.
    function setInsolvent(Hot memory h, bool insolvent, uint256 time) internal pure {
        if (h.insolvent == insolvent) revert IFailSafe.NothingChanges();
        if (insolvent) {
            if (h.mode != Mode.RESTRICTED && h.mode != Mode.HALTED && !h.isS0()) revert IFailSafe.NotLive();
            uint256 cap = h.episodeStart + FailSafeWord.EPISODE_CAP;
            if (time >= cap) revert IFailSafe.EpisodeCapReached(uint40(cap));
        } else if (h.isS0()) {
            // Payouts stay closed in this second, and to the end of a dwell that is not over.
            h.mask |= FailSafeWord.PAYOUTS;
            if (h.until <= time) h.setEnds(time + 1, h.below());
        }
        h.insolvent = insolvent;
    }

    /// @notice Holds classes beyond the episode, or lifts a hold once the contract is in NORMAL.
    function setHold(Hot memory h, uint32 mask, uint256 time) internal pure {
        if (mask & ~Classes.HOLDABLE != 0) revert IFailSafe.MaskOutOfBounds(mask, Classes.HOLDABLE);
        if (mask == h.held) revert IFailSafe.NothingChanges();
        if (h.mode == Mode.NORMAL && mask & ~uint32(h.held) == 0) {
            (h.mask, h.openAt) = (h.closedByEpisode(time) | h.held, uint40(time));
        } else {
            if (h.mode != Mode.RECOVERING || h.held & ~mask != 0) revert IFailSafe.NotLive();
            uint256 from = h.episodeStart + FailSafeWord.EPISODE_CAP;
            if (time < from) revert IFailSafe.TooEarly(uint40(from));
        }
        // forge-lint: disable-next-line(unsafe-typecast) HOLDABLE has eight bits
        h.held = uint8(mask);
    }

    /// @notice Seconds in stage `stage` at least.
    function dwell(Rules memory rules, uint256 stage) internal pure returns (uint256) {
        unchecked {
            return uint40(rules.rest >> 40 * stage) - ramp(rules, stage);
        }
    }

    /// @notice Dwell of all stages after `stage`.
    function ramp(Rules memory rules, uint256 stage) internal pure returns (uint256) {
        unchecked {
            return uint40(rules.rest >> 40 * (stage + 1));
        }
    }

    function _requireTightening(Restriction memory r, uint256 time) private pure {
        Mode most = r.origin == Origin.GUARDIAN ? Mode.HALTED : Mode.RESTRICTED;
        if (r.mode == Mode.NORMAL || r.mode > most) revert IFailSafe.ModeNotAllowed(uint8(r.mode), uint8(r.origin));
        if (r.mask & Classes.NEVER_RESTRICTED != 0) revert IFailSafe.ClassNeverRestricted(r.mask);
        uint32 allowed = Classes.closable(r.mode);
        if (r.mask & ~allowed != 0 || (r.mask == 0) != (allowed == 0)) {
            revert IFailSafe.MaskOutOfBounds(r.mask, allowed);
        }
        if (r.until <= time) revert IFailSafe.NothingChanges();
    }

    /// @dev Joins `r` for as long as the bounds allow, and charges what it adds.
    function _buy(Hot memory h, Cold memory c, Restriction memory r, Rules memory rules, bool anew, bool rises)
        private
        pure
        returns (uint256 end)
    {
        uint256 time = rules.time;
        uint256 paid = anew ? 0 : h.demand(time, ramp(rules, h.stage));
        if (h.mode == Mode.NORMAL) {
            (h.episodeStart, h.s0Left, c.guardianHalt) = (uint40(time), uint24(dwell(rules, 0)), 0);
        }
        end = time + _grant(h, c, r, rules, paid);
        if (end == time) revert IFailSafe.BudgetExhausted(r.until);
        if (end > r.until) end = r.until;
        if (rises) _rise(h, c, r.mode, time, end);
        // An S0 that only insolvency holds is over by itself; what waits is counted from now.
        else if (end > h.restrictedUntil()) h.setEnds(h.until > time ? h.until : time, end);
        h.mask |= Classes.consistent(r.mask);
        c.settle(paid, h.demand(time, ramp(rules, 0)), r.origin != Origin.GUARDIAN);
    }

    /// @dev Seconds from now that the trip, the episode and the buckets allow.
    function _grant(Hot memory h, Cold memory c, Restriction memory r, Rules memory rules, uint256 paid)
        private
        pure
        returns (uint256 secs)
    {
        uint256 fixed_;
        secs = r.origin == Origin.VOUCHER ? VOUCHER_MAX : TRIP_MAX;
        if (r.mode == Mode.RESTRICTED) fixed_ = Budget.demandOf(0, 0, ramp(rules, 0));
        if (r.mode == Mode.HALTED) {
            uint256 gapEnd = c.lastGuardianEnd + GUARDIAN_GAP;
            bool first = c.guardianHalt == 0 && c.lastGuardianEnd != 0;
            if (first && rules.time < gapEnd) revert IFailSafe.GapNotOver(uint40(gapEnd));
            // A halt interrupts S0; what is left of it follows.
            if (h.isS0()) h.s0Left = uint24(FailSafeWord.minus(h.until, rules.time));
            secs = GUARDIAN_HALT_MAX - c.guardianHalt + (h.mode == Mode.HALTED ? h.until - rules.time : 0);
            fixed_ = Budget.demandOf(h.s0Left, h.s0Left, h.s0Left + ramp(rules, 0));
        }
        uint256 room = c.affordable(rules.budgets, r.mode, paid, fixed_, r.origin != Origin.GUARDIAN);
        if (room < secs) secs = room;
    }

    /// @dev Into a mode at least as tight as the present one.
    function _rise(Hot memory h, Cold memory c, Mode mode, uint256 time, uint256 end) private pure {
        uint256 from = h.mode == mode ? h.until : time;
        uint256 below = mode == Mode.HALTED ? h.below() : 0;
        if (end < from) end = from;
        if (mode == Mode.HALTED) c.guardianHalt += uint24(end - from);
        h.mask = h.closedByEpisode(time);
        (h.mode, h.stage) = (mode, 0);
        h.setEnds(end, below);
    }

    /// @dev From here on it is the council's time.
    function _takeOver(Hot memory h, Restriction memory r, uint256 time) private pure {
        if (r.mode != h.mode) revert IFailSafe.NotLive();
        uint256 cap = h.episodeStart + FailSafeWord.EPISODE_CAP;
        // A WATCH never outlasts the ramp of a trip that takes its place.
        if (h.mode == Mode.WATCH && time + TRIP_MAX < cap) cap = time + TRIP_MAX;
        if (r.until > cap) revert IFailSafe.EpisodeCapReached(uint40(cap));
        if (h.origin == Origin.COUNCIL && r.until <= h.until) revert IFailSafe.NothingChanges();
        h.origin = Origin.COUNCIL;
        if (r.until > h.until) h.setEnds(r.until, h.mode == Mode.HALTED ? h.below() : 0);
    }

    /// @dev Ends a live restriction, and what waits below it, as time would have ended it.
    function _release(Hot memory h, Rules memory rules) private pure {
        uint256 time = rules.time;
        if (h.isS0() && h.restrictedFor != 0) {
            h.restrictedFor = 0;
        } else if (h.mode == Mode.WATCH) {
            h.mask = h.closedByEpisode(time);
            h.toNormal();
            h.openAt = uint40(time);
        } else if (h.mode == Mode.RESTRICTED || h.mode == Mode.HALTED) {
            uint256 s0 = 0;
            if (h.mode == Mode.HALTED) {
                (s0, h.s0Left) = (h.s0Left == 0 ? 1 : h.s0Left, 0);
                // Prices open after this second; grace counts from there.
                uint256 grace = time + 1 + rules.grace;
                if (h.graceUntil > grace) h.graceUntil = uint40(grace);
            }
            h.mode = Mode.RECOVERING;
            h.setEnds(time + s0, 0);
            h.openAt = uint40(time);
            h.effective(time, dwell(rules, 1));
        } else {
            revert IFailSafe.NotLive();
        }
    }

    /// @dev One stage further, whatever later one is asked for: a contract that missed a stage makes up for it by stages.
    function _advance(Hot memory h, Cold memory c, Restriction memory r, Rules memory rules) private pure {
        if (h.mode != Mode.RECOVERING || h.stage == 0) revert IFailSafe.NotLive();
        uint256 time = rules.time;
        bool ends = h.stage == 4;
        if (r.mode == Mode.RECOVERING && (ends || r.stage <= h.stage)) revert IFailSafe.NothingChanges();
        if (time < h.until) revert IFailSafe.StageNotOver(h.until);
        if (ends) {
            if (c.guardianHalt != 0 && h.origin != Origin.COUNCIL) c.lastGuardianEnd = uint40(time);
            (h.mask, h.factorBps) = (h.closedByEpisode(time), 0);
            h.toNormal();
        } else {
            ++h.stage;
            h.setEnds(time + dwell(rules, h.stage), 0);
        }
        h.openAt = uint40(time);
    }
}
