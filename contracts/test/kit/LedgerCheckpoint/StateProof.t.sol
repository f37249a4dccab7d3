// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {Rlp} from "../../../src/kit/exit/Rlp.sol";
import {StateProof} from "../../../src/kit/exit/StateProof.sol";
import {Assert} from "../../utils/Assert.sol";
import {Mpt, RlpWriter} from "./Mpt.sol";

contract ProofReader {
    function word(bytes32 storageRoot, bytes32 slot, bytes calldata proof) external pure returns (uint256) {
        return StateProof.wordOf(storageRoot, slot, StateProof.pool(proof));
    }

    function words(bytes32 storageRoot, bytes32[] calldata slots, bytes calldata proof)
        external
        pure
        returns (uint256[] memory values)
    {
        StateProof.Pool memory p = StateProof.pool(proof);
        values = new uint256[](slots.length);
        for (uint256 i; i < slots.length; ++i) {
            values[i] = StateProof.wordOf(storageRoot, slots[i], p);
        }
    }

    function account(bytes32 stateRoot, address who, bytes calldata proof) external pure returns (bytes32) {
        return StateProof.storageRootOf(stateRoot, who, StateProof.pool(proof));
    }
}

contract PeerReader {
    function value(bytes32 root, bytes32 key, bytes[] memory nodes) external pure returns (bytes memory) {
        return TrieProof.traverse(root, abi.encodePacked(key), nodes);
    }
}

