// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FlowBucket} from "../../../src/kit/FlowBucket.sol";
import {FlowLimiter} from "../../../src/kit/FlowLimiter.sol";
import {LimiterWorld} from "./LimiterWorld.sol";
import {LzBucket, OzBucket} from "./Peers.sol";

/// @notice Failures of other limiters, and of earlier drafts of this one, that must not happen here.
contract FlowLimiterRegress is LimiterWorld {
    /// @notice Origin: OpenZeppelin 5.7 RateLimiter, `updateSettings`: the new rate counts from each key's last use, so that a
    /// raise refills what was drained.
    function test_Regress_OzRateLimiter_RetroactiveRaise() public {
        OzBucket theirs = new OzBucket(CAP, WINDOW);
        uint40 eta = _schedule(CAP * 10, WINDOW);
        vm.warp(eta - 1 hours);
        _drain();
        theirs.outflow(ALICE, CAP);
        vm.warp(eta);
        uint256 before = vault.available(key);
        atMost(before, CAP / 24, "an hour at the old rate");
        vault.applyRaise(key);
        eq(vault.available(key), before, "a raise adds nothing at once");
        theirs.update(CAP * 10, WINDOW);
        atLeast(theirs.available(), CAP * 9, "the failure that this is about");
        _spend(ALICE, before);
        _refusedSpend(ALICE, 1, 0);
    }

    /// @notice Origin: ERC-7265 reference v1: one asset's breach sets a flag that stops every asset.
    function test_Regress_Erc7265_GlobalFlag() public {
        bytes32 other = keccak256("other");
        vault.setLimit(other, CAP, WINDOW, FLOOR, true);
        _drain();
        _refusedSpend(ALICE, 1, 0);
        vault.spend(Classes.EXIT, other, ALICE, CAP);
    }

    /// @notice Origin: ERC-7265 reference v1: the trip is written in the call that reverts, and is gone with it. Here a refusal
    /// claims no latch, and leaves nothing that could be mistaken for one.
    function test_Regress_Erc7265_TripRolledBack() public {
        _spend(ALICE, CAP - 10 * UNIT);
        uint256 word = vault.wordOf(key);
        vm.recordLogs();
        _refusedSpend(ALICE, CAP, 10 * UNIT);
        eq(vm.getRecordedLogs().length, 0, "no event of it");
        eq(vault.wordOf(key), word, "no trace of it");
        _spend(ALICE, 10 * UNIT);
    }

    /// @notice Origin: ERC-7265 reference v1: `migrateFundsAfterExploit` hands everything to its admin, `overrideRateLimit` and
    /// `overrideExpiredRateLimit` switch the limit off.
    function test_Regress_Erc7265_AdminDrain() public {
        vm.deal(address(vault), 1 ether);
        _drain();
        address[2] memory privileged = [COUNCIL, address(judge)];
        for (uint256 i = 0; i < 2; ++i) {
            vm.startPrank(privileged[i]);
            (bool migrated,) = address(vault)
                .call(abi.encodeWithSignature("migrateFundsAfterExploit(address[],address)", new address[](1), BOB));
            (bool overridden,) = address(vault).call(abi.encodeWithSignature("overrideRateLimit()"));
            (bool expired,) = address(vault).call(abi.encodeWithSignature("overrideExpiredRateLimit()"));
            yes(!migrated && !overridden && !expired, "no such function");
            vm.stopPrank();
        }
        judge.lowerCap(vault, key, FLOOR);
        uint40 eta = _schedule(CAP * 2, WINDOW);
        eq(vault.available(key), 0, "no privileged call opens anything");
        vm.warp(eta);
        vault.applyRaise(key);
        eq(address(vault).balance, 1 ether, "nor moves anything");
        eq(vault.available(key), FLOOR, "what time refilled under the lower cap");
    }

    /// @notice Origin: ERC-7265 reference v1: `int256(amount)` turns a large outflow into an inflow.
    function testFuzz_Regress_Erc7265_NegativeCast(uint256 amount) public {
        amount = clamp(amount, 2 ** 127, type(uint256).max);
        uint256 word = vault.wordOf(key);
        _refusedSpend(ALICE, amount, CAP);
        eq(vault.wordOf(key), word, "no inflow");
    }

    function test_Regress_Erc7265_NegativeCast() public {
        uint256[5] memory amounts = [2 ** 128, 2 ** 192, 2 ** 255 - 1, 2 ** 255, type(uint256).max];
        for (uint256 i = 0; i < amounts.length; ++i) {
            _refusedSpend(ALICE, amounts[i], CAP);
        }
        _drain();
        _refusedSpend(ALICE, 2 ** 255, 0);
    }

    /// @notice Origin: Chainlink CCIP Solana #714: a failed transfer moves the time of the last refill, so that a stream of failing
    /// transfers starves the others.
    function test_Regress_Ccip_FailedTxBlocksRefill() public {
        _drain();
        for (uint256 i = 0; i < 100; ++i) {
            _skip(WINDOW / 100);
            vm.expectPartialRevert(FlowLimiter.LimitExceeded.selector);
            _spend(STRANGER, CAP + 1);
        }
        atLeast(vault.available(key), CAP - UNIT, "refilled all the same");
    }

    /// @notice Origin: LayerZero RateLimiter: `limit * seconds / window` is 0 for a coarse token in each block, and each use starts
    /// the count anew; a stranger's tiny transfers stop the refill for ever.
    function test_Regress_LayerZero_LossyRefill() public {
        uint256 cap = 500;
        bytes32 coarse = keccak256("whole tokens");
        LzBucket theirs = new LzBucket(cap, WINDOW);
        vault.setLimit(coarse, cap, WINDOW, 1, false);
        vault.spend(Classes.EXIT, coarse, ALICE, cap);
        theirs.outflow(ALICE, cap);
        for (uint256 i = 0; i < WINDOW; i += 12) {
            _skip(12);
            vault.spend(Classes.EXIT, coarse, STRANGER, 0);
            theirs.outflow(STRANGER, 0);
        }
        (, uint256 open) = theirs.getAmountCanBeSent(1);
        eq(open, 0, "the failure that this is about");
        atLeast(vault.available(coarse), cap - 1, "0.002 % of 500 is less than 1");
    }

    /// @notice The same at the smallest cap for its window that a limit may have, used every second of it.
    function test_Regress_LayerZero_LossyRefill_SmallestCap() public {
        uint24 window = 1000;
        bytes32 coarse = keccak256("coarse");
        vault.setLimit(coarse, CAP, 1, 1, false);
        uint256 least = (uint256(window) << 16) * UNIT;
        vm.prank(COUNCIL);
        vm.warp(vault.scheduleRaise(coarse, least, window));
        vault.applyRaise(coarse);
        vault.spend(Classes.EXIT, coarse, ALICE, vault.available(coarse));
        for (uint256 i = 0; i < window; ++i) {
            _skip(1);
            vault.spend(Classes.EXIT, coarse, STRANGER, 0);
        }
        atLeast(vault.available(coarse), least * 99_998 / 100_000, "at most 0.002 % lost");
    }

    /// @notice Origin: Hyperlane RateLimited, report of 2025-03: anyone may call the function that consumes, and use up the limit.
    function test_Regress_Hyperlane_PublicConsume() public {
        uint256 word = vault.wordOf(key);
        vm.startPrank(STRANGER);
        bytes4[4] memory selectors = [
            bytes4(keccak256("validateAndConsumeFilledLevel(uint256)")),
            bytes4(keccak256("consume(bytes32,uint256)")),
            bytes4(keccak256("_consume(uint8,bytes32,address,uint256)")),
            bytes4(keccak256("_consumeGross(uint8,bytes32,address,uint256)"))
        ];
        for (uint256 i = 0; i < selectors.length; ++i) {
            (bool ok,) = address(vault).call(abi.encodeWithSelector(selectors[i], 0, key, STRANGER, 1));
            yes(!ok, "no such function");
        }
        vm.expectPartialRevert(FlowLimiter.NotLimitAuthority.selector);
        vault.lowerCap(key, FLOOR);
        vm.expectPartialRevert(FlowLimiter.NotLimitAuthority.selector);
        vault.scheduleRaise(key, CAP / 2, WINDOW);
        vm.expectPartialRevert(FlowLimiter.RaiseNotDue.selector);
        vault.applyRaise(key);
        vm.stopPrank();
        eq(vault.wordOf(key), word, "untouched");
    }

    /// @notice Origin: Wormhole NTT, Cyfrin 2024-04: amounts are cut to their storage type without a check.
    function test_Regress_Ntt_SilentOverflow() public {
        // Units finer than base units: an amount is shifted left, and must not lose its upper bits.
        bytes32 fine = keccak256("fine");
        vault.setLimit(fine, 1, 1, 1, false);
        for (uint256 bit = 1; bit < 256; ++bit) {
            vm.expectRevert(abi.encodeWithSelector(FlowLimiter.LimitExceeded.selector, fine, 1 << bit, 1));
            vault.spend(Classes.EXIT, fine, ALICE, 1 << bit);
        }
        // Units coarser than base units, and caps beyond 80 bits of them.
        bytes32 wide = keccak256("wide");
        vault.setLimit(wide, type(uint128).max, WINDOW, 1, false);
        _refuseRaise(wide, type(uint256).max);
        _refuseRaise(key, CAP << 40);
        _refuseRaise(key, 2 ** 192 + CAP / 2);
    }

    function _refuseRaise(bytes32 key_, uint256 cap) private {
        vm.prank(COUNCIL);
        vm.expectPartialRevert(FlowBucket.CapOutOfRange.selector);
        vault.scheduleRaise(key_, cap, WINDOW);
    }

    /// @notice Origin: Trail of Bits TOB-PUF-1: a flash loan, deposited and withdrawn in one transaction, uses up the day's limit.
    function test_Regress_Puffer_FlashExhaustsLimit() public {
        for (uint256 i = 0; i < 20; ++i) {
            vault.roundTrip(Classes.EXIT, ASSET, STRANGER, CAP * 100, STRANGER, CAP * 100);
        }
        eq(vault.available(key), CAP, "nothing was used");
        _spend(ALICE, CAP);
    }

    /// @notice Origin: marginfi #567: a thief that stays under a short limit takes everything slowly. A second key with a window of
    /// months bounds the sum.
    function test_Regress_Marginfi_SlowWalk() public {
        bytes32 long = keccak256("long");
        uint24 month = 30 days;
        vault.setLimit(long, 3 * CAP, month, 1, false);
        uint256 taken;
        for (uint256 day = 0; day < 90; ++day) {
            uint256 most = vault.available(long);
            if (most > vault.available(key)) most = vault.available(key);
            vault.spendFromBoth(Classes.EXIT, key, long, STRANGER, most);
            taken += most;
            _skip(1 days);
        }
        atMost(taken, 3 * CAP + 3 * CAP * 89 days / month, "90 days of patience");
        atLeast(taken, 11 * CAP, "an honest bound, not a stop");
    }

    /// @notice Origin: design review: a factor that rises by stages refills a drained key at each step.
    function test_Regress_Review_FactorStepRefill() public {
        vault.arm(false, 2_500, 0);
        _drain();
        vault.arm(false, 5_000, 0);
        eq(vault.available(key), 0, "S2");
        vault.arm(false, 7_500, 0);
        eq(vault.available(key), 0, "S3");
        vault.arm(true, 10_000, 0);
        eq(vault.available(key), 0, "NORMAL");
        _refusedSpend(ALICE, 1, 0);
        // Touched at each step, it is the same.
        _spend(ALICE, 0);
        vault.arm(false, 2_500, 0);
        _spend(ALICE, 0);
        vault.arm(true, 10_000, 0);
        _refusedSpend(ALICE, 1, 0);
    }
}
