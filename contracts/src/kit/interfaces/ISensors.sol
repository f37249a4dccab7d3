// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice Reads by which the kit judges a protocol. All are `staticcall`ed with bounded gas; a revert is "not known".
interface ISolvencySource {
    /// @notice Assets over claims of a scope, 1e18 = exactly covered, and the second of the oldest price in it.
    function solvency(bytes32 scope) external view returns (uint256 ratio, uint40 asOf);
}

interface IDeficitSource {
    /// @notice Bad debt of a market in base units of its asset, and the second of the oldest price in it.
    function deficit(bytes32 market) external view returns (uint256 amount, uint40 asOf);
}

/// @notice A condition that anyone may show to the controller (`poke`).
interface ISensor {
    /// @notice Whether the condition is violated now.
    function violated() external view returns (bool);
}

/// @notice A probe of recovery or of a code change: green, or not.
interface IProbe {
    function green() external view returns (bool);
}
