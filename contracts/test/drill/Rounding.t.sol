// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {LendingVault} from "../../src/drill/LendingVault.sol";
import {World} from "./World.sol";

/// @notice The patched vault never rounds for the caller; the vulnerable one does, and one case shows it.
contract PatchedRoundingTest is World {
    function _patched() internal pure override returns (bool) {
        return true;
    }

    function testFuzz_RoundTripGainsNothing(uint256 assets, uint256 interest, uint256 part) public {
        _growPrice(interest);
        assets = clamp(assets, 1, 1e30);
        uint256 shares = _supply(LIQUIDATOR, usdc, assets);
        atMost(usdc.convertToAssets(shares), assets, "shares are worth no more than was paid");
        uint256 exit = clamp(part, 1, assets);
        vm.startPrank(LIQUIDATOR);
        try usdc.withdraw(exit, LIQUIDATOR, LIQUIDATOR) {}
        catch {
            eq(exit, assets, "only the whole can be a unit short");
        }
        uint256 rest = usdc.balanceOf(LIQUIDATOR);
        if (usdc.convertToAssets(rest) != 0) usdc.redeem(rest, LIQUIDATOR, LIQUIDATOR);
        vm.stopPrank();
        atMost(_token(usdc).balanceOf(LIQUIDATOR), assets, "came back");
    }

    function testFuzz_PriceNeverFallsByAnExit(uint256 interest, uint256 exit) public {
        _growPrice(interest);
        exit = clamp(exit, 1, usdc.cash());
        (uint256 assets0, uint256 shares0) = _price();
        vm.prank(SUPPLIER);
        usdc.withdraw(exit, SUPPLIER, SUPPLIER);
        (uint256 assets1, uint256 shares1) = _price();
        atLeast(assets1 * shares0, assets0 * shares1, "price");
    }

    function testFuzz_PriceNeverFallsByADeposit(uint256 interest, uint256 assets) public {
        _growPrice(interest);
        (uint256 assets0, uint256 shares0) = _price();
        _supply(LIQUIDATOR, usdc, clamp(assets, 1, 1e30));
        (uint256 assets1, uint256 shares1) = _price();
        atLeast(assets1 * shares0, assets0 * shares1, "price");
    }

    function testFuzz_DonationMovesNothing(uint256 donation) public {
        uint256 before = usdc.totalAssets();
        _token(usdc).mint(address(usdc), clamp(donation, 1, 1e30));
        eq(usdc.totalAssets(), before, "total assets");
    }

    function _growPrice(uint256 interest) private {
        _openLoan(20_000);
        vm.warp(block.timestamp + clamp(interest, 0, 3 * 365 days));
    }

    /// @dev Both sides of the share price, with the virtual amounts.
    function _price() private view returns (uint256 assets, uint256 shares) {
        return (usdc.totalAssets() + 1, usdc.totalSupply() + 1e6);
    }
}

contract VulnerableRoundingTest is World {
    function _patched() internal pure override returns (bool) {
        return false;
    }

    /// @dev Two shares worth 2 + 1 000 together: one of them pays for 1 001.
    function test_OneShareOfTwoPaysForBoth() public {
        _supply(BORROWER, wbtc, 2);
        _token(wbtc).mint(address(wbtc), 1_000);
        vm.prank(BORROWER);
        eq(wbtc.withdraw(1_001, BORROWER, BORROWER), 1, "shares burnt");
        eq(wbtc.totalAssets(), 1, "left for the other share");
    }

    function test_FreeWithdrawalIsRefused() public {
        _supply(BORROWER, wbtc, 2);
        _token(wbtc).mint(address(wbtc), 1_000);
        vm.expectRevert(abi.encodeWithSelector(LendingVault.ZeroShares.selector, uint256(500)));
        vm.prank(BORROWER);
        wbtc.withdraw(500, BORROWER, BORROWER);
    }
}
