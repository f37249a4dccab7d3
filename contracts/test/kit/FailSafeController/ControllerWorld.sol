// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {ExitCause, Mode, Origin, TripIntent} from "../../../src/kit/Types.sol";
import {CouncilChallenge} from "../../../src/kit/controller/CouncilChallenge.sol";
import {ISequencerFeed} from "../../../src/kit/controller/Seats.sol";
import {SensorTrips} from "../../../src/kit/controller/SensorTrips.sol";
import {IExitConditions, IExitRounds, IInsolvencyVerdict} from "../../../src/kit/interfaces/IExitConditions.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {Assert} from "../../utils/Assert.sol";
import {MockTarget} from "./MockTarget.sol";

/// @notice The recovery plan, the exit rounds and the forced exits, each with the one answer that a controller asks for.
contract Verdicts is IExitConditions, IExitRounds, IInsolvencyVerdict {
    bool public insolvent;
    bool public starved;
    uint256 public rounds;
    uint256 public checkpointId;

    error WrongCheckpoint(uint256 id);

    function setInsolvent(bool insolvent_) external {
        insolvent = insolvent_;
    }

    function setStarved(bool starved_) external {
        starved = starved_;
    }

    function exitable(bytes32) external view returns (bool) {
        return insolvent;
    }

    function unserved(bytes32) external view returns (bool) {
        return starved;
    }

    function openRound(bytes32, uint256 checkpointId_) external returns (uint256) {
        if (checkpointId_ == 666) revert WrongCheckpoint(checkpointId_);
        checkpointId = checkpointId_;
        return ++rounds;
    }
}

