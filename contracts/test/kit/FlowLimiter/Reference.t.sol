// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FlowBucket} from "../../../src/kit/FlowBucket.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice The bucket against a naive model of its rules, over random schedules: the same level, to the unit, after every step.
contract FlowBucketReference is Assert {
    using FlowBucket for uint256;

    /// @dev The model: numbers side by side, nothing packed, every rule written out.
    struct Model {
        uint256 level;
        uint256 last;
        uint256 cap;
        uint256 window;
        uint256 lastFactor;
    }

    struct Spend {
        uint256 time;
        uint256 amount;
    }

    uint256 private constant STEPS = 60;

    Model private _model;
    uint256 private _word;
    uint256 private _time;
    uint256 private _factor;
    uint256 private _capMax;
    uint256 private _random;
    Spend[] private _spends;

    /// @dev Spends, waits, caps up and down, factors up and down, in any order. The window stays, so that the bound of the whole
    /// history is that of its largest cap.
    function testFuzz_T12_SameAsModel(uint256 seed) public {
        _random = seed;
        uint256 window = _draw(2) == 0 ? 100 : 1 hours;
        (_time, _factor) = (1_700_000_000, 10_000);
        _model = Model(0, _time, (window << 16) * (1 + _draw(3)), window, _factor);
        _capMax = _model.cap;
        // One unit is one base unit, so that levels can be compared.
        _word = uint256(1 << 136 | 64 << 144).fill(_factor, _time, _model.cap, window);
        for (uint256 i = 0; i < STEPS; ++i) {
            uint256 pick = _draw(10);
            if (pick < 4) _wait();
            else if (pick < 6) _setFactor();
            else if (pick < 7) _configure();
            else _spend();
            (uint256 level, uint256 capacity) = _word.settle(_factor, _time);
            eq(level, _settled(), "level");
            eq(capacity, _capacity(_factor), "capacity");
            atMost(level, capacity, "level <= capacity");
        }
        _requireBound(window);
    }

    function _wait() private {
        uint256 pick = _draw(4);
        _time += pick < 2 ? 0 : pick == 2 ? 1 : _draw(_model.window + 1);
    }

    function _setFactor() private {
        bool touched = _model.lastFactor == _factor;
        uint256 before = _available();
        _factor = 2_500 * (1 + _draw(4));
        if (touched) atMost(_available(), before, "a factor step adds nothing");
    }

    function _configure() private {
        uint256 cap = (_model.window << 16) * (1 + _draw(4));
        uint256 before = _available();
        uint256 next = cap * _factor / 10_000;
        uint256 left = before < next ? before : next;
        _word = _word.configure(_factor, _time, cap, _model.window);
        _model = Model(next - left, _time, cap, _model.window, _factor);
        if (cap > _capMax) _capMax = cap;
        atMost(_word.available(_factor, _time), before, "a configuration adds nothing");
    }

    function _spend() private {
        uint256 left = _available();
        uint256 amount = _draw(2 * left + 2);
        (uint256 word, uint256 capacity) = _word.under(_factor, _time);
        uint256 next = word.charge(capacity, _time, amount);
        yes((next != 0) == (amount <= left), "passes iff it fits");
        if (next == 0) return;
        _word = next;
        (_model.level, _model.last, _model.lastFactor) = (_settled() + amount, _time, _factor);
        _spends.push(Spend(_time, amount));
    }

    /// @dev Every interval between two spends.
    function _requireBound(uint256 window) private view {
        for (uint256 i = 0; i < _spends.length; ++i) {
            uint256 sum;
            for (uint256 j = i; j < _spends.length; ++j) {
                sum += _spends[j].amount;
                atMost(sum, _capMax + _capMax * (_spends[j].time - _spends[i].time) / window, "T12");
            }
        }
    }

    function _available() private view returns (uint256) {
        return _capacity(_factor) - _settled();
    }

    function _capacity(uint256 factor) private view returns (uint256) {
        return _model.cap * factor / 10_000;
    }

    function _settled() private view returns (uint256 level) {
        uint256 rate = _model.lastFactor < _factor ? _model.lastFactor : _factor;
        uint256 refill = _capacity(rate) * (_time - _model.last) / _model.window;
        level = _model.level > refill ? _model.level - refill : 0;
        if (_model.lastFactor == _factor) return level;
        uint256 left = _capacity(_model.lastFactor) - level;
        if (left > _capacity(_factor)) left = _capacity(_factor);
        return _capacity(_factor) - left;
    }

    function _draw(uint256 bound) private returns (uint256) {
        _random = uint256(keccak256(abi.encode(_random)));
        return _random % bound;
    }
}
