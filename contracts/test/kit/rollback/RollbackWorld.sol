// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {Mode, Restriction} from "../../../src/kit/Types.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {IProbe} from "../../../src/kit/interfaces/ISensors.sol";
import {ImplementationRegistry} from "../../../src/kit/rollback/ImplementationRegistry.sol";
import {Assert} from "../../utils/Assert.sol";

address constant CONTROLLER = address(0xC047);
address constant COUNCIL = address(0xC0);

/// @dev What a guardian signs, computed from the outside.
function eip712(address verifier, bytes memory message) view returns (bytes32) {
    bytes32 domain = keccak256(
        abi.encode(
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
            keccak256("GuardianAct"),
            keccak256("1"),
            block.chainid,
            verifier
        )
    );
    return keccak256(abi.encodePacked("\x19\x01", domain, keccak256(message)));
}

/// @notice Stands in for the controller: says what a test told it, and accepts exactly the digests that a test approved.
contract ControllerStub {
    error BadSignature();

    bytes32 public scope;
    uint32 public episodeId;
    uint32 public epoch;
    bool public exit;
    mapping(bytes32 => bool) public approved;

    function council() external pure returns (address) {
        return COUNCIL;
    }

    function setScope(bytes32 scope_) external {
        scope = scope_;
    }

    function setEpisode(uint32 episodeId_, uint32 epoch_) external {
        (episodeId, epoch) = (episodeId_, epoch_);
    }

    function setExit() external {
        exit = true;
    }

    /// @param digest what group 1 of scope "market" signed
    function approve(bytes32 digest) external {
        approved[digest] = true;
    }

    function scopeOf(address) external view returns (bytes32) {
        return scope;
    }

    function episodeOf(bytes32) external view returns (IFailSafeController.Episode memory e) {
        (e.episodeId, e.epoch) = (episodeId, epoch);
    }

    function restrictionOf(address, uint8 class_) external view returns (bool closed, uint40 until) {
        if (exit && class_ == Classes.UPGRADE) return (true, type(uint40).max);
    }

    function requireGroup(bytes32 scope_, uint8 group, bytes32 digest, bytes[] calldata) external view {
        if (scope_ != "market" || group != 1 || !approved[digest]) revert BadSignature();
    }
}

/// @notice A guarded contract reduced to what a rollback looks at. Its storage comes first in every version.
contract GuardedStub {
    Restriction internal _restriction;
    uint256 public total;

    event Paid(address from, uint256 amount);

    error Refused(uint256 figure);

    receive() external payable {
        emit Paid(msg.sender, msg.value);
    }

    function failsafeController() external pure virtual returns (address) {
        return CONTROLLER;
    }

    function failsafeState() external view virtual returns (Restriction memory, Restriction memory) {
        return (_restriction, _restriction);
    }

    function failsafeOpen(uint8 class_) external view returns (bool) {
        return _restriction.mask >> class_ & 1 == 0;
    }

    /// @notice Puts the contract where a test wants it, with the classes closed that the mode closes.
    function put(Mode mode, uint8 stage) external {
        _restriction.mode = mode;
        _restriction.stage = stage;
        _restriction.mask = mode == Mode.RECOVERING ? Classes.closedIn(stage) : Classes.closable(mode);
    }

    function add(uint256 amount) external payable returns (uint256) {
        total += amount;
        return total;
    }

    function refuse(uint256 figure) external pure {
        revert Refused(figure);
    }

    function echo(bytes calldata data) external pure returns (bytes memory) {
        return data;
    }

    function version() external pure virtual returns (uint256) {
        return 1;
    }

    /// @notice The selector of the order that a proxy takes, as a function of the contract behind it.
    function failsafePointTo(address) external pure returns (string memory) {
        return "mine";
    }
}

contract GuardedV2 is GuardedStub {
    function version() external pure override returns (uint256) {
        return 2;
    }
}

contract GuardedV3 is GuardedStub {
    function version() external pure override returns (uint256) {
        return 3;
    }
}

/// @notice Counts in halves: another schema, with a way there and back.
contract GuardedHalves is GuardedStub {
    address private immutable _registry;

    error NotRegistry();

    constructor(address registry) {
        _registry = registry;
    }

    function version() external pure override returns (uint256) {
        return 4;
    }

    function toHalves() external {
        if (msg.sender != _registry) revert NotRegistry();
        total *= 2;
    }

    function fromHalves() external {
        if (msg.sender != _registry) revert NotRegistry();
        total /= 2;
    }
}

/// @notice Code after which nothing answers any more.
contract GuardedBrick {
    function failsafeController() external pure returns (address) {
        return CONTROLLER;
    }

    fallback() external payable {
        revert("bricked");
    }

    receive() external payable {
        revert("bricked");
    }
}

/// @notice Code that answers to somebody else.
contract GuardedByAnother is GuardedStub {
    function failsafeController() external pure override returns (address) {
        return address(0xBAD);
    }
}

/// @notice Code that changes what is in force as it lands.
contract GuardedUnpauser is GuardedStub {
    function failsafeState() external pure override returns (Restriction memory, Restriction memory) {
        Restriction memory none;
        return (none, none);
    }
}

