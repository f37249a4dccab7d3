// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BoundedCall} from "../../../src/kit/BoundedCall.sol";
import {Lock} from "../../../src/kit/Lock.sol";
import {IToken} from "../../../src/kit/SafeToken.sol";
import {ILossLayer} from "../../../src/kit/interfaces/ILossLayer.sol";
import {LossWaterfall} from "../../../src/kit/loss/LossWaterfall.sol";
import {PayingLayer, TreasuryLayer} from "../../../src/kit/loss/TreasuryLayer.sol";
import {Coin, Market, WaterfallWorld} from "./World.sol";

/// @notice A layer that says it has everything and then does what it likes.
contract BadLayer is ILossLayer {
    enum Habit {
        REVERT,
        BURN,
        BOMB,
        NOTHING,
        LESS,
        MORE,
        OTHER_MARKET,
        RAISE,
        REENTER,
        HIDE,
        HIDE_BURN,
        HIDE_BOMB,
        HEAVY
    }

    Market private immutable _market;
    Habit public habit;
    bytes4 public refusal;

    constructor(Market market) {
        _market = market;
    }

    function set(Habit habit_) external {
        habit = habit_;
    }

    function available(bytes32) external view returns (uint256) {
        if (habit == Habit.HIDE) revert("hidden");
        if (habit == Habit.HIDE_BURN) while (true) {}
        if (habit == Habit.HIDE_BOMB) {
            assembly {
                revert(0, 150000)
            }
        }
        return type(uint256).max;
    }

    function absorb(bytes32 market, uint256 amount) external {
        if (habit == Habit.REVERT) revert("no");
        if (habit == Habit.BURN) while (true) {}
        if (habit == Habit.BOMB) {
            assembly {
                revert(0, 800000)
            }
        }
        if (habit == Habit.HEAVY) {
            uint256 rest = gasleft() - 800_000;
            while (gasleft() > rest) {}
            _market.writeDown(market, amount);
        }
        if (habit == Habit.LESS) _market.writeDown(market, amount - 1);
        if (habit == Habit.MORE) _market.writeDown(market, amount + 1);
        if (habit == Habit.OTHER_MARKET) _market.writeDown("market B", amount);
        if (habit == Habit.RAISE) _market.lose(market, 1);
        if (habit == Habit.REENTER) {
            (bool ok, bytes memory data) = msg.sender.call(abi.encodeCall(LossWaterfall.coverDeficit, (market)));
            require(!ok, "reentered");
            _market.lose("refusal", uint32(bytes4(data)));
            _market.writeDown(market, amount);
        }
    }
}

