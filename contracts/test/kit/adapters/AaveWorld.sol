// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Assert} from "../../utils/Assert.sol";

interface IAddressesProvider {
    function setACLAdmin(address admin) external;
    function setACLManager(address manager) external;
    function setPoolImpl(address implementation) external;
    function setPoolConfiguratorImpl(address implementation) external;
    function getPool() external view returns (address);
    function getPoolConfigurator() external view returns (address);
}

interface IAaveAccess {
    function addEmergencyAdmin(address admin) external;
    function removeEmergencyAdmin(address admin) external;
    function addRiskAdmin(address admin) external;
}

interface IAavePool {
    function initReserve(address asset, address aToken, address stableDebt, address variableDebt, address strategy)
        external;
    function getConfiguration(address asset) external view returns (uint256);
}

interface IAaveConfigurator {
    function setReservePause(address asset, bool paused) external;
    function setReserveFreeze(address asset, bool frozen) external;
}

/// @notice Aave v3 core from the bytecode that its makers published: provider, roles, pool and configurator behind their
/// proxies, with one listed reserve.
abstract contract AaveWorld is Assert {
    string private constant ARTIFACTS = "node_modules/@aave/core-v3/artifacts/contracts/protocol/";
    uint64 internal constant PAUSED_BIT = 1 << 60;
    uint64 internal constant FROZEN_BIT = 1 << 57;

    IAavePool internal pool;
    IAaveConfigurator internal configurator;
    IAaveAccess internal access;
    address internal reserve;

    function buildAave() internal {
        IAddressesProvider provider = IAddressesProvider(
            _deploy(
                bytes.concat(
                    _code("configuration/PoolAddressesProvider.sol/PoolAddressesProvider.json"),
                    abi.encode("market", address(this))
                )
            )
        );
        provider.setACLAdmin(address(this));
        access = IAaveAccess(
            _deploy(bytes.concat(_code("configuration/ACLManager.sol/ACLManager.json"), abi.encode(provider)))
        );
        provider.setACLManager(address(access));
        address logic = _deploy(_code("libraries/logic/PoolLogic.sol/PoolLogic.json"));
        // Listing and flags touch PoolLogic alone: it stands in for the libraries that are never called here.
        provider.setPoolImpl(_deploy(bytes.concat(_linked("pool/Pool.sol/Pool.json", logic), abi.encode(provider))));
        provider.setPoolConfiguratorImpl(_deploy(_linked("pool/PoolConfigurator.sol/PoolConfigurator.json", logic)));
        pool = IAavePool(provider.getPool());
        configurator = IAaveConfigurator(provider.getPoolConfigurator());
        reserve = address(access); // any contract can be listed
        vm.prank(address(configurator));
        pool.initReserve(reserve, address(1), address(2), address(3), address(4));
        // As listing leaves it: active, with decimals and borrowing, so that the flags are set in a word that is not zero.
        IAaveRisk(address(access)).addPoolAdmin(address(this));
        IAaveRisk(address(configurator)).setReserveActive(reserve, true);
    }

    function _code(string memory path) private view returns (bytes memory) {
        return vm.getCode(string.concat(ARTIFACTS, path));
    }

    /// @dev Puts one address in the place of every library.
    function _linked(string memory path, address library_) private view returns (bytes memory) {
        bytes memory text = bytes(vm.parseJsonString(vm.readFile(string.concat(ARTIFACTS, path)), ".bytecode"));
        bytes memory name = bytes(vm.toString(library_));
        for (uint256 i; i < text.length; ++i) {
            if (text[i] != "_") continue;
            for (uint256 j; j < 40; ++j) {
                text[i + j] = name[j + 2];
            }
        }
        return vm.parseBytes(string(text));
    }

    function _deploy(bytes memory code) private returns (address made) {
        assembly {
            made := create(0, add(code, 32), mload(code))
        }
        yes(made != address(0), "deployed");
    }
}

interface IAaveRisk {
    function addPoolAdmin(address admin) external;
    function setReserveActive(address asset, bool active) external;
}
