// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Credits} from "../../../src/kit/exit/Credits.sol";
import {Disputes} from "../../../src/kit/exit/Disputes.sol";
import {EmergencyExit} from "../../../src/kit/exit/EmergencyExit.sol";
import {NetFlow} from "../../../src/kit/exit/NetFlow.sol";
import {Rounds} from "../../../src/kit/exit/Rounds.sol";
import {ExitWorld} from "./ExitWorld.sol";
import {FeeToken, PlainToken} from "./Tokens.sol";

/// @notice Every way through a dispute: who may, until when, who is paid, and where the bonds end.
contract ExitDisputesTest is ExitWorld {
    address private constant FLAGGER = address(0xF1A6);
    address private constant HELPER = address(0x4E19);

    uint256 private round;

    function setUp() public override {
        super.setUp();
        _owed(ALICE, 100);
        _owed(BOB, 100);
        round = _openRound();
        _enter(round, usd, ALICE);
        _enter(round, usd, BOB);
        _fund(round, usd, 100);
    }

    function _status() private view returns (Rounds.Status) {
        return _leaf(round, usd, ALICE).status;
    }

    function _reject() private {
        _dispute(round, usd, FLAGGER, ALICE);
        _resolve(round, usd, COUNCIL, ALICE, false);
    }

    function _payable(string memory what) private {
        yes(_status() == Rounds.Status.CLEARED, what);
        if (block.timestamp < _pool(round, usd).warmFrom + 14 days) _warm();
        eq(_claim(round, usd, ALICE), 50, what);
        eq(_credit(ALICE), BOND, "the flagger's bond");
        eq(_credit(FLAGGER), 0, "nothing for the flagger");
    }

    function _removed(uint256 flaggersCredit) private {
        yes(_status() == Rounds.Status.REMOVED, "removed");
        if (block.timestamp < _pool(round, usd).warmFrom + 14 days) _warm();
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Rounds.LeafRemoved.selector, ALICE));
        exit.claim(round, address(usd), _proof(ALICE));
        vm.expectRevert(abi.encodeWithSelector(Rounds.LeafRemoved.selector, ALICE));
        exit.enter(round, address(usd), ALICE, _proof(ALICE));
        eq(_claim(round, usd, BOB), 100, "the others have it all");
        eq(_credit(FLAGGER), flaggersCredit, "bonds");
        eq(_credit(ALICE), 0, "nothing for the claimant");
    }

    // ---------------------------------------------------------------- ways

    function test_ValidPays() public {
        _dispute(round, usd, FLAGGER, ALICE);
        _resolve(round, usd, COUNCIL, ALICE, true);
        _payable("valid");
    }

    function test_UndecidedPays() public {
        _dispute(round, usd, FLAGGER, ALICE);
        vm.warp(block.timestamp + 30 days);
        exit.settleDispute(round, address(usd), ALICE);
        _payable("undecided");
    }

    function test_UncontestedRejectionRemoves() public {
        _reject();
        vm.warp(block.timestamp + 7 days);
        exit.settleDispute(round, address(usd), ALICE);
        _removed(BOND);
    }

    function test_ContestedAndSilentPays() public {
        _reject();
        _contest(round, usd, ALICE, ALICE);
        vm.warp(block.timestamp + 14 days);
        exit.settleDispute(round, address(usd), ALICE);
        yes(_status() == Rounds.Status.CLEARED, "cleared");
        eq(_claim(round, usd, ALICE), 50, "paid");
        eq(_credit(ALICE), 2 * BOND, "both bonds");
    }

    /// @dev A holder that cannot call is defended by another, who gets the bond back.
    function test_ContestedByAnotherAndUpheldPays() public {
        _reject();
        _contest(round, usd, HELPER, ALICE);
        _resolve(round, usd, APPEAL, ALICE, true);
        _payable("upheld on appeal");
        eq(_credit(HELPER), BOND, "the helper's bond");
    }

    function test_ContestedAndRejectedRemoves() public {
        _reject();
        _contest(round, usd, ALICE, ALICE);
        _resolve(round, usd, APPEAL, ALICE, false);
        _removed(2 * BOND);
    }

    function test_WithoutAnAppealBodyAContestPays() public {
        exit = _exit(address(0));
        controller.wire(exit, controller.conditions());
        round = _openRound();
        _enter(round, usd, ALICE);
        _reject();
        _contest(round, usd, ALICE, ALICE);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(Credits.NotAuthorized.selector, COUNCIL));
        exit.resolve(round, address(usd), ALICE, false);
        vm.warp(block.timestamp + 14 days);
        exit.settleDispute(round, address(usd), ALICE);
        yes(_status() == Rounds.Status.CLEARED, "cleared");
    }

    function test_BondsAreCollected() public {
        _dispute(round, usd, FLAGGER, ALICE);
        _resolve(round, usd, COUNCIL, ALICE, true);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Credits.ZeroAddress.selector));
        exit.collect(address(bondToken), address(0));
        vm.prank(ALICE);
        exit.collect(address(bondToken), CAROL);
        eq(bondToken.balanceOf(CAROL), BOND, "collected");
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.collect(address(bondToken), CAROL);
    }

    // ---------------------------------------------------------------- while it lasts

    /// @dev The share stays reserved: the others are paid as if it stood, and get the rest when it falls.
    function test_ADisputedShareIsReservedAndNotPaid() public {
        _reject();
        vm.warp(_pool(round, usd).warmFrom + 14 days);
        _contest_late();
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.LeafDisputed.selector, ALICE));
        exit.claim(round, address(usd), _proof(ALICE));
        eq(_claim(round, usd, BOB), 50, "bob");
        exit.settleDispute(round, address(usd), ALICE);
        eq(_claim(round, usd, BOB), 50, "bob again");
    }

    /// @dev The 7 days are over by now.
    function _contest_late() private {
        _giveBond(ALICE);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(NetFlow.WindowClosed.selector));
        exit.contest(round, address(usd), ALICE);
    }

    // ---------------------------------------------------------------- refusals

    function test_OnlyEnteredSharesInTheWarmPeriodAreDisputed() public {
        _owed(CAROL, 1);
        _giveBond(FLAGGER);
        vm.prank(FLAGGER);
        vm.expectRevert(abi.encodeWithSelector(Disputes.NotFlagged.selector, CAROL, Rounds.Status.NONE));
        exit.dispute(round, address(usd), CAROL, "evidence");
        vm.prank(FLAGGER);
        vm.expectRevert(abi.encodeWithSelector(Disputes.NoEvidence.selector));
        exit.dispute(round, address(usd), ALICE, 0);
        _warm();
        vm.prank(FLAGGER);
        vm.expectRevert(abi.encodeWithSelector(NetFlow.WindowClosed.selector));
        exit.dispute(round, address(usd), ALICE, "evidence");
    }

    function test_NobodyDisputesTwice() public {
        _dispute(round, usd, FLAGGER, ALICE);
        _giveBond(FLAGGER);
        vm.prank(FLAGGER);
        vm.expectRevert(abi.encodeWithSelector(Disputes.NotFlagged.selector, ALICE, Rounds.Status.DISPUTED));
        exit.dispute(round, address(usd), ALICE, "evidence");
        _resolve(round, usd, COUNCIL, ALICE, true);
        vm.prank(FLAGGER);
        vm.expectRevert(abi.encodeWithSelector(Disputes.NotFlagged.selector, ALICE, Rounds.Status.CLEARED));
        exit.dispute(round, address(usd), ALICE, "evidence");
    }

    function test_OnlyTheJudgeOfTheStepDecides() public {
        _dispute(round, usd, FLAGGER, ALICE);
        vm.prank(APPEAL);
        vm.expectRevert(abi.encodeWithSelector(Credits.NotAuthorized.selector, APPEAL));
        exit.resolve(round, address(usd), ALICE, true);
        _resolve(round, usd, COUNCIL, ALICE, false);
        // A rejection is nobody's to change but by contest.
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(Disputes.NotFlagged.selector, ALICE, Rounds.Status.REJECTED));
        exit.resolve(round, address(usd), ALICE, false);
        _contest(round, usd, ALICE, ALICE);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(Credits.NotAuthorized.selector, COUNCIL));
        exit.resolve(round, address(usd), ALICE, false);
    }

    function test_JudgesAreLateAtTheDeadline() public {
        _dispute(round, usd, FLAGGER, ALICE);
        vm.warp(block.timestamp + 30 days);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(NetFlow.WindowClosed.selector));
        exit.resolve(round, address(usd), ALICE, false);
        vm.warp(block.timestamp - 1);
        vm.prank(COUNCIL);
        exit.resolve(round, address(usd), ALICE, false);
        _contest(round, usd, ALICE, ALICE);
        vm.warp(block.timestamp + 14 days);
        vm.prank(APPEAL);
        vm.expectRevert(abi.encodeWithSelector(NetFlow.WindowClosed.selector));
        exit.resolve(round, address(usd), ALICE, false);
    }

    function test_AContestIsLateAtTheDeadline() public {
        _reject();
        vm.warp(block.timestamp + 7 days);
        _contest_late();
    }

    function test_NothingIsSettledEarly() public {
        vm.expectRevert(abi.encodeWithSelector(Disputes.NotFlagged.selector, ALICE, Rounds.Status.ENTERED));
        exit.settleDispute(round, address(usd), ALICE);
        _dispute(round, usd, FLAGGER, ALICE);
        uint256 deadline = block.timestamp + 30 days;
        vm.warp(deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(Disputes.TooEarly.selector, deadline));
        exit.settleDispute(round, address(usd), ALICE);
        _resolve(round, usd, COUNCIL, ALICE, false);
        vm.warp(block.timestamp + 7 days - 1);
        vm.expectRevert(abi.encodeWithSelector(Disputes.TooEarly.selector, block.timestamp + 1));
        exit.settleDispute(round, address(usd), ALICE);
        _contest(round, usd, ALICE, ALICE);
        vm.warp(block.timestamp + 14 days - 1);
        vm.expectRevert(abi.encodeWithSelector(Disputes.TooEarly.selector, block.timestamp + 1));
        exit.settleDispute(round, address(usd), ALICE);
    }

    function test_OnlyARejectionIsContested() public {
        _dispute(round, usd, FLAGGER, ALICE);
        _giveBond(ALICE);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Disputes.NotFlagged.selector, ALICE, Rounds.Status.DISPUTED));
        exit.contest(round, address(usd), ALICE);
    }
}

contract BondTokenTest is ExitWorld {
    function _tokens() internal override returns (PlainToken, PlainToken, PlainToken, PlainToken) {
        return (new PlainToken(), new PlainToken(), new PlainToken(), new FeeToken());
    }

    /// @dev A bond that does not arrive whole would be repaid out of somebody's pool.
    function test_AShortBondIsRefused() public {
        _owed(ALICE, 100);
        uint256 round = _openRound();
        _enter(round, usd, ALICE);
        _giveBond(BOB);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(Disputes.WrongBond.selector, BOND - BOND / 100, BOND));
        exit.dispute(round, address(usd), ALICE, "evidence");
    }
}
