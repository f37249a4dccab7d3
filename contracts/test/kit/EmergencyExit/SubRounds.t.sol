// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Signatures} from "../../../src/kit/controller/Signatures.sol";
import {Credits} from "../../../src/kit/exit/Credits.sol";
import {EmergencyExit} from "../../../src/kit/exit/EmergencyExit.sol";
import {Rounds} from "../../../src/kit/exit/Rounds.sol";
import {ExitWorld} from "./ExitWorld.sol";

/// @notice A pair that can neither call nor sign, and hands what it holds to whoever skims it.
contract Pair {}

/// @notice Rounds of the second level: the holders of a holder.
contract SubRoundsTest is ExitWorld {
    address private pair;
    uint256 private round;

    function setUp() public override {
        super.setUp();
        pair = address(new Pair());
        _owed(pair, 300);
        _owed(CAROL, 100);
        _entitle(pair, ALICE, 2);
        _entitle(pair, BOB, 1);
        round = _openRound();
        _fund(round, usd, 200);
        _warm();
    }

    function _open() private returns (uint256 sub) {
        vm.prank(COUNCIL);
        sub = exit.openSubRound(round, address(usd), pair);
        exit.activate(sub, address(usd));
    }

    /// @dev Paying a pair unasked gives the money to whoever calls `skim`.
    function test_Regress_Review_ClaimIntoPair() public {
        EmergencyExit.SignedClaim memory c =
            EmergencyExit.SignedClaim(round, address(usd), pair, BOB, 0, block.timestamp);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(Signatures.BadSignature.selector, pair));
        exit.claimTo(c, _proof(pair), "");

        uint256 sub = _open();
        _warm();
        exit.fundSubRound(sub, address(usd), _proof(pair));
        eq(usd.balanceOf(pair), 0, "the pair itself gets nothing");
        eq(_claim(sub, usd, ALICE), 100, "alice");
        eq(_claim(sub, usd, BOB), 50, "bob");
        // Later recoveries follow.
        _fund(round, usd, 200);
        exit.fundSubRound(sub, address(usd), _proof(pair));
        eq(_claim(sub, usd, ALICE), 100, "alice again");
        eq(_claim(round, usd, CAROL), 100, "carol");
    }

    /// @dev A holder that can call has 14 days to show it, also with nothing due yet.
    function test_AClaimByTheHolderCancels() public {
        uint256 sub = _open();
        vm.warp(block.timestamp + 14 days - 1);
        eq(_claim(round, usd, pair), 150, "the holder's own claim");
        _fund(round, usd, 100);
        vm.warp(block.timestamp + 30 days);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.NotHoldersRound.selector, sub));
        exit.fundSubRound(sub, address(usd), _proof(pair));
        eq(_claim(round, usd, pair), 75, "and again");
    }

    function test_AnEmptyClaimCancelsToo() public {
        _claim(round, usd, pair);
        uint256 sub = _open();
        eq(_claim(round, usd, pair), 0, "nothing due, but a sign of life");
        eq(_leaf(round, usd, pair).holdersRound, 0, "cancelled");
        _warm();
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.NotHoldersRound.selector, sub));
        exit.fundSubRound(sub, address(usd), _proof(pair));
    }

    /// @dev Until the notice runs, it cannot end: an announcement that nobody activated takes nothing away.
    function test_TheNoticeRunsFromActivation() public {
        vm.prank(COUNCIL);
        uint256 sub = exit.openSubRound(round, address(usd), pair);
        vm.warp(block.timestamp + 100 days);
        vm.expectRevert(abi.encodeWithSelector(Rounds.NotActive.selector, sub, address(usd)));
        exit.fundSubRound(sub, address(usd), _proof(pair));
        eq(_claim(round, usd, pair), 150, "the holder's own claim");
        eq(_leaf(round, usd, pair).holdersRound, 0, "cancelled");
    }

    function test_AfterTheNoticeTheDuesAreTheHolders() public {
        uint256 sub = _open();
        uint256 end = block.timestamp + 14 days;
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.RoundWarming.selector, end));
        exit.fundSubRound(sub, address(usd), _proof(pair));
        vm.warp(end);
        vm.prank(pair);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.HolderHasRound.selector, sub));
        exit.claim(round, address(usd), _proof(pair));
        exit.fundSubRound(sub, address(usd), _proof(pair));
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.fundSubRound(sub, address(usd), _proof(pair));
    }

    function test_OnlyTheCouncilAndOnlyOnceClaimsAreOpen() public {
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(Credits.NotAuthorized.selector, BOB));
        exit.openSubRound(round, address(usd), pair);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(Rounds.NotActive.selector, round, address(dai)));
        exit.openSubRound(round, address(dai), pair);
        uint256 sub = _open();
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.HolderHasRound.selector, sub));
        exit.openSubRound(round, address(usd), pair);
    }

    /// @dev Nobody can be replaced by a round while nobody could have claimed yet.
    function test_NoticeDoesNotRunInTheWarmPeriod() public {
        vm.warp(_pool(round, usd).warmFrom + 14 days - 1);
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.RoundWarming.selector, block.timestamp + 1));
        exit.openSubRound(round, address(usd), pair);
    }
}
