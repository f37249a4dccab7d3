// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ILedgerCheckpoint} from "../interfaces/ILedgerCheckpoint.sol";

/// @notice Merkle tree over entitlements in which every node carries the sum of what is below it.
/// @dev Problem: a plain Merkle root can promise more than there is. Guarantee: what opens under a root is at most the root's sum,
/// whatever the tree, because sums are unsigned, add up on the way and are part of every hash.
/// Leaf: keccak256(0x00, account, amount i256, deposited u128, withdrawn u128, movedOut u128); its sum is the positive part of
/// the amount. Node: keccak256(0x01, left hash, left sum u128, right hash, right sum u128). A level of odd length ends with the
/// pair (0, 0). Path: sibling hash and sum (48 bytes) per level, leaves first; the index says which sibling is left.
/// Trust: none; that leaves are sorted, complete and true is for the challenges of {AttestedLedger}.
/// Failure modes: typed errors.
library MerkleSum {
    /// @notice One leaf and its way to the root.
    struct Opening {
        uint256 index;
        ILedgerCheckpoint.Entitlement leaf;
        bytes path;
    }

    error PathLength(uint256 got, uint256 want);
    error IndexOutside(uint256 index, uint256 count);
    error SumOverflow(uint256 sum);
    error SumMismatch(uint256 got, uint256 want);
    error RootMismatch(bytes32 got, bytes32 want);

    uint256 private constant STEP = 48;

    /// @notice Levels above the leaves of a tree of `count` leaves.
    function depthOf(uint40 count) internal pure returns (uint256 depth) {
        while (uint256(1) << depth < count) ++depth;
    }

    function hashOf(ILedgerCheckpoint.Entitlement memory leaf) internal pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(bytes1(0x00), leaf.account, leaf.amount, leaf.deposited, leaf.withdrawn, leaf.movedOut)
        );
    }

    /// @notice Reverts unless `opening` leads to (`root`, `sum`) in a tree of `count` leaves.
    function requireOpens(Opening memory opening, bytes32 root, uint256 sum, uint40 count) internal pure {
        uint256 index = opening.index;
        if (index >= count) revert IndexOutside(index, count);
        bytes memory path = opening.path;
        uint256 length = STEP * depthOf(count);
        if (path.length != length) revert PathLength(path.length, length);

        bytes32 hash = hashOf(opening.leaf);
        uint256 below = opening.leaf.amount > 0 ? uint256(opening.leaf.amount) : 0;
        if (below > type(uint128).max) revert SumOverflow(below);
        for (uint256 cursor; cursor < length; cursor += STEP) {
            bytes32 sibling;
            uint256 siblingSum;
            assembly ("memory-safe") {
                sibling := mload(add(add(path, 32), cursor))
                siblingSum := shr(128, mload(add(add(path, 64), cursor)))
            }
            hash = index & 1 == 0 ? _node(hash, below, sibling, siblingSum) : _node(sibling, siblingSum, hash, below);
            below += siblingSum;
            if (below > type(uint128).max) revert SumOverflow(below);
            index >>= 1;
        }
        if (hash != root) revert RootMismatch(hash, root);
        if (below != sum) revert SumMismatch(below, sum);
    }

    /// @dev keccak256(0x01, left, leftSum, right, rightSum) over 97 bytes of free memory.
    function _node(bytes32 left, uint256 leftSum, bytes32 right, uint256 rightSum) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 1)
            mstore(add(free, 1), left)
            mstore(add(free, 33), shl(128, leftSum))
            mstore(add(free, 49), right)
            mstore(add(free, 81), shl(128, rightSum))
            hash := keccak256(free, 97)
        }
    }
}
