// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {IToken} from "../../../src/kit/SafeToken.sol";
import {ExitCause, Mode, Restriction, TripIntent} from "../../../src/kit/Types.sol";
import {Exits} from "../../../src/kit/controller/Exits.sol";
import {Scopes} from "../../../src/kit/controller/Scopes.sol";
import {ISequencerFeed} from "../../../src/kit/controller/Seats.sol";
import {EmergencyExit} from "../../../src/kit/exit/EmergencyExit.sol";
import {Rounds} from "../../../src/kit/exit/Rounds.sol";
import {IExitFunding} from "../../../src/kit/interfaces/IExitFunding.sol";

import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {IEntitlementLimit, ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";

import {IProbe} from "../../../src/kit/interfaces/ISensors.sol";
import {LossWaterfall} from "../../../src/kit/loss/LossWaterfall.sol";
import {TreasuryLayer} from "../../../src/kit/loss/TreasuryLayer.sol";
import {IRecoveryController, RecoveryPlan} from "../../../src/kit/recovery/RecoveryPlan.sol";
import {Assert} from "../../utils/Assert.sol";
import {Coin} from "../LossWaterfall/World.sol";
import {Gauge} from "../RecoveryPlan/World.sol";
import {NoEntries, Pool, SecondReading} from "./Pool.sol";

/// @notice Whole incidents with the real parts: what users can do at each moment, and who had to act for it.
contract IncidentTest is Assert {
    bytes32 private constant SCOPE = "pool";
    address private constant COUNCIL = address(0xc0);
    address private constant GUARDIAN = address(0x60a2d);
    address private constant ANN = address(0xa22);
    address private constant BOB = address(0xb0b);
    address private constant THIEF = address(0x74);
    address private constant TREASURY = address(0x7ea);
    uint40 private constant START = 1_700_000_000;
    uint40 private constant K = 5;
    uint32 private constant EVERYTHING = uint32(
        1 << Classes.ENTER | 1 << Classes.EXIT | 1 << Classes.INCREASE_RISK | 1 << Classes.LIQUIDATE | 1
            << Classes.TRANSFER | 1 << Classes.PRICE_UPDATE | 1 << Classes.BRIDGE_OUT | 1 << Classes.PULL_FROM
    );
    uint32 private constant RISKY = uint32(1 << Classes.ENTER | 1 << Classes.INCREASE_RISK | 1 << Classes.TRANSFER);

    Coin private coin;
    Pool private pool;
    FailSafeController private controller;
    RecoveryPlan private plan;
    EmergencyExit private exit;
    LossWaterfall private waterfall;
    Gauge private probe;
    uint256 private trips;

    function setUp() public {
        vm.warp(START);
        vm.roll(1_000);
        coin = new Coin();
        probe = new Gauge();
        probe.set(1);

        // They name each other: addresses are foreseen from the order of deployment.
        uint256 nonce = vm.getNonce(address(this));
        address exitAt = vm.computeCreateAddress(address(this), nonce + 2);
        address planAt = vm.computeCreateAddress(address(this), nonce + 3);
        address poolAt = vm.computeCreateAddress(address(this), nonce + 4);
        controller = new FailSafeController(
            FailSafeController.Configuration({
                council: COUNCIL,
                recoveryPlan: planAt,
                emergencyExit: exitAt,
                forcedExits: address(0),
                challenge: address(this),
                sequencer: ISequencerFeed(address(0)),
                tripFactorBps: 5_000,
                s0Dwell: 6 hours,
                blocksPerDay: 7_200
            })
        );
        NoEntries checkpoint = new NoEntries();
        Rounds.Listing[] memory listings = new Rounds.Listing[](1);
        listings[0] = Rounds.Listing(address(coin), poolAt, false);
        exit = new EmergencyExit(
            controller, ILedgerCheckpoint(address(checkpoint)), listings, IToken(address(coin)), 1, address(0), TREASURY
        );
        plan = new RecoveryPlan(IRecoveryController(address(controller)), 6 hours, 12 hours, 1 hours, K);
        pool = new Pool(_config(), IToken(address(coin)));
        yes(address(exit) == exitAt && address(plan) == planAt && address(pool) == poolAt, "foreseen");
        _waterfall();
        _appoint();
        _fund(ANN, 600);
        _fund(BOB, 300);
        vm.warp(START + 30 days);
        vm.roll(200_000);
        _beat();
    }

    /// @dev After the trip nobody with a key does anything. Classes open in their order, none earlier than its stage.
    function test_TripExpiryRampToNormal() public {
        uint256 tripped = block.timestamp;
        _trip(Mode.HALTED, EVERYTHING, 24 hours);
        _expectOpen(false, false, false, false);
        pool.repay();

        vm.warp(tripped + 24 hours);
        yes(pool.failsafeOpen(Classes.PRICE_UPDATE), "S0: prices");
        _expectOpen(false, false, false, false);
        plan.notePrices(SCOPE);

        uint256 stageAt = tripped + 30 hours;
        vm.warp(stageAt - 1);
        _expectOpen(false, false, false, false);
        vm.warp(stageAt);
        _expectOpen(true, false, false, false);
        vm.prank(ANN);
        pool.withdraw(100);
        eq(coin.balanceOf(ANN), 100, "S1: out, by time alone");

        stageAt = _step(stageAt, 24 hours);
        _expectOpen(true, true, false, false);
        stageAt = _step(stageAt, 12 hours);
        _expectOpen(true, true, true, false);
        stageAt = _step(stageAt, 24 hours);
        _expectOpen(true, true, true, true);
        stageAt = _step(stageAt, 24 hours);
        (, Restriction memory r) = pool.failsafeState();
        eq(uint8(r.mode), uint8(Mode.NORMAL), "NORMAL");
        eq(r.mask, 0, "everything open");
        eq(r.factorBps, 10_000, "limits whole");
        eq(pool.frozenSeconds(), 30 hours, "halt and S0 froze time");
        pool.failsafeSettle();
        vm.expectPartialRevert(RecoveryPlan.NotRecovering.selector);
        plan.advance(SCOPE);
    }

    /// @dev A pool that lost half: nobody gets out first; with every key silent it ends in EXIT, and each is paid half.
    function test_TripInsolvencyExit() public {
        _steal(450);
        uint256 tripped = block.timestamp;
        _trip(Mode.HALTED, EVERYTHING, 72 hours);
        _touchTwice(RecoveryPlan.flagInsolvent.selector);
        for (uint256 day = 3; day < 21; ++day) {
            vm.warp(tripped + day * 1 days + 7 hours);
            yes(!pool.failsafeOpen(Classes.EXIT), "no run");
        }
        vm.warp(tripped + 21 days - 1);
        vm.expectPartialRevert(RecoveryPlan.NothingToDecide.selector);
        plan.concede(SCOPE);
        // No checkpoint: shares as they stand.
        bytes memory none = abi.encode(type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(Exits.CauseNotMet.selector, SCOPE, ExitCause.INSOLVENT));
        controller.openExit(SCOPE, ExitCause.INSOLVENT, none);

        vm.warp(tripped + 21 days);
        _touchTwice(RecoveryPlan.concede.selector);
        controller.openExit(SCOPE, ExitCause.INSOLVENT, none);
        eq(pool.failsafeSurrender(address(coin)), 450, "all that is left goes to the round");
        uint256 round = exit.roundOf(address(pool));
        exit.activate(round, address(coin));
        vm.expectPartialRevert(RecoveryPlan.NotRecovering.selector);
        plan.advance(SCOPE);

        vm.warp(block.timestamp + 14 days);
        vm.prank(BOB);
        eq(exit.claim(round, address(coin), ""), 150, "Bob's half");
        vm.prank(ANN);
        eq(exit.claim(round, address(coin), ""), 300, "Ann's half");
        eq(coin.balanceOf(address(exit)), 0, "paid in full");
        yes(!pool.failsafeOpen(Classes.EXIT), "EXIT is terminal");
    }

    /// @dev The bit holds S1 until the layers have made the pool whole; nobody is asked, no key is used.
    function test_InsolvencyCoveredThenRamp() public {
        _steal(90);
        uint256 tripped = block.timestamp;
        _trip(Mode.HALTED, EVERYTHING, 24 hours);
        _touchTwice(RecoveryPlan.flagInsolvent.selector);
        vm.expectRevert(abi.encodeWithSelector(LossWaterfall.PricesClosed.selector));
        waterfall.coverDeficit(SCOPE);

        vm.warp(tripped + 25 hours);
        (uint256 covered, uint256 left) = waterfall.coverDeficit(SCOPE);
        eq(covered, 50, "daily cap");
        eq(left, 40, "announced");
        vm.warp(tripped + 49 hours);
        (, left) = waterfall.coverDeficit(SCOPE);
        eq(left, 0, "whole again");
        yes(!pool.failsafeOpen(Classes.EXIT), "held to the end");
        _touchTwice(RecoveryPlan.clearInsolvent.selector);
        uint256 stageAt = block.timestamp + 1;
        vm.warp(stageAt);
        yes(pool.failsafeOpen(Classes.EXIT), "S1 in the next second");
        plan.notePrices(SCOPE);
        stageAt = _step(stageAt, 24 hours);
        stageAt = _step(stageAt, 12 hours);
        stageAt = _step(stageAt, 24 hours);
        _step(stageAt, 24 hours);
        _expectOpen(true, true, true, true);
    }

    /// @dev A recovery that is interrupted goes on in the same episode: what the guardians used of their halt is used, S0 is
    /// served, and the ramp begins again from S1.
    function test_InterruptedRecoveryGetsNoFreshBudget() public {
        uint256 tripped = block.timestamp;
        _trip(Mode.HALTED, EVERYTHING, 72 hours);
        uint256 s1At = tripped + 78 hours;
        vm.warp(s1At);
        plan.notePrices(SCOPE);
        _step(s1At, 24 hours);
        _beat();

        // S2. Another halt: the 72 h of this episode are used up.
        TripIntent memory again = _intent(Mode.HALTED, EVERYTHING, 1 hours);
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, SCOPE));
        vm.prank(GUARDIAN);
        controller.trip(again);
        _trip(Mode.RESTRICTED, RISKY, 10 hours);
        eq(controller.episodeOf(SCOPE).episodeId, 1, "same episode");
        (uint8 stage, uint40 since) = plan.stageOf(SCOPE);
        eq(stage, 0, "closed at once");
        eq(since, block.timestamp + 10 hours, "S1 after it, without S0");
        vm.expectPartialRevert(RecoveryPlan.HeldUntil.selector);
        plan.advance(SCOPE);

        vm.warp(since);
        // S2 had opened liquidation, and the new trip left it open.
        _expectOpen(true, true, false, false);
        (stage,) = plan.stageOf(SCOPE);
        eq(stage, 1, "from S1 again");
        plan.notePrices(SCOPE);
        s1At = _step(since, 24 hours);
        s1At = _step(s1At, 12 hours);
        s1At = _step(s1At, 24 hours);
        _step(s1At, 24 hours);
        _expectOpen(true, true, true, true);
        eq(pool.frozenSeconds(), 78 hours, "one halt and one S0");
    }

    // ---------------------------------------------------------------- scene

    function _config() private view returns (FailSafe.Config memory c) {
        c.controller = address(controller);
        c.exit = IExitFunding(address(exit));
        c.entitlements = IEntitlementLimit(address(0));
        c.grace = 12 hours;
        c.dwells = [uint40(6 hours), 24 hours, 12 hours, 24 hours, 24 hours];
        c.budgets = [uint40(3.5 days), 7 days, 15 days];
        c.factorFloorBps = 2_500;
        c.exitAssets = new address[](1);
        c.exitAssets[0] = address(coin);
    }

    function _waterfall() private {
        uint256 nonce = vm.getNonce(address(this));
        address next = vm.computeCreateAddress(address(this), nonce + 2);
        TreasuryLayer treasury = new TreasuryLayer(next, pool, IToken(address(coin)), TREASURY);
        LossWaterfall.Step[] memory steps = new LossWaterfall.Step[](1);
        steps[0] = LossWaterfall.Step(treasury, 50);
        SecondReading second = new SecondReading(pool);
        waterfall = new LossWaterfall(controller, pool, pool, second, 1 hours, 100, steps);
        coin.mint(TREASURY, 1_000);
        vm.prank(TREASURY);
        coin.approve(address(treasury), type(uint256).max);
    }

    function _appoint() private {
        RecoveryPlan.Sensors memory sensors;
        (sensors.solvency, sensors.deficit, sensors.probes) = (pool, pool, new IProbe[](1));
        sensors.probes[0] = probe;
        address[] memory guardians = new address[](1);
        guardians[0] = GUARDIAN;
        vm.startPrank(COUNCIL);
        controller.addScope(SCOPE, 0);
        controller.enrol(address(pool), SCOPE);
        controller.setGroup(SCOPE, 0, 1, Mode.HALTED, 72 hours, guardians);
        plan.enrol(SCOPE, sensors);
        vm.stopPrank();
    }

    function _fund(address account, uint256 amount) private {
        coin.mint(account, amount);
        vm.startPrank(account);
        coin.approve(address(pool), amount);
        pool.deposit(amount);
        vm.stopPrank();
    }

    function _beat() private {
        vm.prank(GUARDIAN);
        controller.heartbeat(SCOPE, block.number - 1, blockhash(block.number - 1));
    }

    function _steal(uint256 amount) private {
        vm.prank(THIEF);
        pool.steal(amount);
    }

    function _trip(Mode mode, uint32 mask, uint40 duration) private {
        TripIntent memory i = _intent(mode, mask, duration);
        vm.prank(GUARDIAN);
        controller.trip(i);
    }

    function _intent(Mode mode, uint32 mask, uint40 duration) private returns (TripIntent memory i) {
        IFailSafeController.Episode memory e = controller.episodeOf(SCOPE);
        (i.scope, i.mode, i.mask, i.duration) = (SCOPE, mode, mask, duration);
        i.notAfter = uint40(block.timestamp) + duration;
        i.deadline = uint40(block.timestamp);
        (i.reason, i.stepHash) = ("drill", bytes32(++trips));
        i.keyEpisode = e.mode == Mode.NORMAL ? e.episodeId + 1 : e.episodeId;
        i.tripCount = e.mode == Mode.NORMAL ? 0 : e.tripCount;
        i.epoch = e.epoch;
    }

    function _touchTwice(bytes4 selector) private {
        for (uint256 i = 0; i < 2; ++i) {
            (bool ok,) = address(plan).call(abi.encodeWithSelector(selector, SCOPE));
            yes(ok, "touch");
            vm.roll(block.number + K);
        }
    }

    /// @dev Anyone steps at the end of a dwell; what it opens is not open in the same second.
    function _step(uint256 from, uint256 dwell) private returns (uint256 stageAt) {
        stageAt = from + dwell;
        vm.warp(stageAt);
        (, Restriction memory before) = pool.failsafeState();
        plan.advance(SCOPE);
        (, Restriction memory r) = pool.failsafeState();
        eq(r.mask, before.mask, "not in the same second");
        vm.roll(block.number + 1);
        vm.warp(stageAt + 1);
    }

    function _expectOpen(bool out, bool liquidation, bool enter, bool risk) private view {
        yes(pool.failsafeOpen(Classes.EXIT) == out, "EXIT");
        yes(pool.failsafeOpen(Classes.LIQUIDATE) == liquidation, "LIQUIDATE");
        yes(pool.failsafeOpen(Classes.ENTER) == enter, "ENTER");
        yes(pool.failsafeOpen(Classes.INCREASE_RISK) == risk, "INCREASE_RISK");
        yes(pool.failsafeOpen(Classes.REDUCE_RISK), "REDUCE_RISK in every mode");
        yes(pool.failsafeOpen(Classes.CLAIM), "CLAIM in every mode");
    }
}
