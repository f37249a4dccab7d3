// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DrillToken} from "../../src/drill/DrillToken.sol";
import {LendingMarket} from "../../src/drill/LendingMarket.sol";
import {LendingVault} from "../../src/drill/LendingVault.sol";
import {SupplyVault} from "../../src/drill/SupplyVault.sol";
import {SupplyVaultPatched} from "../../src/drill/SupplyVaultPatched.sol";
import {Assert} from "../utils/Assert.sol";

/// @notice The drill's standing scene: four supplied vaults and one newly listed empty one, of either twin.
abstract contract World is Assert {
    address internal constant GUARDIAN = address(0x60a2d);
    address internal constant SUPPLIER = address(0x5a99);
    address internal constant BORROWER = address(0xb0b);
    address internal constant LIQUIDATOR = address(0x119);

    uint256 internal constant USDC_SUPPLY = 1_000_000e6;
    uint256 internal constant DAI_SUPPLY = 1_000_000e18;
    uint256 internal constant WETH_SUPPLY = 300e18;
    uint256 internal constant LINK_SUPPLY = 50_000e18;

    LendingMarket internal market;
    LendingVault internal usdc;
    LendingVault internal dai;
    LendingVault internal weth;
    LendingVault internal link;
    LendingVault internal wbtc;

    /// @dev Which twin the scene is built with.
    function _patched() internal pure virtual returns (bool);

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        market = new LendingMarket(address(this), GUARDIAN);
        usdc = _list("USDC", 6, 1e8, 8_500);
        dai = _list("DAI", 18, 1e8, 8_000);
        weth = _list("WETH", 18, 3_000e8, 8_000);
        link = _list("LINK", 18, 12e8, 7_000);
        wbtc = _list("WBTC", 8, 60_000e8, 8_000);
        _supply(SUPPLIER, usdc, USDC_SUPPLY);
        _supply(SUPPLIER, dai, DAI_SUPPLY);
        _supply(SUPPLIER, weth, WETH_SUPPLY);
        _supply(SUPPLIER, link, LINK_SUPPLY);
    }

    function _token(LendingVault vault) internal view returns (DrillToken) {
        return DrillToken(vault.asset());
    }

    function _fund(address account, LendingVault vault, uint256 assets) internal {
        _token(vault).mint(account, assets);
        DrillToken token = _token(vault);
        vm.prank(account);
        token.approve(address(vault), type(uint256).max);
    }

    function _supply(address account, LendingVault vault, uint256 assets) internal returns (uint256 shares) {
        _fund(account, vault, assets);
        vm.prank(account);
        shares = vault.deposit(assets, account);
    }

    /// @dev `BORROWER` supplies 10 WETH (30 000 usd) and borrows `usd` USDC.
    function _openLoan(uint256 usd) internal {
        _supply(BORROWER, weth, 10e18);
        vm.prank(BORROWER);
        market.borrow(address(usdc), usd * 1e6);
    }

    function _vault(DrillToken token, string memory symbol) internal returns (LendingVault) {
        if (_patched()) return new SupplyVaultPatched(market, token, symbol, symbol);
        return new SupplyVault(market, token, symbol, symbol);
    }

    function _list(string memory symbol, uint8 decimals, uint256 price, uint16 factor)
        private
        returns (LendingVault v)
    {
        v = _vault(new DrillToken(symbol, symbol, decimals), symbol);
        market.listVault(address(v), price, factor);
    }
}
