// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice Reads of contracts that may be broken or hostile.
/// @dev Problem: a read that burns all gas, answers with a megabyte or has no code must not decide anything for its caller; nor
/// may a caller with little gas make a sound read look broken.
/// Guarantee: the read costs at most {READ_GAS} and two words of memory, whatever answers. "Not ok" means that the callee failed
/// with its full gas, since a caller short of gas reverts {GasTooLow} instead.
/// Trust: none. Failure modes: none besides {GasTooLow}.
library BoundedCall {
    uint256 internal constant READ_GAS = 100_000;
    /// @dev What the caller needs afterwards to write down the outcome.
    uint256 private constant RESERVE = 50_000;

    error GasTooLow(uint256 left, uint256 needed);

    /// @notice Refuses to begin a call of `gas_` that EIP-150's 64th part would shorten.
    function requireGas(uint256 gas_) internal view {
        uint256 needed = gas_ * 64 / 63 + RESERVE;
        if (gasleft() < needed) revert GasTooLow(gasleft(), needed);
    }

    /// @notice First two words of the answer. `ok` is false, and both are 0, when the call reverts, runs out of gas or answers
    /// fewer than `words` words.
    function read(address target, bytes memory data, uint256 words)
        internal
        view
        returns (bool ok, uint256 first, uint256 second)
    {
        requireGas(READ_GAS);
        return readWithin(READ_GAS, target, data, words);
    }

    /// @notice The same with at most `gas_`, and without the promise that a caller short of gas cannot make it fail: for reads
    /// whose failure makes the caller revert.
    function readWithin(uint256 gas_, address target, bytes memory data, uint256 words)
        internal
        view
        returns (bool ok, uint256 first, uint256 second)
    {
        // Solidity copies whatever the callee answers; only here can the copy be limited.
        assembly ("memory-safe") {
            ok := staticcall(gas_, target, add(data, 32), mload(data), 0, 64)
            ok := and(ok, iszero(lt(returndatasize(), mul(words, 32))))
            if ok {
                first := mload(0)
                second := mload(32)
            }
        }
    }
}
