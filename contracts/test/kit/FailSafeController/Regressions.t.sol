// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BoundedCall} from "../../../src/kit/BoundedCall.sol";
import {Classes} from "../../../src/kit/Classes.sol";
import {ExitCause, Mode, Origin, TripIntent} from "../../../src/kit/Types.sol";
import {Council} from "../../../src/kit/controller/Council.sol";
import {CouncilChallenge} from "../../../src/kit/controller/CouncilChallenge.sol";
import {Exits} from "../../../src/kit/controller/Exits.sol";
import {Intents} from "../../../src/kit/controller/Intents.sol";
import {Scopes} from "../../../src/kit/controller/Scopes.sol";
import {Seats} from "../../../src/kit/controller/Seats.sol";
import {SensorTrips} from "../../../src/kit/controller/SensorTrips.sol";
import {ControllerWorld} from "./ControllerWorld.sol";
import {MockTarget} from "./MockTarget.sol";
import {Gauge} from "./Sensors.t.sol";

/// @notice Failures of others and of earlier drafts, each by the name of its origin.
contract RegressionsTest is ControllerWorld {
    MockTarget[] internal targets;

    function setUp() public override {
        super.setUp();
        targets = _enrol(MARKET, 3);
    }

    /// @dev In the block in which the pauser's heartbeat turns out to have expired, the backup acts, without any transaction before.
    function test_Regress_LidoCB_ExpiredPauserLockout() public {
        uint256 heard = block.timestamp;
        for (uint256 n; n < 7; ++n) {
            _step(1, 2 days);
            _beat(MARKET, 3);
        }
        vm.warp(block.timestamp + 1);
        TripIntent memory i = _halt(1 hours);
        _refused(i, abi.encodeWithSelector(Seats.SeatLapsed.selector, vm.addr(keys[0]), heard));
        eq(controller.tripBySig(i, _sign(i, 3, 1)), 7, "covered");
    }

    /// @dev Who is seated again starts from nothing, whatever his last heartbeat was.
    function test_Regress_LidoCB_HeartbeatSurvivesRemoval() public {
        address[] memory same = new address[](3);
        for (uint256 n; n < 3; ++n) {
            same[n] = vm.addr(keys[n]);
        }
        vm.startPrank(COUNCIL);
        controller.setGroup(MARKET, 0, 2, Mode.HALTED, 72 hours, new address[](0));
        controller.setGroup(MARKET, 0, 2, Mode.HALTED, 72 hours, same);
        vm.stopPrank();
        (,,,, uint40 lastBeat, uint40 lastBeatBlock) = controller.seatOf(MARKET, same[0]);
        eq(lastBeat + lastBeatBlock, 0, "fresh");
        _refused(_halt(1 hours), abi.encodeWithSelector(Seats.SeatLapsed.selector, same[0], 0));
        _beat(MARKET, 0);
        _beat(MARKET, 1);
        _trip(_halt(1 hours));
    }

    function test_Regress_GateSeal_OneTargetRevertsAll() public {
        targets[1].behave(MockTarget.Behaviour.REFUSE);
        eq(_trip(_halt(1 hours)), 5, "the other two close");
    }

    function test_Regress_LidoDSM_SigReplayAfterUnpause() public {
        TripIntent memory i = _halt(1 hours);
        TripIntent memory unused = _intent(MARKET, Mode.HALTED, 2 hours, "unused");
        bytes[] memory sigs = _sign(i, 0, 2);
        controller.tripBySig(i, sigs);
        vm.expectPartialRevert(Intents.ActionKeyUsed.selector);
        controller.tripBySig(i, sigs);
        vm.warp(block.timestamp + 1);
        _council();
        controller.release(MARKET);
        vm.expectRevert(abi.encodeWithSelector(Intents.StaleEpoch.selector, 0, 1));
        controller.tripBySig(i, sigs);
        _refused(unused, abi.encodeWithSelector(Intents.StaleEpoch.selector, 0, 1));
    }

    function test_Regress_OpSpecs_UnusedIdentifierNoop() public {
        _council();
        controller.addScope("empty", GLOBAL);
        _seat("empty");
        TripIntent memory i = _intent("empty", Mode.HALTED, 1 hours, "halt");
        _refused(i, abi.encodeWithSelector(Scopes.EmptyScope.selector, bytes32("empty")));
        i = _halt(1 hours);
        i.scope = "never added";
        _refused(i, abi.encodeWithSelector(Council.NotAuthorized.selector, vm.addr(keys[0])));
    }

    /// @dev An answer after the time does not stop the exit any more.
    function test_Regress_OpLiveness_LateResponse() public {
        _trip(_halt(72 hours));
        vm.deal(RELAYER, BOND);
        vm.prank(RELAYER);
        challenge.challenge{value: BOND}(MARKET);
        vm.warp(block.timestamp + 14 days + 1);
        _council();
        vm.expectRevert(abi.encodeWithSelector(CouncilChallenge.AnswerTooLate.selector, MARKET));
        challenge.answer(MARKET);
        controller.openExit(MARKET, ExitCause.SILENCE, abi.encode(uint256(1)));
        _is(MARKET, Mode.EXIT, "exit");
    }

    /// @dev What has expired is over: the council cannot prolong it, and `retry` does not bring it back.
    function test_Regress_Base_ReviveExpiredPause() public {
        targets[0].behave(MockTarget.Behaviour.REFUSE);
        _trip(_halt(1 hours));
        targets[0].behave(MockTarget.Behaviour.OBEY);
        vm.warp(block.timestamp + 1 hours);
        _council();
        vm.expectRevert(abi.encodeWithSelector(Exits.NotLive.selector, MARKET));
        controller.confirm(MARKET, uint40(block.timestamp + 1 days));
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        controller.retry(MARKET, 7);
        eq(uint8(targets[0].mode()), uint8(Mode.NORMAL), "never closed");
    }

    function test_Regress_OzTimelock_NoCodeTarget() public {
        vm.etch(address(targets[2]), "");
        eq(_trip(_halt(1 hours)), 3, "a push to nobody is no success");
        vm.etch(address(targets[0]), "");
        vm.etch(address(targets[1]), "");
        _refused(_halt(2 hours), abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
    }

    /// @dev If nobody ever acts again, new money and new risk stay out, and anyone can open EXIT.
    function test_Regress_Erc7265_FailOpenOnSilence() public {
        _trip(_halt(72 hours));
        vm.warp(block.timestamp + 365 days);
        (bool closed,) = controller.restrictionOf(address(targets[0]), Classes.ENTER);
        yes(closed, "ENTER");
        (closed,) = controller.restrictionOf(address(targets[0]), Classes.INCREASE_RISK);
        yes(closed, "INCREASE_RISK");
        vm.deal(RELAYER, BOND);
        vm.prank(RELAYER);
        challenge.challenge{value: BOND}(MARKET);
        vm.warp(block.timestamp + 14 days + 1);
        controller.openExit(MARKET, ExitCause.SILENCE, abi.encode(uint256(1)));
    }

    /// @dev A trip costs the same however many scopes, episodes and keys there were before.
    function test_Regress_Erc7265_ListWalk() public {
        uint256 first = _costOfWatch(0);
        _council();
        controller.addScope("other", PRODUCT);
        _enrol("other", 20);
        uint256 last;
        for (uint256 n = 1; n < 30; ++n) {
            last = _costOfWatch(n);
        }
        atMost(last, first, "no dearer than the first");
    }

    /// @dev A batch with a settled, an exited and an already tight member still does the rest.
    function test_Regress_Ccip_DuplicateCurseBatch() public {
        _seat(GLOBAL);
        _council();
        controller.addScope("exited", PRODUCT);
        _seat("exited");
        MockTarget gone = _enrol("exited", 1)[0];
        _trip(_intent("exited", Mode.HALTED, 1 hours, "halt"));
        _council();
        controller.openExit("exited", ExitCause.COUNCIL, abi.encode(uint256(1)));
        gone.behave(MockTarget.Behaviour.REFUSE);
        _trip(_halt(72 hours));
        targets[0].behave(MockTarget.Behaviour.REFUSE);
        eq(_trip(_intent(GLOBAL, Mode.HALTED, 1 hours, "all")), 15, "already as tight counts as done");
    }

    /// @dev No call that a guardian or an asker can make opens anything, even with all its rights.
    function test_Regress_Comet_GuardianUnpauses() public {
        _trip(_halt(72 hours));
        vm.warp(block.timestamp + 1);
        bytes[7] memory calls = [
            abi.encodeCall(controller.release, (MARKET)),
            abi.encodeCall(controller.setStage, (MARKET, 2)),
            abi.encodeCall(controller.finish, (MARKET)),
            abi.encodeCall(controller.confirm, (MARKET, uint40(block.timestamp + 1))),
            abi.encodeCall(controller.holdClosed, (MARKET, 0)),
            abi.encodeCall(controller.softTrip, (MARKET, Mode.WATCH, 0, 1, "loosen")),
            abi.encodeCall(controller.retry, (MARKET, 7))
        ];
        for (uint256 n; n < calls.length; ++n) {
            for (uint256 signer; signer < 5; ++signer) {
                vm.prank(vm.addr(keys[signer]));
                (bool ok,) = address(controller).call(calls[n]);
                yes(!ok, "refused");
            }
        }
        TripIntent memory shorter = _intent(MARKET, Mode.HALTED, 1, "shorter");
        shorter.mask = 1;
        _refused(shorter, abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        for (uint256 n; n < 3; ++n) {
            eq(uint8(targets[n].mode()), uint8(Mode.HALTED), "closed");
        }
    }

    /// @dev The cost of a target does not depend on how many there are.
    function test_Regress_Aave_FreezeLoop() public {
        uint256 three = _costOfWatch(0);
        _enrol(MARKET, 29);
        uint256 all = _costOfWatch(1);
        // 29 more targets, at most a tenth dearer each than the average of the first three with the whole call in it.
        atMost(all - three, 29 * three / 3, "linear");
    }

    /// @dev Two relayers land the same signed trip: one effect, one refusal, nothing else.
    function test_Regress_Relayer_DoubleBroadcast() public {
        TripIntent memory i = _halt(10 hours);
        bytes[] memory sigs = _sign(i, 0, 2);
        controller.tripBySig(i, sigs);
        uint40 until = controller.episodeOf(MARKET).until;
        vm.warp(block.timestamp + 1 hours);
        vm.prank(RELAYER);
        vm.expectPartialRevert(Intents.ActionKeyUsed.selector);
        controller.tripBySig(i, sigs);
        // The same step signed by other signers is the same step.
        bytes[] memory others = _signDigest(controller.digestOf(i), 1, 2);
        vm.expectPartialRevert(Intents.ActionKeyUsed.selector);
        controller.tripBySig(i, others);
        eq(controller.episodeOf(MARKET).until, until, "no second longer");
        eq(controller.episodeOf(MARKET).tripCount, 1, "one trip");
    }

    /// @dev Nothing that anyone can do in between makes a signed halt stale.
    function test_Regress_Review_EpochFrontRun() public {
        Gauge gauge = new Gauge();
        gauge.set(1);
        _council();
        sensors.setSensor("peg", SensorTrips.Sensor(gauge, MARKET, Mode.RESTRICTED, 1, 1 hours, 0));
        TripIntent memory halt = _halt(10 hours);
        halt.deadline = uint40(block.timestamp + 7 days);
        halt.notAfter = halt.deadline;
        bytes[] memory sigs = _sign(halt, 0, 2);
        sensors.poke("peg");
        _step(5, 60);
        sensors.poke("peg");
        _is(MARKET, Mode.RESTRICTED, "poked");
        // The whole recovery of the poke in between, by anyone.
        vm.warp(block.timestamp + 1 hours);
        for (uint8 stage = 2; stage < 5; ++stage) {
            _plan();
            controller.setStage(MARKET, stage);
        }
        _plan();
        controller.finish(MARKET);
        // And the next poke.
        sensors.poke("peg");
        _step(5, 60);
        sensors.poke("peg");
        controller.tripBySig(halt, sigs);
        _is(MARKET, Mode.HALTED, "it still lands");
    }

    /// @dev One stolen key gives up one seat and its own signatures; the last group stands; a poor relayer harms nobody.
    function test_Regress_Review_OneKeyDisarms() public {
        address stolen = vm.addr(keys[0]);
        TripIntent memory i = _halt(1 hours);
        vm.startPrank(stolen);
        controller.withdrawSignature(controller.digestOf(i));
        controller.leaveSeat(MARKET, 0);
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, stolen));
        controller.leaveSeat(MARKET, 1);
        vm.stopPrank();
        bytes[] memory sigs = _sign(i, 1, 2);
        (bool ok, bytes memory why) =
            address(controller).call{gas: 350_000}(abi.encodeCall(controller.tripBySig, (i, sigs)));
        yes(!ok, "too little gas for a push");
        eq(uint32(bytes4(why)), uint32(BoundedCall.GasTooLow.selector), "GasTooLow");
        controller.tripBySig(i, sigs);
        // The backup gives itself up; the primary of two cannot be left any more.
        for (uint256 n = 3; n < 5; ++n) {
            vm.prank(vm.addr(keys[n]));
            controller.leaveSeat(MARKET, 1);
        }
        vm.prank(vm.addr(keys[1]));
        vm.expectRevert(abi.encodeWithSelector(Seats.LastGroup.selector, MARKET, 0));
        controller.leaveSeat(MARKET, 0);
        _trip2(_halt(2 hours));
    }

    /// @dev A silent backup is no cover: the primary's last signers cannot leave for it.
    function test_Regress_Review_OneKeyDisarms_SilentBackup() public {
        _step(1, 3 days + 1);
        for (uint256 n; n < 3; ++n) {
            _beat(MARKET, n);
        }
        vm.prank(vm.addr(keys[0]));
        controller.leaveSeat(MARKET, 0);
        vm.prank(vm.addr(keys[1]));
        vm.expectRevert(abi.encodeWithSelector(Seats.LastGroup.selector, MARKET, 0));
        controller.leaveSeat(MARKET, 0);
        _beat(MARKET, 3);
        vm.prank(vm.addr(keys[1]));
        controller.leaveSeat(MARKET, 0);
    }

    /// @dev The twin with a later end is refused, a poke in between changes no key, the escalation signed beside it lands.
    function test_Regress_Review_ActionKeyFence() public {
        TripIntent memory restrict = _restrict(10 hours);
        TripIntent memory escalation = _halt(10 hours);
        TripIntent memory twin = _restrict(10 hours);
        twin.notAfter += 5 days;
        twin.evidence = keccak256("another node's journal");
        _council();
        controller.setSoftOrigin(address(this), Origin.SENSOR);
        controller.softTrip(MARKET, Mode.RESTRICTED, 1, 1 hours, "poke");
        eq(_trip(restrict), 7, "not stale by a poke");
        bytes32 key = keccak256(
            abi.encode(block.chainid, address(controller), MARKET, uint256(1), uint256(0), restrict.stepHash)
        );
        _refused(twin, abi.encodeWithSelector(Intents.ActionKeyUsed.selector, key));
        eq(_trip(escalation), 7, "the escalation lands");
        _refused(twin, abi.encodeWithSelector(Intents.ActionKeyUsed.selector, key));
    }

    /// @dev Neither capital nor stubborn payees nor waiting in NORMAL opens EXIT: the controller wants a live restriction and a
    /// verdict of the same transaction.
    function test_Regress_Review_BoughtExit() public {
        verdicts.setStarved(true);
        vm.expectRevert(abi.encodeWithSelector(Exits.NotLive.selector, MARKET));
        controller.openExit(MARKET, ExitCause.UNSERVED, abi.encode(uint256(1)));
        _trip(_intent(MARKET, Mode.WATCH, 1 hours, "watch"));
        vm.expectRevert(abi.encodeWithSelector(Exits.NotLive.selector, MARKET));
        controller.openExit(MARKET, ExitCause.UNSERVED, abi.encode(uint256(1)));
        _trip(_restrict(1 hours));
        verdicts.setStarved(false);
        vm.expectRevert(abi.encodeWithSelector(Exits.CauseNotMet.selector, MARKET, ExitCause.UNSERVED));
        controller.openExit(MARKET, ExitCause.UNSERVED, abi.encode(uint256(1)));
    }

    function test_Regress_Review_UnboundedIndex() public {
        vm.startPrank(COUNCIL);
        for (uint256 n = 1; n < 32; ++n) {
            controller.addScope(bytes32(n), GLOBAL);
        }
        vm.expectRevert(abi.encodeWithSelector(Scopes.TooManyChildren.selector, GLOBAL));
        controller.addScope(bytes32(uint256(32)), GLOBAL);
    }

    /// @dev Whatever guardians, targets and stages did before: as long as something is live, the council can release it.
    function test_Regress_Ntt_ManagerCannotUnpause() public {
        _trip(_halt(72 hours));
        for (uint256 n; n < 3; ++n) {
            targets[n].behave(MockTarget.Behaviour(1 + n));
        }
        vm.warp(block.timestamp + 1 hours);
        _council();
        controller.release(MARKET);
        _is(MARKET, Mode.HALTED, "recovering from a halt");
        eq(controller.episodeOf(MARKET).until, block.timestamp, "since now");
        vm.warp(block.timestamp + 6 hours);
        _trip2(_restrict(1 hours));
        vm.warp(block.timestamp + 1);
        _council();
        controller.release(MARKET);
        eq(controller.episodeOf(MARKET).epoch, 2, "again");
    }

    // ---------------------------------------------------------------- parts

    function _trip2(TripIntent memory i) private {
        for (uint256 n; n < 3; ++n) {
            targets[n].behave(MockTarget.Behaviour.OBEY);
        }
        controller.tripBySig(i, _sign(i, 1, 2));
    }

    function _costOfWatch(uint256 n) private returns (uint256 gas) {
        TripIntent memory i = _intent(MARKET, Mode.WATCH, 1 hours, bytes32(n));
        bytes[] memory sigs = _sign(i, 0, 2);
        gas = gasleft();
        controller.tripBySig(i, sigs);
        gas -= gasleft();
        vm.warp(block.timestamp + 2 hours);
        _beatAll(MARKET);
    }
}
