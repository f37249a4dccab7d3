// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {Mode, TripIntent} from "../../../src/kit/Types.sol";
import {Council} from "../../../src/kit/controller/Council.sol";
import {Scopes} from "../../../src/kit/controller/Scopes.sol";
import {Intents} from "../../../src/kit/controller/Intents.sol";
import {ISequencerFeed, Seats} from "../../../src/kit/controller/Seats.sol";
import {Signatures} from "../../../src/kit/controller/Signatures.sol";
import {ControllerWorld} from "./ControllerWorld.sol";

/// @notice A contract that signs by ERC-1271, or answers it badly.
contract Wallet {
    enum Answer {
        YES,
        NO,
        REVERT,
        BOMB,
        SHORT,
        REVERT_WITH_YES,
        YES_TO_ANY_BYTES
    }

    Answer public answer;
    bytes32 public accepted;

    function accept(bytes32 digest, Answer answer_) external {
        (accepted, answer) = (digest, answer_);
    }

    function beat(FailSafeController controller, bytes32 scope) external {
        controller.heartbeat(scope, block.number - 1, blockhash(block.number - 1));
    }

    function trip(FailSafeController controller, TripIntent calldata i) external {
        controller.trip(i);
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (answer == Answer.REVERT) revert();
        if (answer == Answer.BOMB) {
            assembly {
                mstore(0, shl(224, 0x1626ba7e))
                return(0, 1000000)
            }
        }
        if (answer == Answer.SHORT) {
            assembly {
                mstore(0, shl(224, 0x1626ba7e))
                return(0, 4)
            }
        }
        if (answer == Answer.REVERT_WITH_YES) {
            assembly {
                mstore(0, shl(224, 0x1626ba7e))
                revert(0, 32)
            }
        }
        if (answer == Answer.YES_TO_ANY_BYTES && digest == accepted) return 0x1626ba7e;
        if (answer == Answer.NO || digest != accepted || signature.length != 3) return 0xffffffff;
        return 0x1626ba7e;
    }
}

contract Sequencer is ISequencerFeed {
    int256 public status;
    uint256 public since;
    bool public broken;

    function set(int256 status_, uint256 since_, bool broken_) external {
        (status, since, broken) = (status_, since_, broken_);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        require(!broken);
        return (1, status, since, since, 1);
    }
}

