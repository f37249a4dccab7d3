// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {Mode, TripIntent} from "../../../src/kit/Types.sol";
import {SensorTrips} from "../../../src/kit/controller/SensorTrips.sol";
import {ISensor} from "../../../src/kit/interfaces/ISensors.sol";
import {RealWorld} from "./RealWorld.sol";

contract StuckSensor is ISensor {
    function violated() external pure returns (bool) {
        return true;
    }
}

/// @notice A thief owns every guardian key of the market and a sensor that says what it likes, and acts at random for months.
/// Everybody else only does what anyone may do.
contract TheftTest is RealWorld {
    uint256 internal constant STEPS = 60;
    uint256 internal constant WINDOW = 90 days;
    address internal constant THIEF = address(0x7415f);
    address internal constant USER = address(0x05e4);

    struct Sample {
        uint256 time;
        uint256 frozen;
        uint256 tight;
        uint256 limited;
    }

    Sample[] internal samples;
    uint256 internal episodeStart;
    uint256 internal frozenBefore;

    function setUp() public override {
        super.setUp();
        address[] memory one = new address[](1);
        for (uint8 group; group < 2; ++group) {
            one[0] = group == 0 ? THIEF : address(uint160(THIEF) + 1);
            _council();
            controller.setGroup(MARKET, group, 1, Mode.HALTED, 72 hours, one);
        }
        _seat(GLOBAL);
        SensorTrips.Sensor memory s = SensorTrips.Sensor(
            new StuckSensor(), MARKET, Mode.RESTRICTED, Classes.closable(Mode.RESTRICTED), 24 hours, 0
        );
        _council();
        sensors.setSensor("stuck", s);
        vm.deal(USER, 100 ether);
        vm.prank(USER);
        purse.deposit{value: 100 ether}();
    }

    /// forge-config: default.fuzz.runs = 256
    function testFuzz_TheftOfAllGuardianKeys(uint256 seed) public {
        samples.push(Sample(block.timestamp, 0, 0, 0));
        for (uint256 n; n < STEPS; ++n) {
            seed = uint256(keccak256(abi.encode(seed, n)));
            _act(seed);
            _pass(_pause(seed >> 128));
            _check();
        }
        eq(address(purse).balance, 100 ether, "funds moved");
        eq(THIEF.balance, 0, "to the thief");
        eq(controller.council(), COUNCIL, "council");
        eq(uint256(controller.scopeOf(address(purse))), uint256(MARKET), "enrolment");
        eq(controller.episodeOf(MARKET).epoch, 0, "nothing was released");
        _everybodyLeaves();
    }

    /// @dev The most greedy schedule there is: a full halt as soon as one is possible, restrictions in between.
    function test_GreedyThiefIsBoundToo() public {
        samples.push(Sample(block.timestamp, 0, 0, 0));
        for (uint256 n; n < 300; ++n) {
            _beatThief();
            _tryTrip(Mode.HALTED, 72 hours, n);
            _tryTrip(Mode.RESTRICTED, 24 hours, n);
            _advance();
            _pass(12 hours);
            if (n % 10 == 0) _check();
        }
        uint256 most;
        for (uint256 i; i < samples.length; ++i) {
            for (uint256 j = i; j < samples.length && samples[j].time <= samples[i].time + WINDOW; ++j) {
                if (samples[j].frozen - samples[i].frozen > most) most = samples[j].frozen - samples[i].frozen;
            }
        }
        atLeast(most, 78 hours, "the thief could do at least one full halt");
        _everybodyLeaves();
    }

    function _act(uint256 seed) private {
        _beatThief();
        uint256 kind = seed % 8;
        if (kind < 5) {
            Mode mode = kind < 3 ? Mode.HALTED : kind == 3 ? Mode.RESTRICTED : Mode.WATCH;
            uint256 longest = mode == Mode.HALTED ? 72 hours : 24 hours;
            _tryTrip(mode, seed >> 32 & 3 == 0 ? longest : 1 + (seed >> 40) % longest, seed);
        } else if (kind == 5) {
            for (uint256 n; n < 2; ++n) {
                _step(5, 0);
                try sensors.poke("stuck") {} catch {}
            }
        } else if (kind == 6) {
            vm.prank(THIEF);
            try controller.leaveSeat(MARKET, 0) {
                // It cannot leave the last one; here the backup, its own too, remains.
                yes(controller.alive(MARKET, 1), "another group works");
                address[] memory one = new address[](1);
                one[0] = THIEF;
                _council();
                controller.setGroup(MARKET, 0, 1, Mode.HALTED, 72 hours, one);
                _beatThief();
            } catch {}
        }
        _advance();
    }

    function _tryTrip(Mode mode, uint256 duration, uint256 salt) private {
        TripIntent memory i = _intent(MARKET, mode, duration, keccak256(abi.encode(salt, mode)));
        i.incidentBlock = salt % 3 == 0 ? uint40(block.number - salt % BLOCKS_PER_DAY) : 0;
        if (mode != Mode.WATCH && salt & 0xf0000 == 0) i.mask = uint32(1 << Classes.ENTER);
        vm.prank(THIEF);
        try controller.trip(i) {} catch {}
    }

    function _advance() private {
        try plan.notePrices(MARKET) {} catch {}
        try plan.advance(MARKET) {} catch {}
        try controller.retry(MARKET, 1) {} catch {}
    }

    function _beatThief() private {
        _step(1, 0);
        bytes32 parent = blockhash(block.number - 1);
        for (uint160 n; n < 2; ++n) {
            vm.prank(address(uint160(THIEF) + n));
            try controller.heartbeat(MARKET, block.number - 1, parent) {} catch {}
        }
        _beat(GLOBAL, 0);
        _beat(GLOBAL, 1);
    }

    function _pause(uint256 seed) private pure returns (uint256) {
        uint256 kind = seed % 4;
        return 1 + (seed >> 8) % (kind == 0 ? 1 hours : kind == 1 ? 30 hours : 4 days);
    }

    /// @dev Lets time pass from one end to the next, counting what was in force. Stages are opened as soon as they are due: time in
    /// which nobody does is not the thief's.
    function _pass(uint256 secs) private {
        uint256 end = block.timestamp + secs;
        while (block.timestamp < end) {
            (, RestrictionView memory now_) = _state();
            uint256 next = now_.until > block.timestamp && now_.until < end ? now_.until : end;
            Sample memory last = samples[samples.length - 1];
            uint256 span = next - last.time;
            bool s0 = now_.mode == Mode.RECOVERING && now_.stage == 0;
            vm.warp(next);
            vm.roll(block.number + 1);
            _advance();
            samples.push(
                Sample(
                    next,
                    purse.frozenSeconds(),
                    last.tight + (s0 || now_.mode == Mode.RESTRICTED || now_.mode == Mode.HALTED ? span : 0),
                    last.limited + (now_.mode == Mode.NORMAL ? 0 : span)
                )
            );
        }
    }

    function _check() private {
        uint256 start = uint40(purse.failsafeWord() >> 113);
        Sample memory last = samples[samples.length - 1];
        if (start != episodeStart) (episodeStart, frozenBefore) = (start, last.frozen);
        atMost(last.frozen - frozenBefore, 72 hours + 6 hours, "HALTED plus S0 in one episode");
        yes(purse.failsafeOpen(Classes.REDUCE_RISK) && purse.failsafeOpen(Classes.CLAIM), "never restricted");
        (uint40 halt,,) = controller.worstCase(MARKET);
        atMost(halt, 7 days, "worst case");
        for (uint256 i = samples.length - 1;; --i) {
            Sample memory s = samples[i];
            if (s.time + WINDOW < last.time) break;
            atMost(last.frozen - s.frozen, halt, "HALTED plus S0 in 90 days");
            atMost(last.tight - s.tight, 14 days, "RESTRICTED or tighter in 90 days");
            atMost(last.limited - s.limited, 30 days, "anything in 90 days");
            if (i == 0) break;
        }
    }

    /// @dev T4, T3: when the thief stops, anyone opens it again, and the user takes all of its money.
    function _everybodyLeaves() private {
        for (uint256 n; n < 30 && _mode() != Mode.NORMAL; ++n) {
            vm.warp(block.timestamp + 24 hours);
            _advance();
            try controller.retry(MARKET, type(uint256).max) {} catch {}
        }
        _at(Mode.NORMAL, 0, "open again");
        vm.warp(block.timestamp + 1);
        vm.prank(USER);
        purse.withdraw(100 ether);
        eq(USER.balance, 100 ether, "paid in full");
    }
}
