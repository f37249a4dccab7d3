// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FungibleToken} from "./FungibleToken.sol";
import {LendingMarket} from "./LendingMarket.sol";
import {LendingVault} from "./LendingVault.sol";

/// @title SupplyVaultPatched
/// @notice The fixed twin of `SupplyVault`, with the same interface.
/// @dev Problem: a recovery needs somewhere safe to go, and a detector needs a protocol that must not alarm it.
/// Design: each of the four choices that make the bug is taken the other way; any one of them stops the known theft,
/// together they leave no single point of failure.
///
/// 1. `cash` is counted on the way in and out; a donation is inert and nobody's.
/// 2. 10^6 virtual shares and one virtual asset: shares have six decimals more than the asset.
/// 3. `withdraw` rounds the burnt shares up.
/// 4. The health check comes after the exit.
///
/// Trust and further failure modes: see `LendingVault`. What is sent here by mistake is lost to its sender.
contract SupplyVaultPatched is LendingVault {
    uint8 private constant OFFSET_DECIMALS = 6;

    uint256 private _cash;

    constructor(LendingMarket market_, FungibleToken asset_, string memory name_, string memory symbol_)
        LendingVault(market_, asset_, name_, symbol_, OFFSET_DECIMALS)
    {}

    /// @inheritdoc LendingVault
    function cash() public view override returns (uint256) {
        return _cash;
    }

    function _virtualOffset() internal pure override returns (uint256 shares, uint256 assets) {
        return (10 ** OFFSET_DECIMALS, 1);
    }

    function _sharesToBurn(uint256 assets) internal view override returns (uint256) {
        (uint256 supply, uint256 backing) = _priceTerms();
        return _ratioUp(assets, supply, backing);
    }

    function _checkBeforeExit(address owner, uint256 shares) internal view override {}

    function _checkAfterExit(address owner) internal view override {
        market.requireHealthy(owner);
    }

    function _countIn(uint256 assets) internal override {
        _cash += assets;
    }

    function _countOut(uint256 assets) internal override {
        _cash -= assets;
    }
}
