// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Mode} from "../../../src/kit/Types.sol";
import {Credits} from "../../../src/kit/exit/Credits.sol";
import {NetFlow} from "../../../src/kit/exit/NetFlow.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {ExitWorld} from "./ExitWorld.sol";
import {MockCheckpoint, MockLedger} from "./Mocks.sol";

/// @notice Net flow before a round: pins, registrations, carries, and what an account may still take out in recovery.
contract EntitlementLimitTest is ExitWorld {
    function setUp() public override {
        super.setUp();
        _owed(ALICE, 100);
        _owed(BOB, 0);
        _incident(VAULT, Mode.RECOVERING);
        vault.setMode(Mode.RECOVERING, 0);
    }

    function _ready() private {
        exit.pin(VAULT, ID);
        exit.register(ID, address(usd), ALICE, _proof(ALICE));
        exit.register(ID, address(usd), BOB, _proof(BOB));
    }

    function _limit(address account) private view returns (uint256) {
        return exit.withdrawable(address(vault), address(usd), account);
    }

    // ---------------------------------------------------------------- withdrawable

    function test_T4_TheLimitIsTheNetEntitlement() public {
        _ready();
        eq(_limit(ALICE), 100, "entitlement");
        vault.noteFlow(address(usd), ALICE, 30, 50);
        eq(_limit(ALICE), 80, "deposits and withdrawals");
        vault.noteMove(address(usd), ALICE, CAROL, 70);
        eq(_limit(ALICE), 10, "transfers out");
        vault.noteFlow(address(usd), ALICE, 0, 500);
        eq(_limit(ALICE), 0, "below zero is zero");
    }

    function test_T4_CountersOfTheCheckpointAreSetOff() public {
        vault.noteFlow(address(usd), CAROL, 900, 400);
        vault.noteMove(address(usd), CAROL, BOB, 300);
        checkpoint.setEntitlement(ID, address(usd), ILedgerCheckpoint.Entitlement(CAROL, 200, 900, 400, 300));
        exit.pin(VAULT, ID);
        exit.register(ID, address(usd), CAROL, _proof(CAROL));
        eq(_limit(CAROL), 200, "what happened before is in the entitlement");
        vault.noteFlow(address(usd), CAROL, 0, 50);
        eq(_limit(CAROL), 150, "what happened since is not");
    }

    function test_T4_NothingForStrangersAndTheUnregistered() public {
        _ready();
        eq(_limit(CAROL), 0, "unregistered");
        // The other ledger has a pinned episode of its own.
        _incident(POOL, Mode.RECOVERING);
        exit.pin(POOL, ID);
        eq(exit.withdrawable(address(pool), address(usd), ALICE), 0, "another ledger's unit");
        MockLedger stranger = new MockLedger();
        eq(exit.withdrawable(address(stranger), address(usd), ALICE), 0, "not enrolled");
        eq(exit.withdrawable(address(vault), address(dai), ALICE), 0, "not a unit of the ledger");
    }

    function test_T4_NothingUntilTheEpisodeIsPinned() public {
        exit.register(ID, address(usd), ALICE, _proof(ALICE));
        eq(_limit(ALICE), 0, "not pinned");
        exit.pin(VAULT, ID);
        eq(_limit(ALICE), 100, "pinned");
        controller.setEpisode(VAULT, 2, Mode.RECOVERING, INCIDENT);
        eq(_limit(ALICE), 0, "another episode");
        controller.setEpisode(VAULT, 1, Mode.RECOVERING, INCIDENT);
        eq(_limit(ALICE), 100, "the pinned one");
        // The council moves the incident back: the old pin says nothing about it.
        controller.setEpisode(VAULT, 1, Mode.RECOVERING, INCIDENT - 1);
        eq(_limit(ALICE), 0, "incident moved");
        checkpoint.setSelected(VAULT, ID - 1);
        exit.pin(VAULT, ID - 1);
        eq(_limit(ALICE), 0, "registered at another checkpoint");
    }

    function test_T4_EveryLiveEpisodeAboveCounts() public {
        _ready();
        controller.setEpisode(ROOT, 9, Mode.RECOVERING, INCIDENT);
        eq(_limit(ALICE), 0, "the root is not pinned");
        checkpoint.setSelected(ROOT, ID + 5);
        exit.pin(ROOT, ID + 5);
        eq(_limit(ALICE), 100, "the oldest of both");
        checkpoint.setSelected(ROOT, ID - 1);
        exit.pin(ROOT, ID - 1);
        eq(_limit(ALICE), 0, "an older one, at which nobody is registered");
        controller.setEpisode(ROOT, 9, Mode.NORMAL, INCIDENT);
        eq(_limit(ALICE), 100, "over");
    }

    function test_T4_WithoutACheckpointNothing() public {
        checkpoint.setSelected(VAULT, type(uint256).max);
        exit.pin(VAULT, type(uint256).max);
        exit.register(ID, address(usd), ALICE, _proof(ALICE));
        eq(_limit(ALICE), 0, "no checkpoint qualifies");
    }

    function test_APinIsJudgedByTheCheckpoint() public {
        vm.expectRevert(abi.encodeWithSelector(MockCheckpoint.NotSelected.selector, VAULT, ID + 1));
        exit.pin(VAULT, ID + 1);
    }

    // ---------------------------------------------------------------- register and carry

    function test_RegistrationIsOnceAndProven() public {
        _ready();
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.register(ID, address(usd), ALICE, _proof(ALICE));
        vm.expectRevert(abi.encodeWithSelector(MockCheckpoint.WrongProof.selector, CAROL));
        exit.register(ID, address(usd), CAROL, _proof(ALICE));
    }

    function test_ACarryGivesTheRecipientWhatTheSenderLost() public {
        _ready();
        vault.noteMove(address(usd), ALICE, BOB, 60);
        exit.carry(ID, address(usd), ALICE, BOB, "");
        eq(_limit(ALICE), 40, "sender");
        eq(_limit(BOB), 60, "recipient");
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.carry(ID, address(usd), ALICE, BOB, "");
        vault.noteMove(address(usd), ALICE, BOB, 40);
        exit.carry(ID, address(usd), ALICE, BOB, "");
        eq(_limit(BOB), 100, "and the rest");
    }

    /// @dev A sender that had moved something to the pair by the checkpoint: only what came since counts, and is proven.
    function test_ACarryCountsFromTheCheckpoint() public {
        vault.noteMove(address(usd), CAROL, BOB, 300);
        checkpoint.setMoved(ID, address(usd), CAROL, BOB, 300);
        checkpoint.setEntitlement(ID, address(usd), ILedgerCheckpoint.Entitlement(CAROL, 200, 0, 0, 300));
        _ready();
        exit.register(ID, address(usd), CAROL, _proof(CAROL));
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.carry(ID, address(usd), CAROL, BOB, _proof(CAROL));
        vault.noteMove(address(usd), CAROL, BOB, 20);
        vm.expectRevert(abi.encodeWithSelector(MockCheckpoint.WrongProof.selector, CAROL));
        exit.carry(ID, address(usd), CAROL, BOB, "");
        exit.carry(ID, address(usd), CAROL, BOB, _proof(CAROL));
        eq(_limit(BOB), 20, "since the checkpoint");
    }

    function test_CarriesWaitForRecoveryOrExit() public {
        _ready();
        vault.noteMove(address(usd), ALICE, BOB, 60);
        Mode[4] memory shut = [Mode.NORMAL, Mode.WATCH, Mode.RESTRICTED, Mode.HALTED];
        for (uint256 i; i < shut.length; ++i) {
            vault.setMode(shut[i], FOREVER);
            vm.expectRevert(abi.encodeWithSelector(NetFlow.WindowClosed.selector));
            exit.carry(ID, address(usd), ALICE, BOB, "");
        }
        vault.setMode(Mode.EXIT, FOREVER);
        exit.carry(ID, address(usd), ALICE, BOB, "");
    }

    function test_CarriesNeedBothRegisteredAndAKnownUnit() public {
        _ready();
        vault.noteMove(address(usd), ALICE, CAROL, 10);
        vm.expectRevert(abi.encodeWithSelector(NetFlow.NotRegistered.selector, CAROL));
        exit.carry(ID, address(usd), ALICE, CAROL, "");
        vm.expectRevert(abi.encodeWithSelector(NetFlow.NotRegistered.selector, CAROL));
        exit.carry(ID, address(usd), CAROL, ALICE, "");
        vm.expectRevert(abi.encodeWithSelector(NetFlow.UnknownUnit.selector, address(dai)));
        exit.carry(ID, address(dai), ALICE, BOB, "");
    }
}
