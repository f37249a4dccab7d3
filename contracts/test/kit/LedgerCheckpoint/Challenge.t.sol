// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IToken} from "../../../src/kit/SafeToken.sol";
import {AttestedLedger} from "../../../src/kit/exit/AttestedLedger.sol";
import {LedgerCheckpoint} from "../../../src/kit/exit/LedgerCheckpoint.sol";
import {MerkleSum} from "../../../src/kit/exit/MerkleSum.sol";
import {StateProof} from "../../../src/kit/exit/StateProof.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {AttestedWorld} from "./AttestedWorld.sol";
import {ControllerStub, SumTree} from "./CheckpointWorld.sol";
import {Mpt} from "./Mpt.sol";

/// @notice How a system with debt reads its words: equity is balance less debt, and no word holds the sum of what is positive.
contract DebtLedger is LedgerCheckpoint {
    error NoTotal();

    constructor(address controller_, address token, Ledger[] memory ledgers)
        LedgerCheckpoint(
            IFailSafeController(controller_), ledgers, 6 hours, Terms("attesters", 1, 24 hours, IToken(token), 10 ether)
        )
    {}

    function _entitlement(uint256 id, address asset, address account, bytes calldata proof)
        internal
        view
        override
        returns (Entitlement memory e)
    {
        e = super._entitlement(id, asset, account, proof);
        bytes32 slot = _key(account, keccak256("debts"));
        e.amount -= int256(_word(id, ledgerOf[asset].ledger, slot, StateProof.pool(proof)));
    }

    function _total(uint256 id, address asset, bytes calldata proof) internal view override returns (uint256) {
        if (ledgerOf[asset].ledger != address(0)) revert NoTotal();
        return super._total(id, asset, proof);
    }
}

