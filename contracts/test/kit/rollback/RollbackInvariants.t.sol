// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Mode} from "../../../src/kit/Types.sol";
import {ImplementationRegistry} from "../../../src/kit/rollback/ImplementationRegistry.sol";
import {Assert} from "../../utils/Assert.sol";
import {
    COUNCIL,
    ControllerStub,
    GuardedHalves,
    GuardedStub,
    GuardedV2,
    GuardedV3,
    RollbackWorld,
    eip712
} from "./RollbackWorld.sol";

/// @notice A council that upgrades at random and a guardian group that is stolen: it signs whatever could land.
/// Keeps its own history of what the council landed, to compare with.
contract RollbackHandler is Assert {
    bytes32 private constant ROLLBACK_TYPEHASH = keccak256(
        "Rollback(address proxy,uint256 version,bytes32 codeHash,uint32 keyEpisode,uint32 epoch,uint40 deadline)"
    );

    ImplementationRegistry private immutable registry;
    ControllerStub private immutable controller;
    GuardedStub private immutable proxy;
    ImplementationRegistry.Version private template;
    address[] private codes;

    /// @dev What runs, what ran before it, and whether a guardian may go there: the specification, in a few variables.
    address public running;
    address public before;
    uint256 public landedAt;
    uint256 public ranFor;
    bool public eligible;
    uint256 public announcedAt;
    uint256 public landings = 1;
    uint256 public landingsAtExit;
    bool public exited;
    mapping(address => bool) public everByCouncil;
    mapping(uint256 => uint256) public rollbacksIn;
    uint256 public rollbacks;

    constructor(
        ImplementationRegistry registry_,
        ControllerStub controller_,
        GuardedStub proxy_,
        ImplementationRegistry.Version memory first
    ) {
        (registry, controller, proxy, template) = (registry_, controller_, proxy_, first);
        running = first.implementation;
        everByCouncil[running] = true;
        landedAt = block.timestamp;
        codes = [first.implementation, address(new GuardedV2()), address(new GuardedV3())];
        codes.push(address(new GuardedHalves(address(registry_))));
    }

    function pass(uint256 seconds_) external {
        vm.warp(block.timestamp + clamp(seconds_, 1, 5 days));
        vm.roll(block.number + 1);
    }

    function put(uint256 mode, uint256 episode, uint8 stage) external {
        if (exited) return;
        proxy.put(Mode(mode % 4 == 0 ? 5 : mode % 4), uint8(clamp(stage, 0, 4)));
        controller.setEpisode(uint32(clamp(episode, 0, 3) + controller.episodeId()), controller.epoch());
    }

    function exit(uint256 chance) external {
        if (chance % 40 != 0 || exited) return;
        proxy.put(Mode.EXIT, 0);
        controller.setExit();
        (exited, landingsAtExit) = (true, landings);
    }

    function announce(uint256 pick, bool eligible_, bool schema) external {
        ImplementationRegistry.Version memory next = template;
        next.implementation = codes[pick % codes.length];
        next.codeHash = next.implementation.codehash;
        next.schema = schema ? 1 : 2;
        next.predecessorEligible = eligible_;
        vm.prank(COUNCIL);
        registry.announce(address(proxy), next);
        announcedAt = block.timestamp;
    }

    function activate(bool patiently) external {
        (ImplementationRegistry.Version memory next,,) = registry.announced(address(proxy));
        if (patiently && announcedAt + 72 hours > block.timestamp) vm.warp(announcedAt + 72 hours);
        Mode mode = registry.restrictionOf(address(proxy)).mode;
        vm.prank(COUNCIL);
        try registry.activate(address(proxy)) {
            bool patch = mode == Mode.RESTRICTED || mode == Mode.HALTED || mode == Mode.RECOVERING;
            yes(patch || block.timestamp >= announcedAt + 72 hours, "notice was given");
            everByCouncil[next.implementation] = true;
            _landed(next.implementation, next.predecessorEligible);
        } catch {}
    }

    /// @dev The thief signs for the present episode and for anything that it likes as the target of the act.
    function rollback() external {
        ImplementationRegistry.Version[] memory versions = registry.versionsOf(address(proxy));
        if (versions.length < 2) return;
        uint40 deadline = uint40(block.timestamp);
        uint32 episode = controller.episodeId();
        controller.approve(_digest(versions, episode, deadline));
        Mode mode = registry.restrictionOf(address(proxy)).mode;
        (address expected, bool allowed) = (before, eligible && ranFor >= 7 days && !exited);
        try registry.rollback(address(proxy), 1, deadline, new bytes[](0)) {
            yes(allowed, "the one version that was left eligible and had run for a week");
            yes(everByCouncil[expected], "code that the council had landed");
            yes(mode == Mode.RESTRICTED || mode == Mode.HALTED || mode == Mode.RECOVERING, "in an episode");
            ++rollbacksIn[episode];
            ++rollbacks;
            eq(rollbacksIn[episode], 1, "once per episode");
            _landed(expected, false);
        } catch {}
    }

    function _landed(address code, bool eligible_) private {
        (before, running, eligible) = (running, code, eligible_);
        (ranFor, landedAt) = (block.timestamp - landedAt, block.timestamp);
        ++landings;
    }

    function _digest(ImplementationRegistry.Version[] memory versions, uint32 episode, uint40 deadline)
        private
        view
        returns (bytes32)
    {
        bytes32 hash = versions[versions.length - 2].codeHash;
        bytes memory message =
            abi.encode(ROLLBACK_TYPEHASH, proxy, versions.length, hash, episode, controller.epoch(), deadline);
        return eip712(address(registry), message);
    }
}

/// @notice T1 and T10 over code: whatever a stolen group and a council do, in whatever order.
contract RollbackInvariants is RollbackWorld {
    bytes32 private constant IMPLEMENTATION_SLOT = bytes32(uint256(keccak256("eip1967.proxy.implementation")) - 1);

    RollbackHandler private handler;

    function setUp() public override {
        super.setUp();
        handler = new RollbackHandler(registry, controller, proxy, registry.versionsOf(address(proxy))[0]);
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    function invariant_T1_OnlyTheCouncilBringsCode() public view {
        address code = address(uint160(uint256(vm.load(address(proxy), IMPLEMENTATION_SLOT))));
        eq(code, handler.running(), "what runs is what was landed last");
        yes(handler.everByCouncil(code), "and the council landed it");
        eq(registry.versionsOf(address(proxy)).length, handler.landings(), "the history only grows, once a landing");
        eq(proxy.total(), 100, "storage is not touched");
    }

    function invariant_T10_NothingLandsInExit() public view {
        if (handler.exited()) eq(handler.landings(), handler.landingsAtExit(), "landings after EXIT");
    }
}
