// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {ExitCause, Mode, TripIntent} from "../../../src/kit/Types.sol";
import {Exits} from "../../../src/kit/controller/Exits.sol";
import {Scopes} from "../../../src/kit/controller/Scopes.sol";
import {MockTarget} from "./MockTarget.sol";
import {RealWorld} from "./RealWorld.sol";

/// @notice A target that tells a bound and does nothing else differently.
contract TellingTarget is MockTarget {
    function failsafeHaltBudget() external pure returns (uint40) {
        return 1 days;
    }
}

/// @notice The controller with a real target and the real recovery plan.
contract EndToEndTest is RealWorld {
    /// @dev T4: nobody acts, and it ends in S1; anyone acts, and it ends in NORMAL.
    function test_HaltExpiresAndRampsToNormal() public {
        _trip(_halt(72 hours));
        _at(Mode.HALTED, 0, "halted");
        vm.warp(block.timestamp + 72 hours);
        _at(Mode.RECOVERING, 0, "S0");
        plan.notePrices(MARKET);
        vm.warp(block.timestamp + 6 hours);
        _at(Mode.RECOVERING, 1, "S1");
        vm.warp(block.timestamp + 24 hours);
        plan.advance(MARKET);
        _at(Mode.RECOVERING, 2, "S2");
        vm.warp(block.timestamp + 12 hours);
        plan.advance(MARKET);
        _at(Mode.RECOVERING, 3, "S3");
        vm.warp(block.timestamp + 24 hours);
        plan.advance(MARKET);
        _at(Mode.RECOVERING, 4, "S4");
        vm.warp(block.timestamp + 24 hours);
        plan.advance(MARKET);
        _at(Mode.NORMAL, 0, "target");
        _is(MARKET, Mode.NORMAL, "scope");
        vm.warp(block.timestamp + 1);
        purse.act(Classes.ENTER);
    }

    function test_ReleaseAndConfirm() public {
        _trip(_restrict(10 hours));
        _council();
        controller.confirm(MARKET, uint40(block.timestamp + 20 days));
        (, RestrictionView memory now_) = _state();
        eq(now_.until, block.timestamp + 20 days, "prolonged at the target");
        vm.warp(block.timestamp + 19 days);
        _council();
        controller.release(MARKET);
        vm.warp(block.timestamp + 1);
        _at(Mode.RECOVERING, 1, "S1");
        purse.act(Classes.EXIT);
    }

    /// @dev The gap between halts is the target's, and the council's waiver reaches it.
    function test_GapAndWaiver() public {
        _trip(_halt(1 hours));
        _rampToNormal(1 hours);
        vm.warp(block.timestamp + 1 hours);
        _seat(MARKET);
        TripIntent memory i = _halt(1 hours);
        _refused(i, abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        _trip(_restrict(1 hours));
        _council();
        controller.waiveGap(MARKET);
        _trip(_halt(1 hours));
        _at(Mode.HALTED, 0, "halted again");
    }

    function test_InsolventEpisodeEndsInExit() public {
        _trip(_halt(72 hours));
        uint256 start = block.timestamp;
        health.set(0.9e18);
        plan.flagInsolvent(MARKET);
        _step(6, 72);
        plan.flagInsolvent(MARKET);
        vm.warp(start + 10 days);
        _at(Mode.RECOVERING, 0, "S0 is held");
        vm.warp(start + 21 days);
        vm.expectRevert(abi.encodeWithSelector(Exits.CauseNotMet.selector, MARKET, ExitCause.INSOLVENT));
        controller.openExit(MARKET, ExitCause.INSOLVENT, abi.encode(uint256(1)));
        plan.concede(MARKET);
        _step(6, 72);
        plan.concede(MARKET);
        controller.openExit(MARKET, ExitCause.INSOLVENT, abi.encode(uint256(1)));
        _at(Mode.EXIT, 0, "exit");
        purse.act(Classes.CLAIM);
    }

    function test_HoldAfterDay21() public {
        _trip(_halt(72 hours));
        uint256 start = block.timestamp;
        vm.warp(start + 21 days);
        _council();
        controller.holdClosed(MARKET, uint32(1 << Classes.ENTER));
        _rampToNormal(0);
        yes(!purse.failsafeOpen(Classes.ENTER), "held");
        yes(purse.failsafeOpen(Classes.INCREASE_RISK), "all else is open");
        _council();
        controller.holdClosed(MARKET, 0);
        vm.warp(block.timestamp + 1);
        yes(purse.failsafeOpen(Classes.ENTER), "lifted");
    }

    /// @dev A target whose controller was not heard for two stages makes up for them, one at a time, each after its dwell.
    function test_ALaggingTargetCatchesUpByStages() public {
        _trip(_restrict(1 hours));
        vm.warp(block.timestamp + 1 hours);
        plan.notePrices(MARKET);
        bytes memory code = address(purse).code;
        for (uint256 n; n < 3; ++n) {
            vm.warp(block.timestamp + 31 hours);
            vm.etch(address(purse), hex"fe");
            plan.advance(MARKET);
            vm.etch(address(purse), code);
            _at(Mode.RECOVERING, 1, "behind");
        }
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, GLOBAL));
        controller.retry(GLOBAL, 1);
        controller.retry(MARKET, 1);
        _at(Mode.RECOVERING, 2, "one stage");
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        controller.retry(MARKET, 1);
        vm.warp(block.timestamp + 12 hours);
        controller.retry(MARKET, 1);
        _at(Mode.RECOVERING, 3, "the next");
        vm.warp(block.timestamp + 24 hours);
        plan.advance(MARKET);
        _is(MARKET, Mode.NORMAL, "the scope is done");
        _at(Mode.RECOVERING, 4, "the target is not");
        vm.warp(block.timestamp + 24 hours);
        controller.retry(MARKET, 1);
        _at(Mode.NORMAL, 0, "now it is");
    }

    /// @dev T2 holds at the target whatever the scopes on its path ask for.
    function test_TwoScopesShareOneBudget() public {
        _seat(GLOBAL);
        _trip(_halt(72 hours));
        vm.warp(block.timestamp + 71 hours);
        _beatAll(GLOBAL);
        TripIntent memory i = _intent(GLOBAL, Mode.HALTED, 72 hours, "all");
        uint256 start = controller.episodeOf(MARKET).episodeStart;
        _refused(i, abi.encodeWithSelector(Scopes.NothingTightened.selector, GLOBAL));
        (, RestrictionView memory now_) = _state();
        eq(now_.until, start + 72 hours, "no second more");
    }

    function test_WorstCaseTellsTheTargetsBounds() public {
        (uint40 halt, uint40 episode, bool t4) = controller.worstCase(MARKET);
        eq(episode, 21 days, "episode");
        yes(!t4, "no entitlement source");
        eq(halt, 7 days, "twice the bucket");
        (halt,, t4) = controller.worstCase(GLOBAL);
        eq(halt, 7 days, "the same above");
        _enrol(MARKET, 1);
        (halt,,) = controller.worstCase(MARKET);
        eq(halt, type(uint40).max, "a target that tells nothing bounds nothing");
        address telling = address(new TellingTarget());
        _council();
        controller.enrol(telling, MARKET);
        (halt,,) = controller.worstCase(MARKET);
        eq(halt, type(uint40).max, "whatever a later one tells");
    }

    /// @dev From the end of a restriction on.
    function _rampToNormal(uint256 until) private {
        vm.warp(block.timestamp + until);
        plan.notePrices(MARKET);
        for (uint256 n; n < 4; ++n) {
            vm.warp(block.timestamp + 31 hours);
            plan.advance(MARKET);
        }
        vm.warp(block.timestamp + 1);
        _at(Mode.NORMAL, 0, "normal");
    }
}
