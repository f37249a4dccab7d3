// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice Not for deployment: what the model checker proves of one bucket of {Budget}, for every number of calls in any order.
/// @dev The state is one bucket without its packing, and what happened since a window began. Proved: what is granted in a window,
/// less what was given back, is at most twice the capacity. That a whole window drains exactly the capacity, and that packing
/// loses nothing, is for the tests.
contract BudgetProof {
    uint256 private _capacity;
    uint256 private _level;
    uint256 private _drained;
    uint256 private _granted;

    constructor(uint16 capacity, uint16 level) {
        require(level <= capacity);
        (_capacity, _level) = (capacity, level);
    }

    /// @dev A window drains its capacity and no more.
    function drain(uint16 minutes_) external {
        require(_drained + minutes_ <= _capacity);
        _level = _minus(_level, minutes_);
        _drained += minutes_;
    }

    function grant(uint16 minutes_) external {
        require(_level + minutes_ + 2 <= _capacity);
        // Follows from the last assertion, which held after the call before; it spares the checker that step.
        require(_granted <= type(uint128).max);
        _level += minutes_;
        _granted += minutes_;
        assert(_level <= _capacity);
        assert(_granted <= _level + _drained);
        assert(_granted <= 2 * uint256(_capacity));
    }

    /// @dev Of what was granted in the window or before it.
    function giveBack(uint16 minutes_) external {
        _level = _minus(_level, minutes_);
        _granted = _minus(_granted, minutes_);
        assert(_granted <= _level + _drained);
    }

    /// @dev {FailSafeWord-minus}; the model checker does not get through that whole library.
    function _minus(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a - b : 0;
    }
}
