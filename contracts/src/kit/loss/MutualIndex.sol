// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice Spreads losses over all positions of one market by a rising index.
/// @dev Problem: a loss that nobody pays is borne by whoever leaves last. Dividing it over n positions one by one cannot be done
/// in one transaction, and rounding each share down leaves the pool short.
/// Guarantee: over all events k, sum(d_k * U_k) - err = sum(taken_k) * RAY exactly; the index never passes RAY, so that nobody
/// owes more than everything; a position that came after a loss owes nothing for it; the positions together are debited at
/// least the loss and at most one base unit per position, plus one, plus U / RAY more.
/// Trust: the caller, who stores the index at a position's entry and settles {debit} before any change of its units.
/// Failure modes: a loss beyond what the positions hold is not taken; the caller gets the part that was.
library MutualIndex {
    uint256 internal constant RAY = 1e27;

    /// @param index debt per unit since the beginning, RAY = everything
    /// @param err collected but not yet assigned, in base units times RAY: what rounding up took too much
    struct State {
        uint256 index;
        uint256 err;
    }

    /// @notice Most that `units` can still bear, with what was collected too much before.
    function capacity(State storage s, uint128 units) internal view returns (uint256) {
        return (units * (RAY - s.index) + s.err) / RAY;
    }

    /// @notice Spreads `loss` over `units` and returns the part that they can bear.
    function absorb(State storage s, uint128 loss, uint128 units) internal returns (uint256 taken) {
        taken = capacity(s, units);
        if (taken > loss) taken = loss;
        uint256 pool = s.err;
        if (loss * RAY > pool && units != 0) {
            uint256 step = (loss * RAY - pool - 1) / units + 1;
            if (step > RAY - s.index) step = RAY - s.index;
            s.index += step;
            pool += step * units;
        }
        s.err = pool - taken * RAY;
    }

    /// @notice What a position of `units` owes since it stored `entryIndex`, rounded up in favour of the pool.
    function debit(State storage s, uint128 units, uint256 entryIndex) internal view returns (uint256) {
        return (units * (s.index - entryIndex) + RAY - 1) / RAY;
    }
}