/// @notice What a proof says is what the trie holds, and no other bytes say anything.
contract StateProofTest is Assert {
    using Mpt for Mpt.Trie;

    struct Case {
        string name;
        bytes32 root;
        bytes32 slot;
        uint256 value;
        bytes[] nodes;
    }

    ProofReader private immutable _reader = new ProofReader();
    Case[] private _words;

    function setUp() public {
        string memory json = _vectors();
        for (uint256 i; _more(json, "words", i); ++i) {
            Case storage c = _words.push();
            c.name = vm.parseJsonString(json, _at("words", i, "name"));
            c.root = _word(json, "words", i, "storageRoot");
            c.slot = _word(json, "words", i, "slot");
            c.value = uint256(_word(json, "words", i, "value"));
            c.nodes = vm.parseJsonBytesArray(json, _at("words", i, "proof"));
        }
    }

    function _vectors() private view returns (string memory) {
        return vm.readFile("test/vectors/state-proof.json");
    }

    function _at(string memory kind, uint256 i, string memory field) private pure returns (string memory) {
        return string.concat(".", kind, "[", vm.toString(i), "].", field);
    }

    function _word(string memory json, string memory kind, uint256 i, string memory field)
        private
        pure
        returns (bytes32)
    {
        return vm.parseJsonBytes32(json, _at(kind, i, field));
    }

    function _more(string memory json, string memory kind, uint256 i) private view returns (bool) {
        return vm.keyExistsJson(json, _at(kind, i, "name"));
    }

    function test_VectorsOfWords() public view {
        for (uint256 i; i < _words.length; ++i) {
            Case memory c = _words[i];
            eq(_reader.word(c.root, c.slot, abi.encode(c.nodes)), c.value, c.name);
        }
        atLeast(_words.length, 20, "words in the file");
    }

    function test_VectorsOfAccounts() public view {
        string memory json = _vectors();
        uint256 i;
        for (; _more(json, "accounts", i); ++i) {
            bytes32 got = _reader.account(
                _word(json, "accounts", i, "stateRoot"),
                address(uint160(uint256(_word(json, "accounts", i, "account")))),
                abi.encode(vm.parseJsonBytesArray(json, _at("accounts", i, "proof")))
            );
            string memory name = vm.parseJsonString(json, _at("accounts", i, "name"));
            eq(uint256(got), uint256(_word(json, "accounts", i, "storageRoot")), name);
        }
        atLeast(i, 5, "accounts in the file");
    }

    function test_VectorsOfPools() public view {
        string memory json = _vectors();
        uint256 i;
        for (; _more(json, "pools", i); ++i) {
            bytes32[] memory values = vm.parseJsonBytes32Array(json, _at("pools", i, "values"));
            uint256[] memory got = _reader.words(
                _word(json, "pools", i, "storageRoot"),
                vm.parseJsonBytes32Array(json, _at("pools", i, "slots")),
                abi.encode(vm.parseJsonBytesArray(json, _at("pools", i, "proof")))
            );
            for (uint256 j; j < values.length; ++j) {
                eq(got[j], uint256(values[j]), vm.parseJsonString(json, _at("pools", i, "name")));
            }
        }
        atLeast(i, 1, "pools in the file");
    }

    /// @dev Every byte of every node of the vectors is under a hash that leads to the root.
    function testFuzz_NoByteOfAProofCanChange(uint256 which, uint256 node, uint256 place, uint8 flip) public view {
        Case memory c = _words[which % _words.length];
        vm.assume(c.nodes.length != 0 && flip != 0);
        bytes memory changed = c.nodes[node % c.nodes.length];
        changed[place % changed.length] ^= bytes1(flip);
        _refused(c.root, c.slot, c.nodes);
    }

    function _refused(bytes32 root, bytes32 slot, bytes[] memory nodes) private view {
        try _reader.word(root, slot, abi.encode(nodes)) {
            revert NotTrue("a changed proof is refused");
        } catch (bytes memory reason) {
            yes(bytes4(reason) == StateProof.NodeMissing.selector, "because a node is missing");
        }
    }

    function _random(uint256 seed, uint256 count) private pure returns (Mpt.Trie memory t) {
        for (uint256 i; i < count; ++i) {
            uint256 value = uint256(keccak256(abi.encode(seed, "value", i)));
            t.putWord(bytes32(i), (value >> (value % 256)) | 1);
        }
    }

    function _valueAt(Mpt.Trie memory t, bytes32 slot) private pure returns (uint256) {
        for (uint256 i; i < t.keys.length; ++i) {
            if (t.keys[i] != keccak256(abi.encodePacked(slot))) continue;
            uint256 value;
            bytes memory encoded = t.values[i];
            for (uint256 j = encoded.length == 1 ? 0 : 1; j < encoded.length; ++j) {
                value = value << 8 | uint8(encoded[j]);
            }
            return value;
        }
        return 0;
    }

    function testFuzz_RandomTries(uint256 seed, uint8 size, uint8 asked) public view {
        Mpt.Trie memory t = _random(seed, size % 24);
        bytes32 slot = bytes32(uint256(asked % 32));
        bytes[] memory nodes = t.proof(keccak256(abi.encodePacked(slot)));
        eq(_reader.word(t.root(), slot, abi.encode(nodes)), _valueAt(t, slot), "value, or zero when absent");
    }

    function testFuzz_AgreesWithOpenZeppelin(uint256 seed, uint8 size, uint8 asked) public {
        Mpt.Trie memory t = _random(seed, 1 + size % 23);
        bytes32 slot = bytes32(uint256(asked % t.keys.length));
        bytes32 key = keccak256(abi.encodePacked(slot));
        bytes[] memory nodes = t.proof(key);
        uint256 ours = _reader.word(t.root(), slot, abi.encode(nodes));
        bytes memory theirs = new PeerReader().value(t.root(), key, nodes);
        yes(keccak256(theirs) == keccak256(RlpWriter.integer(ours)), "the same value");
    }

    function testFuzz_NoByteOfARandomProofCanChange(uint256 seed, uint8 size, uint8 asked, uint256 place, uint8 flip)
        public
        view
    {
        vm.assume(flip != 0);
        Mpt.Trie memory t = _random(seed, 1 + size % 23);
        bytes32 slot = bytes32(uint256(asked % 32));
        bytes[] memory nodes = t.proof(keccak256(abi.encodePacked(slot)));
        bytes memory changed = nodes[place % nodes.length];
        changed[(place >> 128) % changed.length] ^= bytes1(flip);
        _refused(t.root(), slot, nodes);
    }

    function testFuzz_NoNodeCanBeLeftOut(uint256 seed, uint8 size, uint8 asked, uint256 left) public {
        Mpt.Trie memory t = _random(seed, 1 + size % 23);
        bytes32 slot = bytes32(uint256(asked % 32));
        bytes[] memory nodes = t.proof(keccak256(abi.encodePacked(slot)));
        left %= nodes.length;
        bytes32 missing = keccak256(nodes[left]);
        nodes[left] = "";
        vm.expectRevert(abi.encodeWithSelector(StateProof.NodeMissing.selector, missing));
        _reader.word(t.root(), slot, abi.encode(nodes));
    }

    /// @dev The pool's order is the prover's affair, and so are nodes that nobody needs.
    function testFuzz_APoolServesAllItsSlotsInAnyOrder(uint256 seed, uint8 size) public view {
        Mpt.Trie memory t = _random(seed, 2 + size % 12);
        bytes32[] memory slots = new bytes32[](6);
        for (uint256 i; i < slots.length; ++i) {
            slots[i] = bytes32(3 * i);
        }
        bytes[] memory nodes = t.pool(slots);
        for (uint256 i = nodes.length; i > 1; --i) {
            uint256 j = uint256(keccak256(abi.encode(seed, i))) % i;
            (nodes[i - 1], nodes[j]) = (nodes[j], nodes[i - 1]);
        }
        uint256[] memory got = _reader.words(t.root(), slots, abi.encode(nodes));
        for (uint256 i; i < slots.length; ++i) {
            eq(got[i], _valueAt(t, slots[i]), "value from a shuffled pool");
        }
    }

    function test_AnAccountIsReadOutOfItsList() public {
        Mpt.Trie memory t;
        t.putAccount(address(1), bytes32(uint256(11)));
        t.putAccount(address(2), bytes32(uint256(22)));
        bytes32 key = keccak256(abi.encodePacked(address(2)));
        eq(uint256(_reader.account(t.root(), address(2), abi.encode(t.proof(key)))), 22, "storage root");
        vm.expectPartialRevert(StateProof.NodeMissing.selector);
        _reader.account(t.root(), address(2), abi.encode(t.proof(keccak256(abi.encodePacked(address(1))))));
    }

    function test_AMissingNodeIsNoZero() public {
        vm.expectRevert(abi.encodeWithSelector(StateProof.NodeMissing.selector, bytes32(uint256(1))));
        _reader.word(bytes32(uint256(1)), 0, abi.encode(new bytes[](0)));
    }

    /// @dev A trie of this chain has no such nodes, but the reader must not need that to be safe.
    function _refusesNode(bytes memory node, bytes4 selector) private {
        bytes[] memory nodes = new bytes[](1);
        nodes[0] = node;
        vm.expectPartialRevert(selector);
        _reader.word(keccak256(node), 0, abi.encode(nodes));
    }

    function _pair(bytes memory path, bytes memory second) private pure returns (bytes memory) {
        return RlpWriter.list(bytes.concat(RlpWriter.text(path), second));
    }

    function _branch(uint256 items, bytes memory each) private pure returns (bytes memory) {
        bytes memory payload;
        for (uint256 i; i < items; ++i) {
            payload = bytes.concat(payload, each);
        }
        return RlpWriter.list(payload);
    }

    function test_RefusesNodesOfAnotherShape() public {
        _refusesNode(RlpWriter.text(new bytes(40)), Rlp.RlpUnexpectedItem.selector);
        _refusesNode(_branch(16, hex"80"), Rlp.RlpTruncated.selector);
        _refusesNode(_branch(18, hex"80"), StateProof.NodeMalformed.selector);
        _refusesNode(RlpWriter.list(""), Rlp.RlpTruncated.selector);
        _refusesNode(_branch(1, hex"80"), Rlp.RlpTruncated.selector);
        _refusesNode(_branch(3, hex"80"), Rlp.RlpTruncated.selector);
        _refusesNode(bytes.concat(_branch(17, hex"80"), hex"00"), Rlp.RlpUnexpectedItem.selector);
        // The last item is a hash that reaches past the list.
        _refusesNode(RlpWriter.list(hex"8080808080808080808080808080808080a0"), StateProof.NodeMalformed.selector);
    }

    function test_RefusesChildrenThatAreNeitherHashNorNode() public {
        _refusesNode(_branch(17, hex"05"), StateProof.NodeMalformed.selector);
        _refusesNode(_branch(17, hex"820102"), StateProof.NodeMalformed.selector);
        _refusesNode(_branch(17, hex"c0"), StateProof.NodeMalformed.selector);
        // A whole leaf in its parent's place, although it is longer than a hash.
        bytes memory leaf = _pair(Mpt.path(keccak256(abi.encodePacked(bytes32(0))), 1, 64, true), hex"01");
        _refusesNode(_branch(17, leaf), StateProof.NodeMalformed.selector);
        _refusesNode(_branch(17, RlpWriter.text(new bytes(33))), StateProof.NodeMalformed.selector);
    }

    function test_RefusesPathsThatDoNotFitTheKey() public {
        bytes32 key = keccak256(abi.encodePacked(bytes32(0)));
        bytes memory one = hex"01";
        // Leaves: one nibble short of the key, one too many, none.
        _refusesNode(_pair(Mpt.path(key, 1, 64, true), one), StateProof.NodeMalformed.selector);
        _refusesNode(_pair(bytes.concat(hex"30", key, hex"00"), one), Rlp.RlpUnexpectedItem.selector);
        _refusesNode(_pair(bytes.concat(hex"30", key), one), StateProof.NodeMalformed.selector);
        _refusesNode(_pair("", one), Rlp.RlpUnexpectedItem.selector);
        // Flags: unknown ones, and a half byte that ought to be zero.
        _refusesNode(_pair(bytes.concat(hex"40", key), one), StateProof.NodeMalformed.selector);
        _refusesNode(_pair(bytes.concat(hex"21", key), one), StateProof.NodeMalformed.selector);
        // Extensions: of no nibble, and over the whole key.
        bytes memory child = RlpWriter.text(abi.encodePacked(key));
        _refusesNode(_pair(hex"00", child), StateProof.NodeMalformed.selector);
        _refusesNode(_pair(Mpt.path(key, 0, 64, false), child), StateProof.NodeMalformed.selector);
        _refusesNode(_pair(Mpt.path(key, 0, 3, false), hex"80"), StateProof.NodeMalformed.selector);
    }

    /// @dev The branches above it have used up the key.
    function test_RefusesABranchBelowTheKey() public {
        bytes32 key = keccak256(abi.encodePacked(bytes32(0)));
        bytes[] memory nodes = new bytes[](3);
        nodes[2] = _branch(17, hex"80");
        nodes[1] = _branch(17, RlpWriter.text(abi.encodePacked(keccak256(nodes[2]))));
        nodes[0] = _pair(Mpt.path(key, 0, 63, false), RlpWriter.text(abi.encodePacked(keccak256(nodes[1]))));
        vm.expectPartialRevert(StateProof.NodeMalformed.selector);
        _reader.word(keccak256(nodes[0]), 0, abi.encode(nodes));
    }

    function test_RefusesValuesInAnotherForm() public {
        bytes memory path = Mpt.path(keccak256(abi.encodePacked(bytes32(0))), 0, 64, true);
        _refusesNode(_pair(path, hex"80"), Rlp.RlpUnexpectedItem.selector);
        _refusesNode(_pair(path, hex"c101"), Rlp.RlpUnexpectedItem.selector);
        _refusesNode(_pair(path, RlpWriter.text(hex"80")), StateProof.ZeroStored.selector);
        _refusesNode(_pair(path, RlpWriter.text(hex"00")), Rlp.RlpNotCanonical.selector);
        _refusesNode(_pair(path, RlpWriter.text(hex"8105")), Rlp.RlpNotCanonical.selector);
        _refusesNode(_pair(path, RlpWriter.text(hex"820080")), Rlp.RlpNotCanonical.selector);
        _refusesNode(_pair(path, RlpWriter.text(hex"0505")), StateProof.NodeMalformed.selector);
        _refusesNode(_pair(path, RlpWriter.text(hex"c105")), Rlp.RlpUnexpectedItem.selector);
        _refusesNode(
            _pair(path, RlpWriter.text(abi.encodePacked(hex"a1", uint8(1), uint256(0)))), Rlp.RlpUnexpectedItem.selector
        );
    }

    /// @dev No bytes that anybody hands over make the reader return for a root that it cannot know.
    function testFuzz_GarbageIsRefused(bytes memory garbage, bytes32 root) public view {
        vm.assume(root != keccak256(hex"80"));
        try _reader.word(root, 0, garbage) {
            revert NotTrue("garbage is refused");
        } catch {}
        bytes[] memory nodes = new bytes[](1);
        nodes[0] = garbage;
        vm.assume(keccak256(garbage) != root);
        try _reader.word(root, 0, abi.encode(nodes)) {
            revert NotTrue("garbage is refused");
        } catch {}
    }
}
