// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FlowBucket} from "../../../src/kit/FlowBucket.sol";
import {FlowLimiter} from "../../../src/kit/FlowLimiter.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {LimitedVault} from "./LimitedVault.sol";
import {LimiterWorld} from "./LimiterWorld.sol";

/// @notice What a key can be given, and what it does with an outflow.
contract FlowLimiterRules is LimiterWorld {
    bytes32 private constant OTHER = keccak256("other");

    // ------------------------------------------------------------- configuration

    function test_UnsetKeyPaysNothing() public {
        bytes memory unset = abi.encodeWithSelector(FlowLimiter.LimiterUnset.selector, OTHER);
        vm.expectRevert(unset);
        vault.spend(Classes.EXIT, OTHER, ALICE, 0);
        vm.expectRevert(unset);
        vault.spendGross(Classes.CLAIM, OTHER, ALICE, 1);
        vm.expectRevert(unset);
        vault.available(OTHER);
        vm.expectRevert(unset);
        vault.availableTo(OTHER, ALICE);
        vm.expectRevert(unset);
        vault.limitOf(OTHER);
        vm.startPrank(COUNCIL);
        vm.expectRevert(unset);
        vault.lowerCap(OTHER, 1);
        vm.expectRevert(unset);
        vault.scheduleRaise(OTHER, 1, 1);
        vm.stopPrank();
    }

    function test_LimitIsSetOnce() public {
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.LimiterAlreadySet.selector, key));
        vault.setLimit(key, CAP * 2, WINDOW, FLOOR, false);
    }

    function test_RefusesLimitsThatAreNone() public {
        vm.expectRevert(abi.encodeWithSelector(FlowBucket.ZeroWindow.selector));
        vault.setLimit(OTHER, CAP, 0, FLOOR, false);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.CapBelowFloor.selector, OTHER, CAP, 0));
        vault.setLimit(OTHER, CAP, WINDOW, 0, false);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.CapBelowFloor.selector, OTHER, CAP, CAP + 1));
        vault.setLimit(OTHER, CAP, WINDOW, CAP + 1, false);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.CapBelowFloor.selector, OTHER, 0, 1));
        vault.setLimit(OTHER, 0, WINDOW, 1, false);
        vm.expectPartialRevert(FlowBucket.CapOutOfRange.selector);
        vault.setLimit(OTHER, 2 ** 128, WINDOW, 1, false);
        vault.setLimit(OTHER, 2 ** 128 - 1, WINDOW, 1, false);
    }

    function test_RaiseDelayHasAFloor() public {
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.RaiseDelayTooShort.selector, uint40(48 hours - 1)));
        new LimitedVault(IFailSafeController(address(judge)), 48 hours - 1, 10_000);
        eq(new LimitedVault(IFailSafeController(address(judge)), 48 hours, 10_000).raiseDelay(), 48 hours, "delay");
    }

    function test_NoNinthHint() public {
        for (uint256 i = 1; i < vault.MAX_HINTED(); ++i) {
            vault.setLimit(bytes32(i), CAP, WINDOW, FLOOR, true);
        }
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.TooManyHints.selector, 8));
        vault.setLimit(OTHER, CAP, WINDOW, FLOOR, true);
        vault.setLimit(OTHER, CAP, WINDOW, FLOOR, false);
    }

    /// @dev The cap may lose less than one unit, and a unit is at most 2^-59 of it; nothing of a cap below 2^60 is lost.
    function testFuzz_ScaleKeepsPrecision(uint256 cap, uint24 window) public {
        cap = clamp(cap, 1, type(uint128).max);
        if (window == 0) window = 1;
        vault.setLimit(OTHER, cap, window, 1, false);
        (uint256 kept, uint24 window_,) = vault.limitOf(OTHER);
        eq(window_, window, "window");
        atMost(kept, cap, "cap rounds down");
        atMost(cap - kept, cap >> 59, "by less than a unit");
        eq(vault.available(OTHER), kept, "starts full");
    }

    // ------------------------------------------------------------- outflow

    function test_SpendsUpToTheCapAndRefills() public {
        _spend(ALICE, CAP - 5 * UNIT);
        eq(vault.available(key), 5 * UNIT, "rest");
        _refusedSpend(BOB, 5 * UNIT + 1, 5 * UNIT);
        _spend(BOB, 5 * UNIT);
        _refusedSpend(BOB, 1, 0);
        _skip(WINDOW / 2);
        atMost(vault.available(key), CAP / 2, "half a window refills half");
        atLeast(vault.available(key), CAP / 2 - UNIT, "less one unit");
        _skip(WINDOW);
        eq(vault.available(key), CAP, "full, and no more");
    }

    /// @dev What {FlowLimiter-available} tells is exactly the most that passes.
    function testFuzz_AvailableIsExact(uint256 cap, uint256 spent, uint256 secs) public {
        cap = clamp(cap, 1, type(uint128).max);
        vault.setLimit(OTHER, cap, WINDOW, 1, false);
        vault.spend(Classes.EXIT, OTHER, ALICE, clamp(spent, 0, vault.available(OTHER)));
        _skip(clamp(secs, 0, WINDOW));
        uint256 most = vault.available(OTHER);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.LimitExceeded.selector, OTHER, most + 1, most));
        vault.spend(Classes.EXIT, OTHER, ALICE, most + 1);
        vault.spend(Classes.EXIT, OTHER, ALICE, most);
        eq(vault.available(OTHER), 0, "nothing left");
    }

    function test_KeysAreApart() public {
        bytes32 corridor = keccak256(abi.encode(ASSET, uint256(10)));
        vault.setLimit(corridor, CAP / 10, WINDOW, 1, false);
        _drain();
        vault.spend(Classes.BRIDGE_OUT, corridor, ALICE, vault.available(corridor));
        _refusedSpend(ALICE, 1, 0);
    }

    /// @dev Both hinted and not: a class that is closed does not flow, and a factor limits what does.
    function test_FollowsClassAndFactor() public {
        vault.setLimit(OTHER, CAP, WINDOW, FLOOR, false);
        vault.arm(false, 2_500, uint32(1 << Classes.BRIDGE_OUT));
        bytes32[2] memory keys = [key, OTHER];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IFailSafe.ActionClosed.selector, Classes.BRIDGE_OUT, 0));
            vault.spend(Classes.BRIDGE_OUT, keys[i], ALICE, 0);
            eq(vault.available(keys[i]), CAP / 4, "a quarter is in force");
            vm.expectPartialRevert(FlowLimiter.LimitExceeded.selector);
            vault.spend(Classes.EXIT, keys[i], ALICE, CAP / 4 + 1);
            vault.spend(Classes.EXIT, keys[i], ALICE, CAP / 4);
        }
        vault.arm(true, 10_000, 0);
        for (uint256 i = 0; i < 2; ++i) {
            eq(vault.available(keys[i]), 0, "the full factor adds nothing at once");
            vault.spend(Classes.BRIDGE_OUT, keys[i], ALICE, 0);
        }
        _skip(WINDOW);
        for (uint256 i = 0; i < 2; ++i) {
            eq(vault.available(keys[i]), CAP, "but refills at its own rate");
        }
    }

    /// @dev Whoever tells the factor cannot put more in force than the cap.
    function test_FactorAboveFullCountsAsFull() public {
        vault.arm(false, type(uint16).max, 0);
        _refusedSpend(ALICE, CAP + 1, CAP);
        _spend(ALICE, CAP);
        _skip(WINDOW);
        eq(vault.available(key), CAP, "nor does it refill to more");
    }

    function test_UntouchedKeyShowsWhatItHadAfterTheThrottle() public {
        _spend(ALICE, CAP / 2);
        vault.arm(false, 2_500, 0);
        eq(vault.available(key), CAP / 4, "throttled");
        vault.arm(true, 10_000, 0);
        eq(vault.available(key), CAP / 2, "the same as before, no more");
    }

    function test_HintFollowsHealth() public {
        yes(vault.wordOf(key) & FlowBucket.HINT == 0, "healthy");
        vault.arm(false, 10_000, 0);
        yes(vault.wordOf(key) & FlowBucket.HINT != 0, "armed");
        vault.setLimit(OTHER, CAP, WINDOW, FLOOR, true);
        yes(vault.wordOf(OTHER) & FlowBucket.HINT != 0, "set while armed");
        _spend(ALICE, 1);
        yes(vault.wordOf(key) & FlowBucket.HINT != 0, "a spend keeps it");
        vault.arm(true, 10_000, 0);
        yes((vault.wordOf(key) | vault.wordOf(OTHER)) & FlowBucket.HINT == 0, "released");
        vault.setLimit(bytes32("unhinted"), CAP, WINDOW, FLOOR, false);
        vault.arm(true, 10_000, 0);
        yes(vault.wordOf(bytes32("unhinted")) & FlowBucket.HINT != 0, "not mirrored: always asks");
    }

    // ------------------------------------------------------------- net within a transaction

    function testFuzz_RoundTripIsFree(uint256 amount) public {
        amount = clamp(amount, 0, type(uint256).max - 1);
        vault.roundTrip(Classes.EXIT, ASSET, ALICE, amount, ALICE, amount);
        eq(vault.available(key), CAP, "nothing was used");
    }

    function test_OnlyTheRestCounts() public {
        vault.roundTrip(Classes.EXIT, ASSET, ALICE, 30 * UNIT, ALICE, 100 * UNIT);
        eq(vault.available(key), CAP - 70 * UNIT, "100 out, 30 in");
    }

    function test_InflowIsUsedUpOnce() public {
        vault.roundTripTwice(Classes.EXIT, ASSET, ALICE, 100 * UNIT, 80 * UNIT);
        eq(vault.available(key), CAP - 60 * UNIT, "160 out, 100 in");
    }

    function test_InflowOfAnotherAccountOrAssetDoesNotCount() public {
        vault.roundTrip(Classes.EXIT, ASSET, ALICE, 100 * UNIT, BOB, 100 * UNIT);
        eq(vault.available(key), CAP - 100 * UNIT, "another account");
        bytes32 other = vault.assetKey(address(0x07));
        vault.setLimit(other, CAP, WINDOW, FLOOR, false);
        vault.roundTrip(Classes.EXIT, address(0x07), BOB, 100 * UNIT, BOB, 0);
        eq(vault.available(key), CAP - 100 * UNIT, "another asset");
    }

    function test_InflowAddsNoCapacity() public {
        _drain();
        vault.roundTrip(Classes.EXIT, ASSET, ALICE, CAP, ALICE, 0);
        eq(vault.available(key), 0, "a deposit opens nothing for others");
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.LimitExceeded.selector, key, 1, 0));
        vault.roundTrip(Classes.EXIT, ASSET, ALICE, CAP, BOB, 1);
    }

    function test_RoundTripNeedsAnOpenClass() public {
        vault.arm(false, 10_000, uint32(1 << Classes.EXIT));
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.ActionClosed.selector, Classes.EXIT, 0));
        vault.roundTrip(Classes.EXIT, ASSET, ALICE, 5, ALICE, 5);
    }

    function test_InflowBeyondAWordIsRefused() public {
        InflowTwice twice = new InflowTwice(address(judge));
        twice.note(type(uint256).max / 2);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        twice.note(type(uint256).max);
    }
}

