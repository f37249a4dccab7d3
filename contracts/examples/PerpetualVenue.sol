// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Classes} from "../src/kit/Classes.sol";
import {FailSafe} from "../src/kit/FailSafe.sol";
import {IToken, SafeToken} from "../src/kit/SafeToken.sol";
import {OutflowMeter} from "./OutflowMeter.sol";

/// @notice An example of adopting the kit: perpetual futures on one price against a common pool, with margin in one asset.
/// @dev Every order takes the next price. A close can therefore be asked for while prices stand still, and is no bet on what the
/// price did meanwhile. Profit and loss are no flows: entitlements are margins of the checkpoint and what was paid in or out
/// since. Not part of the kit, and not audited.
contract PerpetualVenue is FailSafe {
    using SafeToken for IToken;

    /// @param margin in units of the asset, never negative
    /// @param size position in 1e-18 contracts, negative when short
    /// @param entry price up to which profit and loss are in the margin
    /// @param fundingAt funding index up to which it is
    struct Account {
        int256 margin;
        int256 size;
        int256 entry;
        int256 fundingAt;
    }

    /// @param round number of the price that it takes; 0 for no order
    struct Order {
        int256 delta;
        uint256 round;
    }

    error NotOracle(address caller);
    error NoPosition(address account);
    error NoReduction(int256 size, int256 delta);
    error NothingToSettle(address account);
    error MarginTooSmall(int256 margin, int256 least);
    error Healthy(address account);
    error TooLarge(uint256 amount);

    uint40 private constant RAISE_DELAY = 72 hours;
    int256 private constant ONE = 1e18;
    int256 private constant FUNDING_PER_SECOND = 1e9;
    int256 private constant LEVERAGE_MAX = 10;
    int256 private constant LEVERAGE_LIQUIDATED = 20;
    int256 private constant BOUNTY_DIVISOR = 100;
    int256 private constant FEE_DIVISOR = 2_000;

    IToken public immutable asset;
    address public immutable oracle;
    address public immutable treasury;
    OutflowMeter public immutable meter;
    /// @notice Limit of all that leaves.
    bytes32 public immutable outflow;

    mapping(address account => Account) public accountOf;
    mapping(address account => Order) public orderOf;
    int256[] public prices;
    /// @notice What pays the winners and gets what the others lose.
    int256 public pool;
    /// @notice Fees that the treasury has not collected: in the venue, but not the traders'.
    uint256 public feesOwed;
    int256 public skew;
    int256 public fundingIndex;
    uint256 private _fundedAt;

    /// @param cap what may leave at once, in units of the asset, and again in every `window` seconds
    constructor(
        IToken asset_,
        address oracle_,
        address treasury_,
        int256 firstPrice,
        uint256 cap,
        uint24 window,
        Config memory config
    ) FailSafe(config) {
        (asset, oracle, treasury, _fundedAt) = (asset_, oracle_, treasury_, _clock());
        prices.push(firstPrice);
        meter = new OutflowMeter(RAISE_DELAY);
        outflow = meter.assetKey(address(asset_));
        meter.limit(outflow, cap, window, cap / 4);
    }

    function deposit(uint256 amount) external guardedNonReentrant(Classes.ENTER) {
        accountOf[msg.sender].margin += _int(_payIn(amount));
    }

    /// @notice The same for who has a position: it must be possible to defend one at any time.
    function addMargin(uint256 amount) external guardedNonReentrant(Classes.REDUCE_RISK) {
        if (accountOf[msg.sender].size == 0) revert NoPosition(msg.sender);
        accountOf[msg.sender].margin += _int(_payIn(amount));
    }

    function withdraw(uint256 amount) external guardedNonReentrant(Classes.EXIT) {
        _exitWithin(address(asset), msg.sender, amount);
        _noteFlow(address(asset), msg.sender, 0, amount);
        meter.charge(Classes.EXIT, outflow, msg.sender, amount);
        Account storage a = accountOf[msg.sender];
        _realise(a, price());
        a.margin -= _int(amount);
        _requireMargin(a, price());
        asset.send(msg.sender, amount);
    }

    function increase(int256 delta) external guarded(Classes.INCREASE_RISK) {
        orderOf[msg.sender] = Order(delta, prices.length);
    }

    /// @notice Asks for less, at the next price; nothing is paid out. With 0, it takes an order back.
    function reduce(int256 delta) external guarded(Classes.REDUCE_RISK) {
        int256 size = accountOf[msg.sender].size;
        if (!_reduces(size, delta)) revert NoReduction(size, delta);
        orderOf[msg.sender] = Order(delta, prices.length);
    }

    /// @notice Carries an order out once it has its price. Anyone. One that adds risk asks for that class again.
    function settle(address account) external guardedNonReentrant(Classes.REDUCE_RISK) {
        Order memory order = orderOf[account];
        if (order.round == 0 || order.round >= prices.length) revert NothingToSettle(account);
        delete orderOf[account];
        Account storage a = accountOf[account];
        bool reduces = _reduces(a.size, order.delta);
        if (!reduces) _requireOpen(Classes.INCREASE_RISK);
        int256 price_ = prices[order.round];
        _realise(a, price_);
        a.size += order.delta;
        skew += order.delta;
        int256 fee = _abs(order.delta) * price_ / ONE / FEE_DIVISOR;
        if (fee > a.margin) fee = a.margin;
        a.margin -= fee;
        feesOwed += _uint(fee);
        if (!reduces) _requireMargin(a, price_);
    }

    /// @notice Closes a position that its margin hardly covers. The bounty is margin of the caller: whoever wants to take it out
    /// passes {withdraw} with all its bounds.
    function liquidate(address account) external guardedNonReentrant(Classes.LIQUIDATE) {
        Account storage a = accountOf[account];
        _realise(a, price());
        int256 notional = _abs(a.size) * price() / ONE;
        if (a.margin >= notional / LEVERAGE_LIQUIDATED) revert Healthy(account);
        int256 bounty = notional / BOUNTY_DIVISOR;
        if (bounty > a.margin) bounty = a.margin;
        skew -= a.size;
        a.size = 0;
        a.margin -= bounty;
        accountOf[msg.sender].margin += bounty;
        _noteMove(address(asset), account, msg.sender, _uint(bounty));
        delete orderOf[account];
    }

    function publish(int256 price_) external guarded(Classes.PRICE_UPDATE) {
        if (msg.sender != oracle) revert NotOracle(msg.sender);
        _accrueFunding();
        prices.push(price_);
    }

    /// @notice A gift to the pool.
    function back(uint256 amount) external guardedNonReentrant(Classes.REDUCE_RISK) {
        pool += _int(asset.pull(msg.sender, amount));
    }

    /// @notice Pays the treasury what was booked for it. CLAIM: the payee is fixed, and no incident makes it more.
    function collectFees() external guardedNonReentrant(Classes.CLAIM) {
        uint256 amount = feesOwed;
        feesOwed = 0;
        meter.charge(Classes.CLAIM, outflow, treasury, amount);
        asset.send(treasury, amount);
    }

    function price() public view returns (int256) {
        return prices[prices.length - 1];
    }

    /// @dev What an exit round may have: all but the treasury's fees.
    function _freeBalance(address asset_) internal view override returns (uint256) {
        return super._freeBalance(asset_) - (asset_ == address(asset) ? feesOwed : 0);
    }

    function _payIn(uint256 amount) private returns (uint256 got) {
        got = asset.pull(msg.sender, amount);
        _noteFlow(address(asset), msg.sender, got, 0);
        meter.noteInflow(address(asset), msg.sender, got);
    }

    /// @dev Moves profit, loss and funding between margin and pool; neither pays more than it has.
    function _realise(Account storage a, int256 price_) private {
        _accrueFunding();
        int256 change = a.size * (price_ - a.entry - fundingIndex + a.fundingAt) / ONE;
        (a.entry, a.fundingAt) = (price_, fundingIndex);
        if (change > pool) change = pool;
        if (change < -a.margin) change = -a.margin;
        (a.margin, pool) = (a.margin + change, pool - change);
    }

    /// @dev The larger side pays, for each second that was not frozen.
    function _accrueFunding() private {
        int256 rate = skew > 0 ? FUNDING_PER_SECOND : skew < 0 ? -FUNDING_PER_SECOND : int256(0);
        fundingIndex += rate * price() * _int(_clock() - _fundedAt) / ONE;
        _fundedAt = _clock();
    }

    function _requireMargin(Account storage a, int256 price_) private view {
        int256 least = _abs(a.size) * price_ / ONE / LEVERAGE_MAX;
        if (a.margin < least) revert MarginTooSmall(a.margin, least);
    }

    /// @dev Time as funding sees it: it stands still while the venue is halted.
    function _clock() private view returns (uint256) {
        return block.timestamp - frozenSeconds();
    }

    function _reduces(int256 size, int256 delta) private pure returns (bool) {
        return delta == 0 || ((size > 0) != (delta > 0) && _abs(delta) <= _abs(size));
    }

    function _abs(int256 value) private pure returns (int256) {
        return value < 0 ? -value : value;
    }

    function _int(uint256 amount) private pure returns (int256) {
        if (amount > type(uint128).max) revert TooLarge(amount);
        // forge-lint: disable-next-line(unsafe-typecast) by the line above
        return int256(amount);
    }

    function _uint(int256 amount) private pure returns (uint256) {
        // forge-lint: disable-next-line(unsafe-typecast) asked of amounts that are not negative only
        return uint256(amount);
    }
}
