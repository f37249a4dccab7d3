// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {IExitFunding} from "../../../src/kit/interfaces/IExitFunding.sol";
import {IEntitlementLimit} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice One function. All contracts below answer it, so that calldata and dispatch cost the same.
interface IAct {
    function act() external;
}

/// @dev With the same functions as the guarded ones, so that the dispatch costs the same.
contract Bare is IAct, FailSafe {
    constructor(Config memory config) FailSafe(config) {}

    function act() external {}
}

contract Checked is IAct, FailSafe {
    constructor(Config memory config) FailSafe(config) {}

    function act() external guarded(Classes.EXIT) {}
}

contract CheckedAndLocked is IAct, FailSafe {
    constructor(Config memory config) FailSafe(config) {}

    function act() external guardedNonReentrant(Classes.EXIT) {}
}

contract OzBare is IAct, Pausable {
    function act() external {}
}

contract OzPausable is IAct, Pausable {
    function act() external whenNotPaused {}
}

contract OzPausableAndLocked is IAct, Pausable, ReentrancyGuardTransient {
    function act() external whenNotPaused nonReentrant {}
}

/// @notice As much of a controller as a push needs.
contract Pusher {
    /// @return gas of pushing to `targets[from]` to the last one
    function push(Checked[] calldata targets, uint256 from, uint256 to) external returns (uint256 gas) {
        Restriction memory r;
        (r.mode, r.mask, r.origin) = (Mode.HALTED, Classes.RESTRICTABLE, Origin.GUARDIAN);
        (r.until, r.factorBps, r.episodeId) = (uint40(block.timestamp + 72 hours), 5_000, 1);
        gas = gasleft();
        for (uint256 i = from; i < to; ++i) {
            require(targets[i].failsafeArm(r, "incident") != 1, "armed");
        }
        gas -= gasleft();
    }
}

/// @notice Gas of a healthy guarded call over a bare one, ours and the peer's, and of what a controller sends.
contract FailSafeGas is Assert {
    event GasUsed(string operation, uint256 goal, uint256 ours);
    event PeerGasUsed(string operation, string peer, uint256 theirs);

    IAct private _bare;
    Checked private _checked;
    IAct private _locked;
    IAct private _oz;
    IAct private _ozBare;
    IAct private _ozLocked;
    Pusher private _pusher;
    Checked[] private _targets;

    function setUp() public {
        vm.warp(1_700_000_000);
        FailSafe.Config memory config;
        _pusher = new Pusher();
        config.controller = address(_pusher);
        config.exit = IExitFunding(address(1));
        config.entitlements = IEntitlementLimit(address(1));
        config.grace = 12 hours;
        config.dwells = [uint40(6 hours), 24 hours, 12 hours, 24 hours, 24 hours];
        config.budgets = [uint40(3.5 days), 7 days, 15 days];
        config.factorFloorBps = 5_000;
        _bare = new Bare(config);
        _checked = new Checked(config);
        _locked = new CheckedAndLocked(config);
        _oz = new OzPausable();
        _ozBare = new OzBare();
        _ozLocked = new OzPausableAndLocked();
        for (uint256 i = 0; i < 3; ++i) {
            _targets.push(new Checked(config));
        }
        vm.warp(1_700_001_000);
    }

    function test_Gas_ClassCheck() public {
        uint256 bare = _cost(_bare);
        uint256 ours = _cost(_checked) - bare;
        uint256 theirs = _cost(_oz) - _cost(_ozBare);
        emit GasUsed("class check, healthy", 2_200, ours);
        emit PeerGasUsed("class check, healthy", "OpenZeppelin 5.7 Pausable", theirs);
        atMost(ours, 2_200, "class check, healthy");
    }

    function test_Gas_ReentrancyGuard() public {
        uint256 ours = _cost(_locked) - _cost(_checked);
        uint256 theirs = _cost(_ozLocked) - _cost(_oz);
        emit GasUsed("transient reentrancy guard", 510, ours);
        emit PeerGasUsed("transient reentrancy guard", "OpenZeppelin 5.7 ReentrancyGuardTransient", theirs);
        atMost(ours, 510, "transient reentrancy guard");
    }

    /// @dev T7, counted instead of weighed.
    function test_T7_OneSlot() public {
        vm.record();
        _checked.act();
        (bytes32[] memory reads, bytes32[] memory writes) = vm.accesses(address(_checked));
        eq(reads.length, 1, "a healthy guarded call reads one slot");
        eq(writes.length, 0, "and writes none");
        vm.record();
        _checked.failsafeWord();
        (reads,) = vm.accesses(address(_checked));
        eq(reads.length, 1, "so does the controller's look");
    }

    /// @dev What one more target adds to a trip: push and cold account. The goals of a whole trip are the controller's to
    /// keep; this is a ceiling against regressions.
    function test_Gas_Arm() public {
        uint256 one = _pusher.push(_targets, 0, 1);
        uint256 ours = _pusher.push(_targets, 1, 3) - one;
        emit GasUsed("arm, each further target", 30_000, ours);
        atMost(ours, 30_000, "arm, each further target");
    }

    function _cost(IAct target) private returns (uint256 gas) {
        gas = gasleft();
        target.act();
        gas -= gasleft();
    }
}
