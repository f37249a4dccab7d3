// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DrillToken} from "../../src/drill/DrillToken.sol";
import {InflationAttack} from "../../src/drill/InflationAttack.sol";
import {LendingMarket} from "../../src/drill/LendingMarket.sol";
import {LendingVault} from "../../src/drill/LendingVault.sol";
import {VaultProbe} from "../../src/probes/VaultProbe.sol";
import {World} from "../drill/World.sol";

/// @notice What the probes say in honest times, for both twins.
abstract contract HonestProbeTest is World {
    VaultProbe internal probe;

    function setUp() public override {
        super.setUp();
        probe = new VaultProbe();
    }

    function test_FreshAndSuppliedVaultsAreAtPar() public {
        eq(probe.sharePrice(wbtc), 1e18, "empty");
        eq(probe.sharePrice(usdc), 1e18, "supplied");
        _supply(BORROWER, wbtc, 3e8);
        eq(probe.sharePrice(wbtc), 1e18, "first deposit");
    }

    function test_InterestIsTheOnlyMovement() public {
        _openLoan(20_000);
        uint256 before = probe.sharePrice(usdc);
        vm.warp(block.timestamp + 365 days);
        uint256 later = probe.sharePrice(usdc);
        atLeast(later, before + 0.00099e18, "rises"); // 5 % on 2 % of the cash
        atMost(later, before + 0.001e18, "by the interest alone");
    }

    function test_NothingOwedIsCovered() public view {
        eq(probe.backing(wbtc), type(uint256).max, "no claims");
        eq(probe.healthFactorSafe(market, SUPPLIER), type(uint256).max, "no debt");
        eq(probe.lowestHealthFactorSafe(market), type(uint256).max, "no borrowers");
    }

    function testFuzz_HonestLoanIsBacked(uint256 usd, uint256 wait) public {
        _openLoan(clamp(usd, 1, 24_000));
        vm.warp(block.timestamp + clamp(wait, 0, 365 days));
        atLeast(probe.backing(usdc), 1e18, "vault");
        atLeast(probe.marketBacking(market), 1e18, "market");
        eq(probe.marketShortfall(market), 0, "shortfall");
        uint256 own = market.healthFactor(BORROWER);
        uint256 safe = probe.healthFactorSafe(market, BORROWER);
        atMost(safe, own, "never above the market's own");
        atLeast(safe, own - own / 1e9, "and close to it");
        eq(probe.lowestHealthFactorSafe(market), safe, "the only borrower");
    }

    function test_PriceFallLeavesAShortfall() public {
        _openLoan(20_000);
        market.setPrice(address(weth), 1_000e8); // 10 WETH cover half of the debt
        eq(probe.marketShortfall(market) / 1e8, 10_000, "shortfall in usd");
        eq(probe.backing(usdc) / 1e12, 0.99e6, "1 % of the vault's assets is gone");
        yes(probe.marketBacking(market) < 1e18, "market");
    }

    function test_TooManyBorrowersIsNotKnownRatherThanFine() public {
        uint256 most = probe.MAX_BORROWERS();
        for (uint256 i = 0; i <= most; i++) {
            address account = address(bytes20(keccak256(abi.encode(i))));
            _supply(account, weth, 0.1e18);
            vm.prank(account);
            market.borrow(address(usdc), 1e6);
        }
        vm.expectRevert(abi.encodeWithSelector(VaultProbe.TooManyBorrowers.selector, most + 1, most));
        probe.marketBacking(market);
    }
}

contract VulnerableHonestProbeTest is HonestProbeTest {
    function _patched() internal pure override returns (bool) {
        return false;
    }
}

contract PatchedHonestProbeTest is HonestProbeTest {
    function _patched() internal pure override returns (bool) {
        return true;
    }

    function test_DonationMovesNoFigure() public {
        uint256 before = probe.sharePrice(usdc);
        _token(usdc).mint(address(usdc), 1_000_000e6);
        eq(probe.sharePrice(usdc), before, "share price");
        eq(probe.backing(usdc), 1e18, "backing");
    }
}

/// @notice What the probes say during the theft: each template fires, and when.
contract TheftProbeTest is World {
    address private constant THIEF = address(0x7417ef);
    VaultProbe private probe;
    InflationAttack private attack;

    function _patched() internal pure override returns (bool) {
        return false;
    }

    function setUp() public override {
        super.setUp();
        probe = new VaultProbe();
        _openLoan(20_000);
        vm.prank(THIEF);
        attack = new InflationAttack(market);
        _token(wbtc).mint(address(attack), 151e8);
    }

    function test_EachTemplateFiresAtItsTransaction() public {
        vm.prank(THIEF);
        attack.setUp(wbtc, 1e8, 150e8);
        atLeast(probe.sharePrice(wbtc), 1e27, "28: the price jumps with the donation");
        eq(probe.backing(wbtc), 1e18, "29: nothing is owed yet");

        uint256 cash = usdc.cash();
        vm.prank(THIEF);
        attack.borrowFrom(usdc, cash);
        atLeast(market.healthFactor(address(attack)), 5e18, "the market sees nothing wrong");
        atMost(probe.healthFactorSafe(market, address(attack)), 0.0001e18, "36: two shares are no collateral");
        atMost(probe.backing(usdc), 0.03e18, "29: only the honest loan can be collected");
        atMost(probe.marketBacking(market), 0.93e18, "29: market");
        uint256 thief = probe.healthFactorSafe(market, address(attack));
        eq(probe.lowestHealthFactorSafe(market), thief, "the thief is lowest");
        atLeast(probe.healthFactorSafe(market, BORROWER), 1e18, "the honest loan stays fine");

        uint256 inflated = probe.sharePrice(wbtc);
        vm.prank(THIEF);
        attack.exit();
        eq(probe.sharePrice(wbtc), 1e18, "27: one unit for one share");
        yes(probe.sharePrice(wbtc) < inflated, "27: the price falls");
        atMost(market.healthFactor(address(attack)), 0.0001e18, "now the market sees it, too late");
    }
}
