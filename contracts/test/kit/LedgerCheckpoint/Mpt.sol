// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice Writes RLP, for headers and tries that a test makes up.
library RlpWriter {
    function text(bytes memory data) internal pure returns (bytes memory) {
        if (data.length == 1 && uint8(data[0]) < 0x80) return data;
        return bytes.concat(prefix(0x80, data.length), data);
    }

    function integer(uint256 value) internal pure returns (bytes memory) {
        return text(digits(value));
    }

    function list(bytes memory payload) internal pure returns (bytes memory) {
        return bytes.concat(prefix(0xc0, payload.length), payload);
    }

    function prefix(uint256 base, uint256 length) internal pure returns (bytes memory) {
        if (length < 56) return abi.encodePacked(uint8(base + length));
        bytes memory width = digits(length);
        return bytes.concat(abi.encodePacked(uint8(base + 55 + width.length)), width);
    }

    /// @dev Big-endian without leading zeros.
    function digits(uint256 value) internal pure returns (bytes memory data) {
        while (value != 0) {
            data = abi.encodePacked(uint8(value), data);
            value >>= 8;
        }
    }
}

/// @notice A Merkle Patricia trie over 32-byte keys that is built from scratch at every question: slow, plain, and nothing like
/// the reader that it tests.
library Mpt {
    struct Trie {
        bytes32[] keys;
        bytes[] values;
    }

    /// @notice Adds a key that must be new; keys stay sorted.
    function put(Trie memory t, bytes32 key, bytes memory value) internal pure {
        uint256 count = t.keys.length;
        bytes32[] memory keys = new bytes32[](count + 1);
        bytes[] memory values = new bytes[](count + 1);
        uint256 place;
        while (place < count && t.keys[place] < key) ++place;
        for (uint256 i; i <= count; ++i) {
            (keys[i], values[i]) =
                i < place ? (t.keys[i], t.values[i]) : i == place ? (key, value) : (t.keys[i - 1], t.values[i - 1]);
        }
        (t.keys, t.values) = (keys, values);
    }

    /// @notice Adds a storage word; zeros are not stored.
    function putWord(Trie memory t, bytes32 slot, uint256 value) internal pure {
        if (value != 0) put(t, keccak256(abi.encodePacked(slot)), RlpWriter.integer(value));
    }

    function putAccount(Trie memory t, address account, bytes32 storageRoot) internal pure {
        bytes memory fields = bytes.concat(
            RlpWriter.integer(1),
            RlpWriter.integer(2 ether),
            RlpWriter.text(abi.encodePacked(storageRoot)),
            RlpWriter.text(abi.encodePacked(keccak256("code")))
        );
        put(t, keccak256(abi.encodePacked(account)), RlpWriter.list(fields));
    }

    function root(Trie memory t) internal pure returns (bytes32) {
        if (t.keys.length == 0) return keccak256(hex"80");
        return keccak256(node(t, 0, t.keys.length, 0));
    }

    /// @notice Proof of the hashed key, present or not, in the order of `eth_getProof`.
    function proof(Trie memory t, bytes32 key) internal pure returns (bytes[] memory nodes) {
        bytes[] memory found = new bytes[](65);
        uint256 count;
        (uint256 low, uint256 high, uint256 depth) = (0, t.keys.length, 0);
        while (low < high) {
            bytes memory encoded = node(t, low, high, depth);
            if (depth == 0 || encoded.length >= 32) found[count++] = encoded;
            if (high - low == 1) break;
            uint256 shared = common(t.keys[low], t.keys[high - 1], depth);
            if (shared > 0) {
                if (common(t.keys[low], key, depth) < shared) break;
                depth += shared;
                encoded = node(t, low, high, depth);
                if (encoded.length >= 32) found[count++] = encoded;
            }
            (low, high) = child(t, low, high, depth, nibble(key, depth));
            ++depth;
        }
        nodes = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            nodes[i] = found[i];
        }
    }

    /// @notice One pool for several slots: all their nodes, each once.
    function pool(Trie memory t, bytes32[] memory slots) internal pure returns (bytes[] memory nodes) {
        bytes[] memory found = new bytes[](65 * slots.length);
        uint256 count;
        for (uint256 i; i < slots.length; ++i) {
            bytes[] memory one = proof(t, keccak256(abi.encodePacked(slots[i])));
            for (uint256 j; j < one.length; ++j) {
                bool known;
                for (uint256 k; k < count && !known; ++k) {
                    known = keccak256(found[k]) == keccak256(one[j]);
                }
                if (!known) found[count++] = one[j];
            }
        }
        nodes = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            nodes[i] = found[i];
        }
    }

    /// @notice RLP of the node over the keys [low, high), which agree in their first `depth` nibbles.
    function node(Trie memory t, uint256 low, uint256 high, uint256 depth) internal pure returns (bytes memory) {
        if (high - low == 1) {
            bytes memory rest = path(t.keys[low], depth, 64, true);
            return RlpWriter.list(bytes.concat(RlpWriter.text(rest), RlpWriter.text(t.values[low])));
        }
        uint256 shared = common(t.keys[low], t.keys[high - 1], depth);
        if (shared > 0) {
            bytes memory step = path(t.keys[low], depth, depth + shared, false);
            return RlpWriter.list(bytes.concat(RlpWriter.text(step), link(node(t, low, high, depth + shared))));
        }
        bytes memory items;
        for (uint256 n; n < 16; ++n) {
            (uint256 from, uint256 to) = child(t, low, high, depth, n);
            items = bytes.concat(items, from == to ? bytes(hex"80") : link(node(t, from, to, depth + 1)));
        }
        return RlpWriter.list(bytes.concat(items, hex"80"));
    }

    function link(bytes memory encoded) private pure returns (bytes memory) {
        return encoded.length < 32 ? encoded : RlpWriter.text(abi.encodePacked(keccak256(encoded)));
    }

    /// @dev Hex-prefixed nibbles [from, to) of `key`.
    function path(bytes32 key, uint256 from, uint256 to, bool leaf) internal pure returns (bytes memory data) {
        uint256 flag = leaf ? 2 : 0;
        if ((to - from) % 2 == 1) data = abi.encodePacked(uint8((flag + 1) << 4 | nibble(key, from++)));
        else data = abi.encodePacked(uint8(flag << 4));
        for (; from < to; from += 2) {
            data = abi.encodePacked(data, uint8(nibble(key, from) << 4 | nibble(key, from + 1)));
        }
    }

    function child(Trie memory t, uint256 low, uint256 high, uint256 depth, uint256 n)
        private
        pure
        returns (uint256 from, uint256 to)
    {
        from = low;
        while (from < high && nibble(t.keys[from], depth) < n) ++from;
        to = from;
        while (to < high && nibble(t.keys[to], depth) == n) ++to;
    }

    function common(bytes32 a, bytes32 b, uint256 depth) private pure returns (uint256 shared) {
        while (depth + shared < 64 && nibble(a, depth + shared) == nibble(b, depth + shared)) ++shared;
    }

    function nibble(bytes32 key, uint256 depth) internal pure returns (uint256) {
        return uint256(key) >> (252 - 4 * depth) & 15;
    }
}
