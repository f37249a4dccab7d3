// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Mode} from "../../../src/kit/Types.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {IProbe} from "../../../src/kit/interfaces/ISensors.sol";
import {GuardianAct} from "../../../src/kit/rollback/GuardianAct.sol";
import {ImplementationRegistry} from "../../../src/kit/rollback/ImplementationRegistry.sol";
import {
    CONTROLLER,
    COUNCIL,
    GuardedBrick,
    GuardedByAnother,
    GuardedHalves,
    GuardedStub,
    GuardedUnpauser,
    GuardedV3,
    HostileProbe,
    RollbackWorld,
    VersionProbe
} from "./RollbackWorld.sol";

/// @notice Which code may land when, and on whose word.
contract ImplementationRegistryTest is RollbackWorld {
    // --- deployment

    function test_ConstructorRefusesBounds() public {
        IFailSafeController real = IFailSafeController(CONTROLLER);
        expectBareRevert(GuardianAct.ZeroAddress.selector);
        new ImplementationRegistry(IFailSafeController(address(0)), DELAY);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.OutOfBounds.selector, 48 hours - 1, 48 hours, 30 days));
        new ImplementationRegistry(real, 48 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.OutOfBounds.selector, 30 days + 1, 48 hours, 30 days));
        new ImplementationRegistry(real, 30 days + 1);
        eq(new ImplementationRegistry(real, 48 hours).delay(), 48 hours, "least");
        eq(new ImplementationRegistry(real, 30 days).delay(), 30 days, "most");
    }

    function test_OnlyTheCouncil() public {
        ImplementationRegistry.Version memory version = versionWith(address(v2));
        bytes memory refusal = abi.encodeWithSelector(GuardianAct.NotCouncil.selector, address(this));
        vm.expectRevert(refusal);
        registry.deploy(version, "");
        vm.expectRevert(refusal);
        registry.announce(address(proxy), version);
        vm.expectRevert(refusal);
        registry.revoke(address(proxy), version.codeHash);
        announce(version);
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(refusal);
        registry.activate(address(proxy));
    }

    function test_FirstVersionHasNoPredecessor() public {
        ImplementationRegistry.Version memory version = versionWith(address(v2));
        version.predecessorEligible = true;
        vm.prank(COUNCIL);
        expectBareRevert(ImplementationRegistry.PredecessorOnFirst.selector);
        registry.deploy(version, "");
    }

    function test_DeployChecksCode() public {
        ImplementationRegistry.Version memory version = versionWith(address(v2));
        version.codeHash = "other";
        vm.prank(COUNCIL);
        vm.expectRevert(
            abi.encodeWithSelector(
                ImplementationRegistry.CodeMismatch.selector, address(v2), bytes32("other"), address(v2).codehash
            )
        );
        registry.deploy(version, "");
    }

    // --- notice

    function test_AnnounceRefusesWhatCannotRun() public {
        _refusesCode(address(0xDEAD)); // no code
        vm.etch(address(0x7702), abi.encodePacked(hex"ef0100", address(v2)));
        _refusesCode(address(0x7702)); // a delegation, which its owner can change
        vm.etch(address(0x7703), new bytes(23));
        _refusesCode(address(0x7703));

        _refusesForeign(address(new GuardedByAnother()));
        _refusesForeign(address(new VersionProbe(proxy))); // no guarded contract at all
        _refusesForeign(address(new HostileProbe(HostileProbe.Way.BOMB)));

        ImplementationRegistry.Version memory version = versionWith(address(v2));
        version.layoutHash = 0;
        vm.prank(COUNCIL);
        expectBareRevert(ImplementationRegistry.LayoutMissing.selector);
        registry.announce(address(proxy), version);

        version = versionWith(address(v2));
        version.probe = IProbe(address(0));
        vm.prank(COUNCIL);
        expectBareRevert(GuardianAct.ZeroAddress.selector);
        registry.announce(address(proxy), version);

        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.UnknownProxy.selector, address(v2)));
        registry.announce(address(v2), versionWith(address(v2)));
    }

    function _refusesCode(address implementation) private {
        bytes32 hash = implementation.codehash;
        vm.prank(COUNCIL);
        vm.expectRevert(
            abi.encodeWithSelector(ImplementationRegistry.CodeMismatch.selector, implementation, hash, hash)
        );
        registry.announce(address(proxy), versionWith(implementation));
    }

    function _refusesForeign(address implementation) private {
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.ForeignCode.selector, implementation));
        registry.announce(address(proxy), versionWith(implementation));
    }

    function test_UpgradeWaitsForItsNotice() public {
        announce(versionWith(address(v2)));
        uint40 eta = uint40(block.timestamp) + DELAY;
        for (uint256 i; i < 2; ++i) {
            proxy.put(i == 0 ? Mode.NORMAL : Mode.WATCH, 0);
            vm.warp(eta - 1);
            vm.prank(COUNCIL);
            vm.expectRevert(abi.encodeWithSelector(GuardianAct.TooEarly.selector, eta));
            registry.activate(address(proxy));
        }
        vm.warp(eta);
        activate();
        eq(proxy.version(), 2, "version");
        eq(proxy.total(), 100, "storage stays");
        expectBareRevert(GuardianAct.NothingAnnounced.selector);
        activate();
    }

    function test_NoticeLapses() public {
        announce(versionWith(address(v2)));
        uint40 last = uint40(block.timestamp) + DELAY + 14 days;
        vm.warp(last + 1);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.TooLate.selector, last));
        registry.activate(address(proxy));
        proxy.put(Mode.HALTED, 0);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.TooLate.selector, last));
        registry.activate(address(proxy));
        vm.warp(last);
        activate();
        eq(proxy.version(), 2, "lands in the last second");
    }

    function test_NewNoticeReplacesTheOld() public {
        announce(versionWith(address(v2)));
        vm.warp(block.timestamp + DELAY);
        announce(versionWith(address(new GuardedV3())));
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.TooEarly.selector, uint40(block.timestamp) + DELAY));
        registry.activate(address(proxy));
        vm.warp(block.timestamp + DELAY);
        activate();
        eq(proxy.version(), 3, "the newer one");
    }

    function test_CodeThatChangedSinceItsNoticeStaysOut() public {
        bytes32 announced = address(v2).codehash;
        announce(versionWith(address(v2)));
        vm.warp(block.timestamp + DELAY);
        vm.etch(address(v2), address(new GuardedV3()).code);
        vm.prank(COUNCIL);
        vm.expectRevert(
            abi.encodeWithSelector(
                ImplementationRegistry.CodeMismatch.selector, address(v2), announced, address(v2).codehash
            )
        );
        registry.activate(address(proxy));
    }

    function test_RevokedCodeNeverReturns() public {
        announce(versionWith(address(v2)));
        bytes32 hash = address(v2).codehash;
        vm.prank(COUNCIL);
        registry.revoke(address(proxy), hash);
        vm.warp(block.timestamp + DELAY);
        bytes memory refusal = abi.encodeWithSelector(ImplementationRegistry.CodeRevoked.selector, hash);
        vm.prank(COUNCIL);
        vm.expectRevert(refusal);
        registry.activate(address(proxy));
        vm.prank(COUNCIL);
        vm.expectRevert(refusal);
        registry.announce(address(proxy), versionWith(address(v2)));
        vm.prank(COUNCIL);
        vm.expectRevert(refusal);
        registry.revoke(address(proxy), hash);
    }

    // --- landing

    /// @dev OpenZeppelin PR #3021, Synthetix v3 PR #25: an upgrade after which nobody can upgrade again.
    function test_Regress_OzUups_BrickingUpgrade() public {
        announce(versionWith(address(new GuardedBrick())));
        vm.warp(block.timestamp + DELAY);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.RestrictionChanged.selector, address(proxy)));
        registry.activate(address(proxy));
        eq(proxy.version(), 1, "still the old code");

        // Code that answers, but was never made for a proxy, can still be replaced: the power is not its own to lose.
        GuardedStub stranger = new GuardedStub();
        upgrade(versionWith(address(stranger)));
        upgrade(versionWith(address(v2)));
        eq(proxy.version(), 2, "replaced");
    }

    /// @dev Code that went blind after it had landed: no patch, no rollback, but mendable with the full notice.
    function test_ProxyThatCannotSayItsModeIsMendable() public {
        vm.etch(address(running()), address(new GuardedBrick()).code);
        announce(versionWith(address(v2)));
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.TooEarly.selector, uint40(block.timestamp) + DELAY));
        registry.activate(address(proxy));
        vm.warp(block.timestamp + DELAY);
        activate();
        eq(proxy.version(), 2, "mended");
    }

    function test_BlindCodeIsNotReplacedByBlindCode() public {
        GuardedBrick brick = new GuardedBrick();
        vm.etch(address(running()), address(brick).code);
        announce(versionWith(address(brick)));
        vm.warp(block.timestamp + DELAY);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.RestrictionChanged.selector, address(proxy)));
        registry.activate(address(proxy));
    }

    function test_LandingLeavesTheRestrictionAsItWas() public {
        proxy.put(Mode.HALTED, 0);
        announce(versionWith(address(new GuardedUnpauser())));
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.RestrictionChanged.selector, address(proxy)));
        registry.activate(address(proxy));
    }

    function test_ProbeHasToBeGreenAfterwards() public {
        probe.refuse(2);
        announce(versionWith(address(v2)));
        vm.warp(block.timestamp + DELAY);
        _refusesProbe(probe);
        probe.refuse(1); // red before, green afterwards: that is what a mend looks like
        vm.expectEmit(true, true, true, true, address(registry));
        emit ImplementationRegistry.Activated(address(proxy), 1, address(v2).codehash, false);
        activate();
        eq(proxy.version(), 2, "mended");
    }

    function test_HostileProbesAreNotGreen() public {
        for (uint256 way; way <= uint256(type(HostileProbe.Way).max); ++way) {
            ImplementationRegistry.Version memory version = versionWith(address(v2));
            version.probe = IProbe(address(new HostileProbe(HostileProbe.Way(way))));
            announce(version);
            vm.warp(block.timestamp + DELAY);
            _refusesProbe(version.probe);
        }
        ImplementationRegistry.Version memory codeless = versionWith(address(v2));
        codeless.probe = IProbe(address(0xDEAD));
        announce(codeless);
        vm.warp(block.timestamp + DELAY);
        _refusesProbe(codeless.probe);
    }

    function _refusesProbe(IProbe probe_) private {
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.ProbeNotGreen.selector, probe_));
        registry.activate(address(proxy));
    }

    function test_MigrationRunsOnceOnLanding() public {
        ImplementationRegistry.Version memory halves = versionWith(address(new GuardedHalves(address(registry))));
        halves.schema = 2;
        halves.migration = GuardedHalves.toHalves.selector;
        upgrade(halves);
        eq(proxy.total(), 200, "halves");
        expectBareRevert(GuardedHalves.NotRegistry.selector);
        GuardedHalves(payable(address(proxy))).toHalves();
    }

    function test_MigrationThatRevertsStopsTheLanding() public {
        ImplementationRegistry.Version memory version = versionWith(address(v2));
        version.migration = GuardedHalves.toHalves.selector; // V2 has no such function
        announce(version);
        vm.warp(block.timestamp + DELAY);
        vm.prank(COUNCIL);
        vm.expectRevert(
            abi.encodeWithSelector(ImplementationRegistry.MigrationFailed.selector, GuardedHalves.toHalves.selector)
        );
        registry.activate(address(proxy));
        eq(proxy.version(), 1, "old code");
    }

    // --- patch

    /// @dev Design review: without a patch in a halt, no fix could land before the ramp reopens the hole.
    function test_Regress_Review_NoPatchInHalt() public {
        // In RESTRICTED, HALTED and each stage of RECOVERING: from the next block on, with mode and stage unchanged.
        for (uint8 i; i < 7; ++i) {
            Mode mode = i == 0 ? Mode.RESTRICTED : i == 1 ? Mode.HALTED : Mode.RECOVERING;
            uint8 stage = i < 2 ? 0 : i - 2;
            proxy.put(mode, stage);
            ImplementationRegistry.Version memory patch =
                versionWith(i % 2 == 0 ? address(v2) : address(new GuardedV3()));
            vm.prank(COUNCIL);
            registry.announce(address(proxy), patch);
            vm.prank(COUNCIL);
            expectBareRevert(ImplementationRegistry.SameBlock.selector);
            registry.activate(address(proxy));
            vm.roll(block.number + 1);
            activate();
            eq(proxy.version(), i % 2 == 0 ? 2 : 3, "patched");
            eq(uint256(registry.restrictionOf(address(proxy)).mode), uint256(mode), "mode");
            eq(registry.restrictionOf(address(proxy)).stage, stage, "stage");
        }
        // A guardian cannot: the patch left its predecessor ineligible, which is the default.
        trip(Mode.HALTED, 1);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.NotEligible.selector, 6));
        registry.rollback(address(proxy), 1, uint40(block.timestamp), noSignatures);
        // And a revoked predecessor stays out, eligible or not.
        ImplementationRegistry.Version memory next = versionWith(address(new GuardedV3()));
        next.predecessorEligible = true;
        vm.warp(block.timestamp + 7 days);
        announce(next);
        activate();
        vm.prank(COUNCIL);
        registry.revoke(address(proxy), address(v2).codehash);
        uint40 deadline = uint40(block.timestamp) + 1;
        controller.approve(rollbackDigest(deadline));
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.CodeRevoked.selector, address(v2).codehash));
        registry.rollback(address(proxy), 1, deadline, noSignatures);
    }

    // --- EXIT

    /// @dev Lighter's escape mode could be upgraded away without notice.
    function test_Regress_Lighter_UpgradeNoticeZero() public {
        upgraded(7 days);
        ImplementationRegistry.Version memory late = versionWith(address(new GuardedV3()));
        announce(late);
        vm.warp(block.timestamp + DELAY);
        bytes memory terminal = abi.encodeWithSelector(GuardianAct.ExitIsTerminal.selector, address(proxy));

        proxy.put(Mode.EXIT, 0); // the target knows, the controller is not asked yet
        vm.prank(COUNCIL);
        vm.expectRevert(terminal);
        registry.activate(address(proxy));
        uint40 deadline = uint40(block.timestamp) + 1;
        controller.approve(rollbackDigest(deadline));
        vm.expectRevert(abi.encodeWithSelector(GuardianAct.NotInEpisode.selector, address(proxy), Mode.EXIT));
        registry.rollback(address(proxy), 1, deadline, noSignatures);

        proxy.put(Mode.HALTED, 0); // the controller knows, its push did not reach the target
        controller.setExit();
        vm.prank(COUNCIL);
        vm.expectRevert(terminal);
        registry.activate(address(proxy));
        vm.expectRevert(terminal);
        registry.rollback(address(proxy), 1, deadline, noSignatures);
        eq(proxy.version(), 2, "nothing landed");
    }
}
