// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FungibleToken} from "./FungibleToken.sol";

/// @title DrillToken
/// @notice An asset of the drill protocol. It has no value and is never meant for a public network.
/// @dev Problem: the drill needs assets whose supply it controls. Design: plain ERC-20, the deployer mints.
/// Trust: the deployer can mint without limit. Failure modes: none beyond those of `FungibleToken`; in particular a
/// transfer takes no fee and calls nobody, which the vaults rely on.
contract DrillToken is FungibleToken {
    /// @notice Only the deployer mints.
    error NotDeployer(address caller);

    /// @notice The account that created the token.
    address public immutable deployer = msg.sender;

    constructor(string memory name_, string memory symbol_, uint8 decimals_) FungibleToken(name_, symbol_, decimals_) {}

    /// @notice Creates `value` units for `to`.
    function mint(address to, uint256 value) external {
        if (msg.sender != deployer) revert NotDeployer(msg.sender);
        _mint(to, value);
    }
}
