// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Classes} from "../Classes.sol";
import {FailSafe} from "../FailSafe.sol";
import {FailSafeWord, Hot} from "../FailSafeWord.sol";
import {Mode, Restriction} from "../Types.sol";
import {PauseProbe, PauseProbes, Rehearsal} from "./PauseProbe.sol";

/// @title Gives a target that does not know the kit a bounded pause
/// @notice Problem: most contracts have a pause of one bit that somebody must lift, which is lost when that somebody is.
/// Guarantee: the adapter answers a controller like a guarded contract, with the same state machine and the same budgets, and
/// pulls one lever of its target: one pausing call. It fails loudly where the lever closes more or less than what was asked, except
/// for classes that its enrolment names. It undoes only a pause that it made, and only after the restriction is over: from the
/// enrolled stage on, in two touches by anyone, of which the first is notice. A new trip between them cancels. Expiry needs neither
/// the controller nor a council.
/// Trust: the council, which enrols the adapter and with it all that is fixed here; the target's own pause. Grant the adapter
/// the right to pause and to reopen and nothing more: it can make no other calls, but see {Profile} for AccessManager.
/// Failure modes: a target that knows nothing of the kit cannot refuse calls in the second of its reopening, hence notice and
/// not blocking. It has no stages, no limiter, no grace and no entitlements: what its pause closes opens at once, and in EXIT it
/// stays closed without handing over its assets, which its owners must bring to the round. A WATCH changes nothing here and is
/// refused. A class that a trip did not ask for but enrolment rounds up is closed as long as the one that was asked for. A TIMED
/// pause ends in its own second, also while insolvency holds S0. Who lifts the adapter's pause by hand and sets another one
/// should call {expire} in between: one bit does not tell who set it.
contract PausableAdapter is FailSafe, Rehearsal {
    using FailSafeWord for Hot;
    using PauseProbes for PauseProbe;

    /// @notice How a lever is called.
    /// SWITCH: `pause()` and `reopen()`; OpenZeppelin Pausable.
    /// KEYED: `pause(key, true)` and `reopen(key, false)`; setReservePause and setReserveFreeze of Aave, setTargetClosed of an
    /// AccessManager. The latter gives that right only with its ADMIN_ROLE, which is far more than this contract can use.
    /// FLAGS: `pause(word)` and `reopen(word)` with the present word and the lever's bits set or cleared.
    /// TIMED: `pause(seconds)` and `reopen()`; Lido's pauseFor. Ends by itself, so `reopen` may be zero.
    enum Profile {
        SWITCH,
        KEYED,
        FLAGS,
        TIMED
    }

    /// @param profile how it is called
    /// @param target contract that is called
    /// @param pause selector that closes
    /// @param reopen selector that opens
    /// @param expiryStage stage 1..4 from which the pause may be lifted
    /// @param key reserve or managed contract of a KEYED lever, else zero
    /// @param closes classes of which the lever closes all functions
    /// @param tolerated of `closes`: may be closed although not asked for (rounding to the tighter side). Of the others: may be asked
    /// for although the lever does not close them, because the target has none or another lever closes them
    /// @param probe how to see that the lever is pulled
    struct Lever {
        Profile profile;
        address target;
        bytes4 pause;
        bytes4 reopen;
        uint8 expiryStage;
        address key;
        uint32 closes;
        uint32 tolerated;
        PauseProbe probe;
    }

    event LeverPulled(uint256 until);
    event ExpiryAnnounced();
    event ExpiryCancelled();
    event LeverReleased();
    /// @notice Somebody else lifted the adapter's pause, or it ended by itself.
    event LeverFoundOpen();

    error LeverMalformed(bytes32 what);
    error ClassUnsupported(uint32 mask);
    error NothingToExpire();
    error NotYetExpired(Mode mode, uint8 stage);
    error NoticeNotOver(uint40 announcedAt);
    error AlreadyPaused(address target);

    /// @notice As enrolled; it never changes.
    Lever public lever;
    /// @notice What tells this adapter's pause from others': the bits that it set, or the end that it gave a TIMED lever.
    uint64 public taken;
    /// @notice Second of the first touch; 0 for none.
    uint40 public announcedAt;
    /// @dev Keeps the slot of the two above from being fresh in every episode.
    bool private _used = true;

    constructor(Config memory config, Lever memory lever_) FailSafe(config) {
        // What the target cannot do must not be promised for it.
        _require(address(config.entitlements) == address(0), "entitlements");
        _require(config.exitAssets.length + config.strategies.length == 0, "exit");
        _require(lever_.target != address(0) && lever_.pause != 0, "target");
        bool timed = lever_.profile == Profile.TIMED;
        _require(timed == (lever_.probe.bits == 0), "probe");
        _require(timed || lever_.reopen != 0, "reopen");
        _require((lever_.profile == Profile.KEYED) == (lever_.key != address(0)), "key");
        _require(lever_.expiryStage != 0 && lever_.expiryStage <= 4, "stage");
        // A pause that stops repayment needs a council that said so, and must stop liquidation too.
        uint32 never = lever_.closes & Classes.NEVER_RESTRICTED;
        if (never & ~lever_.tolerated != 0) revert ClassNeverRestricted(never);
        bool unfair = lever_.closes >> Classes.REDUCE_RISK & 1 > lever_.closes >> Classes.LIQUIDATE & 1;
        _require(lever_.closes != 0 && !unfair, "closes");
        // Every episode closes UPGRADE, asked or not; what it means for the target is for whoever can upgrade it.
        lever_.tolerated |= uint32(1 << Classes.UPGRADE);
        lever = lever_;
        _read(lever_); // refuses a probe that does not answer
    }

    /// @inheritdoc FailSafe
    function failsafeArm(Restriction memory r, bytes32 reason) public override returns (uint256 word) {
        word = super.failsafeArm(r, reason);
        Hot memory h = FailSafeWord.unpack(word);
        if (h.mode == Mode.NORMAL || h.mode == Mode.RECOVERING) return word;
        Lever memory l = lever;
        if (h.mode != Mode.EXIT) _requireFit(l, h.mask);
        if (announcedAt != 0) {
            announcedAt = 0;
            emit ExpiryCancelled();
        }
        uint256 end = uint256(h.until) + (h.mode == Mode.HALTED ? h.s0Left : 0);
        // A restriction that waits below a halt counts when the lever fits it too.
        uint256 below = h.restrictedUntil();
        if (below > end && _fits(l, h.mask & Classes.closable(Mode.RESTRICTED))) end = below;
        _pull(l, end);
    }

    /// @inheritdoc FailSafe
    function failsafeHold(uint32 mask) public override {
        super.failsafeHold(mask);
        if (mask == 0) return;
        Lever memory l = lever;
        _requireFit(l, mask);
        _pull(l, type(uint40).max);
    }

    /// @inheritdoc FailSafe
    /// @dev A class of the lever is open when the lever is, whatever the time says.
    function failsafeOpen(uint8 class_) public view override returns (bool) {
        Lever memory l = lever;
        return l.closes >> class_ & 1 == 0 ? super.failsafeOpen(class_) : !l.probe.held(_read(l));
    }

    /// @notice Lifts the adapter's own pause once the restriction is over. Anyone; the first touch announces, the second, in a
    /// later second, reopens.
    function expire() external {
        if (taken == 0) revert NothingToExpire();
        Lever memory l = lever;
        uint64 mine = _mine(l, _read(l));
        if (mine == 0) {
            (taken, announcedAt) = (0, 0);
            emit LeverFoundOpen();
            return;
        }
        Hot memory h = _effective();
        if (l.reopen == 0 || !_over(l, h)) revert NotYetExpired(h.mode, h.stage);
        if (announcedAt == 0) {
            announcedAt = uint40(block.timestamp);
            emit ExpiryAnnounced();
            return;
        }
        if (block.timestamp <= announcedAt) revert NoticeNotOver(announcedAt);
        (taken, announcedAt) = (0, 0);
        _release(l, mine);
        emit LeverReleased();
    }

    /// @notice Whether the target would obey now, and the error when not. It makes both real calls and undoes them: a role check
    /// that a drill can run every day by `eth_call`.
    function ready() external returns (bool ok, bytes memory reason) {
        return _rehearse(abi.encodeCall(this.rehearse, ()));
    }

    /// @notice Half of {ready}: always reverts, with {Rehearsed} after a pause and a reopening that had their effect.
    function rehearse() external {
        Lever memory l = lever;
        if (l.probe.held(_read(l))) revert AlreadyPaused(l.target);
        taken = 0;
        _pull(l, block.timestamp + 1 hours);
        if (l.reopen != 0) _release(l, taken);
        revert Rehearsed();
    }

    // ---------------------------------------------------------------- inside

    /// @dev Whether nothing in force asks for the lever any more.
    function _over(Lever memory l, Hot memory h) private view returns (bool) {
        if (l.closes & h.held != 0) return false;
        if (l.closes >> Classes.LIQUIDATE & 1 == 1 && block.timestamp < h.graceUntil) return false;
        if (h.mode == Mode.RECOVERING) return h.stageInForce(block.timestamp) >= l.expiryStage;
        // The restriction that a halt left waiting may be too light for this lever.
        if (h.mode == Mode.RESTRICTED) return !_fits(l, h.mask);
        return h.mode == Mode.NORMAL;
    }

    function _requireFit(Lever memory l, uint32 mask) private pure {
        if (!_fits(l, mask)) revert ClassUnsupported((mask ^ l.closes) & ~l.tolerated);
    }

    /// @dev Whether the lever closes something of `mask`, and no class unasked nor leaves one open, without leave.
    function _fits(Lever memory l, uint32 mask) private pure returns (bool) {
        return mask & l.closes != 0 && (mask ^ l.closes) & ~l.tolerated == 0;
    }

    /// @dev Pauses the target up to `end` at least, unless it is paused for so long already, by whomever.
    function _pull(Lever memory l, uint256 end) private {
        bool timed = l.profile == Profile.TIMED;
        uint256 before = _read(l);
        bool held = l.probe.held(before);
        if (timed ? before >= end : held) return;
        // Most timed pauses cannot be prolonged while they last. The adapter may lift its own to set a longer one at once.
        if (timed && l.reopen != 0 && _mine(l, before) != 0) {
            _call(l, l.reopen, "");
            held = false;
        }
        if (l.profile == Profile.SWITCH) _call(l, l.pause, "");
        else if (l.profile == Profile.KEYED) _call(l, l.pause, abi.encode(l.key, true));
        else _call(l, l.pause, abi.encode(timed ? end - block.timestamp : before | l.probe.bits));
        uint256 afterwards = _read(l);
        if (timed ? afterwards < end : !l.probe.held(afterwards)) revert PauseHadNoEffect(l.target);
        if (!timed) taken |= l.probe.bits & ~_low(before);
        else if (!held) taken = _low(afterwards);
        emit LeverPulled(end);
    }

    /// @dev Clears what is this adapter's and nothing else.
    function _release(Lever memory l, uint64 mine) private {
        if (l.profile == Profile.KEYED) _call(l, l.reopen, abi.encode(l.key, false));
        else if (l.profile == Profile.FLAGS) _call(l, l.reopen, abi.encode(_read(l) & ~uint256(mine)));
        else _call(l, l.reopen, "");
        uint256 afterwards = _read(l);
        if (l.profile == Profile.TIMED ? l.probe.held(afterwards) : afterwards & mine != 0) {
            revert PauseHadNoEffect(l.target);
        }
    }

    /// @dev The part of what the target answers that this adapter set; 0 for none.
    function _mine(Lever memory l, uint256 word) private view returns (uint64) {
        if (l.profile != Profile.TIMED) return _low(word) & taken;
        return l.probe.held(word) && _low(word) == taken ? taken : 0;
    }

    function _low(uint256 word) private pure returns (uint64) {
        // forge-lint: disable-next-line(unsafe-typecast) a probe has bits here and nowhere else
        return uint64(word);
    }

    function _call(Lever memory l, bytes4 selector, bytes memory args) private {
        (bool ok,) = l.target.call(bytes.concat(selector, args));
        if (!ok) revert PauseRefused(l.target);
    }

    function _read(Lever memory l) private view returns (uint256) {
        return l.probe.read(l.key == address(0) ? bytes("") : abi.encode(l.key));
    }

    function _require(bool sound, bytes32 what) private pure {
        if (!sound) revert LeverMalformed(what);
    }
}
