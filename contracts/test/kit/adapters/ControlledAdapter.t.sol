// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {PausableAdapter} from "../../../src/kit/adapters/PausableAdapter.sol";
import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {Scopes} from "../../../src/kit/controller/Scopes.sol";
import {Mode, TripIntent} from "../../../src/kit/Types.sol";
import {ControllerWorld} from "../FailSafeController/ControllerWorld.sol";
import {AdapterWorld} from "./AdapterWorld.sol";
import {GasEaterSubject, HostileSubject, SharedVault} from "./Subjects.sol";

/// @notice Adapters as targets of a real controller, next to targets that misbehave.
contract ControlledAdapterTest is ControllerWorld, AdapterWorld {
    HostileSubject private hostile;

    function setUp() public override {
        super.setUp();
        vault = new SharedVault(TEAM);
        hostile = new HostileSubject();
        _enrolled(address(new GasEaterSubject()));
        _enrolled(address(hostile));
        adapter = _enrolled(address(vault));
        vault.grant(address(adapter), address(adapter));
    }

    function test_OneTripPausesWhatCanBePausedAndTimeGivesItBack() public {
        hostile.setMode(HostileSubject.Mode.RETURN_BOMB);
        eq(_trip(_halt(10 hours)), 6, "all but the one that eats its gas");
        yes(vault.paused() && hostile.paused(), "paused");

        // From here on nobody who has a key does anything.
        vm.warp(block.timestamp + 10 hours + S0);
        vm.prank(address(0xA11));
        adapter.expire();
        vm.warp(block.timestamp + 1);
        vm.prank(address(0xA11));
        adapter.expire();
        yes(!vault.paused(), "open");
    }

    function test_ARestrictionThatTheLeverCannotExpressIsToldAndStopsNobody() public {
        TripIntent memory i = _restrict(10 hours);
        _refused(i, abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        FailSafe.Config memory config = bounds();
        config.controller = address(controller);
        vault.grant(address(0), address(0));
        adapter = new PausableAdapter(config, switchOf(address(vault), VAULT, type(uint32).max));
        vault.grant(address(adapter), address(adapter));
        _council();
        controller.enrol(address(adapter), MARKET);
        eq(_trip(i), 8, "the one that the council lets round up");
        yes(vault.paused() && !hostile.paused(), "and no other");
    }

    function test_TheRecoveryOfTheScopeReachesTheAdapter() public {
        _trip(_halt(10 hours));
        vm.warp(block.timestamp + 10 hours + S0 + 24 hours);
        _plan();
        controller.setStage(MARKET, 2);
        eq(stateNow().stage, 1, "in this second the stage before binds");
        vm.warp(block.timestamp + 1);
        eq(stateNow().stage, 2, "stage");
        yes(vault.paused(), "a stage lifts nothing by itself");
        expireInTwo();
        yes(!vault.paused(), "open");
    }

    function _enrolled(address target) private returns (PausableAdapter made) {
        FailSafe.Config memory config = bounds();
        config.controller = address(controller);
        made = new PausableAdapter(config, switchOf(target, VAULT, ~VAULT));
        _council();
        controller.enrol(address(made), MARKET);
    }
}
