// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {IExitFunding} from "../../../src/kit/interfaces/IExitFunding.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {FailSafeWorld} from "./FailSafeWorld.sol";

/// @notice What a deployment may not ask for.
contract ConfigTest is FailSafeWorld {
    FailSafe.Config private _c;

    function setUp() public override {
        super.setUp();
        _c = _config();
    }

    function _refuse(bytes32 what, uint256 value, uint256 least, uint256 most) private {
        vm.expectRevert(abi.encodeWithSelector(FailSafe.ConfigOutOfBounds.selector, what, value, least, most));
        _deploy(_c);
        _c = _config();
    }

    function test_CeilingsHold() public {
        _c.grace = 4 hours - 1;
        _refuse("grace", 4 hours - 1, 4 hours, 48 hours);
        _c.grace = 48 hours + 1;
        _refuse("grace", 48 hours + 1, 4 hours, 48 hours);
        _c.factorFloorBps = 2_499;
        _refuse("factorFloor", 2_499, 2_500, 10_000);
        _c.factorFloorBps = 10_001;
        _refuse("factorFloor", 10_001, 2_500, 10_000);
        _c.dwells[0] = 24 hours + 1;
        _refuse("dwell", 24 hours + 1, 1, 24 hours);
        for (uint256 i = 0; i < 5; ++i) {
            _c.dwells[i] = 0;
            _refuse("dwell", 0, 1, i == 0 ? 24 hours : 30 days);
        }
        _c.budgets[0] = 3.5 days + 1;
        _refuse("haltBudget", 3.5 days + 1, S0 + 1 hours, 3.5 days);
        _c.budgets[1] = 7 days + 1;
        _refuse("tightBudget", 7 days + 1, 3.5 days, 7 days);
        _c.budgets[2] = 15 days + 1;
        _refuse("watchBudget", 15 days + 1, 7 days + RAMP, 15 days);
    }

    function test_BoundsFitTogether() public {
        _c.budgets[0] = S0;
        _refuse("haltBudget", S0, S0 + 1 hours, 3.5 days);
        _c.budgets[1] = 3.5 days - 1;
        _refuse("tightBudget", 3.5 days - 1, 3.5 days, 7 days);
        _c.budgets[2] = 7 days + RAMP - 1;
        _refuse("watchBudget", 7 days + RAMP - 1, 7 days + RAMP, 15 days);
        // Sensors reach a third of 15 days, and need some of it beyond the ramp.
        _c.dwells[4] = 24 hours + 36 hours;
        _refuse("ramp", RAMP + 36 hours, 24 hours, 5 days - 1 hours);
        // A ramp shorter than a WATCH would end a WATCH early.
        _c.dwells = [uint40(1), 24 hours - 4, 1, 1, 1];
        _refuse("ramp", 24 hours - 1, 24 hours, 5 days - 1 hours);
    }

    function test_NobodyIsLeftOut() public {
        _c.controller = address(0);
        _refuse("controller", 0, 1, type(uint160).max);
        _c.exit = IExitFunding(address(0));
        _refuse("exit", 0, 1, type(uint160).max);
    }

    function test_ListsAreShortSortedAndWithoutZero() public {
        _c.exitAssets = new address[](9);
        _refuse("listed", 9, 0, 8);
        _c.strategies = new address[](9);
        _refuse("listed", 9, 0, 8);
        _c.exitAssets = new address[](1);
        _refuse("listed", 0, 1, type(uint160).max);
        _c.strategies = new address[](2);
        (_c.strategies[0], _c.strategies[1]) = (ALICE, ALICE);
        _refuse("listed", uint160(ALICE), uint256(uint160(ALICE)) + 1, type(uint160).max);
        _c.strategies = new address[](2);
        (_c.strategies[0], _c.strategies[1]) = (ALICE, BOB);
        _refuse("listed", uint160(BOB), uint256(uint160(ALICE)) + 1, type(uint160).max);
    }

    function test_NobodyInitialisesTwice() public {
        address[] memory assets = new address[](1);
        assets[0] = BOB;
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.NothingChanges.selector));
        vault.initAgain(assets);
    }

    /// @dev Behind a proxy that nobody initialised, the words are zero: NORMAL, and a trip works.
    function test_ZeroedWordsAreNormal() public {
        vm.store(address(vault), SLOT, 0);
        vm.store(address(vault), bytes32(uint256(SLOT) + 1), 0);
        _open(1, true, "open");
        eq(_halt(1 hours), START + 1 hours, "trips");
        eq(vault.frozenSeconds(), 0, "nothing frozen before");

        vm.store(address(vault), SLOT, 0);
        address[] memory assets = new address[](1);
        assets[0] = BOB;
        vault.initAgain(assets);
        eq(uint256(vm.load(address(vault), SLOT)), 1, "initialised");
        _exit();
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.AssetNotListed.selector, ALICE));
        vault.failsafeSurrender(ALICE);
    }
}
