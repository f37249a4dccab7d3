// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {GuardianAct} from "../../../src/kit/rollback/GuardianAct.sol";
import {ParameterStore} from "../../../src/kit/rollback/ParameterStore.sol";
import {CONTROLLER, COUNCIL} from "./RollbackWorld.sol";
import {CAP, FLOOR, ParameterWorld} from "./ParameterWorld.sol";

/// @notice Who may move a parameter, when, how far, and what liquidation sees of it.
contract ParameterStoreTest is ParameterWorld {
    // --- construction

    function test_ConstructorRefusesBounds() public {
        expectBareRevert(GuardianAct.ZeroAddress.selector);
        new ParameterStore(_controller(), address(0), DELAY, GRACE, parameters(), values());
        _refuses(values(), 4 hours - 1, parameters(), 4 hours - 1, 4 hours, 48 hours);
        _refuses(values(), 48 hours + 1, parameters(), 48 hours + 1, 4 hours, 48 hours);
        _refuses(new uint104[](0), GRACE, new ParameterStore.Parameter[](0), 0, 1, 32);
        _refuses(new uint104[](33), GRACE, new ParameterStore.Parameter[](33), 33, 1, 32);
        _refuses(new uint104[](2), GRACE, parameters(), 2, 3, 3);
        uint104[] memory start = values();
        start[0] = 1_000_001;
        _refuses(start, GRACE, parameters(), 1_000_001, 1_000, 1_000_000);
        start[0] = 999;
        _refuses(start, GRACE, parameters(), 999, 1_000, 1_000_000);
        eq(
            new ParameterStore(_controller(), address(target), DELAY, 4 hours, parameters(), values()).grace(),
            4 hours,
            ""
        );
        eq(
            new ParameterStore(_controller(), address(target), DELAY, 48 hours, parameters(), values()).grace(),
            48 hours,
            ""
        );
    }

    function _refuses(
        uint104[] memory start,
        uint40 grace,
        ParameterStore.Parameter[] memory list,
        uint256 value,
        uint256 least,
        uint256 most
    ) private {
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.OutOfBounds.selector, value, least, most));
        new ParameterStore(_controller(), address(target), DELAY, grace, list, start);
    }

    function test_ConstructorRefusesInconsistentParameters() public {
        for (uint256 i; i < 3; ++i) {
            ParameterStore.Parameter[] memory list = parameters();
            uint104[] memory start = values();
            if (i == 0) list[1].maxStepPerDay = 0;
            if (i == 1) list[1].maxStepPerDay = list[1].max - list[1].min + 1;
            if (i == 2) (list[1].min, list[1].max, start[1]) = (8_000, 8_000, 8_000);
            vm.expectRevert(abi.encodeWithSelector(ParameterStore.InconsistentBounds.selector, 1));
            new ParameterStore(_controller(), address(target), DELAY, GRACE, list, start);
        }
        ParameterStore.Parameter[] memory widest = parameters();
        widest[1].maxStepPerDay = widest[1].max - widest[1].min;
        new ParameterStore(_controller(), address(target), DELAY, GRACE, widest, values());
    }

    // --- reading

    function test_UnknownsAreNamed() public {
        vm.expectRevert(abi.encodeWithSelector(ParameterStore.UnknownParameter.selector, 3));
        store.valueOf(3, Classes.ENTER);
        vm.expectRevert(abi.encodeWithSelector(ParameterStore.UnknownParameter.selector, 3));
        store.parameterOf(3);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(ParameterStore.UnknownParameter.selector, type(uint256).max));
        store.change(type(uint256).max, 0);
        vm.expectRevert(abi.encodeWithSelector(ParameterStore.UnknownCheckpoint.selector, 1));
        store.checkpointOf(1);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(ParameterStore.UnknownCheckpoint.selector, 1));
        store.scheduleRestore(1);
    }

    // --- council

    function test_OnlyTheCouncil() public {
        bytes memory refusal = abi.encodeWithSelector(GuardianAct.NotCouncil.selector, address(this));
        vm.expectRevert(refusal);
        store.change(CAP, 400_000);
        vm.expectRevert(refusal);
        store.scheduleRestore(0);
        schedule(CAP, 600_000);
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(refusal);
        store.land(CAP);
    }

    function test_TighteningIsInstant() public {
        vm.expectEmit(true, true, true, true, address(store));
        emit ParameterStore.ParameterSet(CAP, 500_000, 1_000);
        change(CAP, 1_000);
        eq(valueOf(CAP), 1_000, "as far as the bound, whatever the step");
        change(FLOOR, 300);
        eq(valueOf(FLOOR), 300, "this one is tighter upwards");
    }

    function test_ChangesStayInBounds() public {
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.OutOfBounds.selector, 999, 1_000, 1_000_000));
        store.change(CAP, 999);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.OutOfBounds.selector, 1_000_001, 1_000, 1_000_000));
        store.change(CAP, 1_000_001);
        vm.prank(COUNCIL);
        expectBareRevert(ParameterStore.NothingChanged.selector);
        store.change(CAP, 500_000);
    }

    function test_LooseningWaits() public {
        schedule(CAP, 600_000);
        uint40 eta = uint40(block.timestamp) + DELAY;
        vm.warp(eta - 1);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.TooEarly.selector, eta));
        store.land(CAP);
        vm.warp(eta);
        land(CAP);
        eq(valueOf(CAP), 500_000, "not yet in the block of its landing");
        vm.warp(eta + 1);
        eq(valueOf(CAP), 600_000, "from the next block on");
        vm.prank(COUNCIL);
        expectBareRevert(GuardianAct.NothingAnnounced.selector);
        store.land(CAP);
    }

    function test_NoticeLapses() public {
        schedule(FLOOR, 50);
        uint40 last = uint40(block.timestamp) + DELAY + 14 days;
        vm.warp(last + 1);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.TooLate.selector, last));
        store.land(FLOOR);
        vm.warp(last);
        land(FLOOR);
    }

    function test_TighteningReplacesANotice() public {
        schedule(CAP, 600_000);
        change(CAP, 400_000);
        vm.warp(block.timestamp + DELAY);
        vm.prank(COUNCIL);
        expectBareRevert(GuardianAct.NothingAnnounced.selector);
        store.land(CAP);
    }

    function test_LooseningNeedsClassAdmin() public {
        schedule(CAP, 600_000);
        vm.warp(block.timestamp + DELAY);
        for (uint8 i; i < 6; ++i) {
            target.put(i == 0 ? Mode.RESTRICTED : i == 1 ? Mode.HALTED : Mode.RECOVERING, i < 2 ? 0 : i - 2);
            vm.prank(COUNCIL);
            vm.expectRevert(abi.encodeWithSelector(IFailSafe.ActionClosed.selector, Classes.ADMIN, 0));
            store.land(CAP);
            change(CAP, 500_000 - i - 1); // tightening is open
            schedule(CAP, 500_000);
            vm.warp(block.timestamp + DELAY);
        }
        target.put(Mode.RECOVERING, 4);
        land(CAP);
    }

    function test_StepIsCheckedAgainWhenItLands() public {
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(ParameterStore.StepTooLarge.selector, CAP, 100_001, 100_000));
        store.change(CAP, 600_001);
        schedule(CAP, 600_000);
        trip(Mode.RESTRICTED, 1);
        change(FLOOR, 101); // a checkpoint to come back to: CAP is 500_000 in it
        schedule(CAP, 600_000);
        vm.warp(block.timestamp + DELAY);
        // A guardian restore in between moves the ground: the same value would now be too large a step.
        target.put(Mode.NORMAL, 0);
        land(CAP);
        vm.warp(block.timestamp + 1);
        schedule(CAP, 700_000);
        trip(Mode.RESTRICTED, 2);
        signedRestore(0);
        eq(valueOf(CAP), 500_000, "tight again");
        vm.warp(block.timestamp + DELAY);
        target.put(Mode.NORMAL, 0);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(ParameterStore.StepTooLarge.selector, CAP, 200_000, 100_000));
        store.land(CAP);
    }

    /// @dev marginfi #567: a limit per change is none when changes can follow each other without end.
    function test_Regress_Marginfi_SlowWalk() public {
        uint256 start = valueOf(CAP);
        uint256 began = block.timestamp;
        for (uint256 hour; hour < 30 * 24; ++hour) {
            vm.warp(began + hour * 1 hours);
            uint256 most = start + 100_000 * (1 + hour / 24);
            atMost(valueOf(CAP), most, "never more than a step a day");
            // As often as the contract lets it: the largest step from wherever the value is.
            uint256 next = valueOf(CAP) + 100_000;
            vm.startPrank(COUNCIL);
            (, uint40 eta) = store.pending(CAP);
            if (eta == 0) {
                try store.change(CAP, uint104(next)) {} catch {}
            } else if (block.timestamp >= eta) {
                store.land(CAP);
            }
            vm.stopPrank();
        }
        eq(valueOf(CAP), 1_000_000, "and it does get there, with notice each time");
    }

    /// @dev Restoring cannot be used to walk either: a checkpoint holds only what has been in force.
    function test_TightenAndLooseWithinABlockGivesNothing() public {
        schedule(CAP, 600_000);
        vm.warp(block.timestamp + DELAY);
        land(CAP);
        change(CAP, 550_000); // tighter than what was landed, looser than what is in force in this block
        eq(valueOf(CAP), 500_000, "still the old value");
        vm.warp(block.timestamp + 1);
        eq(valueOf(CAP), 550_000, "then the newest");
        schedule(CAP, 600_000);
        vm.warp(block.timestamp + DELAY);
        land(CAP);
        change(CAP, 540_000);
        eq(valueOf(CAP), 540_000, "tighter than both: at once");
    }

    // --- EXIT

    function test_NothingChangesInExit() public {
        schedule(CAP, 600_000);
        vm.warp(block.timestamp + DELAY);
        controller.setExit();
        bytes memory terminal = abi.encodeWithSelector(GuardianAct.ExitIsTerminal.selector, address(target));
        vm.prank(COUNCIL);
        vm.expectRevert(terminal);
        store.land(CAP);
        vm.prank(COUNCIL);
        vm.expectRevert(terminal);
        store.change(CAP, 1_000);
        trip(Mode.HALTED, 1);
        vm.expectRevert(terminal);
        store.restoreTighter(0, 1, uint40(block.timestamp), noSignatures);
    }

    function _controller() private pure returns (IFailSafeController) {
        return IFailSafeController(CONTROLLER);
    }
}
