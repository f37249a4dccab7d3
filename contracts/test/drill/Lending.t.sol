// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FungibleToken} from "../../src/drill/FungibleToken.sol";
import {LendingMarket} from "../../src/drill/LendingMarket.sol";
import {LendingVault} from "../../src/drill/LendingVault.sol";
import {World} from "./World.sol";

/// @notice Honest use, the same for both twins.
abstract contract LendingTest is World {
    function test_SupplyComesBackWhole() public {
        uint256 shares = _supply(BORROWER, usdc, 500e6);
        eq(usdc.totalAssets(), USDC_SUPPLY + 500e6, "total assets");
        vm.prank(BORROWER);
        eq(usdc.redeem(shares, BORROWER, BORROWER), 500e6, "redeemed");
        eq(_token(usdc).balanceOf(BORROWER), 500e6, "balance");
        eq(usdc.balanceOf(BORROWER), 0, "shares left");
    }

    function test_WithdrawIsExactAndNamesItsShares() public {
        uint256 shares = _supply(BORROWER, usdc, 500e6);
        vm.expectEmit(true, true, true, true, address(usdc));
        emit LendingVault.Withdraw(BORROWER, LIQUIDATOR, BORROWER, 200e6, shares * 2 / 5);
        vm.prank(BORROWER);
        usdc.withdraw(200e6, LIQUIDATOR, BORROWER);
        eq(_token(usdc).balanceOf(LIQUIDATOR), 200e6, "received");
    }

    function test_ExitForSomebodyElseNeedsAllowance() public {
        uint256 shares = _supply(BORROWER, usdc, 500e6);
        vm.expectRevert(
            abi.encodeWithSelector(
                FungibleToken.InsufficientAllowance.selector, BORROWER, LIQUIDATOR, uint256(0), shares
            )
        );
        vm.prank(LIQUIDATOR);
        usdc.redeem(shares, LIQUIDATOR, BORROWER);

        vm.prank(BORROWER);
        usdc.approve(LIQUIDATOR, shares);
        vm.prank(LIQUIDATOR);
        usdc.redeem(shares, LIQUIDATOR, BORROWER);
        eq(usdc.allowance(BORROWER, LIQUIDATOR), 0, "allowance used");
    }

    function test_ExitBeyondOwnSharesReverts() public {
        uint256 shares = _supply(BORROWER, usdc, 500e6);
        vm.expectRevert(
            abi.encodeWithSelector(FungibleToken.InsufficientBalance.selector, BORROWER, shares, shares + 1)
        );
        vm.prank(BORROWER);
        usdc.redeem(shares + 1, BORROWER, BORROWER);
    }

    function test_BorrowUpToTheCollateralFactor() public {
        _openLoan(24_000);
        eq(market.healthFactor(BORROWER), 1e18, "health factor");
        eq(market.collateralValue(BORROWER), 30_000e8, "collateral");
        eq(market.weightedCollateralValue(BORROWER), 24_000e8, "weighted");
        eq(market.debtValue(BORROWER), 24_000e8, "debt");
        vm.expectPartialRevert(LendingMarket.Unhealthy.selector);
        vm.prank(BORROWER);
        market.borrow(address(usdc), 1);
    }

    function test_WithoutDebtHealthIsTheMaximum() public view {
        eq(market.healthFactor(SUPPLIER), type(uint256).max, "health factor");
    }

    function test_BorrowMoreThanTheCashReverts() public {
        _supply(BORROWER, weth, 1_000e18);
        vm.expectRevert(abi.encodeWithSelector(LendingVault.InsufficientCash.selector, USDC_SUPPLY, USDC_SUPPLY + 1));
        vm.prank(BORROWER);
        market.borrow(address(usdc), USDC_SUPPLY + 1);
    }

    function test_CollateralInUseCannotLeave() public {
        _openLoan(20_000);
        uint256 shares = weth.balanceOf(BORROWER);
        vm.expectPartialRevert(LendingMarket.Unhealthy.selector);
        vm.prank(BORROWER);
        weth.withdraw(5e18, BORROWER, BORROWER);
        vm.expectPartialRevert(LendingMarket.Unhealthy.selector);
        vm.prank(BORROWER);
        // forge-lint: disable-next-line(erc20-unchecked-transfer)
        weth.transfer(LIQUIDATOR, shares / 2);
        vm.prank(BORROWER);
        require(weth.transfer(LIQUIDATOR, shares / 10));
        eq(weth.balanceOf(LIQUIDATOR), shares / 10, "free part moved");
    }

    function test_InterestRaisesDebtAndSharePriceAlike() public {
        _openLoan(20_000);
        uint256 shares = usdc.balanceOf(SUPPLIER);
        uint256 before = usdc.convertToAssets(shares);
        vm.warp(block.timestamp + 365 days);
        // 5 % of 20 000 usd, less the rounding of the rate.
        atLeast(usdc.debtOf(BORROWER), 20_999_999_000, "debt");
        atMost(usdc.debtOf(BORROWER), 21_000e6, "debt");
        uint256 earned = usdc.convertToAssets(shares) - before;
        atLeast(earned, 999_998_000, "earned");
        atMost(earned, 1_000e6, "earned");
        usdc.accrue();
        eq(usdc.convertToAssets(shares) - before, earned, "accrual changes no view");
    }

    function test_RepayAllLeavesNothing() public {
        _openLoan(20_000);
        eq(market.borrowersCount(), 1, "enrolled");
        vm.warp(block.timestamp + 30 days);
        _fund(BORROWER, usdc, 1_000e6);
        vm.prank(BORROWER);
        market.repay(address(usdc), type(uint256).max);
        eq(usdc.debtOf(BORROWER), 0, "debt");
        eq(usdc.totalBorrows(), 0, "borrows");
        eq(market.borrowersCount(), 0, "dismissed");
    }

    function test_BorrowerStaysListedWhileOwingElsewhere() public {
        _openLoan(5_000);
        vm.prank(BORROWER);
        market.borrow(address(dai), 1_000e18);
        eq(market.borrowersCount(), 1, "listed once");
        _fund(BORROWER, usdc, 0);
        vm.prank(BORROWER);
        market.repay(address(usdc), type(uint256).max);
        eq(market.borrowersCount(), 1, "owes dai");
    }

    function test_LiquidationPaysTheBonusAndNoMore() public {
        _openLoan(20_000);
        market.setPrice(address(weth), 2_400e8); // weighted 19 200
        _fund(LIQUIDATOR, usdc, 10_000e6);

        uint256 assets = weth.totalAssets();
        vm.prank(LIQUIDATOR);
        uint256 shares = market.liquidate(BORROWER, address(usdc), address(weth), 10_000e6);
        // 10 500 usd at 2 400 usd.
        uint256 worth = weth.convertToAssets(shares);
        atMost(worth, 4.375e18, "seized");
        atLeast(worth, 4.375e18 - 1, "seized");
        eq(weth.totalAssets(), assets, "seizing moves no cash");
        eq(usdc.debtOf(BORROWER), 10_000e6, "debt");
        atLeast(market.healthFactor(BORROWER), 1e18, "healthy again");
    }

    function test_LiquidationBounds() public {
        _openLoan(20_000);
        _fund(LIQUIDATOR, usdc, 20_000e6);
        vm.expectPartialRevert(LendingMarket.Healthy.selector);
        vm.prank(LIQUIDATOR);
        market.liquidate(BORROWER, address(usdc), address(weth), 1e6);

        market.setPrice(address(weth), 2_400e8);
        vm.expectRevert(
            abi.encodeWithSelector(LendingMarket.CloseFactorExceeded.selector, uint256(10_000e6 + 1), uint256(10_000e6))
        );
        vm.prank(LIQUIDATOR);
        market.liquidate(BORROWER, address(usdc), address(weth), 10_000e6 + 1);

        market.setPrice(address(weth), 900e8);
        vm.expectPartialRevert(LendingMarket.SeizeTooLarge.selector);
        vm.prank(LIQUIDATOR);
        market.liquidate(BORROWER, address(usdc), address(weth), 10_000e6);
    }

    function test_LiabilitiesAreWhatShareHoldersMayClaim() public view {
        eq(usdc.convertToAssets(usdc.totalSupply()), USDC_SUPPLY, "usdc");
        eq(wbtc.convertToAssets(wbtc.totalSupply()), 0, "empty vault");
    }

    function testFuzz_DebtNeverExceedsWeightedCollateralAtBorrow(uint256 collateral, uint256 assets) public {
        collateral = clamp(collateral, 1e12, 300e18);
        assets = clamp(assets, 1, USDC_SUPPLY);
        _supply(BORROWER, weth, collateral);
        vm.prank(BORROWER);
        try market.borrow(address(usdc), assets) {
            atMost(market.debtValue(BORROWER), market.weightedCollateralValue(BORROWER), "debt");
        } catch {
            eq(usdc.debtOf(BORROWER), 0, "refused loan leaves no debt");
            atLeast(assets * 100 * 1e18, collateral * 2_400e8 - 1e18, "only a loan beyond the factor is refused");
        }
    }
}

contract VulnerableLendingTest is LendingTest {
    function _patched() internal pure override returns (bool) {
        return false;
    }
}

contract PatchedLendingTest is LendingTest {
    function _patched() internal pure override returns (bool) {
        return true;
    }
}
