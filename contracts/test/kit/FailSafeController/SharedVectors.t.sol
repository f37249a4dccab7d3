// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {Mode, TripIntent} from "../../../src/kit/Types.sol";
import {Intents} from "../../../src/kit/controller/Intents.sol";
import {Scope, ScopeState} from "../../../src/kit/controller/ScopeState.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {Assert} from "../../utils/Assert.sol";
import {Vm} from "../../utils/Vm.sol";
import {StateVectors} from "../StateVectors.sol";
import {ControllerWorld} from "./ControllerWorld.sol";
import {MockTarget} from "./MockTarget.sol";

/// @notice The daemon's trips (`trip.json`), sent as the daemon sends them to a controller at the address that they were signed for.
contract TripVectorsTest is Assert {
    using ScopeState for Scope;

    uint256 private constant WORDS = 13;
    uint256 private constant KEY = 7;

    FailSafeController private _controller;

    /// @dev The controller comes first: that gives it the address of the file.
    function setUp() public {
        FailSafeController.Configuration memory c;
        (c.council, c.recoveryPlan, c.emergencyExit, c.challenge) = (address(this), address(1), address(2), address(3));
        (c.tripFactorBps, c.s0Dwell, c.blocksPerDay) = (5_000, 6 hours, 7_200);
        _controller = new FailSafeController(c);
        vm.roll(20_000_000);
    }

    function test_DigestsKeysAndCalldataOfTheDaemon() public {
        string memory json = vm.readFile("test/vectors/trip.json");
        vm.chainId(vm.parseJsonUint(json, ".chain"));
        eq(address(_controller), vm.parseJsonAddress(json, ".controller"), "the controller's address");
        uint256 landed;
        for (uint256 n;; ++n) {
            string memory place = string.concat(".cases[", vm.toString(n), "]");
            if (!vm.keyExistsJson(json, place)) return atLeast(landed, n - 1, "all but the last one land");
            bytes memory words = vm.parseJsonBytes(json, string.concat(place, ".intent"));
            eq(words.length, 32 * WORDS, "words of an intent");
            TripIntent memory i = abi.decode(words, (TripIntent));
            bytes32 digest = vm.parseJsonBytes32(json, string.concat(place, ".digest"));
            eq(uint256(_controller.digestOf(i)), uint256(digest), "digest");
            bytes memory data = _calldata(words, digest);
            bytes[] memory signatures = new bytes[](1);
            signatures[0] = _signature(digest);
            eq(
                uint256(keccak256(data)),
                uint256(keccak256(abi.encodeCall(Intents.tripBySig, (i, signatures)))),
                "calldata"
            );
            // The last case stands at the edge of every field, where no deadline is near enough.
            if (i.deadline == type(uint40).max) continue;
            _bring(i);
            vm.recordLogs();
            (bool ok,) = address(_controller).call(data);
            yes(ok, "lands");
            eq(
                uint256(_keyOf(vm.getRecordedLogs())),
                uint256(vm.parseJsonBytes32(json, string.concat(place, ".actionKey"))),
                "key"
            );
            ++landed;
        }
    }

    /// @dev Head, place of the list, one signature: what the daemon writes by hand.
    function _calldata(bytes memory words, bytes32 digest) private pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(Intents.tripBySig.selector, words);
        return
            abi.encodePacked(
                head, 32 * (WORDS + 1), uint256(1), uint256(32), uint256(65), _signature(digest), bytes31(0)
            );
    }

    function _signature(bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Brings the intent's scope to where the daemon saw it: in that episode, with so many trips and releases. The word is
    /// written, since no group can land so many trips.
    function _bring(TripIntent memory i) private {
        vm.warp(i.notAfter - i.duration);
        _controller.addScope(i.scope, 0);
        _controller.enrol(address(new MockTarget()), i.scope);
        address[] memory signers = new address[](1);
        signers[0] = vm.addr(KEY);
        _controller.setGroup(i.scope, 0, 1, Mode.HALTED, 72 hours, signers);
        vm.setBlockhash(block.number - 1, keccak256("parent"));
        vm.prank(signers[0]);
        _controller.heartbeat(i.scope, block.number - 1, keccak256("parent"));

        vm.record();
        _controller.episodeOf(i.scope);
        (bytes32[] memory reads,) = vm.accesses(address(_controller));
        Scope memory s = ScopeState.unpack(uint256(vm.load(address(_controller), reads[0])));
        eq(s.episodeStart, block.timestamp, "the scope's word");
        (s.episodeId, s.tripCount, s.epoch) = (uint24(i.keyEpisode), uint8(i.tripCount), uint16(i.epoch));
        (s.tightFor, s.tripBlock) = (1, i.incidentBlock);
        vm.store(address(_controller), reads[0], bytes32(s.pack()));
    }

    function _keyOf(Vm.Log[] memory logs) private pure returns (bytes32) {
        for (uint256 n; n < logs.length; ++n) {
            if (logs[n].topics[0] == Intents.Tripped.selector) return logs[n].topics[2];
        }
        revert NotTrue("no trip");
    }
}

