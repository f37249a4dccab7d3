// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ISafe, PauseIntent, PauseRule, SafePauseModule} from "../../../src/kit/adapters/SafePauseModule.sol";
import {PauseProbe} from "../../../src/kit/adapters/PauseProbe.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice The part of Safe 1.4.1 that the tests use.
interface ISafe141 is ISafe {
    function setup(
        address[] calldata owners,
        uint256 threshold,
        address to,
        bytes calldata data,
        address fallbackHandler,
        address paymentToken,
        uint256 payment,
        address payable paymentReceiver
    ) external;
    function nonce() external view returns (uint256);
    function enableModule(address module) external;
    function disableModule(address previous, address module) external;
    function isModuleEnabled(address module) external view returns (bool);
    function getOwners() external view returns (address[] memory);
    function getThreshold() external view returns (uint256);
    function changeThreshold(uint256 threshold) external;
    function getTransactionHash(
        address to,
        uint256 value,
        bytes calldata data,
        uint8 operation,
        uint256 safeTxGas,
        uint256 baseGas,
        uint256 gasPrice,
        address gasToken,
        address refundReceiver,
        uint256 nonce_
    ) external view returns (bytes32);
    function execTransaction(
        address to,
        uint256 value,
        bytes calldata data,
        uint8 operation,
        uint256 safeTxGas,
        uint256 baseGas,
        uint256 gasPrice,
        address gasToken,
        address payable refundReceiver,
        bytes memory signatures
    ) external payable returns (bool success);
}

interface ISafeProxyFactory141 {
    function createProxyWithNonce(address singleton, bytes calldata initializer, uint256 salt)
        external
        returns (address proxy);
}

/// @notice A vault as teams write it: OpenZeppelin's own Ownable and Pausable.
contract OwnedVault is Ownable, Pausable {
    uint256 public uses;

    constructor(address owner_) Ownable(owner_) {}

    function pause() external onlyOwner {
        _pause();
    }

    function unpause() external onlyOwner {
        _unpause();
    }

    function use() external whenNotPaused {
        ++uses;
    }
}

/// @notice A Safe of three owners and threshold two, from the bytecode that its makers published, with a module on top.
abstract contract SafeWorld is Assert {
    string private constant ARTIFACTS = "node_modules/@safe-global/safe-contracts/build/artifacts/contracts/";
    /// @dev Code hash of the singleton on every chain that has Safe 1.4.1.
    bytes32 private constant SINGLETON_CODE_HASH = 0x1fe2df852ba3299d6534ef416eefa406e56ced995bca886ab7a553e6d0c5e1c4;

    uint256[3] internal ownerKeys = [uint256(0xA11CE), 0xB0B, 0xCA401];
    uint256 internal constant DEPUTY_KEY = 0xDE901;
    uint256 internal constant DEPUTY_TWO_KEY = 0xDE902;

    ISafe141 internal safe;
    SafePauseModule internal module;
    OwnedVault internal vault;

    function deploySafe() internal returns (ISafe141 made) {
        address singleton = create(vm.getCode(string.concat(ARTIFACTS, "Safe.sol/Safe.json")));
        yes(singleton.codehash == SINGLETON_CODE_HASH, "the Safe under test is the one that is deployed");
        ISafeProxyFactory141 factory = ISafeProxyFactory141(
            create(vm.getCode(string.concat(ARTIFACTS, "proxies/SafeProxyFactory.sol/SafeProxyFactory.json")))
        );
        address[] memory owners = new address[](3);
        for (uint256 i; i < 3; ++i) {
            owners[i] = vm.addr(ownerKeys[i]);
        }
        bytes memory setup =
            abi.encodeCall(ISafe141.setup, (owners, 2, address(0), "", address(0), address(0), 0, payable(address(0))));
        made = ISafe141(factory.createProxyWithNonce(singleton, setup, 0));
    }

    function create(bytes memory code) internal returns (address made) {
        assembly {
            made := create(0, add(code, 32), mload(code))
        }
        yes(made != address(0), "deployed");
    }

    /// @notice A Safe, a vault that it owns, and a module enabled by a real Safe transaction, with one lever: the vault's pause.
    function buildSafe() internal {
        vm.warp(1_900_000_000);
        safe = deploySafe();
        vault = new OwnedVault(address(safe));
        module = new SafePauseModule(safe);
        transact(address(safe), abi.encodeCall(ISafe141.enableModule, (address(module))));
        transact(address(module), abi.encodeCall(SafePauseModule.setDeputies, (twoDeputies())));
        transact(address(module), abi.encodeCall(SafePauseModule.setHeartbeat, (uint40(block.timestamp + 90 days))));
        arm(address(vault), OwnedVault.pause.selector, "", pausableLever(address(vault)));
    }

    function twoDeputies() internal pure returns (address[] memory list) {
        list = new address[](2);
        (list[0], list[1]) = (vm.addr(DEPUTY_KEY), vm.addr(DEPUTY_TWO_KEY));
        if (list[0] > list[1]) (list[0], list[1]) = (list[1], list[0]);
    }

    function pausableLever(address target) internal pure returns (PauseRule memory) {
        return PauseRule({
            probe: PauseProbe({reader: target, selector: Pausable.paused.selector, bits: 1}),
            keyWords: 0,
            durationWord: 0,
            maxDuration: 0,
            cooldown: 1 hours
        });
    }

    function arm(address target, bytes4 selector, bytes memory args, PauseRule memory rule) internal {
        transact(address(module), abi.encodeCall(SafePauseModule.setLever, (target, selector, args, rule)));
    }

    function pauseIntent() internal view returns (PauseIntent memory) {
        return intentOf(address(vault), OwnedVault.pause.selector, "");
    }

    function intentOf(address target, bytes4 selector, bytes memory args)
        internal
        view
        returns (PauseIntent memory intent)
    {
        (,, uint32 episode, uint24 executions) = module.armings(module.leverOf(target, selector, args));
        intent = PauseIntent({
            target: target,
            selector: selector,
            args: args,
            duration: 0,
            stepHash: keccak256("step 1"),
            keyEpisode: episode,
            tripCount: executions,
            deadline: uint40(block.timestamp + 1 days)
        });
    }

    function deputise(uint256 key, PauseIntent memory intent) internal view returns (bytes memory) {
        return signature(key, module.digestOf(intent));
    }

    function signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @notice Signs and sends a Safe transaction as two of its owners do.
    function transact(address to, bytes memory data) internal {
        send(to, data, ownersSign(to, data, safe.nonce()));
    }

    function send(address to, bytes memory data, bytes memory signatures) internal {
        safe.execTransaction(to, 0, data, 0, 0, 0, 0, address(0), payable(address(0)), signatures);
    }

    /// @notice Signatures of the two owners with the lowest addresses, for the Safe's nonce `nonce_`.
    function ownersSign(address to, bytes memory data, uint256 nonce_) internal view returns (bytes memory) {
        bytes32 digest = safe.getTransactionHash(to, 0, data, 0, 0, 0, 0, address(0), address(0), nonce_);
        uint256 first = ownerKeys[0];
        uint256 second = ownerKeys[1];
        if (vm.addr(first) > vm.addr(second)) (first, second) = (second, first);
        return bytes.concat(signature(first, digest), signature(second, digest));
    }
}
