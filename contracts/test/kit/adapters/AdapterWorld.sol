// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {PausableAdapter} from "../../../src/kit/adapters/PausableAdapter.sol";
import {PauseProbe} from "../../../src/kit/adapters/PauseProbe.sol";
import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {IExitFunding} from "../../../src/kit/interfaces/IExitFunding.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {Assert} from "../../utils/Assert.sol";
import {SharedVault} from "./Subjects.sol";

/// @notice Adapters whose controller is the test, with the default bounds.
abstract contract AdapterWorld is Assert {
    uint32 internal constant ALL = Classes.RESTRICTABLE;
    /// @dev What a vault's pause closes: deposits, withdrawals and transfers.
    uint32 internal constant VAULT = uint32(1 << Classes.ENTER | 1 << Classes.EXIT | 1 << Classes.TRANSFER);
    /// @dev What a market's freeze closes.
    uint32 internal constant FREEZE = uint32(1 << Classes.ENTER | 1 << Classes.INCREASE_RISK);
    uint256 internal constant PUSH_GAS = 120_000;
    uint40 internal constant S0 = 6 hours;
    uint40 internal constant GRACE = 12 hours;
    address internal constant TEAM = address(0x7EA4);

    SharedVault internal vault;
    PausableAdapter internal adapter;

    /// @notice A vault with OpenZeppelin's Pausable and an adapter that may pause and reopen it. Classes that the vault does not
    /// have are tolerated; nothing is rounded.
    function buildAdapter() internal {
        vm.warp(1_900_000_000);
        vault = new SharedVault(TEAM);
        adapter = new PausableAdapter(bounds(), switchOf(address(vault), VAULT, ~VAULT));
        vault.grant(address(adapter), address(adapter));
    }

    function bounds() internal view returns (FailSafe.Config memory config) {
        config.controller = address(this);
        config.exit = IExitFunding(address(0xE817));
        config.grace = GRACE;
        config.dwells = [S0, 24 hours, 12 hours, 24 hours, 24 hours];
        config.budgets = [uint40(3.5 days), 7 days, 15 days];
        config.factorFloorBps = 5_000;
    }

    function switchOf(address target, uint32 closes, uint32 tolerated)
        internal
        pure
        returns (PausableAdapter.Lever memory lever)
    {
        lever.profile = PausableAdapter.Profile.SWITCH;
        lever.target = target;
        lever.pause = SharedVault.pause.selector;
        lever.reopen = SharedVault.unpause.selector;
        lever.expiryStage = 1;
        lever.closes = closes;
        lever.tolerated = tolerated;
        lever.probe = PauseProbe({reader: target, selector: Pausable.paused.selector, bits: 1});
    }

    // ------------------------------------------------------------- what a controller sends

    function ask(Mode mode, uint32 mask, uint256 secs, Origin origin) internal view returns (Restriction memory r) {
        (r.mode, r.mask, r.origin) = (mode, mask, origin);
        (r.until, r.factorBps, r.episodeId) = (uint40(block.timestamp + secs), 5_000, 1);
    }

    /// @dev With the gas that a controller gives.
    function halt(uint256 secs) internal {
        adapter.failsafeArm{gas: PUSH_GAS}(ask(Mode.HALTED, ALL, secs, Origin.GUARDIAN), "test");
    }

    function restrict(uint32 mask, uint256 secs) internal {
        adapter.failsafeArm{gas: PUSH_GAS}(ask(Mode.RESTRICTED, mask, secs, Origin.GUARDIAN), "test");
    }

    function council(Mode mode, uint8 stage) internal {
        Restriction memory r = ask(mode, 0, 0, Origin.COUNCIL);
        r.stage = stage;
        adapter.failsafeArm(r, "test");
    }

    /// @dev Both touches, as early as they can be.
    function expireInTwo() internal {
        adapter.expire();
        vm.warp(block.timestamp + 1);
        adapter.expire();
    }

    function notYet(Mode mode, uint8 stage) internal {
        vm.expectRevert(abi.encodeWithSelector(PausableAdapter.NotYetExpired.selector, mode, stage));
        adapter.expire();
    }

    function stateNow() internal view returns (Restriction memory effective) {
        (, effective) = adapter.failsafeState();
    }
}
