// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "../BoundedCall.sol";
import {Classes} from "../Classes.sol";
import {FailSafeWord} from "../FailSafeWord.sol";
import {Lock} from "../Lock.sol";
import {Mode, Origin, Restriction} from "../Types.sol";
import {IFailSafe} from "../interfaces/IFailSafe.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {Council} from "./Council.sol";
import {Scope, ScopeState} from "./ScopeState.sol";

/// @notice The tree of scopes, the targets in it, and the pushing of restrictions to them.
/// @dev Problem: one target that reverts, burns its gas, answers with a megabyte or is gone must not stop the others, and a caller
/// with little gas must not make a sound target look broken.
/// Guarantee: every push is bounded, the target's own word decides whether it worked, and {Pushed} tells it. A caller short of
/// gas reverts everything. A loosening is pushed only where no other scope on the target's path holds tighter, and only to
/// targets that are tighter now, so that no recovery of one scope opens what another one closed.
/// Trust: targets for their own budgets. Failure modes: a target that lies about its word can make the recovery of its scope begin as
/// late as was asked for, and its own closing look done.
abstract contract Scopes is Council, Lock {
    using ScopeState for Scope;

    /// @param called targets that were called
    /// @param okBitmap targets that are as tight as asked, or took a loosening
    /// @param until the longest end that one of them granted
    /// @param s0 the longest S0 that one of them has left
    struct Result {
        uint256 called;
        uint256 okBitmap;
        uint40 until;
        uint256 s0;
    }

    event ScopeAdded(bytes32 indexed scope, bytes32 indexed parent);
    event TargetEnrolled(bytes32 indexed scope, address indexed target);
    /// @notice Bitmaps in the order of {targets}: which were called, and which of them did as asked.
    event Pushed(bytes32 indexed scope, uint256 called, uint256 ok);

    error InvalidConfiguration();
    error UnknownScope(bytes32 scope);
    error UnknownTarget(address target);
    error ScopeTaken(bytes32 scope);
    error TargetTaken(address target);
    error TooDeep(bytes32 scope);
    error TooManyChildren(bytes32 scope);
    error TooManyTargets(bytes32 scope);
    error EmptyScope(bytes32 scope);
    error ExitTerminal(bytes32 scope);
    error NothingTightened(bytes32 scope);
    error EpisodeCapReached(bytes32 scope, uint40 end);

    uint256 private constant MAX_DEPTH = 3;
    uint256 private constant MAX_CHILDREN = 32;
    uint256 private constant MAX_TARGETS = 32;
    uint256 private constant PUSH_GAS = 120_000;
    uint256 internal constant ALL = type(uint256).max;

    /// @notice Limiter capacity that a trip leaves, in bps.
    uint16 public immutable tripFactorBps;

    /// @notice Dwell of S0 in seconds, as in the targets.
    uint40 public immutable s0Dwell;

    mapping(bytes32 scope => uint256 word) private _words;
    /// @notice Contracts of a scope and of all scopes below it, in the order of the bitmaps.
    mapping(bytes32 scope => address[MAX_TARGETS]) public targets;
    mapping(bytes32 scope => bytes32) public parentOf;
    mapping(bytes32 scope => uint256) private _children;
    /// @inheritdoc IFailSafeController
    mapping(address target => bytes32) public scopeOf;

    constructor(uint16 tripFactorBps_, uint40 s0Dwell_) {
        if (tripFactorBps_ < 2_500 || tripFactorBps_ >= 10_000 || s0Dwell_ == 0 || s0Dwell_ > 24 hours) {
            revert InvalidConfiguration();
        }
        (tripFactorBps, s0Dwell) = (tripFactorBps_, s0Dwell_);
    }

    // ---------------------------------------------------------------- the tree

    /// @notice Adds a scope below `parent`; zero for one that has none.
    function addScope(bytes32 scope, bytes32 parent) external onlyCouncil {
        if (scope == 0) revert UnknownScope(scope);
        if (_words[scope] != 0) revert ScopeTaken(scope);
        if (parent != 0) {
            _load(parent);
            uint256 depth = 1;
            for (bytes32 node = parent; node != 0; node = parentOf[node]) {
                ++depth;
            }
            if (depth > MAX_DEPTH) revert TooDeep(parent);
            if (++_children[parent] > MAX_CHILDREN) revert TooManyChildren(parent);
            parentOf[scope] = parent;
        }
        // The time of creation marks existence, and spares the first trip a fresh slot.
        Scope memory s;
        s.episodeStart = block.timestamp;
        _store(scope, s);
        _prepay(scope);
        emit ScopeAdded(scope, parent);
    }

    /// @notice Puts a contract under a scope and all scopes above it. If they are tight now, `retry` catches it up.
    function enrol(address target, bytes32 scope) external onlyCouncil {
        _load(scope);
        if (target.code.length == 0) revert UnknownTarget(target);
        if (scopeOf[target] != 0) revert TargetTaken(target);
        scopeOf[target] = scope;
        for (bytes32 node = scope; node != 0; node = parentOf[node]) {
            Scope memory s = _load(node);
            if (s.targets == MAX_TARGETS) revert TooManyTargets(node);
            targets[node][s.targets++] = target;
            _store(node, s);
        }
        emit TargetEnrolled(scope, target);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IFailSafeController
    function episodeOf(bytes32 scope) external view returns (Episode memory e) {
        Scope memory s = _load(scope);
        (e.episodeId, e.tripCount, e.epoch) = (s.episodeId, s.tripCount, s.epoch);
        (e.episodeStart, e.tripBlock) = (uint40(s.episodeStart), uint40(s.tripBlock));
        e.incidentBlock = uint40(s.tripBlock - s.incidentBack);
        (e.mode,, e.until) = _now(s);
        if (e.mode != Mode.RECOVERING) return e;
        // Recovery is told by what has ended: S1 begins at `until`, or a whole S0 later when that was a halt.
        uint256 haltEnd = s.episodeStart + s.haltFor;
        bool wholeS0 = s.s0For == s0Dwell && e.until == haltEnd + s0Dwell;
        if (wholeS0) e.until = uint40(haltEnd);
        if (s.stage == 0) e.mode = wholeS0 ? Mode.HALTED : Mode.RESTRICTED;
    }

    /// @inheritdoc IFailSafeController
    function restrictionOf(address target, uint8 class_) external view returns (bool closed, uint40 until) {
        bytes32 node = scopeOf[target];
        if (node == 0) revert UnknownTarget(target);
        for (; node != 0; node = parentOf[node]) {
            Scope memory s = _load(node);
            (Mode mode, uint8 stage, uint40 end) = _now(s);
            // A RESTRICTED after a halt opens nothing that the recovery before it kept closed.
            uint32 mask = mode == Mode.RECOVERING ? Classes.closedIn(stage) : Classes.closable(mode);
            if (mode == Mode.RESTRICTED) mask |= Classes.closedIn(1);
            if ((s.mask & mask) >> class_ & 1 == 0) continue;
            closed = true;
            // A stage has no end of its own.
            if (mode != Mode.RECOVERING && end > until) until = end;
        }
    }

    // ---------------------------------------------------------------- for the controller

    /// @dev Fresh slots are paid for when a scope is added, not when it trips.
    function _prepay(bytes32 scope) internal virtual;

    function _load(bytes32 scope) internal view returns (Scope memory s) {
        uint256 word = _words[scope];
        if (word == 0) revert UnknownScope(scope);
        return ScopeState.unpack(word);
    }

    function _store(bytes32 scope, Scope memory s) internal {
        _words[scope] = s.pack();
    }

    function _now(Scope memory s) internal view returns (Mode mode, uint8 stage, uint40 until) {
        return s.inForce(block.timestamp);
    }

    /// @dev Joins `r` (mask, until, mode, origin) into the targets of a scope and, as far as they granted it, into the scope, whose
    /// episode is open. Every component moves to the tighter side or stays; if all stay, it reverts.
    function _tighten(bytes32 scope, Scope memory s, Restriction memory r, bytes32 reason)
        internal
        returns (uint256 okBitmap)
    {
        if (s.targets == 0) revert EmptyScope(scope);
        uint40 end = uint40(s.episodeStart + FailSafeWord.EPISODE_CAP);
        if (block.timestamp >= end) revert EpisodeCapReached(scope, end);
        if (r.until > end) r.until = end;
        // A WATCH adds nothing to anything tighter.
        if (r.mode == Mode.WATCH && s.flags & ScopeState.TIGHT != 0) revert NothingTightened(scope);
        (r.factorBps, r.episodeId) = (tripFactorBps, s.episodeId);
        Result memory result = _push(scope, s.targets, r, reason, ALL, false);
        okBitmap = result.okBitmap;
        if (okBitmap == 0 || !s.join(r.mode, r.mask, result.until, result.s0)) revert NothingTightened(scope);
        _store(scope, s);
    }

    /// @dev Stores a scope and pushes what it is in now: for everything but a trip.
    function _pushPresent(bytes32 scope, Scope memory s, bytes32 reason, uint256 wanted, bool laggingOnly)
        internal
        returns (uint256 okBitmap)
    {
        _store(scope, s);
        Restriction memory r;
        (r.mode, r.stage, r.until) = _now(s);
        bool live = r.mode != Mode.RECOVERING && r.mode != Mode.NORMAL && r.mode != Mode.EXIT;
        r.mask = live ? s.mask & Classes.closable(r.mode) : s.mask;
        (r.factorBps, r.episodeId) = (tripFactorBps, s.episodeId);
        // The council prolongs what is live; a target that lags has to be closed first, and pays for that itself.
        r.origin = !live || !laggingOnly ? Origin.COUNCIL : s.tripCount == 0 ? Origin.SENSOR : Origin.GUARDIAN;
        return _push(scope, s.targets, r, reason, wanted, laggingOnly).okBitmap;
    }

    /// @dev Calls all targets of a scope with the same data, best effort, without reading anything back.
    function _callAll(bytes32 scope, bytes memory data) internal {
        uint256 count = _load(scope).targets;
        uint256 okBitmap;
        for (uint256 i; i < count; ++i) {
            (bool called,) = _call(targets[scope][i], data);
            if (called) okBitmap |= 1 << i;
        }
        emit Pushed(scope, (1 << count) - 1, okBitmap);
    }

    // ---------------------------------------------------------------- inside

    function _push(bytes32 scope, uint256 count, Restriction memory r, bytes32 reason, uint256 wanted, bool laggingOnly)
        private
        returns (Result memory result)
    {
        bytes memory data = abi.encodeCall(IFailSafe.failsafeArm, (r, reason));
        bool loosens = _loosens(r);
        for (uint256 i; i < count; ++i) {
            if (wanted >> i & 1 == 0) continue;
            address target = targets[scope][i];
            if (loosens && _heldElsewhere(scope, target, FailSafeWord.rank(r.mode, r.stage))) continue;
            if (loosens || laggingOnly) {
                (bool there,,) = _meets(_wordOf(target), r, false);
                if (there) continue;
            }
            result.called |= 1 << i;
            (bool ok, uint40 until, uint256 s0) = _pushTo(target, data, r);
            if (!ok) continue;
            result.okBitmap |= 1 << i;
            if (until > result.until) result.until = until;
            if (s0 > result.s0) result.s0 = s0;
        }
        emit Pushed(scope, result.called, result.okBitmap);
    }

    function _pushTo(address target, bytes memory data, Restriction memory r)
        private
        returns (bool ok, uint40 until, uint256 s0)
    {
        (bool called, uint256 word) = _call(target, data);
        // A target that refused but is already as tight as asked, for as long, is no failure.
        return _meets(called ? FailSafeWord.sound(word) : _wordOf(target), r, called);
    }

    /// @dev Whether `word`, what a target says of itself, is what was asked: as open for a loosening, else as tight, for as long.
    /// @param called whether it took the push: then it may have granted less time, or loosened less, as its own bounds have it
    /// @return ok whether it is
    /// @return until end of what was asked, never later than asked
    /// @return s0 seconds of S0 that follow a halt
    function _meets(uint256 word, Restriction memory r, bool called)
        private
        view
        returns (bool ok, uint40 until, uint256 s0)
    {
        if (_loosens(r)) return (called || (word != 0 && _rank(word) <= FailSafeWord.rank(r.mode, r.stage)), 0, 0);
        Mode mode = FailSafeWord.modeOf(word);
        if (mode == Mode.EXIT) return (true, r.until, 0);
        if (mode != r.mode && _rank(word) < FailSafeWord.rank(r.mode, 0)) return (false, 0, 0);
        // Below a halt or S0 a RESTRICTED waits, and ends later than they do.
        uint256 end = r.mode == Mode.RESTRICTED ? FailSafeWord.restrictedUntilOf(word) : FailSafeWord.untilOf(word);
        until = end < r.until ? uint40(end) : r.until;
        s0 = FailSafeWord.s0LeftOf(word);
        if (s0 > s0Dwell) s0 = s0Dwell;
        ok = r.mask & ~FailSafeWord.maskOf(word) == 0 && (called ? until > block.timestamp : until >= r.until);
    }

    /// @dev What a target says of itself; 0, which no target is, when it does not answer or its answer is no word.
    function _wordOf(address target) private view returns (uint256 word) {
        bytes memory question = abi.encodeCall(IFailSafe.failsafeWord, ());
        (, word,) = BoundedCall.readWithin(BoundedCall.READ_GAS, target, question, 1);
        return FailSafeWord.sound(word);
    }

    function _loosens(Restriction memory r) private pure returns (bool) {
        return r.mode == Mode.NORMAL || r.mode == Mode.RECOVERING;
    }

    function _rank(uint256 word) private pure returns (uint256) {
        return FailSafeWord.rank(FailSafeWord.modeOf(word), FailSafeWord.stageOf(word));
    }

    /// @dev Whether a scope on the target's path other than `scope` holds it tighter.
    function _heldElsewhere(bytes32 scope, address target, uint256 rank) private view returns (bool) {
        for (bytes32 node = scopeOf[target]; node != 0; node = parentOf[node]) {
            if (node == scope) continue;
            (Mode mode, uint8 stage,) = _now(_load(node));
            if (FailSafeWord.rank(mode, stage) > rank) return true;
        }
        return false;
    }

    /// @dev Fixed gas, or {BoundedCall-GasTooLow}; one word of the answer is copied, of which Solidity would copy all.
    function _call(address target, bytes memory data) private returns (bool called, uint256 word) {
        BoundedCall.requireGas(PUSH_GAS + BoundedCall.READ_GAS);
        assembly ("memory-safe") {
            called := call(PUSH_GAS, target, 0, add(data, 32), mload(data), 0, 32)
            if and(called, gt(returndatasize(), 31)) { word := mload(0) }
        }
    }
}
