// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a guarded contract asks of {EmergencyExit} to hand its free balance over.
interface IExitFunding {
    /// @notice Round that pays the holders of `ledger`; 0 before EXIT has opened one.
    function roundOf(address ledger) external view returns (uint256 round);

    /// @notice Takes `amount` of `asset` from the caller into the round; credits what arrives. Needs an allowance.
    function fund(uint256 round, address asset, uint256 amount) external;
}
