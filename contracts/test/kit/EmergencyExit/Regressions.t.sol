// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Mode} from "../../../src/kit/Types.sol";
import {Credits} from "../../../src/kit/exit/Credits.sol";
import {Disputes} from "../../../src/kit/exit/Disputes.sol";
import {EmergencyExit} from "../../../src/kit/exit/EmergencyExit.sol";
import {NetFlow} from "../../../src/kit/exit/NetFlow.sol";
import {Rounds} from "../../../src/kit/exit/Rounds.sol";
import {ExitWorld} from "./ExitWorld.sol";

/// @notice Failures of others and of our own drafts, each named by its origin.
contract ExitRegressionsTest is ExitWorld {
    /// @dev StarkEx's escape pays nominal amounts: with a deficit the first empty the pool and the last get nothing.
    function test_Regress_StarkEx_NominalPayout() public {
        _owed(ALICE, 600);
        _owed(BOB, 300);
        _owed(CAROL, 100);
        uint256 round = _openRound();
        _fund(round, usd, 500);
        _warm();
        eq(_claim(round, usd, ALICE), 300, "first");
        eq(_claim(round, usd, CAROL), 50, "second");
        eq(_claim(round, usd, BOB), 150, "last");
    }

    /// @dev Loopring's forced withdrawals have 4 096 places, which can be taken by strangers.
    function test_Regress_Loopring_RequestCapFilled() public {
        _owed(ALICE, 1_000);
        uint256 round = _openRound();
        _fund(round, usd, 1_000);
        // A crowd without entitlements registers, enters and claims; it takes nothing and fills nothing.
        for (uint256 i; i < 5_000; ++i) {
            address account = address(uint160(0xC40DD000 + i));
            exit.enter(round, address(usd), account, _proof(account));
        }
        eq(_pool(round, usd).totalB, 1_000, "total");
        _warm();
        eq(_claim(round, usd, ALICE), 1_000, "alice");
    }

    /// @dev Lighter's operator could change code and state root without notice while people were on their way out. Here nobody can:
    /// neither council nor controller nor a later checkpoint changes the root, total or ledger of an opened round.
    function test_Regress_Lighter_UpgradeNoticeZero() public {
        _owed(ALICE, 100);
        uint256 round = _openRound();
        Rounds.Pool memory before = _pool(round, usd);

        checkpoint.setSelected(ROOT, ID + 1);
        checkpoint.setTotal(ID + 1, address(usd), 1e9);
        controller.setEpisode(ROOT, 2, Mode.EXIT, INCIDENT + 1);
        uint256 later = controller.openRound(ROOT, ID + 1);
        yes(_pool(later, usd).kind == Rounds.Kind.NONE, "a later round gets no pool of this ledger");
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.activate(round, address(usd));
        exit.pin(ROOT, ID + 1);

        Rounds.Pool memory now_ = _pool(round, usd);
        yes(keccak256(abi.encode(before)) == keccak256(abi.encode(now_)), "the pool is as it was");
        eq(exit.roundOf(address(vault)), round, "and so is where funds go");
    }

    /// @dev A loss is realised after the informed have left at full value. In a round the loss is in the index before anybody is
    /// paid, and early leavers are set off.
    function test_Regress_Morpho_RunBeforeRealisation() public {
        _owed(ALICE, 100);
        _owed(BOB, 100);
        // Bob runs between the checkpoint and the stop.
        vault.noteFlow(address(usd), BOB, 0, 80);
        uint256 round = _openRound();
        _enter(round, usd, BOB);
        _fund(round, usd, 60);
        _warm();
        eq(_claim(round, usd, BOB), 10, "bob has had 80 of his 100");
        eq(_claim(round, usd, ALICE), 50, "alice");
    }

    /// @dev A moves 100 to B, B withdraws; in every order of register, carry and enter both get nothing more.
    function testFuzz_Regress_Review_DoubleDip(uint256 order, bool borrowed) public {
        _doubleDip(order, borrowed);
    }

    function test_Regress_Review_DoubleDip() public {
        _doubleDip(0, false);
    }

    function _doubleDip(uint256 order, bool borrowed) private {
        address unit = borrowed ? address(pool) : address(usd);
        address asset = borrowed ? address(dai) : address(usd);
        (borrowed ? pool : vault).noteMove(unit, ALICE, BOB, 100);
        (borrowed ? pool : vault).noteFlow(unit, BOB, 0, 100);
        _entitle(unit, ALICE, 100);
        _entitle(unit, BOB, 0);
        _entitle(unit, CAROL, 900);
        uint256 round = _openRound();
        exit.register(ID, unit, ALICE, _proof(ALICE));
        exit.register(ID, unit, BOB, _proof(BOB));
        for (uint256 i; i < 12; ++i) {
            order = uint256(keccak256(abi.encode(order)));
            if (order % 3 == 0) {
                try exit.carry(ID, unit, ALICE, BOB, "") {} catch {}
            } else {
                exit.enter(round, asset, order % 3 == 1 ? ALICE : BOB, "");
            }
        }
        try exit.carry(ID, unit, ALICE, BOB, "") {} catch {}
        exit.enter(round, asset, BOB, "");
        exit.enter(round, asset, ALICE, "");
        _fund(round, borrowed ? dai : usd, 900);
        _warm();
        eq(_leaf(round, borrowed ? dai : usd, ALICE).share, 0, "alice");
        eq(_leaf(round, borrowed ? dai : usd, BOB).share, 0, "bob");
        eq(_claim(round, borrowed ? dai : usd, CAROL), 900, "who stayed is whole");
    }

    /// @dev Minted claims move freely, but carry nothing.
    function test_Regress_Review_DoubleDip_MintedCarriesNothing() public {
        _owed(ALICE, 100);
        _owed(BOB, 0);
        _owed(CAROL, 0);
        vault.noteMove(address(usd), BOB, CAROL, 1_000_000);
        uint256 round = _openRound();
        exit.register(ID, address(usd), BOB, _proof(BOB));
        exit.register(ID, address(usd), CAROL, _proof(CAROL));
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.carry(ID, address(usd), BOB, CAROL, "");
        exit.enter(round, address(usd), CAROL, "");
        eq(_leaf(round, usd, CAROL).share, 0, "carol");
    }

    /// @dev X is paid 50 of F = 100 and rejected afterwards: A could never get its 100 back.
    function test_Regress_Review_WarmRound() public {
        address x = address(0xBAD);
        _owed(ALICE, 100);
        _owed(x, 100);
        uint256 round = _openRound();
        _fund(round, usd, 100);
        _enter(round, usd, x);
        vm.prank(x);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.RoundWarming.selector, block.timestamp + 14 days));
        exit.claim(round, address(usd), _proof(x));
        _dispute(round, usd, BOB, x);
        _resolve(round, usd, COUNCIL, x, false);
        vm.warp(block.timestamp + 7 days);
        exit.settleDispute(round, address(usd), x);
        vm.warp(block.timestamp + 7 days);
        eq(_claim(round, usd, ALICE), 100, "alice");
        eq(_pool(round, usd).paidOut, 100, "sum(paid) = F");
    }

    /// @dev Shares that were minted or bought with stolen money have no entitlement behind them: time opens nothing for them.
    function test_Regress_Review_TimePaysThief() public {
        address thief = address(0xBAD);
        _owed(ALICE, 100);
        _owed(thief, 0);
        controller.setEpisode(VAULT, 1, Mode.RECOVERING, INCIDENT);
        checkpoint.setSelected(VAULT, ID);
        vault.setMode(Mode.RECOVERING, 0);
        exit.pin(VAULT, ID);
        exit.register(ID, address(usd), thief, _proof(thief));
        // Minted: no counter moves. Transferred on: a move without anything to carry.
        vault.noteMove(address(usd), thief, BOB, 1_000);
        _owed(BOB, 0);
        exit.register(ID, address(usd), BOB, _proof(BOB));
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.carry(ID, address(usd), thief, BOB, "");
        vm.warp(block.timestamp + 21 days);
        eq(exit.withdrawable(address(vault), address(usd), thief), 0, "thief");
        eq(exit.withdrawable(address(vault), address(usd), BOB), 0, "accomplice");
    }

    /// @dev An honest council, guardian and appeal body are not needed to keep a share; a hostile council is not enough to take it.
    function test_Regress_Review_Confiscation() public {
        _owed(ALICE, 100);
        _owed(BOB, 100);
        uint256 round = _openRound();
        _enter(round, usd, ALICE);
        _enter(round, usd, BOB);
        vm.startPrank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(Disputes.NotFlagged.selector, ALICE, Rounds.Status.ENTERED));
        exit.resolve(round, address(usd), ALICE, false);
        vm.stopPrank();
        _dispute(round, usd, COUNCIL, ALICE);
        _resolve(round, usd, COUNCIL, ALICE, false);
        _contest(round, usd, BOB, ALICE);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(Credits.NotAuthorized.selector, COUNCIL));
        exit.resolve(round, address(usd), ALICE, false);
        vm.warp(block.timestamp + 14 days);
        exit.settleDispute(round, address(usd), ALICE);
        _fund(round, usd, 200);
        eq(_claim(round, usd, ALICE), 100, "alice");
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(NetFlow.WindowClosed.selector));
        exit.dispute(round, address(usd), BOB, "late");
    }

    /// @dev In kind, two equal holders get equal amounts in either order, also with a recovery between their claims.
    function test_Regress_Review_DuplicateLeaves() public {
        for (uint256 first; first < 2; ++first) {
            setUp();
            _entitle(address(pool), ALICE, 1e18);
            _entitle(address(pool), BOB, 1e18);
            uint256 round = _openRound();
            _fund(round, dai, 777);
            _warm();
            address early = first == 0 ? ALICE : BOB;
            address late = first == 0 ? BOB : ALICE;
            uint256 gotEarly = _claim(round, dai, early);
            _fund(round, dai, 1_000);
            uint256 gotLate = _claim(round, dai, late);
            gotEarly += _claim(round, dai, early);
            eq(gotEarly, gotLate, "equal");
            eq(gotLate, 888, "half of all");
        }
    }

    function test_Regress_Review_SweepBeforeClaims() public {
        _owed(ALICE, 100);
        uint256 round = _openRound();
        _fund(round, usd, 130);
        uint256 from = block.timestamp + 730 days;
        vm.warp(from - 1);
        vm.expectRevert(abi.encodeWithSelector(Disputes.TooEarly.selector, from));
        exit.sweep(round, address(usd));
        vm.warp(from);
        vm.prank(BOB);
        exit.sweep(round, address(usd));
        eq(usd.balanceOf(HEIR), 30, "surplus only, to the heir only");
        eq(usd.balanceOf(BOB), 0, "not to the caller");
        eq(_claim(round, usd, ALICE), 100, "an entitlement does not lapse");
    }
}
