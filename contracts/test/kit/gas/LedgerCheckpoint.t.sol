// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {MerkleSum} from "../../../src/kit/exit/MerkleSum.sol";
import {StateProof} from "../../../src/kit/exit/StateProof.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice One proof of one storage word. Both answer it, so that calldata and dispatch cost the same.
interface IWordProof {
    function word(bytes32 storageRoot, bytes32 slot, bytes calldata proof) external view returns (uint256);
}

contract Ours is IWordProof {
    function word(bytes32 storageRoot, bytes32 slot, bytes calldata proof) external pure returns (uint256) {
        return StateProof.wordOf(storageRoot, slot, StateProof.pool(proof));
    }

    function words(bytes32 storageRoot, bytes32[3] calldata slots, bytes calldata proof)
        external
        pure
        returns (uint256[3] memory values)
    {
        StateProof.Pool memory p = StateProof.pool(proof);
        for (uint256 i; i < 3; ++i) {
            values[i] = StateProof.wordOf(storageRoot, slots[i], p);
        }
    }

    function opens(bytes calldata proof, bytes32 root, uint256 sum, uint40 count) external pure {
        MerkleSum.requireOpens(abi.decode(proof, (MerkleSum.Opening)), root, sum, count);
    }
}

contract OzTrieProof is IWordProof {
    function word(bytes32 storageRoot, bytes32 slot, bytes calldata proof) external pure returns (uint256) {
        bytes memory key = abi.encodePacked(keccak256(abi.encodePacked(slot)));
        bytes memory value = TrieProof.traverse(storageRoot, key, abi.decode(proof, (bytes[])));
        return uint256(keccak256(value));
    }
}

/// @notice Gas of proofs, as a transaction pays it: calldata included.
contract LedgerCheckpointGas is Assert {
    event GasUsed(string operation, uint256 goal, uint256 ours);
    event PeerGasUsed(string operation, string peer, uint256 theirs);

    Ours private _ours;
    OzTrieProof private _oz;

    function setUp() public {
        (_ours, _oz) = (new Ours(), new OzTrieProof());
    }

    function test_Gas_StateProof() public {
        (bytes32 root, bytes32 slot, bytes memory proof) = _fiveNodes();
        bytes memory question = abi.encodeCall(IWordProof.word, (root, slot, proof));
        uint256 ours = _cost(address(_ours), question);
        uint256 theirs = _cost(address(_oz), question);
        emit GasUsed("state proof, 5 nodes", 120_000, ours);
        emit PeerGasUsed("state proof, 5 nodes", "OpenZeppelin 5.7 TrieProof", theirs);
        atMost(ours, 120_000, "state proof, 5 nodes");
        atMost(ours, theirs, "state proof, 5 nodes, against the peer");
    }

    /// @dev What a claim by storage proof has to prove: a balance and two flow words, 5 nodes each, in one pool.
    function test_Gas_StateProofOfAnEntitlement() public {
        string memory json = vm.readFile("test/vectors/state-proof.json");
        string memory prefix = ".entitlements[4].";
        bytes32 account = _word(json, prefix, "account");
        bytes32 flow = _key(_word(json, prefix, "asset"), _key(account, _word(json, prefix, "flows")));
        bytes32[3] memory slots = [_key(account, _word(json, prefix, "balances")), flow, bytes32(uint256(flow) + 1)];
        bytes memory proof = abi.encode(vm.parseJsonBytesArray(json, string.concat(prefix, "proof")));
        uint256 ours =
            _cost(address(_ours), abi.encodeCall(Ours.words, (_word(json, prefix, "storageRoot"), slots, proof)));
        emit GasUsed("state proof of an entitlement, 3 words of 5 nodes", 215_000, ours);
        atMost(ours, 215_000, "state proof of an entitlement");
    }

    function test_Gas_MerkleSumDepth20() public {
        ILedgerCheckpoint.Entitlement memory leaf =
            ILedgerCheckpoint.Entitlement(address(0xa11ce), 1e24, 5e24, 4e24, 1e23);
        bytes memory path;
        (bytes32 hash, uint256 sum) = (MerkleSum.hashOf(leaf), 1e24);
        for (uint256 i; i < 20; ++i) {
            bytes32 sibling = keccak256(abi.encode(i));
            path = abi.encodePacked(path, sibling, uint128(1e24 << i));
            hash = keccak256(abi.encodePacked(hex"01", hash, uint128(sum), sibling, uint128(1e24 << i)));
            sum += 1e24 << i;
        }
        bytes memory proof = abi.encode(MerkleSum.Opening(0, leaf, path));
        uint256 ours = _cost(address(_ours), abi.encodeCall(Ours.opens, (proof, hash, sum, 2 ** 20)));
        emit GasUsed("Merkle-sum opening, depth 20", 60_000, ours);
        atMost(ours, 60_000, "Merkle-sum opening, depth 20");
    }

    function _fiveNodes() private view returns (bytes32 root, bytes32 slot, bytes memory proof) {
        string memory json = vm.readFile("test/vectors/state-proof.json");
        for (uint256 i;; ++i) {
            string memory prefix = string.concat(".words[", vm.toString(i), "].");
            string memory name = vm.parseJsonString(json, string.concat(prefix, "name"));
            if (keccak256(bytes(name)) != keccak256("five nodes")) continue;
            bytes[] memory nodes = vm.parseJsonBytesArray(json, string.concat(prefix, "proof"));
            eq(nodes.length, 5, "nodes");
            return (_word(json, prefix, "storageRoot"), _word(json, prefix, "slot"), abi.encode(nodes));
        }
    }

    function _word(string memory json, string memory prefix, string memory field) private pure returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(prefix, field));
    }

    function _key(bytes32 key, bytes32 base) private pure returns (bytes32) {
        return keccak256(abi.encode(key, base));
    }

    /// @dev The call as a transaction of its own: with `--isolate` forge charges intrinsic gas and calldata itself.
    function _cost(address target, bytes memory question) private returns (uint256 gas) {
        gas = gasleft();
        (bool ok,) = target.call(question);
        gas -= gasleft();
        yes(ok, "the proof is accepted");
    }
}
