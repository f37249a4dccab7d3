// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {Mode, Origin, Restriction, TripIntent} from "../../../src/kit/Types.sol";
import {Intents} from "../../../src/kit/controller/Intents.sol";
import {Scopes} from "../../../src/kit/controller/Scopes.sol";
import {Seats} from "../../../src/kit/controller/Seats.sol";
import {Signatures} from "../../../src/kit/controller/Signatures.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {ControllerWorld} from "./ControllerWorld.sol";
import {MockTarget} from "./MockTarget.sol";

contract TripTest is ControllerWorld {
    bytes32 internal constant TYPEHASH = keccak256(
        "TripIntent(bytes32 scope,uint8 mode,uint32 mask,uint40 duration,uint40 notAfter,bytes32 reason,bytes32 evidence,bytes32 stepHash,uint32 keyEpisode,uint16 tripCount,uint40 incidentBlock,uint32 epoch,uint40 deadline)"
    );

    MockTarget internal target;

    function setUp() public override {
        super.setUp();
        target = _enrol(MARKET, 1)[0];
    }

    function test_TripTightensTargetAndOpensAnEpisode() public {
        TripIntent memory i = _halt(72 hours);
        eq(_trip(i), 1, "bitmap");
        IFailSafeController.Episode memory e = controller.episodeOf(MARKET);
        eq(e.episodeId, 1, "episode");
        eq(e.tripCount, 1, "trips");
        eq(e.episodeStart, block.timestamp, "start");
        eq(e.tripBlock, block.number, "trip block");
        eq(e.incidentBlock, block.number, "incident block");
        eq(e.until, block.timestamp + 72 hours, "until");
        _is(MARKET, Mode.HALTED, "halted");
        Restriction memory r = target.last();
        eq(uint8(r.mode), uint8(Mode.HALTED), "pushed mode");
        eq(r.mask, HALT_MASK, "pushed mask");
        eq(r.factorBps, 5_000, "pushed factor");
        eq(uint8(r.origin), uint8(Origin.GUARDIAN), "pushed origin");
        eq(r.episodeId, 1, "pushed episode");
    }

    function test_KeyIsTheHashOfSixWords() public {
        TripIntent memory i = _halt(1 hours);
        bytes32 key =
            keccak256(abi.encode(block.chainid, address(controller), MARKET, uint256(1), uint256(0), i.stepHash));
        _trip(i);
        _refused(i, abi.encodeWithSelector(Intents.ActionKeyUsed.selector, key));
    }

    /// @dev The layout that the daemon signs: a change of it is a change of every deployed guardian.
    function test_DigestIsEip712() public view {
        TripIntent memory i = _halt(1 hours);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("FailSafeController"),
                keccak256("1"),
                block.chainid,
                address(controller)
            )
        );
        bytes32 message = keccak256(abi.encode(TYPEHASH, i));
        bytes32 wanted = keccak256(abi.encodePacked(hex"1901", domain, message));
        eq(uint256(controller.digestOf(i)), uint256(wanted), "digest");
    }

    function test_NotAfterBoundsALateLanding() public {
        TripIntent memory i = _halt(24 hours);
        i.notAfter = uint40(block.timestamp + 24 hours);
        bytes[] memory sigs = _sign(i, 0, 2);
        vm.warp(block.timestamp + 20 hours);
        controller.tripBySig(i, sigs);
        eq(controller.episodeOf(MARKET).until, i.notAfter, "not prolonged by landing late");
    }

    function test_RefusesExpiredAndFarDeadlines() public {
        TripIntent memory i = _halt(1 hours);
        i.deadline = uint40(block.timestamp - 1);
        _refused(i, abi.encodeWithSelector(Intents.IntentExpired.selector, i.deadline));
        i.deadline = uint40(block.timestamp + 7 days + 1);
        _refused(i, abi.encodeWithSelector(Intents.IntentExpired.selector, i.deadline));
        i.deadline = uint40(block.timestamp);
        i.notAfter = uint40(block.timestamp);
        _refused(i, abi.encodeWithSelector(Intents.IntentExpired.selector, i.notAfter));
        i.notAfter += 1;
        _trip(i);
        i = _halt(2 hours);
        i.deadline = uint40(block.timestamp + 7 days);
        _trip(i);
    }

    function test_RefusesModesThatAreNotForGuardians() public {
        Mode[3] memory modes = [Mode.NORMAL, Mode.EXIT, Mode.RECOVERING];
        for (uint256 n; n < 3; ++n) {
            TripIntent memory i = _halt(1 hours);
            i.mode = modes[n];
            _refused(i, abi.encodeWithSelector(Intents.ModeNotAllowed.selector, modes[n]));
        }
    }

    function test_GroupIsBoundByItsModeAndDuration() public {
        address[] memory one = new address[](1);
        one[0] = address(this);
        _council();
        controller.setGroup(MARKET, 0, 1, Mode.RESTRICTED, 2 hours, one);
        controller.heartbeat(MARKET, block.number - 1, blockhash(block.number - 1));
        TripIntent memory i = _halt(1 hours);
        vm.expectRevert(abi.encodeWithSelector(Intents.ModeNotAllowed.selector, Mode.HALTED));
        controller.trip(i);
        i = _restrict(2 hours + 1);
        vm.expectRevert(abi.encodeWithSelector(Intents.DurationOutOfBounds.selector, 2 hours + 1, 2 hours));
        controller.trip(i);
        controller.trip(_restrict(2 hours));
    }

    function test_DurationCeilings() public {
        _refused(
            _restrict(24 hours + 1),
            abi.encodeWithSelector(Intents.DurationOutOfBounds.selector, 24 hours + 1, 24 hours)
        );
        _refused(
            _halt(72 hours + 1), abi.encodeWithSelector(Intents.DurationOutOfBounds.selector, 72 hours + 1, 72 hours)
        );
        _refused(_halt(0), abi.encodeWithSelector(Intents.DurationOutOfBounds.selector, 0, 72 hours));
    }

    function test_MaskMustFitTheMode() public {
        TripIntent memory i = _halt(1 hours);
        i.mask |= uint32(1 << Classes.CLAIM);
        _refused(i, abi.encodeWithSelector(IFailSafe.ClassNeverRestricted.selector, i.mask));
        i = _restrict(1 hours);
        i.mask |= uint32(1 << Classes.EXIT);
        _refused(i, abi.encodeWithSelector(Intents.MaskNotAllowed.selector, i.mask));
        i = _halt(1 hours);
        i.mask = uint32(1 << Classes.PRICE_UPDATE | 1 << Classes.LIQUIDATE);
        _refused(i, abi.encodeWithSelector(Intents.MaskNotAllowed.selector, i.mask));
        i.mask = 0;
        _refused(i, abi.encodeWithSelector(Intents.MaskNotAllowed.selector, 0));
        i = _intent(MARKET, Mode.WATCH, 1 hours, "watch");
        i.mask = 1;
        _refused(i, abi.encodeWithSelector(Intents.MaskNotAllowed.selector, 1));
    }

    function test_FutureKeysAreRefused() public {
        TripIntent memory i = _halt(1 hours);
        i.keyEpisode = 2;
        _refused(i, abi.encodeWithSelector(Intents.EpisodeMismatch.selector, 2, 0));
        i.keyEpisode = 0;
        _refused(i, abi.encodeWithSelector(Intents.EpisodeMismatch.selector, 0, 0));
        i.keyEpisode = 1;
        i.tripCount = 1;
        _refused(i, abi.encodeWithSelector(Intents.EpisodeMismatch.selector, 1, 1));
    }

    /// @dev An intent for the episode before still lands, once; one for an older episode does not.
    function test_KeyOfTheEpisodeBeforeLandsOnce() public {
        TripIntent memory old = _intent(MARKET, Mode.WATCH, 1 hours, "first");
        TripIntent memory late = _halt(1 hours);
        late.deadline = uint40(block.timestamp + 6 days);
        late.notAfter = late.deadline;
        bytes[] memory sigs = _sign(late, 0, 2);
        _trip(old);
        vm.warp(block.timestamp + 1 hours);
        _is(MARKET, Mode.NORMAL, "the watch is over");
        _trip(_intent(MARKET, Mode.WATCH, 1 hours, "second"));
        eq(controller.episodeOf(MARKET).episodeId, 2, "second episode");
        controller.tripBySig(late, sigs);
        eq(controller.episodeOf(MARKET).episodeId, 2, "joined it");
        vm.expectPartialRevert(Intents.ActionKeyUsed.selector);
        controller.tripBySig(late, sigs);
    }

    /// @dev How often an episode was tripped says nothing about the next one.
    function test_AKeyOfTheEpisodeBeforeMayCountMoreTrips() public {
        _trip(_intent(MARKET, Mode.WATCH, 1 hours, "first"));
        TripIntent memory late = _halt(1 hours);
        eq(late.tripCount, 1, "signed after the first");
        vm.warp(block.timestamp + 1 hours);
        _trip(late);
        eq(controller.episodeOf(MARKET).episodeId, 2, "the next one");
    }

    function test_KeyTwoEpisodesBackIsRefused() public {
        TripIntent memory late = _halt(1 hours);
        late.deadline = uint40(block.timestamp + 6 days);
        late.notAfter = late.deadline;
        for (uint256 n; n < 2; ++n) {
            _trip(_intent(MARKET, Mode.WATCH, 1 hours, bytes32(n)));
            vm.warp(block.timestamp + 1 hours);
        }
        _refused(late, abi.encodeWithSelector(Intents.EpisodeMismatch.selector, 1, 0));
    }

    /// @dev A key that landed in the next episode is remembered there, and one of the same parity two episodes later is not it.
    function test_FenceOverManyEpisodes() public {
        for (uint256 n; n < 9; ++n) {
            TripIntent memory i = _intent(MARKET, Mode.WATCH, 1 hours, "watch");
            bytes[] memory sigs = _sign(i, 0, 2);
            controller.tripBySig(i, sigs);
            vm.expectPartialRevert(Intents.ActionKeyUsed.selector);
            controller.tripBySig(i, sigs);
            vm.warp(block.timestamp + 1 hours);
            vm.expectPartialRevert(Intents.ActionKeyUsed.selector);
            controller.tripBySig(i, sigs);
            _beatAll(MARKET);
        }
        eq(controller.episodeOf(MARKET).episodeId, 9, "nine episodes");
    }

    function test_AGroupLandsAtMostEightTripsPerEpisode() public {
        for (uint256 n; n < 8; ++n) {
            _trip(_intent(MARKET, Mode.RESTRICTED, 1 hours + n, bytes32(n)));
        }
        _refused(_halt(1 hours), abi.encodeWithSelector(Intents.TooManyTrips.selector, 0));
        // The backup has keys of its own in the same episode.
        _step(1, 3 days + 1);
        _beat(MARKET, 3);
        TripIntent memory i = _halt(1 hours);
        controller.tripBySig(i, _sign(i, 3, 1));
        _is(MARKET, Mode.HALTED, "the backup's halt");
        eq(controller.episodeOf(MARKET).episodeId, 1, "same episode");
    }

    function test_EscalationInTheSameEpisode() public {
        TripIntent memory restrict = _restrict(24 hours);
        TripIntent memory halt = _halt(10 hours);
        _trip(restrict);
        vm.warp(block.timestamp + 1 hours);
        _trip(halt);
        _is(MARKET, Mode.HALTED, "halted");
        eq(controller.episodeOf(MARKET).episodeId, 1, "same episode");
        eq(controller.episodeOf(MARKET).until, block.timestamp + 10 hours, "end of the halt");
        vm.warp(block.timestamp + 16 hours);
        _is(MARKET, Mode.RESTRICTED, "the first one waits below");
        eq(controller.episodeOf(MARKET).until, controller.episodeOf(MARKET).episodeStart + 24 hours, "with its own end");
    }

    /// @dev T1: neither end lends time to the other mode.
    function test_RestrictedDoesNotProlongAHalt() public {
        _trip(_halt(1 hours));
        _trip(_restrict(24 hours));
        _is(MARKET, Mode.HALTED, "still halted");
        eq(controller.episodeOf(MARKET).until, block.timestamp + 1 hours, "no longer than asked for");
    }

    function test_NothingTightenedReverts() public {
        _trip(_halt(72 hours));
        TripIntent memory i = _intent(MARKET, Mode.HALTED, 71 hours, "less");
        _refused(i, abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        i = _intent(MARKET, Mode.WATCH, 1 hours, "looser");
        _refused(i, abi.encodeWithSelector(Scopes.NothingTightened.selector, MARKET));
        eq(controller.episodeOf(MARKET).tripCount, 1, "no trip was counted");
    }

    function test_ScopeEndsWhenTheLastTargetDoes() public {
        MockTarget other = _enrol(MARKET, 1)[0];
        target.grantUntil(uint40(block.timestamp + 2 hours));
        other.grantUntil(uint40(block.timestamp + 3 hours));
        _enrol(MARKET, 1)[0].grantUntil(uint40(block.timestamp + 1 hours));
        _trip(_halt(72 hours));
        eq(controller.episodeOf(MARKET).until, block.timestamp + 3 hours, "longest grant");
    }

    function test_EpisodeCapBoundsEveryTrip() public {
        _trip(_halt(72 hours));
        uint40 start = controller.episodeOf(MARKET).episodeStart;
        vm.warp(start + 20 days);
        _seat(MARKET);
        _trip(_intent(MARKET, Mode.RESTRICTED, 24 hours, "late"));
        vm.warp(start + 21 days - 1 hours);
        _trip(_intent(MARKET, Mode.HALTED, 72 hours, "last"));
        eq(controller.episodeOf(MARKET).until, start + 21 days, "cut at the cap");
        vm.warp(start + 21 days);
        _refused(
            _intent(MARKET, Mode.HALTED, 1 hours, "over"),
            abi.encodeWithSelector(Scopes.EpisodeCapReached.selector, MARKET, start + 21 days)
        );
    }

    function test_IncidentBlockIsBoundAndOnlyMovesBack() public {
        TripIntent memory i = _restrict(1 hours);
        i.incidentBlock = uint40(block.number - BLOCKS_PER_DAY - 1);
        _refused(i, abi.encodeWithSelector(Intents.IncidentTooEarly.selector, i.incidentBlock, BLOCKS_PER_DAY));
        i.incidentBlock = uint40(block.number - 100);
        _trip(i);
        eq(controller.episodeOf(MARKET).incidentBlock, block.number - 100, "as signed");
        uint256 tripBlock = block.number;
        _step(500, 1 hours);
        i = _halt(1 hours);
        i.incidentBlock = uint40(block.number);
        _trip(i);
        eq(controller.episodeOf(MARKET).incidentBlock, tripBlock - 100, "never later");
        i = _intent(MARKET, Mode.HALTED, 2 hours, "earlier");
        i.incidentBlock = uint40(tripBlock - BLOCKS_PER_DAY);
        _trip(i);
        eq(controller.episodeOf(MARKET).incidentBlock, tripBlock - BLOCKS_PER_DAY, "earlier, by a day at most");
        eq(controller.episodeOf(MARKET).tripBlock, tripBlock, "the trip stays");
    }

    function test_DirectTripNeedsAGroupOfOne() public {
        TripIntent memory i = _halt(1 hours);
        vm.prank(vm.addr(keys[0]));
        vm.expectRevert(abi.encodeWithSelector(Seats.ThresholdNotMet.selector, 1, 2));
        controller.trip(i);
        vm.expectRevert(abi.encodeWithSelector(bytes4(keccak256("NotAuthorized(address)")), address(this)));
        controller.trip(i);
    }

    /// @dev Even signed: a field that is no number of its type is refused, not cut.
    function test_DirtyFieldsAreRefused() public {
        TripIntent memory i = _halt(1 hours);
        bytes memory words = abi.encode(i);
        // The high byte of `epoch`, word 11 of the intent.
        words[11 * 32] = 0x01;
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("FailSafeController"),
                keccak256("1"),
                block.chainid,
                address(controller)
            )
        );
        bytes32 message = keccak256(bytes.concat(TYPEHASH, words));
        bytes[] memory sigs = _signDigest(keccak256(abi.encodePacked(hex"1901", domain, message)), 0, 2);
        bytes memory data = abi.encodeCall(controller.tripBySig, (i, sigs));
        data[4 + 11 * 32] = 0x01;
        (bool ok, bytes memory why) = address(controller).call(data);
        yes(!ok && why.length == 0, "refused by the decoder, not by the signature");
        data[4 + 11 * 32] = 0;
        (ok, why) = address(controller).call(data);
        yes(!ok && why.length != 0, "the clean one was not signed");
    }

    /// @dev T1: whatever a group signs, a landed trip leaves every class closed that was or would have been, at every later time.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_TripsNeverLoosen(uint256 seed) public {
        for (uint256 n; n < 4; ++n) {
            seed = uint256(keccak256(abi.encode(seed)));
            Mode mode = Mode(1 + seed % 3);
            uint256 longest = mode == Mode.HALTED ? 72 hours : 24 hours;
            TripIntent memory i = _intent(MARKET, mode, 1 + (seed >> 8) % longest, bytes32(seed));
            if (mode != Mode.WATCH) i.mask = _someMask(uint32(seed >> 40), mode);
            bytes[] memory sigs = _sign(i, 0, 2);
            uint32[12] memory before = _closedLater();
            try controller.tripBySig(i, sigs) {} catch {}
            uint32[12] memory now_ = _closedLater();
            for (uint256 k; k < 12; ++k) {
                eq(before[k] & ~now_[k], 0, "a class opened earlier");
            }
            vm.warp(block.timestamp + (seed >> 200) % 30 hours);
        }
    }

    function _someMask(uint32 wish, Mode mode) private pure returns (uint32 mask) {
        mask = wish & Classes.closable(mode);
        if (Classes.consistent(mask) != mask) mask = Classes.consistent(mask);
        if (mask == 0) mask = 1;
    }

    /// @dev What is closed now and every 8 hours from now on.
    function _closedLater() private returns (uint32[12] memory masks) {
        uint8[5] memory classes =
            [Classes.ENTER, Classes.EXIT, Classes.LIQUIDATE, Classes.TRANSFER, Classes.PRICE_UPDATE];
        uint256 now_ = block.timestamp;
        for (uint256 k; k < 12; ++k) {
            vm.warp(now_ + k * 8 hours);
            for (uint256 n; n < classes.length; ++n) {
                (bool closed,) = controller.restrictionOf(address(target), classes[n]);
                if (closed) masks[k] |= uint32(1) << classes[n];
            }
        }
        vm.warp(now_);
    }
}
