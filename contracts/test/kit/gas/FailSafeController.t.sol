// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {Mode, TripIntent} from "../../../src/kit/Types.sol";
import {IExitFunding} from "../../../src/kit/interfaces/IExitFunding.sol";
import {IEntitlementLimit} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {ControllerWorld} from "../FailSafeController/ControllerWorld.sol";

contract Guarded is FailSafe {
    constructor(Config memory config) FailSafe(config) {}
}

/// @notice Gas of whole transactions: the intrinsic cost and calldata are in it when each call is a transaction (`--isolate`).
/// @dev The goals of the three trips are not reached, and the ceilings keep what is: before it computes anything, a trip of one
/// target costs 57 617 (23 832 with its calldata; 2 100 for the seat, 5 000 for the scope, 5 000 for the action key, 2 100 for the
/// list, 300 for the lock; 2 600 for the target, 10 000 for its two words; 6 685 for the events), and ten targets 204 650.
contract FailSafeControllerGas is ControllerWorld {
    event GasUsed(string operation, uint256 goal, uint256 ours);

    bytes32 internal constant TEN = "ten";

    function setUp() public override {
        super.setUp();
        vm.prank(COUNCIL);
        controller.addScope(TEN, GLOBAL);
        _seat(TEN);
        // A group that is one key, as for a contract or a single node.
        address[] memory one = new address[](1);
        one[0] = RELAYER;
        for (uint256 i; i < 11; ++i) {
            address target = address(_guarded());
            vm.prank(COUNCIL);
            controller.enrol(target, i == 0 ? MARKET : TEN);
        }
        vm.startPrank(COUNCIL);
        controller.setGroup(MARKET, 2, 1, Mode.HALTED, 72 hours, one);
        controller.setGroup(TEN, 0, 1, Mode.HALTED, 72 hours, one);
        vm.stopPrank();
        vm.prank(RELAYER);
        controller.heartbeat(TEN, block.number - 1, blockhash(block.number - 1));
        _step(7_200, 1 days);
    }

    function test_Gas_HeartbeatWithBlockHash() public {
        bytes32 parent = blockhash(block.number - 1);
        vm.prank(RELAYER);
        controller.heartbeat(TEN, block.number - 1, parent);
        _report("heartbeat with block hash", 34_000, 34_000, vm.lastCallGas().gasTotalUsed);
    }

    function test_Gas_Trip() public {
        _one();
        TripIntent memory i = _halt(72 hours);
        vm.prank(RELAYER);
        uint256 ok = controller.trip(i);
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        eq(ok, 1, "all tightened");
        _report("trip, 1 target", 60_000, 87_000, gas);
    }

    function test_Gas_Trip10() public {
        TripIntent memory i = _intent(TEN, Mode.HALTED, 72 hours, keccak256("halt"));
        vm.prank(RELAYER);
        uint256 ok = controller.trip(i);
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        eq(ok, 0x3ff, "all tightened");
        _report("trip, 10 targets", 250_000, 371_000, gas);
    }

    function test_Gas_TripBySig() public {
        TripIntent memory i = _halt(72 hours);
        bytes[] memory sigs = _sign(i, 0, 2);
        vm.prank(RELAYER);
        uint256 ok = controller.tripBySig(i, sigs);
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        eq(ok, 1, "all tightened");
        _report("tripBySig, 2 of 3, 1 target", 90_000, 108_000, gas);
    }

    /// @dev The market's primary is one key.
    function _one() private {
        address[] memory one = new address[](1);
        one[0] = address(0xabc);
        vm.startPrank(COUNCIL);
        controller.setGroup(MARKET, 2, 1, Mode.HALTED, 72 hours, one);
        one[0] = RELAYER;
        controller.setGroup(MARKET, 0, 1, Mode.HALTED, 72 hours, one);
        vm.stopPrank();
        vm.prank(RELAYER);
        controller.heartbeat(MARKET, block.number - 1, blockhash(block.number - 1));
    }

    function _report(string memory operation, uint256 goal, uint256 ceiling, uint256 ours) private {
        emit GasUsed(operation, goal, ours);
        atMost(ours, ceiling, operation);
    }

    function _guarded() private returns (Guarded) {
        FailSafe.Config memory config;
        config.controller = address(controller);
        config.exit = IExitFunding(address(verdicts));
        config.entitlements = IEntitlementLimit(address(verdicts));
        config.grace = 12 hours;
        config.dwells = [uint40(6 hours), 24 hours, 12 hours, 24 hours, 24 hours];
        config.budgets = [uint40(3.5 days), 7 days, 15 days];
        config.factorFloorBps = 5_000;
        return new Guarded(config);
    }
}
