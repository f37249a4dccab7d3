// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FlowBucket} from "../../../src/kit/FlowBucket.sol";
import {FlowLimiter} from "../../../src/kit/FlowLimiter.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {Judge, LimitedVault} from "./LimitedVault.sol";
import {LimiterWorld} from "./LimiterWorld.sol";

/// @notice Who may change a limit, how far, and when: T1 and T6 for limits.
contract FlowLimiterAuthority is LimiterWorld {
    event CapLowered(bytes32 indexed key, uint256 from, uint256 to);
    event RaiseScheduled(bytes32 indexed key, uint256 cap, uint24 window, uint40 eta);
    event RaiseApplied(bytes32 indexed key, uint256 cap, uint24 window);

    uint256 private constant TWICE = CAP * 2;

    // ------------------------------------------------------------- lowering

    function testFuzz_StrangersChangeNothing(address caller, uint256 cap) public {
        vm.assume(caller != COUNCIL);
        vm.startPrank(caller);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.NotLimitAuthority.selector, caller));
        vault.lowerCap(key, cap);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.NotLimitAuthority.selector, caller));
        vault.scheduleRaise(key, cap, WINDOW);
        vm.stopPrank();
    }

    function test_T1_GuardianLowersToTheFloor() public {
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.CapBelowFloor.selector, key, FLOOR - UNIT, FLOOR));
        judge.lowerCap(vault, key, FLOOR - 1);
        vm.expectEmit(true, false, false, true, address(vault));
        emit CapLowered(key, CAP, FLOOR);
        judge.lowerCap(vault, key, FLOOR);
        eq(vault.available(key), FLOOR, "at once");
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.CapNotLower.selector, key, FLOOR, FLOOR));
        judge.lowerCap(vault, key, FLOOR);
    }

    function test_T1_GuardianRaisesNothing() public {
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.CapNotLower.selector, key, CAP, CAP));
        judge.lowerCap(vault, key, CAP);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.CapNotLower.selector, key, CAP + UNIT - 1, CAP));
        judge.lowerCap(vault, key, CAP + UNIT - 1);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.CapNotLower.selector, key, TWICE, CAP));
        judge.lowerCap(vault, key, TWICE);
    }

    /// @dev Signatures for one key, change, deadline, group, contract, chain and epoch are good for no other.
    function test_T1_SignaturesAreBound() public {
        uint40 deadline = uint40(START + 1 hours);
        bytes[] memory signatures = judge.sign(vault, key, CAP, FLOOR, deadline);
        bytes32 other = keccak256("other");
        vault.setLimit(other, CAP, WINDOW, FLOOR, false);
        _unsigned(vault, other, CAP, FLOOR, deadline, 3, signatures);
        _unsigned(vault, key, CAP - UNIT, FLOOR, deadline, 3, signatures);
        _unsigned(vault, key, CAP, FLOOR + UNIT, deadline, 3, signatures);
        _unsigned(vault, key, CAP, FLOOR, deadline + 1, 3, signatures);
        _unsigned(vault, key, CAP, FLOOR, deadline, 2, signatures);
        _unsigned(vault, key, CAP, FLOOR, deadline, 3, new bytes[](0));
        LimitedVault twin = _deploy(10_000);
        twin.setLimit(key, CAP, WINDOW, FLOOR, true);
        _unsigned(twin, key, CAP, FLOOR, deadline, 3, signatures);
        judge.release();
        _unsigned(vault, key, CAP, FLOOR, deadline, 3, signatures);
        eq(vault.available(key), CAP, "nothing changed");
    }

    function test_T1_SignaturesExpire() public {
        uint40 deadline = uint40(START + 1 days + 1);
        bytes[] memory signatures = judge.sign(vault, key, CAP, FLOOR, deadline);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.LoweringNotTimely.selector, deadline));
        vault.lowerCapBySig(key, CAP, FLOOR, deadline, 3, signatures);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.LoweringNotTimely.selector, deadline));
        vault.lowerCapBySig(key, CAP, FLOOR, deadline, 3, signatures);
        vm.warp(deadline);
        vault.lowerCapBySig(key, CAP, FLOOR, deadline, 3, signatures);
    }

    /// @dev Not at another cap, and at the same one not before a raise could bring it back, which takes longer than they live.
    function test_T1_SignaturesAreGoodOnce() public {
        uint40 deadline = uint40(START + 1 days);
        bytes[] memory signatures = judge.sign(vault, key, CAP, CAP / 2, deadline);
        _schedule(TWICE, WINDOW);
        vault.lowerCapBySig(key, CAP, CAP / 2, deadline, 3, signatures);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.CapNotLower.selector, key, CAP / 2, CAP / 2));
        vault.lowerCapBySig(key, CAP, CAP / 2, deadline, 3, signatures);
        signatures = judge.sign(vault, key, CAP, FLOOR, deadline);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.LoweringOutdated.selector, key, CAP, CAP / 2));
        vault.lowerCapBySig(key, CAP, FLOOR, deadline, 3, signatures);
        uint40 eta = _schedule(CAP, WINDOW);
        yes(eta > deadline, "the cap is back only after the signature is dead");
    }

    function _unsigned(
        LimitedVault target,
        bytes32 key_,
        uint256 from,
        uint256 to,
        uint40 deadline,
        uint8 group,
        bytes[] memory signatures
    ) private {
        vm.expectPartialRevert(Judge.NotSigned.selector);
        target.lowerCapBySig(key_, from, to, deadline, group, signatures);
    }

    function test_CouncilLowersBelowTheFloor() public {
        _lower(FLOOR / 1000);
        atMost(vault.available(key), FLOOR / 1000, "at once");
        vm.prank(COUNCIL);
        vm.expectPartialRevert(FlowBucket.CapOutOfRange.selector);
        vault.lowerCap(key, 1);
    }

    /// @dev Lowering keeps the smaller of what was available and the new cap; it never opens, and never takes what is left below it.
    function testFuzz_LoweringKeepsTheAvailable(uint256 spent, uint256 secs, uint256 cap) public {
        _spend(ALICE, clamp(spent, 0, CAP));
        _skip(clamp(secs, 0, WINDOW));
        uint256 before = vault.available(key);
        judge.lowerCap(vault, key, clamp(cap, FLOOR + UNIT, CAP - UNIT));
        (uint256 present,,) = vault.limitOf(key);
        eq(vault.available(key), before < present ? before : present, "min(available, cap)");
    }

    function test_LoweringInARestriction() public {
        vault.arm(false, 5_000, type(uint32).max);
        judge.lowerCap(vault, key, FLOOR);
        eq(vault.available(key), FLOOR / 2, "cap and factor");
        vault.arm(true, 10_000, 0);
        eq(vault.available(key), FLOOR / 2, "the factor step adds nothing");
    }

    // ------------------------------------------------------------- raising

    function test_T6_RaiseWaitsForItsDelay() public {
        vm.expectEmit(true, false, false, true, address(vault));
        emit RaiseScheduled(key, TWICE, WINDOW / 2, uint40(START + DELAY));
        uint40 eta = _schedule(TWICE, WINDOW / 2);
        eq(eta, START + DELAY, "eta");
        vm.warp(eta - 1);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.RaiseNotDue.selector, key, eta));
        vault.applyRaise(key);
        eq(vault.available(key), CAP, "nothing yet");
        vm.warp(eta);
        vm.expectEmit(true, false, false, true, address(vault));
        emit RaiseApplied(key, TWICE, WINDOW / 2);
        vm.prank(STRANGER);
        vault.applyRaise(key);
        eq(vault.available(key), CAP, "and nothing at once");
        _skip(WINDOW / 4);
        // Half a window at the new rate: the ramp.
        eq(vault.available(key), TWICE, "then with time");
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.RaiseNotDue.selector, key, 0));
        vault.applyRaise(key);
    }

    function test_T6_OldAnnouncementsAreVoid() public {
        uint40 eta = _schedule(TWICE, WINDOW);
        vm.warp(eta + vault.RAISE_LIFETIME() + 1);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.RaiseNotDue.selector, key, eta));
        vault.applyRaise(key);
        vm.warp(eta + vault.RAISE_LIFETIME());
        vault.applyRaise(key);
    }

    function test_T6_ClosedWithAdmin() public {
        uint40 eta = _schedule(TWICE, WINDOW);
        vm.warp(eta);
        vault.arm(false, 10_000, uint32(1 << Classes.ADMIN));
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.ActionClosed.selector, Classes.ADMIN, 0));
        vault.applyRaise(key);
        vault.arm(true, 10_000, 0);
        vault.applyRaise(key);
    }

    /// @dev The guardians' answer to a raise that a thief of the council's keys announced.
    function test_LoweringDropsTheAnnouncement() public {
        uint40 eta = _schedule(TWICE, WINDOW);
        judge.lowerCap(vault, key, CAP - UNIT);
        vm.warp(eta);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.RaiseNotDue.selector, key, 0));
        vault.applyRaise(key);
    }

    function test_ALaterAnnouncementReplacesTheEarlier() public {
        uint40 first = _schedule(TWICE, WINDOW);
        _skip(1 hours);
        uint40 second = _schedule(CAP + CAP / 2, WINDOW);
        vm.warp(first);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.RaiseNotDue.selector, key, second));
        vault.applyRaise(key);
        vm.warp(second);
        vault.applyRaise(key);
        (uint256 cap,,) = vault.limitOf(key);
        eq(cap, CAP + CAP / 2, "the later one");
    }

    function test_RefusesRaisesThatAreNone() public {
        vm.startPrank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.RaiseChangesNothing.selector, key));
        vault.scheduleRaise(key, CAP, WINDOW);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.RaiseChangesNothing.selector, key));
        vault.scheduleRaise(key, CAP + UNIT - 1, WINDOW);
        vm.expectRevert(abi.encodeWithSelector(FlowBucket.ZeroWindow.selector));
        vault.scheduleRaise(key, TWICE, 0);
        vm.expectPartialRevert(FlowBucket.CapOutOfRange.selector);
        vault.scheduleRaise(key, CAP * 2 ** 21, WINDOW);
        vm.expectPartialRevert(FlowBucket.CapOutOfRange.selector);
        vault.scheduleRaise(key, type(uint256).max, WINDOW);
        vm.stopPrank();
    }

    /// @dev The last unit that a cap has room for, and not one more.
    function test_RaisesUpToTheRoomOfAWord() public {
        uint256 most = type(uint80).max;
        vm.prank(COUNCIL);
        vm.expectRevert(
            abi.encodeWithSelector(FlowBucket.CapOutOfRange.selector, most + 1, uint256(WINDOW) << 16, most)
        );
        vault.scheduleRaise(key, (most + 1) * UNIT, WINDOW);
        vm.warp(_schedule(most * UNIT, WINDOW));
        vault.applyRaise(key);
        (uint256 cap,,) = vault.limitOf(key);
        eq(cap, most * UNIT, "all of it");
        _skip(WINDOW);
        eq(vault.available(key), cap, "and spendable");
    }

    function test_AShorterWindowAloneIsAChange() public {
        vm.warp(_schedule(CAP, WINDOW / 2));
        vault.applyRaise(key);
        _drain();
        _skip(WINDOW / 2);
        eq(vault.available(key), CAP, "refills in half the time");
    }

    /// @dev A key that was not touched refills up to the raise at the old rate, and not a second at the new one.
    function testFuzz_T6_RaiseIsNoRefill(uint256 spent, uint256 secs, uint256 cap, uint24 window) public {
        uint40 eta = _schedule(clamp(cap, CAP + UNIT, CAP * 1000), uint24(clamp(window, 1, WINDOW)));
        vm.warp(eta - WINDOW);
        _spend(ALICE, clamp(spent, 0, CAP));
        vm.warp(eta + clamp(secs, 0, WINDOW));
        uint256 before = vault.available(key);
        vault.applyRaise(key);
        eq(vault.available(key), before, "a raise adds nothing at once");
    }
}
