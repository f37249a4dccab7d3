// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {IToken, SafeToken} from "../../../src/kit/SafeToken.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {IDeficitMarket, ILossLayer} from "../../../src/kit/interfaces/ILossLayer.sol";
import {IDeficitSource} from "../../../src/kit/interfaces/ISensors.sol";
import {JuniorStakeLayer} from "../../../src/kit/loss/JuniorStakeLayer.sol";
import {LossWaterfall} from "../../../src/kit/loss/LossWaterfall.sol";
import {MutualIndex} from "../../../src/kit/loss/MutualIndex.sol";
import {TreasuryLayer} from "../../../src/kit/loss/TreasuryLayer.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice A token that is honest until it is told otherwise.
contract Coin {
    enum Habit {
        HONEST,
        NO_ANSWER,
        FALSE_ANSWER,
        FEE,
        BLOCKED,
        HOOK
    }

    Habit public habit;
    address public hooked;
    bytes public hook;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function setHabit(Habit habit_) external {
        habit = habit_;
    }

    /// @dev Calls `target` in the middle of the next transfer.
    function setHook(address target, bytes calldata data) external {
        (habit, hooked, hook) = (Habit.HOOK, target, data);
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return _answer();
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        if (allowance[from][msg.sender] != type(uint256).max) allowance[from][msg.sender] -= amount;
        return _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        if (habit == Habit.BLOCKED) revert("blocked");
        if (habit == Habit.FALSE_ANSWER) return false;
        if (habit == Habit.HOOK) {
            habit = Habit.HONEST;
            (bool ok,) = hooked.call(hook);
            require(ok, "hook");
        }
        balanceOf[from] -= amount;
        balanceOf[to] += habit == Habit.FEE ? amount - amount / 100 - 1 : amount;
        return _answer();
    }

    function _answer() private view returns (bool) {
        if (habit == Habit.NO_ANSWER) {
            assembly {
                return(0, 0)
            }
        }
        return true;
    }
}

/// @notice Markets with bad debt in one asset. Also what guards them, and what writes positions down.
contract Market is IDeficitMarket {
    Coin public immutable coin;
    mapping(bytes32 => uint256) public debt;
    uint40 public asOf;
    bool public live = true;
    bool public pricesOpen = true;

    constructor(Coin coin_) {
        coin = coin_;
    }

    function lose(bytes32 market, uint256 amount) external {
        debt[market] += amount;
    }

    function setDebt(bytes32 market, uint256 amount) external {
        debt[market] = amount;
    }

    function setAsOf(uint40 asOf_) external {
        (asOf, live) = (asOf_, false);
    }

    function setPricesOpen(bool open) external {
        pricesOpen = open;
    }

    function deficit(bytes32 market) external view returns (uint256, uint40) {
        return (debt[market], live ? uint40(block.timestamp) : asOf);
    }

    function assetOf(bytes32) external view returns (address) {
        return address(coin);
    }

    function repayDeficit(bytes32 market, uint256 amount) external {
        debt[market] -= SafeToken.pull(IToken(address(coin)), msg.sender, amount);
    }

    /// @dev Loss taken by positions instead of paid.
    function writeDown(bytes32 market, uint256 amount) external {
        debt[market] -= amount;
    }

    function failsafeOpen(uint8 class_) external view returns (bool) {
        return class_ != Classes.PRICE_UPDATE || pricesOpen;
    }
}

/// @notice The same figure from other prices: off by what the test says.
contract Reference is IDeficitSource {
    Market private immutable _market;
    int256 public off;
    uint40 public asOf;
    bool public live = true;

    constructor(Market market) {
        _market = market;
    }

    function setOff(int256 off_) external {
        off = off_;
    }

    function setAsOf(uint40 asOf_) external {
        (asOf, live) = (asOf_, false);
    }

    function deficit(bytes32 market) external view returns (uint256, uint40) {
        return (uint256(int256(_market.debt(market)) + off), live ? uint40(block.timestamp) : asOf);
    }
}

