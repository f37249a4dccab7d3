// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IFlowCounters} from "./interfaces/IFailSafe.sol";

/// @notice What each account paid in, took out and passed on, for entitlements at a checkpoint.
/// @dev Problem: a checkpoint knows what an account was owed, not what it took since. Guarantee: counters only rise, and stand
/// still in EXIT, so that a claim can subtract what was taken and refund what was added. Trust: the integrator notes measured
/// amounts on every path; own supply that is minted or bridged in is no deposit. Failure modes: an account whose flows were not
/// noted is paid too much or too little, at the cost of nobody else's entitlement.
///
/// Storage proofs read the slots: `flows` is at {SLOT}, `moved` at {SLOT} + 1.
abstract contract FlowCounters is IFlowCounters {
    /// @custom:storage-location erc7201:ripcord.FlowCounters
    struct Counters {
        mapping(address account => mapping(address asset => Flow)) flows;
        mapping(address from => mapping(address to => mapping(address asset => uint256))) moved;
    }

    error FlowTooLarge(address asset, uint256 amount);

    /// @dev keccak256(abi.encode(uint256(keccak256("ripcord.FlowCounters")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant SLOT = 0x989aaa7810517e4647b8be50cb7c0fe3e7211282a045127b0881c48bfc0b6500;

    /// @inheritdoc IFlowCounters
    function flowOf(address account, address asset) external view returns (Flow memory) {
        return _counters().flows[account][asset];
    }

    /// @inheritdoc IFlowCounters
    function movedBetween(address from, address to, address asset) external view returns (uint256) {
        return _counters().moved[from][to][asset];
    }

    /// @notice Notes what an account paid in (as measured) and took out.
    function _noteFlow(address asset, address account, uint256 deposited, uint256 withdrawn) internal {
        if (_flowsStopped()) return;
        Flow storage flow = _counters().flows[account][asset];
        if (deposited != 0) flow.deposited += _amount(asset, deposited);
        if (withdrawn != 0) flow.withdrawn += _amount(asset, withdrawn);
    }

    /// @notice Notes that `from` passed claims on `amount` of `asset` to `to`.
    function _noteMove(address asset, address from, address to, uint256 amount) internal {
        if (_flowsStopped() || amount == 0) return;
        _counters().flows[from][asset].movedOut += _amount(asset, amount);
        _counters().moved[from][to][asset] += amount;
    }

    function _flowsStopped() internal view virtual returns (bool);

    function _amount(address asset, uint256 amount) private pure returns (uint128) {
        if (amount > type(uint128).max) revert FlowTooLarge(asset, amount);
        // forge-lint: disable-next-line(unsafe-typecast) by the line above
        return uint128(amount);
    }

    function _counters() private pure returns (Counters storage counters) {
        // Solidity has no other way to name a slot.
        assembly ("memory-safe") {
            counters.slot := SLOT
        }
    }
}
