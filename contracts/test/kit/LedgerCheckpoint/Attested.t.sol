// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Lock} from "../../../src/kit/Lock.sol";
import {SafeToken} from "../../../src/kit/SafeToken.sol";
import {AttestedLedger} from "../../../src/kit/exit/AttestedLedger.sol";
import {CommittedState} from "../../../src/kit/exit/CommittedState.sol";
import {Credits} from "../../../src/kit/exit/Credits.sol";
import {LedgerCheckpoint} from "../../../src/kit/exit/LedgerCheckpoint.sol";
import {MerkleSum} from "../../../src/kit/exit/MerkleSum.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {AttestedWorld} from "./AttestedWorld.sol";
import {ControllerStub, SumTree} from "./CheckpointWorld.sol";
import {Mpt} from "./Mpt.sol";

/// @notice Takes its credit whenever it can, also from inside its payments.
contract GreedyPoster {
    LedgerCheckpoint private immutable _checkpoint;
    address private immutable _token;
    uint256 public refused;

    constructor(LedgerCheckpoint checkpoint, address token) {
        (_checkpoint, _token) = (checkpoint, token);
    }

    function attest(uint256 id, address asset, bytes32 root, uint128 sum, uint40 count, bytes[] calldata signatures)
        external
    {
        _checkpoint.attest(id, asset, root, sum, count, signatures);
    }

    function collect() external {
        _checkpoint.collect(_token, address(this));
    }

    function onMoved() external {
        try _checkpoint.collect(_token, address(this)) {}
        catch (bytes memory reason) {
            if (bytes4(reason) == Lock.Reentered.selector) ++refused;
        }
    }
}

