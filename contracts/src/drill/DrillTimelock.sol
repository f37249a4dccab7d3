// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title DrillTimelock
/// @notice Owner of the drill's market: a change is announced, waits, and then anyone may carry it out.
/// @dev Problem: a watcher must tell a change that was announced from one made with a stolen key. Design: an operation
/// is a target with call data; its id is their hash; `CallScheduled` and `CallExecuted` carry the id, so an owner,
/// role or price change without a matured id in the same transaction was not authorised here.
/// Trust: one proposer schedules and cancels; everyone can execute what has matured, in any order. Failure modes: a
/// stolen proposer key can do anything after the delay, which is the time to notice; a matured operation whose call
/// reverts stays ready; a lost proposer key leaves the market without an owner's hand.
contract DrillTimelock {
    /// @notice Only the proposer may call this.
    error NotProposer(address caller);
    /// @notice The delay is shorter than the minimum.
    error DelayTooShort(uint64 delay, uint64 min);
    /// @notice The operation waits already.
    error AlreadyScheduled(bytes32 id, uint64 readyAt);
    /// @notice The operation was never scheduled, was cancelled or was carried out; `readyAt` is 0, or in the future.
    error NotReady(bytes32 id, uint64 readyAt);
    /// @notice The call reverted with `reason`.
    error CallFailed(bytes32 id, bytes reason);

    /// @notice An operation waits until `readyAt`.
    event CallScheduled(bytes32 indexed id, address indexed target, bytes data, uint64 readyAt);
    /// @notice A matured operation was carried out.
    event CallExecuted(bytes32 indexed id, address indexed target, bytes data);
    /// @notice An operation was withdrawn.
    event CallCancelled(bytes32 indexed id);

    /// @notice Schedules and cancels.
    address public immutable proposer;
    /// @notice Shortest delay, in seconds.
    uint64 public immutable minDelay;
    /// @notice Second from which an operation may be carried out; 0 when it does not wait.
    mapping(bytes32 id => uint64) public readyAt;

    modifier onlyProposer() {
        if (msg.sender != proposer) revert NotProposer(msg.sender);
        _;
    }

    constructor(address proposer_, uint64 minDelay_) {
        proposer = proposer_;
        minDelay = minDelay_;
    }

    /// @notice Announces a call of `target` with `data`, to be carried out `delay` seconds from now or later.
    function schedule(address target, bytes calldata data, uint64 delay) external onlyProposer returns (bytes32 id) {
        if (delay < minDelay) revert DelayTooShort(delay, minDelay);
        id = operationId(target, data);
        if (readyAt[id] != 0) revert AlreadyScheduled(id, readyAt[id]);
        readyAt[id] = uint64(block.timestamp) + delay;
        emit CallScheduled(id, target, data, readyAt[id]);
    }

    /// @notice Withdraws a waiting operation.
    function cancel(bytes32 id) external onlyProposer {
        if (readyAt[id] == 0) revert NotReady(id, 0);
        delete readyAt[id];
        emit CallCancelled(id);
    }

    /// @notice Carries out a matured operation, once.
    function execute(address target, bytes calldata data) external {
        bytes32 id = operationId(target, data);
        if (!isOperationReady(id)) revert NotReady(id, readyAt[id]);
        delete readyAt[id];
        (bool ok, bytes memory reason) = target.call(data);
        if (!ok) revert CallFailed(id, reason);
        emit CallExecuted(id, target, data);
    }

    /// @notice Whether the operation waits and has matured. False again once it was carried out.
    function isOperationReady(bytes32 id) public view returns (bool) {
        return readyAt[id] != 0 && readyAt[id] <= block.timestamp;
    }

    /// @notice Hash that names the operation in the events.
    function operationId(address target, bytes calldata data) public pure returns (bytes32) {
        return keccak256(abi.encode(target, data));
    }
}
