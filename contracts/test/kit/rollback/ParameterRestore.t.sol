// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {GuardianAct} from "../../../src/kit/rollback/GuardianAct.sol";
import {ParameterStore} from "../../../src/kit/rollback/ParameterStore.sol";
import {COUNCIL, ControllerStub} from "./RollbackWorld.sol";
import {CAP, FLOOR, THRESHOLD, ParameterWorld} from "./ParameterWorld.sol";

/// @notice Checkpoints, who restores what of them, and what liquidation sees of it.
contract ParameterRestoreTest is ParameterWorld {
    // --- checkpoints

    function test_CheckpointHoldsTheStateBeforeALanding() public {
        eq(store.checkpoints(), 1, "one at deployment");
        vm.warp(block.timestamp + 1 days);
        change(CAP, 400_000);
        eq(store.checkpoints(), 2, "one at the landing");
        eq(store.checkpointOf(1).values[CAP], 500_000, "the state before it");
        eq(store.checkpointOf(1).takenAt, block.timestamp, "its time");
    }

    function test_BurstOfChangesDoesNotFillTheRing() public {
        vm.warp(block.timestamp + 1 days);
        for (uint104 i = 1; i <= 20; ++i) {
            change(CAP, 500_000 - i);
        }
        eq(store.checkpoints(), 2, "one a day");
        vm.warp(block.timestamp + 1 days - 1);
        change(CAP, 400_000);
        eq(store.checkpoints(), 2, "a second before the day is over");
        vm.warp(block.timestamp + 1);
        change(CAP, 300_000);
        eq(store.checkpoints(), 3, "a day later");
    }

    function test_RingKeepsEight() public {
        for (uint104 i = 1; i <= 8; ++i) {
            vm.warp(block.timestamp + 1 days);
            change(CAP, 500_000 - i);
        }
        eq(store.checkpoints(), 9, "taken");
        for (uint256 id = 1; id <= 8; ++id) {
            eq(store.checkpointOf(id).values[CAP], 500_001 - id, "kept");
        }
        vm.expectRevert(abi.encodeWithSelector(ParameterStore.UnknownCheckpoint.selector, 0));
        store.checkpointOf(0);
    }

    // --- restore by the council

    function test_CouncilRestoresExactly() public {
        change(CAP, 1_000); // further than any step
        change(FLOOR, 300);
        change(THRESHOLD, 7_000);
        vm.prank(COUNCIL);
        store.scheduleRestore(0);
        uint256 key = store.RESTORE();
        uint40 eta = uint40(block.timestamp) + DELAY;
        vm.warp(eta - 1);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.TooEarly.selector, eta));
        store.land(key);
        vm.warp(eta);
        vm.expectEmit(true, true, true, true, address(store));
        emit ParameterStore.Restored(0, true);
        land(key);
        eq(valueOf(CAP), 1_000, "loosening holds from the next block on");
        vm.warp(eta + 1);
        eq(valueOf(CAP), 500_000, "cap");
        eq(valueOf(FLOOR), 100, "floor");
        eq(valueOf(THRESHOLD), 8_000, "threshold");
        vm.prank(COUNCIL);
        store.scheduleRestore(0);
        vm.warp(block.timestamp + DELAY);
        vm.prank(COUNCIL);
        expectBareRevert(ParameterStore.NothingChanged.selector);
        store.land(key);
    }

    function test_RestoreOfALostCheckpointReverts() public {
        vm.prank(COUNCIL);
        store.scheduleRestore(0);
        for (uint104 i = 1; i <= 8; ++i) {
            vm.warp(block.timestamp + 1 days);
            change(CAP, 500_000 - i);
        }
        uint256 key = store.RESTORE();
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(ParameterStore.UnknownCheckpoint.selector, 0));
        store.land(key);
    }

    /// @dev The landing itself takes a checkpoint, into the very place of the one that it restores.
    function test_RestoreOfTheOldestCheckpoint() public {
        for (uint104 i = 1; i <= 7; ++i) {
            vm.warp(block.timestamp + 1 days);
            change(CAP, 500_000 - i);
        }
        vm.prank(COUNCIL);
        store.scheduleRestore(0);
        vm.warp(block.timestamp + DELAY);
        land(store.RESTORE());
        vm.warp(block.timestamp + 1);
        eq(valueOf(CAP), 500_000, "restored");
    }

    // --- restore by guardians

    function test_GuardiansTakeTheTighterOfEach() public {
        change(FLOOR, 300); // tighter than the checkpoint
        schedule(CAP, 600_000);
        schedule(THRESHOLD, 8_200);
        vm.warp(block.timestamp + DELAY);
        land(CAP);
        land(THRESHOLD);
        vm.warp(block.timestamp + 1);
        trip(Mode.RESTRICTED, 1);
        signedRestore(0);
        eq(valueOf(CAP), 500_000, "cap: the checkpoint's");
        eq(valueOf(THRESHOLD), 8_000, "threshold: the checkpoint's");
        eq(valueOf(FLOOR), 300, "floor: the present one");
    }

    /// @dev Also within a day of the last checkpoint: what guardians tightened can always be restored exactly.
    function test_GuardianRestoreTakesACheckpoint() public {
        schedule(CAP, 600_000);
        vm.warp(block.timestamp + DELAY);
        land(CAP);
        vm.warp(block.timestamp + 1);
        trip(Mode.RESTRICTED, 1);
        uint256 id = store.checkpoints();
        signedRestore(0);
        eq(store.checkpoints(), id + 1, "taken");
        eq(store.checkpointOf(id).values[CAP], 600_000, "what was in force");
    }

    function test_GuardiansCannotChangeNothing() public {
        trip(Mode.RESTRICTED, 1);
        uint40 deadline = uint40(block.timestamp) + 1;
        controller.approve(restoreDigest(0, deadline));
        expectBareRevert(ParameterStore.NothingChanged.selector);
        store.restoreTighter(0, 1, deadline, noSignatures);
    }

    function test_GuardianRestoreNeedsSignaturesAndAnEpisode() public {
        schedule(CAP, 600_000);
        vm.warp(block.timestamp + DELAY);
        land(CAP);
        uint40 deadline = uint40(block.timestamp) + 1;
        controller.approve(restoreDigest(0, deadline));
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.NotInEpisode.selector, address(target), Mode.NORMAL));
        store.restoreTighter(0, 1, deadline, noSignatures);
        trip(Mode.RESTRICTED, 1);
        expectBareRevert(ControllerStub.BadSignature.selector); // signed for episode 0
        store.restoreTighter(0, 1, deadline, noSignatures);
        controller.approve(restoreDigest(0, deadline));
        expectBareRevert(ControllerStub.BadSignature.selector); // another checkpoint
        store.restoreTighter(1, 1, deadline, noSignatures);
        vm.expectEmit(true, true, true, true, address(store));
        emit ParameterStore.Restored(0, false);
        store.restoreTighter(0, 1, deadline, noSignatures);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.AlreadyActed.selector, address(target), 1));
        store.restoreTighter(0, 1, deadline, noSignatures);
    }

    // --- liquidation

    function test_TighteningALiquidationParameterGivesGrace() public {
        change(THRESHOLD, 7_500);
        uint40 until = uint40(block.timestamp) + GRACE;
        eq(store.graceUntil(), until, "grace");
        eq(valueOf(THRESHOLD), 7_500, "everybody else reads on");
        eq(store.valueOf(CAP, Classes.LIQUIDATE), 500_000, "other parameters are open to liquidation");
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.ActionClosed.selector, Classes.LIQUIDATE, until));
        store.valueOf(THRESHOLD, Classes.LIQUIDATE);
        vm.warp(until);
        eq(store.valueOf(THRESHOLD, Classes.LIQUIDATE), 7_500, "open again");
    }

    function test_GuardianRestoreGivesGrace() public {
        schedule(THRESHOLD, 8_200);
        vm.warp(block.timestamp + DELAY);
        land(THRESHOLD);
        vm.warp(block.timestamp + 1);
        eq(store.valueOf(THRESHOLD, Classes.LIQUIDATE), 8_200, "loosening gives none");
        trip(Mode.RESTRICTED, 1);
        uint40 until = uint40(block.timestamp) + GRACE;
        signedRestore(0);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.ActionClosed.selector, Classes.LIQUIDATE, until));
        store.valueOf(THRESHOLD, Classes.LIQUIDATE);
    }

    /// @dev What was landed in this second is not in force yet: taking it back tightens nothing.
    function test_LandingTakenBackGivesNoGrace() public {
        schedule(THRESHOLD, 8_200);
        schedule(FLOOR, 60);
        vm.warp(block.timestamp + DELAY);
        land(THRESHOLD);
        land(FLOOR);
        change(THRESHOLD, 8_000);
        change(FLOOR, 100);
        eq(store.graceUntil(), 0, "no grace");
        eq(store.valueOf(THRESHOLD, Classes.LIQUIDATE), 8_000, "open");
        vm.warp(block.timestamp + 1);
        eq(valueOf(THRESHOLD), 8_000, "and stays");
        eq(valueOf(FLOOR), 100, "the other side too");
    }

    function test_OtherParametersGiveNoGrace() public {
        change(CAP, 400_000);
        eq(store.graceUntil(), 0, "no grace");
        eq(store.valueOf(THRESHOLD, Classes.LIQUIDATE), 8_000, "open");
    }
}
