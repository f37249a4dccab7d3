// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "../BoundedCall.sol";

/// @notice How to ask a contract whether it is paused.
/// @param reader contract to ask
/// @param selector its view, which answers with one word
/// @param bits bits of the answer that are set while paused; 0 when the answer is the second at which the pause ends
struct PauseProbe {
    address reader;
    bytes4 selector;
    uint64 bits;
}

/// @notice Reads pauses of contracts that know nothing of the kit.
library PauseProbes {
    error PauseUnreadable(address reader);

    /// @notice The answer. `keys` are the view's arguments, ABI-encoded: the reserve or managed contract it is asked about.
    function read(PauseProbe memory probe, bytes memory keys) internal view returns (uint256 word) {
        bool ok;
        (ok, word,) =
            BoundedCall.readWithin(BoundedCall.READ_GAS, probe.reader, abi.encodePacked(probe.selector, keys), 1);
        if (!ok) revert PauseUnreadable(probe.reader);
    }

    /// @notice Whether the answer means "paused".
    function held(PauseProbe memory probe, uint256 word) internal view returns (bool) {
        return probe.bits == 0 ? word > block.timestamp : word & probe.bits == probe.bits;
    }

    /// @notice Whether a pause began, or now ends later, between two answers.
    function tightened(PauseProbe memory probe, uint256 before, uint256 afterwards) internal view returns (bool) {
        return held(probe, afterwards) && (probe.bits == 0 ? afterwards > before : !held(probe, before));
    }
}

/// @notice Tells whether a pause would work by making it and undoing it: a role check that a drill can run every day by `eth_call`.
abstract contract Rehearsal {
    error PauseRefused(address target);
    error PauseHadNoEffect(address target);
    error Rehearsed();

    /// @dev Calls this contract, which always reverts: with {Rehearsed} when everything worked, else with what went wrong.
    function _rehearse(bytes memory data) internal returns (bool ok, bytes memory reason) {
        (, reason) = address(this).call(data);
        ok = keccak256(reason) == keccak256(abi.encodeWithSelector(Rehearsed.selector));
    }
}
