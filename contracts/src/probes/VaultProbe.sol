// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FungibleToken} from "../drill/FungibleToken.sol";
import {LendingMarket} from "../drill/LendingMarket.sol";
import {LendingVault} from "../drill/LendingVault.sol";

/// @title VaultProbe
/// @notice Figures for invariant templates 27, 28, 29 and 36 on any market and vault with the drill's interface.
/// @dev Problem: what a protocol says about itself is what an attacker has learnt to bend; under a share inflation the
/// market's own health factor stays fine until the money is gone. Design: stateless views that recompute each figure
/// against the protocol's optimism. The guardian runs them on a fork or calls them; they need no deployment of their
/// own, no constructor argument and no storage.
///
/// Conservative share value: a vault's share is worth at most what it would be with `PRUDENT_VIRTUAL_SHARES` shares
/// that nobody owns in the supply and one asset that nobody owns in the vault. A donor who holds S real shares gets
/// back S / (S + 10^6) of a donation at most, so a supply of two shares makes a donation count for next to nothing,
/// while a supply of 10^9 shares or more is valued within 0.1 % of its price. It is deliberately harsh on a vault that
/// is nearly empty: there the price can be moved for little money, and nothing should be borrowed against it.
///
/// Trust: prices, factors and the list of borrowers are the market's own. Failure modes: a view of the target that
/// reverts makes the probe revert, and more than `MAX_BORROWERS` accounts with debt revert with `TooManyBorrowers`;
/// either means "not known", never "fine".
contract VaultProbe {
    /// @notice The market has `count` borrowers, more than the probe looks at.
    error TooManyBorrowers(uint256 count, uint256 max);
    /// @notice Vault shares have fewer decimals than the asset.
    error ShareDecimalsTooFew(uint8 shares, uint8 assets);

    /// @notice Most borrowers that one probe looks at; beyond, it reverts.
    uint256 public constant MAX_BORROWERS = 256;
    /// @notice Ownerless shares that the conservative value adds to the supply.
    uint256 public constant PRUDENT_VIRTUAL_SHARES = 1e6;
    uint256 private constant BPS = 10_000;
    uint256 private constant ONE = 1e18;

    /// @notice Templates 27 and 28: assets per share, `(A + 1) * 1e18 * v / (S + v)`, rounded down.
    /// @dev `v` is 10^(share decimals - asset decimals), so 1 for the plain vault, and a fresh vault of either twin
    /// starts at 1e18. The offset keeps an empty vault defined.
    function sharePrice(LendingVault vault) external view returns (uint256) {
        uint256 offset = _offset(vault);
        return (vault.totalAssets() + 1) * ONE * offset / (vault.totalSupply() + offset);
    }

    /// @notice Template 29 for one vault: what it can lay hands on over what its share holders may claim, 1e18 =
    /// covered; the maximum when nothing can be claimed.
    function backing(LendingVault vault) external view returns (uint256) {
        return _ratio(collectibleAssets(vault), claims(vault));
    }

    /// @notice Template 29 for a market: the same over all its vaults at the market's prices.
    function marketBacking(LendingMarket market) external view returns (uint256) {
        (uint256 assets, uint256 liabilities) = marketBalance(market);
        return _ratio(assets, liabilities);
    }

    /// @notice Template 29, left side: cash in custody plus debts that can be collected, in the vault's asset.
    /// @dev An account's debts are collectible as far as its conservative collateral covers them, all vaults' debts in
    /// the same proportion. Cash is the lesser of what the vault counts and what it holds.
    function collectibleAssets(LendingVault vault) public view returns (uint256) {
        LendingMarket market = vault.market();
        address[] memory accounts = _borrowers(market);
        uint256 uncollectible = 0;
        for (uint256 i = 0; i < accounts.length; i++) {
            uint256 debt = vault.debtOf(accounts[i]);
            if (debt == 0) continue;
            (uint256 collateral,, uint256 debtUsd) = _prudentPosition(market, accounts[i]);
            if (collateral < debtUsd) uncollectible += debt * (debtUsd - collateral) / debtUsd;
        }
        uint256 borrows = vault.totalBorrows();
        return _custody(vault) + (uncollectible < borrows ? borrows - uncollectible : 0);
    }

    /// @notice Template 29, right side: what the share holders may claim at the vault's own price, in its asset.
    function claims(LendingVault vault) public view returns (uint256) {
        return vault.convertToAssets(vault.totalSupply());
    }

    /// @notice Both sides of template 29 over all vaults of a market, usd with 8 decimals.
    function marketBalance(LendingMarket market) public view returns (uint256 assets, uint256 liabilities) {
        address[] memory vaults = market.vaults();
        for (uint256 i = 0; i < vaults.length; i++) {
            LendingVault vault = LendingVault(vaults[i]);
            assets += _usd(market, vault, _custody(vault) + vault.totalBorrows());
            liabilities += _usd(market, vault, claims(vault));
        }
        uint256 uncollectible = marketShortfall(market);
        assets = uncollectible < assets ? assets - uncollectible : 0;
    }

    /// @notice Debt that conservative collateral does not cover, over all borrowers, usd with 8 decimals.
    function marketShortfall(LendingMarket market) public view returns (uint256 shortfall) {
        address[] memory accounts = _borrowers(market);
        for (uint256 i = 0; i < accounts.length; i++) {
            (uint256 collateral,, uint256 debt) = _prudentPosition(market, accounts[i]);
            if (collateral < debt) shortfall += debt - collateral;
        }
    }

    /// @notice Template 36: health factor with shares at their conservative value, 1e18 = just healthy, never above the
    /// market's own; the maximum without debt.
    function healthFactorSafe(LendingMarket market, address account) public view returns (uint256) {
        (, uint256 weighted, uint256 debt) = _prudentPosition(market, account);
        return debt == 0 ? type(uint256).max : weighted * ONE / debt;
    }

    /// @notice Template 36 for a market: the lowest conservative health factor of all borrowers, or the maximum.
    function lowestHealthFactorSafe(LendingMarket market) external view returns (uint256 lowest) {
        lowest = type(uint256).max;
        address[] memory accounts = _borrowers(market);
        for (uint256 i = 0; i < accounts.length; i++) {
            uint256 health = healthFactorSafe(market, accounts[i]);
            if (health < lowest) lowest = health;
        }
    }

    /// @dev Collateral, weighted collateral and debt in usd with 8 decimals, the debt from the market itself.
    function _prudentPosition(LendingMarket market, address account)
        private
        view
        returns (uint256 collateral, uint256 weighted, uint256 debt)
    {
        address[] memory vaults = market.vaults();
        for (uint256 i = 0; i < vaults.length; i++) {
            LendingVault vault = LendingVault(vaults[i]);
            uint256 shares = vault.balanceOf(account);
            if (shares == 0) continue;
            uint256 value = _usd(market, vault, _prudentAssets(vault, shares));
            (, uint256 factorBps,) = market.listing(address(vault));
            collateral += value;
            weighted += value * factorBps / BPS;
        }
        debt = market.debtValue(account);
    }

    function _prudentAssets(LendingVault vault, uint256 shares) private view returns (uint256) {
        uint256 current = vault.convertToAssets(shares);
        uint256 prudent = shares * (vault.totalAssets() + 1) / (vault.totalSupply() + PRUDENT_VIRTUAL_SHARES);
        return prudent < current ? prudent : current;
    }

    function _custody(LendingVault vault) private view returns (uint256) {
        uint256 counted = vault.cash();
        uint256 held = FungibleToken(vault.asset()).balanceOf(address(vault));
        return counted < held ? counted : held;
    }

    function _usd(LendingMarket market, LendingVault vault, uint256 assets) private view returns (uint256) {
        (uint256 price,, uint8 decimals) = market.listing(address(vault));
        return assets * price / 10 ** decimals;
    }

    function _borrowers(LendingMarket market) private view returns (address[] memory) {
        uint256 count = market.borrowersCount();
        if (count > MAX_BORROWERS) revert TooManyBorrowers(count, MAX_BORROWERS);
        return market.borrowers();
    }

    function _offset(LendingVault vault) private view returns (uint256) {
        uint8 shares = vault.decimals();
        uint8 assets = FungibleToken(vault.asset()).decimals();
        if (shares < assets) revert ShareDecimalsTooFew(shares, assets);
        return 10 ** (shares - assets);
    }

    function _ratio(uint256 assets, uint256 liabilities) private pure returns (uint256) {
        return liabilities == 0 ? type(uint256).max : assets * ONE / liabilities;
    }
}