/// @notice The last layer: a loss is written off the positions of one market.
contract MutualLayer is ILossLayer {
    using MutualIndex for MutualIndex.State;

    Market private immutable _market;
    bytes32 private immutable _id;
    MutualIndex.State private _state;
    uint128 public units;

    constructor(Market market, bytes32 id, uint128 units_) {
        (_market, _id, units) = (market, id, units_);
    }

    function available(bytes32 market) external view returns (uint256) {
        return market == _id ? _state.capacity(units) : 0;
    }

    function absorb(bytes32 market, uint256 amount) external {
        require(market == _id && _state.absorb(uint128(amount), units) == amount, "mutual");
        _market.writeDown(market, amount);
    }

    function debit(uint128 units_) external view returns (uint256) {
        return _state.debit(units_, 0);
    }
}

/// @notice The episode of the stake's scope, and the council.
contract FakeController {
    mapping(bytes32 scope => IFailSafeController.Episode) private _episodes;
    mapping(bytes32 scope => bytes32) public parentOf;
    address public council = address(0xc0);

    function adopt(bytes32 scope, bytes32 parent) external {
        parentOf[scope] = parent;
    }

    function set(bytes32 scope, Mode mode, uint40 incidentBlock) external {
        IFailSafeController.Episode storage e = _episodes[scope];
        (e.mode, e.incidentBlock, e.episodeStart) = (mode, incidentBlock, uint40(block.timestamp));
    }

    function episodeOf(bytes32 scope) external view returns (IFailSafeController.Episode memory) {
        return _episodes[scope];
    }
}

/// @notice Treasury 100, junior stake 200, positions 1000, all in one asset; caps 60, 100 and everything.
abstract contract WaterfallWorld is Assert {
    bytes32 internal constant A = "market A";
    bytes32 internal constant B = "market B";
    address internal constant COUNCIL = address(0xc0);
    address internal constant TREASURY = address(0x7ea);
    address internal constant STAKER = address(0x57a);
    uint40 internal constant COOLDOWN = 7 days;
    uint40 internal constant AGE = 1 hours;
    uint16 internal constant DEVIATION = 100;

    Coin internal coin;
    Market internal market;
    Reference internal other;
    FakeController internal controller;
    TreasuryLayer internal treasury;
    JuniorStakeLayer internal junior;
    MutualLayer internal mutual;
    LossWaterfall internal waterfall;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        vm.roll(1_000);
        coin = new Coin();
        market = new Market(coin);
        other = new Reference(market);
        controller = new FakeController();
        // The waterfall comes fourth from here; layers are told its address before it exists.
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 3);
        treasury = new TreasuryLayer(next, market, IToken(address(coin)), TREASURY);
        junior = new JuniorStakeLayer(
            next, market, IToken(address(coin)), IFailSafeController(address(controller)), A, COOLDOWN
        );
        mutual = new MutualLayer(market, A, 1_000);
        waterfall = _waterfall(_steps());
        eq(address(waterfall), next, "address foreseen");

        coin.mint(TREASURY, 100);
        vm.prank(TREASURY);
        coin.approve(address(treasury), type(uint256).max);
        _stake(200);
    }

    function _steps() internal view virtual returns (LossWaterfall.Step[] memory steps) {
        steps = new LossWaterfall.Step[](3);
        steps[0] = LossWaterfall.Step(treasury, 60);
        steps[1] = LossWaterfall.Step(junior, 100);
        steps[2] = LossWaterfall.Step(mutual, type(uint128).max);
    }

    function _waterfall(LossWaterfall.Step[] memory steps) internal returns (LossWaterfall) {
        return new LossWaterfall(
            IFailSafeController(address(controller)), IFailSafe(address(market)), market, other, AGE, DEVIATION, steps
        );
    }

    function _stake(uint256 amount) internal {
        coin.mint(STAKER, amount);
        vm.startPrank(STAKER);
        coin.approve(address(junior), amount);
        junior.deposit(amount, STAKER);
        vm.stopPrank();
    }

    function _cover(bytes32 id, uint256 covered, uint256 left, string memory what) internal {
        (uint256[] memory takes, uint256 foreseen) = waterfall.preview(id);
        uint256 sum;
        for (uint256 i = 0; i < takes.length; ++i) {
            sum += takes[i];
        }
        (uint256 c, uint256 l) = waterfall.coverDeficit(id);
        eq(c, covered, what);
        eq(l, left, what);
        eq(sum, covered, "foreseen covered");
        eq(foreseen, left, "foreseen left");
        eq(market.debt(id), left, "the market agrees");
    }
}
