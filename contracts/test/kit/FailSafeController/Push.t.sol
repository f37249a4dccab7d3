// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BoundedCall} from "../../../src/kit/BoundedCall.sol";
import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {Lock} from "../../../src/kit/Lock.sol";
import {ExitCause, Mode, Origin, TripIntent} from "../../../src/kit/Types.sol";
import {Scopes} from "../../../src/kit/controller/Scopes.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {ControllerWorld} from "./ControllerWorld.sol";
import {MockTarget} from "./MockTarget.sol";

/// @notice Targets that fail in every way, and callers with too little gas.
contract PushTest is ControllerWorld {
    event Pushed(bytes32 indexed scope, uint256 called, uint256 ok);

    MockTarget[] internal targets;

    function setUp() public override {
        super.setUp();
        targets = _enrol(MARKET, 4);
    }

    function test_HostileTargetsStopNobodyElse() public {
        MockTarget.Behaviour[4] memory bad = [
            MockTarget.Behaviour.REFUSE,
            MockTarget.Behaviour.EAT_GAS,
            MockTarget.Behaviour.BOMB,
            MockTarget.Behaviour.IGNORE
        ];
        for (uint256 n; n < 4; ++n) {
            MockTarget sound = _enrol(MARKET, 1)[0];
            targets[n].behave(bad[n]);
            sound.behave(MockTarget.Behaviour.OBEY);
        }
        vm.expectEmit(true, true, true, true, address(controller));
        emit Pushed(MARKET, 0xff, 0xf0);
        eq(_trip(_halt(1 hours)), 0xf0, "the four sound ones");
        for (uint256 n; n < 4; ++n) {
            eq(uint8(targets[n].mode()), uint8(Mode.NORMAL), "the bad ones are as they were");
        }
    }

    /// @dev Answers that name no mode made the whole trip panic.
    function test_AnAnswerThatIsNoWordStopsNobody() public {
        targets[0].behave(MockTarget.Behaviour.GARBAGE);
        eq(_trip(_halt(1 hours)), 14, "the sound ones");
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        controller.retry(MARKET, 1);
        vm.warp(block.timestamp + 1);
        vm.prank(COUNCIL);
        controller.release(MARKET);
        eq(uint8(targets[1].mode()), uint8(Mode.RECOVERING), "released");
    }

    /// @dev A bomb costs the target its own gas, and the caller no memory.
    function test_BombCostsNoMoreThanAPush() public {
        targets[0].behave(MockTarget.Behaviour.BOMB);
        TripIntent memory i = _halt(1 hours);
        bytes[] memory sigs = _sign(i, 0, 2);
        uint256 gas = gasleft();
        controller.tripBySig(i, sigs);
        atMost(gas - gasleft(), 120_000 + 500_000, "gas");
    }

    function test_TargetWithoutSuccessReverts() public {
        for (uint256 n; n < 4; ++n) {
            targets[n].behave(MockTarget.Behaviour.REFUSE);
        }
        TripIntent memory i = _halt(1 hours);
        _refused(i, abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        _is(MARKET, Mode.NORMAL, "no episode");
        targets[2].behave(MockTarget.Behaviour.OBEY);
        eq(_trip(i), 4, "the key was not used up");
    }

    function test_ReentryFailsAndHarmsNobody() public {
        TripIntent memory i = _intent(MARKET, Mode.HALTED, 2 hours, "inner");
        targets[0].behaveReentering(abi.encodeCall(controller.tripBySig, (i, _sign(i, 0, 2))));
        eq(_trip(_halt(1 hours)), 15, "all tightened");
        yes(!targets[0].reentered(), "the inner call failed");
        eq(controller.episodeOf(MARKET).tripCount, 1, "one trip");
        targets[0].behaveReentering(abi.encodeCall(controller.retry, (MARKET, 15)));
        _trip(_halt(2 hours));
        yes(!targets[0].reentered(), "nor by retry");
    }

    /// @dev Not even by a target that is council and plan itself.
    function test_NothingIsEnteredFromWithinAPush() public {
        FailSafeController.Configuration memory c = _configuration();
        MockTarget target = new MockTarget();
        (c.council, c.recoveryPlan) = (address(target), address(target));
        _deploy(c);
        vm.startPrank(address(target));
        controller.addScope(MARKET, 0);
        controller.enrol(address(target), MARKET);
        controller.setSoftOrigin(address(this), Origin.SENSOR);
        vm.stopPrank();
        TripIntent memory i = _halt(1 hours);
        bytes[12] memory calls = [
            abi.encodeCall(controller.trip, (i)),
            abi.encodeCall(controller.tripBySig, (i, new bytes[](0))),
            abi.encodeCall(controller.softTrip, (MARKET, Mode.WATCH, 0, 1 hours, "inner")),
            abi.encodeCall(controller.openExit, (MARKET, ExitCause.COUNCIL, abi.encode(1))),
            abi.encodeCall(controller.retry, (MARKET, 1)),
            abi.encodeCall(controller.confirm, (MARKET, uint40(block.timestamp + 1 days))),
            abi.encodeCall(controller.release, (MARKET)),
            abi.encodeCall(controller.waiveGap, (MARKET)),
            abi.encodeCall(controller.holdClosed, (MARKET, 0)),
            abi.encodeCall(controller.setStage, (MARKET, 2)),
            abi.encodeCall(controller.finish, (MARKET)),
            abi.encodeCall(controller.setInsolvent, (MARKET, true))
        ];
        for (uint256 n; n < calls.length; ++n) {
            target.behaveReentering(calls[n]);
            controller.softTrip(MARKET, Mode.WATCH, 0, uint40(1 hours + n), "outer");
            yes(bytes4(target.answer()) == Lock.Reentered.selector, "locked");
        }
    }

    function test_EnrolmentWantsCodeAndNoSecondScope() public {
        address fresh = address(new MockTarget());
        vm.startPrank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(Scopes.UnknownTarget.selector, address(0xbeef)));
        controller.enrol(address(0xbeef), MARKET);
        vm.expectRevert(abi.encodeWithSelector(Scopes.TargetTaken.selector, address(targets[0])));
        controller.enrol(address(targets[0]), GLOBAL);
        vm.expectRevert(abi.encodeWithSelector(Scopes.UnknownScope.selector, bytes32("none")));
        controller.enrol(fresh, "none");
    }

    function test_TreeBounds() public {
        vm.startPrank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(Scopes.TooDeep.selector, MARKET));
        controller.addScope("fourth", MARKET);
        vm.expectRevert(abi.encodeWithSelector(Scopes.ScopeTaken.selector, MARKET));
        controller.addScope(MARKET, PRODUCT);
        vm.expectRevert(abi.encodeWithSelector(Scopes.UnknownScope.selector, bytes32(0)));
        controller.addScope(0, GLOBAL);
        vm.expectRevert(abi.encodeWithSelector(Scopes.UnknownScope.selector, bytes32("none")));
        controller.addScope("new", "none");
        vm.stopPrank();
        _enrol(MARKET, 28);
        MockTarget one = new MockTarget();
        _council();
        vm.expectRevert(abi.encodeWithSelector(Scopes.TooManyTargets.selector, MARKET));
        controller.enrol(address(one), MARKET);
        _council();
        vm.expectRevert(abi.encodeWithSelector(Scopes.TooManyTargets.selector, GLOBAL));
        controller.enrol(address(one), GLOBAL);
    }

    function test_ATripReachesEveryTargetBelow() public {
        vm.prank(COUNCIL);
        controller.addScope("other", PRODUCT);
        MockTarget other = _enrol("other", 1)[0];
        _seat(GLOBAL);
        TripIntent memory i = _intent(GLOBAL, Mode.HALTED, 1 hours, "all");
        eq(_trip(i), 31, "five targets");
        eq(uint8(other.mode()), uint8(Mode.HALTED), "the other market too");
        _is(MARKET, Mode.NORMAL, "the market has no episode of its own");
        (bool closed, uint40 until) = controller.restrictionOf(address(other), Classes.EXIT);
        yes(closed, "pull form: union along the path");
        eq(until, block.timestamp + 1 hours, "pull form: until");
        vm.expectRevert(abi.encodeWithSelector(Scopes.UnknownTarget.selector, address(this)));
        controller.restrictionOf(address(this), 0);
    }

    /// @dev S0 of the scope is the longest of its targets', and never longer than its own dwell.
    function test_PullFormHasTheLongestS0() public {
        targets[0].serveS0(7 hours);
        targets[3].serveS0(3 hours);
        _trip(_halt(1 hours));
        vm.warp(block.timestamp + 7 hours - 1);
        (bool closed,) = controller.restrictionOf(address(targets[3]), Classes.EXIT);
        yes(closed, "S0");
        vm.warp(block.timestamp + 1);
        (closed,) = controller.restrictionOf(address(targets[0]), Classes.EXIT);
        yes(!closed, "S1");
    }

    function test_PullFormIsTheLongestOfThePath() public {
        _seat(GLOBAL);
        _trip(_restrict(10 hours));
        _trip(_intent(GLOBAL, Mode.RESTRICTED, 2 hours, "all"));
        (bool closed, uint40 until) = controller.restrictionOf(address(targets[0]), Classes.ENTER);
        yes(closed, "closed");
        eq(until, block.timestamp + 10 hours, "the market's own is longer");
        (closed,) = controller.restrictionOf(address(targets[0]), Classes.EXIT);
        yes(!closed, "EXIT is open in RESTRICTED");
        (closed,) = controller.restrictionOf(address(targets[0]), 200);
        yes(!closed, "no such class");
    }

    function test_RetryCatchesUpWhatFailed() public {
        targets[1].behave(MockTarget.Behaviour.REFUSE);
        eq(_trip(_halt(10 hours)), 13, "one failed");
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        controller.retry(MARKET, 2);
        targets[1].behave(MockTarget.Behaviour.OBEY);
        vm.warp(block.timestamp + 1 hours);
        uint256 calls = targets[0].calls();
        eq(controller.retry(MARKET, type(uint256).max), 2, "only the one that was behind");
        eq(targets[0].calls(), calls, "the others were not called");
        eq(uint8(targets[1].mode()), uint8(Mode.HALTED), "caught up");
        eq(uint8(targets[1].last().origin), uint8(Origin.GUARDIAN), "from the guardian's budget");
        eq(targets[1].last().until, block.timestamp + 9 hours, "no longer than the scope");
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        controller.retry(MARKET, type(uint256).max);
    }

    function test_RetryDoesNothingInNormal() public {
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        controller.retry(MARKET, 15);
    }

    function test_RetryFinishesWhatARecoveryMissed() public {
        _trip(_restrict(1 hours));
        vm.warp(block.timestamp + 1 hours);
        _plan();
        controller.setStage(MARKET, 2);
        targets[0].behave(MockTarget.Behaviour.REFUSE);
        _plan();
        controller.setStage(MARKET, 3);
        eq(targets[0].stage(), 2, "one stage behind");
        eq(targets[1].stage(), 3, "the others are not");
        targets[0].behave(MockTarget.Behaviour.OBEY);
        eq(controller.retry(MARKET, 1), 1, "caught up");
        eq(targets[0].stage(), 3, "stage");
    }

    /// @dev A recovery of one scope opens nothing that another scope on the path closed, and the last one to end opens it.
    function test_LooseningStopsAtATighterScope() public {
        _seat(GLOBAL);
        _trip(_halt(72 hours));
        _trip(_intent(GLOBAL, Mode.RESTRICTED, 1 hours, "all"));
        MockTarget other = _enrol(PRODUCT, 1)[0];
        controller.retry(GLOBAL, 16);
        vm.warp(block.timestamp + 1 hours);
        _finish(GLOBAL);
        _is(GLOBAL, Mode.NORMAL, "the global episode is over");
        eq(uint8(other.mode()), uint8(Mode.NORMAL), "and with it the product's own target");
        for (uint256 n; n < 4; ++n) {
            eq(uint8(targets[n].mode()), uint8(Mode.HALTED), "the market's halt stands");
        }
        vm.warp(block.timestamp + 80 hours);
        _finish(MARKET);
        for (uint256 n; n < 4; ++n) {
            eq(uint8(targets[n].mode()), uint8(Mode.NORMAL), "open again");
        }
    }

    /// @dev A target that the trip never reached is not put into a recovery that it does not need.
    function test_RecoveryLeavesHealthyTargetsAlone() public {
        targets[3].behave(MockTarget.Behaviour.REFUSE);
        _trip(_restrict(1 hours));
        targets[3].behave(MockTarget.Behaviour.OBEY);
        vm.warp(block.timestamp + 1 hours);
        _plan();
        controller.setStage(MARKET, 2);
        eq(targets[3].calls(), 0, "not called");
        eq(uint8(targets[3].mode()), uint8(Mode.NORMAL), "still open");
    }

    /// @dev T5: whatever gas a relayer gives, either every target was given its full push or nothing happened at all.
    function testFuzz_TooLittleGasChangesNothing(uint256 gas) public {
        gas = clamp(gas, 60_000, 1_200_000);
        TripIntent memory i = _halt(1 hours);
        bytes memory data = abi.encodeCall(controller.tripBySig, (i, _sign(i, 0, 2)));
        (bool ok,) = address(controller).call{gas: gas}(data);
        if (ok) {
            for (uint256 n; n < 4; ++n) {
                eq(uint8(targets[n].mode()), uint8(Mode.HALTED), "all of them");
            }
        } else {
            eq(controller.episodeOf(MARKET).episodeId, 0, "nothing happened");
            eq(_trip(i), 15, "and the key is unused");
        }
    }

    function _finish(bytes32 scope) private {
        for (uint8 stage = 2; stage < 5; ++stage) {
            _plan();
            controller.setStage(scope, stage);
        }
        _plan();
        controller.finish(scope);
    }
}
