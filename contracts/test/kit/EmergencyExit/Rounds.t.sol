// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IToken} from "../../../src/kit/SafeToken.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {Credits} from "../../../src/kit/exit/Credits.sol";
import {Disputes} from "../../../src/kit/exit/Disputes.sol";
import {EmergencyExit} from "../../../src/kit/exit/EmergencyExit.sol";
import {NetFlow} from "../../../src/kit/exit/NetFlow.sol";
import {Rounds} from "../../../src/kit/exit/Rounds.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {ExitWorld} from "./ExitWorld.sol";
import {MockCheckpoint} from "./Mocks.sol";

/// @notice Opening, activation and entering: what a pool is made of, and what can no longer touch it.
contract ExitRoundsTest is ExitWorld {
    // ---------------------------------------------------------------- opening

    function test_OnlyTheControllerOpens() public {
        _incident(ROOT, Mode.EXIT);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(Credits.NotAuthorized.selector, COUNCIL));
        exit.openRound(ROOT, ID);
    }

    function test_TheCheckpointJudgesTheId() public {
        _incident(ROOT, Mode.EXIT);
        vm.expectRevert(abi.encodeWithSelector(MockCheckpoint.NotSelected.selector, ROOT, ID + 1));
        controller.openRound(ROOT, ID + 1);
    }

    /// @dev "None qualifies" is not for the caller to say either.
    function test_NobodyPassesOverTheCheckpoint() public {
        _incident(ROOT, Mode.EXIT);
        vm.expectRevert(abi.encodeWithSelector(MockCheckpoint.NotSelected.selector, ROOT, type(uint256).max));
        controller.openRound(ROOT, type(uint256).max);
    }

    function test_ARoundHasThePoolsBelowItsScope() public {
        _incident(VAULT, Mode.EXIT);
        uint256 round = controller.openRound(VAULT, ID);
        eq(exit.roundOf(address(vault)), round, "round of the vault");
        eq(exit.roundOf(address(pool)), 0, "round of the pool");
        yes(_pool(round, usd).kind == Rounds.Kind.NOMINAL, "nominal");
        yes(_pool(round, dai).kind == Rounds.Kind.NONE, "not below");
    }

    /// @dev T10: a ledger belongs to one round for ever; the root's round takes what is left.
    function test_T10_ALaterRoundLeavesAnOpenedPoolAlone() public {
        _owed(ALICE, 100);
        _incident(VAULT, Mode.EXIT);
        uint256 first = controller.openRound(VAULT, ID);
        _incident(ROOT, Mode.EXIT);
        checkpoint.setSelected(ROOT, ID + 1);
        uint256 second = controller.openRound(ROOT, ID + 1);
        eq(exit.roundOf(address(vault)), first, "round of the vault");
        eq(exit.roundOf(address(pool)), second, "round of the pool");
        eq(_pool(first, usd).checkpointId, ID, "checkpoint");
        yes(_pool(second, usd).kind == Rounds.Kind.NONE, "no second pool for the vault");
        yes(_pool(second, dai).kind == Rounds.Kind.IN_KIND, "in kind");
        yes(_pool(second, eth).kind == Rounds.Kind.IN_KIND, "in kind");
    }

    /// @dev The vault's own incident is older than the root's: its entitlements must be honest by both.
    function test_TheOldestCheckpointOnThePathCounts() public {
        controller.setEpisode(VAULT, 4, Mode.RESTRICTED, INCIDENT);
        checkpoint.setSelected(VAULT, ID - 3);
        _incident(ROOT, Mode.EXIT);
        vm.expectRevert(abi.encodeWithSelector(Rounds.NotPinned.selector, VAULT));
        controller.openRound(ROOT, ID);
        exit.pin(VAULT, ID - 3);
        uint256 round = controller.openRound(ROOT, ID);
        eq(_pool(round, usd).checkpointId, ID - 3, "vault");
        eq(_pool(round, dai).checkpointId, ID, "pool");
    }

    function test_WithoutACheckpointSharesCount() public {
        controller.setEpisode(ROOT, 1, Mode.EXIT, INCIDENT);
        checkpoint.setSelected(ROOT, type(uint256).max);
        vault.setMode(Mode.EXIT, FOREVER);
        vault.setShares(ALICE, 30);
        vault.setShares(BOB, 10);
        uint256 round = controller.openRound(ROOT, type(uint256).max);
        yes(_pool(round, usd).kind == Rounds.Kind.LIVE_SHARES, "live shares");
        exit.activate(round, address(usd));
        _fund(round, usd, 1_000);
        _warm();
        eq(_claim(round, usd, ALICE), 750, "alice");
        _fund(round, usd, 100);
        eq(_claim(round, usd, BOB), 275, "bob");
        eq(_claim(round, usd, ALICE), 75, "alice again");
    }

    /// @dev A live share can be disputed like any other.
    function test_LiveSharesCanBeRemoved() public {
        controller.setEpisode(ROOT, 1, Mode.EXIT, INCIDENT);
        checkpoint.setSelected(ROOT, type(uint256).max);
        vault.setMode(Mode.EXIT, FOREVER);
        vault.setShares(ALICE, 30);
        vault.setShares(BOB, 10);
        uint256 round = controller.openRound(ROOT, type(uint256).max);
        exit.activate(round, address(usd));
        exit.enter(round, address(usd), BOB, "");
        _dispute(round, usd, CAROL, BOB);
        _resolve(round, usd, COUNCIL, BOB, false);
        vm.warp(block.timestamp + 7 days);
        exit.settleDispute(round, address(usd), BOB);
        _fund(round, usd, 900);
        _warm();
        eq(_claim(round, usd, ALICE), 900, "alice");
    }

    // ---------------------------------------------------------------- activation

    function test_ActivationNeedsTheLedgerInExit() public {
        _owed(ALICE, 100);
        _incident(ROOT, Mode.EXIT);
        vault.setMode(Mode.HALTED, FOREVER);
        uint256 round = controller.openRound(ROOT, ID);
        vm.expectRevert(abi.encodeWithSelector(Rounds.NotInExit.selector, vault));
        exit.activate(round, address(usd));
    }

    /// @dev Nothing but funding works before: shares of a ledger that still pays out would be paid twice.
    function test_AnInactivePoolOnlyTakesFunds() public {
        _owed(ALICE, 100);
        _incident(ROOT, Mode.EXIT);
        uint256 round = controller.openRound(ROOT, ID);
        _fund(round, usd, 50);
        bytes memory refusal = abi.encodeWithSelector(Rounds.NotActive.selector, round, address(usd));
        vm.expectRevert(refusal);
        exit.enter(round, address(usd), ALICE, _proof(ALICE));
        vm.warp(block.timestamp + 1_000 days);
        vm.prank(ALICE);
        vm.expectRevert(refusal);
        exit.claim(round, address(usd), _proof(ALICE));
        vm.expectRevert(refusal);
        exit.sweep(round, address(usd));

        vault.setMode(Mode.EXIT, FOREVER);
        exit.activate(round, address(usd));
        _warm();
        eq(_claim(round, usd, ALICE), 50, "the funds were kept");
    }

    function test_ATotalThatIsNotKnownYetCanComeLater() public {
        _incident(ROOT, Mode.EXIT);
        vault.setMode(Mode.EXIT, FOREVER);
        uint256 round = controller.openRound(ROOT, ID);
        vm.expectRevert(abi.encodeWithSelector(MockCheckpoint.NothingFinal.selector));
        exit.activate(round, address(usd));
        _owed(ALICE, 100);
        exit.activate(round, address(usd));
        eq(_pool(round, usd).totalB, 100, "total");
        eq(_pool(round, usd).warmFrom, block.timestamp, "warm from");
    }

    /// @dev T10: whatever a checkpoint says later, the total stands.
    function test_T10_TheTotalIsReadOnce() public {
        _owed(ALICE, 100);
        uint256 round = _openRound();
        checkpoint.setTotal(ID, address(usd), 1);
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.activate(round, address(usd));
        eq(_pool(round, usd).totalB, 100, "total");
    }

    function test_ATotalAbove128BitsIsRefused() public {
        checkpoint.setTotal(ID, address(usd), 1 << 128);
        _incident(ROOT, Mode.EXIT);
        vault.setMode(Mode.EXIT, FOREVER);
        uint256 round = controller.openRound(ROOT, ID);
        vm.expectRevert(abi.encodeWithSelector(Credits.AmountTooLarge.selector, 1 << 128));
        exit.activate(round, address(usd));
        checkpoint.setTotal(ID, address(usd), type(uint128).max);
        exit.activate(round, address(usd));
    }

    function test_UnknownPoolsTakeNothing() public {
        uint256 round = _openRound();
        vm.expectRevert(abi.encodeWithSelector(Rounds.NotActive.selector, round + 1, address(usd)));
        exit.fund(round + 1, address(usd), 1);
        vm.expectRevert(abi.encodeWithSelector(Rounds.NotActive.selector, round, address(bondToken)));
        exit.activate(round, address(bondToken));
    }

    // ---------------------------------------------------------------- entering

    function test_EnteringAgainAfterACarryCountsAnew() public {
        _owed(ALICE, 100);
        _owed(BOB, 0);
        vault.noteMove(address(usd), ALICE, BOB, 100);
        uint256 round = _openRound();
        _enter(round, usd, ALICE);
        _enter(round, usd, BOB);
        eq(_pool(round, usd).totalB, 0, "alice was cut, bob has nothing yet");
        exit.register(ID, address(usd), ALICE, _proof(ALICE));
        exit.register(ID, address(usd), BOB, _proof(BOB));
        exit.carry(ID, address(usd), ALICE, BOB, "");
        exit.enter(round, address(usd), BOB, "");
        eq(_leaf(round, usd, BOB).share, 100, "bob's share");
        eq(_pool(round, usd).totalB, 100, "total");
    }

    /// @dev The total holds no more than the entitlement for who was not entered: what was carried to it counts only if entered.
    function test_WhatWasCarriedCountsOnlyWhenEntered() public {
        _owed(ALICE, 100);
        _owed(BOB, 0);
        vault.noteFlow(address(usd), ALICE, 100, 0);
        vault.noteMove(address(usd), ALICE, BOB, 100);
        uint256 round = _openRound();
        exit.register(ID, address(usd), ALICE, _proof(ALICE));
        exit.register(ID, address(usd), BOB, _proof(BOB));
        exit.carry(ID, address(usd), ALICE, BOB, "");
        _fund(round, usd, 100);
        _warm();
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.claim(round, address(usd), _proof(BOB));
        eq(_claim(round, usd, ALICE), 100, "alice");
    }

    function test_TooLateIsTooLateWhileThePoolIsShort() public {
        _owed(ALICE, 100);
        _owed(BOB, 100);
        vault.noteFlow(address(usd), BOB, 50, 0);
        uint256 round = _openRound();
        _warm();
        _fund(round, usd, 249);
        vm.expectRevert(abi.encodeWithSelector(NetFlow.WindowClosed.selector));
        exit.enter(round, address(usd), BOB, _proof(BOB));
        eq(_claim(round, usd, BOB), 100, "without the refund");
        // Now every share and the refund can be paid in full: nobody loses by it.
        _fund(round, usd, 1);
        _enter(round, usd, BOB);
        eq(_claim(round, usd, BOB), 50, "the refund");
        eq(_claim(round, usd, ALICE), 100, "alice");
    }

    function test_NobodyEntersAnInKindPoolLate() public {
        _entitle(address(pool), ALICE, 100);
        uint256 round = _openRound();
        _warm();
        _fund(round, dai, 1e9);
        vm.expectRevert(abi.encodeWithSelector(NetFlow.WindowClosed.selector));
        exit.enter(round, address(dai), ALICE, _proof(ALICE));
    }

    /// @dev A checkpoint that promises more than its total: what does not fit is refused, not wrapped.
    function test_AnEntitlementAboveTheTotalIsRefused() public {
        _owed(ALICE, 100);
        checkpoint.setTotal(ID, address(usd), 60);
        vault.noteFlow(address(usd), ALICE, 0, 70);
        uint256 round = _openRound();
        vm.expectRevert(abi.encodeWithSelector(Rounds.OverAllocated.selector, 100, 90));
        exit.enter(round, address(usd), ALICE, _proof(ALICE));
    }

    function test_AShareAbove128BitsIsRefused() public {
        checkpoint.setEntitlement(ID, address(pool), ILedgerCheckpoint.Entitlement(ALICE, int256(1 << 127), 0, 0, 0));
        checkpoint.setTotal(ID, address(pool), 1 << 127);
        pool.noteFlow(address(pool), ALICE, 1 << 127, 0);
        uint256 round = _openRound();
        vm.expectRevert(abi.encodeWithSelector(Credits.AmountTooLarge.selector, 1 << 128));
        exit.enter(round, address(dai), ALICE, _proof(ALICE));
    }

    // ---------------------------------------------------------------- deployment

    function test_DeploymentIsRefusedWithoutSense() public {
        Rounds.Listing[] memory listings = _listings();
        IToken token = IToken(address(bondToken));
        bytes memory zero = abi.encodeWithSelector(Credits.ZeroAddress.selector);

        vm.expectRevert(zero);
        new EmergencyExit(IFailSafeController(address(0)), checkpoint, listings, token, BOND, APPEAL, HEIR);
        vm.expectRevert(zero);
        new EmergencyExit(controller, ILedgerCheckpoint(address(0)), listings, token, BOND, APPEAL, HEIR);
        vm.expectRevert(zero);
        new EmergencyExit(controller, checkpoint, listings, IToken(address(0)), BOND, APPEAL, HEIR);
        vm.expectRevert(zero);
        new EmergencyExit(controller, checkpoint, listings, token, BOND, APPEAL, address(0));
        vm.expectRevert(abi.encodeWithSelector(Disputes.WrongBond.selector, 0, 1));
        new EmergencyExit(controller, checkpoint, listings, token, 0, APPEAL, HEIR);
        // The council cannot be its own appeal.
        vm.expectRevert(abi.encodeWithSelector(Credits.NotAuthorized.selector, COUNCIL));
        new EmergencyExit(controller, checkpoint, listings, token, BOND, COUNCIL, HEIR);

        listings[1].asset = listings[0].asset;
        vm.expectRevert(abi.encodeWithSelector(Rounds.ListedTwice.selector, listings[0].asset));
        new EmergencyExit(controller, checkpoint, listings, token, BOND, APPEAL, HEIR);
        listings[1].asset = address(0);
        vm.expectRevert(zero);
        new EmergencyExit(controller, checkpoint, listings, token, BOND, APPEAL, HEIR);
        (listings[1].asset, listings[1].ledger) = (address(dai), address(0));
        vm.expectRevert(zero);
        new EmergencyExit(controller, checkpoint, listings, token, BOND, APPEAL, HEIR);
        vm.expectRevert(abi.encodeWithSelector(Rounds.TooManyAssets.selector, 9, 8));
        new EmergencyExit(controller, checkpoint, new Rounds.Listing[](9), token, BOND, APPEAL, HEIR);
        listings = new Rounds.Listing[](8);
        for (uint160 i; i < 8; ++i) {
            listings[i] = Rounds.Listing(address(i + 1), address(vault), false);
        }
        new EmergencyExit(controller, checkpoint, listings, token, BOND, APPEAL, HEIR);
    }
}
