// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "./BoundedCall.sol";
import {FailSafeWord} from "./FailSafeWord.sol";
import {Mode} from "./Types.sol";
import {Council} from "./controller/Council.sol";
import {Exits} from "./controller/Exits.sol";
import {Intents} from "./controller/Intents.sol";
import {Scope, ScopeState} from "./controller/ScopeState.sol";
import {Scopes} from "./controller/Scopes.sol";
import {ISequencerFeed, Seats} from "./controller/Seats.sol";
import {IFailSafe} from "./interfaces/IFailSafe.sol";
import {IRecoveryHooks} from "./interfaces/IRecoveryHooks.sol";

/// @title Tightens the contracts of one system, and can never move their funds
/// @notice Problem: a pause key is either too slow to help or strong enough to harm, and nobody knows what remains when its holder
/// is robbed, dead or silent.
/// Guarantee: guardians only tighten, for a bounded time, each signed step once ({Intents}); one bad target or signer stops nobody
/// else ({Scopes}, {Seats}); whatever is tight ends by time in a recovery or in EXIT, and EXIT is for anyone to
/// open when council and guardians are gone ({Exits}). Only the council may shorten, and only along the recovery.
/// Trust: the council for who sits where, which targets belong to the system, and for `release`; the recovery plan, the exit rounds
/// and the forced exits for their verdicts. They are fixed at deployment, and so is this code.
/// Failure modes: without targets or groups a scope cannot be tripped by its guardians; a target with a budget of its own may end
/// its restriction before the scope does.
contract FailSafeController is Exits, IRecoveryHooks {
    using ScopeState for Scope;

    /// @param council slow role
    /// @param recoveryPlan may call {IRecoveryHooks} and says when an episode ends insolvent
    /// @param emergencyExit opens the rounds
    /// @param forcedExits says when forced exits are not served; zero if the system has none
    /// @param challenge says when the council let a challenge stand
    /// @param sequencer uptime feed of an L2; zero on a chain without a sequencer
    /// @param tripFactorBps limiter capacity that a trip leaves: 2_500 to 9_999
    /// @param s0Dwell dwell of S0 in the targets: at most 24 hours
    /// @param blocksPerDay blocks in 24 hours on this chain
    struct Configuration {
        address council;
        address recoveryPlan;
        address emergencyExit;
        address forcedExits;
        address challenge;
        ISequencerFeed sequencer;
        uint16 tripFactorBps;
        uint40 s0Dwell;
        uint24 blocksPerDay;
    }

    event Confirmed(bytes32 indexed scope, uint40 until);
    event Released(bytes32 indexed scope, uint32 epoch);
    event GapWaived(bytes32 indexed scope);
    event ClosedHeld(bytes32 indexed scope, uint32 mask);
    event IncidentSet(bytes32 indexed scope, uint40 incidentBlock);
    event RecoveryStarted(bytes32 indexed scope, uint8 stage);
    event Recovered(bytes32 indexed scope);

    error UntilOutOfBounds(uint40 until, uint40 least, uint40 most);
    error StageOrder(uint8 present, uint8 asked);
    error TooLate(uint40 end);

    uint256 private constant INCIDENT_WINDOW = 48 hours;

    modifier onlyPlan() {
        _only(recoveryPlan);
        _;
    }

    constructor(Configuration memory c)
        Council(c.council)
        Scopes(c.tripFactorBps, c.s0Dwell)
        Seats(c.sequencer)
        Intents(c.blocksPerDay)
        Exits(c.recoveryPlan, c.emergencyExit, c.forcedExits, c.challenge)
    {}

    // ---------------------------------------------------------------- anyone

    /// @notice Pushes what the scope is in now to those of the targets in `bitmap` that are behind.
    function retry(bytes32 scope, uint256 bitmap) external nonReentrant returns (uint256 okBitmap) {
        okBitmap = _pushPresent(scope, _load(scope), "retry", bitmap, true);
        if (okBitmap == 0) revert NothingTightened(scope);
    }

    /// @notice What guardians can do at worst, from the bounds that the targets themselves tell.
    /// @return maxHalt90d seconds of HALTED plus S0 in any 90 days; type(uint40).max if a target tells no bound
    /// @return maxEpisode seconds that an episode can stay tight with the council's help
    /// @return t4Provided whether every target bounds payouts before recovery by entitlements
    function worstCase(bytes32 scope) external view returns (uint40 maxHalt90d, uint40 maxEpisode, bool t4Provided) {
        uint256 count = _load(scope).targets;
        (maxEpisode, t4Provided) = (uint40(FailSafeWord.EPISODE_CAP), count != 0);
        for (uint256 i; i < count; ++i) {
            uint256 budget = _ask(targets[scope][i], IFailSafe.failsafeHaltBudget.selector);
            // A leaky bucket admits its capacity twice in some window.
            uint40 halt = budget != 0 && budget < 90 days ? uint40(2 * budget) : type(uint40).max;
            if (halt > maxHalt90d) maxHalt90d = halt;
            t4Provided = t4Provided && _ask(targets[scope][i], IFailSafe.failsafeHasEntitlements.selector) == 1;
        }
    }

    // ---------------------------------------------------------------- council

    /// @notice Takes a live restriction over and keeps it until `until`, at most 21 days from the start of the episode.
    function confirm(bytes32 scope, uint40 until) external onlyCouncil nonReentrant {
        (Scope memory s, Mode mode, uint40 end) = _live(scope);
        uint40 most = uint40(s.episodeStart + FailSafeWord.EPISODE_CAP);
        if (until < end || until > most) revert UntilOutOfBounds(until, end, most);
        s.join(mode, 0, until, s.s0For);
        if (_pushPresent(scope, s, "confirm", ALL, false) == 0) revert NothingTightened(scope);
        emit Confirmed(scope, until);
    }

    /// @notice Ends a live restriction now, and voids the unused intents of the scope. Recovery begins.
    function release(bytes32 scope) external onlyCouncil nonReentrant {
        (Scope memory s,,) = _live(scope);
        if (block.timestamp == s.episodeStart) revert TooEarly(uint40(s.episodeStart + 1));
        s.end(block.timestamp);
        ++s.epoch;
        _pushPresent(scope, s, "release", ALL, false);
        emit Released(scope, s.epoch);
    }

    /// @notice Lets guardians halt again before the gap after their last halt is over.
    function waiveGap(bytes32 scope) external onlyCouncil nonReentrant {
        _callAll(scope, abi.encodeCall(IFailSafe.failsafeWaiveGap, ()));
        emit GapWaived(scope);
    }

    /// @notice Has every target keep new deposits, new risk and bridging closed beyond the episode, from day 21 on; all else opens.
    /// In NORMAL a smaller mask lifts the rest. The targets hold each call to these bounds.
    function holdClosed(bytes32 scope, uint32 mask) external onlyCouncil nonReentrant {
        _callAll(scope, abi.encodeCall(IFailSafe.failsafeHold, (mask)));
        emit ClosedHeld(scope, mask);
    }

    /// @notice Moves the incident to an earlier block, at most 7 days before the trip, within 48 hours of it.
    function setIncidentBlock(bytes32 scope, uint40 incidentBlock) external onlyCouncil {
        Scope memory s = _load(scope);
        uint40 end = uint40(s.episodeStart + INCIDENT_WINDOW);
        (Mode mode,,) = _now(s);
        if (mode == Mode.NORMAL || mode == Mode.EXIT) revert NotLive(scope);
        if (block.timestamp > end) revert TooLate(end);
        if (!_dateBack(s, incidentBlock, 7 * uint256(blocksPerDay))) revert NothingTightened(scope);
        _store(scope, s);
        emit IncidentSet(scope, incidentBlock);
    }

    // ---------------------------------------------------------------- recovery plan

    /// @inheritdoc IRecoveryHooks
    function setStage(bytes32 scope, uint8 stage) external onlyPlan nonReentrant {
        if (stage > 4) revert StageOrder(4, stage);
        Scope memory s = _recovering(scope, stage);
        s.stage = stage;
        _pushPresent(scope, s, "stage", ALL, false);
        emit RecoveryStarted(scope, stage);
    }

    /// @inheritdoc IRecoveryHooks
    function finish(bytes32 scope) external onlyPlan nonReentrant {
        Scope memory s = _recovering(scope, 5);
        s.finish();
        _pushPresent(scope, s, "finish", ALL, false);
        emit Recovered(scope);
    }

    /// @inheritdoc IRecoveryHooks
    function setInsolvent(bytes32 scope, bool insolvent) external onlyPlan nonReentrant {
        Scope memory s = _load(scope);
        s.flags = insolvent ? s.flags | ScopeState.INSOLVENT : s.flags & ~ScopeState.INSOLVENT;
        _store(scope, s);
        _callAll(scope, abi.encodeCall(IFailSafe.failsafeInsolvent, (insolvent)));
    }

    // ---------------------------------------------------------------- inside

    /// @dev A scope in WATCH, RESTRICTED or HALTED.
    function _live(bytes32 scope) private view returns (Scope memory s, Mode mode, uint40 until) {
        s = _load(scope);
        (mode,, until) = _now(s);
        if (mode == Mode.NORMAL || mode > Mode.HALTED) revert NotLive(scope);
    }

    /// @dev A scope in the stage before `next`, where 5 is NORMAL; S1 comes by time alone.
    function _recovering(bytes32 scope, uint8 next) private view returns (Scope memory s) {
        s = _load(scope);
        (Mode mode, uint8 stage,) = _now(s);
        if (mode != Mode.RECOVERING) revert NotLive(scope);
        if (next < 2 || next != stage + 1) revert StageOrder(stage, next);
    }

    /// @dev One word of a target; 0 when it does not answer.
    function _ask(address target, bytes4 selector) private view returns (uint256 word) {
        (, word,) = BoundedCall.read(target, abi.encodeWithSelector(selector), 1);
    }
}
