// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Mode} from "../../../src/kit/Types.sol";
import {EmergencyExit} from "../../../src/kit/exit/EmergencyExit.sol";
import {Rounds} from "../../../src/kit/exit/Rounds.sol";
import {ExitWorld} from "./ExitWorld.sol";
import {MockCheckpoint, MockController, MockLedger} from "./Mocks.sol";
import {PlainToken} from "./Tokens.sol";

/// @notice Does anything that anybody may do to a round, in any order and at any time. Refused calls are part of it: they are caught,
/// and the invariants below say what must hold after them.
contract ExitHandler is ExitWorld {
    uint256 public constant ACCOUNTS = 6;

    uint256 public round;
    uint256 public sub;
    uint256 public fundedUsd;
    uint256 public fundedDai;
    uint256 public sweptUsd;
    /// @dev What each account had been paid and would be paid at once, when last seen after the warm period.
    mapping(address asset => mapping(address account => uint256)) public worth;
    bool public shrunk;
    bool public paidEarly;
    bytes32 public identity;

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < ACCOUNTS; ++i) {
            address who = account(i);
            _owed(who, 1e18 + i * 7e17);
            _entitle(address(pool), who, int256(i * 3e17) - 5e17);
            vault.noteFlow(address(usd), who, i * 1e17, (ACCOUNTS - i) * 2e17);
            pool.noteFlow(address(pool), who, i % 2 * 9e17, 0);
            for (uint256 j; j < i; ++j) {
                vault.noteMove(address(usd), who, account(j), (i + j) * 1e17);
                pool.noteMove(address(pool), who, account(j), (i + j) * 5e16);
            }
        }
        for (uint256 i; i < 3; ++i) {
            _entitle(account(5), account(i), 10);
        }
        round = _openRound();
        identity = fixedParts();
    }

    function account(uint256 i) public pure returns (address) {
        return address(uint160(0x2000 + i % ACCOUNTS));
    }

    // ---------------------------------------------------------------- anyone

    function warp(uint256 by) external {
        vm.warp(block.timestamp + by % 3 days);
        _look();
    }

    /// @dev Rarely, so that most histories spend a while in the warm period.
    function skip(uint256 by) external {
        vm.warp(block.timestamp + (by % 4 == 0 ? by % 400 days : 1 hours));
        _look();
    }

    function fund(uint256 amount, bool inKind) external {
        amount = amount % 3e18 + 1;
        _fund(round, inKind ? dai : usd, amount);
        if (inKind) fundedDai += amount;
        else fundedUsd += amount;
        _look();
    }

    function register(uint256 i, bool inKind) external {
        address who = account(i);
        try exit.register(ID, inKind ? address(pool) : address(usd), who, _proof(who)) {} catch {}
    }

    function carry(uint256 i, uint256 j, bool inKind) external {
        try exit.carry(ID, inKind ? address(pool) : address(usd), account(i), account(j), "") {} catch {}
    }

    function enter(uint256 i, bool inKind) external {
        address who = account(i);
        try exit.enter(round, inKind ? address(dai) : address(usd), who, _proof(who)) {} catch {}
        _look();
    }

    function claim(uint256 i, bool inKind) external {
        address who = account(i);
        PlainToken token = inKind ? dai : usd;
        uint256 before = token.balanceOf(who);
        vm.prank(who);
        try exit.claim(round, address(token), _proof(who)) {} catch {}
        bool warm = block.timestamp >= _pool(round, token).warmFrom + 14 days;
        if (!warm && token.balanceOf(who) != before) paidEarly = true;
        _look();
    }

    function sweep(bool inKind) external {
        uint256 before = usd.balanceOf(HEIR);
        try exit.sweep(round, inKind ? address(dai) : address(usd)) {} catch {}
        sweptUsd += usd.balanceOf(HEIR) - before;
        _look();
    }

    function dispute(uint256 i, bool inKind) external {
        address who = account(i);
        _giveBond(BOB);
        vm.prank(BOB);
        try exit.dispute(round, inKind ? address(dai) : address(usd), who, "evidence") {} catch {}
    }

    function contest(uint256 i, bool inKind) external {
        _giveBond(CAROL);
        vm.prank(CAROL);
        try exit.contest(round, inKind ? address(dai) : address(usd), account(i)) {} catch {}
    }

    function settle(uint256 i, bool inKind) external {
        try exit.settleDispute(round, inKind ? address(dai) : address(usd), account(i)) {} catch {}
        _look();
    }

    function collect(uint256 i) external {
        address[3] memory who = [BOB, CAROL, account(i)];
        vm.prank(who[i % 3]);
        try exit.collect(address(bondToken), who[i % 3]) {} catch {}
    }

    // ---------------------------------------------------------------- council, appeal body and controller, hostile as they like

    function resolve(uint256 i, bool inKind, bool valid, bool appeal) external {
        vm.prank(appeal ? APPEAL : COUNCIL);
        try exit.resolve(round, inKind ? address(dai) : address(usd), account(i), valid) {} catch {}
        _look();
    }

    function subRound(uint256 i) external {
        vm.prank(COUNCIL);
        try exit.openSubRound(round, address(usd), account(i)) returns (uint256 opened) {
            sub = opened;
            try exit.activate(opened, address(usd)) {} catch {}
        } catch {}
        try exit.fundSubRound(sub, address(usd), _proof(account(5))) {} catch {}
    }

    function subClaim(uint256 i) external {
        address who = account(i);
        vm.prank(who);
        try exit.claim(sub, address(usd), _proof(who)) {} catch {}
    }

    /// @dev A new episode, checkpoint and total, and another round over the same ledgers.
    function reopen(uint256 id, uint256 total) external {
        id = id % 100 + 100;
        checkpoint.setSelected(ROOT, id);
        checkpoint.setTotal(id, address(usd), total % 1e30);
        checkpoint.setTotal(ID, address(usd), total % 1e30);
        controller.setEpisode(ROOT, uint32(id), Mode.EXIT, uint40(id));
        controller.openRound(ROOT, id);
        _tryActivate(round, address(usd));
        _look();
    }

    // ---------------------------------------------------------------- what is watched

    /// @dev T10: nobody's sum of payouts and dues falls once the warm period is over, unless its own dispute ends so.
    function _look() private {
        for (uint256 i; i < ACCOUNTS; ++i) {
            _lookAt(usd, account(i));
            _lookAt(dai, account(i));
        }
    }

    function _lookAt(PlainToken token, address who) private {
        Rounds.Pool memory p = _pool(round, token);
        if (block.timestamp < p.warmFrom + 14 days) return;
        Rounds.Leaf memory l = _leaf(round, token, who);
        if (l.status != Rounds.Status.ENTERED && l.status != Rounds.Status.CLEARED) return;
        (uint256 indexA, uint256 indexB,) = exit.indexesOf(round, address(token));
        uint256 now_ = l.refund * indexA / RAY + l.share * indexB / RAY;
        if (now_ < worth[address(token)][who] || now_ < l.paid) shrunk = true;
        worth[address(token)][who] = now_;
    }

    function fixedParts() public view returns (bytes32) {
        Rounds.Pool memory a = _pool(round, usd);
        Rounds.Pool memory b = _pool(round, dai);
        return keccak256(
            abi.encode(
                a.ledger,
                a.warmFrom,
                a.checkpointId,
                a.kind,
                b.ledger,
                b.warmFrom,
                b.checkpointId,
                b.kind,
                exit.roundOf(address(vault)),
                exit.roundOf(address(pool))
            )
        );
    }

    function checkPool(bool inKind) external view {
        PlainToken token = inKind ? dai : usd;
        Rounds.Pool memory p = _pool(round, token);
        (uint256 indexA, uint256 indexB, uint256 surplus) = exit.indexesOf(round, address(token));
        uint256 sumPaid;
        uint256 refunds;
        uint256 shares;
        for (uint256 i; i < ACCOUNTS; ++i) {
            Rounds.Leaf memory l = _leaf(round, token, account(i));
            sumPaid += l.paid;
            if (l.status == Rounds.Status.NONE || l.status == Rounds.Status.REMOVED) continue;
            refunds += l.refund;
            shares += l.share;
        }
        eq(p.paidOut, sumPaid, "paid out is the sum of payments");
        atMost(sumPaid + surplus, p.funded, "T9");
        eq(p.totalA, refunds, "refunds");
        atLeast(p.totalB, shares, "shares within the total");
        eq(p.funded, (inKind ? fundedDai : fundedUsd - sweptUsd), "funded");
        if (!inKind) {
            atMost(indexA, RAY, "nobody gets more than nominal");
            atMost(indexB, RAY, "nobody gets more than nominal");
        }
    }

    function checkBalances() external view {
        uint256 held = fundedUsd - sweptUsd;
        uint256 out;
        for (uint256 i; i < ACCOUNTS; ++i) {
            out += usd.balanceOf(account(i));
        }
        eq(usd.balanceOf(address(exit)), held - out, "usd left through claims and sweeps only");
        eq(usd.balanceOf(HEIR), sweptUsd, "swept to the heir");
        uint256 bonds = exit.creditOf(address(bondToken), BOB) + exit.creditOf(address(bondToken), CAROL);
        for (uint256 i; i < ACCOUNTS; ++i) {
            bonds += exit.creditOf(address(bondToken), account(i));
            bonds += _heldBonds(usd, account(i)) + _heldBonds(dai, account(i));
        }
        eq(bondToken.balanceOf(address(exit)), bonds, "every bond is somebody's");
    }

    function _heldBonds(PlainToken token, address who) private view returns (uint256) {
        Rounds.Status s = _leaf(round, token, who).status;
        if (s == Rounds.Status.DISPUTED || s == Rounds.Status.REJECTED) return BOND;
        return s == Rounds.Status.CONTESTED ? 2 * BOND : 0;
    }
}

/// @notice T9 and T10 over random histories with time warps.
contract ExitInvariantsTest is ExitWorld {
    ExitHandler private handler;

    function setUp() public override {
        handler = new ExitHandler();
        handler.setUp();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function excludeSelectors() public view returns (FuzzSelector[] memory excluded) {
        excluded = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = handler.setUp.selector;
        excluded[0] = FuzzSelector(address(handler), selectors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev One campaign for both: they are about the same histories.
    function invariant_T9_T10_Rounds() public view {
        handler.checkPool(false);
        handler.checkPool(true);
        handler.checkBalances();
        yes(handler.fixedParts() == handler.identity(), "ledger, checkpoint, kind and time of a pool are final");
        yes(!handler.shrunk(), "no claim shrinks after the warm period");
        yes(!handler.paidEarly(), "nobody is paid in the warm period");
    }
}
