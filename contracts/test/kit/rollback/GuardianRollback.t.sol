// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BoundedCall} from "../../../src/kit/BoundedCall.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {GuardianAct} from "../../../src/kit/rollback/GuardianAct.sol";
import {ImplementationRegistry} from "../../../src/kit/rollback/ImplementationRegistry.sol";
import {ControllerStub, GuardedHalves, GuardedV3, RollbackWorld} from "./RollbackWorld.sol";

/// @notice What guardians can take back, and that it is nothing else.
contract GuardianRollbackTest is RollbackWorld {
    function test_GuardiansGoBackToThePreviousVersion() public {
        upgraded(7 days);
        trip(Mode.RESTRICTED, 1);
        uint40 deadline = uint40(block.timestamp) + 1 hours;
        controller.approve(rollbackDigest(deadline));
        vm.expectEmit(true, true, true, true, address(registry));
        emit ImplementationRegistry.Activated(address(proxy), 2, running().codehash, true);
        vm.expectEmit(true, true, true, true, address(registry));
        emit ImplementationRegistry.RolledBack(address(proxy), 2, 1);
        registry.rollback(address(proxy), 1, deadline, noSignatures);
        eq(proxy.version(), 1, "version");
        eq(proxy.total(), 100, "storage stays");
        ImplementationRegistry.Version[] memory versions = registry.versionsOf(address(proxy));
        eq(versions.length, 3, "history grows");
        eq(uint256(versions[2].codeHash), uint256(versions[0].codeHash), "the code that ran before");
        eq(versions[2].activatedAt, block.timestamp, "landed now");
    }

    function test_RollbackNeedsItsPredecessor() public {
        trip(Mode.HALTED, 1);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.NoPredecessor.selector, address(proxy)));
        registry.rollback(address(proxy), 1, uint40(block.timestamp), noSignatures);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.NoPredecessor.selector, address(v2)));
        registry.rollback(address(v2), 1, uint40(block.timestamp), noSignatures);
    }

    function test_RollbackNeedsASoakedPredecessor() public {
        upgraded(7 days - 1);
        trip(Mode.HALTED, 1);
        vm.warp(block.timestamp + 30 days); // time after it was replaced does not count
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.NotSoaked.selector, 7 days - 1, 7 days));
        registry.rollback(address(proxy), 1, uint40(block.timestamp), noSignatures);
    }

    function test_RollbackAcrossSchemasNeedsADeclaredWay() public {
        GuardedHalves halves = new GuardedHalves(address(registry));
        ImplementationRegistry.Version memory version = versionWith(address(halves));
        version.schema = 2;
        version.predecessorEligible = true;
        version.migration = GuardedHalves.toHalves.selector;
        vm.warp(block.timestamp + 7 days);
        upgrade(version);
        trip(Mode.HALTED, 1);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.SchemaDiffers.selector, 2, 1));
        registry.rollback(address(proxy), 1, uint40(block.timestamp), noSignatures);

        version.reverseMigration = GuardedHalves.fromHalves.selector;
        version.migration = 0;
        upgrade(version); // again, now with the way back stated; its predecessor is the version without it
        upgrade(versionWith(address(v2)));
        vm.warp(block.timestamp + 7 days);
        upgrade(version);
        signedRollback();
        eq(proxy.version(), 2, "rolled back");
        eq(proxy.total(), 100, "whole units again");
    }

    function test_ReverseMigrationIsNotRunWithinASchema() public {
        ImplementationRegistry.Version memory version = versionWith(address(new GuardedHalves(address(registry))));
        version.predecessorEligible = true;
        version.reverseMigration = GuardedHalves.fromHalves.selector;
        vm.warp(block.timestamp + 7 days);
        upgrade(version);
        trip(Mode.HALTED, 1);
        signedRollback();
        eq(proxy.total(), 100, "untouched");
    }

    function test_RollbackOnlyInAnEpisode() public {
        upgraded(7 days);
        for (uint256 i; i < 2; ++i) {
            Mode mode = i == 0 ? Mode.NORMAL : Mode.WATCH;
            trip(mode, 1);
            uint40 deadline = uint40(block.timestamp) + 1;
            controller.approve(rollbackDigest(deadline));
            vm.expectRevert(abi.encodeWithSelector(GuardianAct.NotInEpisode.selector, address(proxy), mode));
            registry.rollback(address(proxy), 1, deadline, noSignatures);
        }
        trip(Mode.RECOVERING, 1);
        signedRollback();
    }

    function test_RollbackNeedsTheGroupsSignatures() public {
        upgraded(7 days);
        trip(Mode.HALTED, 1);
        uint40 deadline = uint40(block.timestamp) + 1 hours;
        bytes32 digest = rollbackDigest(deadline);
        expectBareRevert(ControllerStub.BadSignature.selector);
        registry.rollback(address(proxy), 1, deadline, noSignatures);
        controller.approve(digest);
        expectBareRevert(ControllerStub.BadSignature.selector); // of another group
        registry.rollback(address(proxy), 0, deadline, noSignatures);
        expectBareRevert(ControllerStub.BadSignature.selector); // for another deadline
        registry.rollback(address(proxy), 1, deadline + 1, noSignatures);
        controller.setEpisode(1, 1);
        expectBareRevert(ControllerStub.BadSignature.selector); // from before a release
        registry.rollback(address(proxy), 1, deadline, noSignatures);
        controller.setEpisode(2, 0);
        expectBareRevert(ControllerStub.BadSignature.selector); // for another episode
        registry.rollback(address(proxy), 1, deadline, noSignatures);
        controller.setEpisode(1, 0);
        controller.setScope("other");
        expectBareRevert(ControllerStub.BadSignature.selector); // of another scope
        registry.rollback(address(proxy), 1, deadline, noSignatures);
        controller.setScope("market");
        registry.rollback(address(proxy), 1, deadline, noSignatures);
        eq(proxy.version(), 1, "the right one lands, from anybody");
    }

    function test_DeadlineIsNeitherPastNorFar() public {
        upgraded(7 days);
        trip(Mode.HALTED, 1);
        uint40 now_ = uint40(block.timestamp);
        controller.approve(rollbackDigest(now_ - 1));
        controller.approve(rollbackDigest(now_ + 7 days + 1));
        controller.approve(rollbackDigest(now_ + 7 days));
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.DeadlineOutside.selector, now_ - 1, now_));
        registry.rollback(address(proxy), 1, now_ - 1, noSignatures);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.DeadlineOutside.selector, now_ + 7 days + 1, now_));
        registry.rollback(address(proxy), 1, now_ + 7 days + 1, noSignatures);
        registry.rollback(address(proxy), 1, now_ + 7 days, noSignatures);
    }

    function test_DeadlineOfThisSecondIsInTime() public {
        upgraded(7 days);
        trip(Mode.HALTED, 1);
        controller.approve(rollbackDigest(uint40(block.timestamp)));
        registry.rollback(address(proxy), 1, uint40(block.timestamp), noSignatures);
        eq(proxy.version(), 1, "version");
    }

    function test_RollbackOncePerEpisode() public {
        ImplementationRegistry.Version memory again = upgraded(7 days);
        trip(Mode.HALTED, 0); // episode 0: only a parent of the scope was tripped
        signedRollback();
        // The council brings the version back a week later, in the same episode, and leaves V1 eligible again.
        vm.warp(block.timestamp + 7 days);
        announce(again);
        activate();
        uint40 deadline = uint40(block.timestamp) + 1;
        controller.approve(rollbackDigest(deadline));
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.AlreadyActed.selector, address(proxy), 0));
        registry.rollback(address(proxy), 1, deadline, noSignatures);
        trip(Mode.HALTED, 1);
        signedRollback();
        eq(proxy.version(), 1, "next episode");
    }

    function test_HistoryCannotBeWalkedFurther() public {
        upgraded(7 days);
        vm.warp(block.timestamp + 7 days);
        ImplementationRegistry.Version memory third = versionWith(address(new GuardedV3()));
        third.predecessorEligible = true;
        upgrade(third);
        trip(Mode.HALTED, 1);
        signedRollback();
        eq(proxy.version(), 2, "one back");
        trip(Mode.HALTED, 2);
        vm.warp(block.timestamp + 7 days);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.NotEligible.selector, 2));
        registry.rollback(address(proxy), 1, uint40(block.timestamp), noSignatures);
    }

    function test_RollbackProbesAfterwards() public {
        upgraded(7 days);
        trip(Mode.HALTED, 1);
        probe.refuse(1);
        uint40 deadline = uint40(block.timestamp) + 1;
        controller.approve(rollbackDigest(deadline));
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.ProbeNotGreen.selector, probe));
        registry.rollback(address(proxy), 1, deadline, noSignatures);
        probe.refuse(0);
        registry.rollback(address(proxy), 1, deadline, noSignatures);
        eq(proxy.version(), 1, "the episode's act was not used up");
    }

    /// @dev Whatever gas a relayer sends: the rollback lands as it should, or nothing happened.
    function testFuzz_RelayerShortOfGas(uint256 gas_) public {
        upgraded(7 days);
        trip(Mode.HALTED, 1);
        uint40 deadline = uint40(block.timestamp) + 1;
        controller.approve(rollbackDigest(deadline));
        probe.refuse(1);
        gas_ = clamp(gas_, 30_000, 900_000);
        (bool ok,) = address(registry).call{gas: gas_}(
            abi.encodeCall(registry.rollback, (address(proxy), 1, deadline, noSignatures))
        );
        yes(!ok, "a red probe is red at any gas");
        probe.refuse(0);
        (ok,) = address(registry).call{gas: gas_}(
            abi.encodeCall(registry.rollback, (address(proxy), 1, deadline, noSignatures))
        );
        eq(proxy.version(), ok ? 1 : 2, "all or nothing");
        if (gas_ < BoundedCall.READ_GAS) yes(!ok, "too little");
    }
}
