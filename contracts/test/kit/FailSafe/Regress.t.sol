// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {FailSafeWorld} from "./FailSafeWorld.sol";
import {GuardedVault} from "./GuardedVault.sol";

/// @notice Failures of others, and of earlier designs, that must not come back.
contract RegressionTest is FailSafeWorld {
    event BadDebt(uint256 afterHours, uint256 debt, uint256 collateral);

    function setUp() public override {
        super.setUp();
        vm.startPrank(ALICE);
        vault.deposit(100e18);
        vault.borrow(50e18);
        vm.stopPrank();
        vm.prank(BOB);
        vault.deposit(500e18);
    }

    /// @dev A pauser that never unpauses (OpenZeppelin #5378): it halts whenever it can, for 180 days, and nobody else acts.
    function test_Regress_OzPausable_LockForever() public {
        _hostileHalts(180 days, 1 hours, 72 hours, false);
        eq(vault.frozenSeconds(), 78 hours, "one episode: 72 h and S0");
        _is(Mode.RECOVERING, 1, "and out by time alone");
        _open(Classes.EXIT, true, "exit is open");
        round.allow(BOB, 500e18);
        vm.prank(BOB);
        vault.withdraw(400e18);
    }

    /// @dev Halts of an hour for 21 days, each again as soon as the last one is over.
    function test_Regress_Review_ChainedS0() public {
        uint256 closed = _hostileHalts(21 days, 10 minutes, 1 hours, false);
        atMost(closed, 72 hours + S0, "EXIT closed in the episode");
        atMost(vault.frozenSeconds(), 72 hours + S0, "HALTED plus S0");
        atLeast(closed, 72 hours, "the test does reach the bound");
    }

    /// @dev The same over new episodes, with somebody who opens each stage when it is due: 7 days in 90.
    function test_Regress_Review_ChainedS0_OverEpisodes() public {
        _hostileHalts(90 days, 1 hours, 72 hours, true);
        atMost(vault.frozenSeconds(), 7 days, "HALTED plus S0 in 90 days");
        atLeast(vault.frozenSeconds(), 5 days, "the test comes near it: the ramps use up the rest of the budget");
    }

    function _hostileHalts(uint256 span, uint256 step, uint256 secs, bool advances) private returns (uint256 closed) {
        for (uint256 end = block.timestamp + span; block.timestamp < end;) {
            try vault.failsafeArm(_ask(Mode.HALTED, ALL, secs, Origin.GUARDIAN), "") {} catch {}
            Restriction memory r = _now();
            if (advances && r.mode == Mode.RECOVERING && r.stage > 0 && block.timestamp >= r.until) {
                _council(Mode.NORMAL, 0, 0);
            }
            _open(Classes.REDUCE_RISK, true, "repayment");
            if (!vault.failsafeOpen(Classes.EXIT)) closed += step;
            vm.warp(block.timestamp + step);
        }
    }

    /// @dev Base contracts #391: an expired pause was revived by an extension.
    function test_Regress_Base_ReviveExpiredPause() public {
        _halt(72 hours);
        vm.warp(_now().until);
        Restriction memory r = _ask(Mode.HALTED, ALL, 1 hours, Origin.COUNCIL);
        _refused(r, abi.encodeWithSelector(IFailSafe.NotLive.selector));
        r.origin = Origin.GUARDIAN;
        _refused(r, abi.encodeWithSelector(IFailSafe.BudgetExhausted.selector, r.until));
    }

    /// @dev ether.fi #446: the cooldown was computed from a live duration, which an extension or a change moved.
    function test_Regress_EtherFi_CooldownFromLiveDuration_GapIsStoredAtTheEnd() public {
        _halt(72 hours);
        vm.warp(block.timestamp + 1 hours);
        _release();
        vm.warp(_now().until);
        _ramp();
        uint40 gapEnd = uint40(block.timestamp - 1 + 48 hours);
        _restrict(24 hours, Origin.GUARDIAN);
        _council(Mode.RESTRICTED, 0, 3 days);
        Restriction memory r = _ask(Mode.HALTED, ALL, 1 hours, Origin.GUARDIAN);
        _refused(r, abi.encodeWithSelector(IFailSafe.GapNotOver.selector, gapEnd));
        vm.warp(gapEnd);
        _halt(1 hours);
    }

    function test_Regress_EtherFi_CooldownFromLiveDuration_FirstTripAtLowTime() public {
        vm.warp(1);
        vault = _deploy(_config());
        eq(_halt(72 hours), 1 + 72 hours, "granted");
    }

    function test_Regress_EtherFi_CooldownFromLiveDuration_ZeroDuration() public {
        _refused(_ask(Mode.HALTED, ALL, 0, Origin.GUARDIAN), abi.encodeWithSelector(IFailSafe.NothingChanges.selector));
    }

    /// @dev Arcadia #19: after one pause there was a time without any.
    function test_Regress_Arcadia_SecondPauseImpossible() public {
        _halt(1 hours);
        for (uint8 stage = 1; stage <= 4; ++stage) {
            vm.warp(stage == 1 ? _now().until + S0 : _now().until);
            if (stage > 1) _council(Mode.RECOVERING, stage, 0);
            _halt(1 hours);
            vm.warp(_now().until);
            for (uint8 back = 2; back <= stage; ++back) {
                vm.warp(_now().until);
                _council(Mode.RECOVERING, back, 0);
            }
        }
        _ramp();
        vault.failsafeWaiveGap();
        _halt(1 hours);
    }

    /// @dev Arcadia #146: repayment and liquidation came back together.
    function test_Regress_Arcadia_RepayLiquidateRace() public {
        _halt(72 hours);
        uint256 live = _now().until;
        vm.warp(live - 1);
        vm.prank(ALICE);
        vault.repay(ALICE, 1e18);
        vm.warp(live);
        vault.setPrice(0.3e18);
        vm.expectPartialRevert(IFailSafe.ActionClosed.selector);
        vault.liquidate(ALICE);
        vm.warp(live + S0 + S1);
        _council(Mode.RECOVERING, 2, 0);
        vm.warp(block.timestamp + 1);
        atLeast(block.timestamp, live + GRACE, "grace is over");
        vm.prank(BOB);
        vault.liquidate(ALICE);

        // With the shortest ramp grace alone holds it back.
        vault = _deploy(_shortRamp());
        _halt(1 hours);
        live = _now().until;
        vm.warp(live + 1);
        _ramp();
        vm.warp(live + 48 hours - 1);
        _open(Classes.PRICE_UPDATE, true, "prices");
        _open(Classes.REDUCE_RISK, true, "repayment");
        _open(Classes.LIQUIDATE, false, "no liquidation");
        vm.warp(live + 48 hours);
        _open(Classes.LIQUIDATE, true, "liquidation");
    }

    /// @dev marginfi #612: interest ran while nobody could act.
    function test_Regress_Marginfi_HaltInterest() public {
        vm.warp(block.timestamp + 10 days);
        uint256 debt = vault.debtOf(ALICE);
        yes(debt > 50e18, "interest runs");
        _halt(72 hours);
        for (uint256 i = 0; i < 26; ++i) {
            eq(vault.debtOf(ALICE), debt, "none while halted, none in S0");
            vm.warp(block.timestamp + 3 hours);
        }
        vm.warp(block.timestamp + 1 hours);
        yes(vault.debtOf(ALICE) > debt, "runs again from S1");
        eq(vault.debtOf(ALICE) - debt, 50e18 * vault.RATE_PER_SECOND() * 1 hours / 1e18, "for that hour alone");
    }

    /// @dev Flatmoney #72: funding ran in a pause. Here with halts that overlap, are prolonged, released and repeated.
    function test_Regress_Flatmoney_FundingInPause() public {
        uint256 debt = vault.debtOf(ALICE);
        _restrict(5 hours, Origin.SENSOR);
        _halt(2 hours);
        vm.warp(START + 1 hours);
        _halt(2 hours);
        _council(Mode.HALTED, 0, 3 hours);
        vm.warp(START + 2 hours);
        _release();
        vm.warp(START + 3 hours);
        _halt(1 hours);
        vm.warp(START + 4 hours);
        vault.failsafeSettle();
        eq(vault.frozenSeconds(), 4 hours, "so far, once each");
        vm.warp(START + 4 hours + 5 hours);
        eq(vault.frozenSeconds(), 9 hours, "with the rest of S0");
        vm.warp(START + 20 hours);
        eq(vault.frozenSeconds(), 9 hours, "and no more");
        eq(vault.debtOf(ALICE) - debt, 50e18 * vault.RATE_PER_SECOND() * 11 hours / 1e18, "interest of the rest");
    }

    /// @dev Sapien O16: a deadline passed while nobody could meet it.
    function test_Regress_Sapien_DeadlineInPause() public {
        uint256 deadline = block.timestamp + 10 hours;
        _halt(72 hours);
        vm.warp(START + 78 hours + 10 hours);
        vault.claimReward(deadline);
        vm.warp(block.timestamp + 1);
        vm.expectRevert(abi.encodeWithSelector(GuardedVault.DeadlineOver.selector, deadline));
        vault.claimReward(deadline);
    }

    /// @dev Sentiment: a pause stopped repayment, and interest made the rest.
    function test_Regress_Sentiment_RepayBlocked() public {
        _repays();
        _watch(1 hours, Origin.SENSOR);
        _repays();
        _restrict(1 hours, Origin.SENSOR);
        _repays();
        _halt(72 hours);
        _repays();
        vault.failsafeInsolvent(true);
        vm.warp(_now().until);
        _repays();
        vault.failsafeInsolvent(false);
        vm.warp(block.timestamp + S0);
        for (uint8 stage = 2; stage <= 4; ++stage) {
            _repays();
            vm.warp(_now().until);
            _council(Mode.RECOVERING, stage, 0);
        }
        _repays();
        _exit();
        _repays();
        vm.warp(block.timestamp + 1_000 days);
        _repays();
    }

    function _repays() private {
        uint256 debt = vault.debtOf(ALICE);
        vm.prank(BOB);
        vault.repay(ALICE, 1e18);
        eq(vault.debtOf(ALICE), debt - 1e18, "repaid");
    }

    /// @dev Pokes and vouchers without end must not leave a guardian without a halt.
    function test_Regress_Review_BudgetGriefing() public {
        for (uint256 i = 0; i < 100 * 12; ++i) {
            Origin origin = i % 2 == 0 ? Origin.SENSOR : Origin.VOUCHER;
            try vault.failsafeArm(_ask(Mode.RESTRICTED, 1, 24 hours, origin), "") {} catch {}
            try vault.failsafeArm(_ask(Mode.WATCH, 0, 24 hours, origin), "") {} catch {}
            vm.warp(block.timestamp + 2 hours);
        }
        eq(_halt(72 hours), block.timestamp + 72 hours, "granted in full");
        vm.warp(_now().until);
        _is(Mode.RECOVERING, 0, "with its S0");
    }

    /// @dev A halt closes liquidation for 102 h: what that costs at most, and that RESTRICTED costs nothing.
    function test_Regress_Review_LiquidationImmunity() public {
        _restrict(1 hours, Origin.SENSOR);
        vault.setPrice(0.3e18);
        vm.prank(BOB);
        vault.liquidate(ALICE);

        setUp();
        vm.warp(START + 1);
        _halt(72 hours);
        vm.warp(_now().until);
        vault.setPrice(0.49e18);
        uint256 debt = vault.debtOf(ALICE);
        vm.warp(block.timestamp + S0 + S1 - 1);
        _open(Classes.LIQUIDATE, false, "closed to the end of S1");
        vm.warp(block.timestamp + 1);
        eq(block.timestamp - START - 1, 102 hours, "102 hours");
        _council(Mode.RECOVERING, 2, 0);
        vm.warp(block.timestamp + 1);
        uint256 collateral = vault.sharesOf(ALICE) * vault.price() / 1e18;
        uint256 after102 = vault.debtOf(ALICE);
        eq(after102 - debt, 50e18 * vault.RATE_PER_SECOND() * (S1 + 1) / 1e18, "interest of S1 alone");
        yes(after102 > collateral, "bad debt");
        emit BadDebt(102, after102, collateral);
        vm.prank(BOB);
        vault.liquidate(ALICE);
    }

    /// @dev Third parties spend no allowance from RESTRICTED until S4; a payer's own repayment is not touched.
    function test_Regress_Review_AllowancePull() public {
        vm.prank(ALICE);
        vault.approve(BOB, type(uint256).max);
        round.allow(ALICE, 100e18);
        _pulls(true, "NORMAL");
        _watch(1 hours, Origin.SENSOR);
        _pulls(true, "WATCH");
        _restrict(1 hours, Origin.SENSOR);
        _pulls(false, "RESTRICTED");
        vm.warp(_now().until);
        for (uint8 stage = 2; stage <= 4; ++stage) {
            _pulls(false, "S1 to S3");
            vm.prank(ALICE);
            vault.transferFrom(ALICE, BOB, 1);
            vm.warp(_now().until);
            _council(Mode.RECOVERING, stage, 0);
            vm.warp(block.timestamp + 1);
        }
        _pulls(true, "S4");
        _halt(1 hours);
        _pulls(false, "HALTED");
        _repays();
    }

    function _pulls(bool open, string memory what) private {
        vm.prank(BOB);
        (bool ok, bytes memory answer) = address(vault).call(abi.encodeCall(GuardedVault.transferFrom, (ALICE, BOB, 1)));
        yes(ok == open, what);
        yes(ok || bytes4(answer) == IFailSafe.ActionClosed.selector, "closed, nothing else");
    }

    /// @dev With every key gone once EXIT is open: anyone empties the vault into the round.
    function test_Regress_Review_EmptyRound() public {
        _exit();
        uint256 held = token.balanceOf(address(vault));
        yes(held != 0, "there is something");
        vm.prank(address(0xdead));
        eq(vault.failsafeSurrender(address(token)), held, "all of it");
        eq(token.balanceOf(address(vault)), 0, "empty");
        _repays();
        vm.prank(address(0xdead));
        eq(vault.failsafeSurrender(address(token)), 1e18, "repayments follow");
    }

    /// @dev A stage and its use in one transaction.
    function test_Regress_Review_ExpireUnpause() public {
        _restrict(1 hours, Origin.SENSOR);
        vm.warp(_now().until);
        uint8[3] memory opened = [Classes.LIQUIDATE, Classes.ENTER, Classes.INCREASE_RISK];
        for (uint8 stage = 2; stage <= 4; ++stage) {
            vm.warp(_now().until);
            uint8 class_ = opened[stage - 2];
            _council(Mode.RECOVERING, stage, 0);
            if (class_ != Classes.LIQUIDATE) {
                vm.expectPartialRevert(IFailSafe.ActionClosed.selector);
                vault.act(class_);
            }
            eq(vault.limitFactor(), 2_500 * (stage - 1), "nor the factor");
            vm.warp(block.timestamp + 1);
            vault.act(class_);
            eq(vault.limitFactor(), stage == 4 ? 10_000 : 2_500 * stage, "from the next second on");
        }
    }

    /// @dev tstorish #5: code at an account means nothing since EIP-7702, and nothing asks who signed.
    function test_Regress_Tstorish_CodeLengthUnder7702() public {
        vm.etch(ALICE, abi.encodePacked(hex"ef0100", address(token)));
        vm.startPrank(ALICE);
        vault.deposit(1e18);
        vault.withdraw(1e18);
        vm.stopPrank();
        Birth birth = new Birth(vault);
        yes(birth.acted(), "an account without code yet");
    }
}

/// @notice Acts in its constructor, without code.
contract Birth {
    bool public acted;

    constructor(GuardedVault vault) {
        acted = vault.act(Classes.EXIT);
    }
}
