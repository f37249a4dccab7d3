// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {ILedgerCheckpoint} from "../interfaces/ILedgerCheckpoint.sol";
import {AttestedLedger} from "./AttestedLedger.sol";
import {CommittedState} from "./CommittedState.sol";
import {MerkleSum} from "./MerkleSum.sol";

/// @notice What every account was owed before an incident, known by proof: the source of entitlements for exits and recovery.
/// @dev Problem: after an attack the live ledger is the attacker's work, and whoever may choose the checkpoint chooses who is
/// paid. Guarantee: the entry of an episode is a pure function of the entries committed before its first trip. Neither a commit
/// made after the attack, nor shares minted in the last hours before the incident, nor any later commit becomes an entitlement.
/// Trust: the chain; the base slots; the controller for the episode's blocks; the council for ledgers that are described later;
/// for the attested form see {AttestedLedger}. Failure modes: see {CommittedState}; without an entry that is old enough there is
/// no entitlement, and `select` accepts nothing but that answer.
contract LedgerCheckpoint is AttestedLedger {
    error NotCouncil(address caller);
    error NoEpisode(bytes32 scope);
    error CommittedTooLate(uint256 committedBlock, uint256 tripBlock);
    error TooYoung(uint256 blockTime, uint256 incidentTime);
    error NotNewest(uint256 id);
    error NothingFinal(uint256 id, address asset);

    uint40 public constant AGE_MARGIN_MIN = 6 hours;
    uint40 public constant AGE_MARGIN_MAX = 7 days;

    /// @notice Seconds by which an entry's block has to be older than the incident.
    uint40 public immutable ageMargin;

    constructor(IFailSafeController controller_, Ledger[] memory ledgers, uint40 ageMargin_, Terms memory terms)
        CommittedState(ledgers)
        AttestedLedger(controller_, terms)
    {
        if (ageMargin_ < AGE_MARGIN_MIN || ageMargin_ > AGE_MARGIN_MAX) {
            revert OutOfBounds(ageMargin_, AGE_MARGIN_MIN, AGE_MARGIN_MAX);
        }
        ageMargin = ageMargin_;
    }

    /// @notice Describes the ledger of one more asset or share token, as a second-level round needs it. Council; never twice.
    function describe(Ledger calldata ledger) external {
        if (msg.sender != controller.council()) revert NotCouncil(msg.sender);
        _describe(ledger);
    }

    /// @inheritdoc ILedgerCheckpoint
    function select(bytes32 scope, uint256 id) external view returns (Entry memory entry) {
        IFailSafeController.Episode memory e = controller.episodeOf(scope);
        if (e.episodeId == 0) revert NoEpisode(scope);
        uint256 next;
        unchecked {
            // "No entry qualifies" is type(uint256).max: what must not qualify then is entry 0.
            next = id + 1;
        }
        if (next != 0) entry = entryOf(id);
        uint256 time = _incidentTime(e, next == 0 ? 0 : id);
        if (next != 0) {
            if (entry.committedBlock >= e.tripBlock) revert CommittedTooLate(entry.committedBlock, e.tripBlock);
            if (entry.blockTime + ageMargin > time) revert TooYoung(entry.blockTime, time);
        }
        if (next == entries()) return entry;
        Entry memory newer = entryOf(next);
        if (newer.committedBlock < e.tripBlock && newer.blockTime + ageMargin <= time) revert NotNewest(id);
    }

    /// @inheritdoc ILedgerCheckpoint
    /// @param proof STATE_PROOF: `abi.encode(bytes[] nodes)` for the balance and both flow words; ATTESTED:
    /// `abi.encode(MerkleSum.Opening[])` of the leaf, or of the neighbours of an account that has none
    function entitlementOf(uint256 id, address asset, address account, bytes calldata proof)
        external
        view
        returns (Entitlement memory)
    {
        if (formOf(id, asset) == Form.STATE_PROOF) return _entitlement(id, asset, account, proof);
        return _leafOf(attestationOf[id][asset], account, abi.decode(proof, (MerkleSum.Opening[])));
    }

    /// @inheritdoc ILedgerCheckpoint
    function totalOf(uint256 id, address asset) external view returns (uint256) {
        return _final(id, asset).total;
    }

    /// @inheritdoc ILedgerCheckpoint
    function formOf(uint256 id, address asset) public view returns (Form) {
        return _final(id, asset).form;
    }

    function _final(uint256 id, address asset) private view returns (Final memory f) {
        f = _finals[id][asset];
        if (!f.known) revert NothingFinal(id, asset);
    }

    /// @dev A second at which the incident had not happened yet, by measurement: that of the trip, or for an earlier incident
    /// block the time of the newest entry that is not after it. It assumes no block time, and counts only entries committed
    /// before the trip, so that it never changes once the trip has landed.
    function _incidentTime(IFailSafeController.Episode memory episode, uint256 id) private view returns (uint256 time) {
        if (episode.incidentBlock >= episode.tripBlock) return episode.episodeStart;
        // Entries are an hour apart: so many of them span the margin from `id + 1` on, and further ones change no verdict.
        uint256 end = id + 3 + ageMargin / SPACING;
        for (; id < end && id < entries(); ++id) {
            Entry memory entry = entryOf(id);
            if (entry.committedBlock >= episode.tripBlock || entry.blockNumber > episode.incidentBlock) break;
            time = entry.blockTime;
        }
    }
}