/// @notice Where a scope stands and which key a guardian signs then: exactly this one lands, once.
contract FenceVectorsTest is ControllerWorld, StateVectors {
    function setUp() public override {
        super.setUp();
        _enrol(MARKET, 1);
        _read();
    }

    function test_TheKeyOfTheDaemonLandsAndNoneAhead() public {
        for (uint256 n;; ++n) {
            (string memory place, bool exists) = _element("fence", n);
            if (!exists) return atLeast(n, 8, "cases");
            setUp();
            string memory name = _text(string.concat(place, ".name"));
            _bring(name);
            IFailSafeController.Episode memory e = controller.episodeOf(MARKET);
            eq(e.episodeId, _number(place, ".episodeId"), string.concat(name, ": episode"));
            eq(e.tripCount, _number(place, ".tripCount"), string.concat(name, ": trips"));
            eq(e.epoch, _number(place, ".epoch"), string.concat(name, ": releases"));
            eq(uint8(e.mode), uint8(_mode(string.concat(place, ".mode"))), string.concat(name, ": mode"));
            _land(place, name);
        }
    }

    function _land(string memory place, string memory name) private {
        TripIntent memory i = _halt(10 hours);
        uint32 episode = uint32(_number(place, ".keyEpisode"));
        uint16 count = uint16(_number(place, ".keyTripCount"));
        uint32 epoch = uint32(_number(place, ".keyEpoch"));
        (i.keyEpisode, i.tripCount, i.epoch) = (episode, count + 1, epoch);
        _refused(i, abi.encodeWithSelector(Intents.EpisodeMismatch.selector, episode, count + 1));
        (i.keyEpisode, i.tripCount) = (episode + 1, 0);
        _refused(i, abi.encodeWithSelector(Intents.EpisodeMismatch.selector, episode + 1, 0));
        (i.keyEpisode, i.tripCount, i.epoch) = (episode, count, epoch + 1);
        _refused(i, abi.encodeWithSelector(Intents.StaleEpoch.selector, epoch + 1, epoch));

        i.epoch = epoch;
        eq(_trip(i), 1, name);
        bytes32 key = keccak256(abi.encode(block.chainid, address(controller), MARKET, episode, count, i.stepHash));
        _refused(i, abi.encodeWithSelector(Intents.ActionKeyUsed.selector, key));
        // Its next trip, signed without a word from the chain since.
        (i.tripCount, i.duration) = (uint16(_number(place, ".nextTripCount")), 20 hours);
        eq(_trip(i), 1, string.concat(name, ": next"));
    }

    function _bring(string memory name) private {
        if (_same(name, "never tripped")) return;
        if (_same(name, "opened by a sensor")) {
            vm.prank(address(sensors));
            controller.softTrip(MARKET, Mode.RESTRICTED, Classes.closable(Mode.RESTRICTED), 1 hours, "poke");
            return;
        }
        _trip(_halt(1 hours));
        if (_same(name, "one trip landed")) return;
        if (_same(name, "two trips landed")) {
            _trip(_halt(2 hours));
            return;
        }
        bool released = _same(name, "released by the council");
        if (released || _same(name, "at rest after a release")) {
            _step(1, 12);
            _council();
            controller.release(MARKET);
            if (released) return;
        }
        _step(1, 7 hours);
        for (uint8 stage = 2; stage < 5; ++stage) {
            _plan();
            controller.setStage(MARKET, stage);
            if (_same(name, "recovering in S2")) return;
        }
        _plan();
        controller.finish(MARKET);
        yes(_same(name, "at rest after an episode") || _same(name, "at rest after a release"), name);
    }
}
