// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {PauseProbe, PauseProbes, Rehearsal} from "../../../src/kit/adapters/PauseProbe.sol";
import {ISafe, PauseIntent, PauseRule, SafePauseModule} from "../../../src/kit/adapters/SafePauseModule.sol";
import {Signatures} from "../../../src/kit/controller/Signatures.sol";
import {AaveWorld, IAaveConfigurator, IAavePool} from "./AaveWorld.sol";
import {
    CallRecorder,
    GasEaterSubject,
    HostileSubject,
    ReenteringSubject,
    TimedSubject,
    WalletSigner
} from "./Subjects.sol";
import {ISafe141, OwnedVault, SafeWorld} from "./SafeWorld.sol";

/// @notice The module on an unmodified Safe 1.4.1.
contract SafePauseModuleTest is SafeWorld, AaveWorld {
    event PauseExecuted(
        bytes32 indexed actionKey, bytes32 indexed lever, address indexed deputy, address target, uint32 duration
    );

    function setUp() public {
        buildSafe();
    }

    function test_ADeputyPausesThroughTheSafe() public {
        PauseIntent memory intent = pauseIntent();
        bytes32 lever = module.leverOf(intent.target, intent.selector, intent.args);
        bytes32 key = keccak256(
            abi.encode(block.chainid, address(module), lever, intent.keyEpisode, intent.tripCount, intent.stepHash)
        );
        vm.expectEmit(true, true, true, true, address(module));
        emit PauseExecuted(key, lever, vm.addr(DEPUTY_KEY), address(vault), 0);
        module.execute(intent, deputise(DEPUTY_KEY, intent));
        yes(vault.paused(), "paused");
    }

    /// @dev A call with a value, or a delegate call, would show in what the target sees.
    function test_TheTargetSeesAPlainCallOfTheSafe() public {
        CallRecorder recorder = new CallRecorder();
        bytes memory args = abi.encode(uint256(7), uint256(0), uint256(9));
        PauseRule memory rule = _timedLever(address(recorder), 1, 1 days);
        arm(address(recorder), CallRecorder.pauseFor.selector, args, rule);
        PauseIntent memory intent = intentOf(address(recorder), CallRecorder.pauseFor.selector, args);
        intent.duration = 3600;
        module.execute(intent, deputise(DEPUTY_KEY, intent));
        eq(recorder.caller(), address(safe), "caller");
        eq(recorder.value(), 0, "value");
        yes(
            keccak256(recorder.data())
                == keccak256(abi.encodeCall(CallRecorder.pauseFor, (uint256(7), uint256(3600), uint256(9)))),
            "the duration stands in its place, every other word as pinned"
        );
    }

    /// @dev Aave's own pool, roles and configurator: one lever per reserve, so that one stands not in the other's way.
    function test_AReserveOfAaveIsPausedThroughTheSafe() public {
        buildAave();
        access.addEmergencyAdmin(address(safe));
        bytes memory args = abi.encode(reserve, true);
        PauseRule memory rule = pausableLever(address(pool));
        rule.probe =
            PauseProbe({reader: address(pool), selector: IAavePool.getConfiguration.selector, bits: PAUSED_BIT});
        rule.keyWords = 1;
        arm(address(configurator), IAaveConfigurator.setReservePause.selector, args, rule);
        PauseIntent memory intent = intentOf(address(configurator), IAaveConfigurator.setReservePause.selector, args);
        module.execute(intent, deputise(DEPUTY_KEY, intent));
        eq(pool.getConfiguration(reserve) & PAUSED_BIT, PAUSED_BIT, "paused");

        vm.warp(block.timestamp + 1 hours);
        intent = intentOf(address(configurator), IAaveConfigurator.setReservePause.selector, args);
        _refuses(intent, abi.encodeWithSelector(Rehearsal.PauseHadNoEffect.selector, address(configurator)));
        intent.args = abi.encode(reserve, false);
        bytes32 lever = module.leverOf(intent.target, intent.selector, intent.args);
        _refuses(intent, abi.encodeWithSelector(SafePauseModule.LeverUnknown.selector, lever));
    }

    // ---------------------------------------------------------------- what it can never do

    function test_ItCannotUnpause() public {
        arm(address(vault), OwnedVault.unpause.selector, "", pausableLever(address(vault)));
        transact(address(vault), abi.encodeCall(OwnedVault.pause, ()));
        PauseIntent memory intent = intentOf(address(vault), OwnedVault.unpause.selector, "");
        _refuses(intent, abi.encodeWithSelector(Rehearsal.PauseHadNoEffect.selector, address(vault)));
        yes(vault.paused(), "still paused");
    }

    function test_ItCannotDoAnythingElseThatTheSafeAllowed() public {
        arm(
            address(vault), Ownable.transferOwnership.selector, abi.encode(address(this)), pausableLever(address(vault))
        );
        PauseIntent memory intent =
            intentOf(address(vault), Ownable.transferOwnership.selector, abi.encode(address(this)));
        _refuses(intent, abi.encodeWithSelector(Rehearsal.PauseHadNoEffect.selector, address(vault)));
        eq(vault.owner(), address(safe), "owner");
    }

    function test_OtherArgumentsAreAnotherLever() public {
        PauseIntent memory intent = pauseIntent();
        intent.args = abi.encode(uint256(1));
        bytes32 lever = module.leverOf(intent.target, intent.selector, intent.args);
        _refuses(intent, abi.encodeWithSelector(SafePauseModule.LeverUnknown.selector, lever));
    }

    function test_TheSafeAndTheModuleAreNoTargets() public {
        PauseRule memory rule = pausableLever(address(vault));
        bytes4 selector = ISafe141.enableModule.selector;
        bytes memory args = abi.encode(address(this));
        vm.startPrank(address(safe));
        vm.expectRevert(abi.encodeWithSelector(SafePauseModule.TargetForbidden.selector, address(safe)));
        module.setLever(address(safe), selector, args, rule);
        vm.expectRevert(abi.encodeWithSelector(SafePauseModule.TargetForbidden.selector, address(module)));
        module.setLever(address(module), selector, args, rule);
    }

    function test_OnlyTheSafeSetsAnything() public {
        address deputy = vm.addr(DEPUTY_KEY);
        bytes memory refusal = abi.encodeWithSelector(SafePauseModule.NotSafe.selector, deputy);
        bytes32 lever = module.leverOf(address(vault), OwnedVault.pause.selector, "");
        vm.startPrank(deputy);
        vm.expectRevert(refusal);
        module.setDeputies(twoDeputies());
        vm.expectRevert(refusal);
        module.setHeartbeat(uint40(block.timestamp));
        vm.expectRevert(refusal);
        module.setLever(address(vault), OwnedVault.pause.selector, "", pausableLever(address(vault)));
        vm.expectRevert(refusal);
        module.removeLever(lever);
    }

    // ---------------------------------------------------------------- settings that make no sense

    function test_DeputiesAreTwoOrMoreSortedAndReplacedAsAWhole() public {
        address[] memory one = new address[](1);
        one[0] = vm.addr(DEPUTY_KEY);
        address[] memory many = new address[](17);
        address[] memory twins = twoDeputies();
        twins[1] = twins[0];
        address[] memory zero = twoDeputies();
        zero[0] = address(0);
        vm.startPrank(address(safe));
        vm.expectRevert(_outOfBounds(1, 2, 16));
        module.setDeputies(one);
        vm.expectRevert(_outOfBounds(17, 2, 16));
        module.setDeputies(many);
        vm.expectRevert(abi.encodeWithSelector(SafePauseModule.UnsortedDeputies.selector, twins[1]));
        module.setDeputies(twins);
        vm.expectRevert(abi.encodeWithSelector(SafePauseModule.UnsortedDeputies.selector, address(0)));
        module.setDeputies(zero);

        address[] memory fresh = new address[](2);
        (fresh[0], fresh[1]) = (address(1), address(2));
        module.setDeputies(fresh);
        vm.stopPrank();
        PauseIntent memory intent = pauseIntent();
        _refuses(intent, abi.encodeWithSelector(SafePauseModule.NotDeputy.selector, vm.addr(DEPUTY_KEY)));
        yes(module.isDeputy(address(1)) && module.isDeputy(address(2)), "the new ones");
    }

    function test_AHeartbeatReachesOneYearAtMost() public {
        uint40 tooFar = uint40(block.timestamp + 365 days + 1);
        vm.prank(address(safe));
        vm.expectRevert(_outOfBounds(tooFar, 0, block.timestamp + 365 days));
        module.setHeartbeat(tooFar);
    }

    function test_MalformedLeversAreRefused() public {
        PauseRule memory rule = _timedLever(address(vault), 0, 1 days);
        bytes memory malformed = abi.encodeWithSelector(SafePauseModule.LeverMalformed.selector);
        vm.startPrank(address(safe));
        vm.expectRevert(malformed);
        module.setLever(address(vault), bytes4(0x01020304), hex"00", rule); // not whole words
        vm.expectRevert(malformed);
        module.setLever(address(vault), bytes4(0x01020304), "", rule); // no word for the duration
        vm.expectRevert(malformed);
        module.setLever(address(vault), bytes4(0x01020304), abi.encode(uint256(1)), rule); // the word is taken
        rule.keyWords = 1;
        vm.expectRevert(malformed);
        module.setLever(address(vault), bytes4(0x01020304), abi.encode(uint256(0)), rule); // the probe would ask about it
        rule = pausableLever(address(vault));
        vm.expectRevert(malformed);
        module.setLever(address(vault), OwnedVault.pause.selector, hex"00", rule); // not whole words, without a duration either
        rule.keyWords = 1;
        vm.expectRevert(malformed);
        module.setLever(address(vault), OwnedVault.pause.selector, "", rule); // no word for the probe
        rule.keyWords = 0;
        rule.cooldown = 0;
        vm.expectRevert(malformed);
        module.setLever(address(vault), OwnedVault.pause.selector, "", rule);
        rule = pausableLever(address(0));
        vm.expectRevert(abi.encodeWithSelector(SafePauseModule.ZeroAddress.selector));
        module.setLever(address(vault), OwnedVault.pause.selector, "", rule);
        vm.expectRevert(abi.encodeWithSelector(SafePauseModule.ZeroAddress.selector));
        module.setLever(address(0), OwnedVault.pause.selector, "", pausableLever(address(vault)));
        vm.expectRevert(abi.encodeWithSelector(SafePauseModule.LeverUnknown.selector, bytes32(uint256(1))));
        module.removeLever(bytes32(uint256(1)));
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(SafePauseModule.ZeroAddress.selector));
        new SafePauseModule(ISafe(address(0)));
    }

    // ---------------------------------------------------------------- time

    function test_ALapsedHeartbeatEndsTheRight() public {
        uint40 until = module.heartbeatUntil();
        vm.warp(until);
        PauseIntent memory intent = pauseIntent();
        (bool ok,) = module.executable(intent, vm.addr(DEPUTY_KEY));
        yes(ok, "its last second counts");
        vm.warp(uint256(until) + 1);
        _refuses(intent, abi.encodeWithSelector(SafePauseModule.HeartbeatLapsed.selector, until));
        transact(address(module), abi.encodeCall(SafePauseModule.setHeartbeat, (until + 7 days)));
        module.execute(intent, deputise(DEPUTY_KEY, intent));
        yes(vault.paused(), "renewing the heartbeat does not void what is signed");
    }

    function test_DeadlinesAreKeptAndBounded() public {
        PauseIntent memory intent = pauseIntent();
        intent.deadline = uint40(block.timestamp);
        (bool ok,) = module.executable(intent, vm.addr(DEPUTY_KEY));
        yes(ok, "its last second counts");
        intent.deadline = uint40(block.timestamp - 1);
        _refuses(intent, abi.encodeWithSelector(SafePauseModule.IntentExpired.selector, intent.deadline));
        intent.deadline = uint40(block.timestamp + 7 days + 1);
        _refuses(intent, _outOfBounds(intent.deadline, 0, block.timestamp + 7 days));
    }

    function test_CooldownBetweenTwoExecutions() public {
        PauseIntent memory intent = pauseIntent();
        module.execute(intent, deputise(DEPUTY_KEY, intent));
        uint256 until = block.timestamp + 1 hours;
        transact(address(vault), abi.encodeCall(OwnedVault.unpause, ()));
        intent = pauseIntent();
        vm.warp(until - 1);
        _refuses(intent, abi.encodeWithSelector(SafePauseModule.CoolingDown.selector, until));
        vm.warp(until);
        module.execute(intent, deputise(DEPUTY_KEY, intent));
        yes(vault.paused(), "paused again");
    }

    /// @dev A thief who pauses for one second would otherwise keep every honest deputy out for the cooldown.
    function test_AStolenKeyCannotUseUpTheCooldownOfOthers() public {
        TimedSubject timed = new TimedSubject(address(safe));
        bytes memory args = abi.encode(uint256(0));
        arm(address(timed), TimedSubject.pauseFor.selector, args, _timedLever(address(timed), 0, 1 days));
        PauseIntent memory stolen = intentOf(address(timed), TimedSubject.pauseFor.selector, args);
        stolen.duration = 1;
        module.execute(stolen, deputise(DEPUTY_TWO_KEY, stolen));
        vm.warp(block.timestamp + 1);
        PauseIntent memory honest = intentOf(address(timed), TimedSubject.pauseFor.selector, args);
        honest.duration = 1 days;
        bytes memory again = deputise(DEPUTY_TWO_KEY, honest);
        vm.expectRevert(abi.encodeWithSelector(SafePauseModule.CoolingDown.selector, block.timestamp - 1 + 1 hours));
        module.execute(honest, again);
        module.execute(honest, deputise(DEPUTY_KEY, honest));
        eq(timed.getResumeSinceTimestamp(), block.timestamp + 1 days, "resumes");
    }

    function test_ArmingAgainClearsTheCooldownAndVoidsOldIntents() public {
        PauseIntent memory unused = pauseIntent();
        module.execute(unused, deputise(DEPUTY_KEY, unused));
        unused.tripCount = 1;
        transact(address(vault), abi.encodeCall(OwnedVault.unpause, ()));
        arm(address(vault), OwnedVault.pause.selector, "", pausableLever(address(vault)));
        _refuses(unused, abi.encodeWithSelector(SafePauseModule.StaleEpoch.selector, uint32(1), uint32(2)));
        PauseIntent memory fresh = pauseIntent();
        module.execute(fresh, deputise(DEPUTY_KEY, fresh));
        yes(vault.paused(), "paused again");
    }

    function test_ARemovedLeverForgetsNoCount() public {
        PauseIntent memory intent = pauseIntent();
        bytes32 lever = module.leverOf(intent.target, intent.selector, intent.args);
        transact(address(module), abi.encodeCall(SafePauseModule.removeLever, (lever)));
        _refuses(intent, abi.encodeWithSelector(SafePauseModule.LeverUnknown.selector, lever));
        arm(address(vault), OwnedVault.pause.selector, "", pausableLever(address(vault)));
        _refuses(intent, abi.encodeWithSelector(SafePauseModule.StaleEpoch.selector, uint32(1), uint32(2)));
    }

    // ---------------------------------------------------------------- durations

    function testFuzz_DurationsStayWithinTheLever(uint32 duration, uint32 most) public {
        TimedSubject timed = new TimedSubject(address(safe));
        most = uint32(clamp(most, 1, 30 days));
        arm(
            address(timed), TimedSubject.pauseFor.selector, abi.encode(uint256(0)), _timedLever(address(timed), 0, most)
        );
        PauseIntent memory intent = intentOf(address(timed), TimedSubject.pauseFor.selector, abi.encode(uint256(0)));
        intent.duration = duration;
        if (duration == 0 || duration > most) {
            _refuses(intent, _outOfBounds(duration, 1, most));
        } else {
            module.execute(intent, deputise(DEPUTY_KEY, intent));
            eq(timed.getResumeSinceTimestamp(), block.timestamp + duration, "resumes");
        }
    }

    function test_NoDurationWhereTheLeverHasNone() public {
        PauseIntent memory intent = pauseIntent();
        intent.duration = 1;
        _refuses(intent, _outOfBounds(1, 0, 0));
    }

    // ---------------------------------------------------------------- signatures

    function test_AStrangerAndASecondFormOfASignatureAreRefused() public {
        PauseIntent memory intent = pauseIntent();
        bytes memory stranger = deputise(0xBAD, intent);
        vm.expectRevert(abi.encodeWithSelector(SafePauseModule.NotDeputy.selector, vm.addr(0xBAD)));
        module.execute(intent, stranger);

        (uint8 v, bytes32 r, bytes32 s) = vm.sign(DEPUTY_KEY, module.digestOf(intent));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes memory malleable = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        vm.expectRevert(abi.encodeWithSelector(Signatures.BadSignature.selector, address(0)));
        module.execute(intent, malleable);
    }

    function test_EveryFieldIsSigned() public {
        PauseIntent memory intent = pauseIntent();
        bytes32 digest = module.digestOf(intent);
        PauseIntent memory other = pauseIntent();
        other.target = address(1);
        yes(module.digestOf(other) != digest, "target");
        other = pauseIntent();
        other.selector = OwnedVault.unpause.selector;
        yes(module.digestOf(other) != digest, "selector");
        other = pauseIntent();
        other.args = hex"00";
        yes(module.digestOf(other) != digest, "args");
        other = pauseIntent();
        other.duration = 1;
        yes(module.digestOf(other) != digest, "duration");
        other = pauseIntent();
        other.stepHash = bytes32(0);
        yes(module.digestOf(other) != digest, "step");
        other = pauseIntent();
        other.keyEpisode += 1;
        yes(module.digestOf(other) != digest, "episode");
        other = pauseIntent();
        other.tripCount += 1;
        yes(module.digestOf(other) != digest, "count");
        other = pauseIntent();
        other.deadline += 1;
        yes(module.digestOf(other) != digest, "deadline");
        SafePauseModule twin = new SafePauseModule(safe);
        yes(twin.digestOf(intent) != digest, "module");
    }

    function test_AContractMayBeADeputy() public {
        WalletSigner wallet = new WalletSigner(vm.addr(0xF00));
        address[] memory list = twoDeputies();
        address[] memory three = new address[](3);
        (three[0], three[1], three[2]) = (list[0], list[1], address(wallet));
        if (three[1] > three[2]) (three[1], three[2]) = (three[2], three[1]);
        if (three[0] > three[1]) (three[0], three[1]) = (three[1], three[0]);
        transact(address(module), abi.encodeCall(SafePauseModule.setDeputies, (three)));
        PauseIntent memory intent = pauseIntent();
        bytes memory wrong = abi.encodePacked(address(wallet), deputise(0xBAD, intent));
        vm.expectRevert(abi.encodeWithSelector(Signatures.BadSignature.selector, address(wallet)));
        module.execute(intent, wrong);
        module.execute(intent, abi.encodePacked(address(wallet), deputise(0xF00, intent)));
        yes(vault.paused(), "paused");
    }

    // ---------------------------------------------------------------- hostile targets

    function test_ATargetThatRevertsSpendsNothing() public {
        HostileSubject subject = new HostileSubject();
        PauseIntent memory intent = _armHostile(subject);
        subject.setMode(HostileSubject.Mode.REVERTS);
        _refuses(intent, abi.encodeWithSelector(Rehearsal.PauseRefused.selector, address(subject)));
        subject.setMode(HostileSubject.Mode.IGNORES);
        _refuses(intent, abi.encodeWithSelector(Rehearsal.PauseHadNoEffect.selector, address(subject)));
        subject.setMode(HostileSubject.Mode.UNREADABLE);
        _refuses(intent, abi.encodeWithSelector(PauseProbes.PauseUnreadable.selector, address(subject)));
        subject.setMode(HostileSubject.Mode.READ_BOMB);
        _refuses(intent, abi.encodeWithSelector(PauseProbes.PauseUnreadable.selector, address(subject)));
        subject.setMode(HostileSubject.Mode.HONEST);
        module.execute(intent, deputise(DEPUTY_KEY, intent));
        yes(subject.paused(), "the same signature lands once the target works");
    }

    /// @dev That it is paused already shows nothing: the end has to move.
    function test_APauseThatEndsNoLaterHadNoEffect() public {
        TimedSubject timed = new TimedSubject(address(this));
        timed.pauseFor(1 hours);
        HostileSubject subject = new HostileSubject();
        arm(address(subject), HostileSubject.pause.selector, "", _timedLever(address(timed), 0, 0));
        PauseIntent memory intent = intentOf(address(subject), HostileSubject.pause.selector, "");
        _refuses(intent, abi.encodeWithSelector(Rehearsal.PauseHadNoEffect.selector, address(subject)));
    }

    function test_ATargetWithoutCodeIsNotPaused() public {
        address empty = address(0xC0DE1E55);
        arm(empty, OwnedVault.pause.selector, "", pausableLever(empty));
        PauseIntent memory intent = intentOf(empty, OwnedVault.pause.selector, "");
        _refuses(intent, abi.encodeWithSelector(PauseProbes.PauseUnreadable.selector, empty));
    }

    function test_ATargetThatBombsItsAnswerIsStillPaused() public {
        HostileSubject subject = new HostileSubject();
        PauseIntent memory intent = _armHostile(subject);
        subject.setMode(HostileSubject.Mode.RETURN_BOMB);
        uint256 before = gasleft();
        module.execute(intent, deputise(DEPUTY_KEY, intent));
        // The target itself pays for the 60 kB that it answers; a copy for each caller on the way would cost as much again.
        atMost(before - gasleft(), 250_000, "gas");
        yes(subject.paused(), "paused");
    }

    function test_ATargetThatEatsAllGasIsRefused() public {
        GasEaterSubject eater = new GasEaterSubject();
        arm(address(eater), GasEaterSubject.pause.selector, "", pausableLever(address(eater)));
        PauseIntent memory intent = intentOf(address(eater), GasEaterSubject.pause.selector, "");
        bytes memory signed = deputise(DEPUTY_KEY, intent);
        vm.expectRevert(abi.encodeWithSelector(Rehearsal.PauseRefused.selector, address(eater)));
        module.execute{gas: 20_000_000}(intent, signed);
    }

    function test_ARelayerShortOfGasSpendsNothing() public {
        PauseIntent memory intent = pauseIntent();
        bytes memory signed = deputise(DEPUTY_KEY, intent);
        for (uint256 gas_ = 10_000; gas_ < 110_000; gas_ += 2_000) {
            (bool ok,) = address(module).call{gas: gas_}(abi.encodeCall(SafePauseModule.execute, (intent, signed)));
            if (ok) {
                yes(vault.paused(), "done only if paused");
                return;
            }
            eq(pauseIntent().tripCount, 0, "nothing spent");
        }
        module.execute(intent, signed);
        yes(vault.paused(), "the same signature lands with enough gas");
    }

    function test_ReentryRepeatsNothing() public {
        ReenteringSubject subject = new ReenteringSubject(module);
        arm(address(subject), ReenteringSubject.pause.selector, "", pausableLever(address(subject)));
        PauseIntent memory intent = intentOf(address(subject), ReenteringSubject.pause.selector, "");
        bytes memory signed = deputise(DEPUTY_KEY, intent);
        subject.prepare(intent, signed);
        module.execute(intent, signed);
        yes(subject.paused(), "paused");
        yes(subject.innerError() == SafePauseModule.ActionKeyUsed.selector, "the inner landing met the fence");
        eq(subject.pauses(), 1, "one effect");
    }

    // ---------------------------------------------------------------- readiness

    function test_ARehearsalLeavesNothingBehind() public {
        PauseIntent memory intent = pauseIntent();
        (bool ok, bytes memory reason) = module.executable(intent, vm.addr(DEPUTY_KEY));
        yes(ok, "ready");
        yes(bytes4(reason) == Rehearsal.Rehearsed.selector, "rehearsed");
        yes(!vault.paused(), "not paused");
        eq(pauseIntent().tripCount, 0, "nothing spent");
        vm.expectRevert(abi.encodeWithSelector(Rehearsal.Rehearsed.selector));
        module.rehearse(intent, vm.addr(DEPUTY_KEY));
    }

    // ---------------------------------------------------------------- regressions

    /// @dev Pauses pre-signed as Safe transactions go stale with the Safe's next transaction (superchain-ops #313, #199, #220).
    function test_Regress_OpOps_StaleNoncePause() public {
        bytes memory call_ = abi.encodeCall(OwnedVault.pause, ());
        bytes memory presigned = ownersSign(address(vault), call_, safe.nonce());
        PauseIntent memory intent = pauseIntent();
        bytes memory deputised = deputise(DEPUTY_KEY, intent);

        transact(address(safe), abi.encodeCall(ISafe141.changeThreshold, (1)));
        transact(address(safe), abi.encodeCall(ISafe141.changeThreshold, (2)));
        transact(address(module), abi.encodeCall(SafePauseModule.setHeartbeat, (uint40(block.timestamp + 30 days))));
        arm(address(1), OwnedVault.pause.selector, "", pausableLever(address(1)));

        vm.expectRevert(bytes("GS026")); // the Safe takes the stale signature for a stranger's
        send(address(vault), call_, presigned);
        yes(!vault.paused(), "the pre-signed transaction is worth nothing");
        module.execute(intent, deputised);
        yes(vault.paused(), "the deputy's intent lands");
    }

    /// @dev A relayer that sends twice, or two nodes with one step, must have one effect (openzeppelin-relayer #845).
    function test_Regress_Relayer_DoubleBroadcast() public {
        PauseIntent memory intent = pauseIntent();
        PauseIntent memory twin = pauseIntent();
        twin.deadline += 60;
        PauseIntent memory beside = pauseIntent();
        beside.stepHash = keccak256("step 2");
        bytes32 lever = module.leverOf(intent.target, intent.selector, intent.args);
        module.execute(intent, deputise(DEPUTY_KEY, intent));
        transact(address(vault), abi.encodeCall(OwnedVault.unpause, ()));
        vm.warp(block.timestamp + 2 hours);

        _refuses(intent, _used(lever, intent));
        bytes memory second = deputise(DEPUTY_TWO_KEY, twin);
        vm.expectRevert(_used(lever, twin));
        module.execute(twin, second);
        _refuses(beside, _used(lever, beside));
        beside.tripCount = 2;
        _refuses(beside, abi.encodeWithSelector(SafePauseModule.ActionKeyAhead.selector, uint32(2), uint32(1)));
        yes(!vault.paused(), "the Safe's unpause stands");
    }

    /// @dev A watcher that was allowed to pause had no such role where it mattered (connext #2986). The rehearsal makes the call.
    function test_Regress_Connext_WatcherCannotPause() public {
        PauseIntent memory intent = pauseIntent();
        address deputy = vm.addr(DEPUTY_KEY);
        (bool ok, bytes memory reason) = module.executable(intent, address(this));
        yes(!ok, "no seat");
        yes(keccak256(reason) == keccak256(abi.encodeWithSelector(SafePauseModule.NotDeputy.selector, this)), "why");

        transact(address(vault), abi.encodeCall(Ownable.transferOwnership, (address(this))));
        (ok, reason) = module.executable(intent, deputy);
        yes(!ok, "the Safe lost its pause right");
        yes(
            keccak256(reason) == keccak256(abi.encodeWithSelector(Rehearsal.PauseRefused.selector, address(vault))),
            "why"
        );

        vault.transferOwnership(address(safe));
        (ok,) = module.executable(intent, deputy);
        yes(ok, "restored");
        transact(address(safe), abi.encodeCall(ISafe141.disableModule, (address(1), address(module))));
        (ok, reason) = module.executable(intent, deputy);
        yes(!ok, "the module is disabled");
    }

    /// @dev Zodiac's Delay executes in order: one entry that reverts stops every later one.
    function test_Regress_ZodiacDelay_FifoBlocked() public {
        HostileSubject broken = new HostileSubject();
        PauseIntent memory first = _armHostile(broken);
        broken.setMode(HostileSubject.Mode.REVERTS);
        PauseIntent memory second = pauseIntent();
        _refuses(first, abi.encodeWithSelector(Rehearsal.PauseRefused.selector, address(broken)));
        module.execute(second, deputise(DEPUTY_KEY, second));
        yes(vault.paused(), "a broken target stops no other");
        broken.setMode(HostileSubject.Mode.HONEST);
        module.execute(first, deputise(DEPUTY_KEY, first));
        yes(broken.paused(), "nor does the other strand its intent");
    }

    /// @dev Accounts with delegated code are accounts (tstorish #5): a deputy stays one, as signer and as relayer.
    function test_Regress_Tstorish_CodeLengthUnder7702() public {
        address deputy = vm.addr(DEPUTY_KEY);
        vm.etch(deputy, abi.encodePacked(hex"ef0100", address(new HostileSubject())));
        PauseIntent memory intent = pauseIntent();
        bytes memory signed = deputise(DEPUTY_KEY, intent);
        vm.prank(deputy);
        module.execute(intent, signed);
        yes(vault.paused(), "paused");
    }

    // ---------------------------------------------------------------- inside

    /// @dev The real landing and the rehearsal give the same error.
    function _refuses(PauseIntent memory intent, bytes memory error_) private {
        (bool ok, bytes memory reason) = module.executable(intent, vm.addr(DEPUTY_KEY));
        yes(!ok && keccak256(reason) == keccak256(error_), "the rehearsal tells");
        bytes memory signed = deputise(DEPUTY_KEY, intent);
        vm.expectRevert(error_);
        module.execute(intent, signed);
    }

    function _outOfBounds(uint256 value, uint256 least, uint256 most) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SafePauseModule.OutOfBounds.selector, value, least, most);
    }

    function _used(bytes32 lever, PauseIntent memory intent) private view returns (bytes memory) {
        bytes32 key = keccak256(
            abi.encode(block.chainid, address(module), lever, intent.keyEpisode, intent.tripCount, intent.stepHash)
        );
        return abi.encodeWithSelector(SafePauseModule.ActionKeyUsed.selector, key);
    }

    function _armHostile(HostileSubject subject) private returns (PauseIntent memory) {
        arm(address(subject), HostileSubject.pause.selector, "", pausableLever(address(subject)));
        return intentOf(address(subject), HostileSubject.pause.selector, "");
    }

    function _timedLever(address target, uint8 durationWord, uint32 most) private pure returns (PauseRule memory) {
        return PauseRule({
            probe: PauseProbe({reader: target, selector: TimedSubject.getResumeSinceTimestamp.selector, bits: 0}),
            keyWords: 0,
            durationWord: durationWord,
            maxDuration: most,
            cooldown: 1 hours
        });
    }
}
