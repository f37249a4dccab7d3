// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Mode} from "../../../src/kit/Types.sol";
import {Gauge, RecoveryWorld} from "./World.sol";

/// @notice Trips, readings, steps and time in any order, with a book of what was seen kept beside.
contract RecoveryHandler is RecoveryWorld {
    /// @dev Whatever a rule below forbids and the plan did.
    string public broken;
    uint256 public steps;
    uint256 public flags;

    uint256 private _episodeStart;
    uint256 private _rampFrom;
    uint8 private _stage;
    uint256 private _since;
    uint256 private _pricesLiveSince;
    bool private _bit;
    uint256 private _below;
    uint256 private _whole;

    function trip(bool halt, uint256 duration) external {
        // Rare inside an episode, so that ramps get somewhere.
        if (_episodeStart != 0 && duration % 5 != 0) return;
        duration = clamp(duration, 1 hours, 3 days);
        if (_episodeStart == 0) _episodeStart = block.timestamp;
        // A controller grants nothing beyond day 21.
        if (block.timestamp + duration > _episodeStart + 21 days) return;
        if (block.timestamp + duration <= _rampFrom) return;
        _rampFrom = _trip(halt ? Mode.HALTED : Mode.RESTRICTED, uint40(duration));
        if (halt) _since = _rampFrom + S0;
        else _since = _rampFrom;
        (_stage, _pricesLiveSince) = (1, 0);
    }

    function gauges(uint256 ratio, uint256 moods) external {
        solvency.set(clamp(ratio, 1e18 - 2, 1e18 + 1));
        solvency.misbehave(moods % 4 == 0 ? Gauge.Answer.REVERT : Gauge.Answer.HONEST);
        probe.set((moods >> 8) % 4 == 0 ? 0 : 1);
        deficit.set((moods >> 16) % 4 == 0 ? 1 : 0);
    }

    /// @dev What a willing caller does: waits for the dwell and steps.
    function climb() external {
        calm();
        note();
        vm.warp(block.timestamp + 24 hours);
        advance();
    }

    /// @dev Two readings in a row by whoever thinks it is insolvent, or whole.
    function touchTwice(bool below) external {
        for (uint256 i = 0; i < 2; ++i) {
            if (below) flag();
            else clear();
            vm.roll(block.number + K);
        }
    }

    function calm() public {
        solvency.set(1e18);
        solvency.misbehave(Gauge.Answer.HONEST);
        probe.set(1);
        deficit.set(0);
    }

    function pass(uint256 time) external {
        time = clamp(time, 12, 30 hours);
        vm.warp(block.timestamp + time);
        vm.roll(block.number + clamp(time, 1, 3 * K));
    }

    function flag() public {
        uint256 touched = block.number;
        try plan.flagInsolvent(SCOPE) {
            _rule(_known() && solvency.value() < 1e18, "flag without a reading below 1");
            _rule(!_bit || block.timestamp >= _episodeStart + 23 days, "flag of a flagged scope");
            if (controller.insolvent() && !_bit) {
                _rule(_below != 0 && touched >= _below + K, "set by one reading");
                (_bit, flags) = (true, flags + 1);
            }
            if (_below == 0 || touched > _below + 32 * K || _bit) _below = touched;
            if (_bit) _below = 0;
        } catch {}
    }

    function clear() public {
        try plan.clearInsolvent(SCOPE) {
            _rule(_known() && solvency.value() >= 1e18, "clear without a reading of 1");
            if (!controller.insolvent()) {
                _rule(_whole != 0 && block.number >= _whole + K, "cleared by one reading");
                (_bit, _whole) = (false, 0);
                if (_since < block.timestamp + 1) _since = block.timestamp + 1;
            } else if (_whole == 0 || block.number > _whole + 32 * K) {
                _whole = block.number;
            }
        } catch {}
    }

    function note() public {
        try plan.notePrices(SCOPE) {
            _pricesLiveSince = _known() ? block.timestamp : 0;
        } catch {}
    }

    function advance() public {
        uint256 before = controller.orderCount();
        try plan.advance(SCOPE) {
            ++steps;
            _rule(controller.orderCount() == before + 1 && controller.orders(before) == _stage + 1, "one, the next");
            if (_bit && _since < _episodeStart + 23 days) _since = _episodeStart + 23 days;
            _rule(block.timestamp >= _since + plan.dwellOf(_stage), "before the dwell");
            _rule(!_bit || block.timestamp >= _episodeStart + 23 days, "while insolvent");
            if (_stage == 1) {
                _rule(_known(), "S2 with dead prices");
                _rule(_pricesLiveSince != 0 && block.timestamp >= _pricesLiveSince + GRACE, "S2 without grace");
            } else {
                _rule(probe.value() == 1 && deficit.value() == 0, "red");
            }
            (_stage, _since) = (_stage + 1, block.timestamp);
            if (_stage == 5) {
                (_episodeStart, _rampFrom, _stage) = (0, 0, 0);
                (_bit, _below, _whole, _pricesLiveSince) = (false, 0, 0, 0);
                controller.setInsolvent(SCOPE, false);
            }
        } catch {}
    }

    function concede() external {
        try plan.concede(SCOPE) {
            _rule(_bit && block.timestamp >= _episodeStart + 21 days, "conceded early");
            _rule(!_known() || solvency.value() < 1e18, "conceded when whole");
        } catch {}
        if (plan.exitable(SCOPE)) _rule(_bit && block.timestamp >= _episodeStart + 21 days, "exit early");
    }

    /// @dev T4: at the latest 48 h after day 21, or after S0, S1 is open.
    function neverLocked() external view returns (bool) {
        if (_episodeStart == 0) return true;
        (uint8 stage,) = plan.stageOf(SCOPE);
        uint256 latest = _episodeStart + 23 days;
        if (_rampFrom + S0 > latest) latest = _rampFrom + S0;
        return block.timestamp < latest || stage >= 1;
    }

    function _known() private view returns (bool) {
        return solvency.answer() == Gauge.Answer.HONEST;
    }

    function _rule(bool kept, string memory what) private {
        if (!kept) broken = what;
    }
}

/// @notice The plan never does what § "Recovery" forbids, whatever happens around it.
contract RecoveryInvariant is RecoveryWorld {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    RecoveryHandler private _handler;

    function setUp() public override {
        _handler = new RecoveryHandler();
        _handler.setUp();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory selectors) {
        bytes4[] memory list = new bytes4[](11);
        list[0] = RecoveryHandler.trip.selector;
        list[1] = RecoveryHandler.gauges.selector;
        list[2] = RecoveryHandler.calm.selector;
        list[3] = RecoveryHandler.pass.selector;
        list[4] = RecoveryHandler.flag.selector;
        list[5] = RecoveryHandler.clear.selector;
        list[6] = RecoveryHandler.note.selector;
        list[7] = RecoveryHandler.advance.selector;
        list[8] = RecoveryHandler.concede.selector;
        list[9] = RecoveryHandler.climb.selector;
        list[10] = RecoveryHandler.touchTwice.selector;
        selectors = new FuzzSelector[](1);
        selectors[0] = FuzzSelector(address(_handler), list);
    }

    function invariant_T4_T8_RulesOfRecovery() public view {
        yes(bytes(_handler.broken()).length == 0, _handler.broken());
        yes(_handler.neverLocked(), "S1 in time");
    }
}
