// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Classes} from "../Classes.sol";
import {Mode, Origin, Restriction, TripIntent} from "../Types.sol";
import {IFailSafe} from "../interfaces/IFailSafe.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {Scope, ScopeState} from "./ScopeState.sol";
import {Seats} from "./Seats.sol";
import {Signatures} from "./Signatures.sol";

/// @notice Trips of guardian groups, and the fence that lets each one land once.
/// @dev Problem: several nodes see the same incident, sign the same step and race; a twin that lands later must not prolong, a
/// release must not be undone by what was signed before it, and a poke in between must not make a signed halt stale.
/// Guarantee: one action key per (chain, controller, scope, episode, trip count, step), whoever signs and relays; it is stored before
/// targets are called and is the only single-use mark. An intent fits the episode that it names and the next one, so
/// that nothing but a council release (epoch), its deadline or its twin voids it.
/// Trust: a group's threshold for what it signs, within its mode, its duration and the targets' own budgets.
/// Failure modes: a group lands at most {MAX_TRIPS} trips per episode.
abstract contract Intents is Seats {
    using ScopeState for Scope;

    event Tripped(
        bytes32 indexed scope,
        bytes32 indexed actionKey,
        uint32 indexed episodeId,
        uint8 group,
        Mode mode,
        uint32 mask,
        uint40 until,
        bytes32 reason,
        bytes32 evidence
    );

    event SoftOriginSet(address indexed asker, Origin origin);

    error IntentExpired(uint40 deadline);
    error StaleEpoch(uint32 signed, uint32 present);
    error EpisodeMismatch(uint32 keyEpisode, uint16 tripCount);
    error ActionKeyUsed(bytes32 actionKey);
    error TooManyTrips(uint8 group);
    error ModeNotAllowed(Mode mode);
    error MaskNotAllowed(uint32 mask);
    error DurationOutOfBounds(uint40 duration, uint40 most);
    error IncidentTooEarly(uint256 incidentBlock, uint256 blocksBackMost);

    uint256 private constant MAX_TRIPS = 8;
    uint256 private constant MAX_INTENT_LIFETIME = 7 days;
    bytes32 private constant TRIP_TYPEHASH = keccak256(
        "TripIntent(bytes32 scope,uint8 mode,uint32 mask,uint40 duration,uint40 notAfter,bytes32 reason,bytes32 evidence,bytes32 stepHash,uint32 keyEpisode,uint16 tripCount,uint40 incidentBlock,uint32 epoch,uint40 deadline)"
    );

    /// @dev Keys per episode that cost no fresh slot.
    uint256 private constant PREPAID_KEYS = 4;

    /// @notice Blocks in 24 hours on this chain.
    uint24 public immutable blocksPerDay;

    /// @notice Contracts that may ask as SENSOR or VOUCHER; GUARDIAN for all others.
    mapping(address asker => Origin) public softOrigin;

    /// @dev Keys that landed, by scope and parity of the episode in which they did: 224 bits of the key, 24 of that episode, 8 of
    /// the group. A list ends at the first entry of another episode, so that old ones need no clearing.
    mapping(bytes32 scope => mapping(uint256 parity => uint256[MAX_GROUPS * MAX_TRIPS + 1])) private _keys;

    constructor(uint24 blocksPerDay_) {
        // 7 days of blocks fit the 24 bits of an incident's distance.
        if (blocksPerDay_ == 0 || blocksPerDay_ > type(uint24).max / 7) revert InvalidConfiguration();
        blocksPerDay = blocksPerDay_;
    }

    /// @notice Tightens a scope by a signer that is its group's whole threshold (one key, or a contract that is the group).
    /// @return okBitmap targets that hold it, in the order of {targets}
    function trip(TripIntent calldata i) external nonReentrant returns (uint256 okBitmap) {
        Seat memory seat = _workingSeat(i.scope, msg.sender);
        if (seat.threshold != 1) revert ThresholdNotMet(1, seat.threshold);
        return _trip(i, seat);
    }

    /// @notice Tightens a scope by the signatures of a group, whoever relays them.
    /// @param signatures one per signer, by rising address; see {Signatures-signerOf}
    function tripBySig(TripIntent calldata i, bytes[] calldata signatures)
        external
        nonReentrant
        returns (uint256 okBitmap)
    {
        return _trip(i, _quorum(i.scope, digestOf(i), signatures));
    }

    /// @notice Tightens a scope by a contract that the council lets ask, such as sensors and vouchers: RESTRICTED at most, from the
    /// share of the targets' budgets that is theirs. It does not count as a trip, so that it makes no signed intent stale.
    function softTrip(bytes32 scope, Mode mode, uint32 mask, uint40 duration, bytes32 reason)
        external
        nonReentrant
        returns (uint256 okBitmap)
    {
        Origin origin = softOrigin[msg.sender];
        if (origin == Origin.GUARDIAN) revert NotAuthorized(msg.sender);
        _requireBounds(mode, mask, duration, Mode.RESTRICTED, MAX_TRIP);
        Restriction memory r = _asked(origin, mode, mask, uint40(block.timestamp) + duration);
        return _tighten(scope, _opened(scope), r, reason);
    }

    /// @notice Lets a contract ask as SENSOR or VOUCHER; GUARDIAN takes that away. Council.
    function setSoftOrigin(address asker, Origin origin) external onlyCouncil {
        if (origin == Origin.COUNCIL) revert NotAuthorized(asker);
        softOrigin[asker] = origin;
        emit SoftOriginSet(asker, origin);
    }

    /// @notice What a guardian signs for `i` (EIP-712).
    function digestOf(TripIntent calldata i) public view returns (bytes32) {
        bytes32 typeHash = TRIP_TYPEHASH;
        bytes32 structHash;
        // All fields are words, as EIP-712 wants them; each that could be malformed is read, and so checked, before it counts.
        assembly ("memory-safe") {
            let start := mload(0x40)
            mstore(start, typeHash)
            calldatacopy(add(start, 32), i, 416)
            structHash := keccak256(start, 448)
        }
        return Signatures.typedDigest(NAME_HASH, structHash);
    }

    /// @inheritdoc IFailSafeController
    function requireGroup(bytes32 scope, uint8 group, bytes32 digest, bytes[] calldata signatures) external view {
        Seat memory seat = _quorum(scope, digest, signatures);
        if (seat.group != group + 1) revert GroupOutOfBounds();
        if (seat.maxMode < Mode.RESTRICTED) revert ModeNotAllowed(seat.maxMode);
        _requireTurn(scope, group);
    }

    // ---------------------------------------------------------------- for the controller

    /// @dev The scope, with an episode open.
    function _opened(bytes32 scope) internal view returns (Scope memory s) {
        s = _load(scope);
        (Mode mode,,) = _now(s);
        if (mode == Mode.EXIT) revert ExitTerminal(scope);
        if (mode == Mode.NORMAL) s.open(block.timestamp, block.number);
    }

    /// @dev Moves the incident of an episode to an earlier block, never to a later one.
    function _dateBack(Scope memory s, uint256 incidentBlock, uint256 reach) internal pure returns (bool moved) {
        if (incidentBlock >= s.tripBlock - s.incidentBack) return false;
        if (s.tripBlock - incidentBlock > reach) revert IncidentTooEarly(incidentBlock, reach);
        s.incidentBack = s.tripBlock - incidentBlock;
        return true;
    }

    function _prepay(bytes32 scope) internal override {
        for (uint256 i; i < PREPAID_KEYS; ++i) {
            (_keys[scope][0][i], _keys[scope][1][i]) = (1, 1);
        }
    }

    // ---------------------------------------------------------------- private

    /// @dev Rule 2 of the classes, and what the mode may close: nothing in WATCH, something in the others.
    function _requireBounds(Mode mode, uint32 mask, uint40 duration, Mode maxMode, uint40 maxDuration) private pure {
        if (mode == Mode.NORMAL || mode > maxMode) revert ModeNotAllowed(mode);
        if (mask & Classes.NEVER_RESTRICTED != 0) revert IFailSafe.ClassNeverRestricted(mask);
        bool allowed = mask & ~Classes.closable(mode) == 0 && Classes.consistent(mask) == mask;
        if (!allowed || (mask == 0) != (mode == Mode.WATCH)) revert MaskNotAllowed(mask);
        if (mode != Mode.HALTED && maxDuration > MAX_TRIP) maxDuration = MAX_TRIP;
        if (duration == 0 || duration > maxDuration) revert DurationOutOfBounds(duration, maxDuration);
    }

    function _asked(Origin origin, Mode mode, uint32 mask, uint40 until) private pure returns (Restriction memory r) {
        (r.origin, r.mode, r.mask, r.until) = (origin, mode, mask, until);
    }

    function _trip(TripIntent calldata i, Seat memory seat) private returns (uint256 okBitmap) {
        if (block.timestamp > i.deadline || i.deadline > block.timestamp + MAX_INTENT_LIFETIME) {
            revert IntentExpired(i.deadline);
        }
        if (block.timestamp >= i.notAfter) revert IntentExpired(i.notAfter);
        _requireBounds(i.mode, i.mask, i.duration, seat.maxMode, seat.maxDuration);
        _requireTurn(i.scope, seat.group - 1);
        if (seat.group != 1) emit GroupPromoted(i.scope, seat.group - 1);
        Scope memory s = _opened(i.scope);
        if (i.epoch != s.epoch) revert StaleEpoch(i.epoch, s.epoch);
        if (i.incidentBlock != 0) _dateBack(s, i.incidentBlock, blocksPerDay);
        bytes32 key = _spendKey(i, s, seat.group);
        ++s.tripCount;
        uint40 until = uint40(block.timestamp) + i.duration;
        if (until > i.notAfter) until = i.notAfter;
        okBitmap = _tighten(i.scope, s, _asked(Origin.GUARDIAN, i.mode, i.mask, until), i.reason);
        emit Tripped(i.scope, key, s.episodeId, seat.group - 1, i.mode, i.mask, until, i.reason, i.evidence);
    }

    /// @dev The fence. A key of the present episode can only have landed in it; one of the episode before, in either.
    function _spendKey(TripIntent calldata i, Scope memory s, uint8 group) private returns (bytes32 key) {
        uint256 episode = s.episodeId;
        if (
            i.keyEpisode == 0 || i.keyEpisode > episode || i.keyEpisode + 1 < episode
                || (i.keyEpisode == episode && i.tripCount > s.tripCount)
        ) revert EpisodeMismatch(i.keyEpisode, i.tripCount);
        key = keccak256(abi.encode(block.chainid, address(this), i.scope, i.keyEpisode, i.tripCount, i.stepHash));
        uint256 tag = uint256(key) >> 32;
        uint256 trips;
        uint256 end;
        for (uint256 e = i.keyEpisode; e <= episode; ++e) {
            uint256[MAX_GROUPS * MAX_TRIPS + 1] storage page = _keys[i.scope][e & 1];
            for (end = 0;; ++end) {
                uint256 entry = page[end];
                if (uint24(entry >> 8) != e) break;
                if (entry >> 32 == tag) revert ActionKeyUsed(key);
                if (e == episode && uint8(entry) == group) ++trips;
            }
        }
        if (trips == MAX_TRIPS) revert TooManyTrips(group - 1);
        _keys[i.scope][episode & 1][end] = tag << 32 | episode << 8 | group;
    }
}
