// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "../BoundedCall.sol";
import {FailSafeWord} from "../FailSafeWord.sol";
import {Mode} from "../Types.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {IInsolvencyVerdict} from "../interfaces/IExitConditions.sol";
import {IRecoveryHooks} from "../interfaces/IRecoveryHooks.sol";
import {IDeficitSource, IProbe, ISolvencySource} from "../interfaces/ISensors.sol";

/// @notice A controller that takes orders from a recovery plan.
interface IRecoveryController is IFailSafeController, IRecoveryHooks {}

/// @notice Leads a scope from the end of a restriction back to NORMAL in stages, or shows that it has to end in EXIT.
/// @dev Problem: a pause that ends at once reopens the hole and starts a run; one that needs a signature to end lasts as long as
/// its signer likes.
/// Guarantee: S0 and S1 come by time alone. Every later stage is for anyone to open, one per call, in a fixed order: after
/// its dwell floor, and from S2 on only while the scope's own probes are green. LIQUIDATE opens (S2) only when prices have been
/// seen live for the whole grace period. The council may lengthen a dwell up to day 21 of the episode, shorten none and
/// skip none. Insolvency is set, cleared and turned into EXIT only by two readings at least {touchBlocks} apart that agree;
/// the bit is gone 48 hours after day 21 at the latest.
/// Trust: the controller for the episode; sensors and probes of a scope, which the council names. A change of them is known 23 days
/// before it counts: no judge named in an episode says whether that episode ends insolvent.
/// Failure modes: a sensor that reverts, burns its gas or is stale is "not known": it sets and clears nothing, keeps S2 closed,
/// and counts as insolvent only in the two readings after day 21. A probe that stays red keeps S3 and S4 closed, for the council
/// too, until it is green or replaced; exits within the entitlement stay open.
contract RecoveryPlan is IInsolvencyVerdict {
    /// @param solvency assets over claims; its oldest price also tells whether prices are live
    /// @param deficit bad debt that must be gone before new deposits
    /// @param probes conditions for S3, S4 and NORMAL
    struct Sensors {
        ISolvencySource solvency;
        IDeficitSource deficit;
        IProbe[] probes;
    }

    /// @dev Progress of one ramp. A ramp is known by the second at which its restriction ended: a trip inside a ramp moves it,
    /// so that the next ramp starts anew. Of another episode, or of another ramp, nothing here counts.
    struct Ramp {
        uint40 endedAt;
        uint8 stage;
        uint40 since;
        uint40 heldUntil;
        uint40 pricesLiveSince;
    }

    /// @param flaggedAt second of the second reading below 1; 0 while the bit is not set
    /// @param clearedAt first second without the bit after it was cleared: what a transaction opens, opens after its second
    /// @param lost two readings after day 21 agreed that the scope is not known to be solvent
    struct Insolvency {
        uint32 episodeId;
        uint40 flaggedAt;
        uint40 clearedAt;
        bool lost;
        Touch kind;
        uint40 touchedBlock;
    }

    enum Touch {
        NONE,
        FLAG,
        CLEAR,
        LOSE
    }

    event Enrolled(
        bytes32 indexed scope, ISolvencySource solvency, IDeficitSource deficit, IProbe[] probes, uint256 from
    );
    event Replaced(bytes32 indexed scope);
    event Advanced(bytes32 indexed scope, uint32 indexed episodeId, uint8 stage);
    event DwellLengthened(bytes32 indexed scope, uint8 stage, uint40 until);
    event PricesNoted(bytes32 indexed scope, bool live);
    event Touched(bytes32 indexed scope, Touch kind, uint40 blockNumber);
    event Decided(bytes32 indexed scope, uint32 indexed episodeId, Touch kind);

    error InvalidConfiguration();
    error TooEarly(bytes32 scope, uint256 from);
    error NotEnrolled(bytes32 scope);
    error NotCouncil(address caller);
    error NotRecovering(bytes32 scope);
    error HeldUntil(bytes32 scope, uint8 stage, uint40 until);
    error NotGreen(address probe);
    error OutOfRange(uint40 until, uint40 least, uint40 most);
    error NothingToDecide(bytes32 scope);
    error SensorDisagrees(bytes32 scope, bool known, uint256 ratio);
    error TooSoon(uint256 fromBlock);

    /// @dev A reading is worth nothing later than this many times the least distance.
    uint256 private constant TOUCH_LIFE = 32;
    uint256 private constant MAX_PROBES = 8;
    uint256 private constant ONE = 1e18;

    IRecoveryController public immutable controller;
    uint40 public immutable s0Dwell;
    uint40 public immutable grace;
    uint40 public immutable maxPriceAge;
    uint40 public immutable touchBlocks;

    /// @notice Second from which the sensors named last may replace those of a scope; 0 for none.
    mapping(bytes32 scope => uint256) public replaceableFrom;
    mapping(bytes32 scope => Sensors) private _sensors;
    mapping(bytes32 scope => Sensors) private _nextSensors;
    mapping(bytes32 scope => Ramp) private _ramps;
    mapping(bytes32 scope => Insolvency) private _insolvency;

    constructor(
        IRecoveryController controller_,
        uint40 s0Dwell_,
        uint40 grace_,
        uint40 maxPriceAge_,
        uint40 touchBlocks_
    ) {
        if (
            address(controller_) == address(0) || s0Dwell_ == 0 || s0Dwell_ > 24 hours || grace_ < 4 hours
                || grace_ > 48 hours || maxPriceAge_ == 0 || touchBlocks_ == 0
        ) revert InvalidConfiguration();
        controller = controller_;
        (s0Dwell, grace, maxPriceAge, touchBlocks) = (s0Dwell_, grace_, maxPriceAge_, touchBlocks_);
    }

    /// @notice Names what judges `scope`: at once the first time, later to {replace} it. Council.
    function enrol(bytes32 scope, Sensors calldata sensors) external {
        _requireCouncil();
        if (
            scope == 0 || address(sensors.solvency) == address(0) || address(sensors.deficit) == address(0)
                || sensors.probes.length == 0 || sensors.probes.length > MAX_PROBES
        ) revert InvalidConfiguration();
        bool first = address(_sensors[scope].solvency) == address(0);
        (first ? _sensors : _nextSensors)[scope] = sensors;
        uint256 from = block.timestamp + (first ? 0 : FailSafeWord.EPISODE_CAP + FailSafeWord.LAST_HOLD);
        if (!first) replaceableFrom[scope] = from;
        emit Enrolled(scope, sensors.solvency, sensors.deficit, sensors.probes, from);
    }

    /// @notice Puts the sensors named last into force. Anyone, after the delay.
    function replace(bytes32 scope) external {
        uint256 from = replaceableFrom[scope];
        if (from == 0 || block.timestamp < from) revert TooEarly(scope, from);
        replaceableFrom[scope] = 0;
        _sensors[scope] = _nextSensors[scope];
        emit Replaced(scope);
    }

    /// @notice Opens the next stage, or NORMAL after S4. Anyone.
    function advance(bytes32 scope) external {
        (IFailSafeController.Episode memory e, Ramp memory r,) = _load(scope);
        uint40 readyAt = r.stage == 0 ? r.since : _later(r.since + dwellOf(r.stage), r.heldUntil);
        if (block.timestamp < readyAt) revert HeldUntil(scope, r.stage, readyAt);
        if (r.stage == 1) {
            (bool live,) = _solvency(scope);
            live = live && r.pricesLiveSince != 0 && block.timestamp >= r.pricesLiveSince + grace;
            if (!live) revert NotGreen(address(_sensors[scope].solvency));
        } else {
            _requireGreen(scope);
        }
        r = Ramp(e.until, r.stage + 1, uint40(block.timestamp), 0, 0);
        _ramps[scope] = r;
        emit Advanced(scope, e.episodeId, r.stage);
        if (r.stage == 5) controller.finish(scope);
        else controller.setStage(scope, r.stage);
    }

    /// @notice Records that prices came to life, or died, since the last note. Anyone; S2 asks for a note one grace period old.
    function notePrices(bytes32 scope) external {
        (IFailSafeController.Episode memory e, Ramp memory r,) = _load(scope);
        (bool live,) = _solvency(scope);
        if (block.timestamp < e.until || live == (r.pricesLiveSince != 0)) revert NothingToDecide(scope);
        r.pricesLiveSince = live ? uint40(block.timestamp) : 0;
        _ramps[scope] = r;
        emit PricesNoted(scope, live);
    }

    /// @notice Keeps the present stage until `until`, at most to day 21 of the episode. Council.
    function lengthen(bytes32 scope, uint40 until) external {
        _requireCouncil();
        (IFailSafeController.Episode memory e, Ramp memory r,) = _load(scope);
        uint40 least = _later(r.since + dwellOf(r.stage), r.heldUntil) + 1;
        uint40 most = uint40(e.episodeStart + FailSafeWord.EPISODE_CAP);
        if (r.stage == 0 || until < least || until > most) revert OutOfRange(until, least, most);
        r.heldUntil = until;
        _ramps[scope] = r;
        emit DwellLengthened(scope, r.stage, until);
    }

    /// @notice First or second reading below 1, before S1 opens. The second sets the bit, which keeps S1 closed. Anyone.
    function flagInsolvent(bytes32 scope) external {
        _touch(scope, Touch.FLAG);
    }

    /// @notice First or second reading of at least 1. The second clears the bit. Anyone.
    function clearInsolvent(bytes32 scope) external {
        _touch(scope, Touch.CLEAR);
    }

    /// @notice First or second reading after day 21 that is below 1 or not known. After the second the controller may open
    /// EXIT for anyone, until the bit lapses. Anyone.
    function concede(bytes32 scope) external {
        _touch(scope, Touch.LOSE);
    }

    /// @inheritdoc IInsolvencyVerdict
    function exitable(bytes32 scope) external view returns (bool) {
        IFailSafeController.Episode memory e = controller.episodeOf(scope);
        Insolvency memory n = _insolvency[scope];
        return n.lost && n.episodeId == e.episodeId && _active(e) && _insolvent(e, n)
            && block.timestamp >= n.flaggedAt + FailSafeWord.LAST_HOLD;
    }

    /// @notice Stage of `scope` and since when. Stage 0 also while the restriction is live, with the second at which S1 comes
    /// by time alone; not recovering: 0 and 0.
    function stageOf(bytes32 scope) external view returns (uint8 stage, uint40 since) {
        if (!_active(controller.episodeOf(scope))) return (0, 0);
        (, Ramp memory r,) = _load(scope);
        return (r.stage, r.since);
    }

    /// @notice Least time in a stage.
    function dwellOf(uint8 stage) public pure returns (uint40) {
        return stage == 2 ? 12 hours : 24 hours;
    }

    /// @dev The present ramp of a scope, as time alone has made it.
    function _load(bytes32 scope)
        private
        view
        returns (IFailSafeController.Episode memory e, Ramp memory r, Insolvency memory n)
    {
        if (address(_sensors[scope].solvency) == address(0)) revert NotEnrolled(scope);
        e = controller.episodeOf(scope);
        if (!_active(e)) revert NotRecovering(scope);
        n = _insolvency[scope];
        if (n.episodeId != e.episodeId) n = Insolvency(e.episodeId, 0, 0, false, Touch.NONE, 0);
        r = _ramps[scope];
        if (r.endedAt != e.until) r = Ramp(e.until, 0, 0, 0, 0);
        if (r.stage < 2) {
            uint40 opens = _later(e.until + (e.mode == Mode.HALTED ? s0Dwell : 0), n.clearedAt);
            if (n.flaggedAt != 0) opens = _later(opens, _lapseOf(e));
            (r.stage, r.since) = (block.timestamp < opens ? 0 : 1, opens);
        }
    }

    /// @dev Records a reading. The second one, neither too near to the first nor too long after it, decides.
    function _touch(bytes32 scope, Touch kind) private {
        (IFailSafeController.Episode memory e, Ramp memory r, Insolvency memory n) = _load(scope);
        bool capped = block.timestamp >= e.episodeStart + FailSafeWord.EPISODE_CAP;
        bool due = kind == Touch.FLAG
            ? r.stage == 0 && n.flaggedAt == 0 && !capped
            : _insolvent(e, n) && (kind == Touch.CLEAR || (capped && !n.lost));
        if (!due) revert NothingToDecide(scope);
        (bool known, uint256 ratio) = _solvency(scope);
        bool solvent = known && ratio >= ONE;
        if (solvent != (kind == Touch.CLEAR) || (kind == Touch.FLAG && !known)) {
            revert SensorDisagrees(scope, known, ratio);
        }

        uint256 from = uint256(n.touchedBlock) + touchBlocks;
        if (n.kind != kind || block.number > n.touchedBlock + TOUCH_LIFE * touchBlocks) {
            (n.kind, n.touchedBlock) = (kind, uint40(block.number));
            _insolvency[scope] = n;
            emit Touched(scope, kind, n.touchedBlock);
            return;
        }
        // A repeated first reading must not push the second one away.
        if (block.number < from) revert TooSoon(from);
        n.kind = Touch.NONE;
        if (kind == Touch.FLAG) n.flaggedAt = uint40(block.timestamp);
        if (kind == Touch.CLEAR) (n.flaggedAt, n.clearedAt) = (0, uint40(block.timestamp) + 1);
        n.lost = kind == Touch.LOSE;
        _insolvency[scope] = n;
        emit Decided(scope, e.episodeId, kind);
        if (kind != Touch.LOSE) controller.setInsolvent(scope, kind == Touch.FLAG);
    }

    function _requireGreen(bytes32 scope) private view {
        Sensors storage s = _sensors[scope];
        (bool ok, uint256 amount, uint256 asOf) =
            BoundedCall.read(address(s.deficit), abi.encodeCall(IDeficitSource.deficit, (scope)), 2);
        if (!ok || amount != 0 || !_young(asOf)) revert NotGreen(address(s.deficit));
        for (uint256 i = 0; i < s.probes.length; ++i) {
            (, uint256 green,) = BoundedCall.read(address(s.probes[i]), abi.encodeCall(IProbe.green, ()), 1);
            if (green != 1) revert NotGreen(address(s.probes[i]));
        }
    }

    /// @dev `known` is false when the sensor fails or its oldest price is too old.
    function _solvency(bytes32 scope) private view returns (bool known, uint256 ratio) {
        uint256 asOf;
        (known, ratio, asOf) =
            BoundedCall.read(address(_sensors[scope].solvency), abi.encodeCall(ISolvencySource.solvency, (scope)), 2);
        known = known && _young(asOf);
    }

    function _young(uint256 asOf) private view returns (bool) {
        return asOf <= block.timestamp && block.timestamp - asOf <= maxPriceAge;
    }

    function _active(IFailSafeController.Episode memory e) private pure returns (bool) {
        return e.mode == Mode.RESTRICTED || e.mode == Mode.HALTED || e.mode == Mode.RECOVERING;
    }

    function _insolvent(IFailSafeController.Episode memory e, Insolvency memory n) private view returns (bool) {
        return n.flaggedAt != 0 && block.timestamp < _lapseOf(e);
    }

    function _lapseOf(IFailSafeController.Episode memory e) private pure returns (uint40) {
        return uint40(e.episodeStart + FailSafeWord.EPISODE_CAP + FailSafeWord.LAST_HOLD);
    }

    function _later(uint40 a, uint40 b) private pure returns (uint40) {
        return a > b ? a : b;
    }

    function _requireCouncil() private view {
        if (msg.sender != controller.council()) revert NotCouncil(msg.sender);
    }
}
