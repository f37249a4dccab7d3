// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../kit/Classes.sol";
import {FungibleToken} from "./FungibleToken.sol";
import {LendingMarket} from "./LendingMarket.sol";

/// @title LendingVault
/// @notice One asset's pool: it holds the cash, records the debts and is itself the token of the suppliers' shares.
/// @dev Problem: the vulnerable vault and its fixed twin must differ in the bug and in nothing else. Design: all flows
/// live here; the twins answer four questions: what counts as cash, how many virtual shares there are, how `withdraw`
/// rounds, and when the market is asked about the owner's health.
///
/// Interest: a fixed simple rate on the outstanding debts, compounded whenever somebody touches the vault. It all goes
/// to the suppliers, so an honest share price rises slowly and never falls.
///
/// Trust: the market is trusted to lend, collect and seize; the asset must move exactly what it is told to and call
/// nobody (`DrillToken` does). Products of two token amounts must fit 256 bits, which holds below 2^127 units.
/// Failure modes: without cash, exits and loans revert with `InsufficientCash` until somebody repays; there is no
/// write-off, so an uncollectible debt stays in `totalAssets` (the probes measure it).
abstract contract LendingVault is FungibleToken {
    /// @notice Only the market may call this.
    error NotMarket(address caller);
    /// @notice The amount is worth no share, or nothing was asked for.
    error ZeroShares(uint256 assets);
    /// @notice The shares are worth no asset.
    error ZeroAssets(uint256 shares);
    /// @notice The vault holds `held`, the operation needs `needed`.
    error InsufficientCash(uint256 held, uint256 needed);
    /// @notice The asset returned false.
    error AssetTransferFailed(address to, uint256 assets);

    /// @notice ERC-4626.
    event Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares);
    /// @notice ERC-4626.
    event Withdraw(
        address indexed sender, address indexed receiver, address indexed owner, uint256 assets, uint256 shares
    );

    /// @dev `principal` is what was owed when the borrow index stood at `index`.
    struct Debt {
        uint256 principal;
        uint256 index;
    }

    /// @notice Interest per second on one unit of debt, scaled by 1e18: 5 % of 365 days.
    uint256 public constant RATE_PER_SECOND = 1_585_489_599;
    uint256 private constant INDEX_ONE = 1e27;

    /// @notice The market that lists this vault.
    LendingMarket public immutable market;
    FungibleToken internal immutable _asset;

    uint256 private _borrows;
    uint256 private _index = INDEX_ONE;
    uint64 private _accruedAt = uint64(block.timestamp);
    mapping(address account => Debt) private _debts;

    modifier onlyMarket() {
        if (msg.sender != address(market)) revert NotMarket(msg.sender);
        _;
    }

    constructor(
        LendingMarket market_,
        FungibleToken asset_,
        string memory name_,
        string memory symbol_,
        uint8 offsetDecimals
    ) FungibleToken(name_, symbol_, asset_.decimals() + offsetDecimals) {
        market = market_;
        _asset = asset_;
    }

    // ---- suppliers

    /// @notice Supplies `assets` of the caller and mints the shares to `receiver`.
    function deposit(uint256 assets, address receiver) external returns (uint256 shares) {
        market.requireOpen(Classes.ENTER);
        accrue();
        shares = convertToShares(assets);
        if (shares == 0) revert ZeroShares(assets);
        _receive(msg.sender, assets);
        _mint(receiver, shares);
        emit Deposit(msg.sender, receiver, assets, shares);
    }

    /// @notice Takes exactly `assets` out for `receiver` and burns shares of `owner`.
    function withdraw(uint256 assets, address receiver, address owner) external returns (uint256 shares) {
        accrue();
        shares = _sharesToBurn(assets);
        if (shares == 0) revert ZeroShares(assets);
        _exit(assets, shares, receiver, owner);
    }

    /// @notice Burns exactly `shares` of `owner` and takes their worth out for `receiver`.
    function redeem(uint256 shares, address receiver, address owner) external returns (uint256 assets) {
        accrue();
        assets = convertToAssets(shares);
        if (assets == 0) revert ZeroAssets(shares);
        _exit(assets, shares, receiver, owner);
    }

    // ---- the market's calls

    /// @notice Records a debt of `account` and pays it out. The market checks health afterwards.
    function lend(address account, uint256 assets) external onlyMarket {
        accrue();
        _debts[account] = Debt({principal: debtOf(account) + assets, index: _index});
        _borrows += assets;
        _pay(Classes.INCREASE_RISK, account, assets);
    }

    /// @notice Takes at most `assets` from `payer` towards the debt of `account`.
    /// @return paid What was taken: never more than the debt.
    /// @return left What is still owed.
    function collect(address payer, address account, uint256 assets)
        external
        onlyMarket
        returns (uint256 paid, uint256 left)
    {
        accrue();
        uint256 debt = debtOf(account);
        paid = assets < debt ? assets : debt;
        left = debt - paid;
        _debts[account] = Debt({principal: left, index: _index});
        // Each debt is rounded up and their sum down, so the last payer may owe a few units more than the sum.
        _borrows -= paid < _borrows ? paid : _borrows;
        _receive(payer, paid);
    }

    /// @notice Moves shares of a borrower under liquidation, without a health check.
    function seize(address from, address to, uint256 shares) external onlyMarket {
        _move(from, to, shares);
    }

    // ---- figures

    /// @notice Brings the recorded debts up to the present. Anyone may call it; it moves no money.
    function accrue() public {
        (_borrows, _index) = _accrued();
        _accruedAt = uint64(block.timestamp);
    }

    /// @notice The pooled asset.
    function asset() external view returns (address) {
        return address(_asset);
    }

    /// @notice Cash plus debts, in asset units.
    function totalAssets() public view returns (uint256) {
        return cash() + totalBorrows();
    }

    /// @notice Sum of all debts with interest up to now.
    function totalBorrows() public view returns (uint256 borrows) {
        (borrows,) = _accrued();
    }

    /// @notice What `account` owes with interest up to now, rounded up.
    function debtOf(address account) public view returns (uint256) {
        Debt memory debt = _debts[account];
        if (debt.principal == 0) return 0;
        (, uint256 index) = _accrued();
        return _ratioUp(debt.principal, index, debt.index);
    }

    /// @notice Shares for `assets`, rounded down.
    function convertToShares(uint256 assets) public view returns (uint256) {
        (uint256 supply, uint256 backing) = _priceTerms();
        return supply == 0 ? assets : assets * supply / backing;
    }

    /// @notice Assets for `shares`, rounded down.
    function convertToAssets(uint256 shares) public view returns (uint256) {
        (uint256 supply, uint256 backing) = _priceTerms();
        return supply == 0 ? shares : shares * backing / supply;
    }

    /// @notice Asset units that the vault counts as present.
    function cash() public view virtual returns (uint256);

    // ---- what the twins decide

    /// @dev Shares and assets that nobody owns, added to both sides of the share price.
    function _virtualOffset() internal view virtual returns (uint256 shares, uint256 assets);

    /// @dev Shares that `withdraw` burns for `assets`.
    function _sharesToBurn(uint256 assets) internal view virtual returns (uint256);

    /// @dev Called before shares leave `owner`; `shares` have been accounted for nowhere yet.
    function _checkBeforeExit(address owner, uint256 shares) internal view virtual;

    /// @dev Called after shares have left `owner` and the cash has been written down.
    function _checkAfterExit(address owner) internal view virtual;

    /// @dev `assets` are about to arrive.
    function _countIn(uint256 assets) internal virtual;

    /// @dev `assets` are about to leave; `cash` has been checked to hold them.
    function _countOut(uint256 assets) internal virtual;

    /// @dev `assets` are about to leave for `to` in an action of class `class_`: a limit may refuse that. None here.
    function _chargeOutflow(uint8 class_, address to, uint256 assets) internal virtual {}

    /// @dev `assets` of `from` have arrived.
    function _noteDeposit(address from, uint256 assets) internal virtual {}

    // ---- shared mechanics

    /// @dev A transfer of shares moves collateral, so it is an exit for the sender.
    function _transfer(address from, address to, uint256 shares) internal override {
        market.requireOpen(Classes.TRANSFER);
        _checkBeforeExit(from, shares);
        _move(from, to, shares);
        _checkAfterExit(from);
    }

    function _exit(uint256 assets, uint256 shares, address receiver, address owner) private {
        market.requireOpen(Classes.EXIT);
        _spendAllowance(owner, msg.sender, shares);
        _checkBeforeExit(owner, shares);
        _burn(owner, shares);
        _pay(Classes.EXIT, receiver, assets);
        _checkAfterExit(owner);
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
    }

    function _receive(address from, uint256 assets) private {
        _countIn(assets);
        if (!_asset.transferFrom(from, address(this), assets)) revert AssetTransferFailed(address(this), assets);
        _noteDeposit(from, assets);
    }

    function _pay(uint8 class_, address to, uint256 assets) private {
        _chargeOutflow(class_, to, assets);
        uint256 held = cash();
        if (held < assets) revert InsufficientCash(held, assets);
        _countOut(assets);
        if (!_asset.transfer(to, assets)) revert AssetTransferFailed(to, assets);
    }

    function _priceTerms() internal view returns (uint256 supply, uint256 backing) {
        (uint256 virtualShares, uint256 virtualAssets) = _virtualOffset();
        return (totalSupply + virtualShares, totalAssets() + virtualAssets);
    }

    function _ratioUp(uint256 value, uint256 numerator, uint256 denominator) internal pure returns (uint256) {
        return (value * numerator + denominator - 1) / denominator;
    }

    function _accrued() private view returns (uint256 borrows, uint256 index) {
        uint256 growth = RATE_PER_SECOND * (block.timestamp - _accruedAt);
        return (_borrows + _borrows * growth / 1e18, _index + _index * growth / 1e18);
    }
}