/// @notice A root becomes final when nobody could fault it, and is claimed from.
contract AttestedTest is AttestedWorld {
    using Mpt for Mpt.Trie;

    function test_ARootBecomesFinalAndIsClaimedFrom() public {
        _attest(_truth);
        vm.expectRevert(abi.encodeWithSelector(LedgerCheckpoint.NothingFinal.selector, _id, ASSET));
        checkpoint.formOf(_id, ASSET);
        vm.warp(block.timestamp + 24 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.PeriodOpen.selector, block.timestamp + 1));
        checkpoint.finalize(_id, ASSET);
        vm.warp(block.timestamp + 1);
        checkpoint.finalize(_id, ASSET);
        yes(checkpoint.formOf(_id, ASSET) == ILedgerCheckpoint.Form.ATTESTED, "form");
        eq(checkpoint.totalOf(_id, ASSET), 2800, "total");
        for (uint256 i; i < _truth.length; ++i) {
            bytes memory proof = abi.encode(_open(_truth, i));
            _same(checkpoint.entitlementOf(_id, ASSET, _truth[i].account, proof), _truth[i]);
        }
        eq(checkpoint.creditOf(address(bondToken), address(this)), BOND, "the bond is returned");
        checkpoint.collect(address(bondToken), address(0xbeef));
        eq(bondToken.balanceOf(address(0xbeef)), BOND, "and paid out");
        eq(bondToken.balanceOf(address(checkpoint)), 0, "nothing stays behind");
    }

    /// @dev Depositors since the checkpoint have no leaf; their neighbours say so.
    function test_AbsenceIsProvenByNeighbours() public {
        _final(_truth);
        address[4] memory strangers = [address(0x999), address(0x1001), address(0x3fff), address(0x7001)];
        MerkleSum.Opening[][4] memory shown =
            [_open(_truth, 0), _open(_truth, 0, 1), _open(_truth, 2, 3), _open(_truth, 6)];
        for (uint256 i; i < 4; ++i) {
            for (uint256 j; j < 4; ++j) {
                if (i != j) vm.expectRevert(abi.encodeWithSelector(AttestedLedger.LeafOrder.selector, strangers[i]));
                ILedgerCheckpoint.Entitlement memory e =
                    checkpoint.entitlementOf(_id, ASSET, strangers[i], abi.encode(shown[j]));
                if (i == j) _same(e, ILedgerCheckpoint.Entitlement(strangers[i], 0, 0, 0, 0));
            }
        }
    }

    function test_AnAccountWithALeafIsNotAbsent() public {
        _final(_truth);
        address account = _truth[3].account;
        MerkleSum.Opening[][5] memory shown =
            [_open(_truth, 2, 4), _open(_truth, 4, 3), _open(_truth, 2, 3), _open(_truth, 0), _none()];
        for (uint256 i; i < shown.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(AttestedLedger.LeafOrder.selector, account));
            checkpoint.entitlementOf(_id, ASSET, account, abi.encode(shown[i]));
        }
    }

    function testFuzz_OnlyTheTreesLeavesAreBelieved(uint256 which, uint64 more, uint256 place, uint8 flip) public {
        vm.assume(more != 0 && flip != 0);
        _final(_truth);
        which %= _truth.length;
        MerkleSum.Opening[] memory shown = _open(_truth, which);
        shown[0].leaf.amount += int256(uint256(more));
        vm.expectPartialRevert(MerkleSum.RootMismatch.selector);
        checkpoint.entitlementOf(_id, ASSET, _truth[which].account, abi.encode(shown));
        shown = _open(_truth, which);
        shown[0].path[place % shown[0].path.length] ^= bytes1(flip);
        try checkpoint.entitlementOf(_id, ASSET, _truth[which].account, abi.encode(shown)) {
            revert NotTrue("a changed path is refused");
        } catch {}
    }

    /// @dev A root of which nobody shows the leaves cannot be challenged. Proving the total needs none of them.
    function test_AProvenTotalEndsAPendingRoot() public {
        _attest(keccak256("nobody knows what is below"), 2800, 7);
        checkpoint.proveTotal(_id, ASSET, _slotProof(_ledger(), TOTAL));
        vm.warp(block.timestamp + 24 hours);
        checkpoint.finalize(_id, ASSET);
        yes(checkpoint.formOf(_id, ASSET) == ILedgerCheckpoint.Form.STATE_PROOF, "form");
        eq(checkpoint.creditOf(address(bondToken), address(this)), BOND, "the bond is returned");
        _same(checkpoint.entitlementOf(_id, ASSET, _truth[0].account, _proof(_truth[0].account)), _truth[0]);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.NothingPending.selector, _id, ASSET));
        checkpoint.finalize(_id, ASSET);
        (bytes32 root, uint256 sum) = SumTree.root(_truth);
        bytes[] memory signatures = _sign(checkpoint, root, sum, 7, 0);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.AlreadyFinal.selector, _id, ASSET));
        checkpoint.attest(_id, ASSET, root, uint128(sum), 7, signatures);
    }

    function test_WhatIsFinalStays() public {
        _final(_truth);
        bytes memory proof = _slotProof(_ledger(), TOTAL);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.AlreadyFinal.selector, _id, ASSET));
        checkpoint.proveTotal(_id, ASSET, proof);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.NothingPending.selector, _id, ASSET));
        checkpoint.finalize(_id, ASSET);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.NothingPending.selector, _id, ASSET));
        checkpoint.challenge(_id, ASSET, AttestedLedger.Fault.SUM, address(0), _none(), proof);
        (bytes32 root, uint256 sum) = SumTree.root(_truth);
        bytes[] memory signatures = _sign(checkpoint, root, sum, 7, 0);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.AlreadyFinal.selector, _id, ASSET));
        checkpoint.attest(_id, ASSET, root, uint128(sum), 7, signatures);
    }

    function test_AttestingNeedsTheGroupTheBondAndAPlace() public {
        (bytes32 root, uint256 sum) = SumTree.root(_truth);
        bytes[] memory signatures = _sign(checkpoint, root, sum, 7, 0);
        bondToken.setFee(1);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.WrongBond.selector, BOND - 1, BOND));
        checkpoint.attest(_id, ASSET, root, uint128(sum), 7, signatures);
        bondToken.setFee(0);
        vm.prank(address(0x9009));
        vm.expectPartialRevert(SafeToken.TransferFailed.selector);
        checkpoint.attest(_id, ASSET, root, uint128(sum), 7, signatures);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.OutOfBounds.selector, 0, 1, type(uint40).max));
        checkpoint.attest(_id, ASSET, root, uint128(sum), 0, signatures);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.OutOfBounds.selector, 7, 1, type(uint40).max));
        checkpoint.attest(_id, ASSET, 0, uint128(sum), 7, signatures);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.UnknownAsset.selector, address(9)));
        checkpoint.attest(_id, address(9), root, uint128(sum), 7, signatures);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.UnknownEntry.selector, _id + 1));
        checkpoint.attest(_id + 1, ASSET, root, uint128(sum), 7, signatures);
        // Every figure is signed.
        vm.expectRevert(abi.encodeWithSelector(ControllerStub.NotSigned.selector));
        checkpoint.attest(_id, ASSET, root, uint128(sum) + 1, 7, signatures);
        vm.expectRevert(abi.encodeWithSelector(ControllerStub.NotSigned.selector));
        checkpoint.attest(_id, ASSET, root, uint128(sum), 8, signatures);
        vm.expectRevert(abi.encodeWithSelector(ControllerStub.NotSigned.selector));
        checkpoint.attest(_id, ASSET, ~root, uint128(sum), 7, signatures);
        checkpoint.attest(_id, ASSET, root, uint128(sum), 7, signatures);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.AlreadyPending.selector, _id, ASSET));
        checkpoint.attest(_id, ASSET, root, uint128(sum), 7, signatures);
    }

    /// @dev A reorg can give an id to another block. What was signed for the one is void for the other.
    function test_SignaturesAreForOneBlock() public {
        checkpoint = _deploy(_ledgers(), 6 hours, BOND, 24 hours);
        eq(_commit(19_999, keccak256("the block that stayed")), _id, "the same id");
        (bytes32 root, uint256 sum) = SumTree.root(_truth);
        bytes[] memory signatures = _signFor(checkpoint, _stateRoot, root, sum, 7, 0);
        vm.expectRevert(abi.encodeWithSelector(ControllerStub.NotSigned.selector));
        checkpoint.attest(_id, ASSET, root, uint128(sum), 7, signatures);
        _attest(_truth);
    }

    function test_CreditIsPaidOnce() public {
        GreedyPoster poster = new GreedyPoster(checkpoint, address(bondToken));
        bondToken.mint(address(poster), BOND);
        (bytes32 root, uint256 sum) = SumTree.root(_truth);
        poster.attest(_id, ASSET, root, uint128(sum), 7, _sign(checkpoint, root, sum, 7, 0));
        eq(poster.refused(), 1, "nothing is collected while a bond is measured");
        // Money of others that it could take.
        bondToken.mint(address(checkpoint), 5 * BOND);
        vm.warp(block.timestamp + 24 hours);
        checkpoint.finalize(_id, ASSET);
        poster.collect();
        eq(bondToken.balanceOf(address(poster)), BOND, "once");
        eq(poster.refused(), 2, "the second call was refused");
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        poster.collect();
    }

    /// @dev Pair counters come from storage in this form too.
    function test_MovesAreProvenFromStorage() public {
        Mpt.Trie memory ledger = _ledger();
        bytes32 slot = _key(ASSET, _key(address(8), _key(address(7), MOVED)));
        ledger.putWord(slot, 77);
        Mpt.Trie memory state = _state(ledger);
        _mineTo(20_600);
        _id = _commit(20_500, state.root());
        checkpoint.proveAccount(_id, LEDGER, _accountProof(state, LEDGER));
        _final(_truth);
        eq(checkpoint.movedAt(_id, ASSET, address(7), address(8), _slotProof(ledger, slot)), 77, "moved");
    }
}
