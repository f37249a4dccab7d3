// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {PausableAdapter} from "../../../src/kit/adapters/PausableAdapter.sol";
import {PauseProbe, Rehearsal} from "../../../src/kit/adapters/PauseProbe.sol";
import {Classes} from "../../../src/kit/Classes.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {AaveWorld, IAaveConfigurator, IAavePool} from "./AaveWorld.sol";
import {AdapterWorld} from "./AdapterWorld.sol";
import {FlagSubject, ManagedVault, TimedSubject} from "./Subjects.sol";

/// @notice Each profile on its real counterpart: Aave v3 core, OpenZeppelin's AccessManager, and the shapes of EigenLayer's flags and
/// of Lido's timed pause.
contract AdapterProfilesTest is AdapterWorld, AaveWorld {
    function setUp() public {
        vm.warp(1_900_000_000);
    }

    // ---------------------------------------------------------------- Aave

    function test_AReserveIsFrozenAndPausedByTwoLevers() public {
        buildAave();
        PausableAdapter pausing = _aave(IAaveConfigurator.setReservePause.selector, PAUSED_BIT, ALL & ~FREEZE_ONLY);
        PausableAdapter freezing = _aave(IAaveConfigurator.setReserveFreeze.selector, FROZEN_BIT, FREEZE);
        uint256 before = pool.getConfiguration(reserve);

        adapter = freezing;
        restrict(Classes.closable(Mode.RESTRICTED), 10 hours);
        eq(pool.getConfiguration(reserve), before | FROZEN_BIT, "frozen, and nothing else changed");
        adapter = pausing;
        halt(10 hours);
        eq(pool.getConfiguration(reserve), before | FROZEN_BIT | PAUSED_BIT, "paused too");

        vm.warp(block.timestamp + 10 hours + S0 + GRACE);
        expireInTwo();
        eq(pool.getConfiguration(reserve), before | FROZEN_BIT, "each lever lifts its own");
        adapter = freezing;
        expireInTwo();
        eq(pool.getConfiguration(reserve), before, "as before");
    }

    /// @dev The adapter enrolled, but Aave's roles were never granted, or were revoked (connext #2986 in another dress).
    function test_AaveRolesAreSeenByTheRehearsal() public {
        buildAave();
        adapter = _aave(IAaveConfigurator.setReservePause.selector, PAUSED_BIT, ALL & ~FREEZE_ONLY);
        (bool ok,) = adapter.ready();
        yes(ok, "ready");
        access.removeEmergencyAdmin(address(adapter));
        bytes memory reason;
        (ok, reason) = adapter.ready();
        yes(
            !ok
                && keccak256(reason)
                    == keccak256(abi.encodeWithSelector(Rehearsal.PauseRefused.selector, address(configurator))),
            "the missing role shows"
        );
    }

    // ---------------------------------------------------------------- AccessManager

    function test_AnAccessManagerClosesATarget() public {
        AccessManager manager = new AccessManager(address(this));
        ManagedVault vault_ = new ManagedVault(address(manager));
        ManagedVault other = new ManagedVault(address(manager));
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = ManagedVault.use.selector;
        manager.setTargetFunctionRole(address(vault_), selectors, manager.PUBLIC_ROLE());
        manager.setTargetFunctionRole(address(other), selectors, manager.PUBLIC_ROLE());
        PausableAdapter.Lever memory lever = switchOf(address(manager), VAULT, ~VAULT);
        (lever.profile, lever.key) = (PausableAdapter.Profile.KEYED, address(vault_));
        (lever.pause, lever.reopen) = (AccessManager.setTargetClosed.selector, AccessManager.setTargetClosed.selector);
        lever.probe = PauseProbe({reader: address(manager), selector: AccessManager.isTargetClosed.selector, bits: 1});
        adapter = new PausableAdapter(bounds(), lever);
        manager.grantRole(manager.ADMIN_ROLE(), address(adapter), 0);

        vault_.use();
        halt(10 hours);
        (bool ok,) = address(vault_).call(abi.encodeCall(ManagedVault.use, ()));
        yes(!ok, "closed");
        other.use();
        vm.warp(block.timestamp + 10 hours + S0);
        expireInTwo();
        vault_.use();
        eq(vault_.uses(), 2, "open");

        // A delay on the target's administration would make every halt late; the rehearsal shows it while there is time.
        manager.setTargetAdminDelay(address(vault_), 1 days);
        vm.warp(block.timestamp + 6 days);
        bytes memory reason;
        (ok, reason) = adapter.ready();
        yes(!ok && bytes4(reason) == Rehearsal.PauseRefused.selector, "delayed");
    }

    // ---------------------------------------------------------------- flags

    function testFuzz_OnlyTheLeversOwnFlagsAreTouched(uint256 before, uint64 bits, uint256 meanwhile) public {
        if (bits == 0) bits = 1;
        FlagSubject subject = new FlagSubject();
        subject.pause(before);
        adapter = new PausableAdapter(bounds(), _flags(subject, bits));
        bool lands = before & bits != bits;
        halt(1 hours);
        eq(subject.paused(), before | bits, "set");
        subject.pause(subject.paused() | meanwhile); // the team sets flags of its own
        vm.warp(block.timestamp + 1 hours + S0);
        if (!lands) {
            vm.expectRevert(abi.encodeWithSelector(PausableAdapter.NothingToExpire.selector));
            adapter.expire();
        } else {
            expireInTwo();
            eq(subject.paused(), before | (meanwhile & ~uint256(bits)), "cleared what the adapter set and nothing else");
        }
    }

    // ---------------------------------------------------------------- timed

    function test_ATimedPauseLastsToTheEndOfS0() public {
        TimedSubject subject = _timed(true);
        uint256 end = block.timestamp + 10 hours + S0;
        halt(10 hours);
        eq(subject.getResumeSinceTimestamp(), end, "resumes");
        vm.warp(end);
        yes(!subject.isPaused(), "it ended by itself");
        adapter.expire();
        eq(adapter.taken(), 0, "nothing left to lift");
    }

    function test_ATimedPauseIsProlongedWithoutAGap() public {
        TimedSubject subject = _timed(true);
        halt(10 hours);
        vm.warp(block.timestamp + 5 hours);
        halt(10 hours);
        eq(subject.getResumeSinceTimestamp(), block.timestamp + 10 hours + S0, "prolonged");
        vm.warp(block.timestamp + 1 hours);
        Restriction memory r = ask(Mode.RECOVERING, 0, 0, Origin.COUNCIL);
        adapter.failsafeArm(r, "test");
        vm.warp(block.timestamp + S0);
        expireInTwo();
        yes(!subject.isPaused(), "a release opens it before its end");
    }

    /// @dev A restriction that waits below a halt is a reason to stay paused only for a lever that fits it.
    function test_ATimedPauseCoversTheRestrictionBelowAHalt() public {
        uint32 enter = uint32(1 << Classes.ENTER);
        TimedSubject subject = _timed(true);
        halt(2 hours);
        restrict(Classes.closable(Mode.RESTRICTED), 24 hours);
        eq(subject.getResumeSinceTimestamp(), block.timestamp + 2 hours + S0, "withdrawals reopen after S0");

        subject = _timedLever(true, enter);
        halt(2 hours);
        restrict(Classes.closable(Mode.RESTRICTED), 24 hours);
        eq(subject.getResumeSinceTimestamp(), block.timestamp + 24 hours, "deposits after the restriction");
    }

    function test_WithoutTheRightToReopenAProlongationFailsLoudly() public {
        TimedSubject subject = _timed(false);
        halt(10 hours);
        vm.warp(block.timestamp + 5 hours);
        Restriction memory r = ask(Mode.HALTED, ALL, 10 hours, Origin.GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Rehearsal.PauseRefused.selector, address(subject)));
        adapter.failsafeArm(r, "test");
        yes(subject.isPaused(), "paused to its first end");
        vm.warp(block.timestamp + 5 hours + S0);
        adapter.expire();
        eq(adapter.taken(), 0, "ended by itself");
    }

    /// @dev Released early, it stays paused to its end: there is nothing to announce.
    function test_WithoutTheRightToReopenOnlyTimeEndsIt() public {
        TimedSubject subject = _timed(false);
        halt(10 hours);
        uint256 end = subject.getResumeSinceTimestamp();
        adapter.failsafeArm(ask(Mode.RECOVERING, 0, 0, Origin.COUNCIL), "test");
        vm.warp(block.timestamp + S0);
        notYet(Mode.RECOVERING, 1);
        yes(subject.isPaused(), "paused to its end");
        vm.warp(end);
        adapter.expire();
        eq(adapter.taken(), 0, "ended by itself");
    }

    function test_ATimedPauseOfOthersIsNotLifted() public {
        TimedSubject subject = _timed(true);
        halt(1 hours);
        vm.warp(block.timestamp + 1 hours + S0);
        subject.handTo(TEAM);
        vm.prank(TEAM);
        subject.pauseFor(30 days);
        subject.handTo(address(adapter));
        Restriction memory r = ask(Mode.HALTED, ALL, 10 hours, Origin.GUARDIAN);
        adapter.failsafeArm(r, "test");
        eq(subject.getResumeSinceTimestamp(), block.timestamp + 30 days, "longer than asked: left alone");
        vm.warp(block.timestamp + 10 hours + S0);
        adapter.expire();
        eq(adapter.taken(), 0, "another end is another's pause");
        yes(subject.isPaused(), "still paused");
    }

    // ---------------------------------------------------------------- inside

    uint32 private constant FREEZE_ONLY = uint32(1 << Classes.UPGRADE | 1 << Classes.ADMIN);

    function _aave(bytes4 setter, uint64 bit, uint32 closes) private returns (PausableAdapter made) {
        PausableAdapter.Lever memory lever = switchOf(address(configurator), closes, ~closes);
        (lever.profile, lever.key) = (PausableAdapter.Profile.KEYED, reserve);
        (lever.pause, lever.reopen) = (setter, setter);
        lever.probe = PauseProbe({reader: address(pool), selector: IAavePool.getConfiguration.selector, bits: bit});
        made = new PausableAdapter(bounds(), lever);
        access.addEmergencyAdmin(address(made));
        access.addRiskAdmin(address(made));
    }

    function _flags(FlagSubject subject, uint64 bits) private pure returns (PausableAdapter.Lever memory lever) {
        lever = switchOf(address(subject), VAULT, ~VAULT);
        lever.profile = PausableAdapter.Profile.FLAGS;
        (lever.pause, lever.reopen) = (FlagSubject.pause.selector, FlagSubject.unpause.selector);
        lever.probe.bits = bits;
    }

    function _timed(bool reopens) private returns (TimedSubject) {
        return _timedLever(reopens, VAULT);
    }

    function _timedLever(bool reopens, uint32 closes) private returns (TimedSubject subject) {
        subject = new TimedSubject(address(this));
        PausableAdapter.Lever memory lever = switchOf(address(subject), closes, ~closes);
        lever.profile = PausableAdapter.Profile.TIMED;
        (lever.pause, lever.reopen) =
        (TimedSubject.pauseFor.selector, reopens ? TimedSubject.resume.selector : bytes4(0));
        lever.probe =
            PauseProbe({reader: address(subject), selector: TimedSubject.getResumeSinceTimestamp.selector, bits: 0});
        adapter = new PausableAdapter(bounds(), lever);
        subject.handTo(address(adapter));
    }
}
