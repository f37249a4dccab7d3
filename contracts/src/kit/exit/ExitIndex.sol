// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a pool pays on each unit of entitlement, as a pure function of what it received and what it owes.
/// @dev Problem: an index that every funding and every rejection steps forward has to carry its remainder, and each step is a
/// place to be wrong. Guarantee: with `F` received and `T` owed, the index is floor(F * RAY / T). That is what any sequence of
/// steps with exact remainders arrives at, so order cannot matter and nothing can drift:
/// index * total + remainder + surplus * RAY = funded * RAY, with remainder < total.
/// Payouts round down, hence sum(floor(share * index / RAY)) <= F as long as the shares sum up to at most T.
/// Trust: none. Failure modes: amounts of 2^128 or more may overflow and revert; callers keep them below.
library ExitIndex {
    uint256 internal constant RAY = 1e27;

    /// @notice Indexes of both tranches. A, refunds of what came in after the checkpoint, is served first; what it does not need
    /// goes to B, the entitlements.
    /// @param capped whether nobody gets more than the nominal amount (index <= RAY); the rest is then surplus
    function indexes(uint256 funded, uint256 totalA, uint256 totalB, bool capped)
        internal
        pure
        returns (uint256 indexA, uint256 indexB, uint256 surplus)
    {
        uint256 part = funded < totalA ? funded : totalA;
        if (totalA != 0) indexA = part * RAY / totalA;
        surplus = funded - part;
        if (totalB != 0) {
            part = capped && surplus > totalB ? totalB : surplus;
            indexB = part * RAY / totalB;
            surplus -= part;
        }
    }

    /// @notice floor(share * index / RAY), without the 512-bit product: the index is split at RAY.
    function payout(uint256 share, uint256 index) internal pure returns (uint256) {
        return share * (index / RAY) + share * (index % RAY) / RAY;
    }
}
