// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {IDeficitMarket, ILossLayer} from "../../../src/kit/interfaces/ILossLayer.sol";
import {IDeficitSource} from "../../../src/kit/interfaces/ISensors.sol";
import {LossWaterfall} from "../../../src/kit/loss/LossWaterfall.sol";
import {WaterfallWorld} from "./World.sol";

/// @notice Who bears how much of a deficit, and when.
contract WaterfallTest is WaterfallWorld {
    function test_LayersPayInTheirOrder() public {
        market.lose(A, 40);
        _cover(A, 40, 0, "the first layer is enough");
        eq(coin.balanceOf(TREASURY), 60, "treasury paid");
        eq(junior.totalAssets(), 200, "junior did not");
    }

    /// @dev A layer at its daily cap stops the waterfall: the next one does not pay what this one still can.
    function test_NobodyPaysForALayerThatStillCan() public {
        market.lose(A, 90);
        _cover(A, 60, 30, "up to the treasury's cap");
        eq(junior.totalAssets(), 200, "junior waits");
        _expectNothingCovered(30);
        vm.warp(block.timestamp + 1 days);
        _cover(A, 30, 0, "noticed");
    }

    function test_AnnouncedRestIsTakenAfterADay() public {
        market.lose(A, 400);
        uint40 ripeAt = uint40(block.timestamp) + 1 days;
        vm.expectEmit(true, true, true, true, address(waterfall));
        emit LossWaterfall.Covered(A, treasury, 60);
        vm.expectEmit(true, true, true, true, address(waterfall));
        emit LossWaterfall.Announced(A, 340, ripeAt);
        _cover(A, 60, 340, "first cap");
        vm.warp(ripeAt);
        _cover(A, 340, 0, "the rest");
        eq(coin.balanceOf(TREASURY), 0, "treasury all");
        eq(junior.totalAssets(), 0, "junior all");
        eq(mutual.debit(1_000), 100, "positions the rest");
    }

    /// @dev Notice is given of an amount: a larger loss that appears meanwhile needs notice of its own.
    function test_MoreThanAnnouncedWaits() public {
        market.lose(A, 70);
        _cover(A, 60, 10, "announces 10");
        market.lose(A, 300);
        vm.warp(block.timestamp + 1 days);
        // Treasury: 40 left, all within its new daily cap. Junior: cap 100 plus the 10 announced.
        _cover(A, 150, 160, "the 10 and the new day's caps");
        eq(junior.totalAssets(), 90, "junior's part");
        _expectWindow(A, 160);
    }

    function test_WindowIsOverADayAfterItIsRipe() public {
        market.lose(A, 400);
        waterfall.coverDeficit(A);
        vm.warp(block.timestamp + 2 days);
        _cover(A, 140, 200, "caps only: treasury's 40 and junior's 100");
        (uint256 amount, uint40 ripeAt) = waterfall.windowOf(A);
        eq(amount, 200, "announced again");
        eq(ripeAt, block.timestamp + 1 days, "for tomorrow");
    }

    function test_CouncilRefusesTheRestOnceAndCapsGoOn() public {
        coin.mint(TREASURY, 10_000);
        market.lose(A, 5_000);
        _expectNothingToVeto();
        waterfall.coverDeficit(A);
        vm.expectRevert(abi.encodeWithSelector(LossWaterfall.NotCouncil.selector, address(this)));
        waterfall.veto(A);

        vm.expectEmit(true, true, true, true, address(waterfall));
        emit LossWaterfall.Vetoed(A, 4_940);
        vm.prank(COUNCIL);
        waterfall.veto(A);
        _expectNothingToVeto();
        uint256 vetoed = block.timestamp;
        vm.warp(vetoed + 1 days);
        _cover(A, 60, 4_880, "the cap");
        vm.warp(vetoed + 20 days + 1 hours);
        _cover(A, 60, 4_820, "the cap");
        _expectWindow(A, 0);
        vm.warp(vetoed + 21 days - 1);
        _cover(A, 60, 4_760, "the cap");
        _expectWindow(A, 0);
        vm.warp(vetoed + 21 days);
        waterfall.coverDeficit(A);
        _expectWindow(A, market.debt(A));
    }

    function test_VetoEndsWithTheDeficit() public {
        coin.mint(TREASURY, 10_000);
        market.lose(A, 5_000);
        waterfall.coverDeficit(A);
        vm.prank(COUNCIL);
        waterfall.veto(A);
        market.setDebt(A, 0);
        _cover(A, 0, 0, "somebody else paid");
        market.lose(A, 100);
        waterfall.coverDeficit(A);
        _expectWindow(A, 100);
    }

    function test_VetoOfARipeWindowCountsAndOfAnOldOneDoesNot() public {
        coin.mint(TREASURY, 10_000);
        market.lose(A, 5_000);
        waterfall.coverDeficit(A);
        vm.warp(block.timestamp + 2 days - 1);
        vm.prank(COUNCIL);
        waterfall.veto(A);
        _cover(A, 60, 4_880, "refused in the last second");
        setUp();
        coin.mint(TREASURY, 10_000);
        market.lose(A, 5_000);
        waterfall.coverDeficit(A);
        vm.warp(block.timestamp + 2 days);
        _expectNothingToVeto();
    }

    function test_DailyCapIsOneForAllMarkets() public {
        market.lose(A, 50);
        market.lose(B, 50);
        _cover(A, 50, 0, "A first");
        _cover(B, 10, 40, "what the day leaves");
        _expectWindow(B, 40);
        _expectWindow(A, 0);
    }

    function test_PositionsOfOneMarketPayForNoOther() public {
        coin.mint(TREASURY, 1_000);
        market.lose(B, 2_000);
        waterfall.coverDeficit(B);
        vm.warp(block.timestamp + 1 days);
        waterfall.coverDeficit(B);
        eq(market.debt(B), 2_000 - 1_100 - 200, "treasury and junior stand for B too");
        eq(mutual.debit(1_000), 0, "A's positions do not");
        eq(market.debt(A), 0, "A untouched");
    }

    /// @dev Whatever the layers hold and the day has left, the preview is what happens.
    function testFuzz_PreviewIsWhatHappens(uint256[6] memory loss, uint256[6] memory gap) public {
        for (uint256 i = 0; i < loss.length; ++i) {
            market.lose(A, clamp(loss[i], 0, 300));
            vm.warp(block.timestamp + clamp(gap[i], 0, 2 days));
            (uint256[] memory takes, uint256 left) = waterfall.preview(A);
            uint256[3] memory before = [coin.balanceOf(TREASURY), junior.totalAssets(), mutual.debit(1_000)];
            uint256 debt = market.debt(A);
            try waterfall.coverDeficit(A) returns (uint256 covered, uint256 left_) {
                eq(left_, left, "left");
                eq(covered + left, debt, "identity");
                eq(before[0] - coin.balanceOf(TREASURY), takes[0], "treasury");
                eq(before[1] - junior.totalAssets(), takes[1], "junior");
                eq(mutual.debit(1_000) - before[2], takes[2], "positions");
            } catch {
                eq(takes[0] + takes[1] + takes[2], 0, "nothing was foreseen");
            }
            eq(market.debt(A), left, "the market agrees");
        }
    }

    function test_Regress_Umbrella_StalePrice() public {
        market.lose(A, 100);
        uint40 now_ = uint40(block.timestamp);
        market.setAsOf(now_ - AGE - 1);
        _expectUnfit(100, now_ - AGE - 1, 100, now_);
        market.setAsOf(now_ + 1);
        _expectUnfit(100, now_ + 1, 100, now_);
        market.setAsOf(now_ - AGE);
        other.setAsOf(now_ - AGE - 1);
        _expectUnfit(100, now_ - AGE, 100, now_ - AGE - 1);
        other.setAsOf(now_);
        other.setOff(2);
        _expectUnfit(100, now_ - AGE, 102, now_);
        other.setOff(-2);
        _expectUnfit(100, now_ - AGE, 98, now_);
        other.setOff(1);
        _cover(A, 60, 40, "young, and one percent apart");
    }

    function test_AmountBeyondUint128IsUnfit() public {
        market.setDebt(A, 1 << 128);
        _expectUnfit(1 << 128, uint40(block.timestamp), 1 << 128, uint40(block.timestamp));
        market.setDebt(A, type(uint128).max);
        _cover(A, 60, type(uint128).max - 60, "the largest that is fit");
    }

    /// @dev Somebody else repays, in whole or in part, between notice and cover, or the market's own figure moves.
    function test_Regress_Umbrella_DeficitUnderflow() public {
        market.lose(A, 400);
        waterfall.coverDeficit(A);
        market.setDebt(A, 7);
        vm.warp(block.timestamp + 1 days);
        _cover(A, 7, 0, "no more than is missing");
        vm.expectRevert(abi.encodeWithSelector(LossWaterfall.NothingCovered.selector, A, 0));
        waterfall.coverDeficit(A);
    }

    /// @dev Losses are not spread, nor anybody's money spent, while the guarded contract holds prices closed.
    function test_Regress_Marginfi_UngatedBankruptcy() public {
        market.lose(A, 400);
        market.setPricesOpen(false);
        vm.expectRevert(abi.encodeWithSelector(LossWaterfall.PricesClosed.selector));
        waterfall.coverDeficit(A);
        vm.expectRevert(abi.encodeWithSelector(LossWaterfall.PricesClosed.selector));
        waterfall.preview(A);
        market.setPricesOpen(true);
        _cover(A, 60, 340, "open again");
    }

    function test_OnlyItselfMayDraw() public {
        vm.expectRevert(abi.encodeWithSelector(LossWaterfall.NotSelf.selector, address(this)));
        waterfall.draw(treasury, A, 1);
    }

    function test_ConstructorRefusesInconsistentBounds() public {
        LossWaterfall.Step[] memory steps = _steps();
        IFailSafeController c = IFailSafeController(address(controller));
        IFailSafe g = IFailSafe(address(market));
        _expectInvalid(IFailSafeController(address(0)), g, market, other, AGE, DEVIATION, steps);
        _expectInvalid(c, IFailSafe(address(0)), market, other, AGE, DEVIATION, steps);
        _expectInvalid(c, g, IDeficitMarket(address(0)), other, AGE, DEVIATION, steps);
        _expectInvalid(c, g, market, IDeficitSource(address(0)), AGE, DEVIATION, steps);
        _expectInvalid(c, g, market, market, AGE, DEVIATION, steps);
        _expectInvalid(c, g, market, other, 0, DEVIATION, steps);
        _expectInvalid(c, g, market, other, AGE, 10_000, steps);
        _expectInvalid(c, g, market, other, AGE, DEVIATION, new LossWaterfall.Step[](0));
        steps[1].layer = treasury;
        _expectInvalid(c, g, market, other, AGE, DEVIATION, steps);
        steps[1].layer = ILossLayer(address(0));
        _expectInvalid(c, g, market, other, AGE, DEVIATION, steps);
        steps[1] = LossWaterfall.Step(junior, 0);
        _expectInvalid(c, g, market, other, AGE, DEVIATION, steps);
        _expectInvalid(c, g, market, other, AGE, DEVIATION, _strangers(9));
        LossWaterfall most = new LossWaterfall(c, g, market, other, AGE, 9_999, _strangers(8));
        (ILossLayer last, uint128 cap) = most.steps(7);
        yes(address(last) == address(8) && cap == 1, "eight layers");
    }

    function _strangers(uint256 count) private pure returns (LossWaterfall.Step[] memory steps) {
        steps = new LossWaterfall.Step[](count);
        for (uint160 i = 0; i < count; ++i) {
            steps[i] = LossWaterfall.Step(ILossLayer(address(i + 1)), 1);
        }
    }

    function _expectInvalid(
        IFailSafeController c,
        IFailSafe g,
        IDeficitMarket source,
        IDeficitSource reference_,
        uint40 age,
        uint16 deviation,
        LossWaterfall.Step[] memory steps
    ) private {
        vm.expectRevert(abi.encodeWithSelector(LossWaterfall.InvalidConfiguration.selector));
        new LossWaterfall(c, g, source, reference_, age, deviation, steps);
    }

    function _expectUnfit(uint256 amount, uint40 asOf, uint256 otherAmount, uint40 otherAsOf) private {
        vm.expectRevert(abi.encodeWithSelector(LossWaterfall.PriceUnfit.selector, amount, asOf, otherAmount, otherAsOf));
        waterfall.coverDeficit(A);
    }

    function _expectWindow(bytes32 id, uint256 want) private view {
        (uint256 amount,) = waterfall.windowOf(id);
        eq(amount, want, "announced");
    }

    function _expectNothingToVeto() private {
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(LossWaterfall.NothingToVeto.selector, A));
        waterfall.veto(A);
    }

    function _expectNothingCovered(uint256 left) private {
        vm.expectRevert(abi.encodeWithSelector(LossWaterfall.NothingCovered.selector, A, left));
        waterfall.coverDeficit(A);
    }
}
