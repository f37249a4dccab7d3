// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Classes} from "./Classes.sol";
import {FlowBucket} from "./FlowBucket.sol";
import {Signatures} from "./controller/Signatures.sol";
import {IFailSafeController} from "./interfaces/IFailSafeController.sol";

/// @notice Outflow limits of a guarded contract: a leaky bucket per key, and optionally one per account besides.
/// @dev Problem: whoever finds a hole takes everything in one transaction, before any guardian can act; and a limit that is
/// counted gross, refilled by its own configuration or spendable by strangers is either no limit or a weapon.
/// Guarantee: per key, what flows out in t seconds is at most cap + cap * t / window, whatever the order of calls, changes and
/// factors. Only open classes flow. Lowering is instant and, for a guardian group, ends at {capFloor}; raising takes
/// {raiseDelay}, is refused while class ADMIN is closed, and opens nothing at once. A key without a limit pays nothing.
/// Trust: the council raises, after its delay; the controller tells it, and judges the signatures of guardian groups, which only
/// lower. The integrator charges every outflow, and notes only measured inflow that no flash mint made.
/// Failure modes: someone with capital can use up a limit over several transactions: delay for the others, not loss. A
/// guardian group can lower to the floor and drop a pending raise until the council replaces it. A refused outflow reverts
/// and therefore leaves no trace: to notice it is for whoever watches.
abstract contract FlowLimiter {
    using FlowBucket for uint256;

    /// @notice A change that the council announced. It can be applied from `eta` on, for {RAISE_LIFETIME}.
    struct Raise {
        uint256 cap;
        uint24 window;
        uint40 eta;
    }

    /// @param word the bucket, see {FlowBucket}
    /// @param floor smallest cap that a guardian group can set, in base units
    struct Limit {
        uint256 word;
        uint256 floor;
        Raise pending;
    }

    /// @custom:storage-location erc7201:ripcord.FlowLimiter
    struct Limits {
        mapping(bytes32 key => Limit) byKey;
        bytes32[] hinted;
    }

    event LimitSet(bytes32 indexed key, uint256 cap, uint24 window, uint256 capFloor);
    event CapLowered(bytes32 indexed key, uint256 from, uint256 to);
    event RaiseScheduled(bytes32 indexed key, uint256 cap, uint24 window, uint40 eta);
    event RaiseApplied(bytes32 indexed key, uint256 cap, uint24 window);

    error LimiterUnset(bytes32 key);
    error LimiterAlreadySet(bytes32 key);
    error LimitExceeded(bytes32 key, uint256 wanted, uint256 available);
    error NotLimitAuthority(address caller);
    error CapNotLower(bytes32 key, uint256 wanted, uint256 present);
    error CapBelowFloor(bytes32 key, uint256 wanted, uint256 floor);
    error LoweringOutdated(bytes32 key, uint256 signedFrom, uint256 present);
    error LoweringNotTimely(uint40 deadline);
    error RaiseChangesNothing(bytes32 key);
    error RaiseNotDue(bytes32 key, uint40 eta);
    error RaiseDelayTooShort(uint40 delay);
    error TooManyHints(uint256 most);

    uint256 public constant MAX_HINTED = 8;
    uint40 public constant MIN_RAISE_DELAY = 48 hours;
    uint40 public constant RAISE_LIFETIME = 7 days;

    /// @dev Less than {MIN_RAISE_DELAY}, and a lowering drops what is announced: no cap is back at the `from` of a signature while
    /// that lives, so that none can be used twice.
    uint40 private constant LOWERING_LIFETIME = 1 days;
    bytes32 private constant NAME_HASH = keccak256("Ripcord FlowLimiter");
    bytes32 private constant LOWER_TYPEHASH =
        keccak256("LowerCap(bytes32 key,uint256 from,uint256 to,uint32 epoch,uint40 deadline)");

    /// @dev keccak256(abi.encode(uint256(keccak256("ripcord.FlowLimiter")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant LIMITS = 0x7525a03a54ebbb7c84507a52a4f0acbe00b11f28b8db2f8417037b74b745bb00;

    /// @notice Seconds between the announcement of a raise and its effect.
    uint40 public immutable raiseDelay;

    /// @dev Not zero once this transaction noted an inflow: spares the others the look-up of their memo.
    uint256 private transient _inflowNoted;

    constructor(uint40 raiseDelay_) {
        if (raiseDelay_ < MIN_RAISE_DELAY) revert RaiseDelayTooShort(raiseDelay_);
        raiseDelay = raiseDelay_;
    }

    /// @notice Lowers the cap of `key` to `cap` base units, at once, and drops a pending raise. Council only.
    function lowerCap(bytes32 key, uint256 cap) external {
        _requireCouncil();
        _lowerCap(key, cap);
    }

    /// @notice The same with the signatures of a guardian group of this contract's scope, not below {capFloor}. Anyone may bring
    /// them; a release by the council voids them.
    /// @param from cap for which they are good
    /// @param deadline at most a day ahead
    function lowerCapBySig(
        bytes32 key,
        uint256 from,
        uint256 to,
        uint40 deadline,
        uint8 group,
        bytes[] calldata signatures
    ) external {
        if (block.timestamp > deadline || deadline > block.timestamp + LOWERING_LIFETIME) {
            revert LoweringNotTimely(deadline);
        }
        IFailSafeController judge = _limitController();
        bytes32 scope = judge.scopeOf(address(this));
        bytes32 content = keccak256(abi.encode(LOWER_TYPEHASH, key, from, to, judge.episodeOf(scope).epoch, deadline));
        judge.requireGroup(scope, group, Signatures.typedDigest(NAME_HASH, content), signatures);
        (uint256 present, uint256 lowered) = _lowerCap(key, to);
        if (present != from) revert LoweringOutdated(key, from, present);
        if (lowered < capFloor(key)) revert CapBelowFloor(key, lowered, capFloor(key));
    }

    /// @notice Announces another cap and window for `key`, in place of an earlier announcement. Council only.
    function scheduleRaise(bytes32 key, uint256 cap, uint24 window) external returns (uint40 eta) {
        _requireCouncil();
        uint256 word = _wordOf(key);
        if (word.toUnits(cap, window) == word.capOf() && window == word.windowOf()) revert RaiseChangesNothing(key);
        eta = uint40(block.timestamp) + raiseDelay;
        _limit(key).pending = Raise(cap, window, eta);
        emit RaiseScheduled(key, cap, window, eta);
    }

    /// @notice Applies what was announced, while it is due and class ADMIN is open. Anyone. What was available stays so, the rest
    /// comes with time.
    function applyRaise(bytes32 key) external {
        _limitRequireOpen(Classes.ADMIN);
        Raise memory next = _limit(key).pending;
        if (block.timestamp < next.eta || block.timestamp > next.eta + RAISE_LIFETIME) {
            revert RaiseNotDue(key, next.eta);
        }
        _configure(key, _wordOf(key).toUnits(next.cap, next.window), next.window);
        emit RaiseApplied(key, next.cap, next.window);
    }

    /// @notice Base units of `key` that can flow out now, as far as its limit goes.
    function available(bytes32 key) public view returns (uint256) {
        return _wordOf(key).available(_factor(), block.timestamp);
    }

    /// @notice The same for one account: no more than what its own bucket has left.
    function availableTo(bytes32 key, address account) external view returns (uint256) {
        uint256 own = _shareOf(_wordOf(key), accountKey(key, account), _factor());
        uint256 share = own.available(_factor(), block.timestamp);
        return share < available(key) ? share : available(key);
    }

    /// @notice Smallest cap to which a guardian group can lower, in base units.
    function capFloor(bytes32 key) public view returns (uint256) {
        return _limit(key).floor;
    }

    /// @notice Cap in base units, window, and the announced change of `key`.
    function limitOf(bytes32 key) external view returns (uint256 cap, uint24 window, Raise memory pending) {
        uint256 word = _wordOf(key);
        return (word.toBase(word.capOf()), uint24(word.windowOf()), _limit(key).pending);
    }

    /// @notice Key of all outflow of `asset`. For one corridor of it, the integrator chooses a key of its own.
    function assetKey(address asset) public pure returns (bytes32) {
        return keccak256(abi.encode(asset));
    }

    /// @notice Key of the bucket that `account` has in `key`.
    function accountKey(bytes32 key, address account) public pure returns (bytes32) {
        return keccak256(abi.encode(key, account));
    }

    /// @notice Charges an outflow of class `class_` from `key`, or reverts. What {_noteInflow} noted of the same account and asset
    /// in this transaction is used up first, and only the rest counts: nobody can use up a limit with a round trip.
    function _consume(uint8 class_, bytes32 key, address account, uint256 amount) internal {
        if (_inflowNoted != 0) amount = _netOfInflow(key, account, amount);
        _consumeGross(class_, key, account, amount);
    }

    /// @notice The same without the memo, for contracts that note no inflow.
    function _consumeGross(uint8 class_, bytes32 key, address account, uint256 amount) internal {
        Limit storage limit = _limits().byKey[key];
        uint256 word = limit.word;
        uint256 capacity = word.capOf();
        if (!word.isPlain()) (word, capacity) = _prepare(class_, key, word, account, amount);
        uint256 next = word.charge(capacity, block.timestamp, amount);
        if (next == 0) revert LimitExceeded(key, amount, available(key));
        limit.word = next;
    }

    /// @notice Notes a measured inflow, for outflows of the same account and asset later in this transaction. It never adds to a
    /// limit.
    function _noteInflow(address asset, address account, uint256 amount) internal {
        bytes32 slot = accountKey(assetKey(asset), account);
        _setMemo(slot, _memo(slot) + amount);
        _inflowNoted = 1;
    }

    /// @notice Gives `key` its limit, once; later changes are for council and guardians.
    /// @param floor smallest cap that a guardian group can set
    /// @param hinted mirror health into the key's own word, so that a healthy outflow reads no other; see {_syncHints}
    function _setLimit(bytes32 key, uint256 cap, uint24 window, uint256 floor, bool hinted) internal {
        Limits storage limits = _limits();
        Limit storage limit = _limit(key);
        if (limit.word != 0) revert LimiterAlreadySet(key);
        if (floor == 0 || floor > cap) revert CapBelowFloor(key, cap, floor);
        uint256 shared = _accountShareBps() < FlowBucket.FULL ? FlowBucket.SHARED : 0;
        (limit.word, limit.floor) = (FlowBucket.create(cap, window, block.timestamp) | FlowBucket.HINT | shared, floor);
        if (hinted) {
            if (limits.hinted.length == MAX_HINTED) revert TooManyHints(MAX_HINTED);
            limits.hinted.push(key);
            _syncHints();
        }
        emit LimitSet(key, cap, window, floor);
    }

    /// @notice Mirrors health into the hinted keys. A contract that has any MUST call this whenever {_limitHealthy} may have changed,
    /// in the same call: a hint that says "healthy" while the contract is not would open every class.
    function _syncHints() internal {
        Limits storage limits = _limits();
        bool healthy = _limitHealthy();
        for (uint256 i = 0; i < limits.hinted.length; ++i) {
            Limit storage limit = _limit(limits.hinted[i]);
            limit.word = healthy ? limit.word & ~FlowBucket.HINT : limit.word | FlowBucket.HINT;
        }
    }

    /// @notice Part of each key's cap that one account may use; constant. All of it means that accounts have no bucket of their own.
    function _accountShareBps() internal view virtual returns (uint256) {
        return FlowBucket.FULL;
    }

    /// @notice Whether nothing is restricted: every class open, full factor.
    function _limitHealthy() internal view virtual returns (bool);

    /// @notice Part of each cap that is in force; more than {FlowBucket-FULL} counts as that.
    function _limitFactor() internal view virtual returns (uint16 bps);

    /// @notice Reverts when class `class_` is closed.
    function _limitRequireOpen(uint8 class_) internal view virtual;

    /// @notice Knows the council and the guardian groups.
    function _limitController() internal view virtual returns (IFailSafeController);

    /// @dev What a healthy key without shares does not need: health, class and factor from the hot word, and the account's bucket.
    /// The latter is written before the key's own is checked; a refusal of either undoes both.
    function _prepare(uint8 class_, bytes32 key, uint256 word, address account, uint256 amount)
        private
        returns (uint256, uint256 capacity)
    {
        if ((word ^ FlowBucket.HINT).isPlain() && _limitHealthy()) return (word, word.capOf());
        if (word == 0) revert LimiterUnset(key);
        uint256 factorBps = FlowBucket.FULL;
        if (word & FlowBucket.HINT != 0 && !_limitHealthy()) {
            _limitRequireOpen(class_);
            factorBps = _factor();
        }
        if (word & FlowBucket.SHARED != 0) {
            bytes32 own = accountKey(key, account);
            (uint256 share, uint256 part) = _shareOf(word, own, factorBps).under(factorBps, block.timestamp);
            uint256 next = share.charge(part, block.timestamp, amount);
            if (next == 0) revert LimitExceeded(own, amount, share.available(factorBps, block.timestamp));
            _limit(own).word = next;
        }
        return word.under(factorBps, block.timestamp);
    }

    /// @dev An account's bucket follows the cap of its key: full when new, else configured when it is next used.
    function _shareOf(uint256 word, bytes32 own, uint256 factorBps) private view returns (uint256) {
        uint256 cap = word.capOf() * _accountShareBps() / FlowBucket.FULL;
        uint256 share = _limit(own).word;
        if (share == 0) return word.fill(factorBps, block.timestamp, cap, word.windowOf());
        return share.configure(factorBps, block.timestamp, cap, word.windowOf());
    }

    /// @return from cap before, in base units
    /// @return to cap from now on, which units may round down
    function _lowerCap(bytes32 key, uint256 cap) private returns (uint256 from, uint256 to) {
        uint256 word = _wordOf(key);
        uint256 units = word.toUnits(cap, word.windowOf());
        (from, to) = (word.toBase(word.capOf()), word.toBase(units));
        if (to >= from) revert CapNotLower(key, cap, from);
        _configure(key, units, word.windowOf());
        emit CapLowered(key, from, to);
    }

    /// @dev A pending raise was meant for the configuration that ends here, and ends with it.
    function _configure(bytes32 key, uint256 units, uint256 window) private {
        Limit storage limit = _limit(key);
        delete limit.pending;
        limit.word = limit.word.configure(_factor(), block.timestamp, units, window);
    }

    function _netOfInflow(bytes32 key, address account, uint256 amount) private returns (uint256) {
        bytes32 slot = accountKey(key, account);
        uint256 memo = _memo(slot);
        uint256 netted = memo < amount ? memo : amount;
        _setMemo(slot, memo - netted);
        return amount - netted;
    }

    function _requireCouncil() private view {
        if (msg.sender != _limitController().council()) revert NotLimitAuthority(msg.sender);
    }

    /// @dev Of a key that {_setLimit} gave a limit; the bucket of an account is none.
    function _wordOf(bytes32 key) private view returns (uint256) {
        if (_limit(key).floor == 0) revert LimiterUnset(key);
        return _limit(key).word;
    }

    function _factor() private view returns (uint256 bps) {
        bps = _limitFactor();
        if (bps > FlowBucket.FULL) bps = FlowBucket.FULL;
    }

    function _limit(bytes32 key) private view returns (Limit storage) {
        return _limits().byKey[key];
    }

    function _limits() private pure returns (Limits storage limits) {
        assembly ("memory-safe") {
            limits.slot := LIMITS
        }
    }

    /// @dev The language has no transient mappings.
    function _memo(bytes32 slot) private view returns (uint256 amount) {
        assembly ("memory-safe") {
            amount := tload(slot)
        }
    }

    function _setMemo(bytes32 slot, uint256 amount) private {
        assembly ("memory-safe") {
            tstore(slot, amount)
        }
    }
}
