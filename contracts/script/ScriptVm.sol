// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice The cheatcodes that the deployment uses, and no others.
interface ScriptVm {
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address account);
    function getNonce(address account) external view returns (uint64 nonce);
    function keyExistsJson(string calldata json, string calldata key) external view returns (bool);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function parseJsonAddressArray(string calldata json, string calldata key) external pure returns (address[] memory);
    function parseJsonBool(string calldata json, string calldata key) external pure returns (bool);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function readFile(string calldata path) external view returns (string memory data);
    function startBroadcast(address account) external;
    function stopBroadcast() external;
    function toString(uint256 value) external pure returns (string memory);
}