/// @notice One bad layer ahead of the good ones.
contract BadLayersTest is WaterfallWorld {
    BadLayer internal bad;

    function _steps() internal view override returns (LossWaterfall.Step[] memory steps) {
        LossWaterfall.Step[] memory good = super._steps();
        steps = new LossWaterfall.Step[](4);
        steps[0] = LossWaterfall.Step(ILossLayer(vm.computeCreateAddress(address(this), 9)), 1_000);
        for (uint256 i = 0; i < 3; ++i) {
            steps[i + 1] = good[i];
        }
    }

    function setUp() public override {
        super.setUp();
        bad = new BadLayer(market);
        (ILossLayer first,) = waterfall.steps(0);
        eq(address(first), address(bad), "first in the list");
    }

    /// @dev Whatever it does, it is undone and skipped, the next layer pays, and the call costs a bounded sum.
    function test_ABadLayerIsUndoneAndSkipped() public {
        for (uint8 habit = 0; habit <= uint8(BadLayer.Habit.HIDE_BOMB); ++habit) {
            if (habit == uint8(BadLayer.Habit.REENTER)) continue;
            bad.set(BadLayer.Habit(habit));
            market.setDebt(A, 50);
            market.setDebt(B, 500);
            uint256 gasBefore = gasleft();
            vm.expectEmit(true, true, true, true, address(waterfall));
            emit LossWaterfall.LayerSkipped(A, bad);
            vm.expectEmit(true, true, true, true, address(waterfall));
            emit LossWaterfall.Covered(A, treasury, 50);
            (uint256 covered, uint256 left) = waterfall.coverDeficit(A);
            atMost(gasBefore - gasleft(), 1_700_000, "bounded gas");
            eq(covered, 50, "covered by the next one");
            eq(left, 0, "nothing left");
            eq(market.debt(A), 0, "the market agrees");
            eq(market.debt(B), 500, "no other market moved");
            vm.warp(block.timestamp + 1 days);
            coin.mint(TREASURY, 50);
        }
    }

    function test_ALayerWithoutCodeIsSkipped() public {
        vm.etch(address(bad), "");
        market.lose(A, 50);
        _cover(A, 50, 0, "by the treasury");
    }

    function test_AFailedLayerKeepsItsCap() public {
        market.lose(A, 50);
        waterfall.coverDeficit(A);
        market.lose(A, 1_000);
        bad.set(BadLayer.Habit.REENTER);
        waterfall.coverDeficit(A);
        eq(market.debt(A), 0, "its whole cap of 1000 was still there");
    }

    function test_ReentryIsRefused() public {
        bad.set(BadLayer.Habit.REENTER);
        market.lose(A, 50);
        waterfall.coverDeficit(A);
        eq(market.debt("refusal"), uint32(Lock.Reentered.selector), "typed");
    }

    /// @dev A relayer with little gas cannot have a sound layer skipped.
    function test_ShortOfGasSkipsNobody() public {
        bad.set(BadLayer.Habit.HIDE);
        _coverWithLittleGas();
        eq(coin.balanceOf(TREASURY), 50, "treasury paid");
    }

    /// @dev Nor the last one, after which no other asks for gas: what the earlier ones paid would let the call pass without it.
    function test_ShortOfGasSkipsTheLastNeither() public {
        bad.set(BadLayer.Habit.HIDE);
        vm.prank(TREASURY);
        coin.approve(address(treasury), 20);
        vm.prank(address(junior));
        coin.transfer(STAKER, 200);
        vm.etch(address(mutual), address(bad).code);
        BadLayer(address(mutual)).set(BadLayer.Habit.HEAVY);
        _coverWithLittleGas();
        eq(coin.balanceOf(TREASURY), 80, "treasury paid its part");
        eq(market.debt(A), 0, "and the last layer the rest");
    }

    /// @dev Covers 50 with the least gas that does.
    function _coverWithLittleGas() private {
        market.lose(A, 50);
        for (uint256 gas_ = 100_000; gas_ < 2_000_000; gas_ += 10_000) {
            try waterfall.coverDeficit{gas: gas_}(A) {
                return;
            } catch (bytes memory data) {
                yes(data.length == 0 || bytes4(data) == BoundedCall.GasTooLow.selector, "for want of gas");
                eq(market.debt(A), 50, "nothing happened");
            }
        }
        revert("never had enough");
    }

    /// @dev Tokens that keep a fee, refuse, answer false, or call back in the middle of a transfer.
    function test_BadTokensCostTheLayerNothing() public {
        bad.set(BadLayer.Habit.HIDE);
        market.lose(A, 50);
        Coin.Habit[3] memory habits = [Coin.Habit.FEE, Coin.Habit.BLOCKED, Coin.Habit.FALSE_ANSWER];
        for (uint256 i = 0; i < habits.length; ++i) {
            coin.setHabit(habits[i]);
            (uint256 covered,) = waterfall.coverDeficit(A);
            eq(covered, 50, "positions bear it");
            eq(coin.balanceOf(TREASURY), 100, "treasury has lost nothing");
            eq(junior.totalAssets(), 200, "nor has junior");
            eq(coin.allowance(address(treasury), address(market)), 0, "nor left an allowance");
            market.lose(A, 50);
        }
        coin.setHabit(Coin.Habit.NO_ANSWER);
        waterfall.coverDeficit(A);
        eq(coin.balanceOf(TREASURY), 50, "no answer is an answer");
        market.lose(A, 5);
        coin.setHook(address(waterfall), abi.encodeCall(LossWaterfall.coverDeficit, (A)));
        waterfall.coverDeficit(A);
        eq(coin.balanceOf(TREASURY), 50, "a call back from within fails the layer");
    }

    function test_TreasuryPaysUpToItsAllowance() public {
        bad.set(BadLayer.Habit.HIDE);
        vm.prank(TREASURY);
        coin.approve(address(treasury), 20);
        market.lose(A, 50);
        _cover(A, 50, 0, "20 and 30");
        eq(coin.balanceOf(TREASURY), 80, "treasury");
        eq(junior.totalAssets(), 170, "junior");
    }

    function test_ALayerThatCollectsLessSaysSo() public {
        coin.setHabit(Coin.Habit.FEE);
        coin.mint(address(treasury), 1); // what somebody left there does not make up for the fee
        vm.prank(address(waterfall));
        vm.expectRevert(abi.encodeWithSelector(PayingLayer.CollectedLess.selector, 49, 50));
        treasury.absorb(A, 50);
    }

    function test_OnlyTheWaterfallDrawsOnALayer() public {
        vm.expectRevert(abi.encodeWithSelector(PayingLayer.NotWaterfall.selector, address(this)));
        treasury.absorb(A, 1);
        vm.expectRevert(abi.encodeWithSelector(PayingLayer.NotWaterfall.selector, address(this)));
        junior.absorb(A, 1);
    }

    function test_ALayerStandsForMarketsOfItsAssetOnly() public {
        TreasuryLayer foreign = new TreasuryLayer(address(waterfall), market, IToken(address(new Coin())), TREASURY);
        eq(foreign.available(A), 0, "other asset");
        eq(treasury.available(A), 100, "this one");
        vm.expectRevert(abi.encodeWithSelector(PayingLayer.ZeroAddress.selector));
        new TreasuryLayer(address(waterfall), market, IToken(address(coin)), address(0));
        vm.expectRevert(abi.encodeWithSelector(PayingLayer.ZeroAddress.selector));
        new TreasuryLayer(address(0), market, IToken(address(coin)), TREASURY);
        vm.expectRevert(abi.encodeWithSelector(PayingLayer.ZeroAddress.selector));
        new TreasuryLayer(address(waterfall), Market(address(0)), IToken(address(coin)), TREASURY);
        vm.expectRevert(abi.encodeWithSelector(PayingLayer.ZeroAddress.selector));
        new TreasuryLayer(address(waterfall), market, IToken(address(0)), TREASURY);
    }
}
