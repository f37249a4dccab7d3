// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {ParameterStore} from "../../../src/kit/rollback/ParameterStore.sol";
import {Assert} from "../../utils/Assert.sol";
import {COUNCIL, ControllerStub, GuardedStub, eip712} from "./RollbackWorld.sol";
import {CAP, FLOOR, THRESHOLD, ParameterWorld} from "./ParameterWorld.sol";

/// @notice A council that loosens as fast as it may, and a stolen guardian group that restores whatever it likes.
contract ParameterHandler is Assert {
    uint256 private constant PARAMETERS = 3;

    ParameterStore private immutable store;
    ControllerStub private immutable controller;
    GuardedStub private immutable target;

    bool public exited;
    bytes32 public atExit;
    uint256 public restores;
    mapping(uint256 => uint256) public restoresIn;

    constructor(ParameterStore store_, ControllerStub controller_, GuardedStub target_) {
        (store, controller, target) = (store_, controller_, target_);
    }

    /// @dev No call loosens what is in force in its own second (T6), whoever makes it.
    modifier neverLoosensAtOnce() {
        uint256[PARAMETERS] memory was = inForce();
        _;
        _notLooser(inForce(), was, "loosened in the second of the call");
    }

    function pass(uint256 seconds_) external {
        vm.warp(block.timestamp + clamp(seconds_, 1, 3 days));
    }

    function put(uint256 mode, uint256 episode, uint8 stage) external {
        if (exited) return;
        uint256 kind = mode % 6;
        target.put(Mode(kind == 4 ? 0 : kind), uint8(clamp(stage, 0, 4)));
        controller.setEpisode(uint32(clamp(episode, 0, 2) + controller.episodeId()), controller.epoch());
    }

    function exit(uint256 chance) external {
        if (chance % 40 != 0 || exited) return;
        target.put(Mode.EXIT, 0);
        controller.setExit();
        vm.warp(block.timestamp + 1); // what was landed in this second is in force
        (exited, atExit) = (true, keccak256(abi.encode(inForce())));
    }

    function change(uint256 pick, uint256 value, bool greedy) external neverLoosensAtOnce {
        uint256 parameter = pick % PARAMETERS;
        ParameterStore.Parameter memory p = store.parameterOf(parameter);
        uint256 current = inForce()[parameter];
        value = clamp(value, p.min, p.max);
        if (greedy) {
            value = p.tighterSide == ParameterStore.Side.LOWER
                ? current + p.maxStepPerDay
                : current > p.maxStepPerDay ? current - p.maxStepPerDay : 0;
        }
        vm.prank(COUNCIL);
        try store.change(parameter, uint104(value)) {} catch {}
    }

    function scheduleRestore(uint256 back) external neverLoosensAtOnce {
        uint256 id = store.checkpoints() - 1 - clamp(back, 0, store.checkpoints() - 1);
        vm.prank(COUNCIL);
        try store.scheduleRestore(uint104(id)) {} catch {}
    }

    function land(uint256 pick, bool patiently) external {
        uint256 parameter = pick % (PARAMETERS + 1);
        if (parameter == PARAMETERS) parameter = store.RESTORE();
        (, uint40 eta) = store.pending(parameter);
        if (patiently && eta > block.timestamp) vm.warp(eta);
        _land(parameter, eta);
    }

    function _land(uint256 parameter, uint40 eta) private neverLoosensAtOnce {
        vm.prank(COUNCIL);
        try store.land(parameter) {
            atLeast(block.timestamp, eta, "notice was given");
        } catch {}
    }

    /// @dev T1: each parameter, in force and about to be, is where it was or tighter.
    function guardianRestore(uint256 back) external {
        uint256[PARAMETERS] memory was = inForce();
        uint256 id = store.checkpoints() - 1 - clamp(back, 0, store.checkpoints() - 1);
        uint32 episode = controller.episodeId();
        controller.approve(_digest(id, episode));
        try store.restoreTighter(id, 1, uint40(block.timestamp), new bytes[](0)) {
            _notLooser(inForce(), was, "a guardian loosened");
            ++restores;
            eq(++restoresIn[episode], 1, "once per episode");
        } catch {}
    }

    function inForce() public view returns (uint256[PARAMETERS] memory list) {
        for (uint256 i; i < PARAMETERS; ++i) {
            list[i] = store.valueOf(i, Classes.ENTER);
        }
    }

    function _notLooser(uint256[PARAMETERS] memory now_, uint256[PARAMETERS] memory was, string memory what)
        private
        pure
    {
        atMost(now_[CAP], was[CAP], what);
        atMost(now_[THRESHOLD], was[THRESHOLD], what);
        atLeast(now_[FLOOR], was[FLOOR], what);
    }

    function _digest(uint256 id, uint32 episode) private view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "RestoreTighter(address target,uint256 checkpoint,uint32 keyEpisode,uint32 epoch,uint40 deadline)"
        );
        bytes memory message =
            abi.encode(typeHash, address(target), id, episode, controller.epoch(), uint40(block.timestamp));
        return eip712(address(store), message);
    }
}

