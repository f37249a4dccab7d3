// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice One transient lock for all functions of a contract that call strangers.
abstract contract Lock {
    /// @dev A whole slot: a smaller type would read it before each write.
    uint256 private transient _locked;

    error Reentered();

    modifier nonReentrant() {
        _enter();
        _;
        _leave();
    }

    /// @notice For views that others rely on while this contract may be in the middle of a change.
    modifier nonReentrantView() {
        if (_locked != 0) revert Reentered();
        _;
    }

    function _enter() internal {
        if (_locked != 0) revert Reentered();
        _locked = 1;
    }

    function _leave() internal {
        _locked = 0;
    }
}
