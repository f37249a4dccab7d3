// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {Actors} from "./Actors.sol";
import {FailSafeWorld} from "./FailSafeWorld.sol";

/// @notice Whatever anybody does, in whatever order and whenever. Most of it is checked at every step: see {Actors}.
abstract contract InvariantTest is FailSafeWorld {
    Actors internal actors;

    function _lonely() internal pure virtual returns (bool);

    function _config() internal view override returns (FailSafe.Config memory config) {
        config = super._config();
        if (address(actors) != address(0)) config.controller = address(actors);
    }

    function setUp() public override {
        super.setUp();
        actors = new Actors(_lonely());
        vault = _deploy(_config());
        actors.guard(vault);
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(actors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory list) {
        bytes4[13] memory all = [
            Actors.pass.selector,
            Actors.passDays.selector,
            Actors.trip.selector,
            Actors.halt.selector,
            Actors.poke.selector,
            Actors.advance.selector,
            Actors.settle.selector,
            Actors.extend.selector,
            Actors.release.selector,
            Actors.flag.selector,
            Actors.hold.selector,
            Actors.waive.selector,
            Actors.end.selector
        ];
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(actors), new bytes4[](_lonely() ? 7 : 13));
        for (uint256 i = 0; i < list[0].selectors.length; ++i) {
            list[0].selectors[i] = all[i];
        }
    }

    function invariant_FrozenSecondsAreTheUnion() public {
        vm.warp(actors.clock());
        eq(vault.frozenSeconds(), actors.frozen(), "frozen");
    }
}

/// @notice Hostile guardians, sensors and vouchers alone, and somebody who opens each stage when it is due.
contract HostileGuardianInvariants is InvariantTest {
    function _lonely() internal pure override returns (bool) {
        return true;
    }

    function afterInvariant() public view {
        atMost(actors.frozenInWindow(), 7 days, "T2: HALTED plus S0 in 90 days");
        atMost(actors.tightInWindow(), 14 days, "T2: RESTRICTED or tighter in 90 days");
        atMost(actors.anyInWindow(), 30 days, "T2: with the whole ramp in 90 days");
        atMost(actors.haltedInEpisode(), 72 hours, "T2: halted in an episode");
        atMost(actors.s0InEpisode(), S0, "T2: S0 in an episode");
    }
}

/// @notice The same with a council that does whatever it may.
contract EverybodyInvariants is InvariantTest {
    function _lonely() internal pure override returns (bool) {
        return false;
    }
}
