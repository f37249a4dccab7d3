// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {PausableAdapter} from "../../../src/kit/adapters/PausableAdapter.sol";
import {PauseProbe, PauseProbes, Rehearsal} from "../../../src/kit/adapters/PauseProbe.sol";
import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {FailSafeWord} from "../../../src/kit/FailSafeWord.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {IEntitlementLimit} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {AdapterWorld} from "./AdapterWorld.sol";
import {HostileSubject, IExpires, ReenteringPause} from "./Subjects.sol";

/// @notice The adapter on a vault with OpenZeppelin's Pausable.
contract PausableAdapterTest is AdapterWorld {
    event LeverFoundOpen();
    event ExpiryAnnounced();
    event ExpiryCancelled();
    event LeverReleased();

    function setUp() public {
        buildAdapter();
    }

    // ---------------------------------------------------------------- a pause with an end

    function test_AHaltPausesTheTargetAndAnyoneLiftsItAfterwards() public {
        halt(10 hours);
        yes(vault.paused(), "paused");
        eq(uint8(stateNow().mode), uint8(Mode.HALTED), "mode");
        yes(FailSafeWord.modeOf(adapter.failsafeWord()) == Mode.HALTED, "the word tells the controller");

        vm.warp(block.timestamp + 10 hours + S0);
        vm.expectEmit(true, true, true, true, address(adapter));
        emit ExpiryAnnounced();
        adapter.expire();
        yes(vault.paused(), "the first touch only announces");
        vm.warp(block.timestamp + 1);
        vm.expectEmit(true, true, true, true, address(adapter));
        emit LeverReleased();
        vm.prank(address(0xA11));
        adapter.expire();
        yes(!vault.paused(), "open");
        vm.expectRevert(abi.encodeWithSelector(PausableAdapter.NothingToExpire.selector));
        adapter.expire();
    }

    /// @dev Neither in one touch, nor before the enrolled stage, nor across a new trip.
    function test_Regress_Review_ExpireUnpause() public {
        halt(10 hours);
        notYet(Mode.HALTED, 0);
        vm.warp(block.timestamp + 10 hours + S0 - 1);
        notYet(Mode.RECOVERING, 0);
        vm.warp(block.timestamp + 1);
        adapter.expire();
        vm.expectRevert(abi.encodeWithSelector(PausableAdapter.NoticeNotOver.selector, uint40(block.timestamp)));
        adapter.expire();

        vm.expectEmit(true, true, true, true, address(adapter));
        emit ExpiryCancelled();
        halt(10 hours);
        vm.warp(block.timestamp + 1);
        notYet(Mode.HALTED, 0);
        vm.warp(block.timestamp + 10 hours);
        adapter.expire();
        yes(vault.paused(), "the notice before the trip does not count");
        vm.warp(block.timestamp + 1);
        adapter.expire();
        yes(!vault.paused(), "open");
    }

    function test_TheEnrolledStageBinds() public {
        PausableAdapter.Lever memory lever = switchOf(address(vault), FREEZE, ~FREEZE);
        lever.expiryStage = 3;
        adapter = new PausableAdapter(bounds(), lever);
        vault.grant(address(adapter), address(adapter));
        restrict(FREEZE, 10 hours);
        vm.warp(block.timestamp + 10 hours);
        notYet(Mode.RECOVERING, 1);
        vm.warp(block.timestamp + 24 hours);
        council(Mode.RECOVERING, 2);
        notYet(Mode.RECOVERING, 2);
        vm.warp(block.timestamp + 12 hours);
        council(Mode.RECOVERING, 3);
        notYet(Mode.RECOVERING, 3); // opened in this second: it binds from the next one on
        vm.warp(block.timestamp + 1);
        expireInTwo();
        yes(!vault.paused(), "open");
    }

    function test_AReleaseByTheCouncilNeedsTwoTouchesToo() public {
        adapter = new PausableAdapter(bounds(), switchOf(address(vault), FREEZE, ~FREEZE));
        vault.grant(address(adapter), address(adapter));
        restrict(FREEZE, 10 hours);
        council(Mode.RECOVERING, 1);
        yes(vault.paused(), "the release alone lifts nothing");
        notYet(Mode.RECOVERING, 1); // released in this second: it binds from the next one on
        vm.warp(block.timestamp + 1);
        expireInTwo();
        yes(!vault.paused(), "open");
    }

    function test_ALaterTripProlongsWithoutAnotherCall() public {
        halt(10 hours);
        vm.warp(block.timestamp + 5 hours);
        vault.grant(address(0), address(adapter)); // the pause right is gone, and not needed
        halt(10 hours);
        eq(stateNow().until, block.timestamp + 10 hours, "prolonged");
        yes(vault.paused(), "paused");
    }

    /// @dev EXIT closes everything, also where the lever can express only a part of it.
    function test_ExitStaysClosed() public {
        adapter = new PausableAdapter(bounds(), switchOf(address(vault), uint32(1 << Classes.ENTER), 0));
        vault.grant(address(adapter), address(adapter));
        council(Mode.EXIT, 0);
        yes(vault.paused(), "paused");
        vm.warp(block.timestamp + 10_000 days);
        notYet(Mode.EXIT, 0);
        yes(!adapter.failsafeHasEntitlements(), "and the adapter promises nobody a payout");
    }

    function test_InNormalItCanStillBeLifted() public {
        halt(10 hours);
        vm.warp(block.timestamp + 10 hours + S0);
        _advanceToNormal();
        yes(vault.paused(), "nobody lifted it");
        expireInTwo();
        yes(!vault.paused(), "open");
    }

    // ---------------------------------------------------------------- only its own pause

    function test_APauseOfTheTeamStays() public {
        vm.prank(TEAM);
        vault.pause();
        halt(10 hours);
        eq(uint8(stateNow().mode), uint8(Mode.HALTED), "the trip lands");
        vm.warp(block.timestamp + 10 hours + S0);
        vm.expectRevert(abi.encodeWithSelector(PausableAdapter.NothingToExpire.selector));
        adapter.expire();
        yes(vault.paused(), "still the team's");
    }

    function test_AfterTheTeamLiftedItTheAdapterHasNoClaim() public {
        halt(10 hours);
        vm.prank(TEAM);
        vault.unpause();
        vm.expectEmit(true, true, true, true, address(adapter));
        emit LeverFoundOpen();
        adapter.expire();
        vm.prank(TEAM);
        vault.pause();
        vm.warp(block.timestamp + 10 hours + S0);
        vm.expectRevert(abi.encodeWithSelector(PausableAdapter.NothingToExpire.selector));
        adapter.expire();
        yes(vault.paused(), "the team's own pause");
    }

    function test_ANewTripPausesAgainWhatTheTeamLifted() public {
        halt(10 hours);
        vm.prank(TEAM);
        vault.unpause();
        vm.warp(block.timestamp + 1 hours);
        halt(10 hours);
        yes(vault.paused(), "paused again");
        vm.warp(block.timestamp + 10 hours + S0);
        expireInTwo();
        yes(!vault.paused(), "open");
    }

    // ---------------------------------------------------------------- classes

    function test_WhatTheLeverWouldCloseUnaskedIsRefused() public {
        uint32 unasked = uint32(1 << Classes.EXIT);
        _refused(Classes.closable(Mode.RESTRICTED), unasked);
        yes(!vault.paused(), "not paused");
        eq(adapter.failsafeWord(), FailSafeWord.HEALTHY, "nothing stored, nothing charged");

        adapter = new PausableAdapter(bounds(), switchOf(address(vault), VAULT, ~VAULT | unasked));
        vault.grant(address(adapter), address(adapter));
        restrict(Classes.closable(Mode.RESTRICTED), 10 hours);
        yes(vault.paused(), "rounded to the tighter side by the council's leave");
        yes(!adapter.failsafeOpen(Classes.EXIT), "and said so");
    }

    function test_WhatTheLeverLeavesOpenIsRefused() public {
        uint32 open = uint32(1 << Classes.BRIDGE_OUT);
        adapter = new PausableAdapter(bounds(), switchOf(address(vault), VAULT, ~(VAULT | open)));
        vault.grant(address(adapter), address(adapter));
        vm.expectRevert(abi.encodeWithSelector(PausableAdapter.ClassUnsupported.selector, open));
        halt(10 hours);
        adapter.failsafeArm(ask(Mode.HALTED, ALL & ~open, 10 hours, Origin.GUARDIAN), "test");
        yes(vault.paused(), "paused");
    }

    /// @dev The word closes UPGRADE in every episode; that must not make the second trip different from the first.
    function test_ASecondTripFitsWhereTheFirstDid() public {
        uint32 asked = VAULT;
        adapter = new PausableAdapter(bounds(), switchOf(address(vault), VAULT, 0));
        vault.grant(address(adapter), address(adapter));
        adapter.failsafeArm(ask(Mode.HALTED, asked, 5 hours, Origin.GUARDIAN), "test");
        vm.warp(block.timestamp + 1 hours);
        adapter.failsafeArm(ask(Mode.HALTED, asked, 5 hours, Origin.GUARDIAN), "test");
        eq(stateNow().until, block.timestamp + 5 hours, "prolonged");
    }

    function test_AWatchIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(PausableAdapter.ClassUnsupported.selector, VAULT));
        adapter.failsafeArm(ask(Mode.WATCH, 0, 1 hours, Origin.GUARDIAN), "test");
    }

    function testFuzz_NothingBesidesClosesAndToleratedIsEverAccepted(uint32 asked, uint32 closes, uint32 tolerated)
        public
    {
        closes &= ALL;
        if (closes == 0) closes = VAULT;
        closes |= uint32(1 << Classes.LIQUIDATE);
        asked = Classes.consistent(asked & ALL);
        if (asked == 0) asked = 1;
        adapter = new PausableAdapter(bounds(), switchOf(address(vault), closes, tolerated));
        vault.grant(address(adapter), address(adapter));
        uint32 upgrade = uint32(1 << Classes.UPGRADE);
        bool fits = (asked ^ closes) & ~(tolerated | upgrade) == 0 && asked & closes != 0;
        try adapter.failsafeArm(ask(Mode.HALTED, asked, 1 hours, Origin.GUARDIAN), "test") {
            yes(fits, "accepted only what fits");
            yes(vault.paused(), "paused");
        } catch (bytes memory error_) {
            yes(!fits && bytes4(error_) == PausableAdapter.ClassUnsupported.selector, "refused only what does not fit");
            yes(!vault.paused(), "not paused");
        }
    }

    /// @dev A restriction that waits below a halt is too light for the lever: when the halt is over, so is the pause.
    function test_TheRestrictionBelowAHaltDoesNotKeepAHeavierPause() public {
        halt(2 hours);
        restrict(Classes.closable(Mode.RESTRICTED), 24 hours);
        vm.warp(block.timestamp + 2 hours + S0 - 1);
        notYet(Mode.RECOVERING, 0);
        vm.warp(block.timestamp + 1);
        eq(uint8(stateNow().mode), uint8(Mode.RESTRICTED), "mode");
        expireInTwo();
        yes(!vault.paused(), "open");
    }

    function test_ItDoesKeepOneThatTheCouncilRoundsUp() public {
        uint32 unasked = uint32(1 << Classes.EXIT);
        adapter = new PausableAdapter(bounds(), switchOf(address(vault), VAULT, ~VAULT | unasked));
        vault.grant(address(adapter), address(adapter));
        uint256 end = block.timestamp + 24 hours;
        halt(2 hours);
        restrict(Classes.closable(Mode.RESTRICTED), 24 hours);
        vm.warp(end - 1);
        notYet(Mode.RESTRICTED, 0);
        vm.warp(end);
        expireInTwo();
        yes(!vault.paused(), "open");
    }

    /// @dev Leave to round up is no reason to stay paused when nothing of the lever is asked for.
    function test_ARestrictionThatAsksForNothingOfTheLeverDoesNotKeepIt() public {
        uint32 exit = uint32(1 << Classes.EXIT);
        adapter = new PausableAdapter(bounds(), switchOf(address(vault), exit, type(uint32).max));
        vault.grant(address(adapter), address(adapter));
        halt(2 hours);
        restrict(Classes.closable(Mode.RESTRICTED), 24 hours);
        vm.warp(block.timestamp + 2 hours + S0);
        eq(uint8(stateNow().mode), uint8(Mode.RESTRICTED), "mode");
        expireInTwo();
        yes(!vault.paused(), "open");
    }

    function test_AnEpisodeClosesALeverForAsLongAsTheWordSays() public {
        yes(adapter.failsafeOpen(Classes.EXIT), "open before");
        halt(10 hours);
        yes(!adapter.failsafeOpen(Classes.EXIT), "closed");
        yes(adapter.failsafeOpen(Classes.REDUCE_RISK) && adapter.failsafeOpen(Classes.CLAIM), "never restricted");
        vm.warp(block.timestamp + 10 hours + S0);
        yes(!adapter.failsafeOpen(Classes.EXIT), "closed until somebody lifts it, whatever the time says");
        expireInTwo();
        yes(adapter.failsafeOpen(Classes.EXIT), "open");
    }

    // ---------------------------------------------------------------- lending: repayment and liquidation

    function test_APauseThatStopsRepaymentNeedsLeaveAndStopsLiquidation() public {
        uint32 repay = uint32(1 << Classes.REDUCE_RISK);
        uint32 liquidate = uint32(1 << Classes.LIQUIDATE);
        FailSafe.Config memory config = bounds();
        PausableAdapter.Lever memory lever = switchOf(address(vault), VAULT | repay | liquidate, ~VAULT & ~repay);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.ClassNeverRestricted.selector, repay));
        new PausableAdapter(config, lever);
        lever = switchOf(address(vault), VAULT | repay, ~VAULT);
        vm.expectRevert(abi.encodeWithSelector(PausableAdapter.LeverMalformed.selector, bytes32("closes")));
        new PausableAdapter(config, lever);
        lever = switchOf(address(vault), VAULT | repay | liquidate, ~VAULT);
        adapter = new PausableAdapter(config, lever);
        vault.grant(address(adapter), address(adapter));
        halt(10 hours);
        yes(!adapter.failsafeOpen(Classes.REDUCE_RISK), "and says that repayment is closed");
    }

    function test_LiquidationWaitsForGrace() public {
        uint32 closes = VAULT | uint32(1 << Classes.LIQUIDATE);
        adapter = new PausableAdapter(bounds(), switchOf(address(vault), closes, ~closes));
        vault.grant(address(adapter), address(adapter));
        halt(10 hours);
        uint256 graceUntil = block.timestamp + 10 hours + GRACE;
        vm.warp(graceUntil - 1);
        notYet(Mode.RECOVERING, 1);
        vm.warp(graceUntil);
        expireInTwo();
        yes(!vault.paused(), "open");
    }

    // ---------------------------------------------------------------- a hold of the council

    function test_AHoldKeepsALeverThatFitsIt() public {
        uint32 enter = uint32(1 << Classes.ENTER);
        adapter = new PausableAdapter(bounds(), switchOf(address(vault), enter, ~enter));
        vault.grant(address(adapter), address(adapter));
        halt(10 hours);
        vm.warp(block.timestamp + 21 days);
        expireInTwo();
        yes(!vault.paused(), "open");
        adapter.failsafeHold(enter);
        yes(vault.paused(), "held");
        vm.warp(block.timestamp + 100 days);
        notYet(Mode.RECOVERING, 1);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.NotController.selector, TEAM));
        vm.prank(TEAM);
        adapter.failsafeHold(0);

        _advanceToNormal();
        notYet(Mode.NORMAL, 0);
        adapter.failsafeHold(0);
        yes(vault.paused(), "ending the hold lifts nothing by itself");
        expireInTwo();
        yes(!vault.paused(), "open");
    }

    function test_AHoldThatTheLeverCannotExpressIsRefused() public {
        uint32 enter = uint32(1 << Classes.ENTER);
        halt(10 hours);
        vm.warp(block.timestamp + 21 days);
        vm.expectRevert(abi.encodeWithSelector(PausableAdapter.ClassUnsupported.selector, VAULT & ~enter));
        adapter.failsafeHold(enter);
    }

    // ---------------------------------------------------------------- hostile targets

    function test_ATargetThatRefusesLeavesTheWordAsItWas() public {
        HostileSubject subject = _hostile();
        uint256 word = adapter.failsafeWord();
        bytes32 cold = vm.load(address(adapter), COLD);
        HostileSubject.Mode[3] memory modes =
            [HostileSubject.Mode.REVERTS, HostileSubject.Mode.IGNORES, HostileSubject.Mode.UNREADABLE];
        bytes4[3] memory errors = [
            Rehearsal.PauseRefused.selector, Rehearsal.PauseHadNoEffect.selector, PauseProbes.PauseUnreadable.selector
        ];
        Restriction memory r = ask(Mode.HALTED, ALL, 10 hours, Origin.GUARDIAN);
        for (uint256 i; i < 3; ++i) {
            subject.setMode(modes[i]);
            vm.expectRevert(abi.encodeWithSelector(errors[i], address(subject)));
            adapter.failsafeArm(r, "test");
            eq(adapter.failsafeWord(), word, "word");
            yes(vm.load(address(adapter), COLD) == cold, "no budget spent");
        }
        subject.setMode(HostileSubject.Mode.READ_BOMB);
        (bool ok,) = address(adapter).call{gas: PUSH_GAS}(abi.encodeCall(adapter.failsafeArm, (r, "test")));
        yes(!ok, "a probe that burns its gas fails its own push");
    }

    function test_ATargetThatWillNotReopenIsTold() public {
        HostileSubject subject = _hostile();
        halt(10 hours);
        vm.warp(block.timestamp + 10 hours + S0);
        adapter.expire();
        vm.warp(block.timestamp + 1);
        subject.setMode(HostileSubject.Mode.REVERTS);
        vm.expectRevert(abi.encodeWithSelector(Rehearsal.PauseRefused.selector, address(subject)));
        adapter.expire();
        subject.setMode(HostileSubject.Mode.IGNORES);
        vm.expectRevert(abi.encodeWithSelector(Rehearsal.PauseHadNoEffect.selector, address(subject)));
        adapter.expire();
        subject.setMode(HostileSubject.Mode.HONEST);
        adapter.expire();
        yes(!subject.paused(), "the claim is not lost by a failure");
    }

    function test_ReentryFindsNothing() public {
        ReenteringPause subject = new ReenteringPause();
        adapter = new PausableAdapter(bounds(), switchOf(address(subject), VAULT, ~VAULT));
        subject.watch(IExpires(address(adapter)));
        halt(10 hours);
        vm.warp(block.timestamp + 10 hours + S0);
        expireInTwo();
        eq(subject.reopenings(), 1, "reopened once");
        eq(subject.refusals(), 2, "each way back was refused");
    }

    // ---------------------------------------------------------------- readiness

    function test_ReadinessShowsWhichRightIsMissing() public {
        (bool ok,) = adapter.ready();
        yes(ok, "ready");
        yes(!vault.paused() && adapter.taken() == 0, "nothing stays");
        bytes memory refused = abi.encodeWithSelector(Rehearsal.PauseRefused.selector, address(vault));
        bytes memory reason;
        vault.grant(address(0), address(adapter));
        (ok, reason) = adapter.ready();
        yes(!ok && keccak256(reason) == keccak256(refused), "it may not pause");
        vault.grant(address(adapter), address(0));
        (ok, reason) = adapter.ready();
        yes(!ok && keccak256(reason) == keccak256(refused), "it may not reopen");
        vm.prank(TEAM);
        vault.pause();
        (ok, reason) = adapter.ready();
        yes(!ok && bytes4(reason) == PausableAdapter.AlreadyPaused.selector, "paused already");
    }

    // ---------------------------------------------------------------- who, and with what

    function test_OnlyTheControllerArms() public {
        Restriction memory r = ask(Mode.HALTED, ALL, 10 hours, Origin.GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.NotController.selector, TEAM));
        vm.prank(TEAM);
        adapter.failsafeArm(r, "test");
    }

    function test_EnrolmentsThatMakeNoSenseAreRefused() public {
        PausableAdapter.Lever memory lever = switchOf(address(vault), VAULT, ~VAULT);
        FailSafe.Config memory config = bounds();
        config.entitlements = IEntitlementLimit(address(1));
        _malformed(config, lever, "entitlements");
        config = bounds();
        config.exitAssets = new address[](1);
        config.exitAssets[0] = address(1);
        _malformed(config, lever, "exit");
        config = bounds();
        lever.target = address(0);
        _malformed(config, lever, "target");
        lever = switchOf(address(vault), VAULT, ~VAULT);
        lever.pause = 0;
        _malformed(config, lever, "target");
        lever = switchOf(address(vault), VAULT, ~VAULT);
        lever.reopen = 0;
        _malformed(config, lever, "reopen");
        lever = switchOf(address(vault), VAULT, ~VAULT);
        lever.probe.bits = 0;
        _malformed(config, lever, "probe");
        lever = switchOf(address(vault), VAULT, ~VAULT);
        lever.key = address(1);
        _malformed(config, lever, "key");
        lever = switchOf(address(vault), VAULT, ~VAULT);
        lever.profile = PausableAdapter.Profile.KEYED;
        _malformed(config, lever, "key");
        lever = switchOf(address(vault), VAULT, ~VAULT);
        lever.expiryStage = 0;
        _malformed(config, lever, "stage");
        lever.expiryStage = 5;
        _malformed(config, lever, "stage");
        lever = switchOf(address(vault), 0, ~VAULT);
        _malformed(config, lever, "closes");
        lever = switchOf(address(vault), VAULT, ~VAULT);
        lever.probe = PauseProbe({reader: address(0xE0A), selector: lever.probe.selector, bits: 1});
        vm.expectRevert(abi.encodeWithSelector(PauseProbes.PauseUnreadable.selector, address(0xE0A)));
        new PausableAdapter(config, lever);
    }

    // ---------------------------------------------------------------- inside

    bytes32 private constant COLD = 0x81b926a01efc0940e1b7883b4c64fb5f07609610196454a5e5ea3eaaa21f6801;

    function _advanceToNormal() private {
        for (uint8 stage = 2; stage <= 5; ++stage) {
            vm.warp(block.timestamp + 24 hours);
            if (stage == 5) council(Mode.NORMAL, 0);
            else council(Mode.RECOVERING, stage);
        }
        vm.warp(block.timestamp + 1);
    }

    function _malformed(FailSafe.Config memory config, PausableAdapter.Lever memory lever, bytes32 what) private {
        vm.expectRevert(abi.encodeWithSelector(PausableAdapter.LeverMalformed.selector, what));
        new PausableAdapter(config, lever);
    }

    function _refused(uint32 mask, uint32 unsupported) private {
        Restriction memory r = ask(Mode.RESTRICTED, mask, 10 hours, Origin.GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(PausableAdapter.ClassUnsupported.selector, unsupported));
        adapter.failsafeArm(r, "test");
    }

    function _hostile() private returns (HostileSubject subject) {
        subject = new HostileSubject();
        adapter = new PausableAdapter(bounds(), switchOf(address(subject), VAULT, ~VAULT));
    }
}
