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

    function setUp() public {
        vm.warp(1_700_000_000);
        FailSafe.Config memory config;
        config.controller = address(this);
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

    /// @dev The target's share of a trip: arming and the controller's look at the result. The goals of a whole trip, 60 000 for
    /// one target and 25 000 for each of ten, are the controller's to keep.
    function test_Gas_Arm() public {
        Restriction memory r;
        (r.mode, r.mask, r.origin) = (Mode.HALTED, Classes.RESTRICTABLE, Origin.GUARDIAN);
        (r.until, r.factorBps, r.episodeId) = (uint40(block.timestamp + 72 hours), 5_000, 1);
        uint256 gas = gasleft();
        _checked.failsafeArm(r, "incident");
        uint256 word = _checked.failsafeWord();
        gas -= gasleft();
        yes(word != 1, "armed");
        emit GasUsed("arm and verify, one target", 23_000, gas);
        atMost(gas, 23_000, "arm and verify, one target");
    }

    function _cost(IAct target) private returns (uint256 gas) {
        gas = gasleft();
        target.act();
        gas -= gasleft();
    }
}
