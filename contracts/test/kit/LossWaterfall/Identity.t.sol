// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {LossWaterfall} from "../../../src/kit/loss/LossWaterfall.sol";
import {ILossLayer} from "../../../src/kit/interfaces/ILossLayer.sol";
import {Market, WaterfallWorld} from "./World.sol";

/// @notice A layer for both markets that pays, or fails at either step, as it is told.
contract MoodyLayer is ILossLayer {
    Market private immutable _market;
    uint256 public funds;
    bool public hides;
    bool public fails;

    constructor(Market market) {
        _market = market;
    }

    function set(uint256 funds_, bool hides_, bool fails_) external {
        (funds, hides, fails) = (funds_, hides_, fails_);
    }

    function available(bytes32) external view returns (uint256) {
        require(!hides, "hidden");
        return funds;
    }

    function absorb(bytes32 market, uint256 amount) external {
        require(!fails, "failed");
        funds -= amount;
        _market.writeDown(market, amount);
    }
}

/// @notice Losses, repayments, moods, time, covers and vetoes in any order, with a book kept beside.
contract WaterfallHandler is WaterfallWorld {
    struct Notice {
        uint256 amount;
        uint256 ripeAt;
    }

    MoodyLayer internal moody;
    mapping(bytes32 id => uint256) public lost;
    mapping(bytes32 id => uint256) public borne;
    mapping(bytes32 id => uint256) public repaid;
    /// @dev Taken by the treasury in a day, and what notices allowed beyond its cap on that day.
    mapping(uint256 day => uint256) public treasuryTook;
    mapping(uint256 day => uint256) public allowedBeyond;
    mapping(bytes32 id => Notice) internal notices;
    uint256 public covers;
    uint256 public lastDay;
    bool public broken;

    function setUp() public override {
        super.setUp();
        moody = new MoodyLayer(market);
        (ILossLayer second,) = waterfall.steps(1);
        eq(address(second), address(moody), "second in the list");
    }

    function _steps() internal view override returns (LossWaterfall.Step[] memory steps) {
        LossWaterfall.Step[] memory good = super._steps();
        steps = new LossWaterfall.Step[](4);
        steps[0] = good[0];
        steps[1] = LossWaterfall.Step(ILossLayer(vm.computeCreateAddress(address(this), 9)), 80);
        (steps[2], steps[3]) = (good[1], good[2]);
    }

    function lose(bool a, uint256 amount) external {
        amount = clamp(amount, 0, 500);
        market.lose(_id(a), amount);
        lost[_id(a)] += amount;
    }

    function repay(bool a, uint256 amount) external {
        amount = clamp(amount, 0, market.debt(_id(a)));
        market.writeDown(_id(a), amount);
        repaid[_id(a)] += amount;
    }

    function refill(uint256 amount) external {
        coin.mint(TREASURY, clamp(amount, 0, 500));
    }

    function stake(uint256 amount) external {
        if (junior.totalAssets() != 0 && junior.totalSupply() < 1e30) _stake(clamp(amount, 1, 500));
    }

    function mood(uint256 funds, bool hides, bool fails) external {
        moody.set(clamp(funds, 0, 300), hides, fails);
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + clamp(time, 1, 2 days));
    }

    function veto(bool a) external {
        vm.prank(COUNCIL);
        try waterfall.veto(_id(a)) {
            delete notices[_id(a)];
        } catch {}
    }

    function cover(bool a) external {
        bytes32 id = _id(a);
        uint256 debt = market.debt(id);
        uint256 otherDebt = market.debt(_id(!a));
        uint256[3] memory held = [coin.balanceOf(TREASURY), moody.funds(), junior.totalAssets()];
        Notice memory notice = notices[id];
        uint256 extra;
        if (block.timestamp >= notice.ripeAt && block.timestamp < notice.ripeAt + 1 days) extra = notice.amount;
        try waterfall.coverDeficit(id) returns (uint256 covered, uint256 left) {
            ++covers;
            borne[id] += covered;
            uint256 day = block.timestamp / 1 days;
            lastDay = day;
            treasuryTook[day] += held[0] - coin.balanceOf(TREASURY);
            allowedBeyond[day] += extra;
            bool order = covered + left == debt && market.debt(id) == left && market.debt(_id(!a)) == otherDebt;
            // Junior pays only when the treasury is empty, and the moody one is empty or failed.
            if (junior.totalAssets() < held[2]) {
                order = order && coin.balanceOf(TREASURY) == 0;
                order = order && (moody.funds() == 0 || moody.hides() || moody.fails());
            }
            if (!order) broken = true;
            (uint256 amount, uint256 ripeAt) = waterfall.windowOf(id);
            notices[id] = Notice(amount, ripeAt);
        } catch (bytes memory data) {
            if (bytes4(data) != LossWaterfall.NothingCovered.selector) broken = true;
        }
    }

    function _id(bool a) private pure returns (bytes32) {
        return a ? A : B;
    }

    function debtOf(bytes32 id) external view returns (uint256) {
        return market.debt(id);
    }
}

/// @notice Waterfall identity: per market, what was lost = what layers bore + what others repaid + what is left.
contract WaterfallInvariant is WaterfallWorld {
    WaterfallHandler private _handler;

    function setUp() public override {
        _handler = new WaterfallHandler();
        _handler.setUp();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory selectors) {
        bytes4[] memory list = new bytes4[](9);
        list[0] = WaterfallHandler.lose.selector;
        list[1] = WaterfallHandler.repay.selector;
        list[2] = WaterfallHandler.refill.selector;
        list[3] = WaterfallHandler.stake.selector;
        list[4] = WaterfallHandler.mood.selector;
        list[5] = WaterfallHandler.pass.selector;
        list[6] = WaterfallHandler.veto.selector;
        list[7] = WaterfallHandler.cover.selector;
        list[8] = WaterfallHandler.cover.selector;
        selectors = new FuzzSelector[](1);
        selectors[0] = FuzzSelector(address(_handler), list);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function invariant_WaterfallIdentity() public view {
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 id = i == 0 ? A : B;
            eq(
                _handler.borne(id) + _handler.repaid(id) + _handler.debtOf(id),
                _handler.lost(id),
                "nothing is lost twice"
            );
        }
        yes(!_handler.broken(), "each cover by itself, in the order of layers, in one market");
        uint256 day = _handler.lastDay();
        atMost(_handler.treasuryTook(day), 60 + _handler.allowedBeyond(day), "daily cap and notices");
    }
}
