// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {IToken, SafeToken} from "../../../src/kit/SafeToken.sol";

/// @notice A small money market on one asset, with a function of every class, as an integrator would guard it.
/// @dev A share is a unit of the asset. Loans are backed by the borrower's shares at `price`, which anyone may set: an oracle is not
/// what is under test.
contract GuardedVault is FailSafe {
    using SafeToken for IToken;

    error Unhealthy(address account);
    error NotAllowed(address owner, address spender, uint256 amount);
    error DeadlineOver(uint256 deadline);

    uint256 public constant RATE_PER_SECOND = 1e9;

    IToken public immutable asset;
    uint256 public immutable createdAt;

    mapping(address => uint256) public sharesOf;
    mapping(address => mapping(address => uint256)) public allowance;
    mapping(address => uint256) public principalOf;
    mapping(address => uint256) public accruedAt;
    uint256 public price = 1e18;
    uint256 public owedElsewhere;

    constructor(IToken asset_, Config memory config) FailSafe(config) {
        asset = asset_;
        createdAt = block.timestamp;
    }

    function deposit(uint256 amount) external guardedNonReentrant(Classes.ENTER) {
        uint256 got = asset.pull(msg.sender, amount);
        _noteFlow(address(asset), msg.sender, got, 0);
        sharesOf[msg.sender] += got;
    }

    function withdraw(uint256 amount) external guardedNonReentrant(Classes.EXIT) {
        _exitWithin(address(asset), msg.sender, amount);
        _noteFlow(address(asset), msg.sender, 0, amount);
        sharesOf[msg.sender] -= amount;
        _requireHealthy(msg.sender);
        asset.send(msg.sender, amount);
    }

    function borrow(uint256 amount) external guardedNonReentrant(Classes.INCREASE_RISK) {
        principalOf[msg.sender] = debtOf(msg.sender) + amount;
        accruedAt[msg.sender] = _clock();
        _requireHealthy(msg.sender);
        _noteFlow(address(asset), msg.sender, 0, amount);
        asset.send(msg.sender, amount);
    }

    function repay(address account, uint256 amount) external guardedNonReentrant(Classes.REDUCE_RISK) {
        uint256 got = asset.pull(msg.sender, amount);
        _noteFlow(address(asset), msg.sender, got, 0);
        principalOf[account] = debtOf(account) - got;
        accruedAt[account] = _clock();
    }

    /// @notice Takes the shares of an account under water for its debt.
    function liquidate(address account) external guardedNonReentrant(Classes.LIQUIDATE) {
        uint256 debt = debtOf(account);
        if (debt <= sharesOf[account] * price / 1e18) revert Unhealthy(account);
        uint256 got = asset.pull(msg.sender, debt);
        (principalOf[account], accruedAt[account]) = (0, _clock());
        _noteFlow(address(asset), msg.sender, got, 0);
        _noteMove(address(asset), account, msg.sender, sharesOf[account]);
        sharesOf[msg.sender] += sharesOf[account];
        sharesOf[account] = 0;
    }

    function transfer(address to, uint256 amount) external guarded(Classes.TRANSFER) {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount)
        external
        guarded(Classes.TRANSFER)
        guardedPull(from)
    {
        if (from != msg.sender) {
            if (allowance[from][msg.sender] < amount) revert NotAllowed(from, msg.sender, amount);
            allowance[from][msg.sender] -= amount;
        }
        _move(from, to, amount);
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function setPrice(uint256 price_) external guarded(Classes.PRICE_UPDATE) {
        price = price_;
    }

    /// @notice Something to do before a deadline that stands still while the contract does.
    function claimReward(uint256 deadline) external view guarded(Classes.CLAIM) {
        if (_clock() > deadline) revert DeadlineOver(deadline);
    }

    /// @notice A function of any class.
    function act(uint8 class_) external view guarded(class_) returns (bool) {
        return true;
    }

    function owe(uint256 amount) external {
        owedElsewhere = amount;
    }

    function debtOf(address account) public view returns (uint256 debt) {
        debt = principalOf[account];
        debt += debt * RATE_PER_SECOND * (_clock() - accruedAt[account]) / 1e18;
    }

    function quote() external view nonReentrantView returns (uint256) {
        return price;
    }

    function limitFactor() external view returns (uint16) {
        return _limitFactor();
    }

    function initAgain(address[] calldata assets) external {
        _initFailSafe(assets, assets);
    }

    function _freeBalance(address asset_) internal view override returns (uint256) {
        return super._freeBalance(asset_) - (asset_ == address(asset) ? owedElsewhere : 0);
    }

    function _move(address from, address to, uint256 amount) private {
        _exitWithin(address(asset), from, amount);
        _noteMove(address(asset), from, to, amount);
        sharesOf[from] -= amount;
        sharesOf[to] += amount;
        _requireHealthy(from);
    }

    function _requireHealthy(address account) private view {
        if (debtOf(account) > sharesOf[account] * price / 1e18) revert Unhealthy(account);
    }

    /// @dev Time as interest and deadlines see it.
    function _clock() private view returns (uint256) {
        return block.timestamp - frozenSeconds();
    }
}
