// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice The one order that a proxy takes, from its registry only.
interface IPointable {
    function failsafePointTo(address implementation) external;
}

/// @notice Forwards every call to the implementation that its registry chose.
/// @dev Problem: an upgradeable contract can be bricked by an upgrade whose code cannot be upgraded again, and an admin
/// function of a proxy can shadow a function of the contract behind it.
/// Guarantee: the power to change code sits in the proxy and its registry, never in an implementation, so that no
/// implementation can lose it. The proxy has no function of its own: the order is recognised only from the registry, which
/// sends nothing else under that selector. The implementation is stored here, so a call needs one cold read and no
/// call to the registry, and goes on when the registry is of no use any more.
/// Trust: the registry checks code, notice, mode and probes; it is fixed at deployment. An implementation runs in this
/// contract's storage and could write the slot below: the registry can still point elsewhere.
/// Failure modes: a call to an implementation that reverts, reverts with the same data.
contract FailSafeProxy {
    /// @dev ERC-1967: keccak256("eip1967.proxy.implementation") - 1 and keccak256("eip1967.proxy.admin") - 1.
    bytes32 private constant IMPLEMENTATION_SLOT = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;
    bytes32 private constant ADMIN_SLOT = 0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103;

    address private immutable _registry;

    event Upgraded(address indexed implementation);
    event AdminChanged(address previousAdmin, address newAdmin);

    /// @param data call made to the implementation in the constructor, so that nobody can come first; empty for none
    constructor(address implementation, bytes memory data) payable {
        _registry = msg.sender;
        address registry = msg.sender;
        // Explorers and wallets read the admin here; the proxy itself never does.
        assembly ("memory-safe") {
            sstore(ADMIN_SLOT, registry)
        }
        emit AdminChanged(address(0), registry);
        _pointTo(implementation);
        if (data.length != 0) {
            (bool ok, bytes memory answer) = implementation.delegatecall(data);
            if (!ok) {
                assembly ("memory-safe") {
                    revert(add(answer, 32), mload(answer))
                }
            }
        }
    }

    receive() external payable {
        _forward();
    }

    fallback() external payable {
        if (msg.sender == _registry && msg.sig == IPointable.failsafePointTo.selector) {
            _pointTo(abi.decode(msg.data[4:], (address)));
        } else {
            _forward();
        }
    }

    function _pointTo(address implementation) private {
        assembly ("memory-safe") {
            sstore(IMPLEMENTATION_SLOT, implementation)
        }
        emit Upgraded(implementation);
    }

    /// @dev Ends the call: memory belongs to it from here on.
    function _forward() private {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), sload(IMPLEMENTATION_SLOT), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(ok) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}
