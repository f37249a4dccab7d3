// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AttestedLedger} from "../../../src/kit/exit/AttestedLedger.sol";
import {CommittedState} from "../../../src/kit/exit/CommittedState.sol";
import {Credits} from "../../../src/kit/exit/Credits.sol";
import {LedgerCheckpoint} from "../../../src/kit/exit/LedgerCheckpoint.sol";
import {StateProof} from "../../../src/kit/exit/StateProof.sol";
import {IFlowCounters} from "../../../src/kit/interfaces/IFailSafe.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {CheckpointWorld} from "./CheckpointWorld.sol";
import {Mpt} from "./Mpt.sol";

/// @notice A ledger as a compiler lays it out, to hold the hashing of slots against.
contract LaidOut {
    uint256 private _zero;
    uint256 private _one;
    uint256 public total;
    mapping(address account => uint256) public balances;
    mapping(address account => mapping(address asset => IFlowCounters.Flow)) public flows;
    mapping(address from => mapping(address to => mapping(address asset => uint256))) public moved;

    function set(ILedgerCheckpoint.Entitlement calldata e, address asset, address to, uint256 amount) external {
        total += uint256(e.amount);
        balances[e.account] = uint256(e.amount);
        flows[e.account][asset] = IFlowCounters.Flow(e.deposited, e.withdrawn, e.movedOut);
        moved[e.account][to][asset] = amount;
    }
}

