// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CommittedState} from "../../../src/kit/exit/CommittedState.sol";
import {Credits} from "../../../src/kit/exit/Credits.sol";
import {IToken} from "../../../src/kit/SafeToken.sol";
import {LedgerCheckpoint} from "../../../src/kit/exit/LedgerCheckpoint.sol";
import {AttestedLedger} from "../../../src/kit/exit/AttestedLedger.sol";
import {Rlp} from "../../../src/kit/exit/Rlp.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {BlockHistory, CheckpointWorld} from "./CheckpointWorld.sol";
import {RlpWriter} from "./Mpt.sol";

/// @notice Only blocks of this chain are committed, in rising order, an hour apart, while the chain remembers them.
contract CommitTest is CheckpointWorld {
    bytes32 private constant ROOT = keccak256("state");

    function test_Vectors() public {
        string memory json = vm.readFile("test/vectors/state-proof.json");
        uint256 i;
        for (;; ++i) {
            string memory prefix = string.concat(".headers[", vm.toString(i), "].");
            if (!vm.keyExistsJson(json, string.concat(prefix, "name"))) break;
            bytes memory header = vm.parseJsonBytes(json, string.concat(prefix, "rlp"));
            bytes32 hash = vm.parseJsonBytes32(json, string.concat(prefix, "hash"));
            uint256 number = uint256(vm.parseJsonBytes32(json, string.concat(prefix, "number")));
            checkpoint = _deploy(_ledgers(), 6 hours, BOND, 24 hours);
            vm.roll(number + 1);
            vm.setBlockhash(number, hash);
            ILedgerCheckpoint.Entry memory entry = checkpoint.entryOf(checkpoint.commit(number, header));
            eq(uint256(hash), uint256(keccak256(header)), "hash");
            eq(entry.blockNumber, number, "number");
            eq(entry.blockTime, uint256(vm.parseJsonBytes32(json, string.concat(prefix, "timestamp"))), "time");
            eq(
                uint256(entry.stateRoot),
                uint256(vm.parseJsonBytes32(json, string.concat(prefix, "stateRoot"))),
                vm.parseJsonString(json, string.concat(prefix, "name"))
            );
        }
        atLeast(i, 8, "headers in the file");
    }

    function test_NotesWhatWasCommittedAndWhen() public {
        uint256 id = _commit(19_990, ROOT);
        ILedgerCheckpoint.Entry memory entry = checkpoint.entryOf(id);
        eq(checkpoint.entries(), 1, "entries");
        eq(entry.blockNumber, 19_990, "number");
        eq(entry.blockTime, _timeOf(19_990), "time");
        eq(entry.committedBlock, 20_000, "block of the commit");
        eq(entry.committedAt, _timeOf(20_000), "second of the commit");
        eq(uint256(entry.stateRoot), uint256(ROOT), "state root");
    }

    /// @dev A fork that appends fields, of whatever kind, must not end the checkpoints.
    function testFuzz_LaterForksMayAppendFields(bytes memory field, uint8 more) public {
        bytes memory fields = RlpWriter.list(field);
        for (uint256 i; i < more % 8; ++i) {
            fields = bytes.concat(fields, RlpWriter.text(field));
        }
        bytes memory header = _header(19_999, _timeOf(19_999), ROOT, fields);
        _remember(19_999, header);
        eq(uint256(checkpoint.entryOf(checkpoint.commit(19_999, header)).stateRoot), uint256(ROOT), "state root");
    }

    /// @dev A header of a branch that was reorged away hashes to something else.
    function testFuzz_RefusesEveryOtherHeader(uint256 place, uint8 flip) public {
        vm.assume(flip != 0);
        bytes memory header = _header(19_999, _timeOf(19_999), ROOT, "");
        _remember(19_999, header);
        bytes32 want = keccak256(header);
        header[place % header.length] ^= bytes1(flip);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.WrongHeader.selector, keccak256(header), want));
        checkpoint.commit(19_999, header);
    }

    function test_AReorgedBlockIsRefusedAfterwards() public {
        bytes memory stale = _header(19_999, _timeOf(19_999), keccak256("before the reorg"), "");
        bytes memory header = _header(19_999, _timeOf(19_999), ROOT, "");
        _remember(19_999, header);
        vm.expectPartialRevert(CommittedState.WrongHeader.selector);
        checkpoint.commit(19_999, stale);
        checkpoint.commit(19_999, header);
    }

    /// @dev On a chain whose NUMBER counts something else the hash would be that of another block.
    function test_RefusesAHeaderWithAnotherNumber() public {
        bytes memory header = _header(123, _timeOf(123), ROOT, "");
        _remember(19_999, header);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.WrongNumber.selector, 123, 19_999));
        checkpoint.commit(19_999, header);
    }

    function test_RefusesHeadersThatAreNone() public {
        bytes memory short = RlpWriter.list(bytes.concat(RlpWriter.text(new bytes(32)), RlpWriter.text(new bytes(32))));
        vm.setBlockhash(19_999, keccak256(short));
        vm.expectPartialRevert(Rlp.RlpTruncated.selector);
        checkpoint.commit(19_999, short);
        bytes memory trailing = bytes.concat(_header(19_999, _timeOf(19_999), ROOT, ""), hex"00");
        vm.setBlockhash(19_999, keccak256(trailing));
        vm.expectPartialRevert(Rlp.RlpUnexpectedItem.selector);
        checkpoint.commit(19_999, trailing);
    }

    function test_BlocksHaveToRise() public {
        _commit(19_990, ROOT);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.NotRising.selector, 19_990, 19_990));
        this.commitBlock(19_990);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.NotRising.selector, 19_000, 19_990));
        this.commitBlock(19_000);
    }

    function test_OneEntryPerHourOfChainTime() public {
        _commit(19_000, ROOT);
        vm.expectRevert(
            abi.encodeWithSelector(CommittedState.TooSoon.selector, _timeOf(19_299), _timeOf(19_000) + 1 hours)
        );
        this.commitBlock(19_299);
        _commit(19_300, ROOT);
        // Both commits stand in one block: an old block cannot use up the hour of a new one.
        eq(checkpoint.entryOf(1).committedBlock, checkpoint.entryOf(0).committedBlock, "same block");
    }

    function test_TheLast8191BlocksCanBeCommitted() public {
        _commit(20_000 - 8191, ROOT);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.HashUnavailable.selector, 20_000 - 8192));
        this.commitUnknown(20_000 - 8192);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.HashUnavailable.selector, 20_000));
        this.commitUnknown(20_000);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.HashUnavailable.selector, 20_001));
        this.commitUnknown(20_001);
        // Inside the window but before the history contract began to write: zero is no hash.
        vm.expectRevert(abi.encodeWithSelector(CommittedState.HashUnavailable.selector, 15_000));
        this.commitUnknown(15_000);
    }

    function test_WithoutHistoryContract256BlocksCanBeCommitted() public {
        vm.etch(HISTORY, "");
        vm.expectRevert(abi.encodeWithSelector(CommittedState.HashUnavailable.selector, 20_000 - 257));
        this.commitUnknown(20_000 - 257);
        _commit(20_000 - 256, ROOT);
    }

    function test_AnHourThatNobodyCommitsIsLost() public {
        _commit(19_999, ROOT);
        bytes memory header = _header(21_000, _timeOf(21_000), ROOT, "");
        BlockHistory(HISTORY).set(21_000, keccak256(header));
        _mineTo(21_000 + 8192);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.HashUnavailable.selector, 21_000));
        checkpoint.commit(21_000, header);
        eq(_commit(21_000 + 8191, ROOT), 1, "the next one follows");
    }

    function test_GenesisTimestamps() public {
        (genesis, blockSeconds) = (0, 1);
        checkpoint = _deploy(_ledgers(), 6 hours, BOND, 24 hours);
        _mineTo(1);
        _commit(0, ROOT);
        eq(checkpoint.entryOf(0).blockTime, 0, "second 0");
        _mineTo(3601);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.TooSoon.selector, 3599, 3600));
        this.commitBlock(3599);
        _commit(3600, ROOT);
    }

    /// @dev Four blocks a second: a window of 34 minutes, entries an hour apart all the same.
    function test_FastBlocks() public {
        for (uint256 hour; hour < 5; ++hour) {
            uint256 number = 100_000 + 14_400 * hour;
            vm.roll(number + 8000);
            vm.warp(1_800_000_000 + number / 4 + 2000);
            bytes memory header = _header(number, 1_800_000_000 + number / 4, ROOT, "");
            _remember(number, header);
            eq(checkpoint.commit(number, header), hour, "id");
        }
    }

    function test_RefusesInconsistentBounds() public {
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.OutOfBounds.selector, 6 hours - 1, 6 hours, 7 days));
        this.deploy(6 hours - 1, BOND, 24 hours);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.OutOfBounds.selector, 7 days + 1, 6 hours, 7 days));
        this.deploy(7 days + 1, BOND, 24 hours);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.OutOfBounds.selector, 24 hours - 1, 24 hours, 7 days));
        this.deploy(6 hours, BOND, 24 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.OutOfBounds.selector, 7 days + 1, 24 hours, 7 days));
        this.deploy(6 hours, BOND, 7 days + 1);
        this.deploy(7 days, BOND, 7 days);
        vm.expectRevert(abi.encodeWithSelector(AttestedLedger.OutOfBounds.selector, 0, 1, type(uint256).max));
        this.deploy(6 hours, 0, 24 hours);
        AttestedLedger.Terms memory terms = AttestedLedger.Terms("", 1, 24 hours, IToken(address(bondToken)), BOND);
        vm.expectRevert(abi.encodeWithSelector(Credits.ZeroAddress.selector));
        new LedgerCheckpoint(IFailSafeController(address(0)), _ledgers(), 6 hours, terms);
        terms.bondToken = IToken(address(0));
        vm.expectRevert(abi.encodeWithSelector(Credits.ZeroAddress.selector));
        new LedgerCheckpoint(IFailSafeController(address(controller)), _ledgers(), 6 hours, terms);
    }

    function test_LedgersAreDescribedOnceByTheCouncil() public {
        address share = address(0x54a4e);
        CommittedState.Ledger memory ledger = CommittedState.Ledger(share, share, BALANCES, TOTAL, FLOWS, MOVED);
        vm.expectRevert(abi.encodeWithSelector(LedgerCheckpoint.NotCouncil.selector, address(this)));
        checkpoint.describe(ledger);
        vm.startPrank(controller.council());
        checkpoint.describe(ledger);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.AlreadyDescribed.selector, share));
        checkpoint.describe(ledger);
        ledger.asset = ASSET;
        vm.expectRevert(abi.encodeWithSelector(CommittedState.AlreadyDescribed.selector, ASSET));
        checkpoint.describe(ledger);
        ledger.asset = address(0);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.IncompleteLedger.selector, address(0), share));
        checkpoint.describe(ledger);
        (ledger.asset, ledger.ledger) = (address(7), address(0));
        vm.expectRevert(abi.encodeWithSelector(CommittedState.IncompleteLedger.selector, address(7), address(0)));
        checkpoint.describe(ledger);
        vm.stopPrank();
        (, address described,,,,) = checkpoint.ledgerOf(share);
        eq(described, share, "described");
    }

    function commitBlock(uint256 number) external {
        _commit(number, ROOT);
    }

    function commitUnknown(uint256 number) external {
        checkpoint.commit(number, _header(number, _timeOf(number), ROOT, ""));
    }

    function deploy(uint40 margin, uint256 bond, uint40 period) external {
        _deploy(_ledgers(), margin, bond, period);
    }
}
