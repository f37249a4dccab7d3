// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @notice Assertions of the tests. Each failure is a revert that carries both values and what they stand for.
abstract contract Assert {
    error NotEqual(string what, uint256 got, uint256 want);
    error NotEqualAddress(string what, address got, address want);
    error NotAtMost(string what, uint256 got, uint256 most);
    error NotAtLeast(string what, uint256 got, uint256 least);
    error NotTrue(string what);

    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function eq(uint256 got, uint256 want, string memory what) internal pure {
        if (got != want) revert NotEqual(what, got, want);
    }

    function eq(address got, address want, string memory what) internal pure {
        if (got != want) revert NotEqualAddress(what, got, want);
    }

    function atMost(uint256 got, uint256 most, string memory what) internal pure {
        if (got > most) revert NotAtMost(what, got, most);
    }

    function atLeast(uint256 got, uint256 least, string memory what) internal pure {
        if (got < least) revert NotAtLeast(what, got, least);
    }

    function yes(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    /// @dev Maps a fuzzed value into [low, high].
    function clamp(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
