// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BoundedCall} from "../../../src/kit/BoundedCall.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {IDeficitSource, IProbe, ISolvencySource} from "../../../src/kit/interfaces/ISensors.sol";
import {IRecoveryController, RecoveryPlan} from "../../../src/kit/recovery/RecoveryPlan.sol";
import {Gauge, RecoveryWorld} from "./World.sol";

/// @notice The way from the end of a restriction to NORMAL.
contract RampTest is RecoveryWorld {
    function test_HaltServesS0AndRestrictionDoesNot() public {
        uint40 until = _trip(Mode.HALTED, 3 days);
        vm.warp(until + S0 - 1);
        _eqStage(0, "last second of S0");
        vm.warp(until + S0);
        _eqStage(1, "S1 by time alone");

        until = _trip(Mode.RESTRICTED, 1 days);
        vm.warp(until - 1);
        _eqStage(0, "live restriction");
        vm.warp(until);
        _eqStage(1, "straight to S1");
    }

    /// @dev T4: whatever was restricted and flagged, S1 is there at the latest 48 h after day 21 or after S0, without a call;
    /// and time alone never gives more than S1.
    function testFuzz_T4_TimeAloneOpensS1AndNoMore(uint40 duration, bool halted, bool flagged, uint40 later) public {
        duration = uint40(clamp(duration, 1 hours, 21 days));
        uint40 until = _trip(halted ? Mode.HALTED : Mode.RESTRICTED, duration);
        if (flagged) {
            solvency.set(1e18 - 1);
            _flag();
        }
        uint256 latest = until + (halted ? S0 : 0);
        if (flagged && latest < START + 23 days) latest = START + 23 days;
        vm.warp(latest - 1);
        _eqStage(0, "not earlier");
        vm.warp(latest + clamp(later, 0, 3650 days));
        _eqStage(1, "S1 and no more");
    }

    function test_EveryStageWaitsForItsDwellAndOpensOnce() public {
        uint40 until = _trip(Mode.HALTED, 1 days);
        vm.warp(until + S0);
        plan.notePrices(SCOPE);
        uint40[4] memory dwell = [uint40(24 hours), 12 hours, 24 hours, 24 hours];
        for (uint8 stage = 1; stage <= 4; ++stage) {
            uint40 readyAt = uint40(block.timestamp) + dwell[stage - 1];
            vm.warp(readyAt - 1);
            vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.HeldUntil.selector, SCOPE, stage, readyAt));
            plan.advance(SCOPE);
            vm.warp(readyAt);
            _expectEvent();
            emit RecoveryPlan.Advanced(SCOPE, 1, stage + 1);
            plan.advance(SCOPE);
            eq(controller.orderCount(), stage, "one order per call");
            eq(controller.orders(stage - 1), stage + 1, "the next stage, 5 is NORMAL");
            if (stage < 4) {
                uint40 next = readyAt + dwell[stage];
                vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.HeldUntil.selector, SCOPE, stage + 1, next));
                plan.advance(SCOPE);
            }
        }
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.NotRecovering.selector, SCOPE));
        plan.advance(SCOPE);
        (uint8 stage_, uint40 since) = plan.stageOf(SCOPE);
        eq(stage_ + since, 0, "nothing left");
    }

    function test_NothingToAdvanceBeforeS1() public {
        uint40 until = _trip(Mode.HALTED, 1 days);
        for (uint256 time = START; time < until + S0; time += 5 hours) {
            vm.warp(time);
            vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.HeldUntil.selector, SCOPE, 0, until + S0));
            plan.advance(SCOPE);
        }
    }

    function test_ModesWithoutRampRefuse() public {
        Mode[3] memory modes = [Mode.NORMAL, Mode.WATCH, Mode.EXIT];
        for (uint256 i = 0; i < modes.length; ++i) {
            controller.set(modes[i], START);
            vm.warp(START + 100 days);
            vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.NotRecovering.selector, SCOPE));
            plan.advance(SCOPE);
        }
    }

    function test_CouncilMayLengthenUpToDay21() public {
        uint40 until = _trip(Mode.RESTRICTED, 1 days);
        vm.warp(until);
        uint40 ready = until + 24 hours;
        uint40 most = START + 21 days;
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.NotCouncil.selector, address(this)));
        plan.lengthen(SCOPE, ready + 1);

        vm.startPrank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.OutOfRange.selector, ready, ready + 1, most));
        plan.lengthen(SCOPE, ready);
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.OutOfRange.selector, most + 1, ready + 1, most));
        plan.lengthen(SCOPE, most + 1);
        _expectEvent();
        emit RecoveryPlan.DwellLengthened(SCOPE, 1, ready + 1 days);
        plan.lengthen(SCOPE, ready + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(RecoveryPlan.OutOfRange.selector, ready + 1 hours, ready + 1 days + 1, most)
        );
        plan.lengthen(SCOPE, ready + 1 hours);
        plan.lengthen(SCOPE, ready + 1 days + 1);
        vm.stopPrank();

        plan.notePrices(SCOPE);
        vm.warp(ready + 1 days);
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.HeldUntil.selector, SCOPE, 1, ready + 1 days + 1));
        plan.advance(SCOPE);
        vm.warp(ready + 1 days + 1);
        plan.advance(SCOPE);
        vm.warp(ready + 1 days + 1 + 12 hours);
        plan.advance(SCOPE);
        eq(controller.orderCount(), 2, "the next stage has its own dwell again");
        vm.prank(COUNCIL);
        plan.lengthen(SCOPE, most);
        vm.warp(most - 1);
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.HeldUntil.selector, SCOPE, 3, most));
        plan.advance(SCOPE);
    }

    function test_CouncilCannotLengthenALiveRestriction() public {
        uint40 until = _trip(Mode.RESTRICTED, 1 days);
        vm.prank(COUNCIL);
        vm.expectPartialRevert(RecoveryPlan.OutOfRange.selector);
        plan.lengthen(SCOPE, until + 10 days);
    }

    /// @dev From S3 on every probe and the deficit must be green, at the moment of the step.
    function test_NotGreenHoldsEveryStepFromS2On() public {
        for (uint8 stage = 3; stage <= 5; ++stage) {
            setUp();
            vm.warp(_trip(Mode.RESTRICTED, 1 days));
            _climb(stage);
            _expectHeld(stage, probe2, Gauge.Answer.HONEST, 0);
            _expectHeld(stage, deficit, Gauge.Answer.HONEST, 1);
            deficit.set(0);
            deficit.setAsOf(uint40(block.timestamp) - AGE - 1);
            _expectNotGreen(address(deficit), "a stale figure is no figure");
            deficit.setAsOf(uint40(block.timestamp) + 1);
            _expectNotGreen(address(deficit), "nor is one of tomorrow");
            deficit.setAsOf(uint40(block.timestamp) - AGE); // as old as it may be
            for (uint8 bad = 1; bad <= 4; ++bad) {
                _expectHeld(stage, probe, Gauge.Answer(bad), 1);
                _expectHeld(stage, deficit, Gauge.Answer(bad), 0);
            }
            _expectHeld(stage, probe2, Gauge.Answer.NOT_BOOL, 1);
            plan.advance(SCOPE);
            eq(controller.orders(stage - 2), stage, "green again");
            deficit.revive();
            vm.warp(block.timestamp + 1 days);
            vm.etch(address(probe), "");
            if (stage < 5) _expectNotGreen(address(probe), "gone");
        }
    }

    /// @dev A red probe is not outlived: time pays no thief.
    function test_Regress_Review_TimePaysThief() public {
        vm.warp(_trip(Mode.RESTRICTED, 1 days));
        _climb(3);
        probe.set(0);
        vm.warp(START + 400 days);
        _expectNotGreen(address(probe), "red for a year");
        _eqStage(2, "entitlement still binds");
        vm.prank(COUNCIL);
        vm.expectPartialRevert(RecoveryPlan.OutOfRange.selector);
        plan.lengthen(SCOPE, uint40(block.timestamp) + 1);
    }

    function test_CallerShortOfGasDecidesNothing() public {
        vm.warp(_trip(Mode.RESTRICTED, 1 days));
        _climb(3);
        (bool ok, bytes memory data) = address(plan).call{gas: 140_000}(abi.encodeCall(plan.advance, (SCOPE)));
        yes(!ok && bytes4(data) == BoundedCall.GasTooLow.selector, "refused for want of gas");
    }

    /// @dev T8: S2, which opens LIQUIDATE, needs prices seen live one grace period ago, not seen dead since, and live now.
    function test_T8_LiquidationWaitsForGraceOfLivePrices() public {
        uint40 until = _trip(Mode.RESTRICTED, 1 days);
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.NothingToDecide.selector, SCOPE));
        plan.notePrices(SCOPE);
        vm.warp(until + 24 hours);
        _expectPricesNotLive("never noted");
        _expectEvent();
        emit RecoveryPlan.PricesNoted(SCOPE, true);
        plan.notePrices(SCOPE);
        vm.warp(until + 24 hours + GRACE - 1);
        _expectPricesNotLive("a second short");

        solvency.setAsOf(uint40(block.timestamp) - AGE - 1);
        _expectEvent();
        emit RecoveryPlan.PricesNoted(SCOPE, false);
        plan.notePrices(SCOPE);
        solvency.revive();
        vm.warp(until + 24 hours + GRACE);
        _expectPricesNotLive("they died in between");
        plan.notePrices(SCOPE);
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.NothingToDecide.selector, SCOPE));
        plan.notePrices(SCOPE);

        vm.warp(block.timestamp + GRACE);
        solvency.misbehave(Gauge.Answer.REVERT);
        _expectPricesNotLive("dead now");
        solvency.misbehave(Gauge.Answer.HONEST);
        plan.advance(SCOPE);
        eq(controller.orders(0), 2, "S2");
    }

    /// @dev A trip inside the ramp is possible at every stage, takes effect at once, and the ramp after it starts from S1.
    function test_Regress_Arcadia_SecondPauseImpossible() public {
        for (uint8 stage = 2; stage <= 4; ++stage) {
            setUp();
            vm.warp(_trip(Mode.RESTRICTED, 1 days));
            _climb(stage);
            plan.advance(SCOPE);
            _eqStage(stage, "in the ramp");
            uint40 until = _trip(Mode.RESTRICTED, 2 hours);
            _eqStage(0, "closed again");
            vm.warp(until - 1);
            vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.HeldUntil.selector, SCOPE, 0, until));
            plan.advance(SCOPE);
            vm.warp(until);
            vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.HeldUntil.selector, SCOPE, 1, until + 24 hours));
            plan.advance(SCOPE);
            vm.warp(until + 24 hours);
            _expectPricesNotLive("the note of the old ramp is gone");
        }
    }

    /// @dev No answer is not an old one: where every age will do, it still keeps the stage closed.
    function test_ADeadSensorIsGreenAtNoAge() public {
        plan = new RecoveryPlan(IRecoveryController(address(controller)), S0, GRACE, type(uint40).max, K);
        vm.prank(COUNCIL);
        plan.enrol(SCOPE, _sensors());
        vm.warp(_trip(Mode.RESTRICTED, 1 days));
        _climb(3);
        deficit.setAsOf(1);
        for (uint8 bad = 1; bad <= 4; ++bad) {
            _expectHeld(3, deficit, Gauge.Answer(bad), 0);
        }
        plan.advance(SCOPE);
        eq(controller.orders(1), 3, "an old figure without a loss");
    }

    function test_EnrolmentIsForTheCouncil() public {
        RecoveryPlan.Sensors memory s = _sensors();
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.NotCouncil.selector, address(this)));
        plan.enrol("other", s);
        vm.startPrank(COUNCIL);
        _expectInvalid(0, s);
        s.probes = new IProbe[](0);
        _expectInvalid("other", s);
        s.probes = new IProbe[](9);
        _expectInvalid("other", s);
        s.probes = new IProbe[](8);
        _expectEvent();
        emit RecoveryPlan.Enrolled("most", s.solvency, s.deficit, s.probes, block.timestamp);
        plan.enrol("most", s);
        s = _sensors();
        s.solvency = ISolvencySource(address(0));
        _expectInvalid("other", s);
        s = _sensors();
        s.deficit = IDeficitSource(address(0));
        _expectInvalid("other", s);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.NotEnrolled.selector, bytes32("other")));
        plan.advance("other");
    }

    /// @dev A dead probe can be replaced, but no judge named in an episode says how that episode ends.
    function test_ReplacementOutlastsAnyEpisode() public {
        vm.warp(_trip(Mode.RESTRICTED, 1 days));
        _climb(3);
        probe.misbehave(Gauge.Answer.BURN);
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.TooEarly.selector, SCOPE, 0));
        plan.replace(SCOPE);

        RecoveryPlan.Sensors memory s = _sensors();
        s.probes[0] = probe2;
        uint256 from = block.timestamp + 23 days;
        _expectEvent();
        emit RecoveryPlan.Enrolled(SCOPE, s.solvency, s.deficit, s.probes, from);
        vm.prank(COUNCIL);
        plan.enrol(SCOPE, s);
        eq(plan.replaceableFrom(SCOPE), from, "not earlier");
        vm.warp(from - 1);
        _expectNotGreen(address(probe), "the old ones still judge");
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.TooEarly.selector, SCOPE, from));
        plan.replace(SCOPE);
        vm.warp(from);
        _expectEvent();
        emit RecoveryPlan.Replaced(SCOPE);
        plan.replace(SCOPE);
        plan.advance(SCOPE);
        eq(controller.orders(1), 3, "the new ones judge");
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.TooEarly.selector, SCOPE, 0));
        plan.replace(SCOPE);
    }

    function test_ConstructorRefusesInconsistentBounds() public {
        IRecoveryController c = IRecoveryController(address(controller));
        _expectInvalidPlan(IRecoveryController(address(0)), S0, GRACE, AGE, K);
        _expectInvalidPlan(c, 0, GRACE, AGE, K);
        _expectInvalidPlan(c, 24 hours + 1, GRACE, AGE, K);
        _expectInvalidPlan(c, S0, 4 hours - 1, AGE, K);
        _expectInvalidPlan(c, S0, 48 hours + 1, AGE, K);
        _expectInvalidPlan(c, S0, GRACE, 0, K);
        _expectInvalidPlan(c, S0, GRACE, AGE, 0);
        eq(new RecoveryPlan(c, 24 hours, 48 hours, 1, 1).s0Dwell(), 24 hours, "the ceilings themselves");
        eq(new RecoveryPlan(c, 1, 4 hours, 1, 1).grace(), 4 hours, "the floors themselves");
    }

    function _expectEvent() private {
        vm.expectEmit(true, true, true, true, address(plan));
    }

    function _expectInvalidPlan(IRecoveryController c, uint40 s0, uint40 grace, uint40 age, uint40 k) private {
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.InvalidConfiguration.selector));
        new RecoveryPlan(c, s0, grace, age, k);
    }

    function _expectInvalid(bytes32 scope, RecoveryPlan.Sensors memory s) private {
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.InvalidConfiguration.selector));
        plan.enrol(scope, s);
    }

    function _expectPricesNotLive(string memory) private {
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.NotGreen.selector, address(solvency)));
        plan.advance(SCOPE);
    }

    function _expectNotGreen(address who, string memory) private {
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.NotGreen.selector, who));
        plan.advance(SCOPE);
    }

    /// @dev `gauge` answers badly, holds the step, and is as before afterwards.
    function _expectHeld(uint8 stage, Gauge gauge, Gauge.Answer answer, uint256 value) private {
        uint256 before = gauge.value();
        gauge.set(value);
        gauge.misbehave(answer);
        _expectNotGreen(address(gauge), "held");
        gauge.misbehave(Gauge.Answer.HONEST);
        gauge.set(before);
        eq(controller.orderCount(), stage - 2, "no order");
    }
}
