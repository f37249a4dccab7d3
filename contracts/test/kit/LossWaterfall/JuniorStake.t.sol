// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IToken, SafeToken} from "../../../src/kit/SafeToken.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {JuniorStakeLayer} from "../../../src/kit/loss/JuniorStakeLayer.sol";
import {PayingLayer} from "../../../src/kit/loss/TreasuryLayer.sol";
import {Coin, WaterfallWorld} from "./World.sol";

/// @notice Stake stays until it can leave without having seen the loss.
contract JuniorStakeTest is WaterfallWorld {
    address internal constant SECOND = address(0x5ec);

    function setUp() public override {
        super.setUp();
        coin.mint(SECOND, 1_000_000);
        vm.prank(SECOND);
        coin.approve(address(junior), type(uint256).max);
    }

    function test_RequestMaturesAndLapses() public {
        uint256 shares = junior.balanceOf(STAKER);
        _expectRedeem(abi.encodeWithSelector(JuniorStakeLayer.NoShares.selector));
        _request(shares);
        uint40 from = uint40(block.timestamp) + COOLDOWN;
        bytes memory not = abi.encodeWithSelector(JuniorStakeLayer.NotRedeemable.selector, from, from + 2 days);
        vm.warp(from - 1);
        _expectRedeem(not);
        vm.warp(from + 2 days);
        _expectRedeem(not);
        vm.warp(from + 2 days - 1);
        vm.prank(STAKER);
        eq(junior.redeem(STAKER), 200, "all of it");
        eq(coin.balanceOf(STAKER), 200, "received");
        eq(junior.totalSupply(), 0, "no shares left");
        _expectRedeem(abi.encodeWithSelector(JuniorStakeLayer.NoShares.selector));
    }

    /// @dev A request made before the incident is slashed like every share while it waits, and may leave with the rest.
    function test_RequestedStakeBearsLossesWhilePending() public {
        _request(uint128(junior.balanceOf(STAKER)));
        vm.roll(block.number + 10);
        controller.set(A, Mode.HALTED, uint40(block.number));
        vm.warp(block.timestamp + COOLDOWN);
        vm.prank(TREASURY);
        coin.approve(address(treasury), 0);
        market.lose(A, 80);
        _cover(A, 80, 0, "junior");
        vm.prank(STAKER);
        eq(junior.redeem(STAKER), 120, "what is left");
    }

    /// @dev A request made in or after the incident block waits for the end of the episode, or for its 21st day.
    function test_LaterRequestsDoNotEscape() public {
        controller.set(A, Mode.HALTED, uint40(block.number));
        _request(100e6);
        uint256 start = block.timestamp;
        vm.warp(start + COOLDOWN);
        bytes memory late = abi.encodeWithSelector(
            JuniorStakeLayer.RequestedAfterIncident.selector, uint40(block.number), uint40(block.number)
        );
        _expectRedeem(late);
        controller.set(A, Mode.NORMAL, 0);
        controller.adopt(A, "system");
        controller.set("system", Mode.RESTRICTED, uint40(block.number));
        _expectRedeem(late);
        controller.set("system", Mode.NORMAL, 0);
        vm.prank(STAKER);
        eq(junior.redeem(STAKER), 100, "after the episode");

        controller.set(A, Mode.EXIT, uint40(block.number));
        start = block.timestamp;
        vm.warp(start + 21 days - 1 - COOLDOWN);
        _request(50e6);
        vm.warp(start + 21 days - 1);
        _expectRedeem(late);
        vm.warp(start + 21 days);
        vm.prank(STAKER);
        eq(junior.redeem(STAKER), 50, "nobody is held for ever");
    }

    function test_NewRequestReplacesTheOldOne() public {
        _request(10e6);
        vm.warp(block.timestamp + COOLDOWN);
        _request(200e6);
        _expectRedeem(
            abi.encodeWithSelector(
                JuniorStakeLayer.NotRedeemable.selector, block.timestamp + COOLDOWN, block.timestamp + COOLDOWN + 2 days
            )
        );
        vm.prank(STAKER);
        vm.expectRevert(abi.encodeWithSelector(JuniorStakeLayer.SharesExceeded.selector, 200e6, 200e6 + 1));
        junior.requestRedeem(200e6 + 1);
        vm.prank(STAKER);
        vm.expectRevert(abi.encodeWithSelector(JuniorStakeLayer.NoShares.selector));
        junior.requestRedeem(0);
    }

    function test_StakeLostInFullTakesNoDeposits() public {
        market.lose(A, 400);
        waterfall.coverDeficit(A);
        vm.warp(block.timestamp + 1 days);
        waterfall.coverDeficit(A);
        eq(junior.totalAssets(), 0, "lost");
        vm.prank(SECOND);
        vm.expectRevert(abi.encodeWithSelector(JuniorStakeLayer.StakeLost.selector));
        junior.deposit(10, SECOND);
    }

    /// @dev No order of gifts and deposits takes from a depositor more than one unit, or lets anybody take out more than came in.
    function testFuzz_SharesRoundForThePool(uint256 first, uint256 gift, uint256 second) public {
        (first, gift, second) = (clamp(first, 1, 1e9), clamp(gift, 0, 1e12), clamp(second, 1, 1e6));
        JuniorStakeLayer fresh = new JuniorStakeLayer(
            address(waterfall), market, IToken(address(coin)), IFailSafeController(address(controller)), A, COOLDOWN
        );
        coin.mint(address(this), first);
        coin.approve(address(fresh), first);
        uint256 mine = fresh.deposit(first, address(this));
        coin.mint(address(fresh), gift);
        vm.startPrank(SECOND);
        coin.approve(address(fresh), second);
        try fresh.deposit(second, SECOND) returns (uint256 theirs) {
            uint256 due = fresh.convertToAssets(theirs);
            atMost(due, second, "no more than came in");
            atMost(fresh.convertToAssets(mine) + due, first + gift + second, "no more than there is");
            // One share is worth at most a millionth of first plus gift, rounded up.
            atLeast(due + (first + gift) / 1e6 + 2, second, "no less, but for rounding");
        } catch (bytes memory data) {
            eq(uint32(bytes4(data)), uint32(JuniorStakeLayer.NoShares.selector), "refused, not swallowed");
        }
        vm.stopPrank();
    }

    function test_BadTokensMintNothing() public {
        coin.setHabit(Coin.Habit.FALSE_ANSWER);
        vm.prank(SECOND);
        vm.expectRevert(abi.encodeWithSelector(SafeToken.TransferFailed.selector, address(coin)));
        junior.deposit(100, SECOND);
        coin.setHabit(Coin.Habit.FEE);
        vm.prank(SECOND);
        eq(junior.deposit(100, SECOND), 98e6, "what arrived");
        // The deposit inside the transfer is refused, although it is paid for, and with it the transfer.
        coin.mint(address(coin), 1);
        vm.prank(address(coin));
        coin.approve(address(junior), 1);
        coin.setHook(address(junior), abi.encodeCall(junior.deposit, (1, SECOND)));
        vm.prank(SECOND);
        vm.expectRevert(abi.encodeWithSelector(SafeToken.TransferFailed.selector, address(coin)));
        junior.deposit(100, SECOND);
    }

    /// @dev What buys no share stays with who brought it.
    function test_NoSharesForNothing() public {
        vm.prank(SECOND);
        vm.expectRevert(abi.encodeWithSelector(JuniorStakeLayer.NoShares.selector));
        junior.deposit(0, SECOND);
        coin.mint(address(junior), 1e12);
        vm.prank(SECOND);
        vm.expectRevert(abi.encodeWithSelector(JuniorStakeLayer.NoShares.selector));
        junior.deposit(100, SECOND);
        eq(coin.balanceOf(SECOND), 1_000_000, "kept");
    }

    function test_RefusesNobody() public {
        vm.startPrank(SECOND);
        vm.expectRevert(abi.encodeWithSelector(PayingLayer.ZeroAddress.selector));
        junior.deposit(1, address(0));
        vm.expectRevert(abi.encodeWithSelector(PayingLayer.ZeroAddress.selector));
        junior.redeem(address(0));
        vm.stopPrank();
        IFailSafeController c = IFailSafeController(address(controller));
        vm.expectRevert(abi.encodeWithSelector(JuniorStakeLayer.ZeroCooldown.selector));
        new JuniorStakeLayer(address(waterfall), market, IToken(address(coin)), c, A, 0);
        vm.expectRevert(abi.encodeWithSelector(PayingLayer.ZeroAddress.selector));
        new JuniorStakeLayer(address(waterfall), market, IToken(address(coin)), c, 0, COOLDOWN);
        c = IFailSafeController(address(0));
        vm.expectRevert(abi.encodeWithSelector(PayingLayer.ZeroAddress.selector));
        new JuniorStakeLayer(address(waterfall), market, IToken(address(coin)), c, A, COOLDOWN);
    }

    function _request(uint256 shares) private {
        vm.prank(STAKER);
        junior.requestRedeem(uint128(shares));
    }

    function _expectRedeem(bytes memory reason) private {
        vm.prank(STAKER);
        vm.expectRevert(reason);
        junior.redeem(STAKER);
    }
}
