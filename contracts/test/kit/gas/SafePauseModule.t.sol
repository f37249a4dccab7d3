// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {PauseIntent} from "../../../src/kit/adapters/SafePauseModule.sol";
import {SafeWorld} from "../adapters/SafeWorld.sol";

/// @notice What a pause through a Safe costs its relayer; with `--isolate` the whole transaction, all slots cold.
contract SafePauseModuleGasTest is SafeWorld {
    uint256 private constant GOAL = 90_000;

    event GasUsed(string operation, uint256 goal, uint256 ours);

    function setUp() public {
        buildSafe();
    }

    function test_Gas_PauseThroughSafe() public {
        PauseIntent memory intent = pauseIntent();
        bytes memory signed = deputise(DEPUTY_KEY, intent);
        uint256 before = gasleft();
        module.execute(intent, signed);
        uint256 ours = before - gasleft();
        emit GasUsed("SafePauseModule pause through a Safe", GOAL, ours);
        yes(vault.paused(), "paused");
        atMost(ours, GOAL, "gas");
    }
}