/// @notice A controller with a tree of three scopes, a primary of three signers (two needed), a backup of two (one needed), and
/// mock targets.
abstract contract ControllerWorld is Assert {
    bytes32 internal constant GLOBAL = "global";
    bytes32 internal constant PRODUCT = "product";
    bytes32 internal constant MARKET = "market";
    address internal constant COUNCIL = address(0xC0);
    address internal constant RELAYER = address(0x7e1a7);
    uint256 internal constant START = 1_700_000_000;
    uint256 internal constant START_BLOCK = 18_000_000;
    uint24 internal constant BLOCKS_PER_DAY = 7_200;
    uint256 internal constant BOND = 1 ether;
    uint32 internal constant HALT_MASK = Classes.RESTRICTABLE;

    FailSafeController internal controller;
    CouncilChallenge internal challenge;
    SensorTrips internal sensors;
    Verdicts internal verdicts;

    /// @dev Sorted by address: 0..2 the primary, 3..4 the backup.
    uint256[5] internal keys;

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(START_BLOCK);
        for (uint256 i; i < 5; ++i) {
            keys[i] = i + 1;
        }
        _sort(0, 3);
        _sort(3, 5);
        verdicts = new Verdicts();
        _deploy(_configuration());
        vm.startPrank(COUNCIL);
        controller.addScope(GLOBAL, 0);
        controller.addScope(PRODUCT, GLOBAL);
        controller.addScope(MARKET, PRODUCT);
        controller.setSoftOrigin(address(sensors), Origin.SENSOR);
        vm.stopPrank();
        _seat(MARKET);
    }

    function _configuration() internal virtual returns (FailSafeController.Configuration memory c) {
        c.council = COUNCIL;
        (c.recoveryPlan, c.emergencyExit, c.forcedExits) = (address(verdicts), address(verdicts), address(verdicts));
        (c.tripFactorBps, c.s0Dwell, c.blocksPerDay) = (5_000, 6 hours, BLOCKS_PER_DAY);
    }

    function _deploy(FailSafeController.Configuration memory c) internal {
        uint64 nonce = vm.getNonce(address(this));
        c.challenge = vm.computeCreateAddress(address(this), nonce + 1);
        controller = new FailSafeController(c);
        challenge = new CouncilChallenge(controller, BOND);
        sensors = new SensorTrips(controller, 5);
    }

    /// @dev Primary and backup in `scope`, all heard.
    function _seat(bytes32 scope) internal {
        address[] memory primary = new address[](3);
        for (uint256 i; i < 3; ++i) {
            primary[i] = vm.addr(keys[i]);
        }
        address[] memory backup = new address[](2);
        for (uint256 i; i < 2; ++i) {
            backup[i] = vm.addr(keys[3 + i]);
        }
        vm.startPrank(COUNCIL);
        controller.setGroup(scope, 0, 2, Mode.HALTED, 72 hours, primary);
        controller.setGroup(scope, 1, 1, Mode.HALTED, 72 hours, backup);
        vm.stopPrank();
        _beatAll(scope);
    }

    function _beatAll(bytes32 scope) internal {
        _step(1, 12);
        for (uint256 i; i < 5; ++i) {
            _beat(scope, i);
        }
    }

    function _beat(bytes32 scope, uint256 signer) internal {
        bytes32 parent = blockhash(block.number - 1);
        vm.prank(vm.addr(keys[signer]));
        controller.heartbeat(scope, block.number - 1, parent);
    }

    function _step(uint256 blocks, uint256 secs) internal {
        vm.roll(block.number + blocks);
        vm.warp(block.timestamp + secs);
        vm.setBlockhash(block.number - 1, keccak256(abi.encode(block.number - 1)));
    }

    function _enrol(bytes32 scope, uint256 count) internal returns (MockTarget[] memory targets) {
        targets = new MockTarget[](count);
        for (uint256 i; i < count; ++i) {
            targets[i] = new MockTarget();
            vm.prank(COUNCIL);
            controller.enrol(address(targets[i]), scope);
        }
    }

    // ---------------------------------------------------------------- intents

    function _intent(bytes32 scope, Mode mode, uint256 duration, bytes32 stepHash)
        internal
        view
        returns (TripIntent memory i)
    {
        IFailSafeController.Episode memory e = controller.episodeOf(scope);
        (i.scope, i.mode, i.stepHash) = (scope, mode, stepHash);
        i.mask = mode == Mode.WATCH ? 0 : Classes.closable(mode);
        (i.duration, i.notAfter) = (uint40(duration), uint40(block.timestamp + duration + 1 days));
        (i.reason, i.evidence) = ("drain", keccak256("journal"));
        i.keyEpisode = e.mode == Mode.NORMAL ? e.episodeId + 1 : e.episodeId;
        i.tripCount = e.mode == Mode.NORMAL ? 0 : e.tripCount;
        (i.epoch, i.deadline) = (e.epoch, uint40(block.timestamp + 1 days));
    }

    function _halt(uint256 duration) internal view returns (TripIntent memory) {
        return _intent(MARKET, Mode.HALTED, duration, keccak256("halt"));
    }

    function _restrict(uint256 duration) internal view returns (TripIntent memory) {
        return _intent(MARKET, Mode.RESTRICTED, duration, keccak256("restrict"));
    }

    function _sign(TripIntent memory i, uint256 from, uint256 count) internal view returns (bytes[] memory sigs) {
        return _signDigest(controller.digestOf(i), from, count);
    }

    function _signDigest(bytes32 digest, uint256 from, uint256 count) internal view returns (bytes[] memory sigs) {
        sigs = new bytes[](count);
        for (uint256 n; n < count; ++n) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[from + n], digest);
            sigs[n] = abi.encodePacked(r, s, v);
        }
    }

    /// @dev By the primary's first two signers.
    function _trip(TripIntent memory i) internal returns (uint256) {
        bytes[] memory sigs = _sign(i, 0, 2);
        vm.prank(RELAYER);
        return controller.tripBySig(i, sigs);
    }

    function _refused(TripIntent memory i, bytes memory refusal) internal {
        bytes[] memory sigs = _sign(i, 0, 2);
        vm.expectRevert(refusal);
        controller.tripBySig(i, sigs);
    }

    function _is(bytes32 scope, Mode mode, string memory what) internal view {
        eq(uint8(controller.episodeOf(scope).mode), uint8(mode), what);
    }

    function _council() internal {
        vm.prank(COUNCIL);
    }

    function _plan() internal {
        vm.prank(address(verdicts));
    }

    function _err(bytes4 selector) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector);
    }

    function _sort(uint256 from, uint256 to) private {
        for (uint256 i = from; i < to; ++i) {
            for (uint256 j = i + 1; j < to; ++j) {
                if (vm.addr(keys[j]) < vm.addr(keys[i])) (keys[i], keys[j]) = (keys[j], keys[i]);
            }
        }
    }
}
