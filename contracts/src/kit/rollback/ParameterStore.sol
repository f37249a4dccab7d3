// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Classes} from "../Classes.sol";
import {Mode} from "../Types.sol";
import {IFailSafe} from "../interfaces/IFailSafe.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {GuardianAct} from "./GuardianAct.sol";

/// @notice Bounded numbers of one guarded contract, and their last eight checkpoints.
/// @dev Problem: a wrong parameter has to be taken back at once, by people who must not be able to choose a parameter.
/// Guarantee: a guardian group can only move parameters to the tighter of the present value and a checkpoint, once per
/// episode. The council tightens at once; what loosens waits for `delay`, is refused while class ADMIN is closed, moves at
/// most `maxStepPerDay` (one change of a parameter per notice, and notice is more than a day), and holds from the next block
/// on. Exact restore of a checkpoint has the same delay but no step, since the values have been in force before. Whoever
/// tightens a liquidation parameter closes liquidation for `grace`: nobody is liquidated by it before having had time to
/// repay. In EXIT nothing changes any more.
/// Trust: the council for values within the bounds; bounds, sides and steps are fixed at deployment.
/// Failure modes: code that liquidates has to read liquidation parameters for class LIQUIDATE, or the grace does not reach
/// it. A checkpoint is taken before a landing, at most one a day for the council: it restores numbers, not the trades made
/// under them.
contract ParameterStore is GuardianAct {
    /// @notice The side to which a parameter is safer.
    enum Side {
        LOWER,
        HIGHER
    }

    /// @param name short name, for people
    /// @param min smallest value
    /// @param max largest value
    /// @param maxStepPerDay most that one change may loosen
    /// @param tighterSide side to which it is safer
    /// @param liquidation whether tightening it makes positions liquidatable
    struct Parameter {
        bytes32 name;
        uint104 min;
        uint104 max;
        uint104 maxStepPerDay;
        Side tighterSide;
        bool liquidation;
    }

    /// @dev `latest` holds after second `since`, `before` until then.
    struct Value {
        uint104 latest;
        uint104 before;
        uint40 since;
    }

    struct Checkpoint {
        uint40 takenAt;
        uint104[] values;
    }

    struct Change {
        uint104 value;
        uint40 eta;
    }

    event Scheduled(uint256 indexed parameter, uint256 value, uint40 eta);
    event ParameterSet(uint256 indexed parameter, uint256 from, uint256 to);
    event CheckpointTaken(uint256 indexed id);
    event Restored(uint256 indexed checkpoint, bool exact);
    event GraceSet(uint40 until);

    error UnknownParameter(uint256 parameter);
    error UnknownCheckpoint(uint256 id);
    error InconsistentBounds(uint256 parameter);
    error StepTooLarge(uint256 parameter, uint256 step, uint256 most);
    error NothingChanged();

    uint256 public constant RING = 8;
    uint256 public constant PARAMETERS_MAX = 32;
    uint40 public constant CHECKPOINT_SPACING = 1 days;

    /// @notice Key of `pending` under which an exact restore waits; the value is then a checkpoint's id.
    uint256 public constant RESTORE = type(uint256).max;

    bytes32 private constant RESTORE_TYPEHASH =
        keccak256("RestoreTighter(address target,uint256 checkpoint,uint32 keyEpisode,uint32 epoch,uint40 deadline)");

    /// @notice The guarded contract whose parameters these are.
    address public immutable target;
    uint40 public immutable grace;

    Parameter[] private _parameters;
    Value[] private _values;
    Checkpoint[RING] private _ring;

    /// @notice Checkpoints taken so far; ids run from 0, the last eight are kept.
    uint256 public checkpoints;

    mapping(uint256 parameter => Change) public pending;

    /// @notice Liquidation is closed until this second.
    uint40 public graceUntil;

    constructor(
        IFailSafeController controller_,
        address target_,
        uint40 delay_,
        uint40 grace_,
        Parameter[] memory parameters,
        uint104[] memory values
    ) GuardianAct(controller_, delay_) {
        if (target_ == address(0)) revert ZeroAddress();
        _requireWithin(grace_, 4 hours, 48 hours);
        _requireWithin(parameters.length, 1, PARAMETERS_MAX);
        _requireWithin(values.length, parameters.length, parameters.length);
        (target, grace) = (target_, grace_);
        for (uint256 i; i < values.length; ++i) {
            Parameter memory p = parameters[i];
            _requireWithin(values[i], p.min, p.max);
            if (p.maxStepPerDay == 0 || p.maxStepPerDay > p.max - p.min) revert InconsistentBounds(i);
            _parameters.push(p);
            _values.push(Value(values[i], values[i], 0));
        }
        _checkpoint(true);
    }

    /// @notice A parameter, for code of class `class_`. Liquidation cannot read a liquidation parameter in the grace period.
    function valueOf(uint256 parameter, uint8 class_) external view returns (uint256) {
        if (class_ == Classes.LIQUIDATE && block.timestamp < graceUntil && parameterOf(parameter).liquidation) {
            revert IFailSafe.ActionClosed(class_, graceUntil);
        }
        if (parameter >= _values.length) revert UnknownParameter(parameter);
        return _inForce(_values[parameter]);
    }

    function parameterOf(uint256 parameter) public view returns (Parameter memory) {
        if (parameter >= _parameters.length) revert UnknownParameter(parameter);
        return _parameters[parameter];
    }

    function checkpointOf(uint256 id) public view returns (Checkpoint memory) {
        if (id >= checkpoints || id + RING < checkpoints) revert UnknownCheckpoint(id);
        return _ring[id % RING];
    }

    /// @notice Council: tightens a parameter at once, or gives notice of a loosening. Either takes the place of an earlier notice.
    function change(uint256 parameter, uint104 value) external onlyCouncil {
        _requireNotExit(target);
        delete pending[parameter];
        if (_requireChange(parameter, value)) {
            _checkpoint(false);
            _set(parameter, value);
        } else {
            _schedule(parameter, value);
        }
    }

    /// @notice Council: gives notice of the exact restore of checkpoint `id`.
    function scheduleRestore(uint104 id) external onlyCouncil {
        checkpointOf(id);
        _schedule(RESTORE, id);
    }

    /// @notice Council: lands what it gave notice of, `RESTORE` or a parameter's loosening.
    function land(uint256 parameter) external onlyCouncil {
        Change memory next = pending[parameter];
        _requireTimely(next.eta, false);
        _requireNotExit(target);
        if (!IFailSafe(target).failsafeOpen(Classes.ADMIN)) revert IFailSafe.ActionClosed(Classes.ADMIN, 0);
        delete pending[parameter];
        if (parameter == RESTORE) return _restore(next.value, true);
        _requireChange(parameter, next.value);
        _checkpoint(false);
        _set(parameter, next.value);
    }

    /// @notice Moves every parameter to the tighter of its value and checkpoint `id`, with the signatures of a guardian group
    /// of the target's scope.
    function restoreTighter(uint256 id, uint8 group, uint40 deadline, bytes[] calldata signatures) external {
        _act(target, RESTORE_TYPEHASH, abi.encode(target, id), group, deadline, signatures);
        _restore(id, false);
    }

    function _restore(uint256 id, bool exact) private {
        uint104[] memory wanted = checkpointOf(id).values;
        _checkpoint(!exact);
        bool changed;
        for (uint256 i; i < wanted.length; ++i) {
            uint104 current = _values[i].latest;
            if (wanted[i] == current || !(exact || _tighter(_parameters[i], wanted[i], current))) continue;
            _set(i, wanted[i]);
            changed = true;
        }
        if (!changed) revert NothingChanged();
        emit Restored(id, exact);
    }

    /// @dev A loosening holds from the next block on, so that no transaction can both land and use it.
    function _set(uint256 parameter, uint104 value) private {
        Parameter memory p = _parameters[parameter];
        Value memory old = _values[parameter];
        uint104 inForce = _inForce(old);
        bool tighter = _tighter(p, value, inForce);
        _values[parameter] = tighter ? Value(value, value, 0) : Value(value, inForce, uint40(block.timestamp));
        emit ParameterSet(parameter, old.latest, value);
        if (tighter && p.liquidation) {
            graceUntil = uint40(block.timestamp) + grace;
            emit GraceSet(graceUntil);
        }
    }

    /// @dev Writes the present values over the oldest checkpoint, unless the newest is less than a day old: a burst of the
    /// council's changes cannot push the state before it out of the ring. Before a guardian's act it is taken always, so that
    /// the council can restore exactly what the guardians tightened; there is one such act per episode.
    function _checkpoint(bool always) private {
        uint256 id = checkpoints;
        if (!always && block.timestamp < _ring[(id - 1) % RING].takenAt + CHECKPOINT_SPACING) return;
        uint104[] memory values = new uint104[](_values.length);
        for (uint256 i; i < values.length; ++i) {
            values[i] = _values[i].latest;
        }
        _ring[id % RING] = Checkpoint(uint40(block.timestamp), values);
        checkpoints = id + 1;
        emit CheckpointTaken(id);
    }

    function _schedule(uint256 parameter, uint104 value) private {
        uint40 eta = uint40(block.timestamp) + delay;
        pending[parameter] = Change(value, eta);
        emit Scheduled(parameter, value, eta);
    }

    /// @dev Whether the change tightens; reverts for one out of bounds, for none at all and for too large a step.
    function _requireChange(uint256 parameter, uint104 value) private view returns (bool tighter) {
        Parameter memory p = parameterOf(parameter);
        _requireWithin(value, p.min, p.max);
        uint104 current = _values[parameter].latest;
        if (value == current) revert NothingChanged();
        tighter = _tighter(p, value, current);
        uint256 step = value > current ? value - current : current - value;
        if (!tighter && step > p.maxStepPerDay) revert StepTooLarge(parameter, step, p.maxStepPerDay);
    }

    function _inForce(Value memory value) private view returns (uint104) {
        return block.timestamp > value.since ? value.latest : value.before;
    }

    function _tighter(Parameter memory p, uint104 a, uint104 b) private pure returns (bool) {
        return p.tighterSide == Side.LOWER ? a < b : a > b;
    }
}
