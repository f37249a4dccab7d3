// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Mode} from "../../../src/kit/Types.sol";
import {Rounds} from "../../../src/kit/exit/Rounds.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {ExitWorld} from "./ExitWorld.sol";
import {MockLedger} from "./Mocks.sol";
import {Reference} from "./Reference.sol";
import {PlainToken} from "./Tokens.sol";

/// @notice Random schedules against the naive reference: recovery with live limits and carries, then a round with funding, claims,
/// disputes and timeouts in any order. Indexes, remainders, surplus and every payout are exactly equal.
contract ExitEqualityTest is ExitWorld {
    uint256 private constant MAX = 7;

    enum Known {
        NO,
        PROVEN,
        REGISTERED
    }

    Reference private reference_;
    MockLedger private ledger;
    PlainToken private token;
    address private unit;
    bool private nominal;
    uint256 private round;
    uint256 private seed;
    uint256 private n;
    uint256 private scale;
    uint256 private depositsAll;
    uint256 private paidInRecovery;
    uint256 private fundedAll;
    uint256 private total;
    Known[MAX] private known;
    bool[MAX] private gone;
    bool[MAX] private waiting;

    function testFuzz_T9_NominalEqualsReference(uint256 seed_) public {
        _run(seed_, true);
    }

    function testFuzz_T9_InKindEqualsReference(uint256 seed_) public {
        _run(seed_, false);
    }

    function _run(uint256 seed_, bool nominal_) private {
        (seed, nominal) = (seed_, nominal_);
        (ledger, token) = nominal ? (vault, usd) : (pool, dai);
        unit = nominal ? address(usd) : address(pool);
        _checkpointState();
        for (uint256 i = _random(25); i != 0; --i) {
            _flow(false);
        }
        _recovery();
        _round();
        for (uint256 i = 20 + _random(40); i != 0; --i) {
            _step();
        }
        _finish();
    }

    // ---------------------------------------------------------------- phases

    /// @dev Counters start above zero: only what happened since counts.
    function _checkpointState() private {
        n = 2 + _random(MAX - 1);
        uint256[5] memory scales = [uint256(5), 100, 1e6, 1e24, 1 << 120];
        scale = scales[_random(5)];
        int256[] memory equity = new int256[](n);
        for (uint256 i; i < n; ++i) {
            equity[i] = int256(_random(scale + 1)) - (nominal ? int256(0) : int256(scale / 2));
            if (equity[i] > 0) total += uint256(equity[i]);
            known[i] = Known(_random(5) == 0 ? 0 : _random(4) == 0 ? 1 : 2);
            (uint256 d, uint256 w) = (_random(scale), _random(scale));
            ledger.noteFlow(unit, _account(i), d, w);
            uint256 before;
            if (_random(2) == 0) {
                before = _random(scale);
                uint256 to = _random(n);
                ledger.noteMove(unit, _account(i), _account(to), before);
                checkpoint.setMoved(ID, unit, _account(i), _account(to), before);
            }
            checkpoint.setEntitlement(
                ID, unit, ILedgerCheckpoint.Entitlement(_account(i), equity[i], uint128(d), uint128(w), uint128(before))
            );
        }
        checkpoint.setTotal(ID, unit, total);
        reference_ = new Reference(equity);
    }

    /// @dev Before the halt anything goes, since stolen and minted claims move like others; in recovery the limit binds.
    function _flow(bool bound) private {
        (uint256 i, uint256 j, uint256 kind) = (_random(n), _random(n), _random(3));
        uint256 amount = _random(2 * scale);
        if (kind != 0 && bound) {
            uint256 limit = exit.withdrawable(address(ledger), unit, _account(i));
            if (amount > limit) amount = limit;
        }
        if (kind == 0) {
            ledger.noteFlow(unit, _account(i), amount, 0);
            reference_.deposit(i, amount);
            depositsAll += amount;
        } else if (kind == 1) {
            ledger.noteFlow(unit, _account(i), 0, amount);
            reference_.withdraw(i, amount);
            if (bound) paidInRecovery += amount;
        } else if (i != j) {
            ledger.noteMove(unit, _account(i), _account(j), amount);
            reference_.move(i, j, amount);
        }
    }

    function _recovery() private {
        _incident(ROOT, Mode.RECOVERING);
        ledger.setMode(Mode.RECOVERING, 0);
        exit.pin(ROOT, ID);
        for (uint256 i; i < n; ++i) {
            if (known[i] == Known.REGISTERED) exit.register(ID, unit, _account(i), _proof(_account(i)));
        }
        for (uint256 i = _random(30); i != 0; --i) {
            if (_random(3) == 0) _carry(_random(n), _random(n));
            else _flow(true);
            uint256 who = _random(n);
            uint256 limit = known[who] == Known.REGISTERED ? reference_.withdrawable(who) : 0;
            eq(exit.withdrawable(address(ledger), unit, _account(who)), limit, "withdrawable");
        }
    }

    function _carry(uint256 i, uint256 j) private {
        bytes memory proof = _proof(_account(i));
        if (known[i] != Known.REGISTERED || known[j] != Known.REGISTERED || i == j) return;
        uint256 amount = reference_.carry(i, j);
        uint256 before = exit.carried(ID, unit, _account(i), _account(j));
        try exit.carry(ID, unit, _account(i), _account(j), proof) {
            yes(amount != 0, "carried nothing");
        } catch {
            eq(amount, 0, "carry refused");
        }
        eq(exit.carried(ID, unit, _account(i), _account(j)) - before, amount, "carried");
    }

    /// @dev Warm period: carries and entries in any order, entries again after carries, disputes, early funding.
    function _round() private {
        _incident(ROOT, Mode.EXIT);
        ledger.setMode(Mode.EXIT, FOREVER);
        round = controller.openRound(ROOT, ID);
        exit.activate(round, address(token));
        for (uint256 i = _random(40); i != 0; --i) {
            uint256 who = _random(n);
            if (_random(2) == 0) _carry(who, _random(n));
            else if (known[who] != Known.NO) _enter(round, token, _account(who));
        }
        uint256 early = _random(3) == 0 ? _random(2 * scale) : 0;
        bool[] memory entered = new bool[](n);
        for (uint256 i; i < n; ++i) {
            entered[i] = known[i] != Known.NO;
            if (entered[i]) _enter(round, token, _account(i));
            if (entered[i] && _random(3) == 0) {
                _dispute(round, token, BOB, _account(i));
                waiting[i] = true;
            }
        }
        reference_.count(entered, total, nominal);
        if (early != 0) _fundBoth(early);
        _bounds();
        _warm();
    }

    /// @dev What all can get at most is the total plus what came in since, even with what was taken out in recovery.
    function _bounds() private view {
        uint256 sumA;
        uint256 sumB;
        for (uint256 i; i < n; ++i) {
            sumA += reference_.shareA(i);
            sumB += reference_.shareB(i);
        }
        atMost(sumA + sumB + paidInRecovery, total + depositsAll, "entitlements");
        atMost(sumB, _pool(round, token).totalB, "shares in the total");
        eq(_pool(round, token).totalA, sumA, "sum of refunds");
    }

    function _step() private {
        uint256 kind = _random(10);
        uint256 who = _random(n);
        if (kind < 2) _fundBoth(_random(4) == 0 ? 1 : 1 + _random(scale));
        else if (kind == 2 && waiting[who]) _decide(who);
        else _pay(who);
        _compare();
    }

    function _decide(uint256 who) private {
        Rounds.Leaf memory l = _leaf(round, token, _account(who));
        if (l.status == Rounds.Status.DISPUTED && block.timestamp < l.deadline && _random(4) != 0) {
            bool valid = _random(3) == 0;
            _resolve(round, token, COUNCIL, _account(who), valid);
            if (valid) waiting[who] = false;
            return;
        }
        if (block.timestamp < l.deadline) vm.warp(l.deadline);
        exit.settleDispute(round, address(token), _account(who));
        waiting[who] = false;
        if (l.status == Rounds.Status.REJECTED) {
            reference_.remove(who);
            gone[who] = true;
        }
    }

    function _pay(uint256 who) private {
        if (waiting[who] || gone[who]) {
            vm.prank(_account(who));
            (bool ok,) = address(exit).call(abi.encodeCall(exit.claim, (round, address(token), _proof(_account(who)))));
            yes(!ok, "a disputed or removed share is not paid");
            return;
        }
        uint256 due = reference_.pay(who);
        vm.prank(_account(who));
        try exit.claim(round, address(token), _proof(_account(who))) returns (uint256 got) {
            eq(got, due, "payout");
        } catch {
            eq(due, 0, "claim refused");
        }
    }

    function _finish() private {
        for (uint256 i; i < n; ++i) {
            while (waiting[i]) _decide(i);
        }
        uint256 sum;
        for (uint256 i; i < n; ++i) {
            _pay(i);
            sum += token.balanceOf(_account(i));
            if (nominal) {
                atMost(token.balanceOf(_account(i)), reference_.shareA(i) + reference_.shareB(i), "nominal cap");
            }
        }
        _compare();
        Rounds.Pool memory p = _pool(round, token);
        eq(p.paidOut, sum, "paid out");
        (,, uint256 surplus) = exit.indexesOf(round, address(token));
        atMost(sum + surplus, fundedAll, "T9");
        eq(token.balanceOf(address(exit)), fundedAll - sum, "what is left is there");
    }

    // ---------------------------------------------------------------- comparison

    function _compare() private view {
        Rounds.Pool memory p = _pool(round, token);
        (uint256 indexA, uint256 indexB, uint256 surplus) = exit.indexesOf(round, address(token));
        (,,, uint256 surplusB,,) = reference_.b();
        eq(surplus, surplusB, "surplus");
        uint256 partA = p.funded < p.totalA ? p.funded : p.totalA;
        _compareTranche(true, p.totalA, indexA, partA);
        _compareTranche(false, p.totalB, indexB, p.funded - partA - surplus);
    }

    /// @param part what of the funds the tranche got and did not pass on
    function _compareTranche(bool first, uint256 total_, uint256 index, uint256 part) private view {
        (uint256 want, uint256 wantIndex, uint256 wantErr,,,) = first ? reference_.a() : reference_.b();
        eq(total_, want, "total");
        // Without entitlements an index means nothing; the reference leaves it where it was.
        if (total_ == 0) return;
        eq(index, wantIndex, "index");
        eq(part * RAY - index * total_, wantErr, "remainder");
    }

    function _fundBoth(uint256 amount) private {
        _fund(round, token, amount);
        reference_.fund(amount);
        fundedAll += amount;
    }

    function _account(uint256 i) private pure returns (address) {
        return address(uint160(0x1000 + i));
    }

    function _random(uint256 below) private returns (uint256) {
        seed = uint256(keccak256(abi.encode(seed)));
        return seed % below;
    }
}
