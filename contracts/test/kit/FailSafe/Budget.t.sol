// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Budget} from "../../../src/kit/Budget.sol";
import {Cold, FailSafeWord, Hot} from "../../../src/kit/FailSafeWord.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice The leaky buckets, by themselves.
contract BudgetTest is Assert {
    using Budget for Cold;
    using Budget for Hot;

    uint256 private constant WINDOW = 90 days;

    function _budgets() private pure returns (uint256) {
        return Budget.capacities(3.5 days, 7 days, 15 days);
    }

    function _level(Cold memory c, uint256 bucket) private pure returns (uint256) {
        return uint16(c.used >> 16 * bucket);
    }

    function test_CapacitiesInMinutes() public pure {
        uint256[5] memory want = [uint256(5_040), 10_080, 21_600, 3_360, 7_200];
        for (uint256 i = 0; i < 5; ++i) {
            eq(uint16(_budgets() >> 16 * i), want[i], "capacity");
        }
    }

    /// @dev However often somebody drains on the way, the same is left in the end.
    function testFuzz_DrainingInStepsLosesNothing(uint80 levels, uint256 from, uint256 first, uint256 second)
        public
        pure
    {
        Cold memory c;
        Cold memory d;
        (c.used, c.bucketsAt) = (levels, uint40(from % 2 ** 39));
        (d.used, d.bucketsAt) = (levels, c.bucketsAt);
        first = c.bucketsAt + first % 200 days;
        second = first + second % 200 days;
        c.drain(_budgets(), first);
        c.drain(_budgets(), second);
        d.drain(_budgets(), second);
        eq(c.used, d.used, "levels");
    }

    function testFuzz_AWholeWindowDrainsTheWholeCapacity(uint256 from, uint256 level) public pure {
        from %= 2 ** 39;
        for (uint256 i = 0; i < 5; ++i) {
            Cold memory c;
            uint256 capacity = uint16(_budgets() >> 16 * i);
            uint256 full = clamp(level, capacity, type(uint16).max);
            (c.used, c.bucketsAt) = (uint80(full << 16 * i), uint40(from));
            c.drain(_budgets(), from + WINDOW);
            eq(_level(c, i), full - capacity, "left");
        }
    }

    /// @dev Twelve greedy grants at fuzzed moments: whatever falls into one window is at most twice the capacity.
    function testFuzz_AtMostTwiceTheCapacityInAnyWindow(uint256 seed, uint256 start, bool soft) public pure {
        Cold memory c;
        uint256[12] memory when;
        uint256[12] memory granted;
        uint256 time = start % 2 ** 39;
        c.bucketsAt = uint40(time);
        for (uint256 i = 0; i < 12; ++i) {
            time += uint256(keccak256(abi.encode(seed, i))) % 30 days;
            c.drain(_budgets(), time);
            uint256 secs = c.affordable(_budgets(), Mode.RESTRICTED, 0, 0, soft);
            secs = secs * (uint256(keccak256(abi.encode(seed, i, "part"))) % 3) / 2;
            c.settle(0, Budget.demandOf(0, secs, secs), soft);
            (when[i], granted[i]) = (time, secs);
        }
        for (uint256 i = 0; i < 12; ++i) {
            uint256 sum = 0;
            for (uint256 j = i; j < 12 && when[j] <= when[i] + WINDOW; ++j) {
                sum += granted[j];
            }
            atMost(sum, 2 * (soft ? 56 hours : 7 days), "granted in a window");
        }
    }

    /// @dev What is granted always fits, and a second more never does.
    function testFuzz_AffordableIsExact(uint80 used, uint256 paid, uint256 mode, bool soft) public pure {
        Cold memory c;
        for (uint256 i = 0; i < 5; ++i) {
            uint256 capacity = uint16(_budgets() >> 16 * i);
            c.used |= uint80(uint16(used >> 16 * i) % capacity << 16 * i);
        }
        Mode m = Mode(1 + mode % 3);
        paid = m == Mode.WATCH ? 0 : paid % 12 hours;
        paid = Budget.demandOf(m == Mode.HALTED ? paid : 0, paid, paid);
        uint256 secs = c.affordable(_budgets(), m, paid, 0, soft);
        yes(_fits(c, m, paid, secs, soft), "fits");
        yes(!_fits(c, m, paid, secs + 60, soft), "no minute more");
    }

    function _fits(Cold memory c, Mode m, uint256 paid, uint256 secs, bool soft) private pure returns (bool fits) {
        uint256 before = c.used;
        if (secs >= 60) {
            uint256 next = Budget.demandOf(m == Mode.HALTED ? secs : 0, m == Mode.WATCH ? 0 : secs, secs);
            c.settle(paid, next, soft);
        }
        fits = true;
        for (uint256 i = 0; i < 5; ++i) {
            bool rose = _level(c, i) > uint16(before >> 16 * i);
            // Two minutes stay free: see {Budget-affordable}.
            if (rose && _level(c, i) + 2 > uint16(_budgets() >> 16 * i)) fits = false;
        }
        c.used = uint80(before);
    }

    function test_DemandOfEachState() public pure {
        _demands(Mode.NORMAL, 0, 0, 0, [uint256(0), 0, 0]);
        _demands(Mode.WATCH, 0, 0, 0, [uint256(0), 0, 10 hours]);
        _demands(Mode.RESTRICTED, 0, 0, 0, [uint256(0), 10 hours, 94 hours]);
        _demands(Mode.HALTED, 0, 0, 6 hours, [uint256(16 hours), 16 hours, 100 hours]);
        _demands(Mode.HALTED, 0, 20 hours, 6 hours, [uint256(16 hours), 30 hours, 114 hours]);
        _demands(Mode.RECOVERING, 0, 0, 0, [uint256(10 hours), 10 hours, 94 hours]);
        _demands(Mode.RECOVERING, 0, 1 hours, 0, [uint256(10 hours), 11 hours, 95 hours]);
        _demands(Mode.RECOVERING, 2, 0, 0, [uint256(0), 0, 94 hours]);
        _demands(Mode.EXIT, 0, 0, 0, [uint256(0), 0, 0]);
    }

    /// @dev A state with ten hours to go, and 84 hours of stages after it.
    function _demands(Mode mode, uint8 stage, uint256 waiting, uint24 s0Left, uint256[3] memory want) private pure {
        Hot memory h;
        (h.mode, h.stage, h.s0Left) = (mode, stage, s0Left);
        (h.until, h.restrictedFor) = (uint40(1_000 days + 10 hours), uint16(waiting / 60));
        uint256 got = h.demand(1_000 days, 84 hours);
        eq(got, Budget.demandOf(want[0], want[1], want[2]), "demand");
        eq(uint40(got >> 120), want[1], "share of tight");
        eq(uint40(got >> 160), want[2], "share of watch");
    }
}
