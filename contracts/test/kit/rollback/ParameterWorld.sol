// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {ParameterStore} from "../../../src/kit/rollback/ParameterStore.sol";
import {COUNCIL, CONTROLLER, GuardedStub, StubbedController, eip712} from "./RollbackWorld.sol";

uint256 constant CAP = 0;
uint256 constant THRESHOLD = 1;
uint256 constant FLOOR = 2;

/// @notice A market's three parameters: a cap and a threshold, tighter when lower, and a floor, tighter when higher. Threshold and floor
/// are for liquidation.
abstract contract ParameterWorld is StubbedController {
    uint40 internal constant DELAY = 48 hours;
    uint40 internal constant GRACE = 12 hours;

    GuardedStub internal target;
    ParameterStore internal store;

    function setUp() public virtual override {
        super.setUp();
        target = new GuardedStub();
        store =
            new ParameterStore(IFailSafeController(CONTROLLER), address(target), DELAY, GRACE, parameters(), values());
    }

    function parameters() internal pure returns (ParameterStore.Parameter[] memory list) {
        list = new ParameterStore.Parameter[](3);
        list[CAP] = ParameterStore.Parameter("cap", 1_000, 1_000_000, 100_000, ParameterStore.Side.LOWER, false);
        list[THRESHOLD] = ParameterStore.Parameter("threshold", 5_000, 9_500, 200, ParameterStore.Side.LOWER, true);
        list[FLOOR] = ParameterStore.Parameter("floor", 10, 500, 50, ParameterStore.Side.HIGHER, true);
    }

    function values() internal pure returns (uint104[] memory list) {
        list = new uint104[](3);
        (list[CAP], list[THRESHOLD], list[FLOOR]) = (500_000, 8_000, 100);
    }

    function valueOf(uint256 parameter) internal view returns (uint256) {
        return store.valueOf(parameter, Classes.ENTER);
    }

    function change(uint256 parameter, uint104 value) internal {
        vm.prank(COUNCIL);
        store.change(parameter, value);
    }

    /// @dev The same call; says that the value is looser.
    function schedule(uint256 parameter, uint104 value) internal {
        uint256 before = valueOf(parameter);
        change(parameter, value);
        eq(valueOf(parameter), before, "notice changes nothing");
    }

    function land(uint256 parameter) internal {
        vm.prank(COUNCIL);
        store.land(parameter);
    }

    function trip(Mode mode, uint32 episodeId) internal {
        target.put(mode, 0);
        controller.setEpisode(episodeId, controller.epoch());
    }

    function restoreDigest(uint256 id, uint40 deadline) internal view returns (bytes32) {
        bytes memory message = abi.encode(
            keccak256(
                "RestoreTighter(address target,uint256 checkpoint,uint32 keyEpisode,uint32 epoch,uint40 deadline)"
            ),
            address(target),
            id,
            controller.episodeId(),
            controller.epoch(),
            deadline
        );
        return eip712(address(store), message);
    }

    function signedRestore(uint256 id) internal {
        uint40 deadline = uint40(block.timestamp) + 1 hours;
        controller.approve(restoreDigest(id, deadline));
        store.restoreTighter(id, 1, deadline, noSignatures);
    }
}
