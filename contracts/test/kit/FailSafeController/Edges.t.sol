// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {ExitCause, Mode, Origin, TripIntent} from "../../../src/kit/Types.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {ControllerWorld} from "./ControllerWorld.sol";
import {MockTarget} from "./MockTarget.sol";

/// @notice Everybody acts at random on one scope. After each act, and after each pause, what the scope did must be an edge of the state
/// machine that the actor may take.
contract Actors is ControllerWorld {
    enum Actor {
        TIME,
        GUARDIAN,
        SENSOR,
        ANYONE,
        COUNCIL,
        PLAN
    }

    MockTarget[] internal targets;
    IFailSafeController.Episode internal e;
    Mode internal mode;
    bool internal exited;
    uint256 public landed;

    constructor() {
        setUp();
        targets = _enrol(MARKET, 3);
        _council();
        controller.setSoftOrigin(address(this), Origin.SENSOR);
        vm.deal(address(this), 1_000 ether);
        _note();
    }

    receive() external payable {}

    function halt(uint256 seed) external {
        _ask(Mode.HALTED, seed);
    }

    function restrict(uint256 seed) external {
        _ask(Mode.RESTRICTED, seed);
    }

    function watch(uint256 seed) external {
        _ask(Mode.WATCH, seed);
    }

    function poke(uint256 seed) external {
        Mode asked = seed % 2 == 0 ? Mode.WATCH : Mode.RESTRICTED;
        uint32 mask = asked == Mode.WATCH ? 0 : Classes.closable(asked);
        bytes memory call_ =
            abi.encodeCall(controller.softTrip, (MARKET, asked, mask, uint40(1 + seed % 24 hours), "x"));
        _try(Actor.SENSOR, address(this), call_);
    }

    function release() external {
        _try(Actor.COUNCIL, COUNCIL, abi.encodeCall(controller.release, (MARKET)));
    }

    function confirm(uint256 seed) external {
        _try(
            Actor.COUNCIL,
            COUNCIL,
            abi.encodeCall(controller.confirm, (MARKET, uint40(block.timestamp + seed % 22 days)))
        );
    }

    function incident(uint256 seed) external {
        uint40 blockNumber = uint40(block.number - seed % 100_000);
        _try(Actor.COUNCIL, COUNCIL, abi.encodeCall(controller.setIncidentBlock, (MARKET, blockNumber)));
    }

    function stage(uint256 seed) external {
        bytes memory call_ = seed % 3 == 0
            ? abi.encodeCall(controller.finish, (MARKET))
            : abi.encodeCall(controller.setStage, (MARKET, uint8(seed % 6)));
        _try(Actor.PLAN, address(verdicts), call_);
    }

    function insolvency(bool insolvent) external {
        _try(Actor.PLAN, address(verdicts), abi.encodeCall(controller.setInsolvent, (MARKET, insolvent)));
    }

    function retry(uint256 bitmap) external {
        _try(Actor.ANYONE, RELAYER, abi.encodeCall(controller.retry, (MARKET, bitmap)));
    }

    function misbehave(uint256 seed) external {
        targets[seed % 3].behave(MockTarget.Behaviour((seed >> 8) % 5));
    }

    /// @dev Rare, so that most runs have a life before it.
    function exit(uint256 seed) external {
        if (seed % 16 != 0) return;
        verdicts.setInsolvent(true);
        bytes memory call_ = abi.encodeCall(controller.openExit, (MARKET, ExitCause.INSOLVENT, abi.encode(uint256(1))));
        _try(Actor.ANYONE, RELAYER, call_);
    }

    function pass(uint256 seed) external {
        uint256 secs = seed % 4 == 0 ? seed % 10 days : seed % 10 hours;
        _step(1 + secs / 12, secs);
        _check(Actor.TIME, false);
        if (seed % 3 != 0) {
            _seat(MARKET);
            _check(Actor.TIME, false);
        }
    }

    function _ask(Mode asked, uint256 seed) private {
        TripIntent memory i =
            _intent(MARKET, asked, 1 + seed % (asked == Mode.HALTED ? 72 hours : 24 hours), bytes32(seed));
        i.incidentBlock = seed % 5 == 0 ? uint40(block.number - seed % 8_000) : 0;
        _try(Actor.GUARDIAN, RELAYER, abi.encodeCall(controller.tripBySig, (i, _sign(i, 0, 2))));
    }

    function _try(Actor actor, address caller, bytes memory call_) private {
        vm.prank(caller);
        (bool ok,) = address(controller).call(call_);
        if (ok) ++landed;
        _check(actor, ok);
    }

    function _check(Actor actor, bool ok) private {
        (IFailSafeController.Episode memory was, Mode from) = (e, mode);
        bool alreadyExited = exited;
        _note();
        if (alreadyExited) {
            yes(mode == Mode.EXIT, "EXIT has no way out");
            return;
        }
        if (mode == Mode.EXIT) {
            yes(actor == Actor.ANYONE && _tight(from), "EXIT from a tight episode only");
            return;
        }
        if (!ok && actor != Actor.TIME) yes(mode == from && e.until == was.until, "a refused call changes nothing");
        if (mode != from) yes(_edge(actor, from, mode), "an edge of the state machine");
        _checkFigures(actor, was, from);
    }

    function _checkFigures(Actor actor, IFailSafeController.Episode memory was, Mode from) private view {
        bool asks = actor == Actor.GUARDIAN || actor == Actor.SENSOR;
        bool opened = e.episodeId != was.episodeId;
        if (opened) {
            yes(asks && from == Mode.NORMAL && e.episodeId == was.episodeId + 1, "an episode begins in NORMAL");
            eq(e.episodeStart, block.timestamp, "now");
            eq(e.tripBlock, block.number, "in this block");
        } else {
            eq(e.episodeStart, was.episodeStart, "the start stands");
            eq(e.tripBlock, was.tripBlock, "the trip block stands");
            atMost(e.incidentBlock, was.incidentBlock, "an incident only moves back");
            uint256 trips = e.tripCount - was.tripCount;
            atMost(trips, actor == Actor.GUARDIAN ? 1 : 0, "trips are guardians'");
        }
        if (e.epoch != was.epoch) yes(actor == Actor.COUNCIL && e.epoch == was.epoch + 1, "epochs are releases");
        if (asks) atLeast(uint256(_rank(mode)), uint256(_rank(from)), "asking only tightens");
        if (mode == Mode.RESTRICTED || mode == Mode.HALTED) {
            atMost(e.until, e.episodeStart + 21 days, "episode cap");
            yes(actor != Actor.ANYONE || e.until == was.until, "anyone prolongs nothing");
        }
        for (uint256 n; n < 3; ++n) {
            (bool closed,) = controller.restrictionOf(address(targets[n]), Classes.REDUCE_RISK);
            yes(!closed, "never restricted");
        }
    }

    function _edge(Actor actor, Mode from, Mode to) private pure returns (bool) {
        if (actor == Actor.TIME) {
            if (to == Mode.NORMAL) return from == Mode.WATCH;
            // A RESTRICTED that waits below a halt comes after S0.
            if (to == Mode.RESTRICTED) return from == Mode.HALTED || from == Mode.RECOVERING;
            return to == Mode.RECOVERING && (from == Mode.RESTRICTED || from == Mode.HALTED);
        }
        if (actor == Actor.GUARDIAN) return to == Mode.WATCH || to == Mode.RESTRICTED || to == Mode.HALTED;
        if (actor == Actor.SENSOR) return to == Mode.WATCH || to == Mode.RESTRICTED;
        if (actor == Actor.COUNCIL) {
            if (to == Mode.NORMAL) return from == Mode.WATCH;
            // When an earlier halt has served a part of S0, the rest of it is told as a RESTRICTED that ends where S1 begins.
            return from == Mode.HALTED
                ? to == Mode.RECOVERING || to == Mode.RESTRICTED
                : to == Mode.RECOVERING && from == Mode.RESTRICTED;
        }
        return actor == Actor.PLAN && from == Mode.RECOVERING && to == Mode.NORMAL;
    }

    function _tight(Mode m) private pure returns (bool) {
        return m == Mode.RESTRICTED || m == Mode.HALTED || m == Mode.RECOVERING;
    }

    function _rank(Mode m) private pure returns (uint8) {
        return m == Mode.RECOVERING ? 2 : m < Mode.RESTRICTED ? uint8(m) : uint8(m) + 1;
    }

    /// @dev What has ended is told by its old mode and its end.
    function _note() private {
        e = controller.episodeOf(MARKET);
        mode = (e.mode == Mode.RESTRICTED || e.mode == Mode.HALTED) && block.timestamp >= e.until
            ? Mode.RECOVERING
            : e.mode;
        exited = mode == Mode.EXIT;
    }
}

contract EdgesTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Actors private _actors;

    function setUp() public {
        _actors = new Actors();
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory s = new bytes4[](13);
        (s[0], s[1], s[2], s[3]) =
        (Actors.halt.selector, Actors.restrict.selector, Actors.watch.selector, Actors.poke.selector);
        (s[4], s[5], s[6], s[7]) =
        (Actors.release.selector, Actors.confirm.selector, Actors.incident.selector, Actors.stage.selector);
        (s[8], s[9], s[10], s[11]) =
        (Actors.insolvency.selector, Actors.retry.selector, Actors.misbehave.selector, Actors.exit.selector);
        s[12] = Actors.pass.selector;
        targets[0] = FuzzSelector(address(_actors), s);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_actors);
    }

    /// @dev The checks are in the actors: each act reverts if it takes an edge that it must not.
    function invariant_NoEdgeOutsideTheStateMachine() public view {
        _actors.landed();
    }
}
