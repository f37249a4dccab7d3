// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {ExitCause, Mode, Restriction, TripIntent} from "../../../src/kit/Types.sol";
import {Signatures} from "../../../src/kit/controller/Signatures.sol";
import {ISequencerFeed, Seats} from "../../../src/kit/controller/Seats.sol";
import {IExitFunding} from "../../../src/kit/interfaces/IExitFunding.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";

import {GuardianAct} from "../../../src/kit/rollback/GuardianAct.sol";
import {ImplementationRegistry} from "../../../src/kit/rollback/ImplementationRegistry.sol";
import {ParameterStore} from "../../../src/kit/rollback/ParameterStore.sol";
import {Assert} from "../../utils/Assert.sol";
import {LeakyMarket, Market, MarketProbe, PatchedMarket} from "./RollbackMarket.sol";

/// @notice A round that pays nobody: here only the edge into EXIT matters.
contract RoundStub {
    function openRound(bytes32, uint256) external pure returns (uint256) {
        return 1;
    }
}

/// @notice End to end with the real controller and a real guarded contract: a bad upgrade is rolled back, a bad parameter is restored,
/// a hole is patched in a halt, and after EXIT none of it works any more.
contract RollbackDrill is Assert {
    address private constant COUNCIL = address(0xC0);
    address private constant PLAN = address(0x91A4);
    address private constant THIEF = address(0xBAD);
    address private constant USER = address(0x05E4);
    bytes32 private constant SCOPE = "market";
    uint32 private constant RESTRICT = uint32(
        1 << Classes.ENTER | 1 << Classes.INCREASE_RISK | 1 << Classes.TRANSFER | 1 << Classes.ADMIN | 1
            << Classes.UPGRADE
    );

    FailSafeController private controller;
    ImplementationRegistry private registry;
    ParameterStore private store;
    Market private market;
    MarketProbe private probe;
    FailSafe.Config private config;
    uint256[] private keys;
    uint256 private steps;

    function setUp() public {
        vm.warp(1_800_000_000);
        vm.roll(10_000);
        _deployController();
        config.controller = address(controller);
        config.exit = IExitFunding(address(0xE817));
        config.grace = 12 hours;
        config.dwells = [6 hours, uint40(24 hours), 12 hours, 24 hours, 24 hours];
        config.budgets = [uint40(3.5 days), 7 days, 15 days];
        config.factorFloorBps = 5_000;
        registry = new ImplementationRegistry(IFailSafeController(address(controller)), 48 hours);
        // The registry's first creation is the proxy; the probe has to know it.
        bytes32 hash = keccak256(abi.encodePacked(hex"d694", address(registry), hex"01"));
        probe = new MarketProbe(Market(address(uint160(uint256(hash)))));
        ImplementationRegistry.Version memory first = _version(address(new Market(config)), false);
        vm.prank(COUNCIL);
        market = Market(registry.deploy(first, abi.encodeCall(Market.initialize, ())));
        store = new ParameterStore(
            IFailSafeController(address(controller)), address(market), 48 hours, 12 hours, _threshold(), _value()
        );
        market.setParameters(store);
        vm.prank(COUNCIL);
        controller.enrol(address(market), SCOPE);
        vm.deal(USER, 100);
        vm.deal(THIEF, 10);
        vm.prank(USER);
        market.deposit{value: 100}();
        vm.prank(THIEF);
        market.deposit{value: 10}();
    }

    // ---------------------------------------------------------------- the drills

    function test_BadUpgradeIsRolledBack() public {
        vm.warp(block.timestamp + 5 days);
        _upgrade(address(new LeakyMarket(config)), true);
        vm.prank(THIEF);
        market.withdraw(50); // 40 more than it has
        eq(address(market).balance, 60, "the loss");

        _trip(Mode.HALTED, Classes.RESTRICTABLE);
        Restriction memory before = registry.restrictionOf(address(market));
        _rollBack();
        eq(market.version(), 1, "rollback of code");
        Restriction memory afterwards = registry.restrictionOf(address(market));
        eq(
            uint256(keccak256(abi.encode(afterwards))),
            uint256(keccak256(abi.encode(before))),
            "still halted, as long as before"
        );
        eq(uint256(afterwards.mode), uint256(Mode.HALTED), "halted");
        eq(address(market).balance, 60, "what left is not back: this is no undo");
        eq(market.depositOf(USER), 100, "storage is what it was");

        // The ramp goes on under the old code, and the hole is gone when exits open.
        vm.warp(afterwards.until + 6 hours + 1);
        vm.prank(USER);
        market.withdraw(5);
        vm.prank(THIEF);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        market.withdraw(1);
    }

    function test_RollbackIsSignedOncePerEpisodeAndBoundToIt() public {
        vm.warp(block.timestamp + 5 days);
        LeakyMarket leaky = new LeakyMarket(config);
        _upgrade(address(leaky), true);
        uint40 deadline = uint40(block.timestamp) + 7 days;
        _trip(Mode.RESTRICTED, RESTRICT);
        bytes[] memory early = _sign(_rollbackDigest(deadline), 2);
        bytes[] memory one = _sign(_rollbackDigest(deadline), 1);
        vm.expectRevert(abi.encodeWithSelector(Seats.ThresholdNotMet.selector, 1, 2));
        registry.rollback(address(market), 0, deadline, one);
        // One signer takes its own back, and no more than that.
        address withdrawer = vm.addr(keys[0]);
        bytes32 digest = _rollbackDigest(deadline);
        vm.prank(withdrawer);
        controller.withdrawSignature(digest);
        vm.expectRevert(abi.encodeWithSelector(Seats.WithdrawnSignature.selector, withdrawer));
        registry.rollback(address(market), 0, deadline, early);
        // A release makes the rest of them stale.
        vm.warp(block.timestamp + 1 hours);
        vm.prank(COUNCIL);
        controller.release(SCOPE);
        (bool ok, bytes memory why) = address(registry)
            .call(abi.encodeCall(registry.rollback, (address(market), 0, deadline, _signBy(digest, 1, 2))));
        yes(!ok, "signed before the release");
        // The signatures are of another digest: they recover to strangers.
        yes(
            bytes4(why) == Seats.UnsortedSigners.selector || bytes4(why) == bytes4(keccak256("NotAuthorized(address)")),
            "strangers"
        );
        // In recovery the guardians can still go back, freshly signed; and once only.
        _rollBack();
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.NotEligible.selector, 1));
        registry.rollback(address(market), 0, deadline, early);
    }

    function test_HoleIsPatchedInAHalt() public {
        _trip(Mode.HALTED, Classes.RESTRICTABLE);
        ImplementationRegistry.Version memory patch = _version(address(new PatchedMarket(config)), false);
        vm.prank(COUNCIL);
        registry.announce(address(market), patch);
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + 12);
        vm.prank(COUNCIL);
        registry.activate(address(market));
        eq(market.version(), 3, "patched");
        eq(uint256(registry.restrictionOf(address(market)).mode), uint256(Mode.HALTED), "mode unchanged");
        uint40 deadline = uint40(block.timestamp) + 1 hours;
        bytes[] memory signatures = _sign(_rollbackDigest(deadline), 2);
        vm.expectRevert(abi.encodeWithSelector(ImplementationRegistry.NotEligible.selector, 0));
        registry.rollback(address(market), 0, deadline, signatures);
    }

    function test_BadParameterIsRestored() public {
        vm.prank(COUNCIL);
        store.change(0, 8_500); // a mistake, noticed by nobody in two days
        vm.warp(block.timestamp + 48 hours);
        vm.prank(COUNCIL);
        store.land(0);
        vm.warp(block.timestamp + 1);
        vm.prank(USER);
        market.borrow(84); // honest, and allowed now
        _trip(Mode.RESTRICTED, RESTRICT);
        uint40 deadline = uint40(block.timestamp) + 1 hours;
        store.restoreTighter(0, 0, deadline, _sign(_restoreDigest(0, deadline), 2));
        eq(store.valueOf(0, Classes.EXIT), 8_000, "restore of parameters");

        // The borrower is under the old threshold, and has the grace period to repay before anybody may liquidate.
        uint40 graceUntil = uint40(block.timestamp) + 12 hours;
        vm.warp(graceUntil - 1);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.ActionClosed.selector, Classes.LIQUIDATE, graceUntil));
        market.liquidate(USER);
        vm.prank(USER);
        market.repay(4);
        vm.warp(graceUntil);
        vm.expectRevert(abi.encodeWithSelector(Market.Healthy.selector, USER));
        market.liquidate(USER);

        // Exact restore of what the guardians tightened: by the council, with notice, when class ADMIN is open again.
        vm.prank(COUNCIL);
        store.scheduleRestore(2);
        vm.warp(block.timestamp + 48 hours);
        uint256 key = store.RESTORE();
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.ActionClosed.selector, Classes.ADMIN, 0));
        store.land(key);
        for (uint8 stage = 2; stage <= 4; ++stage) {
            vm.prank(PLAN);
            controller.setStage(SCOPE, stage);
            vm.warp(block.timestamp + 24 hours + 1);
        }
        vm.prank(COUNCIL);
        store.land(key);
        vm.warp(block.timestamp + 1);
        eq(store.valueOf(0, Classes.EXIT), 8_500, "exactly as it was");
    }

    function test_NothingLandsAfterExit() public {
        vm.warp(block.timestamp + 5 days);
        _upgrade(address(new LeakyMarket(config)), true);
        ImplementationRegistry.Version memory patch = _version(address(new PatchedMarket(config)), false);
        _trip(Mode.HALTED, Classes.RESTRICTABLE);
        vm.startPrank(COUNCIL);
        registry.announce(address(market), patch);
        store.change(0, 8_500);
        controller.openExit(SCOPE, ExitCause.COUNCIL, abi.encode(uint256(0)));
        vm.stopPrank();
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + 48 hours);
        uint40 deadline = uint40(block.timestamp) + 1 hours;
        bytes[] memory rollback = _sign(_rollbackDigest(deadline), 2);
        bytes[] memory restore = _sign(_restoreDigest(0, deadline), 2);
        bytes memory terminal = abi.encodeWithSelector(GuardianAct.ExitIsTerminal.selector, address(market));
        vm.expectRevert(terminal);
        registry.rollback(address(market), 0, deadline, rollback);
        vm.expectRevert(terminal);
        store.restoreTighter(0, 0, deadline, restore);
        vm.startPrank(COUNCIL);
        vm.expectRevert(terminal);
        registry.activate(address(market));
        vm.expectRevert(terminal);
        store.land(0);
        vm.expectRevert(terminal);
        store.change(0, 7_000);
        vm.stopPrank();
        eq(market.version(), 2, "the code of the round");
    }

    // ---------------------------------------------------------------- what people do

    function _upgrade(address implementation, bool predecessorEligible) private {
        ImplementationRegistry.Version memory version = _version(implementation, predecessorEligible);
        vm.prank(COUNCIL);
        registry.announce(address(market), version);
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + 48 hours);
        vm.prank(COUNCIL);
        registry.activate(address(market));
    }

    function _trip(Mode mode, uint32 mask) private {
        IFailSafeController.Episode memory episode = controller.episodeOf(SCOPE);
        TripIntent memory intent;
        intent.scope = SCOPE;
        intent.mode = mode;
        intent.mask = mask;
        intent.duration = 12 hours;
        intent.notAfter = uint40(block.timestamp) + 3 days;
        intent.stepHash = bytes32(++steps);
        intent.keyEpisode = episode.episodeId + 1;
        intent.epoch = episode.epoch;
        intent.deadline = uint40(block.timestamp) + 1 hours;
        controller.tripBySig(intent, _sign(controller.digestOf(intent), 2));
        eq(uint256(registry.restrictionOf(address(market)).mode), uint256(mode), "tripped");
    }

    function _rollBack() private {
        uint40 deadline = uint40(block.timestamp) + 1 hours;
        bytes[] memory signatures = _sign(_rollbackDigest(deadline), 2);
        vm.prank(address(0xABCD)); // any relayer
        registry.rollback(address(market), 0, deadline, signatures);
    }

    function _rollbackDigest(uint40 deadline) private view returns (bytes32) {
        ImplementationRegistry.Version[] memory versions = registry.versionsOf(address(market));
        IFailSafeController.Episode memory episode = controller.episodeOf(SCOPE);
        bytes memory message = abi.encode(
            keccak256(
                "Rollback(address proxy,uint256 version,bytes32 codeHash,uint32 keyEpisode,uint32 epoch,uint40 deadline)"
            ),
            address(market),
            versions.length,
            versions[versions.length - 2].codeHash,
            episode.episodeId,
            episode.epoch,
            deadline
        );
        return _typed(address(registry), message);
    }

    function _restoreDigest(uint256 id, uint40 deadline) private view returns (bytes32) {
        IFailSafeController.Episode memory episode = controller.episodeOf(SCOPE);
        bytes memory message = abi.encode(
            keccak256(
                "RestoreTighter(address target,uint256 checkpoint,uint32 keyEpisode,uint32 epoch,uint40 deadline)"
            ),
            address(market),
            id,
            episode.episodeId,
            episode.epoch,
            deadline
        );
        return _typed(address(store), message);
    }

    function _typed(address verifier, bytes memory message) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("GuardianAct"),
                keccak256("1"),
                block.chainid,
                verifier
            )
        );
        return keccak256(abi.encodePacked("\x19\x01", domain, keccak256(message)));
    }

    /// @dev Signatures of the first `count` guardians, by rising address.
    function _sign(bytes32 digest, uint256 count) private view returns (bytes[] memory) {
        return _signBy(digest, 0, count);
    }

    function _signBy(bytes32 digest, uint256 from, uint256 count) private view returns (bytes[] memory signatures) {
        signatures = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[from + i], digest);
            signatures[i] = abi.encodePacked(r, s, v);
        }
    }

    // ---------------------------------------------------------------- deployment

    function _deployController() private {
        FailSafeController.Configuration memory c;
        c.council = COUNCIL;
        c.recoveryPlan = PLAN;
        c.emergencyExit = address(new RoundStub());
        c.sequencer = ISequencerFeed(address(0));
        c.tripFactorBps = 5_000;
        c.s0Dwell = 6 hours;
        c.blocksPerDay = 7_200;
        c.challenge = address(0xC4A1);
        controller = new FailSafeController(c);
        keys = [uint256(11), 12, 13];
        for (uint256 i; i < 3; ++i) {
            for (uint256 j; j + 1 < 3 - i; ++j) {
                if (vm.addr(keys[j]) > vm.addr(keys[j + 1])) (keys[j], keys[j + 1]) = (keys[j + 1], keys[j]);
            }
        }
        address[] memory signers = new address[](3);
        for (uint256 i; i < 3; ++i) {
            signers[i] = vm.addr(keys[i]);
        }
        vm.startPrank(COUNCIL);
        controller.addScope(SCOPE, 0);
        controller.setGroup(SCOPE, 0, 2, Mode.HALTED, 72 hours, signers);
        vm.stopPrank();
        _beat();
    }

    function _beat() private {
        for (uint256 i; i < 3; ++i) {
            vm.prank(vm.addr(keys[i]));
            controller.heartbeat(SCOPE, block.number - 1, blockhash(block.number - 1));
        }
    }

    function _version(address implementation, bool predecessorEligible)
        private
        view
        returns (ImplementationRegistry.Version memory v)
    {
        v.implementation = implementation;
        v.codeHash = implementation.codehash;
        v.layoutHash = "layout";
        v.schema = 1;
        v.predecessorEligible = predecessorEligible;
        v.probe = probe;
    }

    function _threshold() private pure returns (ParameterStore.Parameter[] memory list) {
        list = new ParameterStore.Parameter[](1);
        list[0] = ParameterStore.Parameter("threshold", 5_000, 9_500, 500, ParameterStore.Side.LOWER, true);
    }

    function _value() private pure returns (uint104[] memory list) {
        list = new uint104[](1);
        list[0] = 8_000;
    }
}
