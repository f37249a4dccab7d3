// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Classes} from "../kit/Classes.sol";
import {FailSafe} from "../kit/FailSafe.sol";
import {IToken, SafeToken} from "../kit/SafeToken.sol";

/// @notice What the vault asks of its parameter store.
interface ISavingsParameters {
    function valueOf(uint256 parameter, uint8 class_) external view returns (uint256);
}

/// @notice The drills' savings account: people put a token in, and take it out less an exit fee that stays with the vault.
/// @dev It stands behind a proxy, so that its code can be changed, and reads its one parameter from a store, so that it can be wrong.
contract SavingsVault is FailSafe {
    using SafeToken for IToken;

    error NotEnough(address account, uint256 wanted, uint256 balance);

    uint256 private constant EXIT_FEE_BPS = 0;
    uint256 private constant BPS = 10_000;

    IToken public immutable asset;
    ISavingsParameters public immutable parameters;

    mapping(address account => uint256) public balanceOf;

    /// @notice What is owed to everybody together.
    uint256 public totalOwed;

    constructor(IToken asset_, ISavingsParameters parameters_, Config memory config) FailSafe(config) {
        (asset, parameters) = (asset_, parameters_);
    }

    /// @notice Called once, by the proxy's constructor.
    function initialize() external {
        _initFailSafe(new address[](0), new address[](0));
    }

    function deposit(uint256 amount) external guardedNonReentrant(Classes.ENTER) {
        uint256 got = asset.pull(msg.sender, amount);
        _noteFlow(address(asset), msg.sender, got, 0);
        balanceOf[msg.sender] += got;
        totalOwed += got;
    }

    /// @return paid what the caller gets, after the fee
    function withdraw(uint256 amount) external guardedNonReentrant(Classes.EXIT) returns (uint256 paid) {
        if (amount > balanceOf[msg.sender]) revert NotEnough(msg.sender, amount, balanceOf[msg.sender]);
        _noteFlow(address(asset), msg.sender, 0, amount);
        _debit(msg.sender, amount);
        paid = amount - amount * parameters.valueOf(EXIT_FEE_BPS, Classes.EXIT) / BPS;
        asset.send(msg.sender, paid);
    }

    function _debit(address account, uint256 amount) internal virtual {
        balanceOf[account] -= amount;
        totalOwed -= amount;
    }
}

/// @notice The bad upgrade: a "cheaper" withdrawal that forgets to write down what was paid.
contract SavingsVaultForgetful is SavingsVault {
    constructor(IToken asset_, ISavingsParameters parameters_, Config memory config)
        SavingsVault(asset_, parameters_, config)
    {}

    function _debit(address account, uint256 amount) internal override {}
}