contract SeatsTest is ControllerWorld {
    function setUp() public override {
        super.setUp();
        _enrol(MARKET, 1);
    }

    // ---------------------------------------------------------------- signatures

    function test_SignersMustRise() public {
        TripIntent memory i = _halt(1 hours);
        bytes[] memory sigs = _sign(i, 0, 2);
        (sigs[0], sigs[1]) = (sigs[1], sigs[0]);
        vm.expectRevert(abi.encodeWithSelector(Seats.UnsortedSigners.selector, vm.addr(keys[0])));
        controller.tripBySig(i, sigs);
        sigs[1] = sigs[0];
        vm.expectRevert(abi.encodeWithSelector(Seats.UnsortedSigners.selector, vm.addr(keys[1])));
        controller.tripBySig(i, sigs);
    }

    function test_ThresholdIsNeeded() public {
        TripIntent memory i = _halt(1 hours);
        bytes[] memory sigs = _sign(i, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(Seats.ThresholdNotMet.selector, 1, 2));
        controller.tripBySig(i, sigs);
        vm.expectRevert(abi.encodeWithSelector(Seats.ThresholdNotMet.selector, 0, 0));
        controller.tripBySig(i, new bytes[](0));
        controller.tripBySig(i, _sign(i, 0, 3));
    }

    function test_StrangersAndMixedGroupsAreRefused() public {
        TripIntent memory i = _halt(1 hours);
        bytes32 digest = controller.digestOf(i);
        keys[2] = 99;
        bytes[] memory sigs = _signDigest(digest, 2, 1);
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, vm.addr(99)));
        controller.tripBySig(i, sigs);
        // One signature of the primary and one of the backup are no quorum of either.
        (bytes[] memory a, bytes[] memory b) = (_signDigest(digest, 0, 1), _signDigest(digest, 3, 1));
        bool rising = vm.addr(keys[0]) < vm.addr(keys[3]);
        sigs = new bytes[](2);
        (sigs[0], sigs[1]) = rising ? (a[0], b[0]) : (b[0], a[0]);
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, vm.addr(keys[rising ? 3 : 0])));
        controller.tripBySig(i, sigs);
    }

    function test_MalleableAndMalformedSignaturesAreRefused() public {
        TripIntent memory i = _halt(1 hours);
        bytes32 digest = controller.digestOf(i);
        bytes[] memory sigs = _sign(i, 0, 2);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[0], digest);
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        sigs[0] = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        _badSignature(i, sigs, address(0));
        sigs[0] = abi.encodePacked(r, s, v - 27);
        _badSignature(i, sigs, address(0));
        sigs[0] = abi.encodePacked(bytes32(0), s, v);
        _badSignature(i, sigs, address(0));
        sigs[0] = abi.encodePacked(r, s);
        _badSignature(i, sigs, address(bytes20(r)));
        sigs[0] = hex"01";
        _badSignature(i, sigs, address(0));
    }

    function test_ContractsSignByErc1271() public {
        Wallet wallet = new Wallet();
        _group(0, address(wallet));
        wallet.beat(controller, MARKET);
        TripIntent memory i = _halt(1 hours);
        bytes[] memory sigs = new bytes[](1);
        sigs[0] = abi.encodePacked(address(wallet), "sig");
        Wallet.Answer[5] memory bad = [
            Wallet.Answer.NO,
            Wallet.Answer.REVERT,
            Wallet.Answer.REVERT_WITH_YES,
            Wallet.Answer.SHORT,
            Wallet.Answer.YES
        ];
        for (uint256 n; n < 5; ++n) {
            // The last answers yes, but to another digest.
            wallet.accept(n == 4 ? bytes32(0) : controller.digestOf(i), bad[n]);
            _badSignature(i, sigs, address(wallet));
        }
        wallet.accept(controller.digestOf(i), Wallet.Answer.BOMB);
        uint256 gas = gasleft();
        controller.tripBySig(i, sigs);
        // The wallet pays some two million for its memory; a copy of it here would cost as much again.
        atMost(gas - gasleft(), 3_000_000, "a megabyte of answer is not copied");
        i = _halt(2 hours);
        wallet.accept(controller.digestOf(i), Wallet.Answer.YES);
        controller.tripBySig(i, sigs);
        // Or it calls by itself.
        wallet.trip(controller, _halt(3 hours));
        eq(controller.episodeOf(MARKET).tripCount, 3, "three trips");
        // Its rule may need no bytes at all.
        i = _halt(4 hours);
        wallet.accept(controller.digestOf(i), Wallet.Answer.YES_TO_ANY_BYTES);
        sigs[0] = abi.encodePacked(address(wallet));
        controller.tripBySig(i, sigs);
    }

    function test_RequireGroup() public {
        bytes32 digest = keccak256("attestation");
        bytes[] memory sigs = _signDigest(digest, 0, 2);
        controller.requireGroup(MARKET, 0, digest, sigs);
        vm.expectRevert(_err(Seats.GroupOutOfBounds.selector));
        controller.requireGroup(MARKET, 1, digest, sigs);
        vm.prank(vm.addr(keys[0]));
        controller.withdrawSignature(digest);
        vm.expectRevert(abi.encodeWithSelector(Seats.WithdrawnSignature.selector, vm.addr(keys[0])));
        controller.requireGroup(MARKET, 0, digest, sigs);
    }

    /// @dev Rollbacks, lowered limits and attestations go by the same order as trips.
    function test_RequireGroupKeepsToTheTurn() public {
        bytes32 digest = keccak256("rollback");
        bytes[] memory sigs = _signDigest(digest, 3, 1);
        vm.expectRevert(abi.encodeWithSelector(Seats.PrimaryAlive.selector, 0));
        controller.requireGroup(MARKET, 1, digest, sigs);
        _step(1, 3 days + 1);
        _beat(MARKET, 3);
        controller.requireGroup(MARKET, 1, digest, sigs);
    }

    function test_AGroupThatMayOnlyWatchActsNowhereElse() public {
        address[] memory one = new address[](1);
        one[0] = vm.addr(keys[0]);
        vm.prank(COUNCIL);
        controller.setGroup(MARKET, 0, 1, Mode.WATCH, 24 hours, one);
        _beat(MARKET, 0);
        bytes32 digest = keccak256("rollback");
        bytes[] memory sigs = _signDigest(digest, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(Intents.ModeNotAllowed.selector, Mode.WATCH));
        controller.requireGroup(MARKET, 0, digest, sigs);
        vm.prank(COUNCIL);
        controller.setGroup(MARKET, 0, 1, Mode.RESTRICTED, 24 hours, one);
        _step(1, 12);
        _beat(MARKET, 0);
        controller.requireGroup(MARKET, 0, digest, sigs);
    }

    // ---------------------------------------------------------------- one signer

    function test_WithdrawnSignatureDoesNotCountForOneDigest() public {
        TripIntent memory i = _halt(1 hours);
        bytes32 digest = controller.digestOf(i);
        vm.prank(vm.addr(keys[0]));
        controller.withdrawSignature(digest);
        _refused(i, abi.encodeWithSelector(Seats.WithdrawnSignature.selector, vm.addr(keys[0])));
        vm.prank(vm.addr(keys[0]));
        vm.expectRevert(abi.encodeWithSelector(Seats.WithdrawnSignature.selector, vm.addr(keys[0])));
        controller.withdrawSignature(digest);
        // The other two still make the threshold.
        controller.tripBySig(i, _signDigest(digest, 1, 2));
        // And its signature of anything else counts.
        _trip(_halt(2 hours));
    }

    function test_LeavingASeatLeavesTheOthers() public {
        vm.prank(vm.addr(keys[0]));
        controller.leaveSeat(MARKET, 0);
        TripIntent memory i = _halt(1 hours);
        _refused(i, abi.encodeWithSelector(Council.NotAuthorized.selector, vm.addr(keys[0])));
        controller.tripBySig(i, _sign(i, 1, 2));
        vm.prank(vm.addr(keys[0]));
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, vm.addr(keys[0])));
        controller.leaveSeat(MARKET, 0);
        vm.prank(vm.addr(keys[1]));
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, vm.addr(keys[1])));
        controller.leaveSeat(MARKET, 1);
    }

    function test_SuspendedPrimaryPromotesTheBackupAtOnce() public {
        TripIntent memory i = _halt(1 hours);
        bytes[] memory sigs = _sign(i, 3, 1);
        vm.expectRevert(abi.encodeWithSelector(Seats.PrimaryAlive.selector, 0));
        controller.tripBySig(i, sigs);
        for (uint256 n; n < 2; ++n) {
            vm.prank(vm.addr(keys[n]));
            controller.leaveSeat(MARKET, 0);
        }
        controller.tripBySig(i, sigs);
        _is(MARKET, Mode.HALTED, "the backup's halt");
    }

    // ---------------------------------------------------------------- heartbeats

    function test_SilentPrimaryHandsOverWithoutATransaction() public {
        _step(1, 3 days);
        _beat(MARKET, 3);
        TripIntent memory i = _halt(1 hours);
        bytes[] memory sigs = _sign(i, 3, 1);
        vm.expectRevert(abi.encodeWithSelector(Seats.PrimaryAlive.selector, 0));
        controller.tripBySig(i, sigs);
        vm.warp(block.timestamp + 1);
        yes(!controller.alive(MARKET, 0) && controller.alive(MARKET, 1), "silent and alive");
        // In the same second both may act: there is no time without cover.
        _trip(i);
        i = _halt(2 hours);
        controller.tripBySig(i, _sign(i, 3, 1));
        // And the primary is back with one heartbeat of its threshold.
        _step(1, 12);
        _beat(MARKET, 0);
        i = _halt(3 hours);
        controller.tripBySig(i, _sign(i, 3, 1));
        _beat(MARKET, 1);
        i = _halt(4 hours);
        sigs = _sign(i, 3, 1);
        vm.expectRevert(abi.encodeWithSelector(Seats.PrimaryAlive.selector, 0));
        controller.tripBySig(i, sigs);
    }

    function test_SilentSeatLapsesUntilTheCouncilRearms() public {
        uint40 beat = uint40(block.timestamp);
        _step(1, 14 days);
        _trip(_halt(1 hours));
        vm.warp(block.timestamp + 1);
        _refused(_halt(2 hours), abi.encodeWithSelector(Seats.SeatLapsed.selector, vm.addr(keys[0]), beat));
        bytes32 parent = blockhash(block.number - 1);
        vm.prank(vm.addr(keys[0]));
        vm.expectRevert(abi.encodeWithSelector(Seats.SeatLapsed.selector, vm.addr(keys[0]), beat));
        controller.heartbeat(MARKET, block.number - 1, parent);
        _seat(MARKET);
        _trip(_halt(2 hours));
    }

    function test_HeartbeatWantsARecentBlockAndItsHash() public {
        address signer = vm.addr(keys[0]);
        _step(1, 12);
        bytes32 parent = blockhash(block.number - 1);
        vm.startPrank(signer);
        vm.expectRevert(abi.encodeWithSelector(Seats.StaleHeartbeat.selector, block.number - 1));
        controller.heartbeat(MARKET, block.number - 1, keccak256("guess"));
        vm.expectRevert(abi.encodeWithSelector(Seats.StaleHeartbeat.selector, block.number));
        controller.heartbeat(MARKET, block.number, 0);
        controller.heartbeat(MARKET, block.number - 1, parent);
        // The same block shows nothing new.
        vm.expectRevert(abi.encodeWithSelector(Seats.StaleHeartbeat.selector, block.number - 1));
        controller.heartbeat(MARKET, block.number - 1, parent);
        uint256 old = block.number - 1;
        vm.stopPrank();
        _step(300, 1 hours);
        vm.prank(signer);
        vm.expectRevert(abi.encodeWithSelector(Seats.StaleHeartbeat.selector, old + 1));
        controller.heartbeat(MARKET, old + 1, parent);
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, address(this)));
        controller.heartbeat(MARKET, block.number - 1, parent);
    }

    function test_HeartbeatBySignatureIsUsedUpByItsBlock() public {
        _step(1, 2 days);
        address signer = vm.addr(keys[0]);
        bytes32 parent = blockhash(block.number - 1);
        bytes32 message = keccak256(
            abi.encode(
                keccak256("Heartbeat(bytes32 scope,address signer,uint256 blockNumber,bytes32 blockHash)"),
                MARKET,
                signer,
                block.number - 1,
                parent
            )
        );
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("FailSafeController"),
                keccak256("1"),
                block.chainid,
                address(controller)
            )
        );
        bytes memory sig = _signDigest(keccak256(abi.encodePacked(hex"1901", domain, message)), 0, 1)[0];
        vm.expectRevert(abi.encodeWithSelector(Signatures.BadSignature.selector, vm.addr(keys[1])));
        controller.heartbeatBySig(MARKET, vm.addr(keys[1]), block.number - 1, parent, sig);
        controller.heartbeatBySig(MARKET, signer, block.number - 1, parent, sig);
        (,,,, uint40 lastBeat,) = controller.seatOf(MARKET, signer);
        eq(lastBeat, block.timestamp, "heard");
        vm.expectRevert(abi.encodeWithSelector(Seats.StaleHeartbeat.selector, block.number - 1));
        controller.heartbeatBySig(MARKET, signer, block.number - 1, parent, sig);
    }

    /// @dev Proof of key: a seat acts for nobody before its signer has been heard.
    function test_AFreshSeatActsAfterItsFirstHeartbeat() public {
        _group(0, address(this));
        TripIntent memory i = _halt(1 hours);
        vm.expectRevert(abi.encodeWithSelector(Seats.SeatLapsed.selector, address(this), 0));
        controller.trip(i);
        yes(!controller.alive(MARKET, 0), "not alive");
        controller.heartbeat(MARKET, block.number - 1, blockhash(block.number - 1));
        controller.trip(i);
    }

    // ---------------------------------------------------------------- enrolment

    function test_GroupBounds() public {
        address[] memory one = new address[](1);
        one[0] = address(this);
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, address(this)));
        controller.setGroup(MARKET, 0, 1, Mode.HALTED, 1 hours, one);
        vm.startPrank(COUNCIL);
        _groupRefused(3, 1, Mode.HALTED, 1 hours, one);
        _groupRefused(0, 0, Mode.HALTED, 1 hours, one);
        _groupRefused(0, 2, Mode.HALTED, 1 hours, one);
        _groupRefused(0, 1, Mode.NORMAL, 1 hours, one);
        _groupRefused(0, 1, Mode.EXIT, 1 hours, one);
        _groupRefused(0, 1, Mode.RECOVERING, 1 hours, one);
        _groupRefused(0, 1, Mode.HALTED, 0, one);
        _groupRefused(0, 1, Mode.HALTED, 72 hours + 1, one);
        _groupRefused(0, 1, Mode.RESTRICTED, 24 hours + 1, one);
        _groupRefused(0, 1, Mode.HALTED, 1 hours, new address[](17));
        vm.expectRevert(abi.encodeWithSelector(Scopes.UnknownScope.selector, bytes32("none")));
        controller.setGroup("none", 0, 1, Mode.HALTED, 1 hours, one);
        one[0] = address(0);
        vm.expectRevert(abi.encodeWithSelector(Seats.UnsortedSigners.selector, address(0)));
        controller.setGroup(MARKET, 0, 1, Mode.HALTED, 1 hours, one);
        one[0] = vm.addr(keys[3]);
        vm.expectRevert(abi.encodeWithSelector(Seats.SeatTaken.selector, one[0]));
        controller.setGroup(MARKET, 0, 1, Mode.HALTED, 1 hours, one);
        // Four groups at most, in order.
        for (uint8 n; n < 2; ++n) {
            one[0] = address(uint160(n + 1));
            controller.setGroup(MARKET, 2 + n, 1, Mode.HALTED, 1 hours, one);
        }
        one[0] = address(3);
        _groupRefused(4, 1, Mode.HALTED, 1 hours, one);
        // Sixteen signers at most.
        address[] memory many = new address[](16);
        for (uint160 n; n < 16; ++n) {
            many[n] = address(100 + n);
        }
        controller.setGroup(MARKET, 0, 16, Mode.HALTED, 1 hours, many);
    }

    function test_NoSignersDisarmAGroup() public {
        _council();
        controller.setGroup(MARKET, 0, 1, Mode.HALTED, 1 hours, new address[](0));
        _refused(_halt(1 hours), abi.encodeWithSelector(Council.NotAuthorized.selector, vm.addr(keys[0])));
        TripIntent memory i = _halt(1 hours);
        controller.tripBySig(i, _sign(i, 3, 1));
    }

    // ---------------------------------------------------------------- sequencer

    function test_SequencerOutageStopsTheTimers() public {
        Sequencer feed = new Sequencer();
        FailSafeController.Configuration memory c = _configuration();
        c.sequencer = feed;
        _deploy(c);
        vm.prank(COUNCIL);
        controller.addScope(MARKET, 0);
        _seat(MARKET);
        _enrol(MARKET, 1);
        uint40 beat = uint40(block.timestamp);
        vm.warp(beat + 14 days + 1);
        feed.set(1, block.timestamp - 1 days, false);
        yes(!controller.lapsed(beat, 14 days), "down: no time runs");
        feed.set(0, block.timestamp - 1 hours, false);
        yes(!controller.lapsed(beat, 14 days), "up again: it starts anew");
        _trip(_halt(1 hours));
        vm.warp(block.timestamp - 1 hours + 15 days);
        yes(!controller.lapsed(beat, 14 days), "with a day of grace");
        vm.warp(block.timestamp + 1);
        yes(controller.lapsed(beat, 14 days), "and ends");
        feed.set(1, block.timestamp, true);
        yes(controller.lapsed(beat, 14 days), "a broken feed stops nothing");
        yes(!controller.lapsed(block.timestamp - 14 days, 14 days), "not yet");
        feed.set(1, block.timestamp - 30 days, false);
        yes(!controller.lapsed(beat, 14 days), "down for longer than all of it: no time runs either");
    }

    function _group(uint8 group, address signer) private {
        address[] memory one = new address[](1);
        one[0] = signer;
        _council();
        controller.setGroup(MARKET, group, 1, Mode.HALTED, 72 hours, one);
    }

    function _groupRefused(uint8 group, uint8 threshold, Mode mode, uint40 duration, address[] memory signers) private {
        vm.expectRevert(_err(Seats.GroupOutOfBounds.selector));
        controller.setGroup(MARKET, group, threshold, mode, duration, signers);
    }

    function _badSignature(TripIntent memory i, bytes[] memory sigs, address signer) private {
        vm.expectRevert(abi.encodeWithSelector(Signatures.BadSignature.selector, signer));
        controller.tripBySig(i, sigs);
    }
}
