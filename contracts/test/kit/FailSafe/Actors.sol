// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeWord, Hot} from "../../../src/kit/FailSafeWord.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {Assert} from "../../utils/Assert.sol";
import {GuardedVault} from "./GuardedVault.sol";

/// @notice A controller that sends whatever hostile guardians, sensors, vouchers and a council can think of, and a witness who
/// only watches what is open at which second. Its record knows nothing of the words: no budgets, no counters, no arithmetic.
contract Actors is Assert {
    struct Span {
        uint256 from;
        uint256 to;
    }

    bytes32 private constant SLOT = 0x81b926a01efc0940e1b7883b4c64fb5f07609610196454a5e5ea3eaaa21f6800;
    uint40 private constant GRACE = 12 hours;
    uint40 private constant S0 = 6 hours;

    GuardedVault public vault;
    bool public immutable lonely;

    uint256 public clock;
    bool public ended;
    Span[] private _frozen;
    Span[] private _tight;
    Span[] private _any;
    uint256 public frozen;
    uint256 public haltedInEpisode;
    uint256 public s0InEpisode;
    /// @dev Last second in which prices were closed; 0 for never.
    uint256 public pricesClosedAt;
    uint256 public landed;

    /// @param lonely_ without a council: whoever opens stages does so as soon as they are due
    constructor(bool lonely_) {
        (lonely, clock) = (lonely_, block.timestamp);
    }

    function guard(GuardedVault vault_) external {
        vault = vault_;
    }

    modifier inTime() {
        vm.warp(clock);
        _;
        clock = block.timestamp;
    }

    // ------------------------------------------------------------- what anyone may try

    function pass(uint256 secs) external inTime {
        _pass(clamp(secs, 1, secs % 2 == 0 ? 1 hours : 1 days));
    }

    function passDays(uint256 secs) external inTime {
        _pass(clamp(secs, 1, 12 days));
    }

    /// @dev Any request of anyone but the council. What lands is tighter in every component than what was.
    function trip(uint256 mode, uint256 origin, uint32 mask, uint256 secs, uint16 factorBps) public inTime {
        Restriction memory r;
        (r.mode, r.origin) =
        (Mode(mode % 6), [Origin.GUARDIAN, Origin.GUARDIAN, Origin.SENSOR, Origin.VOUCHER][origin % 4]);
        r.mask = mask & Classes.closable(r.mode);
        if (mask % 4 == 0) r.mask = Classes.closable(r.mode);
        r.factorBps = factorBps;
        r.until = uint40(block.timestamp + secs % (secs % 2 == 0 ? 5 days : 2 hours));
        r.stage = uint8(secs % 6);
        Hot memory before = _word();
        if (!_send(abi.encodeCall(IFailSafe.failsafeArm, (r, "")))) return;
        Hot memory next = _word();
        uint256 rank = FailSafeWord.rank(before.mode, before.stage);
        atLeast(FailSafeWord.rank(next.mode, next.stage), rank, "T1: mode");
        if (next.mode == before.mode && next.stage == before.stage) atLeast(next.until, before.until, "T1: until");
        atLeast(FailSafeWord.restrictedUntil(next) + 59, FailSafeWord.below(before), "T1: what waits");
        atLeast(next.graceUntil, before.graceUntil, "T1: grace");
        eq(next.held, before.held, "T1: hold");
        yes(next.mode != Mode.EXIT && next.insolvent == before.insolvent, "T1: nothing of the council's");
        ++landed;
    }

    function halt(uint256 secs) external {
        trip(3, 0, 0, secs, 5_000);
    }

    function poke(uint256 secs) external {
        trip(2, 2, 0, secs, 5_000);
    }

    function advance(bool finish, uint8 stage) external inTime {
        Restriction memory r;
        (r.mode, r.stage, r.origin) =
        (finish ? Mode.NORMAL : Mode.RECOVERING, finish ? 0 : 2 + stage % 4, Origin.COUNCIL);
        Hot memory before = _word();
        if (before.mode == Mode.WATCH) return;
        if (!_send(abi.encodeCall(IFailSafe.failsafeArm, (r, "")))) return;
        yes(
            before.mode == Mode.RECOVERING && before.stage > 0 && block.timestamp >= before.until,
            "T6: only after the dwell"
        );
        Hot memory next = _word();
        yes(
            next.mode == Mode.NORMAL
                ? before.stage == 4
                : next.mode == Mode.RECOVERING && next.stage == before.stage + 1,
            "T6: one stage"
        );
        if (next.mode == Mode.NORMAL) _newEpisode();
    }

    function settle() external inTime {
        bytes32 before = keccak256(abi.encode(_now(), vault.frozenSeconds()));
        _send(abi.encodeCall(IFailSafe.failsafeSettle, ()));
        yes(before == keccak256(abi.encode(_now(), vault.frozenSeconds())), "settling changes nothing");
    }

    // ------------------------------------------------------------- what a council may try

    function extend(uint256 secs) external inTime {
        Restriction memory r;
        Hot memory before = _word();
        (r.mode, r.origin, r.until) = (before.mode, Origin.COUNCIL, uint40(block.timestamp + secs % 25 days));
        if (before.mode == Mode.RECOVERING || before.mode == Mode.NORMAL) r.mode = Mode(1 + secs % 3);
        if (!_send(abi.encodeCall(IFailSafe.failsafeArm, (r, "")))) return;
        yes(before.mode == r.mode, "live only");
        atMost(
            _word().until,
            before.until > before.episodeStart + 21 days ? before.until : before.episodeStart + 21 days,
            "cap"
        );
    }

    function release(bool whole) external inTime {
        Restriction memory r;
        (r.mode, r.origin) = (whole && _word().mode == Mode.WATCH ? Mode.NORMAL : Mode.RECOVERING, Origin.COUNCIL);
        _send(abi.encodeCall(IFailSafe.failsafeArm, (r, "")));
    }

    function flag(bool insolvent) external inTime {
        _send(abi.encodeCall(IFailSafe.failsafeInsolvent, (insolvent)));
    }

    function hold(uint32 mask) external inTime {
        Hot memory before = _word();
        if (!_send(abi.encodeCall(IFailSafe.failsafeHold, (mask & Classes.HOLDABLE)))) return;
        yes(before.mode == Mode.NORMAL || block.timestamp >= before.episodeStart + 21 days, "after day 21");
    }

    function waive() external inTime {
        _send(abi.encodeCall(IFailSafe.failsafeWaiveGap, ()));
    }

    function end(uint256 chance) external inTime {
        if (chance % 16 != 0) return;
        Restriction memory r;
        (r.mode, r.origin) = (Mode.EXIT, Origin.COUNCIL);
        ended = _send(abi.encodeCall(IFailSafe.failsafeArm, (r, ""))) || ended;
    }

    // ------------------------------------------------------------- the witness

    /// @dev Nothing that a transaction does opens anything, or raises the factor, in its own second.
    function _send(bytes memory data) private returns (bool ok) {
        Restriction memory before = _now();
        bytes memory answer;
        (ok, answer) = address(vault).call(data);
        Restriction memory next = _now();
        if (ok) {
            yes(before.mask & ~next.mask == 0, "T1, T6: closed stays closed in this second");
            atMost(next.factorBps, before.factorBps, "T1, T6: the factor too");
            yes(!ended, "T10: nothing lands in EXIT");
            bool armed = bytes4(data) == IFailSafe.failsafeArm.selector;
            yes(!armed || abi.decode(answer, (uint256)) == vault.failsafeWord(), "the answer is the word in force");
        } else {
            bytes4 error_ = bytes4(answer);
            yes(answer.length >= 4 && error_ != 0x4e487b71 && error_ != 0x08c379a0, "T11: typed");
            yes(keccak256(abi.encode(before)) == keccak256(abi.encode(next)), "a refusal changes nothing");
        }
        _look();
    }

    function _look() private {
        Restriction memory r = _now();
        eq(uint256(vm.load(address(vault), SLOT)) >> 1 & Classes.NEVER_RESTRICTED, 0, "mask");
        yes(vault.failsafeOpen(Classes.REDUCE_RISK) && vault.failsafeOpen(Classes.CLAIM), "T3");
        if (!vault.failsafeOpen(Classes.PRICE_UPDATE)) pricesClosedAt = block.timestamp;
        if (vault.failsafeOpen(Classes.LIQUIDATE) && pricesClosedAt != 0) {
            atLeast(block.timestamp, pricesClosedAt + 1 + GRACE, "T8: grace");
        }
        uint32 followers = uint32(1 << Classes.LIQUIDATE | 1 << Classes.INCREASE_RISK);
        yes(
            r.mask >> Classes.PRICE_UPDATE & 1 == 0 || r.mask & followers == followers,
            "prices closed closes what needs them"
        );
        yes(!ended || r.mode == Mode.EXIT, "T10: no way back");
        bool healthy = uint256(vm.load(address(vault), SLOT)) == FailSafeWord.HEALTHY;
        yes(!healthy || (r.mode == Mode.NORMAL && r.mask == 0 && r.factorBps == 10_000), "healthy means open");
    }

    /// @dev Walks through time, finding the second of every change of state by bisection.
    function _pass(uint256 secs) private {
        uint256 to = block.timestamp + secs;
        while (block.timestamp < to) {
            uint256 from = block.timestamp;
            bytes32 state = _state();
            (Restriction memory r, bool s0) = (_now(), FailSafeWord.isS0(_word()));
            // No state comes back by time alone, so one step may span many.
            Hot memory h = _word();
            bool due = lonely && h.mode == Mode.RECOVERING && h.stage > 0 && h.until > from && h.until < to;
            uint256 next = due ? h.until : to;
            vm.warp(next);
            if (_state() != state) {
                (uint256 low, uint256 high) = (from, next);
                while (high - low > 1) {
                    vm.warp((low + high) / 2);
                    if (_state() == state) low = block.timestamp;
                    else high = block.timestamp;
                }
                vm.warp(high);
            }
            _record(r, s0, from, block.timestamp);
            _edge(r, _now());
            _look();
            if (lonely) _advanceWhenDue();
        }
    }

    /// @param s0 in S0 itself, not in the first second of S1, in which what a release opened is still closed
    function _record(Restriction memory r, bool s0, uint256 from, uint256 to) private {
        if (r.mode == Mode.HALTED) haltedInEpisode += to - from;
        if (s0) s0InEpisode += to - from;
        if (r.mode == Mode.HALTED || s0) {
            frozen += to - from;
            _append(_frozen, from, to);
        }
        if (r.mode == Mode.HALTED || s0 || r.mode == Mode.RESTRICTED) _append(_tight, from, to);
        if (r.mode != Mode.NORMAL) _append(_any, from, to);
        if (r.mask >> Classes.PRICE_UPDATE & 1 == 1) pricesClosedAt = to - 1;
    }

    /// @dev Edges that time alone may take.
    function _edge(Restriction memory a, Restriction memory b) private {
        if (a.mode == b.mode && a.stage == b.stage) return;
        bool ok = a.mode == Mode.WATCH
            ? b.mode == Mode.NORMAL
            : a.mode == Mode.HALTED || a.mode == Mode.RESTRICTED
                ? b.mode == Mode.RECOVERING && b.stage < 2
                : a.mode == Mode.RECOVERING && (b.stage == 1 || b.mode == Mode.RESTRICTED || b.stage == a.stage + 1);
        // A HALTED without S0 left falls on a RESTRICTED that waited.
        ok = ok || (a.mode == Mode.HALTED && b.mode == Mode.RESTRICTED);
        yes(ok, "an edge of time");
        if (b.mode == Mode.NORMAL) _newEpisode();
    }

    function _advanceWhenDue() private {
        Hot memory h = _word();
        if (h.mode != Mode.RECOVERING || h.stage == 0 || block.timestamp < h.until) return;
        Restriction memory r;
        (r.mode, r.origin) = (Mode.NORMAL, Origin.COUNCIL);
        yes(_send(abi.encodeCall(IFailSafe.failsafeArm, (r, ""))), "T4: a stage that is due opens");
        if (h.stage == 4) _newEpisode();
    }

    function _newEpisode() private {
        if (lonely) {
            atMost(haltedInEpisode, 72 hours, "T2: halted in an episode");
            atMost(s0InEpisode, S0, "T2: S0 once in an episode");
        }
        (haltedInEpisode, s0InEpisode) = (0, 0);
    }

    // ------------------------------------------------------------- sums

    function frozenInWindow() external view returns (uint256) {
        return _worst(_frozen);
    }

    function tightInWindow() external view returns (uint256) {
        return _worst(_tight);
    }

    function anyInWindow() external view returns (uint256) {
        return _worst(_any);
    }

    function _append(Span[] storage spans, uint256 from, uint256 to) private {
        if (spans.length != 0 && spans[spans.length - 1].to == from) spans[spans.length - 1].to = to;
        else spans.push(Span(from, to));
    }

    /// @dev The fullest window of 90 days; some fullest one ends where a span ends.
    function _worst(Span[] storage spans) private view returns (uint256 worst) {
        for (uint256 i = 0; i < spans.length; ++i) {
            uint256 to = spans[i].to;
            uint256 from = to - 90 days;
            uint256 sum = 0;
            for (uint256 j = 0; j <= i; ++j) {
                if (spans[j].to <= from) continue;
                sum += spans[j].to - (spans[j].from > from ? spans[j].from : from);
            }
            if (sum > worst) worst = sum;
        }
    }

    function _now() private view returns (Restriction memory effective) {
        (, effective) = vault.failsafeState();
    }

    /// @dev The mask, too: what a transaction opens, opens in the next second of the same mode and stage.
    function _state() private view returns (bytes32) {
        Hot memory h = _word();
        return keccak256(abi.encode(h.mode, h.stage, _now().mask));
    }

    function _word() private view returns (Hot memory) {
        return FailSafeWord.unpack(vault.failsafeWord());
    }
}
