// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Rlp} from "./Rlp.sol";

/// @notice Reads accounts and storage words out of Merkle Patricia proofs (`eth_getProof`).
/// @dev Problem: entitlements as of a block are facts of its state trie; whoever presents them must not be able to bend them.
/// Guarantee: every node that is read has the hash by which its parent names it, up to the given root. Absence is proven like
/// presence: a walk that ends in an empty branch slot or in a path that leaves the key. A missing node is an error, never a zero.
/// The nodes are a pool, in any order: proofs of several keys share the nodes that they have in common.
/// Trust: the root. Failure modes: typed errors. Source: Ethereum yellow paper, appendix D; keys are hashed, hence all of
/// 64 nibbles, so that no key ends inside a branch.
library StateProof {
    /// @notice Nodes of one or more proofs, each with its hash and its place in calldata.
    struct Pool {
        bytes32[] hashes;
        uint256[] cursors;
        uint256[] ends;
    }

    error NodeMissing(bytes32 hash);
    error NodeMalformed(uint256 cursor);
    error ZeroStored(bytes32 slot);

    /// @notice Root of a trie without a key: keccak256 of the RLP of the empty string.
    bytes32 internal constant EMPTY_ROOT = 0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421;

    uint256 private constant KEY_NIBBLES = 64;
    uint256 private constant BRANCH_ITEMS = 17;

    /// @notice Hashes the nodes of `proof`, which is `abi.encode(bytes[])`, once for all keys that are read from them.
    function pool(bytes calldata proof) internal pure returns (Pool memory p) {
        bytes[] calldata nodes;
        // Read in place: each access is bounded by the calldata, and what it finds is checked by hash.
        assembly ("memory-safe") {
            let array := add(proof.offset, calldataload(proof.offset))
            nodes.offset := add(array, 32)
            nodes.length := calldataload(array)
        }
        uint256 count = nodes.length;
        p = Pool(new bytes32[](count), new uint256[](count), new uint256[](count));
        for (uint256 i; i < count; ++i) {
            bytes calldata node = nodes[i];
            p.hashes[i] = keccak256(node);
            (p.cursors[i], p.ends[i]) = Rlp.span(node);
        }
    }

    /// @notice Storage root of `account` under `stateRoot`; zero when the account is proven absent.
    function storageRootOf(bytes32 stateRoot, address account, Pool memory p) internal pure returns (bytes32) {
        (uint256 cursor, uint256 end) = _find(stateRoot, keccak256(abi.encodePacked(account)), p);
        if (end == 0) return 0;
        // An account is the list of nonce, balance, storage root and code hash.
        cursor = Rlp.skip(Rlp.skip(Rlp.enter(cursor, end), end), end);
        return Rlp.hash(cursor, end);
    }

    /// @notice Value of `slot` under `storageRoot`; zero when the slot is proven absent.
    function wordOf(bytes32 storageRoot, bytes32 slot, Pool memory p) internal pure returns (uint256 value) {
        (uint256 cursor, uint256 end) = _find(storageRoot, keccak256(abi.encodePacked(slot)), p);
        if (end == 0) return 0;
        if (Rlp.skip(cursor, end) != end) revert NodeMalformed(cursor);
        value = Rlp.integer(cursor, end);
        // The trie deletes what becomes zero, so a stored zero belongs to no chain.
        if (value == 0) revert ZeroStored(slot);
    }

    /// @dev Walks from `root` along `key`. The value lies at [cursor, end); both are zero when the key is proven absent.
    function _find(bytes32 root, bytes32 key, Pool memory p) private pure returns (uint256 cursor, uint256 end) {
        if (root == EMPTY_ROOT) return (0, 0);
        uint256 next;
        (cursor, end, next) = _node(root, p, 0);
        uint256 depth;
        bool leaf;
        while (true) {
            (cursor, depth, leaf) = _descend(cursor, end, uint256(key), depth);
            if (cursor == 0) return (0, 0);
            if (leaf) {
                (cursor,) = Rlp.text(cursor, end, 1, type(uint64).max);
                return (cursor, end);
            }
            // A node below is named by its hash, or stands in its parent when it is shorter than a hash.
            uint256 prefix = Rlp.byteAt(cursor);
            if (prefix == 0xa0) (cursor, end, next) = _node(bytes32(Rlp.wordAt(cursor + 1)), p, next);
            else if (prefix > 0xc0 && prefix < 0xdf) end = cursor + 1 + (prefix - 0xc0);
            else revert NodeMalformed(cursor);
        }
    }

    /// @dev One step: where the reference to the child for `key` (in a leaf: the value) lies in the node at [cursor, end), zero
    /// when the node proves the key absent, and how many nibbles of the key are used up by then.
    function _descend(uint256 cursor, uint256 end, uint256 key, uint256 depth)
        private
        pure
        returns (uint256 child, uint256, bool leaf)
    {
        unchecked {
            uint256 first = Rlp.enter(cursor, end);
            uint256 second = _skip(first, end, 1);
            // Two items that fill the node are an extension or a leaf, 17 are a branch, all else is none.
            if (_skip(second, end, 1) == end) {
                bool same;
                (same, depth, leaf) = _comparePath(first, end, key, depth);
                return (same ? second : 0, depth, leaf);
            }
            uint256 nibble = key << (4 * depth) >> 252;
            child = _skip(first, end, nibble);
            if (depth == KEY_NIBBLES || _skip(child, end, BRANCH_ITEMS - nibble) != end) revert NodeMalformed(cursor);
            return (Rlp.byteAt(child) == 0x80 ? 0 : child, depth + 1, false);
        }
    }

    /// @dev Passes over `items` items. What reaches past `end` fails there or is found by the caller.
    function _skip(uint256 cursor, uint256 end, uint256 items) private pure returns (uint256) {
        unchecked {
            for (; items != 0; --items) {
                // Empty slots and hashes, by far the most, need no more than their length.
                uint256 prefix = Rlp.byteAt(cursor);
                if (prefix == 0x80) ++cursor;
                else if (prefix == 0xa0) cursor += 33;
                else cursor = Rlp.skip(cursor, end);
            }
            return cursor;
        }
    }

    /// @dev Compares the hex-prefixed path at `cursor` with what is left of the key. A path that does not fit the key's length
    /// is malformed: a leaf ends with the key, and below an extension there is at least one more nibble.
    function _comparePath(uint256 cursor, uint256 end, uint256 key, uint256 depth)
        private
        pure
        returns (bool same, uint256 reached, bool leaf)
    {
        unchecked {
            (uint256 start, uint256 length) = Rlp.text(cursor, end, 1, 33);
            uint256 flags = Rlp.byteAt(start);
            uint256 odd = flags >> 4 & 1;
            leaf = flags >= 0x20;
            uint256 nibbles = 2 * (length - 1) + odd;
            reached = depth + nibbles;
            bool fits = leaf ? reached == KEY_NIBBLES : nibbles != 0 && reached < KEY_NIBBLES;
            if (flags > 0x3f || (odd == 0 && flags & 0x0f != 0) || !fits) revert NodeMalformed(cursor);
            uint256 path = Rlp.wordAt(start + 1 - odd) << (4 * odd);
            same = (path ^ key << (4 * depth)) >> (256 - 4 * nibbles) == 0;
        }
    }

    /// @dev Finds a node by its hash. The search begins at `from`, because a proof lists a child after its parent, and wraps
    /// around, because a shared node may stand anywhere.
    function _node(bytes32 hash, Pool memory p, uint256 from) private pure returns (uint256, uint256, uint256) {
        uint256 count = p.hashes.length;
        for (uint256 i = from; i < from + count; ++i) {
            uint256 place = i < count ? i : i - count;
            if (p.hashes[place] == hash) return (p.cursors[place], p.ends[place], place + 1);
        }
        revert NodeMissing(hash);
    }
}
