// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Mode} from "../Types.sol";

/// @notice What the other contracts of the kit ask of the controller.
interface IFailSafeController {
    /// @notice An episode of a scope: from NORMAL to something tighter, until NORMAL again.
    /// @param episodeId number, from 1; 0 before the first
    /// @param tripCount guardian trips landed in it
    /// @param epoch council releases so far
    /// @param episodeStart second of the first trip
    /// @param tripBlock block of the first trip
    /// @param incidentBlock block before which state counts as honest: the trip's block or earlier
    /// @param mode what the scope is in; what is in force at a target is the target's to say. While it recovers and no stage after
    /// S1 has been opened, what has ended: HALTED before a whole S0, else RESTRICTED
    /// @param until second at which the restriction ends or ended: S1 begins then, or a whole S0 later after HALTED
    struct Episode {
        uint32 episodeId;
        uint16 tripCount;
        uint32 epoch;
        uint40 episodeStart;
        uint40 tripBlock;
        uint40 incidentBlock;
        Mode mode;
        uint40 until;
    }

    /// @notice The episode of `scope`; parents are not folded in.
    function episodeOf(bytes32 scope) external view returns (Episode memory);

    /// @notice The council: a multisig or governance executor.
    function council() external view returns (address);

    /// @notice Scope that a target was enrolled in; zero for a stranger.
    function scopeOf(address target) external view returns (bytes32);

    /// @notice Scope above `scope`; zero above the root and for an unknown scope.
    function parentOf(bytes32 scope) external view returns (bytes32);

    /// @notice Whether a class is closed for a target by any scope on its path, for contracts that ask instead of being told.
    function restrictionOf(address target, uint8 class_) external view returns (bool closed, uint40 until);

    /// @notice Whether `group` of `scope` has the signatures for `digest`, its turn (no group before it is alive) and more rights
    /// than to watch. Signers strictly rising, low-s, ERC-1271 allowed. Reverts with a typed error when not.
    function requireGroup(bytes32 scope, uint8 group, bytes32 digest, bytes[] calldata signatures) external view;
}
