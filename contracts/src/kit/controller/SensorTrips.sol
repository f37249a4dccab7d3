// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "../BoundedCall.sol";
import {FailSafeController} from "../FailSafeController.sol";
import {Mode} from "../Types.sol";
import {ISensor} from "../interfaces/ISensors.sol";

/// @title Lets anyone show the controller that a condition on the chain is violated
/// @notice Problem: a guardian may be asleep while the chain itself shows the harm; but what one transaction can move, one
/// transaction can fake.
/// Guarantee: only a violation seen in two blocks, far enough and not too far apart, tightens, as far and as long as the council
/// named beforehand; RESTRICTED at most. A reading that fails is no violation, and nobody can take a first touch back.
/// Trust: the council for sensors; the controller, which lets this contract ask as SENSOR. Failure modes: a capital-rich attacker can
/// fake two readings; the targets' budgets for sensors bound what that closes.
contract SensorTrips {
    /// @param source what is asked
    /// @param scope scope that it tightens
    /// @param mode WATCH or RESTRICTED
    /// @param mask classes that it closes
    /// @param duration seconds
    /// @param armedBlock block of the first touch; 0 for none
    struct Sensor {
        ISensor source;
        bytes32 scope;
        Mode mode;
        uint32 mask;
        uint40 duration;
        uint40 armedBlock;
    }

    event SensorSet(bytes32 indexed sensorId, Sensor sensor);
    event SensorArmed(bytes32 indexed sensorId, uint256 blockNumber);

    error InvalidConfiguration();
    error NotAuthorized(address caller);
    error SensorQuiet(bytes32 sensorId);
    error TouchTooSoon(uint256 fromBlock);

    /// @dev A first touch is worth nothing later than this many times the least distance.
    uint256 private constant TOUCH_LIFE = 32;

    FailSafeController public immutable controller;
    /// @notice Least blocks between the two touches.
    uint256 public immutable distance;

    mapping(bytes32 sensorId => Sensor) public sensorOf;

    constructor(FailSafeController controller_, uint256 distance_) {
        if (address(controller_) == address(0) || distance_ == 0) revert InvalidConfiguration();
        (controller, distance) = (controller_, distance_);
    }

    /// @notice Names what anyone may poke, or replaces it; a first touch is void. What it may ask for is the controller's to judge.
    function setSensor(bytes32 sensorId, Sensor calldata sensor) external {
        if (msg.sender != controller.council()) revert NotAuthorized(msg.sender);
        if (address(sensor.source) == address(0)) revert InvalidConfiguration();
        sensorOf[sensorId] = sensor;
        sensorOf[sensorId].armedBlock = 0;
        emit SensorSet(sensorId, sensor);
    }

    /// @notice Shows a violation. The second touch tightens. Anyone.
    function poke(bytes32 sensorId) external {
        Sensor memory sensor = sensorOf[sensorId];
        (bool ok, uint256 violated,) = BoundedCall.read(address(sensor.source), abi.encodeCall(ISensor.violated, ()), 1);
        if (!ok || violated != 1) revert SensorQuiet(sensorId);
        if (sensor.armedBlock == 0 || block.number > sensor.armedBlock + TOUCH_LIFE * distance) {
            sensorOf[sensorId].armedBlock = uint40(block.number);
            emit SensorArmed(sensorId, block.number);
            return;
        }
        if (block.number < sensor.armedBlock + distance) revert TouchTooSoon(sensor.armedBlock + distance);
        sensorOf[sensorId].armedBlock = 0;
        controller.softTrip(sensor.scope, sensor.mode, sensor.mask, sensor.duration, sensorId);
    }
}