contract InflowTwice is LimitedVault {
    constructor(address judge) LimitedVault(IFailSafeController(judge), 72 hours, 10_000) {}

    function note(uint256 amount) external {
        _noteInflow(address(1), address(2), amount);
        _noteInflow(address(1), address(2), amount);
    }
}

/// @notice Two tiers: an account's share, and the limit of all.
contract FlowLimiterShares is LimiterWorld {
    function setUp() public override {
        super.setUp();
        vault = _deploy(2_500);
        vault.setLimit(key, CAP, WINDOW, FLOOR, true);
    }

    function test_OneAccountCannotUseUpTheLimit() public {
        bytes32 own = vault.accountKey(key, ALICE);
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.LimitExceeded.selector, own, CAP / 4 + 1, CAP / 4));
        _spend(ALICE, CAP / 4 + 1);
        _spend(ALICE, CAP / 4);
        eq(vault.availableTo(key, ALICE), 0, "share used up");
        eq(vault.available(key), CAP * 3 / 4, "the rest is there for others");
        eq(vault.availableTo(key, BOB), CAP / 4, "each up to its share");
        for (uint160 i = 1; i <= 3; ++i) {
            _spend(address(i), CAP / 4);
        }
        eq(vault.availableTo(key, BOB), 0, "bounded by the limit of all");
        _refusedSpend(BOB, 1, 0);
    }

    /// @dev A refusal of either tier leaves both as they were.
    function test_BothPassOrNeitherIsWritten() public {
        bytes32 own = vault.accountKey(key, ALICE);
        _spend(ALICE, UNIT);
        (uint256 all, uint256 share) = (vault.wordOf(key), vault.wordOf(own));
        _skip(1);
        // The limit of all would allow it, Alice's share does not.
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.LimitExceeded.selector, own, CAP / 2, CAP / 4));
        _spend(ALICE, CAP / 2);
        eq(vault.wordOf(key), all, "limit of all");
        eq(vault.wordOf(own), share, "share");
        for (uint160 i = 1; i <= 3; ++i) {
            _spend(address(i), CAP / 4);
        }
        _spend(BOB, vault.available(key) - UNIT);
        all = vault.wordOf(key);
        // Alice's share would allow it, the limit of all does not.
        _refusedSpend(ALICE, 2 * UNIT, UNIT);
        eq(vault.wordOf(key), all, "limit of all");
        eq(vault.wordOf(own), share, "share");
    }

    function test_SharesFollowTheCap() public {
        _spend(ALICE, CAP / 8);
        _lower(CAP / 4);
        eq(vault.availableTo(key, ALICE), CAP / 16, "what is left, within the lower share");
        eq(vault.availableTo(key, BOB), CAP / 16, "a new account too");
        _spend(ALICE, CAP / 16);
        vm.warp(_schedule(CAP, WINDOW));
        vault.applyRaise(key);
        _skip(WINDOW);
        eq(vault.availableTo(key, ALICE), CAP / 16, "refilled to the share that it knew");
        _spend(ALICE, 0);
        _skip(WINDOW);
        eq(vault.availableTo(key, ALICE), CAP / 4, "and from then on to the raised one");
    }

    function test_SharesFollowTheFactor() public {
        vault.arm(false, 5_000, 0);
        eq(vault.availableTo(key, ALICE), CAP / 8, "half a share");
        _spend(ALICE, CAP / 8);
        vault.arm(true, 10_000, 0);
        eq(vault.availableTo(key, ALICE), 0, "a factor step adds nothing");
    }

    function test_NetFlowUsesNoShare() public {
        vault.roundTrip(Classes.EXIT, ASSET, ALICE, CAP, ALICE, CAP);
        eq(vault.availableTo(key, ALICE), CAP / 4, "share untouched");
    }

    /// @dev Else a guardian could single out an account, whose bucket has no floor.
    function test_AnAccountsBucketIsNoKey() public {
        bytes32 own = vault.accountKey(key, ALICE);
        _spend(ALICE, 1);
        bytes memory unset = abi.encodeWithSelector(FlowLimiter.LimiterUnset.selector, own);
        vm.expectRevert(unset);
        judge.lowerCap(vault, own, CAP / 100);
        vm.prank(COUNCIL);
        vm.expectRevert(unset);
        vault.lowerCap(own, CAP / 100);
        vm.prank(COUNCIL);
        vm.expectRevert(unset);
        vault.scheduleRaise(own, CAP, WINDOW);
    }
}