/// @notice A wrong root costs the bond, a right one cannot be challenged.
contract ChallengeTest is AttestedWorld {
    using Mpt for Mpt.Trie;

    address private constant CHALLENGER = address(0xc4a11e);

    /// @dev The challenge takes the bond, the root is gone, and the next attempt needs new signatures.
    function _losesTheBond(
        AttestedLedger.Fault fault,
        address account,
        MerkleSum.Opening[] memory shown,
        bytes memory proof
    ) private {
        (bytes32 root, uint128 sum, uint40 count,,, uint32 attempt) = checkpoint.attestationOf(_id, ASSET);
        uint256 before = checkpoint.creditOf(address(bondToken), CHALLENGER);
        vm.prank(CHALLENGER);
        checkpoint.challenge(_id, ASSET, fault, account, shown, proof);
        eq(checkpoint.creditOf(address(bondToken), CHALLENGER), before + BOND, "the challenger has the bond");
        bytes[] memory signatures = _sign(checkpoint, root, sum, count, attempt);
        vm.expectRevert(abi.encodeWithSelector(ControllerStub.NotSigned.selector));
        checkpoint.attest(_id, ASSET, root, sum, count, signatures);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.NothingPending.selector, _id, ASSET));
        checkpoint.finalize(_id, ASSET);
    }

    function _failsToChallenge(
        AttestedLedger.Fault fault,
        address account,
        MerkleSum.Opening[] memory shown,
        bytes memory proof
    ) private {
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.ChallengeFailed.selector, fault));
        checkpoint.challenge(_id, ASSET, fault, account, shown, proof);
    }

    /// @notice Design review: duplicate, unsorted, omitted and wrong-sum roots lose the bond.
    function test_Regress_Review_DuplicateLeaves() public {
        ILedgerCheckpoint.Entitlement[] memory leaves = _with(_truth[2], 3);
        _attest(leaves);
        _losesTheBond(AttestedLedger.Fault.ORDER, address(0), _open(leaves, 2, 3), "");
        // The same twice, far apart: unsorted somewhere in between as well.
        leaves = _with(_truth[1], 6);
        _attest(leaves);
        _losesTheBond(AttestedLedger.Fault.ORDER, address(0), _open(leaves, 1, 6), "");
        _attest(leaves);
        _losesTheBond(AttestedLedger.Fault.ORDER, address(0), _open(leaves, 5, 6), "");
        // Unsorted.
        leaves = _truth;
        (leaves[4], leaves[5]) = (leaves[5], leaves[4]);
        _attest(leaves);
        _losesTheBond(AttestedLedger.Fault.ORDER, address(0), _open(leaves, 4, 5), "");
        // Omitted: first, in the middle, last.
        for (uint256 i; i < 7; i += 3) {
            leaves = _without(i);
            _attest(leaves);
            address account = _truth[i].account;
            MerkleSum.Opening[] memory shown =
                i == 0 ? _open(leaves, 0) : i == 6 ? _open(leaves, 5) : _open(leaves, 2, 3);
            _losesTheBond(AttestedLedger.Fault.ENTITLEMENT, account, shown, _proof(account));
            // And by its sum, without a look into the tree.
            _attest(leaves);
            _losesTheBond(AttestedLedger.Fault.SUM, address(0), _none(), _slotProof(_ledger(), TOTAL));
        }
        // A sum that the tree does not have.
        (bytes32 root,) = SumTree.root(_truth);
        _attest(root, 2801, 7);
        _losesTheBond(AttestedLedger.Fault.SUM, address(0), _none(), _slotProof(_ledger(), TOTAL));
        // After all that, the right root still gets through.
        _final(_truth);
        eq(checkpoint.totalOf(_id, ASSET), 2800, "total");
        eq(checkpoint.creditOf(address(bondToken), CHALLENGER), 11 * BOND, "eleven bonds");
    }

    function testFuzz_AWrongLeafLosesTheBond(uint256 which, uint8 figure, uint64 change) public {
        vm.assume(change != 0);
        ILedgerCheckpoint.Entitlement[] memory leaves = _truth;
        which %= leaves.length;
        ILedgerCheckpoint.Entitlement memory leaf = leaves[which];
        figure %= 4;
        if (figure == 0) leaf.amount = int256(uint256(leaf.amount) ^ change);
        if (figure == 1) leaf.deposited ^= change;
        if (figure == 2) leaf.withdrawn ^= change;
        if (figure == 3) leaf.movedOut ^= change;
        _attest(leaves);
        _losesTheBond(AttestedLedger.Fault.ENTITLEMENT, leaf.account, _open(leaves, which), _proof(leaf.account));
    }

    /// @dev An account that storage does not know is owed nothing, whatever its leaf says.
    function test_AnInventedAccountLosesTheBond() public {
        ILedgerCheckpoint.Entitlement memory invented = ILedgerCheckpoint.Entitlement(address(0x4001), 5, 0, 0, 0);
        ILedgerCheckpoint.Entitlement[] memory leaves = _with(invented, 4);
        _attest(leaves);
        _losesTheBond(AttestedLedger.Fault.ENTITLEMENT, invented.account, _open(leaves, 4), _proof(invented.account));
    }

    /// @dev A history without a balance is a history too: its counters are the base of what was deposited since.
    function test_AnOmittedHistoryLosesTheBond() public {
        _truth[3].amount = 0;
        Mpt.Trie memory state = _state(_ledger());
        _mineTo(20_600);
        _id = _commit(20_500, state.root());
        checkpoint.proveAccount(_id, LEDGER, _accountProof(state, LEDGER));
        ILedgerCheckpoint.Entitlement[] memory leaves = _without(3);
        _attest(leaves);
        address account = _truth[3].account;
        _losesTheBond(AttestedLedger.Fault.ENTITLEMENT, account, _open(leaves, 2, 3), _proof(account));
    }

    function test_ARightRootCannotBeChallenged() public {
        _attest(_truth);
        for (uint256 i; i < 7; ++i) {
            address account = _truth[i].account;
            _failsToChallenge(AttestedLedger.Fault.ENTITLEMENT, account, _open(_truth, i), _proof(account));
            for (uint256 j; j < 7; ++j) {
                _failsToChallenge(AttestedLedger.Fault.ORDER, account, _open(_truth, i, j), "");
            }
        }
        _failsToChallenge(AttestedLedger.Fault.ORDER, address(0), _open(_truth, 1), "");
        _failsToChallenge(AttestedLedger.Fault.ORDER, address(0), _none(), "");
        _failsToChallenge(AttestedLedger.Fault.SUM, address(0), _none(), _slotProof(_ledger(), TOTAL));
        address stranger = address(0x3fff);
        _failsToChallenge(AttestedLedger.Fault.ENTITLEMENT, stranger, _open(_truth, 2, 3), _proof(stranger));
    }

    /// @dev What is shown has to be in the tree: nobody brings down a root with leaves of his own.
    function test_ChallengesShowTheTreesOwnLeaves() public {
        _attest(_truth);
        ILedgerCheckpoint.Entitlement[] memory own = _with(_truth[2], 3);
        MerkleSum.Opening[] memory shown = _open(own, 2, 3);
        vm.expectPartialRevert(MerkleSum.RootMismatch.selector);
        checkpoint.challenge(_id, ASSET, AttestedLedger.Fault.ORDER, address(0), shown, "");
        address account = _truth[3].account;
        bytes memory proof = _proof(account);
        shown = _open(_without(3), 2, 3);
        vm.expectPartialRevert(MerkleSum.PathLength.selector);
        shown[0].path = bytes.concat(shown[0].path, new bytes(48));
        checkpoint.challenge(_id, ASSET, AttestedLedger.Fault.ENTITLEMENT, account, shown, proof);
        // The neighbours of somebody else.
        shown = _open(_truth, 4, 5);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.LeafOrder.selector, account));
        checkpoint.challenge(_id, ASSET, AttestedLedger.Fault.ENTITLEMENT, account, shown, proof);
    }

    function test_ChallengesEndWithThePeriod() public {
        ILedgerCheckpoint.Entitlement[] memory leaves = _without(0);
        _attest(leaves);
        uint256 end = block.timestamp + 24 hours;
        bytes memory proof = _slotProof(_ledger(), TOTAL);
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.PeriodOver.selector, end));
        checkpoint.challenge(_id, ASSET, AttestedLedger.Fault.SUM, address(0), _none(), proof);
        vm.warp(end - 1);
        checkpoint.challenge(_id, ASSET, AttestedLedger.Fault.SUM, address(0), _none(), proof);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.NothingPending.selector, _id, ASSET));
        checkpoint.challenge(_id, ASSET, AttestedLedger.Fault.SUM, address(0), _none(), proof);
    }

    /// @dev A system with debt: storage knows no total, amounts may be negative, and the root is all there is.
    function test_ALedgerWithDebtOverridesTheReading() public {
        DebtLedger debts = new DebtLedger(address(controller), address(bondToken), _ledgers());
        checkpoint = LedgerCheckpoint(debts);
        Mpt.Trie memory ledger = _ledger();
        ledger.putWord(keccak256(abi.encode(_truth[0].account, keccak256("debts"))), 130);
        Mpt.Trie memory state = _state(ledger);
        _id = _commit(19_999, state.root());
        checkpoint.proveAccount(_id, LEDGER, _accountProof(state, LEDGER));
        bytes memory proof = _slotProof(ledger, TOTAL);
        vm.expectRevert(abi.encodeWithSelector(DebtLedger.NoTotal.selector));
        checkpoint.proveTotal(_id, ASSET, proof);

        // The tree forgets the debt.
        ILedgerCheckpoint.Entitlement[] memory leaves = _truth;
        _attest(leaves);
        bytes32[] memory slots = new bytes32[](4);
        slots[0] = _key(leaves[0].account, BALANCES);
        (slots[1], slots[2]) = (_flowSlot(leaves[0].account), bytes32(uint256(_flowSlot(leaves[0].account)) + 1));
        slots[3] = _key(leaves[0].account, keccak256("debts"));
        proof = abi.encode(ledger.pool(slots));
        _losesTheBond(AttestedLedger.Fault.ENTITLEMENT, leaves[0].account, _open(leaves, 0), proof);

        leaves[0].amount = 100 - 130;
        _attest(leaves);
        _failsToChallenge(AttestedLedger.Fault.ENTITLEMENT, leaves[0].account, _open(leaves, 0), proof);
        vm.warp(block.timestamp + 24 hours);
        checkpoint.finalize(_id, ASSET);
        eq(checkpoint.totalOf(_id, ASSET), 2700, "the sum of what is positive");
        _same(checkpoint.entitlementOf(_id, ASSET, leaves[0].account, abi.encode(_open(leaves, 0))), leaves[0]);
    }
}
