// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {ExitCause, Mode, Origin, TripIntent} from "../../../src/kit/Types.sol";
import {Council} from "../../../src/kit/controller/Council.sol";
import {CouncilChallenge} from "../../../src/kit/controller/CouncilChallenge.sol";
import {Exits} from "../../../src/kit/controller/Exits.sol";
import {Scopes} from "../../../src/kit/controller/Scopes.sol";
import {ControllerWorld, Verdicts} from "./ControllerWorld.sol";
import {MockTarget} from "./MockTarget.sol";

contract ExitsTest is ControllerWorld {
    address internal constant ANYONE = address(0xa11);
    bytes internal constant CHECKPOINT = abi.encode(uint256(41));

    MockTarget[] internal targets;

    function setUp() public override {
        super.setUp();
        targets = _enrol(MARKET, 2);
        vm.deal(ANYONE, 10 ether);
        vm.deal(address(this), 10 ether);
    }

    receive() external payable {}

    // ---------------------------------------------------------------- causes

    function test_CouncilOpensExitInAnEpisodeOnly() public {
        _council();
        vm.expectRevert(abi.encodeWithSelector(Exits.NotLive.selector, MARKET));
        controller.openExit(MARKET, ExitCause.COUNCIL, CHECKPOINT);
        _trip(_intent(MARKET, Mode.WATCH, 1 hours, "watch"));
        _council();
        vm.expectRevert(abi.encodeWithSelector(Exits.NotLive.selector, MARKET));
        controller.openExit(MARKET, ExitCause.COUNCIL, CHECKPOINT);
        _trip(_restrict(1 hours));
        _notMet(ExitCause.COUNCIL);
        _council();
        controller.openExit(MARKET, ExitCause.COUNCIL, CHECKPOINT);
        _exited();
    }

    function test_InsolvencyOpensExitForAnyone() public {
        _trip(_halt(1 hours));
        _notMet(ExitCause.INSOLVENT);
        verdicts.setInsolvent(true);
        vm.prank(ANYONE);
        controller.openExit(MARKET, ExitCause.INSOLVENT, CHECKPOINT);
        _exited();
    }

    function test_UnservedExitsOpenExitWhileRestricted() public {
        _trip(_restrict(1 hours));
        _notMet(ExitCause.UNSERVED);
        verdicts.setStarved(true);
        vm.warp(block.timestamp + 1 hours);
        _notMet(ExitCause.UNSERVED);
        _trip(_restrict(2 hours));
        vm.prank(ANYONE);
        controller.openExit(MARKET, ExitCause.UNSERVED, CHECKPOINT);
        _exited();
    }

    function test_WithoutForcedExitsNoneAreUnserved() public {
        FailSafeController.Configuration memory c = _configuration();
        c.forcedExits = address(0);
        _deploy(c);
        _council();
        controller.addScope(MARKET, 0);
        _seat(MARKET);
        _enrol(MARKET, 1);
        _trip(_restrict(1 hours));
        _notMet(ExitCause.UNSERVED);
    }

    function test_SilenceNeedsGuardiansAndCouncilSilent() public {
        _trip(_halt(72 hours));
        uint256 start = block.timestamp;
        _challenge();
        vm.warp(start + 14 days);
        _notMet(ExitCause.SILENCE);
        vm.warp(start + 14 days + 1);
        vm.prank(ANYONE);
        controller.openExit(MARKET, ExitCause.SILENCE, CHECKPOINT);
        _exited();
    }

    /// @dev One heartbeat on the path is a sign of life, also of a group above.
    function test_AnyHeartbeatOnThePathStopsSilence() public {
        _trip(_halt(72 hours));
        _challenge();
        _seat(GLOBAL);
        _step(1, 13 days);
        _beat(GLOBAL, 4);
        _step(1, 10 days);
        yes(challenge.unanswered(MARKET), "the council is silent");
        _notMet(ExitCause.SILENCE);
        vm.warp(block.timestamp + 4 days + 1);
        controller.openExit(MARKET, ExitCause.SILENCE, CHECKPOINT);
    }

    function test_SilenceWithoutAChallengeIsNone() public {
        _trip(_halt(72 hours));
        vm.warp(block.timestamp + 30 days);
        _notMet(ExitCause.SILENCE);
    }

    // ---------------------------------------------------------------- challenge

    function test_AnAnswerInTimeTakesTheBond() public {
        _trip(_halt(72 hours));
        _challenge();
        vm.expectRevert(abi.encodeWithSelector(CouncilChallenge.NotAuthorized.selector, address(this)));
        challenge.answer(MARKET);
        vm.warp(block.timestamp + 14 days);
        _council();
        challenge.answer(MARKET);
        eq(COUNCIL.balance, BOND, "the bond is the council's");
        vm.warp(block.timestamp + 1);
        _notMet(ExitCause.SILENCE);
        _council();
        vm.expectRevert(abi.encodeWithSelector(CouncilChallenge.NotChallenged.selector, MARKET));
        challenge.answer(MARKET);
        // It can be asked again, and the time runs anew.
        _challenge();
        vm.warp(block.timestamp + 14 days);
        _notMet(ExitCause.SILENCE);
    }

    function test_ChallengesCostABondAndNeedATightScope() public {
        vm.startPrank(ANYONE);
        vm.expectRevert(abi.encodeWithSelector(CouncilChallenge.NotLive.selector, MARKET));
        challenge.challenge{value: BOND}(MARKET);
        vm.stopPrank();
        _trip(_halt(1 hours));
        vm.startPrank(ANYONE);
        vm.expectRevert(abi.encodeWithSelector(CouncilChallenge.WrongBond.selector, BOND - 1, BOND));
        challenge.challenge{value: BOND - 1}(MARKET);
        challenge.challenge{value: BOND}(MARKET);
        vm.expectRevert(abi.encodeWithSelector(CouncilChallenge.ChallengeStands.selector, MARKET));
        challenge.challenge{value: BOND}(MARKET);
    }

    function test_AChallengeNeedsAControllerAndABond() public {
        vm.expectRevert(_err(CouncilChallenge.InvalidConfiguration.selector));
        new CouncilChallenge(FailSafeController(address(0)), BOND);
        vm.expectRevert(_err(CouncilChallenge.InvalidConfiguration.selector));
        new CouncilChallenge(controller, 0);
    }

    /// @dev It stays here for a challenger that cannot take it yet.
    function test_ABondThatIsNotTakenStays() public {
        _trip(_restrict(1 hours));
        vm.deal(address(targets[0]), BOND);
        vm.prank(address(targets[0]));
        challenge.challenge{value: BOND}(MARKET);
        _council();
        controller.openExit(MARKET, ExitCause.COUNCIL, CHECKPOINT);
        vm.expectRevert(_err(CouncilChallenge.TransferFailed.selector));
        challenge.refund(MARKET, 1);
        eq(address(challenge).balance, BOND, "the bond");
    }

    function test_TheBondComesBackWhenTheEpisodeIsOver() public {
        _trip(_restrict(1 hours));
        _challenge();
        vm.expectRevert(abi.encodeWithSelector(CouncilChallenge.ChallengeStands.selector, MARKET));
        challenge.refund(MARKET, 1);
        vm.warp(block.timestamp + 1 hours);
        vm.expectRevert(abi.encodeWithSelector(CouncilChallenge.ChallengeStands.selector, MARKET));
        challenge.refund(MARKET, 1);
        for (uint8 stage = 2; stage < 5; ++stage) {
            _plan();
            controller.setStage(MARKET, stage);
            vm.expectRevert(abi.encodeWithSelector(CouncilChallenge.ChallengeStands.selector, MARKET));
            challenge.refund(MARKET, 1);
        }
        _plan();
        controller.finish(MARKET);
        challenge.refund(MARKET, 1);
        eq(ANYONE.balance, 10 ether, "whole");
        vm.expectRevert(abi.encodeWithSelector(CouncilChallenge.NotChallenged.selector, MARKET));
        challenge.refund(MARKET, 1);
    }

    /// @dev A challenge is of its episode: it says nothing about a later one, and does not stand in its way.
    function test_AnOldChallengeIsNoneOfTheNextEpisode() public {
        _trip(_restrict(1 hours));
        _challenge();
        vm.warp(block.timestamp + 1 hours);
        for (uint8 stage = 2; stage < 5; ++stage) {
            _plan();
            controller.setStage(MARKET, stage);
        }
        _plan();
        controller.finish(MARKET);
        vm.warp(block.timestamp + 13 days);
        _trip(_restrict(1 hours));
        vm.warp(block.timestamp + 2 days);
        yes(!challenge.unanswered(MARKET), "not challenged in this one");
        _challenge();
        challenge.refund(MARKET, 1);
        eq(ANYONE.balance, 9 ether, "the first bond is back, the second stands");
    }

    function test_TheBondComesBackInExit() public {
        _trip(_halt(72 hours));
        _challenge();
        vm.warp(block.timestamp + 14 days + 1);
        controller.openExit(MARKET, ExitCause.SILENCE, CHECKPOINT);
        challenge.refund(MARKET, 1);
        eq(ANYONE.balance, 10 ether, "whole");
    }

    // ---------------------------------------------------------------- terminal

    function test_ExitHasNoWayOut() public {
        _trip(_halt(72 hours));
        vm.warp(block.timestamp + 1 hours);
        TripIntent memory i = _halt(2 hours);
        _council();
        controller.openExit(MARKET, ExitCause.COUNCIL, CHECKPOINT);
        _refused(i, abi.encodeWithSelector(Scopes.ExitTerminal.selector, MARKET));
        bytes[7] memory calls = [
            abi.encodeCall(controller.confirm, (MARKET, uint40(block.timestamp + 1 days))),
            abi.encodeCall(controller.release, (MARKET)),
            abi.encodeCall(controller.setIncidentBlock, (MARKET, uint40(block.number - 1))),
            abi.encodeCall(controller.setStage, (MARKET, 2)),
            abi.encodeCall(controller.finish, (MARKET)),
            abi.encodeCall(controller.openExit, (MARKET, ExitCause.COUNCIL, CHECKPOINT)),
            abi.encodeCall(controller.retry, (MARKET, 3))
        ];
        for (uint256 n; n < calls.length; ++n) {
            address[2] memory callers = [COUNCIL, address(verdicts)];
            for (uint256 k; k < 2; ++k) {
                vm.prank(callers[k]);
                (bool ok,) = address(controller).call(calls[n]);
                yes(!ok, "no way out");
            }
        }
        vm.prank(address(verdicts));
        controller.setInsolvent(MARKET, true);
        vm.warp(block.timestamp + 365 days);
        _exited();
    }

    /// @dev The recovery of the scope above does not open what has exited, and the round is not opened twice.
    function test_ExitBelowAndAbove() public {
        _seat(GLOBAL);
        _trip(_halt(72 hours));
        _trip(_intent(GLOBAL, Mode.RESTRICTED, 1 hours, "all"));
        _council();
        controller.openExit(MARKET, ExitCause.COUNCIL, CHECKPOINT);
        vm.warp(block.timestamp + 1 hours);
        for (uint8 stage = 2; stage < 5; ++stage) {
            _plan();
            controller.setStage(GLOBAL, stage);
        }
        _plan();
        controller.finish(GLOBAL);
        _exited();
        _trip(_intent(GLOBAL, Mode.HALTED, 1 hours, "again"));
        _council();
        controller.openExit(GLOBAL, ExitCause.COUNCIL, CHECKPOINT);
        eq(verdicts.rounds(), 2, "a round for the rest");
        _seat(PRODUCT);
        MockTarget other = _enrol(PRODUCT, 1)[0];
        _trip(_intent(PRODUCT, Mode.HALTED, 1 hours, "product"));
        eq(uint8(other.mode()), uint8(Mode.HALTED), "a later target of an exited scope still obeys");
        _council();
        vm.expectRevert(abi.encodeWithSelector(Scopes.ExitTerminal.selector, GLOBAL));
        controller.openExit(PRODUCT, ExitCause.COUNCIL, CHECKPOINT);
    }

    function test_ABadCheckpointOpensNothing() public {
        _trip(_halt(1 hours));
        _council();
        vm.expectRevert(abi.encodeWithSelector(Verdicts.WrongCheckpoint.selector, 666));
        controller.openExit(MARKET, ExitCause.COUNCIL, abi.encode(uint256(666)));
        _is(MARKET, Mode.HALTED, "no exit");
        eq(uint8(targets[0].mode()), uint8(Mode.HALTED), "nor at the target");
    }

    /// @dev A broken target cannot keep the others' users in; anyone catches it up later.
    function test_ExitOpensWithoutABrokenTarget() public {
        _trip(_halt(1 hours));
        targets[0].behave(MockTarget.Behaviour.EAT_GAS);
        targets[1].behave(MockTarget.Behaviour.REFUSE);
        verdicts.setInsolvent(true);
        controller.openExit(MARKET, ExitCause.INSOLVENT, CHECKPOINT);
        eq(verdicts.rounds(), 1, "opened");
        targets[0].behave(MockTarget.Behaviour.OBEY);
        vm.warp(block.timestamp + 100 days);
        eq(controller.retry(MARKET, 3), 1, "caught up");
        eq(uint8(targets[0].mode()), uint8(Mode.EXIT), "exit");
    }

    function _challenge() private {
        vm.prank(ANYONE);
        challenge.challenge{value: BOND}(MARKET);
    }

    function _notMet(ExitCause cause) private {
        vm.expectRevert(abi.encodeWithSelector(Exits.CauseNotMet.selector, MARKET, cause));
        controller.openExit(MARKET, cause, CHECKPOINT);
    }

    function _exited() private view {
        _is(MARKET, Mode.EXIT, "exit");
        for (uint256 n; n < 2; ++n) {
            eq(uint8(targets[n].mode()), uint8(Mode.EXIT), "target");
            eq(uint8(targets[n].last().origin), uint8(Origin.COUNCIL), "origin");
        }
        eq(verdicts.checkpointId(), 41, "checkpoint");
        (bool closed, uint40 until) = controller.restrictionOf(address(targets[0]), Classes.UPGRADE);
        yes(closed, "no upgrade");
        eq(until, type(uint40).max, "for ever");
        (closed,) = controller.restrictionOf(address(targets[0]), Classes.CLAIM);
        yes(!closed, "claims are open");
    }
}