/// @notice What storage says that an account is owed, read by proof.
contract EntitlementTest is CheckpointWorld {
    using Mpt for Mpt.Trie;

    /// @dev Commits a block with these entitlements and proves the ledger.
    function _publish(Mpt.Trie memory ledger) private returns (uint256 id) {
        Mpt.Trie memory state = _state(ledger);
        id = _commit(block.number - 1, state.root());
        checkpoint.proveAccount(id, LEDGER, _accountProof(state, LEDGER));
    }

    function testFuzz_EntitlementsAreWhatStorageHolds(uint256 seed, uint8 size) public {
        ILedgerCheckpoint.Entitlement[] memory people = _people(seed, size % 6);
        Mpt.Trie memory ledger = _storage(people);
        uint256 id = _publish(ledger);
        uint256 total;
        checkpoint.proveTotal(id, ASSET, _slotProof(ledger, TOTAL));
        for (uint256 i; i < people.length; ++i) {
            address account = people[i].account;
            _same(checkpoint.entitlementOf(id, ASSET, account, _entitlementProof(ledger, account)), people[i]);
            total += uint256(people[i].amount);
        }
        eq(checkpoint.totalOf(id, ASSET), total, "total");
        yes(checkpoint.formOf(id, ASSET) == ILedgerCheckpoint.Form.STATE_PROOF, "form");
        address stranger = address(0x57a9e);
        _same(
            checkpoint.entitlementOf(id, ASSET, stranger, _entitlementProof(ledger, stranger)),
            ILedgerCheckpoint.Entitlement(stranger, 0, 0, 0, 0)
        );
    }

    /// @dev The daemon's prover and this reader agree, from header to figures.
    function test_Vectors() public {
        string memory json = vm.readFile("test/vectors/state-proof.json");
        uint256 i;
        for (;; ++i) {
            string memory prefix = string.concat(".entitlements[", vm.toString(i), "].");
            if (!vm.keyExistsJson(json, string.concat(prefix, "name"))) break;
            _checkVector(json, prefix);
        }
        atLeast(i, 6, "entitlements in the file");
    }

    function _checkVector(string memory json, string memory prefix) private {
        CommittedState.Ledger[] memory ledgers = new CommittedState.Ledger[](1);
        ledgers[0] = CommittedState.Ledger(
            _address(json, prefix, "asset"),
            _address(json, prefix, "ledger"),
            _word(json, prefix, "balances"),
            _word(json, prefix, "total"),
            _word(json, prefix, "flows"),
            _word(json, prefix, "moved")
        );
        checkpoint = _deploy(ledgers, 6 hours, BOND, 24 hours);
        uint256 id = _commit(block.number - 1, _word(json, prefix, "stateRoot"));
        address asset = ledgers[0].asset;
        bytes32 storageRoot = checkpoint.proveAccount(id, ledgers[0].ledger, _proof(json, prefix, "ledgerProof"));
        eq(uint256(storageRoot), uint256(_word(json, prefix, "storageRoot")), "storage root");
        eq(
            checkpoint.proveTotal(id, asset, _proof(json, prefix, "totalProof")),
            uint256(_word(json, prefix, "totalAmount")),
            "total"
        );
        address account = _address(json, prefix, "account");
        _same(
            checkpoint.entitlementOf(id, asset, account, _proof(json, prefix, "proof")),
            ILedgerCheckpoint.Entitlement(
                account,
                int256(uint256(_word(json, prefix, "amount"))),
                uint128(uint256(_word(json, prefix, "deposited"))),
                uint128(uint256(_word(json, prefix, "withdrawn"))),
                uint128(uint256(_word(json, prefix, "movedOut")))
            )
        );
        eq(
            checkpoint.movedAt(id, asset, account, _address(json, prefix, "to"), _proof(json, prefix, "movedProof")),
            uint256(_word(json, prefix, "movedAmount")),
            vm.parseJsonString(json, string.concat(prefix, "name"))
        );
    }

    function _word(string memory json, string memory prefix, string memory field) private pure returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(prefix, field));
    }

    function _address(string memory json, string memory prefix, string memory field) private pure returns (address) {
        return address(uint160(uint256(_word(json, prefix, field))));
    }

    function _proof(string memory json, string memory prefix, string memory field) private pure returns (bytes memory) {
        return abi.encode(vm.parseJsonBytesArray(json, string.concat(prefix, field)));
    }

    /// @dev Slots as the compiler hashes them, read back from live storage.
    function testFuzz_SlotsAreTheCompilers(ILedgerCheckpoint.Entitlement memory e, address to, uint256 amount) public {
        e.amount = int256(uint256(uint128(uint256(e.amount))));
        address live = address(new LaidOut());
        LaidOut(live).set(e, ASSET, to, amount);
        CommittedState.Ledger[] memory ledgers = _ledgers();
        (ledgers[0].flows, ledgers[0].moved) = (bytes32(uint256(4)), bytes32(uint256(5)));
        checkpoint = _deploy(ledgers, 6 hours, BOND, 24 hours);

        bytes32[] memory words = new bytes32[](3);
        words[0] = _key(e.account, BALANCES);
        words[1] = _key(ASSET, _key(e.account, bytes32(uint256(4))));
        words[2] = bytes32(uint256(words[1]) + 1);
        bytes32 pair = _key(ASSET, _key(to, _key(e.account, bytes32(uint256(5)))));
        Mpt.Trie memory ledger;
        for (uint256 i; i < 3; ++i) {
            ledger.putWord(words[i], uint256(vm.load(live, words[i])));
        }
        ledger.putWord(pair, uint256(vm.load(live, pair)));
        ledger.putWord(TOTAL, uint256(vm.load(live, TOTAL)));
        _checkLaidOut(ledger, words, pair, e, to, amount);
    }

    function _checkLaidOut(
        Mpt.Trie memory ledger,
        bytes32[] memory words,
        bytes32 pair,
        ILedgerCheckpoint.Entitlement memory e,
        address to,
        uint256 amount
    ) private {
        uint256 id = _publish(ledger);
        eq(checkpoint.proveTotal(id, ASSET, _slotProof(ledger, TOTAL)), uint256(e.amount), "total");
        _same(checkpoint.entitlementOf(id, ASSET, e.account, abi.encode(ledger.pool(words))), e);
        eq(checkpoint.movedAt(id, ASSET, e.account, to, _slotProof(ledger, pair)), amount, "moved");
    }

    function testFuzz_ChangedProofsAreRefused(uint256 seed, uint256 node, uint256 place, uint8 flip) public {
        vm.assume(flip != 0);
        ILedgerCheckpoint.Entitlement[] memory people = _people(seed, 5);
        Mpt.Trie memory ledger = _storage(people);
        uint256 id = _publish(ledger);
        checkpoint.proveTotal(id, ASSET, _slotProof(ledger, TOTAL));
        address account = people[seed % 5].account;
        bytes[] memory nodes = abi.decode(_entitlementProof(ledger, account), (bytes[]));
        bytes memory changed = nodes[node % nodes.length];
        changed[place % changed.length] ^= bytes1(flip);
        vm.expectPartialRevert(StateProof.NodeMissing.selector);
        checkpoint.entitlementOf(id, ASSET, account, abi.encode(nodes));
    }

    /// @dev A proof for one account says nothing about another, and one of a later block nothing about this one.
    function test_ProofsAreForTheirAccountAndTheirBlock() public {
        ILedgerCheckpoint.Entitlement[] memory people = _people(7, 6);
        Mpt.Trie memory ledger = _storage(people);
        uint256 id = _publish(ledger);
        checkpoint.proveTotal(id, ASSET, _slotProof(ledger, TOTAL));
        people[0].amount += 1_000_000;
        Mpt.Trie memory later = _storage(people);
        bytes memory proof = _entitlementProof(later, people[0].account);
        vm.expectPartialRevert(StateProof.NodeMissing.selector);
        checkpoint.entitlementOf(id, ASSET, people[0].account, proof);
        proof = _entitlementProof(ledger, people[1].account);
        vm.expectPartialRevert(StateProof.NodeMissing.selector);
        checkpoint.entitlementOf(id, ASSET, people[2].account, proof);
    }

    function test_StorageRootsAreProvenOnce() public {
        Mpt.Trie memory ledger = _storage(_people(7, 3));
        Mpt.Trie memory state = _state(ledger);
        uint256 id = _commit(block.number - 1, state.root());
        bytes memory proof = _accountProof(state, LEDGER);
        bytes memory slotProof = _slotProof(ledger, TOTAL);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.AccountNotProven.selector, id, LEDGER));
        checkpoint.proveTotal(id, ASSET, slotProof);
        bytes32 root = checkpoint.proveAccount(id, LEDGER, proof);
        eq(uint256(checkpoint.storageRootOf(id, LEDGER)), uint256(root), "cached");
        eq(uint256(root), uint256(ledger.root()), "root");
        vm.expectRevert(abi.encodeWithSelector(CommittedState.AlreadyProven.selector, id, LEDGER));
        checkpoint.proveAccount(id, LEDGER, proof);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.UnknownEntry.selector, id + 1));
        checkpoint.proveAccount(id + 1, LEDGER, proof);
    }

    /// @dev A ledger that did not exist yet owes nothing that could be proven: an error, not a zero.
    function test_AnAbsentLedgerIsAnError() public {
        Mpt.Trie memory state;
        state.putAccount(address(1), keccak256(hex"80"));
        uint256 id = _commit(block.number - 1, state.root());
        bytes memory proof = _accountProof(state, LEDGER);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.AccountAbsent.selector, id, LEDGER));
        checkpoint.proveAccount(id, LEDGER, proof);
    }

    /// @dev A ledger that never wrote has no trie: all its words are zero without a node.
    function test_AnEmptyLedgerOwesNothing() public {
        Mpt.Trie memory empty;
        uint256 id = _publish(empty);
        eq(checkpoint.proveTotal(id, ASSET, abi.encode(new bytes[](0))), 0, "total");
        _same(
            checkpoint.entitlementOf(id, ASSET, address(7), abi.encode(new bytes[](0))),
            ILedgerCheckpoint.Entitlement(address(7), 0, 0, 0, 0)
        );
    }

    function test_SlotsOfAnyProvenAccountCanBeRead() public {
        Mpt.Trie memory ledger = _storage(_people(7, 3));
        uint256 id = _publish(ledger);
        uint256 total = checkpoint.proveSlot(id, LEDGER, TOTAL, _slotProof(ledger, TOTAL));
        eq(total, checkpoint.proveTotal(id, ASSET, _slotProof(ledger, TOTAL)), "total");
        bytes memory proof = _slotProof(ledger, TOTAL);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.AccountNotProven.selector, id, address(2)));
        checkpoint.proveSlot(id, address(2), TOTAL, proof);
    }

    function test_NothingIsFinalBeforeTheTotal() public {
        ILedgerCheckpoint.Entitlement[] memory people = _people(7, 3);
        Mpt.Trie memory ledger = _storage(people);
        uint256 id = _publish(ledger);
        bytes memory proof = _entitlementProof(ledger, people[0].account);
        bytes memory unfinal = abi.encodeWithSelector(LedgerCheckpoint.NothingFinal.selector, id, ASSET);
        vm.expectRevert(unfinal);
        checkpoint.entitlementOf(id, ASSET, people[0].account, proof);
        vm.expectRevert(unfinal);
        checkpoint.formOf(id, ASSET);
        vm.expectRevert(unfinal);
        checkpoint.totalOf(id, ASSET);
        proof = _slotProof(ledger, TOTAL);
        checkpoint.proveTotal(id, ASSET, proof);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.AlreadyFinal.selector, id, ASSET));
        checkpoint.proveTotal(id, ASSET, proof);
    }

    function test_UnknownAssetsAreRefused() public {
        Mpt.Trie memory ledger = _storage(_people(7, 3));
        uint256 id = _publish(ledger);
        bytes memory proof = _slotProof(ledger, TOTAL);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.UnknownAsset.selector, address(9)));
        checkpoint.proveTotal(id, address(9), proof);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.UnknownAsset.selector, address(9)));
        checkpoint.movedAt(id, address(9), address(1), address(2), proof);
    }

    function test_AmountsOf2To128AreRefused() public {
        Mpt.Trie memory ledger;
        ledger.putWord(_key(address(7), BALANCES), uint256(1) << 128);
        ledger.putWord(TOTAL, uint256(1) << 128);
        uint256 id = _publish(ledger);
        bytes memory proof = _slotProof(ledger, TOTAL);
        vm.expectRevert(abi.encodeWithSelector(Credits.AmountTooLarge.selector, uint256(1) << 128));
        checkpoint.proveTotal(id, ASSET, proof);
        // With a total that lies, the balance is still refused where it is asked for.
        ledger = _lyingTotal();
        _mineTo(block.number + 300);
        id = _publish(ledger);
        checkpoint.proveTotal(id, ASSET, _slotProof(ledger, TOTAL));
        proof = _entitlementProof(ledger, address(7));
        vm.expectRevert(abi.encodeWithSelector(CommittedState.BalanceTooLarge.selector, address(7), uint256(1) << 128));
        checkpoint.entitlementOf(id, ASSET, address(7), proof);
    }

    function _lyingTotal() private pure returns (Mpt.Trie memory ledger) {
        ledger.putWord(_key(address(7), BALANCES), uint256(1) << 128);
        ledger.putWord(TOTAL, 5);
    }
}
