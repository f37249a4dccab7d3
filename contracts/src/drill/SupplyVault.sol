// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FungibleToken} from "./FungibleToken.sol";
import {LendingMarket} from "./LendingMarket.sol";
import {LendingVault} from "./LendingVault.sol";

/// @title SupplyVault
/// @notice DELIBERATELY VULNERABLE. The drill's target; never deploy it where money is.
/// @dev Problem: a guardian that has never seen a theft is untested. Design: this vault carries the documented bug of
/// empty Compound v2 forks (Hundred Finance, April 2023; Sonne Finance, May 2024). Four choices make the bug; undo
/// any one of them and the theft below fails:
///
/// 1. `cash` is the token balance, so a donation raises the price of every share.
/// 2. There are no virtual shares, so two shares can be the whole supply of a newly listed vault.
/// 3. `withdraw` rounds the burnt shares down: of two shares worth D together, one pays for D - 1.
/// 4. The health check comes before the exit, with the old price and the rounded share count.
///
/// The theft: own both shares of an empty vault, donate D, borrow other assets against up to half of D times the
/// collateral factor, then withdraw D - 1 for one share. The check sees one share worth D / 2 left; one unit is left.
/// So D must be worth at least 2 / collateral factor times the loot, and comes back whole.
///
/// Trust and further failure modes: see `LendingVault`. The fixed twin is `SupplyVaultPatched`.
contract SupplyVault is LendingVault {
    constructor(LendingMarket market_, FungibleToken asset_, string memory name_, string memory symbol_)
        LendingVault(market_, asset_, name_, symbol_, 0)
    {}

    /// @inheritdoc LendingVault
    /// @dev Bug 1: whatever was sent here counts.
    function cash() public view override returns (uint256) {
        return _asset.balanceOf(address(this));
    }

    /// @dev Bug 2: no offset.
    function _virtualOffset() internal pure override returns (uint256 shares, uint256 assets) {
        return (0, 0);
    }

    /// @dev Bug 3: rounds for the caller.
    function _sharesToBurn(uint256 assets) internal view override returns (uint256) {
        return convertToShares(assets);
    }

    /// @dev Bug 4: asks before the exit, about the rounded count at the old price.
    function _checkBeforeExit(address owner, uint256 shares) internal view override {
        market.requireHealthyWithout(owner, this, shares);
    }

    function _checkAfterExit(address owner) internal view override {}

    /// @dev Part of bug 1: nothing is counted.
    function _countIn(uint256 assets) internal override {}

    function _countOut(uint256 assets) internal override {}
}
