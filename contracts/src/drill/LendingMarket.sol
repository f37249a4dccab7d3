// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../kit/Classes.sol";
import {FungibleToken} from "./FungibleToken.sol";
import {LendingVault} from "./LendingVault.sol";

/// @title LendingMarket
/// @notice The drill's lending market: prices, collateral factors, loans, liquidations and a bounded pause.
/// @dev Problem: the guardian needs a small but real market to watch, to pause and to recover. Design: every vault
/// share that an account holds is collateral at once; a loan, an exit and a share transfer must leave the account
/// healthy. Money lives in the vaults, rules live here. Loops run over at most `MAX_VAULTS` vaults; the list of
/// borrowers is read only by off-chain probes.
///
/// Pause: the guardian closes deposit, withdraw, redeem, share transfer, borrow and liquidate in all vaults at once,
/// for at most `PAUSE_SECS_MAX` from the call; it can extend, never shorten or lift. `repay` stays open in every mode
/// (action class REDUCE_RISK). Only the owner lifts a pause early; otherwise it ends by itself.
///
/// Storage layout, read by slot signals and fixed: slot 0 `owner` (low 20 bytes, rest zero); slot 1 `guardian` (low 20
/// bytes) and `pausedUntil` (next 8 bytes); slot 2 `oracle` (low 20 bytes).
///
/// Trust: the owner lists vaults and assets that behave, sets factors and roles, and can ruin the market; put a
/// `DrillTimelock` there. The oracle's price is taken as it is, at any age. Failure modes: a wrong price makes loans
/// uncollectible; a stolen guardian key can renew the pause until the owner replaces the guardian; while paused,
/// positions that fall under water wait for the pause to end.
contract LendingMarket {
    /// @notice `caller` lacks the role.
    error Unauthorised(address caller, bytes32 role);
    /// @notice A role cannot go to the zero address.
    error ZeroAddress();
    /// @notice The market is paused until `until`.
    error MarketPaused(uint64 until);
    /// @notice A pause lasts `min` to `max` seconds.
    error PauseOutOfRange(uint64 secs, uint64 min, uint64 max);
    /// @notice The vault is not listed here.
    error NotListed(address vault);
    /// @notice The vault is listed already.
    error AlreadyListed(address vault);
    /// @notice The vault belongs to another market.
    error ForeignVault(address vault, address market);
    /// @notice The market lists at most `max` vaults.
    error TooManyVaults(uint256 max);
    /// @notice Prices run from 1 to `max`.
    error PriceOutOfRange(uint256 price, uint256 max);
    /// @notice Collateral factors run from 0 to `max`.
    error CollateralFactorOutOfRange(uint16 bps, uint16 max);
    /// @notice Nothing was asked for.
    error ZeroAmount();
    /// @notice The operation would leave `account` with `healthFactor` below 1e18.
    error Unhealthy(address account, uint256 healthFactor);
    /// @notice `account` cannot be liquidated.
    error Healthy(address account, uint256 healthFactor);
    /// @notice At most `max` can be repaid in one liquidation.
    error CloseFactorExceeded(uint256 assets, uint256 max);
    /// @notice The liquidation would seize `shares`, the borrower holds `held`.
    error SeizeTooLarge(uint256 shares, uint256 held);

    /// @notice The owner changed.
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
    /// @notice The guardian changed.
    event GuardianSet(address indexed previousGuardian, address indexed newGuardian);
    /// @notice The oracle changed.
    event OracleSet(address indexed previousOracle, address indexed newOracle);
    /// @notice A vault was listed.
    event VaultListed(address indexed vault, uint256 price, uint16 collateralFactorBps);
    /// @notice A price was set, in usd with 8 decimals for one whole token.
    event PriceSet(address indexed vault, uint256 price);
    /// @notice A collateral factor was set.
    event CollateralFactorSet(address indexed vault, uint16 bps);
    /// @notice The market is paused until `until`.
    event Paused(address indexed by, uint64 until);
    /// @notice The pause was lifted early.
    event Unpaused(address indexed by);
    /// @notice A loan was paid out.
    event Borrow(address indexed account, address indexed vault, uint256 assets);
    /// @notice A debt was reduced by its debtor.
    event Repay(address indexed account, address indexed vault, uint256 assets);
    /// @notice A debt was reduced by `liquidator`, who got `shares` of `collateralVault`.
    event Liquidate(
        address indexed borrower,
        address indexed debtVault,
        address indexed collateralVault,
        address liquidator,
        uint256 assets,
        uint256 shares
    );

    /// @dev One slot. `price` is in usd with 8 decimals for one whole token.
    struct Listing {
        uint128 price;
        uint16 collateralFactorBps;
        uint8 assetDecimals;
        bool listed;
    }

    /// @dev Usd with 8 decimals: collateral rounded down, debt rounded up.
    struct Position {
        uint256 collateral;
        uint256 weighted;
        uint256 debt;
    }

    /// @notice Shortest pause.
    uint64 public constant PAUSE_SECS_MIN = 1;
    /// @notice Longest time that a pause may reach from the call on.
    uint64 public constant PAUSE_SECS_MAX = 72 hours;
    /// @notice Part of a debt that one liquidation may repay.
    uint256 public constant CLOSE_FACTOR_BPS = 5_000;
    /// @notice What a liquidator gets on top of what it repaid.
    uint256 public constant LIQUIDATION_BONUS_BPS = 500;
    /// @notice Highest collateral factor.
    uint16 public constant COLLATERAL_FACTOR_BPS_MAX = 9_000;
    /// @notice Most vaults in one market; one more cannot be listed.
    uint256 public constant MAX_VAULTS = 16;
    uint256 private constant BPS = 10_000;
    uint256 private constant ONE = 1e18;

    /// @notice Sets roles, lists vaults, lifts pauses. Slot 0.
    address public owner;
    /// @notice May pause. Slot 1, low 20 bytes.
    address public guardian;
    /// @notice Second at which the last pause ends or ended. Slot 1, the 8 bytes above.
    uint64 public pausedUntil;
    /// @notice May set prices, like the owner. Slot 2.
    address public oracle;

    mapping(address vault => Listing) private _listings;
    address[] private _vaults;
    address[] private _borrowers;
    mapping(address account => uint256) private _borrowerRank; // place in `_borrowers` plus one, zero when absent

    modifier onlyOwner() {
        if (msg.sender != owner) revert Unauthorised(msg.sender, "owner");
        _;
    }

    modifier whenOpen(uint8 class_) {
        requireOpen(class_);
        _;
    }

    /// @param owner_ First owner and, until changed, the oracle.
    /// @param guardian_ First guardian.
    constructor(address owner_, address guardian_) {
        if (owner_ == address(0)) revert ZeroAddress();
        (owner, oracle, guardian) = (owner_, owner_, guardian_);
        emit OwnershipTransferred(address(0), owner_);
        emit OracleSet(address(0), owner_);
        emit GuardianSet(address(0), guardian_);
    }

    // ---- borrowers and liquidators

    /// @notice Lends `assets` of `vault` to the caller, who must be healthy afterwards.
    function borrow(address vault, uint256 assets) external whenOpen(Classes.INCREASE_RISK) {
        _listing(vault);
        if (assets == 0) revert ZeroAmount();
        _enrol(msg.sender);
        LendingVault(vault).lend(msg.sender, assets);
        requireHealthy(msg.sender);
        emit Borrow(msg.sender, vault, assets);
    }

    /// @notice Repays at most `assets` of the caller's debt. Open in every mode.
    /// @return paid What was taken: never more than the debt, so the maximum repays all of it.
    function repay(address vault, uint256 assets) external returns (uint256 paid) {
        _listing(vault);
        paid = _collect(vault, msg.sender, assets);
        emit Repay(msg.sender, vault, paid);
    }

    /// @notice Repays part of an unhealthy account's debt and takes its shares at `LIQUIDATION_BONUS_BPS` above worth.
    /// @return shares Shares of `collateralVault` that the caller got.
    function liquidate(address borrower, address debtVault, address collateralVault, uint256 repayAssets)
        external
        whenOpen(Classes.LIQUIDATE)
        returns (uint256 shares)
    {
        Listing memory lent = _listing(debtVault);
        Listing memory held = _listing(collateralVault);
        uint256 health = healthFactor(borrower);
        if (health >= ONE) revert Healthy(borrower, health);

        uint256 most = (LendingVault(debtVault).debtOf(borrower) * CLOSE_FACTOR_BPS + BPS - 1) / BPS;
        if (repayAssets > most) revert CloseFactorExceeded(repayAssets, most);

        uint256 paid = _collect(debtVault, borrower, repayAssets);
        uint256 seizedUsd = _usd(lent, paid) * (BPS + LIQUIDATION_BONUS_BPS) / BPS;
        uint256 seizedAssets = seizedUsd * 10 ** held.assetDecimals / held.price;
        shares = LendingVault(collateralVault).convertToShares(seizedAssets);
        uint256 available = LendingVault(collateralVault).balanceOf(borrower);
        if (shares > available) revert SeizeTooLarge(shares, available);
        LendingVault(collateralVault).seize(borrower, msg.sender, shares);
        emit Liquidate(borrower, debtVault, collateralVault, msg.sender, paid, shares);
    }

    // ---- the vaults' questions

    /// @notice Reverts while an action class is closed. This market knows one pause for all of them.
    function requireOpen(uint8) public view virtual {
        if (paused()) revert MarketPaused(pausedUntil);
    }

    /// @notice Reverts unless `account` is healthy now.
    function requireHealthy(address account) public view {
        requireHealthyWithout(account, LendingVault(address(0)), 0);
    }

    /// @notice Reverts unless `account` would be healthy with `shares` of `vault` fewer, everything else as it is now.
    function requireHealthyWithout(address account, LendingVault vault, uint256 shares) public view {
        uint256 health = _health(_position(account, address(vault), shares));
        if (health < ONE) revert Unhealthy(account, health);
    }

    // ---- figures

    /// @notice Weighted collateral over debt, 1e18 = just healthy; the maximum without debt.
    function healthFactor(address account) public view returns (uint256) {
        return _health(_position(account, address(0), 0));
    }

    /// @notice Worth of all shares of `account`, usd with 8 decimals.
    function collateralValue(address account) external view returns (uint256) {
        return _position(account, address(0), 0).collateral;
    }

    /// @notice Worth of all shares of `account` after collateral factors, usd with 8 decimals.
    function weightedCollateralValue(address account) external view returns (uint256) {
        return _position(account, address(0), 0).weighted;
    }

    /// @notice What `account` owes in all vaults, usd with 8 decimals.
    function debtValue(address account) external view returns (uint256) {
        return _position(account, address(0), 0).debt;
    }

    /// @notice All listed vaults in the order of their listing.
    function vaults() external view returns (address[] memory) {
        return _vaults;
    }

    /// @notice Price and collateral factor of a listed vault.
    function listing(address vault)
        external
        view
        returns (uint256 price, uint256 collateralFactorBps, uint8 assetDecimals)
    {
        Listing memory entry = _listing(vault);
        return (entry.price, entry.collateralFactorBps, entry.assetDecimals);
    }

    /// @notice Accounts with a debt, in no particular order.
    function borrowers() external view returns (address[] memory) {
        return _borrowers;
    }

    /// @notice Number of accounts with a debt.
    function borrowersCount() external view returns (uint256) {
        return _borrowers.length;
    }

    // ---- pause

    /// @notice Whether the market is paused now.
    function paused() public view returns (bool) {
        return block.timestamp < pausedUntil;
    }

    /// @notice Pauses the market for `secs` from now, or leaves a pause that ends later as it is.
    function pauseFor(uint64 secs) external {
        if (msg.sender != guardian) revert Unauthorised(msg.sender, "guardian");
        if (secs < PAUSE_SECS_MIN || secs > PAUSE_SECS_MAX) {
            revert PauseOutOfRange(secs, PAUSE_SECS_MIN, PAUSE_SECS_MAX);
        }
        uint64 until = uint64(block.timestamp) + secs;
        if (until > pausedUntil) pausedUntil = until;
        emit Paused(msg.sender, pausedUntil);
    }

    /// @notice Lifts a pause early.
    function unpause() external onlyOwner {
        pausedUntil = 0;
        emit Unpaused(msg.sender);
    }

    // ---- administration

    /// @notice Hands the market over, at once.
    function transferOwnership(address newOwner) external onlyOwner {
        if (newOwner == address(0)) revert ZeroAddress();
        emit OwnershipTransferred(owner, newOwner);
        owner = newOwner;
    }

    /// @notice Replaces the guardian; zero leaves the market without one. A running pause goes on.
    function setGuardian(address newGuardian) external onlyOwner {
        emit GuardianSet(guardian, newGuardian);
        guardian = newGuardian;
    }

    /// @notice Replaces the oracle; zero leaves prices to the owner.
    function setOracle(address newOracle) external onlyOwner {
        emit OracleSet(oracle, newOracle);
        oracle = newOracle;
    }

    /// @notice Lists a vault of this market. Listing cannot be undone; a factor of 0 makes its shares worthless here.
    function listVault(address vault, uint256 price, uint16 collateralFactorBps) external onlyOwner {
        if (_listings[vault].listed) revert AlreadyListed(vault);
        if (_vaults.length == MAX_VAULTS) revert TooManyVaults(MAX_VAULTS);
        address market = address(LendingVault(vault).market());
        if (market != address(this)) revert ForeignVault(vault, market);
        _listings[vault] = Listing({
            price: _checkedPrice(price),
            collateralFactorBps: _checkedFactor(collateralFactorBps),
            assetDecimals: FungibleToken(LendingVault(vault).asset()).decimals(),
            listed: true
        });
        _vaults.push(vault);
        emit VaultListed(vault, price, collateralFactorBps);
    }

    /// @notice Sets the price of one whole token of the vault's asset, in usd with 8 decimals.
    function setPrice(address vault, uint256 price) external {
        if (msg.sender != oracle && msg.sender != owner) revert Unauthorised(msg.sender, "oracle");
        _listing(vault);
        _listings[vault].price = _checkedPrice(price);
        emit PriceSet(vault, price);
    }

    /// @notice Sets a collateral factor. Lowering it can make accounts unhealthy at once.
    function setCollateralFactor(address vault, uint16 bps) external onlyOwner {
        _listing(vault);
        _listings[vault].collateralFactorBps = _checkedFactor(bps);
        emit CollateralFactorSet(vault, bps);
    }

    // ---- mechanics

    function _collect(address vault, address account, uint256 assets) private returns (uint256 paid) {
        if (assets == 0) revert ZeroAmount();
        uint256 left;
        (paid, left) = LendingVault(vault).collect(msg.sender, account, assets);
        if (left == 0) _dismiss(account);
    }

    function _enrol(address account) private {
        if (_borrowerRank[account] != 0) return;
        _borrowers.push(account);
        _borrowerRank[account] = _borrowers.length;
    }

    /// @dev Takes `account` off the list unless it owes something in another vault.
    function _dismiss(address account) private {
        uint256 rank = _borrowerRank[account];
        if (rank == 0) return;
        for (uint256 i = 0; i < _vaults.length; i++) {
            if (LendingVault(_vaults[i]).debtOf(account) != 0) return;
        }
        address last = _borrowers[_borrowers.length - 1];
        _borrowers[rank - 1] = last;
        _borrowerRank[last] = rank;
        _borrowers.pop();
        delete _borrowerRank[account];
    }

    function _position(address account, address exitVault, uint256 exitShares)
        private
        view
        returns (Position memory position)
    {
        for (uint256 i = 0; i < _vaults.length; i++) {
            LendingVault vault = LendingVault(_vaults[i]);
            Listing memory entry = _listings[address(vault)];
            uint256 shares = vault.balanceOf(account);
            if (address(vault) == exitVault) shares = shares < exitShares ? 0 : shares - exitShares;
            if (shares != 0) {
                uint256 value = _usd(entry, vault.convertToAssets(shares));
                position.collateral += value;
                position.weighted += value * entry.collateralFactorBps / BPS;
            }
            uint256 debt = vault.debtOf(account);
            if (debt != 0) position.debt += _usdUp(entry, debt);
        }
    }

    function _health(Position memory position) private pure returns (uint256) {
        return position.debt == 0 ? type(uint256).max : position.weighted * ONE / position.debt;
    }

    function _usd(Listing memory entry, uint256 assets) private pure returns (uint256) {
        return assets * entry.price / 10 ** entry.assetDecimals;
    }

    function _usdUp(Listing memory entry, uint256 assets) private pure returns (uint256) {
        uint256 unit = 10 ** entry.assetDecimals;
        return (assets * entry.price + unit - 1) / unit;
    }

    function _listing(address vault) private view returns (Listing memory entry) {
        entry = _listings[vault];
        if (!entry.listed) revert NotListed(vault);
    }

    function _checkedPrice(uint256 price) private pure returns (uint128) {
        if (price == 0 || price > type(uint128).max) revert PriceOutOfRange(price, type(uint128).max);
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint128(price); // fits: checked above
    }

    function _checkedFactor(uint16 bps) private pure returns (uint16) {
        if (bps > COLLATERAL_FACTOR_BPS_MAX) revert CollateralFactorOutOfRange(bps, COLLATERAL_FACTOR_BPS_MAX);
        return bps;
    }
}
