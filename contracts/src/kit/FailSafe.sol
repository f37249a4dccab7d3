// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Budget} from "./Budget.sol";
import {Classes} from "./Classes.sol";
import {Cold, FailSafeWord, Hot} from "./FailSafeWord.sol";
import {FlowCounters} from "./FlowCounters.sol";
import {Lock} from "./Lock.sol";
import {IToken, SafeToken} from "./SafeToken.sol";
import {Rules, Transitions} from "./Transitions.sol";
import {Mode, Origin, Restriction} from "./Types.sol";
import {IExitFunding} from "./interfaces/IExitFunding.sol";
import {IFailSafe} from "./interfaces/IFailSafe.sol";
import {IEntitlementLimit} from "./interfaces/ILedgerCheckpoint.sol";

/// @notice A strategy with the functions of ERC-4626.
interface IStrategy {
    function asset() external view returns (address);
    function maxRedeem(address owner) external view returns (uint256);
    function redeem(uint256 shares, address receiver, address owner) external returns (uint256);
}

/// @notice Base of a guarded contract: closes classes of actions for a bounded time and reopens them in stages.
/// @dev Problem: an incident needs a stop at once, but whoever can stop a contract can also keep users in, prevent repayment and
/// liquidate people who could not act; and a stop that nobody ends lasts for ever.
/// Guarantee: classes REDUCE_RISK and CLAIM are never closed. Everybody but the council can only tighten, pays for the time
/// from this contract's own {Budget}, and reaches at most 72 h of HALTED in an episode, with 48 h between episodes. A
/// restriction ends by time in S0 or S1; each further stage needs its dwell. The council may prolong a live restriction up to
/// day 21 and release it; it can revive none and skip no stage. What a transaction opens, opens in the next second. LIQUIDATE opens
/// only a grace period after prices do. EXIT has no way back, and in it anyone may send what is here to the exit round.
/// Trust: the controller, fixed at deployment, for who asks: this contract judges only what is asked. The integrator for
/// classing functions and for {_freeBalance}. The entitlement source, if there is one, for EXIT and TRANSFER in S1..S3.
/// Failure modes: without an entitlement source only limits bound payouts in S1..S3. A dead controller leaves the contract as
/// it is: open stays open, what is tight ends in S1.
abstract contract FailSafe is IFailSafe, FlowCounters, Lock {
    using FailSafeWord for Hot;
    using FailSafeWord for Cold;
    using FailSafeWord for uint256;
    using Budget for Cold;
    using Transitions for Hot;
    using Transitions for Rules;

    /// @param controller who may call {failsafeArm}
    /// @param exit contract that pays exits
    /// @param entitlements bound of payouts in S1..S3; zero for none
    /// @param grace from the end of a halt to liquidation
    /// @param dwells of S0..S4
    /// @param budgets seconds of HALTED plus S0, of RESTRICTED or tighter, of WATCH or tighter that refill in 90 days
    /// @param factorFloorBps least limiter factor that a guardian can set
    /// @param exitAssets what {failsafeSurrender} may send
    /// @param strategies what {failsafeRecall} may empty
    struct Config {
        address controller;
        IExitFunding exit;
        IEntitlementLimit entitlements;
        uint40 grace;
        uint40[5] dwells;
        uint40[3] budgets;
        uint16 factorFloorBps;
        address[] exitAssets;
        address[] strategies;
    }

    /// @custom:storage-location erc7201:ripcord.FailSafe
    struct Layout {
        uint256 hot;
        uint256 cold;
        mapping(address asset => bool) exitAssets;
        mapping(address strategy => bool) strategies;
    }

    error ConfigOutOfBounds(bytes32 what, uint256 value, uint256 least, uint256 most);
    error BeyondEntitlement(address asset, address account, uint256 asked, uint256 allowed);
    error NothingFree(address source);

    uint256 private constant LISTED_MAX = 8;
    uint32 private constant NEEDS_GRACE = uint32(1 << Classes.PRICE_UPDATE | 1 << Classes.LIQUIDATE);

    /// @dev keccak256(abi.encode(uint256(keccak256("ripcord.FailSafe")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant SLOT = 0x81b926a01efc0940e1b7883b4c64fb5f07609610196454a5e5ea3eaaa21f6800;

    address public immutable failsafeController;
    IExitFunding public immutable failsafeExit;
    IEntitlementLimit public immutable failsafeEntitlements;
    uint40 public immutable failsafeGrace;
    uint16 public immutable failsafeFactorFloorBps;
    /// @dev See {Rules}.
    uint256 private immutable _rest;
    uint256 private immutable _budgets;

    /// @notice Runs only while `class_` is open.
    modifier guarded(uint8 class_) {
        if (_layout().hot != FailSafeWord.HEALTHY) _requireOpen(class_);
        _;
    }

    /// @notice The same, and not from within another call of this contract.
    modifier guardedNonReentrant(uint8 class_) {
        if (_layout().hot != FailSafeWord.HEALTHY) _requireOpen(class_);
        _enter();
        _;
        _leave();
    }

    /// @notice For functions that spend an allowance or permit of `owner`, in addition to their own class.
    modifier guardedPull(address owner) {
        if (owner != msg.sender && !_healthy()) _requireOpen(Classes.PULL_FROM);
        _;
    }

    modifier onlyController() {
        if (msg.sender != failsafeController) revert NotController(msg.sender);
        _;
    }

    constructor(Config memory config) {
        _within("controller", uint160(config.controller), 1, type(uint160).max);
        _within("exit", uint160(address(config.exit)), 1, type(uint160).max);
        _within("grace", config.grace, 4 hours, 48 hours);
        _within("factorFloor", config.factorFloorBps, 2_500, 10_000);
        (uint256 rest, uint256 secs) = (0, 0);
        for (uint256 i = 5; i > 0; --i) {
            secs += config.dwells[i - 1];
            rest = rest << 40 | secs;
            _within("dwell", config.dwells[i - 1], 1, i == 1 ? 24 hours : 30 days);
        }
        uint256 ramp = secs - config.dwells[0];
        (uint256 halt, uint256 tight, uint256 watch) = (config.budgets[0], config.budgets[1], config.budgets[2]);
        _within("haltBudget", halt, config.dwells[0] + 1 hours, 3.5 days);
        _within("tightBudget", tight, halt, 7 days);
        _within("watchBudget", watch, tight + ramp, 15 days);
        // Long enough to outlast a WATCH that a trip took the place of; short enough for SENSOR and VOUCHER to pay a trip with it.
        _within("ramp", ramp, Transitions.TRIP_MAX, watch / 3 - 1 hours);
        (failsafeController, failsafeExit) = (config.controller, config.exit);
        (failsafeEntitlements, failsafeGrace) = (config.entitlements, config.grace);
        failsafeFactorFloorBps = config.factorFloorBps;
        (_rest, _budgets) = (rest, Budget.capacities(halt, tight, watch));
        _initFailSafe(config.exitAssets, config.strategies);
    }

    /// @inheritdoc IFailSafe
    function failsafeArm(Restriction memory r, bytes32 reason) public virtual onlyController returns (uint256 word) {
        (Hot memory h, Cold memory c, Rules memory rules) = _load();
        if (h.mode == Mode.EXIT) revert ExitIsTerminal();
        if (r.origin == Origin.COUNCIL) {
            h.decide(c, r, rules);
        } else {
            uint256 end = h.tighten(c, r, rules);
            if (end < r.until) emit Clamped(r.until, uint40(end));
        }
        word = _store(h, c);
        emit Armed(word, r.episodeId, reason);
    }

    /// @inheritdoc IFailSafe
    function failsafeInsolvent(bool insolvent) external onlyController {
        (Hot memory h, Cold memory c,) = _load();
        h.setInsolvent(insolvent, block.timestamp);
        _store(h, c);
        emit InsolventSet(insolvent);
    }

    /// @inheritdoc IFailSafe
    function failsafeHold(uint32 mask) public virtual onlyController {
        (Hot memory h, Cold memory c,) = _load();
        h.setHold(mask, block.timestamp);
        _store(h, c);
        emit HoldSet(mask);
    }

    /// @inheritdoc IFailSafe
    function failsafeWaiveGap() external onlyController {
        (Hot memory h, Cold memory c,) = _load();
        if (h.mode == Mode.EXIT) revert ExitIsTerminal();
        if (c.lastGuardianEnd == 0) revert NothingChanges();
        c.lastGuardianEnd = 0;
        _store(h, c);
        emit GapWaived();
    }

    /// @inheritdoc IFailSafe
    function failsafeSettle() external {
        (Hot memory h, Cold memory c,) = _load();
        if (h.pack() == _layout().hot) revert NothingChanges();
        _store(h, c);
    }

    /// @inheritdoc IFailSafe
    function failsafeSurrender(address asset) external nonReentrant returns (uint256 sent) {
        _requireExit();
        if (!_layout().exitAssets[asset]) revert AssetNotListed(asset);
        uint256 free = _freeBalance(asset);
        uint256 before = IToken(asset).balanceOf(address(this));
        SafeToken.allow(IToken(asset), address(failsafeExit), free);
        failsafeExit.fund(failsafeExit.roundOf(address(this)), asset, free);
        sent = before - IToken(asset).balanceOf(address(this));
        if (sent == 0) revert NothingFree(asset);
        emit Surrendered(asset, sent);
    }

    /// @inheritdoc IFailSafe
    function failsafeRecall(address strategy) external nonReentrant returns (uint256 got) {
        _requireExit();
        if (!_layout().strategies[strategy]) revert StrategyNotListed(strategy);
        IToken asset = IToken(IStrategy(strategy).asset());
        uint256 before = asset.balanceOf(address(this));
        _recall(strategy);
        got = asset.balanceOf(address(this)) - before;
        if (got == 0) revert NothingFree(strategy);
        emit Recalled(strategy, address(asset), got);
    }

    /// @inheritdoc IFailSafe
    function failsafeState() external view returns (Restriction memory stored, Restriction memory effective) {
        Hot memory h = _layout().hot.unpack();
        stored = Restriction(h.mask, h.until, h.graceUntil, h.mode, h.factorBps, h.stage, h.origin, 0);
        h = _effective();
        uint256 time = block.timestamp;
        effective = Restriction(
            h.closed(time), h.until, h.graceUntil, h.mode, h.factor(time), h.stageInForce(time), h.origin, 0
        );
    }

    /// @inheritdoc IFailSafe
    function failsafeWord() external view returns (uint256) {
        return _layout().hot.effectiveWord(block.timestamp, _rules().dwell(1));
    }

    /// @inheritdoc IFailSafe
    function failsafeHasEntitlements() external view returns (bool) {
        return address(failsafeEntitlements) != address(0);
    }

    /// @inheritdoc IFailSafe
    function failsafeHaltBudget() external view returns (uint40) {
        return uint40(uint16(_budgets)) * 1 minutes;
    }

    /// @inheritdoc IFailSafe
    function failsafeOpen(uint8 class_) public view virtual returns (bool) {
        return _effective().isOpen(class_, block.timestamp);
    }

    /// @inheritdoc IFailSafe
    function frozenSeconds() public view returns (uint256) {
        Layout storage $ = _layout();
        Cold memory c = $.cold.unpackCold();
        return c.frozenStored + $.hot.unpack().frozen(c.frozenFrom, block.timestamp);
    }

    /// @dev For implementations behind a proxy, whose constructor wrote elsewhere: to be called once from their initializer.
    function _initFailSafe(address[] memory exitAssets, address[] memory strategies) internal {
        Layout storage $ = _layout();
        if ($.hot != 0) revert NothingChanges();
        (Hot memory h, Cold memory c,) = _load();
        // Both words are written here, so that no trip pays for a fresh slot.
        _store(h, c);
        _list($.exitAssets, exitAssets);
        _list($.strategies, strategies);
    }

    /// @notice What an exit may take: all but what is owed to somebody already.
    function _freeBalance(address asset) internal view virtual returns (uint256) {
        return IToken(asset).balanceOf(address(this));
    }

    /// @notice Takes everything that a strategy gives back.
    function _recall(address strategy) internal virtual {
        uint256 shares = IStrategy(strategy).maxRedeem(address(this));
        IStrategy(strategy).redeem(shares, address(this), address(this));
    }

    /// @notice Called after the hot word became healthy or ceased to be.
    function _healthChanged() internal virtual {}

    /// @notice In S1..S3, refuses to pay or move more than `account` was owed before the incident. To be called before the flow
    /// is noted.
    function _exitWithin(address asset, address account, uint256 amount) internal view {
        if (_healthy() || address(failsafeEntitlements) == address(0)) return;
        Hot memory h = _effective();
        uint8 stage = h.stageInForce(block.timestamp);
        if (h.mode != Mode.RECOVERING || stage == 0 || stage == 4) return;
        uint256 allowed = failsafeEntitlements.withdrawable(address(this), asset, account);
        if (amount > allowed) revert BeyondEntitlement(asset, account, amount, allowed);
    }

    function _healthy() internal view returns (bool) {
        return _layout().hot == FailSafeWord.HEALTHY;
    }

    /// @notice Limiter capacity in force, in bps of the configured one.
    function _limitFactor() internal view virtual returns (uint16) {
        return _healthy() ? 10_000 : _effective().factor(block.timestamp);
    }

    function _flowsStopped() internal view override returns (bool) {
        return !_healthy() && _layout().hot.modeOf() == Mode.EXIT;
    }

    function _requireOpen(uint8 class_) internal view {
        Hot memory h = _effective();
        if (h.isOpen(class_, block.timestamp)) return;
        bool held = h.held >> class_ & 1 == 1;
        revert ActionClosed(class_, held ? type(uint40).max : h.until > h.graceUntil ? h.until : h.graceUntil);
    }

    function _requireExit() private view {
        if (!_flowsStopped()) revert NotInExit();
    }

    /// @dev Both words as they are now: what time changed is changed, what it froze is counted, the buckets are drained.
    function _load() private view returns (Hot memory h, Cold memory c, Rules memory rules) {
        Layout storage $ = _layout();
        uint256 word = $.hot;
        (c, rules) = ($.cold.unpackCold(), _rules());
        c.drain(rules.budgets, rules.time);
        uint256 from = c.frozenFrom;
        c.frozenFrom = uint40(rules.time);
        // The common word has nothing to unpack.
        if (word == FailSafeWord.HEALTHY) return (h, c, rules);
        h = word.unpack();
        c.frozenStored += uint32(h.frozen(from, rules.time));
        h.effective(rules.time, rules.dwell(1));
    }

    function _store(Hot memory h, Cold memory c) private returns (uint256 word) {
        Layout storage $ = _layout();
        if (h.mode == Mode.HALTED && h.mask & NEEDS_GRACE != 0) h.graceUntil = h.until + failsafeGrace;
        uint256 before = $.hot;
        word = h.pack();
        ($.hot, $.cold) = (word, c.packCold());
        if ((before == FailSafeWord.HEALTHY) != (word == FailSafeWord.HEALTHY)) _healthChanged();
    }

    function _effective() internal view returns (Hot memory h) {
        return _layout().hot.unpack().effective(block.timestamp, _rules().dwell(1));
    }

    function _rules() private view returns (Rules memory) {
        return Rules(_rest, _budgets, failsafeGrace, failsafeFactorFloorBps, block.timestamp);
    }

    function _list(mapping(address => bool) storage listed, address[] memory entries) private {
        _within("listed", entries.length, 0, LISTED_MAX);
        for (uint256 i = 0; i < entries.length; ++i) {
            _within("listed", uint160(entries[i]), i == 0 ? 1 : uint256(uint160(entries[i - 1])) + 1, type(uint160).max);
            listed[entries[i]] = true;
        }
    }

    function _within(bytes32 what, uint256 value, uint256 least, uint256 most) private pure {
        if (value < least || value > most) revert ConfigOutOfBounds(what, value, least, most);
    }

    function _layout() private pure returns (Layout storage $) {
        // Solidity has no other way to name a slot.
        assembly ("memory-safe") {
            $.slot := SLOT
        }
    }
}
