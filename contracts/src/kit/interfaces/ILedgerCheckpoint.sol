// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice What an exit round, a guarded contract and a claim page ask of the checkpoints.
interface ILedgerCheckpoint {
    /// @notice How entitlements of a round are known.
    /// STATE_PROOF: storage proofs against a header of this chain, no trust. ATTESTED: signed Merkle-sum root that survived its
    /// challenge period. LIVE_SHARES: no checkpoint; share balances at the opening of the round.
    enum Form {
        STATE_PROOF,
        ATTESTED,
        LIVE_SHARES
    }

    /// @notice One committed block. Never overwritten.
    /// @param blockNumber block whose end-of-block state it is
    /// @param blockTime its timestamp
    /// @param committedAt second of the commit
    /// @param committedBlock block of the commit
    /// @param stateRoot state root of the header
    struct Entry {
        uint40 blockNumber;
        uint40 blockTime;
        uint40 committedAt;
        uint40 committedBlock;
        bytes32 stateRoot;
    }

    /// @notice What one account is owed as of a checkpoint, in base units of `asset` (or value units of a system with debt).
    /// @param account owner
    /// @param amount signed entitlement E; negative only with debt
    /// @param deposited flow counters of the account in the checkpoint's block
    /// @param withdrawn see `deposited`
    /// @param movedOut see `deposited`
    struct Entitlement {
        address account;
        int256 amount;
        uint128 deposited;
        uint128 withdrawn;
        uint128 movedOut;
    }

    function entryOf(uint256 id) external view returns (Entry memory);

    /// @notice Entries so far; ids run from 0.
    function entries() external view returns (uint256);

    /// @notice Total entitlement T of `asset` at a checkpoint: the sum of all positive entitlements.
    function totalOf(uint256 id, address asset) external view returns (uint256);

    /// @notice Form of the proofs of `asset` at a checkpoint; reverts when nothing is final.
    function formOf(uint256 id, address asset) external view returns (Form);

    /// @notice Checks `id` as the newest entry that qualifies for the present episode of `scope` and returns it: committed before
    /// the episode's first trip, and of a block at least the age margin older than the incident block.
    /// `type(uint256).max` stands for "no entry qualifies": it is accepted only when that is so (entry 0 does not qualify either,
    /// since entries rise), and returns an empty entry. Nobody can thus pass over the checkpoints that exist.
    function select(bytes32 scope, uint256 id) external view returns (Entry memory);

    /// @notice Verifies a proof of one account's entitlement and returns it. Reverts when the proof is not valid.
    /// @param proof STATE_PROOF: `abi.encode(bytes[] nodes…)`; ATTESTED: Merkle-sum path; see docs/kit.md
    function entitlementOf(uint256 id, address asset, address account, bytes calldata proof)
        external
        view
        returns (Entitlement memory);

    /// @notice Amount that `from` had moved to `to` by the checkpoint's block, proven like an entitlement.
    function movedAt(uint256 id, address asset, address from, address to, bytes calldata proof)
        external
        view
        returns (uint256);
}

/// @notice What an account may still take out in S1..S3, from {EmergencyExit}.
interface IEntitlementLimit {
    /// @notice max(0, net) of the account at the checkpoint selected for the present episode of the caller's scope, with live
    /// counters; 0 for an account that nobody registered.
    /// @param target the guarded contract
    function withdrawable(address target, address asset, address account) external view returns (uint256);
}
