// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Classes} from "../src/kit/Classes.sol";
import {FailSafe} from "../src/kit/FailSafe.sol";
import {IToken, SafeToken} from "../src/kit/SafeToken.sol";
import {OutflowMeter} from "./OutflowMeter.sol";

/// @notice An example of adopting the kit: a market in which lenders supply cash and borrowers pledge one collateral.
/// @dev Entitlements are net equity in one unit of value, the market's own address: cash counts as itself, debt against it, and
/// collateral at a price fixed at deployment. A price that is part of the incident can therefore not raise anybody's claim,
/// and nobody is paid for collateral that secures a debt. Not part of the kit, and not audited.
contract CreditMarket is FailSafe {
    using SafeToken for IToken;

    /// @param shares of all cash and debt, as a lender
    /// @param pledged collateral, in its units
    /// @param loans debt in units of {index}
    struct Account {
        uint256 shares;
        uint256 pledged;
        uint256 loans;
    }

    error NotOracle(address caller);
    error Undercollateralized(address account);
    error Healthy(address account);

    /// @notice Limit of what liquidations take: its own, so that nobody can use it up by withdrawing.
    bytes32 public constant LIQUIDATIONS = keccak256("liquidations");

    uint40 private constant RAISE_DELAY = 72 hours;
    uint256 private constant ONE = 1e18;
    uint256 private constant RATE_PER_SECOND = 1_585_489_599;
    uint256 private constant RESERVE_DIVISOR = 10;
    uint256 private constant LOAN_TO_VALUE = 0.8e18;
    uint256 private constant LIQUIDATOR_GETS = 1.08e18;

    IToken public immutable cash;
    IToken public immutable collateral;
    address public immutable oracle;
    address public immutable treasury;
    OutflowMeter public immutable meter;
    /// @notice Limits of the cash and of the collateral that leave at their owners' wish.
    bytes32 public immutable cashOut;
    bytes32 public immutable collateralOut;
    /// @notice Cash that a unit of collateral counts for in entitlements; less than any price that is expected.
    uint256 public immutable referencePrice;

    mapping(address account => Account) public accountOf;
    uint256 public totalShares;
    uint256 public totalLoans;
    /// @notice Interest kept for the treasury: in the market, but not the lenders'.
    uint256 public reserves;
    uint256 public price;
    uint256 private _idle;
    uint256 private _index = ONE;
    uint256 private _accruedAt;

    /// @param limits what may leave at once of cash, of collateral, and of collateral by liquidation; again in every `window`
    constructor(
        IToken[2] memory tokens,
        address oracle_,
        address treasury_,
        uint256 price_,
        uint256[3] memory limits,
        uint24 window,
        Config memory config
    ) FailSafe(config) {
        (cash, collateral, oracle, treasury) = (tokens[0], tokens[1], oracle_, treasury_);
        (price, referencePrice, _accruedAt) = (price_, price_ / 2, _clock());
        meter = new OutflowMeter(RAISE_DELAY);
        (cashOut, collateralOut) = (meter.assetKey(address(tokens[0])), meter.assetKey(address(tokens[1])));
        meter.limit(cashOut, limits[0], window, limits[0] / 4);
        meter.limit(collateralOut, limits[1], window, limits[1] / 4);
        meter.limit(LIQUIDATIONS, limits[2], window, limits[2] / 2);
    }

    function supply(uint256 amount) external guardedNonReentrant(Classes.ENTER) {
        accrue();
        uint256 got = cash.pull(msg.sender, amount);
        uint256 shares = got * (totalShares + 1) / (totalAssets() + 1);
        accountOf[msg.sender].shares += shares;
        totalShares += shares;
        _idle += got;
        _noteFlow(address(this), msg.sender, got, 0);
        meter.noteInflow(address(cash), msg.sender, got);
    }

    function withdraw(uint256 amount) external guardedNonReentrant(Classes.EXIT) {
        accrue();
        _exitWithin(address(this), msg.sender, amount);
        uint256 backing = totalAssets() + 1;
        uint256 shares = (amount * (totalShares + 1) + backing - 1) / backing;
        accountOf[msg.sender].shares -= shares;
        totalShares -= shares;
        _payCash(Classes.EXIT, amount);
    }

    function pledge(uint256 amount) external guardedNonReentrant(Classes.REDUCE_RISK) {
        uint256 got = collateral.pull(msg.sender, amount);
        accountOf[msg.sender].pledged += got;
        _noteFlow(address(this), msg.sender, _value(got), 0);
        meter.noteInflow(address(collateral), msg.sender, got);
    }

    function unpledge(uint256 amount) external guardedNonReentrant(Classes.EXIT) {
        accrue();
        _exitWithin(address(this), msg.sender, _value(amount));
        accountOf[msg.sender].pledged -= amount;
        _requireCollateral(msg.sender);
        _noteFlow(address(this), msg.sender, 0, _value(amount));
        meter.charge(Classes.EXIT, collateralOut, msg.sender, amount);
        collateral.send(msg.sender, amount);
    }

    function borrow(uint256 amount) external guardedNonReentrant(Classes.INCREASE_RISK) {
        accrue();
        uint256 loans = (amount * ONE + _index - 1) / _index;
        accountOf[msg.sender].loans += loans;
        totalLoans += loans;
        _requireCollateral(msg.sender);
        _payCash(Classes.INCREASE_RISK, amount);
    }

    /// @notice Pays back for `account`. The payer spends its own allowance, so that no class but REDUCE_RISK is asked.
    function repay(address account, uint256 amount) external guardedNonReentrant(Classes.REDUCE_RISK) {
        accrue();
        _noteFlow(address(this), account, _lowerDebt(account, amount), 0);
    }

    /// @notice Pays back for an account under water and takes its collateral, with a bonus.
    function liquidate(address account, uint256 amount) external guardedNonReentrant(Classes.LIQUIDATE) {
        accrue();
        if (_covered(account)) revert Healthy(account);
        uint256 got = _lowerDebt(account, amount);
        uint256 seized = got * LIQUIDATOR_GETS / price;
        accountOf[account].pledged -= seized;
        _noteFlow(address(this), account, got, _value(seized));
        meter.charge(Classes.LIQUIDATE, LIQUIDATIONS, msg.sender, seized);
        collateral.send(msg.sender, seized);
    }

    function setPrice(uint256 price_) external guarded(Classes.PRICE_UPDATE) {
        if (msg.sender != oracle) revert NotOracle(msg.sender);
        price = price_;
    }

    /// @notice Pays the treasury what was booked for it. CLAIM: the payee is fixed, and no incident makes it more.
    function collectReserves() external guardedNonReentrant(Classes.CLAIM) {
        accrue();
        uint256 amount = reserves;
        (reserves, _idle) = (0, _idle - amount);
        meter.charge(Classes.CLAIM, cashOut, treasury, amount);
        cash.send(treasury, amount);
    }

    /// @notice Books interest. Not guarded: it does what time did already, and frozen time does nothing.
    function accrue() public {
        uint256 index_ = index();
        reserves += totalLoans * (index_ - _index) / ONE / RESERVE_DIVISOR;
        (_index, _accruedAt) = (index_, _clock());
    }

    /// @notice Cash owed for one unit of loans, 1e18 at the start.
    function index() public view returns (uint256) {
        return _index + _index * RATE_PER_SECOND * (_clock() - _accruedAt) / ONE;
    }

    function debtOf(address account) public view returns (uint256) {
        return (accountOf[account].loans * index() + ONE - 1) / ONE;
    }

    /// @notice What all lenders' shares are worth, by the last {accrue}.
    function totalAssets() public view returns (uint256) {
        return _idle + totalLoans * _index / ONE - reserves;
    }

    /// @dev What an exit round may have: all but the treasury's part.
    function _freeBalance(address asset) internal view override returns (uint256) {
        uint256 balance = super._freeBalance(asset);
        uint256 owed = asset == address(cash) ? reserves : 0;
        return balance > owed ? balance - owed : 0;
    }

    function _payCash(uint8 class_, uint256 amount) private {
        _idle -= amount;
        _noteFlow(address(this), msg.sender, 0, amount);
        meter.charge(class_, cashOut, msg.sender, amount);
        cash.send(msg.sender, amount);
    }

    function _lowerDebt(address account, uint256 amount) private returns (uint256 got) {
        got = cash.pull(msg.sender, amount);
        uint256 loans = got * ONE / _index;
        accountOf[account].loans -= loans;
        totalLoans -= loans;
        _idle += got;
        meter.noteInflow(address(cash), msg.sender, got);
    }

    function _requireCollateral(address account) private view {
        if (!_covered(account)) revert Undercollateralized(account);
    }

    function _covered(address account) private view returns (bool) {
        return debtOf(account) <= accountOf[account].pledged * price / ONE * LOAN_TO_VALUE / ONE;
    }

    function _value(uint256 collateral_) private view returns (uint256) {
        return collateral_ * referencePrice / ONE;
    }

    /// @dev Time as interest sees it: it stands still while the market is halted.
    function _clock() private view returns (uint256) {
        return block.timestamp - frozenSeconds();
    }
}
