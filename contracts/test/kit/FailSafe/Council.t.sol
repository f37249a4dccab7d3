// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeWord} from "../../../src/kit/FailSafeWord.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {FailSafeWorld} from "./FailSafeWorld.sol";

/// @notice What the council can do, through a controller that passes it on.
contract CouncilTest is FailSafeWorld {
    bytes private constant NOT_LIVE = abi.encodeWithSelector(IFailSafe.NotLive.selector);
    bytes private constant NOTHING = abi.encodeWithSelector(IFailSafe.NothingChanges.selector);

    // ------------------------------------------------------------- prolonging

    function test_ProlongsWhatIsLive() public {
        _halt(1 hours);
        eq(_council(Mode.HALTED, 0, 5 days), START + 5 days, "until");
        eq(_now().graceUntil, START + 5 days + GRACE, "grace moves along");
        eq(_council(Mode.HALTED, 0, 21 days), START + 21 days, "to the cap");
        _refused(
            _ask(Mode.HALTED, 0, 21 days + 1, Origin.COUNCIL),
            abi.encodeWithSelector(IFailSafe.EpisodeCapReached.selector, START + 21 days)
        );
        vm.warp(START + 21 days);
        _is(Mode.RECOVERING, 0, "over");
    }

    function test_TheCapIsOfTheEpisode() public {
        _watch(10 hours, Origin.GUARDIAN);
        vm.warp(START + 9 hours);
        _restrict(24 hours, Origin.GUARDIAN);
        Restriction memory r = _ask(Mode.RESTRICTED, 0, 21 days, Origin.COUNCIL);
        _refused(r, abi.encodeWithSelector(IFailSafe.EpisodeCapReached.selector, START + 21 days));
        r.until = uint40(START + 21 days);
        _arm(r);
    }

    function test_AWatchNoLongerThanADayAhead() public {
        _watch(1 hours, Origin.GUARDIAN);
        _refused(
            _ask(Mode.WATCH, 0, 25 hours, Origin.COUNCIL),
            abi.encodeWithSelector(IFailSafe.EpisodeCapReached.selector, START + 24 hours)
        );
        _council(Mode.WATCH, 0, 24 hours);
    }

    function test_ProlongsOnlyTheModeInForce() public {
        for (uint8 mode = 1; mode <= 3; ++mode) {
            _refused(_ask(Mode(mode), 0, 1 hours, Origin.COUNCIL), NOT_LIVE);
        }
        _restrict(1 hours, Origin.GUARDIAN);
        _refused(_ask(Mode.HALTED, 0, 2 hours, Origin.COUNCIL), NOT_LIVE);
        _refused(_ask(Mode.WATCH, 0, 2 hours, Origin.COUNCIL), NOT_LIVE);
        vm.warp(_now().until);
        _refused(_ask(Mode.RESTRICTED, 0, 2 hours, Origin.COUNCIL), NOT_LIVE);
    }

    function test_ProlongingNeverShortens() public {
        _halt(72 hours);
        eq(_council(Mode.HALTED, 0, 1 hours), START + 72 hours, "taken over as it is");
        _refused(_ask(Mode.HALTED, 0, 72 hours, Origin.COUNCIL), NOTHING);
        _council(Mode.HALTED, 0, 73 hours);
    }

    function test_ProlongingAHaltKeepsWhatWaits() public {
        _restrict(24 hours, Origin.SENSOR);
        _halt(1 hours);
        _council(Mode.HALTED, 0, 10 hours);
        vm.warp(START + 16 hours);
        _is(Mode.RESTRICTED, 0, "after S0");
        eq(_now().until, START + 24 hours, "to its own end");
    }

    // ------------------------------------------------------------- releasing

    function test_ReleaseOfEachMode() public {
        _watch(1 hours, Origin.GUARDIAN);
        _council(Mode.NORMAL, 0, 0);
        eq(vault.limitFactor(), 5_000, "throttled in this second");
        vm.warp(block.timestamp + 1);
        eq(vault.limitFactor(), 10_000, "free in the next");
        _is(Mode.NORMAL, 0, "WATCH");

        _restrict(1 hours, Origin.GUARDIAN);
        _refused(_ask(Mode.NORMAL, 0, 0, Origin.COUNCIL), NOT_LIVE);
        _release();
        eq(_word().stage, 1, "RESTRICTED to S1");
        _open(Classes.TRANSFER, false, "not in this second");
        vm.warp(block.timestamp + 1);
        _open(Classes.TRANSFER, true, "in the next");

        _halt(10 hours);
        _release();
        _is(Mode.RECOVERING, 0, "HALTED to S0");
        eq(_now().until, block.timestamp + S0, "whole dwell");
        eq(_now().graceUntil, block.timestamp + 1 + GRACE, "grace from when prices open");
        _open(Classes.PRICE_UPDATE, false, "not in this second");
        vm.warp(block.timestamp + 1);
        _open(Classes.PRICE_UPDATE, true, "in the next");
        _refused(_ask(Mode.RECOVERING, 0, 0, Origin.COUNCIL), NOT_LIVE);
        vm.warp(_now().until);
        _is(Mode.RECOVERING, 1, "S1 by time");
    }

    function test_ReleaseWithoutS0LeftPricesOpenFirst() public {
        _halt(1 hours);
        vm.warp(_now().until + S0);
        _halt(1 hours);
        _release();
        _open(Classes.PRICE_UPDATE, false, "not in this second");
        _open(Classes.EXIT, false, "payouts neither");
        vm.warp(block.timestamp + 1);
        _is(Mode.RECOVERING, 1, "S1");
    }

    function test_ReleaseEndsWhatWaits() public {
        _restrict(24 hours, Origin.SENSOR);
        _halt(1 hours);
        _release();
        vm.warp(_now().until);
        _is(Mode.RECOVERING, 1, "no RESTRICTED after S0");

        vault = _deploy(_config());
        _restrict(24 hours, Origin.SENSOR);
        _halt(1 hours);
        vm.warp(block.timestamp + 1 hours);
        _release();
        _is(Mode.RECOVERING, 0, "S0 itself is not shortened");
        vm.warp(_now().until);
        _is(Mode.RECOVERING, 1, "no RESTRICTED after it");
    }

    // ------------------------------------------------------------- the ramp

    function test_StagesNeedTheirDwell() public {
        uint40[5] memory dwells = [uint40(0), 24 hours, 12 hours, 24 hours, 24 hours];
        _restrict(1 hours, Origin.GUARDIAN);
        vm.warp(_now().until);
        for (uint8 stage = 2; stage <= 5; ++stage) {
            uint40 due = uint40(block.timestamp) + dwells[stage - 1];
            eq(_now().until, due, "due");
            vm.warp(due - 1);
            Restriction memory r = _ask(stage == 5 ? Mode.NORMAL : Mode.RECOVERING, 0, 0, Origin.COUNCIL);
            r.stage = stage == 5 ? 0 : stage;
            _refused(r, abi.encodeWithSelector(IFailSafe.StageNotOver.selector, due));
            vm.warp(due);
            _arm(r);
        }
        vm.warp(block.timestamp + 1);
        _is(Mode.NORMAL, 0, "end");
    }

    function test_OneStageForEachCall() public {
        _restrict(1 hours, Origin.GUARDIAN);
        vm.warp(_now().until + S1);
        _council(Mode.RECOVERING, 4, 0);
        eq(_word().stage, 2, "the next, not the fourth");
        vm.warp(_now().until);
        _council(Mode.NORMAL, 0, 0);
        eq(_word().stage, 3, "the next, not the end");
    }

    function test_NeverBack() public {
        _restrict(1 hours, Origin.GUARDIAN);
        vm.warp(_now().until + S1);
        _council(Mode.RECOVERING, 2, 0);
        for (uint8 stage = 0; stage <= 2; ++stage) {
            Restriction memory r = _ask(Mode.RECOVERING, 0, 0, Origin.COUNCIL);
            r.stage = stage;
            _refused(r, stage < 2 ? NOT_LIVE : NOTHING);
        }
        vm.warp(_now().until);
        _council(Mode.RECOVERING, 3, 0);
        vm.warp(_now().until);
        _council(Mode.RECOVERING, 4, 0);
        vm.warp(_now().until);
        Restriction memory beyond = _ask(Mode.RECOVERING, 0, 0, Origin.COUNCIL);
        beyond.stage = 5;
        _refused(beyond, NOTHING);
    }

    function test_NoStageWhileLiveNorInS0() public {
        Restriction memory r = _ask(Mode.RECOVERING, 0, 0, Origin.COUNCIL);
        r.stage = 2;
        _refused(r, NOT_LIVE);
        _halt(1 hours);
        _refused(r, NOT_LIVE);
        vm.warp(_now().until);
        _refused(r, NOT_LIVE);
        r.mode = Mode.NORMAL;
        _refused(r, NOT_LIVE);
        r.stage = 1;
        r.mode = Mode.RECOVERING;
        _refused(r, NOT_LIVE);
    }

    // ------------------------------------------------------------- insolvency

    function test_InsolvencyHoldsS0UntilDay23() public {
        _halt(1 hours);
        vault.failsafeInsolvent(true);
        vm.expectRevert(NOTHING);
        vault.failsafeInsolvent(true);
        vm.warp(START + 20 days);
        _is(Mode.RECOVERING, 0, "held");
        vm.warp(START + 23 days - 1);
        _is(Mode.RECOVERING, 0, "to the last second");
        eq(vault.frozenSeconds(), 23 days - 1, "and frozen");
        vm.warp(START + 23 days);
        _is(Mode.RECOVERING, 1, "lapsed");
        eq(_now().until, START + 23 days + S1, "S1 from there");
        eq(vault.frozenSeconds(), 23 days, "frozen until then");
    }

    function test_InsolvencyClosesPayoutsWhateverTheMask() public {
        _restrict(1 hours, Origin.SENSOR);
        vault.failsafeInsolvent(true);
        _open(Classes.EXIT, true, "RESTRICTED is as it is");
        vm.warp(_now().until);
        _is(Mode.RECOVERING, 0, "S0 instead of S1");
        _open(Classes.EXIT, false, "payouts");
        _open(Classes.TRANSFER, false, "transfers");
        eq(vault.frozenSeconds(), 0, "nothing frozen before");
        vm.warp(block.timestamp + 1 days);
        eq(vault.frozenSeconds(), 1 days, "frozen since");
        vault.failsafeInsolvent(false);
        _open(Classes.EXIT, false, "not in this second");
        _open(Classes.TRANSFER, false, "not in this second");
        vm.warp(block.timestamp + 1);
        _is(Mode.RECOVERING, 1, "S1");
        _open(Classes.EXIT, true, "in the next");
        eq(vault.frozenSeconds(), 1 days + 1, "and one second of it");
    }

    function test_ClearedBeforeItsDwellIsOver() public {
        _halt(1 hours);
        vault.failsafeInsolvent(true);
        vm.warp(START + 2 hours);
        vault.failsafeInsolvent(false);
        _is(Mode.RECOVERING, 0, "S0 goes on");
        vm.warp(START + 7 hours);
        _is(Mode.RECOVERING, 1, "to its end");
    }

    function test_ClearedWhileSomethingWaits() public {
        _restrict(24 hours, Origin.SENSOR);
        _halt(1 hours);
        vault.failsafeInsolvent(true);
        vm.warp(START + 10 hours);
        vault.failsafeInsolvent(false);
        vm.warp(START + 10 hours + 1);
        _is(Mode.RESTRICTED, 0, "what waited");
        atLeast(_now().until, START + 24 hours, "to its own end");
        atMost(_now().until, START + 24 hours + 59, "rounded up to minutes");
    }

    function test_ARestrictedWaitsBelowALongHold() public {
        _halt(1 hours);
        vault.failsafeInsolvent(true);
        vm.warp(START + 23 days - 1 hours);
        _restrict(24 hours, Origin.SENSOR);
        _is(Mode.RECOVERING, 0, "held");
        vm.warp(START + 23 days);
        _is(Mode.RESTRICTED, 0, "what waited");
        eq(_now().until, START + 24 days - 1 hours, "as long as asked");
        vm.warp(_now().until);
        _is(Mode.RECOVERING, 1, "S1");
    }

    function test_InsolvencyIsFlaggedInTime() public {
        vm.expectRevert(NOT_LIVE);
        vault.failsafeInsolvent(true);
        _watch(1 hours, Origin.GUARDIAN);
        vm.expectRevert(NOT_LIVE);
        vault.failsafeInsolvent(true);
        _restrict(1 hours, Origin.GUARDIAN);
        _council(Mode.RESTRICTED, 0, 21 days);
        vm.warp(START + 21 days);
        vm.expectRevert(NOT_LIVE);
        vault.failsafeInsolvent(true);
        _halt(1 hours);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.EpisodeCapReached.selector, START + 21 days));
        vault.failsafeInsolvent(true);
    }

    // ------------------------------------------------------------- hold

    function test_HoldAfterDay21() public {
        uint32 held = uint32(1 << Classes.ENTER | 1 << Classes.BRIDGE_OUT);
        vm.expectRevert(NOT_LIVE);
        vault.failsafeHold(held);
        _restrict(1 hours, Origin.GUARDIAN);
        vm.warp(_now().until);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.TooEarly.selector, START + 21 days));
        vault.failsafeHold(held);
        vm.warp(START + 21 days);
        uint32 beyond = held | uint32(1 << Classes.EXIT);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.MaskOutOfBounds.selector, beyond, Classes.HOLDABLE));
        vault.failsafeHold(beyond);
        vault.failsafeHold(held);
        vm.expectRevert(NOTHING);
        vault.failsafeHold(held);
        vm.expectRevert(NOT_LIVE);
        vault.failsafeHold(0);
        _ramp();
        _is(Mode.NORMAL, 0, "everything else is over");
        eq(_now().mask, held, "what is held");
        eq(vault.limitFactor(), 10_000, "limits");

        vm.expectRevert(abi.encodeWithSelector(IFailSafe.ActionClosed.selector, Classes.ENTER, FOREVER));
        vault.act(Classes.ENTER);
        vm.expectRevert(NOT_LIVE);
        vault.failsafeHold(Classes.HOLDABLE);
    }

    function test_AGuardianCannotLiftAHold() public {
        test_HoldAfterDay21();
        _halt(1 hours);
        vm.warp(_now().until + S0);
        _ramp();
        eq(_now().mask, uint32(1 << Classes.ENTER | 1 << Classes.BRIDGE_OUT), "still held");
        vault.failsafeHold(uint32(1 << Classes.ENTER));
        _open(Classes.BRIDGE_OUT, false, "not in this second");
        vm.warp(block.timestamp + 1);
        _open(Classes.BRIDGE_OUT, true, "in the next");
        _open(Classes.ENTER, false, "the rest");
        vault.failsafeHold(0);
        vm.warp(block.timestamp + 1);
        vault.failsafeSettle();
        eq(uint256(vm.load(address(vault), SLOT)), FailSafeWord.HEALTHY, "healthy again");
    }

    // ------------------------------------------------------------- settling

    function test_AnyoneSettles() public {
        vm.expectRevert(NOTHING);
        vault.failsafeSettle();
        _watch(1 hours, Origin.SENSOR);
        vm.expectRevert(NOTHING);
        vault.failsafeSettle();
        vm.warp(_now().until);
        _is(Mode.NORMAL, 0, "by time");
        vm.prank(ALICE);
        vault.failsafeSettle();
        eq(uint256(vm.load(address(vault), SLOT)), FailSafeWord.HEALTHY, "cheap again");
    }

    function test_GraceOutlivesAShortRamp() public {
        vault = _deploy(_shortRamp());
        _halt(1 hours);
        vm.warp(_now().until + 1);
        _ramp();
        _is(Mode.NORMAL, 0, "over");
        uint40 grace = uint40(START + 1 hours) + 48 hours;
        vm.warp(grace - 1);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.ActionClosed.selector, Classes.LIQUIDATE, grace));
        vault.act(Classes.LIQUIDATE);
        vm.warp(grace);
        _open(Classes.LIQUIDATE, true, "after grace");
    }

    function test_ARefusalNamesTheEndWhereNoGraceFollows() public {
        uint40 until = _restrict(1 hours, Origin.SENSOR);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.ActionClosed.selector, Classes.ENTER, until));
        vault.act(Classes.ENTER);
    }
}