/// @notice T1, T6 and T10 over parameters.
contract ParameterInvariants is ParameterWorld {
    ParameterHandler private handler;
    uint256 private began;

    function setUp() public override {
        super.setUp();
        began = block.timestamp;
        handler = new ParameterHandler(store, controller, target);
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    /// @dev At most one step per notice, hence less than one a day, with every way of changing counted.
    function invariant_T6_LooseningIsSlow() public view {
        uint256 steps = (block.timestamp - began) / DELAY;
        uint256[3] memory inForce = handler.inForce();
        atMost(inForce[CAP], 500_000 + 100_000 * steps, "cap");
        atMost(inForce[THRESHOLD], 8_000 + 200 * steps, "threshold");
        atLeast(inForce[FLOOR] + 50 * steps, 100, "floor");
    }

    function invariant_ValuesStayInBounds() public view {
        for (uint256 i; i < 3; ++i) {
            ParameterStore.Parameter memory p = store.parameterOf(i);
            atLeast(valueOf(i), p.min, "min");
            atMost(valueOf(i), p.max, "max");
        }
    }

    function invariant_T10_NothingChangesInExit() public view {
        if (handler.exited()) {
            eq(uint256(keccak256(abi.encode(handler.inForce()))), uint256(handler.atExit()), "values after EXIT");
        }
    }

    /// @dev T1 for any single restore from any state, without the way there.
    function testFuzz_T1_GuardianRestoreIsTighter(uint104[3] memory present, uint104[3] memory later) public {
        for (uint256 round; round < 2; ++round) {
            for (uint256 i; i < 3; ++i) {
                ParameterStore.Parameter memory p = store.parameterOf(i);
                uint104 value = uint104(clamp(round == 0 ? present[i] : later[i], p.min, p.max));
                uint256 current = valueOf(i);
                bool tighter = i == FLOOR ? value > current : value < current;
                if (tighter) change(i, value);
                else _creep(i, value, p.maxStepPerDay);
            }
            vm.warp(block.timestamp + 1 days);
        }
        uint256[3] memory was = handler.inForce();
        uint256 id = store.checkpoints() - 1;
        uint104[] memory checkpoint = store.checkpointOf(id).values;
        trip(Mode.RESTRICTED, 1);
        uint40 deadline = uint40(block.timestamp);
        controller.approve(restoreDigest(id, deadline));
        (bool ok,) = address(store).call(abi.encodeCall(store.restoreTighter, (id, 1, deadline, noSignatures)));
        for (uint256 i; i < 3; ++i) {
            bool higher = i == FLOOR;
            uint256 tighter = (checkpoint[i] > was[i]) == higher ? checkpoint[i] : was[i];
            eq(valueOf(i), ok ? tighter : was[i], "the tighter of the two");
            if (!ok) eq(tighter, was[i], "reverts only when there is nothing to tighten");
        }
    }

    /// @dev One noticed step towards a looser value.
    function _creep(uint256 parameter, uint104 value, uint104 step) private {
        uint104 current = uint104(valueOf(parameter));
        if (value == current) return;
        if (value > current && value - current > step) value = current + step;
        if (value < current && current - value > step) value = current - step;
        change(parameter, value);
        vm.warp(block.timestamp + DELAY);
        land(parameter);
        vm.warp(block.timestamp + 1);
    }
}
