// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice Verdicts that let anyone open EXIT. The party that answers MUST compute them in the same transaction from state that
/// capital alone cannot move.
interface IExitConditions {
    /// @notice Whether mature forced-exit requests of `scope` are unserved (cause UNSERVED): asked of the forced-exit queue.
    function unserved(bytes32 scope) external view returns (bool);
}

/// @notice The recovery plan's half.
interface IInsolvencyVerdict {
    /// @notice Whether the episode of `scope` is 21 days old and ends insolvent (cause INSOLVENT).
    function exitable(bytes32 scope) external view returns (bool);
}

/// @notice The council challenge's half.
interface ISilenceVerdict {
    /// @notice Whether the council let a challenge of the present episode of `scope` stand for 14 days (cause SILENCE, which also
    /// wants all guardians silent).
    function unanswered(bytes32 scope) external view returns (bool);
}

/// @notice What a controller asks of the contract that pays exits.
interface IExitRounds {
    /// @notice Opens the round of `scope` with the entitlements of checkpoint `checkpointId`. Controller only, once per scope.
    function openRound(bytes32 scope, uint256 checkpointId) external returns (uint256 round);
}