/// @notice Green while the code behind a proxy is of a version that it accepts and counts right.
contract VersionProbe is IProbe {
    GuardedStub private immutable _proxy;
    uint256 private _refused;

    constructor(GuardedStub proxy) {
        _proxy = proxy;
    }

    function refuse(uint256 version) external {
        _refused = version;
    }

    function green() external view returns (bool) {
        return _proxy.version() != _refused;
    }
}

/// @notice A probe that misbehaves.
contract HostileProbe {
    enum Way {
        REVERT,
        BURN,
        BOMB,
        TWO,
        NOTHING
    }

    Way private immutable _way;

    constructor(Way way) {
        _way = way;
    }

    fallback() external {
        if (_way == Way.REVERT) revert();
        if (_way == Way.NOTHING) return;
        if (_way == Way.TWO) {
            assembly {
                mstore(0, 2)
                return(0, 32)
            }
        }
        if (_way == Way.BOMB) {
            assembly {
                return(0, 200000)
            }
        }
        while (true) {}
    }
}

/// @notice What the tests of both contracts have in common.
abstract contract StubbedController is Assert {
    ControllerStub internal controller;
    bytes[] internal noSignatures;

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        vm.roll(1_000);
        vm.etch(CONTROLLER, address(new ControllerStub()).code);
        controller = ControllerStub(CONTROLLER);
        controller.setScope("market");
    }

    function expectBareRevert(bytes4 selector) internal {
        vm.expectRevert(abi.encodePacked(selector));
    }
}

/// @notice A registry, a proxy with its first version, and the shorthand of the tests.
abstract contract RollbackWorld is StubbedController {
    uint40 internal constant DELAY = 72 hours;
    bytes32 internal constant ROLLBACK_TYPEHASH = keccak256(
        "Rollback(address proxy,uint256 version,bytes32 codeHash,uint32 keyEpisode,uint32 epoch,uint40 deadline)"
    );

    ImplementationRegistry internal registry;
    GuardedStub internal proxy;
    VersionProbe internal probe;
    GuardedV2 internal v2;

    function setUp() public virtual override {
        super.setUp();
        registry = new ImplementationRegistry(IFailSafeController(address(controller)), DELAY);
        // The first version's probe has to know the proxy, whose address is the registry's first creation.
        probe = new VersionProbe(GuardedStub(payable(_firstCreationOf(address(registry)))));
        ImplementationRegistry.Version memory first = versionWith(address(new GuardedStub()));
        vm.prank(COUNCIL);
        proxy = GuardedStub(payable(registry.deploy(first, "")));
        proxy.add(100);
        v2 = new GuardedV2();
    }

    function versionWith(address implementation) internal view returns (ImplementationRegistry.Version memory v) {
        v.implementation = implementation;
        v.codeHash = implementation.codehash;
        v.layoutHash = "layout";
        v.schema = 1;
        v.probe = probe;
    }

    function announce(ImplementationRegistry.Version memory version) internal {
        vm.prank(COUNCIL);
        registry.announce(address(proxy), version);
        vm.roll(block.number + 1);
    }

    function activate() internal {
        vm.prank(COUNCIL);
        registry.activate(address(proxy));
    }

    /// @dev The ordinary way: notice, delay, landing.
    function upgrade(ImplementationRegistry.Version memory version) internal {
        announce(version);
        vm.warp(block.timestamp + DELAY);
        activate();
    }

    /// @dev A landed V2 that leaves V1 eligible, V1 having run for `soak`.
    function upgraded(uint256 soak) internal returns (ImplementationRegistry.Version memory next) {
        next = versionWith(address(v2));
        next.predecessorEligible = true;
        vm.warp(block.timestamp + soak - DELAY);
        upgrade(next);
    }

    /// @dev The first version's code.
    function running() internal view returns (address) {
        return registry.versionsOf(address(proxy))[0].implementation;
    }

    function trip(Mode mode, uint32 episodeId) internal {
        proxy.put(mode, 0);
        controller.setEpisode(episodeId, controller.epoch());
    }

    /// @dev What a guardian signs to go back, computed from the outside.
    function rollbackDigest(uint40 deadline) internal view returns (bytes32) {
        ImplementationRegistry.Version[] memory versions = registry.versionsOf(address(proxy));
        return eip712(
            address(registry),
            abi.encode(
                ROLLBACK_TYPEHASH,
                proxy,
                versions.length,
                versions[versions.length - 2].codeHash,
                controller.episodeId(),
                controller.epoch(),
                deadline
            )
        );
    }

    function signedRollback() internal {
        uint40 deadline = uint40(block.timestamp) + 1 hours;
        controller.approve(rollbackDigest(deadline));
        registry.rollback(address(proxy), 1, deadline, noSignatures);
    }

    /// @dev Address of a contract's first creation (nonce 1): the last 20 bytes of the hash of rlp([creator, 1]).
    function _firstCreationOf(address creator) private pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", creator, hex"01")))));
    }
}
