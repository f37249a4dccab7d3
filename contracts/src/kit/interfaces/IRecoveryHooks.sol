// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a recovery plan may do to a scope at its controller. Nobody else may call these.
interface IRecoveryHooks {
    /// @notice Moves every target of `scope` and below to recovery stage `stage`; never to an earlier one.
    function setStage(bytes32 scope, uint8 stage) external;

    /// @notice Ends the episode of `scope`: every target to NORMAL.
    function finish(bytes32 scope) external;

    /// @notice Sets or clears the insolvency bit of every target of `scope` and below.
    function setInsolvent(bytes32 scope, bool insolvent) external;
}
