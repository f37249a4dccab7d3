// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeWord} from "../../../src/kit/FailSafeWord.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {StateVectors} from "../StateVectors.sol";
import {FailSafeWorld} from "./FailSafeWorld.sol";

/// @notice Modes, classes and edges of a guarded contract against the vectors that the guardian's core reads.
contract SharedVectorsTest is FailSafeWorld, StateVectors {
    uint32 private constant STANDARD = 0xfff;

    function setUp() public override {
        super.setUp();
        _read();
    }

    function test_ModesHaveTheirNumbersAndClasses() public {
        for (uint256 n; n < 6; ++n) {
            (string memory place, bool exists) = _element("modes", n);
            yes(exists, place);
            (string memory name, Mode mode) =
                (_text(string.concat(place, ".name")), _mode(string.concat(place, ".name")));
            eq(_number(place, ".number"), uint8(mode), name);
            bool trips = _has(string.concat(place, ".closes"));
            if (trips) eq(_number(place, ".closes"), Classes.closable(mode) & STANDARD, name);
            vault = _deploy(_config());
            yes(_asks(mode, 1 hours) == trips, string.concat(name, ": whether a guardian may ask for it"));
        }
    }

    /// @dev S0, which pays nothing out, ranks above RESTRICTED; the core knows no stages of a chain.
    function test_OrderOfStrictness() public view {
        for (uint256 n = 1; n < 6; ++n) {
            (string memory looser,) = _element("order", n - 1);
            (string memory tighter,) = _element("order", n);
            for (uint8 stage = 1; stage < 5; ++stage) {
                uint256 rank = FailSafeWord.rank(_mode(looser), stage);
                yes(rank < FailSafeWord.rank(_mode(tighter), stage), _text(tighter));
            }
        }
    }

    function test_Edges() public {
        for (uint256 n;; ++n) {
            (string memory place, bool exists) = _element("edges", n);
            if (!exists) return atLeast(n, 20, "edges");
            (Mode from, Mode to) = (_mode(string.concat(place, ".from")), _mode(string.concat(place, ".to")));
            _bring(from);
            bool ok = true;
            if (_has(string.concat(place, ".mode"))) {
                ok = _asks(_mode(string.concat(place, ".mode")), 2 hours);
            } else if (_same(_text(string.concat(place, ".event")), "exit")) {
                ok = _send(_ask(Mode.EXIT, 0, 0, Origin.COUNCIL));
            } else {
                vm.warp(from == Mode.EXIT ? block.timestamp + 365 days : _now().until);
            }
            yes(ok || from == to, place);
            eq(uint8(_now().mode), uint8(to), place);
        }
    }

    function test_ALaterTripProlongsAndNeverShortens() public {
        for (uint256 n;; ++n) {
            (string memory place, bool exists) = _element("ends", n);
            if (!exists) return atLeast(n, 5, "ends");
            vault = _deploy(_config());
            _restrict(_number(place, ".present"), Origin.GUARDIAN);
            bool longer = _number(place, ".asked") > _number(place, ".present");
            yes(_asks(Mode.RESTRICTED, _number(place, ".asked")) == longer, place);
            eq(_now().until, block.timestamp + _number(place, ".until"), place);
        }
    }

    /// @dev A new vault in `mode`; RECOVERING is S1.
    function _bring(Mode mode) private {
        vault = _deploy(_config());
        if (mode == Mode.WATCH) _watch(1 hours, Origin.GUARDIAN);
        if (mode == Mode.RESTRICTED || mode == Mode.RECOVERING) _restrict(1 hours, Origin.GUARDIAN);
        if (mode == Mode.HALTED) _halt(1 hours);
        if (mode == Mode.RECOVERING) vm.warp(_now().until);
        if (mode == Mode.EXIT) _exit();
        eq(uint8(_now().mode), uint8(mode), "arranged");
    }

    function _asks(Mode mode, uint256 secs) private returns (bool) {
        return _send(_ask(mode, Classes.closable(mode), secs, Origin.GUARDIAN));
    }

    function _send(Restriction memory r) private returns (bool ok) {
        (ok,) = address(vault).call(abi.encodeCall(IFailSafe.failsafeArm, (r, "test")));
    }
}
