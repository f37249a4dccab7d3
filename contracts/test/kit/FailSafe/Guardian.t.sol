// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeWord, Hot} from "../../../src/kit/FailSafeWord.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {FailSafeWorld} from "./FailSafeWorld.sol";

/// @notice What guardians, sensors and vouchers can ask for, and what they get.
contract GuardianTest is FailSafeWorld {
    uint32 private constant TIGHT = 0xffff_fea5;

    // ------------------------------------------------------------- who may ask for what

    function test_OnlyTheController() public {
        bytes memory refusal = abi.encodeWithSelector(IFailSafe.NotController.selector, ALICE);
        Restriction memory r = _ask(Mode.HALTED, ALL, 1 hours, Origin.GUARDIAN);
        vm.startPrank(ALICE);
        vm.expectRevert(refusal);
        vault.failsafeArm(r, "");
        vm.expectRevert(refusal);
        vault.failsafeInsolvent(true);
        vm.expectRevert(refusal);
        vault.failsafeHold(0);
        vm.expectRevert(refusal);
        vault.failsafeWaiveGap();
        vm.stopPrank();
    }

    function test_NoModeThatLoosensOrEnds() public {
        _halt(1 hours);
        Mode[3] memory modes = [Mode.NORMAL, Mode.EXIT, Mode.RECOVERING];
        Origin[3] memory origins = [Origin.GUARDIAN, Origin.SENSOR, Origin.VOUCHER];
        for (uint256 i = 0; i < 9; ++i) {
            _refusedMode(modes[i / 3], origins[i % 3]);
        }
        _refusedMode(Mode.HALTED, Origin.SENSOR);
        _refusedMode(Mode.HALTED, Origin.VOUCHER);
    }

    function _refusedMode(Mode mode, Origin origin) private {
        bytes memory refusal = abi.encodeWithSelector(IFailSafe.ModeNotAllowed.selector, uint8(mode), uint8(origin));
        _refused(_ask(mode, ALL, 1 hours, origin), refusal);
    }

    function test_MaskOfEachMode() public {
        uint32 never = uint32(1 << Classes.REDUCE_RISK);
        _refused(
            _ask(Mode.HALTED, ALL | never, 1 hours, Origin.GUARDIAN),
            abi.encodeWithSelector(IFailSafe.ClassNeverRestricted.selector, ALL | never)
        );
        _refusedMask(Mode.RESTRICTED, uint32(1 << Classes.EXIT), TIGHT);
        _refusedMask(Mode.RESTRICTED, uint32(1 << Classes.LIQUIDATE), TIGHT);
        _refusedMask(Mode.RESTRICTED, 0, TIGHT);
        _refusedMask(Mode.HALTED, 0, ALL);
        _refusedMask(Mode.WATCH, uint32(1 << Classes.ENTER), 0);
    }

    function _refusedMask(Mode mode, uint32 mask, uint32 allowed) private {
        bytes memory refusal = abi.encodeWithSelector(IFailSafe.MaskOutOfBounds.selector, mask, allowed);
        _refused(_ask(mode, mask, 1 hours, Origin.GUARDIAN), refusal);
    }

    function test_NoEndInThePast() public {
        _refused(_ask(Mode.HALTED, ALL, 0, Origin.GUARDIAN), abi.encodeWithSelector(IFailSafe.NothingChanges.selector));
        Restriction memory r = _ask(Mode.WATCH, 0, 0, Origin.SENSOR);
        r.until -= 1;
        _refused(r, abi.encodeWithSelector(IFailSafe.NothingChanges.selector));
    }

    // ------------------------------------------------------------- what is closed

    /// @dev The tables of classes by mode and stage. A mask of everything, so that a stage decides alone.
    function test_ClosedInEachModeAndStage() public {
        _watch(1 hours, Origin.SENSOR);
        _closed(0, "WATCH");
        _restrict(1 hours, Origin.GUARDIAN);
        _closed(E | I | T | B | A | U | P | C, "RESTRICTED");
        _halt(2 hours);
        _closed(E | X | I | L | T | O | B | A | U | P | C, "HALTED");
        vm.warp(_now().until);
        _closed(E | X | I | L | T | B | A | U | P | C, "S0");
        vm.warp(_now().until);
        _closed(E | I | L | B | A | U | P | C, "S1");
        _next(2);
        _closed(E | I | B | A | U | P | C, "S2");
        _next(3);
        _closed(I | B | A | U | P | C, "S3");
        _next(4);
        _closed(U | C, "S4");
        vm.warp(_now().until);
        _council(Mode.NORMAL, 0, 0);
        _closed(U | C, "in the second in which it ends");
        vm.warp(block.timestamp + 1);
        _closed(0, "NORMAL");
        _restrict(1 hours, Origin.GUARDIAN);
        _exit();
        _closed(E | X | I | L | T | O | B | A | U | P | C, "EXIT");
    }

    uint32 private constant E = uint32(1 << Classes.ENTER);
    uint32 private constant X = uint32(1 << Classes.EXIT);
    uint32 private constant I = uint32(1 << Classes.INCREASE_RISK);
    uint32 private constant L = uint32(1 << Classes.LIQUIDATE);
    uint32 private constant T = uint32(1 << Classes.TRANSFER);
    uint32 private constant O = uint32(1 << Classes.PRICE_UPDATE);
    uint32 private constant B = uint32(1 << Classes.BRIDGE_OUT);
    uint32 private constant A = uint32(1 << Classes.ADMIN);
    uint32 private constant U = uint32(1 << Classes.UPGRADE);
    uint32 private constant P = uint32(1 << Classes.PULL_FROM);
    uint32 private constant C = 0xffff_f000;

    function _next(uint8 stage) private {
        vm.warp(_now().until);
        _council(Mode.RECOVERING, stage, 0);
        vm.warp(block.timestamp + 1);
    }

    function _closed(uint32 mask, string memory what) private view {
        for (uint8 i = 0; i < 32; ++i) {
            _open(i, mask >> i & 1 == 0, what);
        }
        eq(_now().mask, mask, what);
    }

    /// @dev Recovery never closes what the trip left open; prices closed closes what relies on them.
    function test_AStageClosesOnlyWhatTheEpisodeClosed() public {
        _arm(_ask(Mode.HALTED, O, 1 hours, Origin.GUARDIAN));
        _closed(O | L | I | U, "HALTED");
        vm.warp(_now().until);
        _closed(L | I | U, "S0");
        vm.warp(_now().until);
        _closed(L | I | U, "S1");
    }

    function test_NoOddClassIsOpenedByItsNumber() public {
        _halt(1 hours);
        (bool ok,) = address(vault).staticcall(abi.encodeCall(vault.act, (33)));
        yes(!ok && !vault.failsafeOpen(33), "a class beyond the mask is closed when something is");
    }

    // ------------------------------------------------------------- how long

    function test_LengthOfEachRequest() public {
        _granted(Mode.WATCH, Origin.GUARDIAN, 24 hours);
        _granted(Mode.WATCH, Origin.VOUCHER, 12 hours);
        _granted(Mode.RESTRICTED, Origin.GUARDIAN, 24 hours);
        _granted(Mode.RESTRICTED, Origin.SENSOR, 24 hours);
        _granted(Mode.RESTRICTED, Origin.VOUCHER, 12 hours);
        _granted(Mode.HALTED, Origin.GUARDIAN, 72 hours);
    }

    function _granted(Mode mode, Origin origin, uint40 most) private {
        vault = _deploy(_config());
        vm.expectEmit(true, true, true, true, address(vault));
        emit IFailSafe.Clamped(uint40(block.timestamp + 100 hours), uint40(block.timestamp) + most);
        uint40 until = _arm(_ask(mode, Classes.closable(mode), 100 hours, origin));
        eq(until, block.timestamp + most, "granted");
        vm.warp(until - 1);
        _is(mode, 0, "last second");
        vm.warp(until);
        yes(_now().mode != mode, "over");
    }

    function test_JoinIsByComponent() public {
        Restriction memory r = _ask(Mode.RESTRICTED, E, 10 hours, Origin.GUARDIAN);
        r.factorBps = 6_000;
        _arm(r);
        r = _ask(Mode.RESTRICTED, B, 5 hours, Origin.SENSOR);
        r.factorBps = 9_000;
        eq(_arm(r), block.timestamp + 10 hours, "the later end");
        eq(_now().mask, E | B | U, "both masks");
        eq(_now().factorBps, 6_000, "the smaller factor");
        r = _ask(Mode.RESTRICTED, E, 11 hours, Origin.SENSOR);
        eq(_arm(r), block.timestamp + 11 hours, "a later end alone");
        eq(_now().mask, E | B | U, "closes what was closed before");
    }

    function test_ARequestThatChangesNothingReverts() public {
        _restrict(10 hours, Origin.SENSOR);
        bytes memory refusal = abi.encodeWithSelector(IFailSafe.NothingChanges.selector);
        _refused(_ask(Mode.RESTRICTED, E, 10 hours, Origin.GUARDIAN), refusal);
        _refused(_ask(Mode.RESTRICTED, E, 9 hours, Origin.VOUCHER), refusal);
        _refused(_ask(Mode.WATCH, 0, 20 hours, Origin.GUARDIAN), refusal);
        vm.warp(block.timestamp + 10 hours);
        _is(Mode.RECOVERING, 1, "S1");
        _refused(_ask(Mode.WATCH, 0, 20 hours, Origin.GUARDIAN), refusal);
    }

    function test_FactorHasAFloorAndOnlyFalls() public {
        Restriction memory r = _ask(Mode.WATCH, 0, 10 hours, Origin.GUARDIAN);
        r.factorBps = 9_000;
        _arm(r);
        eq(vault.limitFactor(), 9_000, "as asked");
        r.factorBps = 0;
        _arm(r);
        eq(vault.limitFactor(), 5_000, "not below the floor");
        r.factorBps = 9_000;
        r.until += 1 hours;
        _arm(r);
        eq(vault.limitFactor(), 5_000, "never back");
        _halt(1 hours);
        vm.warp(_now().until + S0);
        eq(vault.limitFactor(), 2_500, "S1");
        _restrict(1 hours, Origin.SENSOR);
        eq(vault.limitFactor(), 2_500, "a trip in S1 does not raise it");
    }

    function test_WatchThrottlesATighterMode() public {
        Restriction memory r = _ask(Mode.RESTRICTED, E, 10 hours, Origin.GUARDIAN);
        r.factorBps = 9_000;
        _arm(r);
        r = _ask(Mode.WATCH, 0, 20 hours, Origin.SENSOR);
        eq(_arm(r), block.timestamp + 10 hours, "no time");
        eq(vault.limitFactor(), 5_000, "factor");
    }

    function test_EveryEffectIsTold() public {
        Hot memory h;
        (h.mode, h.mask, h.factorBps, h.until) = (Mode.HALTED, ALL, 5_000, uint40(START + 10 hours));
        (h.graceUntil, h.episodeStart, h.s0Left) = (h.until + GRACE, uint40(START), uint24(S0));
        vm.expectEmit(true, true, true, true, address(vault));
        emit IFailSafe.Armed(FailSafeWord.pack(h), 1, "test");
        _halt(10 hours);
        vm.warp(START + 1 hours);
        (h.mode, h.openAt, h.until, h.s0Left) =
        (Mode.RECOVERING, uint40(block.timestamp), uint40(block.timestamp) + S0, 0);
        h.graceUntil = h.openAt + 1 + GRACE;
        vm.expectEmit(true, true, true, true, address(vault));
        emit IFailSafe.Armed(FailSafeWord.pack(h), 1, "test");
        _release();
        vm.expectEmit(true, true, true, true, address(vault));
        emit IFailSafe.InsolventSet(true);
        vault.failsafeInsolvent(true);
        (h.mode, h.origin, h.factorBps) = (Mode.EXIT, Origin.COUNCIL, 2_500);
        (h.until, h.episodeStart) = (FOREVER, 0);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IFailSafe.Armed(FailSafeWord.pack(h), 1, "test");
        _exit();
    }

    // ------------------------------------------------------------- one episode

    function test_AHaltLetsALongerRestrictedWait() public {
        _restrict(20 hours, Origin.SENSOR);
        _halt(1 hours);
        uint256 t = START;
        _at(t + 1 hours - 1, Mode.HALTED, 0);
        _at(t + 1 hours, Mode.RECOVERING, 0);
        _at(t + 7 hours, Mode.RESTRICTED, 0);
        _open(Classes.EXIT, true, "payouts as in RESTRICTED");
        _at(t + 20 hours - 1, Mode.RESTRICTED, 0);
        _at(t + 20 hours, Mode.RECOVERING, 1);
        eq(_now().until, t + 44 hours, "S1 from there");
    }

    function test_ARestrictedWaitsBelowAHaltAndBelowS0() public {
        _halt(2 hours);
        _restrict(24 hours, Origin.SENSOR);
        uint256 t = START;
        _at(t + 2 hours - 1, Mode.HALTED, 0);
        _at(t + 3 hours, Mode.RECOVERING, 0);
        _restrict(24 hours, Origin.GUARDIAN);
        _is(Mode.RECOVERING, 0, "S0 goes on");
        _open(Classes.EXIT, false, "payouts stay closed");
        _at(t + 8 hours, Mode.RESTRICTED, 0);
        _at(t + 27 hours - 1, Mode.RESTRICTED, 0);
        _at(t + 27 hours, Mode.RECOVERING, 1);
    }

    function test_AHaltInterruptsS0AndTheRestFollows() public {
        _halt(1 hours);
        vm.warp(START + 3 hours);
        _halt(1 hours);
        _at(START + 4 hours - 1, Mode.HALTED, 0);
        _at(START + 4 hours, Mode.RECOVERING, 0);
        _at(START + 8 hours - 1, Mode.RECOVERING, 0);
        _at(START + 8 hours, Mode.RECOVERING, 1);
        _halt(1 hours);
        _at(START + 9 hours, Mode.RECOVERING, 1);
        eq(vault.frozenSeconds(), 9 hours, "two halts, one S0, one more halt");
    }

    function test_SeventyTwoHoursOfHaltInAnEpisode() public {
        for (uint256 i = 0; i < 7; ++i) {
            _halt(10 hours);
            vm.warp(block.timestamp + 10 hours);
        }
        eq(_halt(10 hours), block.timestamp + 2 hours, "what is left of 72 h");
        vm.warp(block.timestamp + 2 hours);
        _refused(
            _ask(Mode.HALTED, ALL, 1 hours, Origin.GUARDIAN),
            abi.encodeWithSelector(IFailSafe.BudgetExhausted.selector, block.timestamp + 1 hours)
        );
        vm.warp(block.timestamp + S0);
        _is(Mode.RECOVERING, 1, "ends in S1");
        eq(vault.frozenSeconds(), 78 hours, "72 h and one S0");
    }

    function test_GapAfterAGuardianHalt() public {
        _halt(1 hours);
        vm.warp(_now().until + S0);
        _ramp();
        uint40 end = uint40(block.timestamp) - 1;
        _restrict(1 hours, Origin.GUARDIAN);
        Restriction memory r = _ask(Mode.HALTED, ALL, 1 hours, Origin.GUARDIAN);
        _refused(r, abi.encodeWithSelector(IFailSafe.GapNotOver.selector, end + 48 hours));
        vm.warp(end + 48 hours - 1);
        r.until = uint40(block.timestamp + 1 hours);
        _refused(r, abi.encodeWithSelector(IFailSafe.GapNotOver.selector, end + 48 hours));
        vm.warp(end + 48 hours);
        _halt(1 hours);
    }

    function test_CouncilWaivesTheGap() public {
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.NothingChanges.selector));
        vault.failsafeWaiveGap();
        _halt(1 hours);
        vm.warp(_now().until + S0);
        _ramp();
        vault.failsafeWaiveGap();
        _halt(1 hours);
    }

    function test_NoGapAfterAnEpisodeThatTheCouncilTookOver() public {
        _halt(1 hours);
        _council(Mode.HALTED, 0, 2 hours);
        vm.warp(_now().until + S0);
        _ramp();
        _halt(1 hours);
    }

    // ------------------------------------------------------------- budgets

    function test_ChargesWithTheRamp() public {
        _halt(72 hours);
        _charged([uint256(78), 78, 162, 0, 0]);
        vault = _deploy(_config());
        _restrict(24 hours, Origin.SENSOR);
        _charged([uint256(0), 24, 108, 24, 108]);
        _halt(10 hours);
        _charged([uint256(16), 24, 108, 24, 108]);
        _halt(24 hours);
        _charged([uint256(30), 30, 114, 24, 108]);
        vault = _deploy(_config());
        _watch(10 hours, Origin.VOUCHER);
        _charged([uint256(0), 0, 10, 0, 10]);
        _restrict(1 hours, Origin.GUARDIAN);
        _charged([uint256(0), 1, 85, 0, 10]);
    }

    function _charged(uint256[5] memory hours_) private view {
        for (uint256 i = 0; i < 5; ++i) {
            eq(_used(i), hours_[i] * 60, "minutes in a bucket");
        }
    }

    function test_ATripInsideTheRampPaysForTheRampAgain() public {
        _restrict(1 hours, Origin.GUARDIAN);
        vm.warp(_now().until); // S1
        vm.warp(block.timestamp + 10 hours);
        uint256 before = _used(2);
        _restrict(1 hours, Origin.GUARDIAN);
        // Ten hours of S1 were served for nothing, and one hour comes on top.
        uint256 drained = block.timestamp * 21_600 / 90 days - START * 21_600 / 90 days;
        eq(_used(2), before - drained + 11 * 60, "watch bucket");
    }

    function test_ReleaseGivesBackWhatIsUnused() public {
        _halt(72 hours);
        _release();
        _charged([uint256(6), 6, 90, 0, 0]);
        _is(Mode.RECOVERING, 0, "S0");
        vault = _deploy(_config());
        _restrict(24 hours, Origin.SENSOR);
        _release();
        _charged([uint256(0), 0, 84, 0, 84]);
        vault = _deploy(_config());
        _watch(24 hours, Origin.SENSOR);
        _council(Mode.NORMAL, 0, 0);
        _charged([uint256(0), 0, 0, 0, 0]);
    }

    function test_TakingOverGivesBackTheRampToo() public {
        _halt(72 hours);
        _council(Mode.HALTED, 0, 10 days);
        _charged([uint256(0), 0, 0, 0, 0]);
        vm.warp(_now().until + S0);
        _is(Mode.RECOVERING, 1, "the council's ramp");
        _halt(1 hours);
        _charged([uint256(1), 1, 85, 0, 0]);
    }

    /// @dev What the council owns was never paid for, so that releasing it gives nothing back.
    function test_NothingIsGivenBackThatWasNotPaid() public {
        _restrict(24 hours, Origin.SENSOR);
        _council(Mode.RESTRICTED, 0, 10 days);
        _halt(72 hours);
        _charged([uint256(78), 0, 0, 0, 0]);
        _release();
        _charged([uint256(78), 0, 0, 0, 0]);
    }

    function test_AnEmptyBucketGrantsNothing() public {
        uint256 tight = 0;
        while (true) {
            Restriction memory r = _ask(Mode.RESTRICTED, E, 24 hours, Origin.GUARDIAN);
            try vault.failsafeArm(r, "") returns (uint256 word) {
                uint40 until = FailSafeWord.untilOf(word);
                tight += until - block.timestamp;
                vm.warp(until);
            } catch (bytes memory answer) {
                yes(bytes4(answer) == IFailSafe.BudgetExhausted.selector, "typed");
                break;
            }
        }
        atLeast(tight, 7 days, "a bucket full and what drained meanwhile");
        atMost(tight, 8 days, "no more");
        _is(Mode.RECOVERING, 1, "ends in S1");
    }

    function test_RoomForTheRampComesFirst() public {
        // Nine days of WATCH leave 6 d of 15, the ramp takes 3.5 of them.
        for (uint256 i = 0; i < 9; ++i) {
            _watch(24 hours, Origin.GUARDIAN);
            vm.warp(block.timestamp + 24 hours);
        }
        uint40 until = _halt(72 hours);
        uint256 drained = 9 days * uint256(15) / 90;
        uint256 expected = 6 days + drained - RAMP - S0;
        atMost(until - block.timestamp, expected, "shortened by the ramp");
        atLeast(until - block.timestamp, 72 hours < expected ? 72 hours : expected - 3 minutes, "but not by more");
    }

    function _at(uint256 time, Mode mode, uint8 stage) private {
        vm.warp(time);
        _is(mode, stage, "timeline");
    }
}
