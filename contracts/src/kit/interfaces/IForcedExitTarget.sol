// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a ledger offers to a forced exit. Called by the queue that was fixed in the ledger at deployment, and by nobody else.
interface IForcedExitTarget {
    /// @notice Takes up to `units` of claims from `account` and sends their worth in `asset` to the caller. Class EXIT, and bound
    /// by the same limiter and entitlement as an ordinary withdrawal. MUST NOT call `account`.
    /// @return served units taken
    /// @return waiting units that were not served only because the limiter has to refill, or because `account` itself
    /// does not own them or has pledged them. A revert means: not served.
    function forcedExit(address account, address asset, uint256 units)
        external
        returns (uint256 served, uint256 waiting);
}
