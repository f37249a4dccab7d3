// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {PausableAdapter} from "../../../src/kit/adapters/PausableAdapter.sol";
import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafeWord, Hot} from "../../../src/kit/FailSafeWord.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {AdapterWorld} from "./AdapterWorld.sol";
import {SharedVault} from "./Subjects.sol";

/// @notice A guardian whose keys are stolen, the team of the vault, and somebody who lifts the pause in the first second in which
/// that is possible.
contract AdapterHandler is AdapterWorld {
    uint256 private constant WINDOW = 90 days;

    struct Span {
        uint256 from;
        uint256 to;
    }

    /// @dev Who made the pause that is in force.
    address public pausedBy;
    uint256 public pausedSince;
    Span[] private spans;
    bool public adapterLiftedForeignPause;
    bool public armOpened;

    constructor() {
        buildAdapter();
    }

    function guardianHalts(uint256 secs) external {
        _arm(Mode.HALTED, ALL, clamp(secs, 1, 80 hours), Origin.GUARDIAN);
    }

    /// @dev Lands only below a halt: by itself it is too light for a lever that closes withdrawals.
    function guardianRestricts(uint256 secs) external {
        _arm(Mode.RESTRICTED, Classes.closable(Mode.RESTRICTED), clamp(secs, 1, 30 hours), Origin.GUARDIAN);
    }

    function anyonePokes(uint256 secs) external {
        _arm(Mode.RESTRICTED, Classes.closable(Mode.RESTRICTED), clamp(secs, 1, 30 hours), Origin.SENSOR);
    }

    function advance() external {
        Hot memory h = FailSafeWord.unpack(adapter.failsafeWord());
        if (h.mode != Mode.RECOVERING || h.stage == 0 || block.timestamp < h.until) return;
        Restriction memory r = ask(h.stage == 4 ? Mode.NORMAL : Mode.RECOVERING, 0, 0, Origin.COUNCIL);
        r.stage = h.stage == 4 ? 0 : h.stage + 1;
        adapter.failsafeArm(r, "test");
        _note(address(adapter));
    }

    function settle() external {
        try adapter.failsafeSettle() {} catch {}
    }

    function teamPauses() external {
        if (vault.paused()) return;
        vm.prank(TEAM);
        vault.pause();
        _note(TEAM);
    }

    /// @dev As the adapter asks of a team: a touch after lifting its pause by hand.
    function teamLifts() external {
        if (!vault.paused()) return;
        vm.prank(TEAM);
        vault.unpause();
        _note(TEAM);
        if (adapter.taken() != 0) adapter.expire();
    }

    function expire() public {
        bool foreign = vault.paused() && pausedBy != address(adapter);
        try adapter.expire() {} catch {}
        if (foreign && !vault.paused()) adapterLiftedForeignPause = true;
        _note(address(adapter));
    }

    /// @dev Stops on the way at the end of a halt, where the pause can be lifted.
    function warp(uint256 secs) external {
        uint256 to = block.timestamp + clamp(secs, 1, 20 days);
        for (uint256 i; i < 4; ++i) {
            Hot memory h = FailSafeWord.unpack(adapter.failsafeWord());
            uint256 end = h.until + (h.mode == Mode.HALTED ? h.s0Left : 0);
            bool ends =
                h.mode == Mode.HALTED || h.mode == Mode.RESTRICTED || (h.mode == Mode.RECOVERING && h.stage == 0);
            if (!ends || end > to || end < block.timestamp) break;
            vm.warp(end);
            expire();
            vm.warp(block.timestamp + 1);
            expire();
        }
        if (to > block.timestamp) vm.warp(to);
        expire();
        vm.warp(block.timestamp + 1);
        expire();
    }

    /// @notice Most seconds of the adapter's pause in any 90 days that end with a span or now.
    function mostPaused() external view returns (uint256 most) {
        for (uint256 i; i <= spans.length; ++i) {
            uint256 end = i < spans.length ? spans[i].to : block.timestamp;
            uint256 begin = end - WINDOW;
            uint256 sum;
            for (uint256 j; j < spans.length; ++j) {
                sum += _overlap(spans[j].from, spans[j].to, begin, end);
            }
            if (pausedSince != 0) sum += _overlap(pausedSince, block.timestamp, begin, end);
            if (sum > most) most = sum;
        }
    }

    function adapterHasIt() external view returns (bool) {
        return vault.paused() && pausedBy == address(adapter);
    }

    function adapterOf() external view returns (PausableAdapter, SharedVault) {
        return (adapter, vault);
    }

    function spansSoFar() external view returns (uint256) {
        return spans.length;
    }

    function _arm(Mode mode, uint32 mask, uint256 secs, Origin origin) private {
        bool before = vault.paused();
        try adapter.failsafeArm(ask(mode, mask, secs, origin), "test") {} catch {}
        if (before && !vault.paused()) armOpened = true;
        _note(address(adapter));
    }

    /// @dev Writes down a change of the vault's pause that `by` made.
    function _note(address by) private {
        if (vault.paused() == (pausedBy != address(0))) return;
        if (vault.paused()) {
            pausedBy = by;
            if (by == address(adapter)) pausedSince = block.timestamp;
        } else {
            if (pausedSince != 0) spans.push(Span(pausedSince, block.timestamp));
            (pausedBy, pausedSince) = (address(0), 0);
        }
    }

    function _overlap(uint256 from, uint256 to, uint256 begin, uint256 end) private pure returns (uint256) {
        if (from < begin) from = begin;
        if (to > end) to = end;
        return to > from ? to - from : 0;
    }
}

contract PausableAdapterInvariants is AdapterWorld {
    AdapterHandler private handler;

    function setUp() public {
        handler = new AdapterHandler();
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    /// @notice T1: no call of a guardian or a sensor opens anything.
    function invariant_T1_ArmingNeverOpens() public view {
        yes(!handler.armOpened(), "an arm opened the target");
    }

    function invariant_TheAdapterUndoesOnlyItsOwn() public view {
        yes(!handler.adapterLiftedForeignPause(), "the adapter lifted a pause that it had not made");
    }

    /// @notice T2: with somebody to lift it, the pause of a stolen guardian threshold lasts 7 days in any 90, and a second or two per
    /// episode for the two touches.
    function invariant_T2_SevenDaysInAnyNinety() public view {
        atMost(handler.mostPaused(), 7 days + 2 * handler.spansSoFar() + 2, "paused in 90 days");
    }

    /// @notice While the adapter has no claim it has set nothing.
    function invariant_ClaimMatchesThePause() public view {
        (PausableAdapter adapter_,) = handler.adapterOf();
        if (handler.adapterHasIt()) yes(adapter_.taken() != 0, "a pause without a claim would never end");
    }
}
