// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BoundedCall} from "../../../src/kit/BoundedCall.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {RecoveryPlan} from "../../../src/kit/recovery/RecoveryPlan.sol";
import {Gauge, RecoveryWorld} from "./World.sol";

/// @notice How a scope comes to be held as insolvent, and how that ends.
contract InsolvencyTest is RecoveryWorld {
    /// @dev A pool that cannot pay everybody does not start to pay the first: S1, which opens EXIT, is held until two readings
    /// say that it is whole, and its dwell starts then.
    function test_Regress_Morpho_RunBeforeRealisation() public {
        uint40 until = _trip(Mode.HALTED, 1 days);
        solvency.set(0.97e18);
        vm.expectEmit(true, true, true, true, address(plan));
        emit RecoveryPlan.Touched(SCOPE, RecoveryPlan.Touch.FLAG, uint40(block.number));
        plan.flagInsolvent(SCOPE);
        vm.roll(block.number + K);
        vm.expectEmit(true, true, true, true, address(plan));
        emit RecoveryPlan.Decided(SCOPE, 1, RecoveryPlan.Touch.FLAG);
        plan.flagInsolvent(SCOPE);
        yes(controller.insolvent(), "targets are told");
        vm.warp(until + 5 days);
        _eqStage(0, "held");
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.HeldUntil.selector, SCOPE, 0, START + 23 days));
        plan.advance(SCOPE);

        solvency.set(1e18);
        plan.clearInsolvent(SCOPE);
        vm.roll(block.number + K);
        plan.clearInsolvent(SCOPE);
        yes(!controller.insolvent(), "targets are told");
        vm.warp(block.timestamp + 1);
        (uint8 stage, uint40 since) = plan.stageOf(SCOPE);
        eq(stage, 1, "S1 in the next second");
        eq(since, block.timestamp, "with its whole dwell before it");
    }

    function test_FlaggingEndsWhenS1Opens() public {
        uint40 until = _trip(Mode.HALTED, 1 days);
        solvency.set(0);
        vm.warp(until + S0);
        _expectNothing(RecoveryPlan.flagInsolvent.selector);
        vm.warp(until + S0 - 1);
        plan.flagInsolvent(SCOPE);
        vm.roll(block.number + K);
        vm.warp(until + S0);
        _expectNothing(RecoveryPlan.flagInsolvent.selector);
        _eqStage(1, "one reading holds nothing");
    }

    function test_FlaggingEndsAtDay21() public {
        _trip(Mode.RESTRICTED, 30 days);
        solvency.set(0);
        vm.warp(START + 21 days);
        _expectNothing(RecoveryPlan.flagInsolvent.selector);
        vm.warp(START + 21 days - 1);
        _flag();
        yes(controller.insolvent(), "the last second counts");
        _expectNothing(RecoveryPlan.flagInsolvent.selector);
    }

    /// @dev Readings count in pairs of the same kind, from k blocks after the first until 32 k after it.
    function testFuzz_ASecondReadingMustBeNeitherNearNorFar(uint256 distance) public {
        distance = clamp(distance, 0, 100 * K);
        _trip(Mode.HALTED, 1 days);
        solvency.set(0.5e18);
        plan.flagInsolvent(SCOPE);
        vm.roll(block.number + distance);
        if (distance < K) {
            vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.TooSoon.selector, block.number - distance + K));
        }
        plan.flagInsolvent(SCOPE);
        yes(controller.insolvent() == (distance >= K && distance <= 32 * K), "within reach");
    }

    function test_ASensorThatDoesNotKnowDecidesNothing() public {
        _trip(Mode.HALTED, 1 days);
        solvency.set(0);
        solvency.setAsOf(START - AGE - 1);
        _expectDisagrees(RecoveryPlan.flagInsolvent.selector, false, 0);
        solvency.revive();
        for (uint8 bad = 1; bad <= 4; ++bad) {
            solvency.misbehave(Gauge.Answer(bad));
            _expectDisagrees(RecoveryPlan.flagInsolvent.selector, false, 0);
        }
        solvency.misbehave(Gauge.Answer.HONEST);
        solvency.set(1e18);
        _expectDisagrees(RecoveryPlan.flagInsolvent.selector, true, 1e18);
        solvency.set(1e18 - 1);
        _flag();

        _expectDisagrees(RecoveryPlan.clearInsolvent.selector, true, 1e18 - 1);
        solvency.set(2e18);
        for (uint8 bad = 1; bad <= 4; ++bad) {
            solvency.misbehave(Gauge.Answer(bad));
            _expectDisagrees(RecoveryPlan.clearInsolvent.selector, false, 0);
        }
        vm.etch(address(solvency), "");
        _expectDisagrees(RecoveryPlan.clearInsolvent.selector, false, 0);
    }

    /// @dev One manipulated block neither sets nor clears the bit, and at day 21 two readings clear it or open EXIT, also when
    /// the sensor has died.
    function test_Regress_Review_StickyInsolvency() public {
        _trip(Mode.HALTED, 3 days);
        solvency.set(0);
        plan.flagInsolvent(SCOPE);
        vm.expectRevert(abi.encodeWithSelector(RecoveryPlan.TooSoon.selector, block.number + K));
        plan.flagInsolvent(SCOPE);
        yes(!controller.insolvent(), "one block sets nothing");
        vm.roll(block.number + K);
        plan.flagInsolvent(SCOPE);

        solvency.set(1e18);
        plan.clearInsolvent(SCOPE);
        vm.roll(block.number + 1);
        solvency.set(0);
        yes(controller.insolvent(), "one block clears nothing");

        vm.warp(START + 21 days - 1);
        _expectNothing(RecoveryPlan.concede.selector);
        vm.warp(START + 21 days);
        solvency.misbehave(Gauge.Answer.REVERT);
        plan.concede(SCOPE);
        yes(!plan.exitable(SCOPE), "one block opens nothing");
        solvency.misbehave(Gauge.Answer.HONEST);
        solvency.set(1e18);
        plan.clearInsolvent(SCOPE);
        solvency.misbehave(Gauge.Answer.BURN);
        vm.roll(block.number + K);
        plan.concede(SCOPE);
        yes(!plan.exitable(SCOPE), "a reading of the other kind lay between");
        vm.roll(block.number + K);
        plan.concede(SCOPE);
        yes(plan.exitable(SCOPE), "two dead readings in a row");
        _expectNothing(RecoveryPlan.concede.selector);

        solvency.misbehave(Gauge.Answer.HONEST);
        plan.clearInsolvent(SCOPE);
        vm.roll(block.number + K);
        plan.clearInsolvent(SCOPE);
        yes(!plan.exitable(SCOPE) && !controller.insolvent(), "whole again before anyone opened EXIT");
        vm.warp(block.timestamp + 1);
        _eqStage(1, "S1");
    }

    function test_ExitNeedsTheBitFor48Hours() public {
        _trip(Mode.RESTRICTED, 21 days);
        solvency.set(0);
        vm.warp(START + 20 days);
        _flag();
        vm.warp(START + 21 days);
        plan.concede(SCOPE);
        vm.roll(block.number + K);
        plan.concede(SCOPE);
        vm.warp(START + 22 days - 1);
        yes(!plan.exitable(SCOPE), "47 h 59");
        vm.warp(START + 22 days);
        yes(plan.exitable(SCOPE), "48 h");
        vm.warp(START + 23 days - 1);
        yes(plan.exitable(SCOPE), "still");
        vm.warp(START + 23 days);
        yes(!plan.exitable(SCOPE), "the bit is gone 48 h after the cap");
    }

    function test_UntouchedBitLapsesIntoS1() public {
        _trip(Mode.HALTED, 1 days);
        solvency.set(0);
        _flag();
        vm.warp(START + 23 days);
        (uint8 stage, uint40 since) = plan.stageOf(SCOPE);
        eq(stage, 1, "S1");
        eq(since, START + 23 days, "dwell from the lapse");
        _expectNothing(RecoveryPlan.concede.selector);
        _expectNothing(RecoveryPlan.flagInsolvent.selector);
    }

    function test_NothingOfOneEpisodeCountsInTheNext() public {
        _trip(Mode.HALTED, 1 days);
        solvency.set(0);
        _flag();
        vm.warp(START + 21 days);
        plan.concede(SCOPE);
        vm.roll(block.number + K);
        plan.concede(SCOPE);
        yes(plan.exitable(SCOPE), "in its own");
        controller.finish(SCOPE);
        yes(!plan.exitable(SCOPE), "in none");
        _trip(Mode.HALTED, 1 days);
        yes(!plan.exitable(SCOPE), "in the next");
        plan.flagInsolvent(SCOPE);
        controller.finish(SCOPE);
        _trip(Mode.HALTED, 1 days);
        vm.roll(block.number + K);
        plan.flagInsolvent(SCOPE);
        _expectNothing(RecoveryPlan.clearInsolvent.selector);
    }

    function test_CallerShortOfGasCannotMakeTheSensorLookDead() public {
        _trip(Mode.HALTED, 1 days);
        solvency.set(0);
        _flag();
        vm.warp(START + 21 days);
        solvency.set(1e18);
        for (uint256 gas_ = 40_000; gas_ < 260_000; gas_ += 1_000) {
            (bool ok,) = address(plan).call{gas: gas_}(abi.encodeCall(plan.concede, (SCOPE)));
            yes(!ok, "a sound sensor is never conceded");
        }
        (bool low, bytes memory data) = address(plan).call{gas: 130_000}(abi.encodeCall(plan.concede, (SCOPE)));
        yes(!low && bytes4(data) == BoundedCall.GasTooLow.selector, "refused for want of gas");
    }

    function _expectNothing(bytes4 selector) private {
        (bool ok, bytes memory data) = address(plan).call(abi.encodeWithSelector(selector, SCOPE));
        yes(!ok && bytes4(data) == RecoveryPlan.NothingToDecide.selector, "nothing to decide");
    }

    function _expectDisagrees(bytes4 selector, bool known, uint256 ratio) private {
        (bool ok, bytes memory data) = address(plan).call(abi.encodeWithSelector(selector, SCOPE));
        bytes memory want = abi.encodeWithSelector(RecoveryPlan.SensorDisagrees.selector, SCOPE, known, ratio);
        yes(!ok && keccak256(data) == keccak256(want), "sensor disagrees");
    }
}
