// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {LedgerCheckpoint} from "../../../src/kit/exit/LedgerCheckpoint.sol";
import {MerkleSum} from "../../../src/kit/exit/MerkleSum.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {CheckpointWorld, SumTree} from "./CheckpointWorld.sol";
import {Mpt} from "./Mpt.sol";

/// @notice Seven accounts with something to their names, one block committed, its ledger proven, and signers for roots.
abstract contract AttestedWorld is CheckpointWorld {
    using Mpt for Mpt.Trie;

    ILedgerCheckpoint.Entitlement[] internal _truth;
    bytes32 internal _stateRoot;
    uint256 internal _id;

    function setUp() public override {
        super.setUp();
        ILedgerCheckpoint.Entitlement[] memory people = new ILedgerCheckpoint.Entitlement[](7);
        for (uint256 i; i < people.length; ++i) {
            people[i] = ILedgerCheckpoint.Entitlement(
                address(uint160(0x1000 * (i + 1))),
                int256(100 * (i + 1)),
                uint128(150 * (i + 1)),
                uint128(i),
                uint128(2 * i)
            );
            _truth.push(people[i]);
        }
        Mpt.Trie memory state = _state(_storage(people));
        _stateRoot = state.root();
        _id = _commit(19_999, _stateRoot);
        checkpoint.proveAccount(_id, LEDGER, _accountProof(state, LEDGER));
        bondToken.mint(address(this), 100 * BOND);
    }

    function _ledger() internal view returns (Mpt.Trie memory) {
        return _storage(_truth);
    }

    function _sign(LedgerCheckpoint target, bytes32 root, uint256 sum, uint256 count, uint32 attempt)
        internal
        view
        returns (bytes[] memory)
    {
        return _signFor(target, target.entryOf(_id).stateRoot, root, sum, count, attempt);
    }

    function _signFor(
        LedgerCheckpoint target,
        bytes32 stateRoot,
        bytes32 root,
        uint256 sum,
        uint256 count,
        uint32 attempt
    ) internal view returns (bytes[] memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Ripcord LedgerCheckpoint"),
                keccak256("1"),
                block.chainid,
                address(target)
            )
        );
        bytes32 content = keccak256(
            abi.encode(
                keccak256(
                    "Attestation(uint256 id,bytes32 stateRoot,address asset,bytes32 root,uint128 sum,uint40 count,uint32 attempt)"
                ),
                _id,
                stateRoot,
                ASSET,
                root,
                sum,
                count,
                attempt
            )
        );
        return _signDigest(keccak256(abi.encodePacked(hex"1901", domain, content)));
    }

    function _signDigest(bytes32 digest) internal pure returns (bytes[] memory signatures) {
        signatures = new bytes[](2);
        for (uint256 i; i < 2; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(i == 0 ? FIRST_KEY : SECOND_KEY, digest);
            signatures[i] = abi.encode(r, s, v);
        }
    }

    function _attest(bytes32 root, uint256 sum, uint256 count) internal {
        (,,,,, uint32 attempt) = checkpoint.attestationOf(_id, ASSET);
        bytes[] memory signatures = _sign(checkpoint, root, sum, count, attempt);
        checkpoint.attest(_id, ASSET, root, uint128(sum), uint40(count), signatures);
    }

    function _attest(ILedgerCheckpoint.Entitlement[] memory leaves) internal {
        (bytes32 root, uint256 sum) = SumTree.root(leaves);
        _attest(root, sum, leaves.length);
    }

    function _none() internal pure returns (MerkleSum.Opening[] memory) {
        return new MerkleSum.Opening[](0);
    }

    function _open(ILedgerCheckpoint.Entitlement[] memory leaves, uint256 i)
        internal
        pure
        returns (MerkleSum.Opening[] memory shown)
    {
        shown = new MerkleSum.Opening[](1);
        shown[0] = SumTree.open(leaves, i);
    }

    function _open(ILedgerCheckpoint.Entitlement[] memory leaves, uint256 i, uint256 j)
        internal
        pure
        returns (MerkleSum.Opening[] memory shown)
    {
        shown = new MerkleSum.Opening[](2);
        (shown[0], shown[1]) = (SumTree.open(leaves, i), SumTree.open(leaves, j));
    }

    function _proof(address account) internal view returns (bytes memory) {
        return _entitlementProof(_ledger(), account);
    }

    /// @dev The leaves without number `left`.
    function _without(uint256 left) internal view returns (ILedgerCheckpoint.Entitlement[] memory leaves) {
        leaves = new ILedgerCheckpoint.Entitlement[](_truth.length - 1);
        for (uint256 i; i < leaves.length; ++i) {
            leaves[i] = _truth[i < left ? i : i + 1];
        }
    }

    /// @dev The leaves with `extra` at place `place`.
    function _with(ILedgerCheckpoint.Entitlement memory extra, uint256 place)
        internal
        view
        returns (ILedgerCheckpoint.Entitlement[] memory leaves)
    {
        leaves = new ILedgerCheckpoint.Entitlement[](_truth.length + 1);
        for (uint256 i; i < leaves.length; ++i) {
            leaves[i] = i == place ? extra : _truth[i < place ? i : i - 1];
        }
    }

    function _final(ILedgerCheckpoint.Entitlement[] memory leaves) internal {
        _attest(leaves);
        vm.warp(block.timestamp + 24 hours);
        checkpoint.finalize(_id, ASSET);
    }
}
