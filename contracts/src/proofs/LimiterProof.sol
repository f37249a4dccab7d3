// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {FlowBucket} from "../kit/FlowBucket.sol";

/// @notice Not for deployment: what the model checker proves of the bucket's arithmetic, for every number of calls in any order.
/// @dev The state is one bucket without its packing: level, capacity in force (cap times factor) and window. Proved: no arithmetic
/// overflows within the widths of the word, `level <= capacity` always, a spend passes iff it fits, and no change of cap,
/// window or factor leaves more to spend than before (rule 2). That packing loses nothing, and that the shortened path of
/// {FlowBucket-charge} computes the same, is for the tests.
contract LimiterProof {
    uint256 private _level;
    uint80 private _capacity;
    uint24 private _window;

    constructor(uint80 capacity, uint24 window) {
        require(window != 0);
        (_capacity, _window) = (capacity, window);
    }

    function spend(uint80 units, uint40 elapsed) external {
        uint256 level = FlowBucket.drain(_level, _capacity, elapsed, _window);
        assert(level <= _level);
        if (units > _capacity - level) return;
        _level = level + units;
        assert(_level <= _capacity);
    }

    /// @param capacity of another cap, another factor, or both
    /// @param rate the capacity at which the time since the last use refills: a settled configuration's own, or the smaller of two
    /// factors
    function change(uint80 capacity, uint24 window, uint80 rate, uint40 elapsed) external {
        require(window != 0 && rate <= _capacity);
        uint256 level = FlowBucket.drain(_level, rate, elapsed, _window);
        uint256 available = _capacity - level;
        _level = FlowBucket.keep(level, _capacity, capacity);
        (_capacity, _window) = (capacity, window);
        assert(_level <= _capacity);
        assert(_capacity - _level <= available);
        assert(_capacity - _level == available || _level == 0);
    }
}
