// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Mode} from "../../src/kit/Types.sol";
import {Assert} from "../utils/Assert.sol";

/// @notice Reads `state-machine.json`, which the guardian's core reads too: what both sides decide, they decide alike.
abstract contract StateVectors is Assert {
    string private _json;

    function _read() internal {
        _json = vm.readFile("test/vectors/state-machine.json");
    }

    /// @dev Path of an element, and whether there is one.
    function _element(string memory list, uint256 n) internal view returns (string memory place, bool exists) {
        place = string.concat(".", list, "[", vm.toString(n), "]");
        exists = _has(place);
    }

    function _has(string memory path) internal view returns (bool) {
        return vm.keyExistsJson(_json, path);
    }

    function _text(string memory path) internal view returns (string memory) {
        return vm.parseJsonString(_json, path);
    }

    function _mode(string memory path) internal view returns (Mode) {
        string[6] memory names = ["NORMAL", "WATCH", "RESTRICTED", "HALTED", "EXIT", "RECOVERING"];
        string memory name = _text(path);
        for (uint8 n; n < names.length; ++n) {
            if (_same(name, names[n])) return Mode(n);
        }
        revert NotTrue(name);
    }

    function _number(string memory place, string memory field) internal view returns (uint256) {
        return vm.parseJsonUint(_json, string.concat(place, field));
    }

    function _same(string memory a, string memory b) internal pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
