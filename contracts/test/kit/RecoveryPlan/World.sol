// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Mode} from "../../../src/kit/Types.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {IRecoveryHooks} from "../../../src/kit/interfaces/IRecoveryHooks.sol";
import {IDeficitSource, IProbe, ISolvencySource} from "../../../src/kit/interfaces/ISensors.sol";
import {IRecoveryController, RecoveryPlan} from "../../../src/kit/recovery/RecoveryPlan.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice An episode that tests set, and a record of what the plan ordered.
contract FakeController is IRecoveryHooks {
    IFailSafeController.Episode private _episode;
    address public council = address(0xc0);
    uint8[] public orders;
    bool public insolvent;

    function set(Mode mode, uint40 until) external {
        if (_episode.mode == Mode.NORMAL) {
            _episode.episodeId++;
            _episode.episodeStart = uint40(block.timestamp);
            _episode.incidentBlock = uint40(block.number);
        }
        _episode.mode = mode;
        _episode.until = until;
    }

    function setStage(bytes32, uint8 stage) external {
        orders.push(stage);
        _episode.mode = Mode.RECOVERING;
    }

    function finish(bytes32) external {
        orders.push(5);
        _episode.mode = Mode.NORMAL;
    }

    function setInsolvent(bytes32, bool insolvent_) external {
        insolvent = insolvent_;
    }

    function episodeOf(bytes32) external view returns (IFailSafeController.Episode memory) {
        return _episode;
    }

    function orderCount() external view returns (uint256) {
        return orders.length;
    }
}

/// @notice A sensor and probe that answers as it is told, or badly.
contract Gauge is ISolvencySource, IDeficitSource, IProbe {
    enum Answer {
        HONEST,
        REVERT,
        BURN,
        BOMB,
        SHORT,
        NOT_BOOL
    }

    Answer public answer;
    uint256 public value;
    uint40 public asOf;
    /// @dev Whether the oldest price is as old as the block.
    bool public live = true;

    function set(uint256 value_) external {
        value = value_;
    }

    function setAsOf(uint40 asOf_) external {
        (asOf, live) = (asOf_, false);
    }

    function revive() external {
        live = true;
    }

    function misbehave(Answer answer_) external {
        answer = answer_;
    }

    function solvency(bytes32) external view returns (uint256, uint40) {
        return _answer();
    }

    function deficit(bytes32) external view returns (uint256, uint40) {
        return _answer();
    }

    function green() external view returns (bool) {
        (uint256 first,) = _answer();
        return first == 1;
    }

    function _answer() private view returns (uint256, uint40) {
        if (answer == Answer.REVERT) revert("no");
        if (answer == Answer.BURN) while (true) {}
        if (answer == Answer.NOT_BOOL) {
            assembly {
                mstore(0, 2)
                return(0, 64)
            }
        }
        if (answer == Answer.SHORT) {
            assembly {
                mstore(0, 1)
                return(0, 31)
            }
        }
        if (answer == Answer.BOMB) {
            assembly {
                revert(0, 150000)
            }
        }
        return (value, live ? uint40(block.timestamp) : asOf);
    }
}

/// @notice One scope with a sound sensor, two green probes and no deficit.
abstract contract RecoveryWorld is Assert {
    bytes32 internal constant SCOPE = "market";
    address internal constant COUNCIL = address(0xc0);
    uint40 internal constant S0 = 6 hours;
    uint40 internal constant GRACE = 12 hours;
    uint40 internal constant AGE = 1 hours;
    uint40 internal constant K = 5;
    uint40 internal constant START = 1_700_000_000;

    FakeController internal controller;
    RecoveryPlan internal plan;
    Gauge internal solvency;
    Gauge internal deficit;
    Gauge internal probe;
    Gauge internal probe2;

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(1_000);
        controller = new FakeController();
        plan = new RecoveryPlan(IRecoveryController(address(controller)), S0, GRACE, AGE, K);
        (solvency, deficit, probe, probe2) = (new Gauge(), new Gauge(), new Gauge(), new Gauge());
        solvency.set(1e18);
        probe.set(1);
        probe2.set(1);
        vm.prank(COUNCIL);
        plan.enrol(SCOPE, _sensors());
    }

    function _sensors() internal view returns (RecoveryPlan.Sensors memory s) {
        s.solvency = solvency;
        s.deficit = deficit;
        s.probes = new IProbe[](2);
        (s.probes[0], s.probes[1]) = (probe, probe2);
    }

    /// @dev Restricts for `duration` from now.
    function _trip(Mode mode, uint40 duration) internal returns (uint40 until) {
        until = uint40(block.timestamp) + duration;
        controller.set(mode, until);
    }

    /// @dev Two readings far enough apart.
    function _flag() internal {
        plan.flagInsolvent(SCOPE);
        vm.roll(block.number + K);
        plan.flagInsolvent(SCOPE);
    }

    /// @dev From S1 with everything green to the moment before the step into `stage`.
    function _climb(uint8 stage) internal {
        (, uint40 since) = plan.stageOf(SCOPE);
        vm.warp(since);
        plan.notePrices(SCOPE);
        for (uint8 s = 1; s < stage; ++s) {
            vm.warp(block.timestamp + plan.dwellOf(s));
            if (s + 1 < stage) plan.advance(SCOPE);
        }
    }

    function _eqStage(uint8 want, string memory what) internal view {
        (uint8 stage,) = plan.stageOf(SCOPE);
        eq(stage, want, what);
    }
}
