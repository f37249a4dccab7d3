// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {Mode, TripIntent} from "../../../src/kit/Types.sol";
import {IRecoveryController, RecoveryPlan} from "../../../src/kit/recovery/RecoveryPlan.sol";
import {IExitFunding} from "../../../src/kit/interfaces/IExitFunding.sol";
import {IEntitlementLimit} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {IDeficitSource, IProbe, ISolvencySource} from "../../../src/kit/interfaces/ISensors.sol";
import {ControllerWorld} from "./ControllerWorld.sol";

/// @notice A guarded purse: it pays whom it owes while EXIT is open, and takes money while ENTER is.
contract Purse is FailSafe {
    mapping(address account => uint256) public owed;

    constructor(Config memory config) FailSafe(config) {}

    function deposit() external payable guarded(Classes.ENTER) {
        owed[msg.sender] += msg.value;
    }

    function withdraw(uint256 amount) external guardedNonReentrant(Classes.EXIT) {
        owed[msg.sender] -= amount;
        (bool sent,) = msg.sender.call{value: amount}("");
        require(sent);
    }

    function act(uint8 class_) external guarded(class_) {}
}

/// @notice Everything is well with it, unless told otherwise.
contract Health is ISolvencySource, IDeficitSource, IProbe {
    uint256 public ratio = 1e18;

    function set(uint256 ratio_) external {
        ratio = ratio_;
    }

    function solvency(bytes32) external view returns (uint256, uint40) {
        return (ratio, uint40(block.timestamp));
    }

    function deficit(bytes32) external view returns (uint256, uint40) {
        return (0, uint40(block.timestamp));
    }

    function green() external pure returns (bool) {
        return true;
    }
}

/// @notice Controller, recovery plan and a guarded contract as they are deployed, with the default bounds. Only the exit rounds are a
/// stand-in.
abstract contract RealWorld is ControllerWorld {
    RecoveryPlan internal plan;
    Health internal health;
    Purse internal purse;

    function setUp() public virtual override {
        super.setUp();
        health = new Health();
        plan = new RecoveryPlan(IRecoveryController(address(controller)), 6 hours, 12 hours, 1 hours, 5);
        eq(address(plan), controller.recoveryPlan(), "predicted");
        purse = _purse();
        vm.prank(COUNCIL);
        controller.enrol(address(purse), MARKET);
        RecoveryPlan.Sensors memory s = RecoveryPlan.Sensors(health, health, new IProbe[](1));
        s.probes[0] = health;
        vm.prank(COUNCIL);
        plan.enrol(MARKET, s);
    }

    function _configuration() internal override returns (FailSafeController.Configuration memory c) {
        c = super._configuration();
        // The controller, the challenge, the sensors and the test's own bookkeeping come first.
        c.recoveryPlan = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 4);
    }

    function _purse() internal returns (Purse) {
        FailSafe.Config memory config;
        config.controller = address(controller);
        config.exit = IExitFunding(address(verdicts));
        config.entitlements = IEntitlementLimit(address(0));
        config.grace = 12 hours;
        config.dwells = [uint40(6 hours), 24 hours, 12 hours, 24 hours, 24 hours];
        config.budgets = [uint40(3.5 days), 7 days, 15 days];
        config.factorFloorBps = 5_000;
        return new Purse(config);
    }

    function _mode() internal view returns (Mode) {
        (, RestrictionView memory now_) = _state();
        return now_.mode;
    }

    struct RestrictionView {
        Mode mode;
        uint8 stage;
        uint40 until;
    }

    function _state() internal view returns (uint256 word, RestrictionView memory now_) {
        word = purse.failsafeWord();
        (now_.until, now_.mode, now_.stage) = (uint40(word >> 33), Mode(word >> 193 & 7), uint8(word >> 196 & 7));
    }

    function _at(Mode mode, uint8 stage, string memory what) internal view {
        (, RestrictionView memory now_) = _state();
        eq(uint8(now_.mode), uint8(mode), string.concat(what, ": mode"));
        eq(now_.stage, stage, string.concat(what, ": stage"));
    }
}
