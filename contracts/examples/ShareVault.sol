// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Classes} from "../src/kit/Classes.sol";
import {FailSafe} from "../src/kit/FailSafe.sol";
import {IToken, SafeToken} from "../src/kit/SafeToken.sol";
import {OutflowMeter} from "./OutflowMeter.sol";

/// @notice An example of adopting the kit: a vault with the main functions of ERC-4626, whose profit unlocks over a week.
/// @dev Entitlements are counted in the asset. Deposits and withdrawals are noted as measured, never as shares: shares that a bug
/// mints are no deposit. Not part of the kit, and not audited.
contract ShareVault is FailSafe {
    using SafeToken for IToken;

    event Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares);
    event Withdraw(
        address indexed sender, address indexed receiver, address indexed owner, uint256 assets, uint256 shares
    );
    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    error NotManager(address caller);

    uint40 private constant RAISE_DELAY = 72 hours;
    uint256 private constant UNLOCK_SECS = 7 days;
    uint256 private constant FEE_DIVISOR = 10;
    /// @dev Makes the first share dear, so that a gift cannot round a depositor's shares away.
    uint256 private constant VIRTUAL_SHARES = 1e6;

    IToken public immutable asset;
    address public immutable manager;
    OutflowMeter public immutable meter;
    /// @notice Limit of all that leaves.
    bytes32 public immutable outflow;

    uint256 public totalSupply;
    mapping(address owner => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    /// @notice Fees that the manager has not collected: in the vault, but not the depositors'.
    uint256 public feesOwed;
    uint256 private _held;
    uint256 private _locked;
    uint256 private _lockedAt;

    /// @param cap what may leave at once, in units of the asset, and again in every `window` seconds
    constructor(IToken asset_, address manager_, uint256 cap, uint24 window, Config memory config) FailSafe(config) {
        (asset, manager) = (asset_, manager_);
        meter = new OutflowMeter(RAISE_DELAY);
        outflow = meter.assetKey(address(asset_));
        meter.limit(outflow, cap, window, cap / 4);
    }

    function deposit(uint256 assets, address receiver)
        external
        guardedNonReentrant(Classes.ENTER)
        returns (uint256 shares)
    {
        uint256 got = asset.pull(msg.sender, assets);
        shares = convertToShares(got);
        _held += got;
        _noteFlow(address(asset), receiver, got, 0);
        meter.noteInflow(address(asset), receiver, got);
        totalSupply += shares;
        balanceOf[receiver] += shares;
        emit Transfer(address(0), receiver, shares);
        emit Deposit(msg.sender, receiver, got, shares);
    }

    function withdraw(uint256 assets, address receiver, address owner)
        external
        guardedNonReentrant(Classes.EXIT)
        guardedPull(owner)
        returns (uint256 shares)
    {
        uint256 backing = totalAssets() + 1;
        shares = (assets * (totalSupply + VIRTUAL_SHARES) + backing - 1) / backing;
        _payOut(assets, shares, receiver, owner);
    }

    function redeem(uint256 shares, address receiver, address owner)
        external
        guardedNonReentrant(Classes.EXIT)
        guardedPull(owner)
        returns (uint256 assets)
    {
        assets = convertToAssets(shares);
        _payOut(assets, shares, receiver, owner);
    }

    function transfer(address to, uint256 value) external guarded(Classes.TRANSFER) returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value)
        external
        guarded(Classes.TRANSFER)
        guardedPull(from)
        returns (bool)
    {
        _spendAllowance(from, value);
        _move(from, to, value);
        return true;
    }

    /// @notice Not guarded: an approval moves nothing, and taking one back must always work.
    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    /// @notice Brings in profit, which belongs to the depositors by and by. REDUCE_RISK: it pays nothing out.
    function report(uint256 profit) external guardedNonReentrant(Classes.REDUCE_RISK) {
        if (msg.sender != manager) revert NotManager(msg.sender);
        uint256 got = asset.pull(msg.sender, profit);
        uint256 fee = got / FEE_DIVISOR;
        feesOwed += fee;
        _held += got - fee;
        (_locked, _lockedAt) = (lockedProfit() + got - fee, _clock());
    }

    /// @notice Pays the manager what was booked for it. CLAIM: the payee is fixed, and no incident makes it more.
    function collectFees() external guardedNonReentrant(Classes.CLAIM) {
        uint256 amount = feesOwed;
        feesOwed = 0;
        meter.charge(Classes.CLAIM, outflow, manager, amount);
        asset.send(manager, amount);
    }

    function totalAssets() public view returns (uint256) {
        return _held - lockedProfit();
    }

    /// @notice Profit that no share has yet. It does not unlock while nobody can deposit or leave.
    function lockedProfit() public view returns (uint256) {
        uint256 elapsed = _clock() - _lockedAt;
        return elapsed < UNLOCK_SECS ? _locked * (UNLOCK_SECS - elapsed) / UNLOCK_SECS : 0;
    }

    function convertToShares(uint256 assets) public view returns (uint256) {
        return assets * (totalSupply + VIRTUAL_SHARES) / (totalAssets() + 1);
    }

    function convertToAssets(uint256 shares) public view returns (uint256) {
        return shares * (totalAssets() + 1) / (totalSupply + VIRTUAL_SHARES);
    }

    /// @dev What an exit round may have: all but the manager's fees.
    function _freeBalance(address asset_) internal view override returns (uint256) {
        return super._freeBalance(asset_) - (asset_ == address(asset) ? feesOwed : 0);
    }

    function _payOut(uint256 assets, uint256 shares, address receiver, address owner) private {
        _spendAllowance(owner, shares);
        _exitWithin(address(asset), owner, assets);
        _noteFlow(address(asset), owner, 0, assets);
        meter.charge(Classes.EXIT, outflow, owner, assets);
        balanceOf[owner] -= shares;
        totalSupply -= shares;
        _held -= assets;
        emit Transfer(owner, address(0), shares);
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
        asset.send(receiver, assets);
    }

    function _move(address from, address to, uint256 shares) private {
        uint256 assets = convertToAssets(shares);
        _exitWithin(address(asset), from, assets);
        _noteMove(address(asset), from, to, assets);
        balanceOf[from] -= shares;
        balanceOf[to] += shares;
        emit Transfer(from, to, shares);
    }

    function _spendAllowance(address owner, uint256 shares) private {
        if (owner != msg.sender) allowance[owner][msg.sender] -= shares;
    }

    /// @dev Time as profit sees it: it stands still while the vault is halted.
    function _clock() private view returns (uint256) {
        return block.timestamp - frozenSeconds();
    }
}
