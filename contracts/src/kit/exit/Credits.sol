// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Lock} from "../Lock.sol";
import {IToken, SafeToken} from "../SafeToken.sol";

/// @notice Amounts that accounts collect by themselves, so that nobody's refusal to be paid can stop another's call.
abstract contract Credits is Lock {
    using SafeToken for IToken;

    event Collected(address indexed asset, address indexed account, address to, uint256 amount);

    error ZeroAddress();
    error NotAuthorized(address caller);
    error AmountTooLarge(uint256 amount);
    error NothingChanges();

    mapping(address asset => mapping(address account => uint256)) public creditOf;

    /// @notice Sends what was credited to the caller.
    function collect(address asset, address to) external nonReentrant {
        uint256 amount = creditOf[asset][msg.sender];
        if (amount == 0) revert NothingChanges();
        if (to == address(0)) revert ZeroAddress();
        delete creditOf[asset][msg.sender];
        emit Collected(asset, msg.sender, to, amount);
        IToken(asset).send(to, amount);
    }

    function _uint128(uint256 amount) internal pure returns (uint128) {
        if (amount > type(uint128).max) revert AmountTooLarge(amount);
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint128(amount);
    }
}
