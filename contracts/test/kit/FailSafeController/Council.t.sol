// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {Mode, Origin, TripIntent} from "../../../src/kit/Types.sol";
import {Council} from "../../../src/kit/controller/Council.sol";
import {Exits} from "../../../src/kit/controller/Exits.sol";
import {Intents} from "../../../src/kit/controller/Intents.sol";
import {Scopes} from "../../../src/kit/controller/Scopes.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {ControllerWorld} from "./ControllerWorld.sol";
import {MockTarget} from "./MockTarget.sol";

/// @notice What only the council and the recovery plan may do, edge by edge.
contract CouncilTest is ControllerWorld {
    MockTarget internal target;

    function setUp() public override {
        super.setUp();
        target = _enrol(MARKET, 1)[0];
    }

    function test_NobodyElseMayDoAnyOfIt() public {
        bytes[14] memory calls = [
            abi.encodeCall(controller.addScope, ("new", GLOBAL)),
            abi.encodeCall(controller.enrol, (address(this), MARKET)),
            abi.encodeCall(controller.setGroup, (MARKET, 0, 1, Mode.HALTED, 1, new address[](0))),
            abi.encodeCall(controller.setSoftOrigin, (address(this), Origin.SENSOR)),
            abi.encodeCall(controller.confirm, (MARKET, 1)),
            abi.encodeCall(controller.release, (MARKET)),
            abi.encodeCall(controller.waiveGap, (MARKET)),
            abi.encodeCall(controller.holdClosed, (MARKET, 1)),
            abi.encodeCall(controller.setIncidentBlock, (MARKET, 1)),
            abi.encodeCall(controller.proposeCouncil, (address(this))),
            abi.encodeCall(controller.acceptCouncil, ()),
            abi.encodeCall(controller.setStage, (MARKET, 2)),
            abi.encodeCall(controller.finish, (MARKET)),
            abi.encodeCall(controller.setInsolvent, (MARKET, true))
        ];
        address[3] memory callers = [address(this), vm.addr(keys[0]), address(sensors)];
        for (uint256 n; n < calls.length; ++n) {
            for (uint256 k; k < callers.length; ++k) {
                vm.prank(callers[k]);
                (bool ok, bytes memory why) = address(controller).call(calls[n]);
                yes(!ok, "refused");
                eq(uint32(bytes4(why)), uint32(Council.NotAuthorized.selector), "as not authorized");
            }
        }
        // The recovery plan is not the council, nor the council the plan.
        vm.prank(address(verdicts));
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, address(verdicts)));
        controller.release(MARKET);
        _council();
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, COUNCIL));
        controller.setStage(MARKET, 2);
    }

    function test_CouncilIsReplacedInTwoStepsAndAWeek() public {
        vm.startPrank(COUNCIL);
        vm.expectRevert(_err(Council.ZeroAddress.selector));
        controller.proposeCouncil(address(0));
        controller.proposeCouncil(address(this));
        vm.stopPrank();
        uint40 from = uint40(block.timestamp + 7 days);
        vm.warp(from - 1);
        vm.expectRevert(abi.encodeWithSelector(Council.TooEarly.selector, from));
        controller.acceptCouncil();
        eq(controller.council(), COUNCIL, "still the old one");
        vm.warp(from);
        controller.acceptCouncil();
        eq(controller.council(), address(this), "the new one");
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, address(this)));
        controller.acceptCouncil();
    }

    function test_AProposalIsTakenBackByNamingThePresentCouncil() public {
        _council();
        controller.proposeCouncil(address(this));
        _council();
        controller.proposeCouncil(COUNCIL);
        vm.warp(block.timestamp + 7 days);
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, address(this)));
        controller.acceptCouncil();
    }

    function test_ConfirmTakesOverAndProlongs() public {
        _trip(_halt(10 hours));
        uint40 start = uint40(block.timestamp);
        vm.warp(start + 1 hours);
        vm.startPrank(COUNCIL);
        bytes4 bounds = FailSafeController.UntilOutOfBounds.selector;
        vm.expectRevert(abi.encodeWithSelector(bounds, start + 10 hours - 1, start + 10 hours, start + 21 days));
        controller.confirm(MARKET, start + 10 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(bounds, start + 21 days + 1, start + 10 hours, start + 21 days));
        controller.confirm(MARKET, start + 21 days + 1);
        controller.confirm(MARKET, start + 10 hours);
        controller.confirm(MARKET, start + 21 days);
        vm.stopPrank();
        eq(controller.episodeOf(MARKET).until, start + 21 days, "prolonged");
        eq(uint8(target.last().origin), uint8(Origin.COUNCIL), "as the council");
        eq(uint8(target.last().mode), uint8(Mode.HALTED), "the mode in force");
    }

    function test_AConfirmThatReachesNobodyIsNone() public {
        _trip(_halt(10 hours));
        target.behave(MockTarget.Behaviour.REFUSE);
        _council();
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        controller.confirm(MARKET, uint40(block.timestamp + 20 hours));
    }

    /// @dev What the council granted is not lent to a guardian, and a target that lags is closed from its own budget.
    function test_ALaggingTargetPaysForItself() public {
        MockTarget lagging = _enrol(MARKET, 1)[0];
        lagging.behave(MockTarget.Behaviour.REFUSE);
        _trip(_restrict(10 hours));
        _council();
        controller.confirm(MARKET, uint40(block.timestamp + 20 days));
        lagging.behave(MockTarget.Behaviour.OBEY);
        controller.retry(MARKET, 2);
        eq(uint8(lagging.last().origin), uint8(Origin.GUARDIAN), "origin");
        lagging.behave(MockTarget.Behaviour.REFUSE);
        _trip(_halt(1 hours));
        lagging.behave(MockTarget.Behaviour.OBEY);
        controller.retry(MARKET, 2);
        eq(
            lagging.last().until,
            block.timestamp + 1 hours,
            "the halt ends as signed, not with the council's RESTRICTED"
        );
    }

    /// @dev What the council or the plan left on an episode does not reach into the next.
    function test_ANewEpisodeBeginsClean() public {
        _trip(_intent(MARKET, Mode.WATCH, 1 hours, "watch"));
        _council();
        controller.confirm(MARKET, uint40(block.timestamp + 2 hours));
        _plan();
        controller.setInsolvent(MARKET, true);
        vm.warp(block.timestamp + 2 hours);
        _trip(_restrict(1 hours));
        vm.warp(block.timestamp + 1 hours);
        (bool closed,) = controller.restrictionOf(address(target), Classes.TRANSFER);
        yes(!closed, "S1, held by no bit of the episode before");
    }

    function test_ReleaseBeginsTheRecoveryAndRaisesTheEpoch() public {
        _trip(_halt(10 hours));
        TripIntent memory unused = _halt(11 hours);
        uint40 start = uint40(block.timestamp);
        _council();
        vm.expectRevert(abi.encodeWithSelector(Council.TooEarly.selector, start + 1));
        controller.release(MARKET);
        vm.warp(start + 1 hours);
        _council();
        controller.release(MARKET);
        IFailSafeController.Episode memory e = controller.episodeOf(MARKET);
        eq(e.epoch, 1, "epoch");
        eq(uint8(e.mode), uint8(Mode.HALTED), "what it recovers from");
        eq(e.until, start + 1 hours, "since when");
        eq(uint8(target.mode()), uint8(Mode.RECOVERING), "recovering");
        eq(target.stage(), 0, "S0 after a halt");
        _refused(unused, abi.encodeWithSelector(Intents.StaleEpoch.selector, 0, 1));
        _council();
        vm.expectRevert(abi.encodeWithSelector(Exits.NotLive.selector, MARKET));
        controller.release(MARKET);
    }

    function test_ReleaseOfRestrictedBeginsAtS1AndOfWatchEnds() public {
        _council();
        vm.expectRevert(abi.encodeWithSelector(Exits.NotLive.selector, MARKET));
        controller.release(MARKET);
        _trip(_intent(MARKET, Mode.WATCH, 10 hours, "watch"));
        vm.warp(block.timestamp + 1);
        _council();
        controller.release(MARKET);
        _is(MARKET, Mode.NORMAL, "a watch just ends");
        eq(uint8(target.mode()), uint8(Mode.NORMAL), "at the target too");
        _trip(_restrict(10 hours));
        vm.warp(block.timestamp + 1);
        _council();
        controller.release(MARKET);
        eq(target.stage(), 1, "S1");
        (bool closed,) = controller.restrictionOf(address(target), Classes.TRANSFER);
        yes(!closed, "pull form: TRANSFER is open in S1");
        (closed,) = controller.restrictionOf(address(target), Classes.ENTER);
        yes(closed, "pull form: ENTER is not");
    }

    /// @dev A release also drops the RESTRICTED that waits below a halt.
    function test_ReleaseLeavesNothingWaiting() public {
        _trip(_restrict(24 hours));
        _trip(_halt(2 hours));
        vm.warp(block.timestamp + 1 hours);
        _council();
        controller.release(MARKET);
        vm.warp(block.timestamp + 6 hours);
        (bool closed,) = controller.restrictionOf(address(target), Classes.TRANSFER);
        yes(!closed, "S1");
    }

    function test_OneRefusingTargetDoesNotStopARelease() public {
        MockTarget bad = _enrol(MARKET, 1)[0];
        _trip(_halt(10 hours));
        bad.behave(MockTarget.Behaviour.EAT_GAS);
        vm.warp(block.timestamp + 1);
        _council();
        controller.release(MARKET);
        eq(uint8(target.mode()), uint8(Mode.RECOVERING), "released");
        bad.behave(MockTarget.Behaviour.OBEY);
        eq(controller.retry(MARKET, 2), 2, "and the other later, by anyone");
    }

    function test_StagesInOrderThenNormal() public {
        _trip(_halt(10 hours));
        _plan();
        vm.expectRevert(abi.encodeWithSelector(Exits.NotLive.selector, MARKET));
        controller.setStage(MARKET, 2);
        vm.warp(block.timestamp + 10 hours);
        _stageRefused(1, 0);
        _stageRefused(2, 0);
        vm.warp(block.timestamp + 6 hours);
        _stageRefused(1, 1);
        _stageRefused(3, 1);
        for (uint8 stage = 2; stage < 5; ++stage) {
            _plan();
            vm.expectRevert(abi.encodeWithSelector(FailSafeController.StageOrder.selector, stage - 1, 5));
            controller.finish(MARKET);
            _plan();
            controller.setStage(MARKET, stage);
            _is(MARKET, Mode.RECOVERING, "recovering");
            eq(target.stage(), stage, "stage");
        }
        _stageRefused(5, 4);
        _plan();
        controller.finish(MARKET);
        _is(MARKET, Mode.NORMAL, "over");
        eq(uint8(target.mode()), uint8(Mode.NORMAL), "at the target too");
    }

    function test_ATripInTheRampStartsItAnew() public {
        _trip(_restrict(1 hours));
        vm.warp(block.timestamp + 1 hours);
        _plan();
        controller.setStage(MARKET, 2);
        _trip(_restrict(2 hours));
        _is(MARKET, Mode.RESTRICTED, "tight again");
        eq(controller.episodeOf(MARKET).episodeId, 1, "in the same episode");
        vm.warp(block.timestamp + 2 hours);
        _stageRefused(3, 1);
    }

    function test_WatchInARecoveryIsNothing() public {
        _trip(_restrict(1 hours));
        vm.warp(block.timestamp + 1 hours);
        _refused(
            _intent(MARKET, Mode.WATCH, 1 hours, "watch"),
            abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET)
        );
    }

    function test_InsolvencyHoldsS0InThePullFormAndLapses() public {
        _trip(_halt(1 hours));
        uint40 start = uint40(block.timestamp);
        _plan();
        controller.setInsolvent(MARKET, true);
        yes(target.insolvent(), "told");
        vm.warp(start + 10 days);
        (bool closed,) = controller.restrictionOf(address(target), Classes.EXIT);
        yes(closed, "S0 is held");
        vm.warp(start + 23 days);
        (closed,) = controller.restrictionOf(address(target), Classes.EXIT);
        yes(!closed, "not for ever");
        vm.warp(start + 10 days);
        _plan();
        controller.setInsolvent(MARKET, false);
        (closed,) = controller.restrictionOf(address(target), Classes.EXIT);
        yes(!closed, "nor once cleared");
        yes(!target.insolvent(), "told again");
    }

    function test_HoldAndGapAreTheTargetsToJudge() public {
        _council();
        controller.holdClosed(MARKET, Classes.HOLDABLE);
        eq(target.held(), Classes.HOLDABLE, "passed on");
        _council();
        controller.waiveGap(MARKET);
        yes(target.gapWaived(), "passed on");
    }

    function test_IncidentBlockByTheCouncil() public {
        _council();
        vm.expectRevert(abi.encodeWithSelector(Exits.NotLive.selector, MARKET));
        controller.setIncidentBlock(MARKET, 1);
        _trip(_halt(72 hours));
        uint256 tripBlock = block.number;
        uint40 start = uint40(block.timestamp);
        vm.startPrank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        controller.setIncidentBlock(MARKET, uint40(tripBlock));
        uint256 week = 7 * uint256(BLOCKS_PER_DAY);
        vm.expectRevert(abi.encodeWithSelector(Intents.IncidentTooEarly.selector, tripBlock - week - 1, week));
        controller.setIncidentBlock(MARKET, uint40(tripBlock - week - 1));
        controller.setIncidentBlock(MARKET, uint40(tripBlock - 10));
        vm.warp(start + 48 hours);
        controller.setIncidentBlock(MARKET, uint40(tripBlock - week));
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        controller.setIncidentBlock(MARKET, uint40(tripBlock - 10));
        vm.warp(start + 48 hours + 1);
        vm.expectRevert(abi.encodeWithSelector(FailSafeController.TooLate.selector, start + 48 hours));
        controller.setIncidentBlock(MARKET, uint40(tripBlock - week));
        eq(controller.episodeOf(MARKET).incidentBlock, tripBlock - week, "a week back");
    }

    function test_ConfigurationBounds() public {
        FailSafeController.Configuration memory c = _configuration();
        c.challenge = address(1);
        c.council = address(0);
        _configurationRefused(c, Council.ZeroAddress.selector);
        c.council = COUNCIL;
        c.recoveryPlan = address(0);
        _configurationRefused(c, Council.ZeroAddress.selector);
        c.recoveryPlan = address(1);
        c.emergencyExit = address(0);
        _configurationRefused(c, Council.ZeroAddress.selector);
        c.emergencyExit = address(1);
        c.challenge = address(0);
        _configurationRefused(c, Council.ZeroAddress.selector);
        c.challenge = address(1);
        c.tripFactorBps = 2_499;
        _configurationRefused(c, Scopes.InvalidConfiguration.selector);
        c.tripFactorBps = 10_000;
        _configurationRefused(c, Scopes.InvalidConfiguration.selector);
        c.tripFactorBps = 2_500;
        c.s0Dwell = 0;
        _configurationRefused(c, Scopes.InvalidConfiguration.selector);
        c.s0Dwell = 24 hours + 1;
        _configurationRefused(c, Scopes.InvalidConfiguration.selector);
        c.s0Dwell = 24 hours;
        c.blocksPerDay = 0;
        _configurationRefused(c, Scopes.InvalidConfiguration.selector);
        c.blocksPerDay = type(uint24).max / 7 + 1;
        _configurationRefused(c, Scopes.InvalidConfiguration.selector);
        c.blocksPerDay = type(uint24).max / 7;
        new FailSafeController(c);
    }

    function _configurationRefused(FailSafeController.Configuration memory c, bytes4 selector) private {
        vm.expectRevert(_err(selector));
        new FailSafeController(c);
    }

    function _stageRefused(uint8 asked, uint8 present) private {
        _plan();
        vm.expectRevert(abi.encodeWithSelector(FailSafeController.StageOrder.selector, present, asked));
        controller.setStage(MARKET, asked);
    }
}
