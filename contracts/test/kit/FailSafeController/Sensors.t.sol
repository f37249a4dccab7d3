// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {Mode, Origin} from "../../../src/kit/Types.sol";
import {Council} from "../../../src/kit/controller/Council.sol";
import {Intents} from "../../../src/kit/controller/Intents.sol";
import {Scopes} from "../../../src/kit/controller/Scopes.sol";
import {SensorTrips} from "../../../src/kit/controller/SensorTrips.sol";
import {ISensor} from "../../../src/kit/interfaces/ISensors.sol";
import {ControllerWorld} from "./ControllerWorld.sol";
import {MockTarget} from "./MockTarget.sol";

contract Gauge is ISensor {
    uint256 public reading;

    function set(uint256 reading_) external {
        reading = reading_;
    }

    /// @dev 0 and 1 as they are; 2 reverts, 3 eats all gas, 4 is no boolean.
    function violated() external view returns (bool) {
        if (reading == 2) revert();
        while (reading == 3) {}
        uint256 r = reading == 4 ? 7 : reading;
        assembly {
            mstore(0, r)
            return(0, 32)
        }
    }
}

contract SensorsTest is ControllerWorld {
    bytes32 internal constant ID = "peg";

    Gauge internal gauge;
    MockTarget internal target;

    function setUp() public override {
        super.setUp();
        target = _enrol(MARKET, 1)[0];
        gauge = new Gauge();
        _set(Mode.RESTRICTED, Classes.closable(Mode.RESTRICTED), 24 hours);
    }

    function test_TwoTouchesTighten() public {
        gauge.set(1);
        sensors.poke(ID);
        _is(MARKET, Mode.NORMAL, "one touch is none");
        _step(4, 48);
        vm.expectRevert(abi.encodeWithSelector(SensorTrips.TouchTooSoon.selector, block.number + 1));
        sensors.poke(ID);
        _step(1, 12);
        sensors.poke(ID);
        _is(MARKET, Mode.RESTRICTED, "two are");
        eq(uint8(target.last().origin), uint8(Origin.SENSOR), "origin");
        eq(controller.episodeOf(MARKET).tripCount, 0, "no guardian trip");
        eq(controller.episodeOf(MARKET).episodeId, 1, "an episode");
        // It begins anew, and what changes nothing reverts.
        _step(1, 0);
        sensors.poke(ID);
        _step(5, 0);
        vm.expectRevert(abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        sensors.poke(ID);
    }

    function test_ReadingsThatAreNoViolation() public {
        for (uint256 reading; reading < 5; ++reading) {
            if (reading == 1) continue;
            gauge.set(reading);
            vm.expectRevert(abi.encodeWithSelector(SensorTrips.SensorQuiet.selector, ID));
            sensors.poke(ID);
        }
        vm.expectRevert(abi.encodeWithSelector(SensorTrips.SensorQuiet.selector, bytes32("unknown")));
        sensors.poke("unknown");
    }

    function test_AnOldTouchIsNone() public {
        gauge.set(1);
        sensors.poke(ID);
        _step(5 * 32 + 1, 12);
        sensors.poke(ID);
        _is(MARKET, Mode.NORMAL, "armed anew");
        _step(5 * 32, 12);
        sensors.poke(ID);
        _is(MARKET, Mode.RESTRICTED, "just in time");
    }

    /// @dev One manipulated block takes no first touch back.
    function test_AQuietBlockDoesNotDisarm() public {
        gauge.set(1);
        sensors.poke(ID);
        gauge.set(0);
        _step(3, 12);
        vm.expectRevert(abi.encodeWithSelector(SensorTrips.SensorQuiet.selector, ID));
        sensors.poke(ID);
        gauge.set(1);
        _step(2, 12);
        sensors.poke(ID);
        _is(MARKET, Mode.RESTRICTED, "tight");
    }

    function test_SensorsAreTheCouncils() public {
        SensorTrips.Sensor memory s = SensorTrips.Sensor(gauge, MARKET, Mode.WATCH, 0, 1 hours, 77);
        vm.expectRevert(abi.encodeWithSelector(SensorTrips.NotAuthorized.selector, address(this)));
        sensors.setSensor(ID, s);
        vm.startPrank(COUNCIL);
        sensors.setSensor(ID, s);
        (,,,,, uint40 armed) = sensors.sensorOf(ID);
        eq(armed, 0, "never armed by setting");
        s.source = ISensor(address(0));
        vm.expectRevert(_err(SensorTrips.InvalidConfiguration.selector));
        sensors.setSensor(ID, s);
        vm.expectRevert(_err(SensorTrips.InvalidConfiguration.selector));
        new SensorTrips(FailSafeController(address(0)), 5);
        vm.expectRevert(_err(SensorTrips.InvalidConfiguration.selector));
        new SensorTrips(controller, 0);
    }

    /// @dev Whatever the council misconfigures, the controller judges.
    function test_SoftTripsAreBound() public {
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, address(this)));
        controller.softTrip(MARKET, Mode.RESTRICTED, 1, 1 hours, ID);
        _council();
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, address(this)));
        controller.setSoftOrigin(address(this), Origin.COUNCIL);
        _council();
        controller.setSoftOrigin(address(this), Origin.VOUCHER);
        vm.expectRevert(abi.encodeWithSelector(Intents.ModeNotAllowed.selector, Mode.HALTED));
        controller.softTrip(MARKET, Mode.HALTED, 1, 1 hours, ID);
        vm.expectRevert(abi.encodeWithSelector(Intents.ModeNotAllowed.selector, Mode.NORMAL));
        controller.softTrip(MARKET, Mode.NORMAL, 0, 1 hours, ID);
        uint32 exit = uint32(1 << Classes.EXIT);
        vm.expectRevert(abi.encodeWithSelector(Intents.MaskNotAllowed.selector, exit));
        controller.softTrip(MARKET, Mode.RESTRICTED, exit, 1 hours, ID);
        vm.expectRevert(abi.encodeWithSelector(Intents.DurationOutOfBounds.selector, 24 hours + 1, 24 hours));
        controller.softTrip(MARKET, Mode.RESTRICTED, 1, 24 hours + 1, ID);
        controller.softTrip(MARKET, Mode.RESTRICTED, 1, 24 hours, ID);
        eq(uint8(target.last().origin), uint8(Origin.VOUCHER), "origin");
        _council();
        controller.setSoftOrigin(address(this), Origin.GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, address(this)));
        controller.softTrip(MARKET, Mode.RESTRICTED, 1, 24 hours, ID);
    }

    function _set(Mode mode, uint32 mask, uint40 duration) private {
        _council();
        sensors.setSensor(ID, SensorTrips.Sensor(gauge, MARKET, mode, mask, duration, 0));
    }
}
