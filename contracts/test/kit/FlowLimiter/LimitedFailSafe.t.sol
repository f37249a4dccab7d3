// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {FlowBucket} from "../../../src/kit/FlowBucket.sol";
import {LimitedFailSafe} from "../../../src/kit/LimitedFailSafe.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {IExitFunding} from "../../../src/kit/interfaces/IExitFunding.sol";
import {Assert} from "../../utils/Assert.sol";

/// @notice A guarded contract with one hinted and one unhinted limit.
contract GuardedLimits is LimitedFailSafe {
    uint256 public constant CAP = 1_000_000e18;
    bytes32 public constant HINTED = keccak256("hinted");
    bytes32 public constant PLAIN = keccak256("unhinted");

    constructor(Config memory config) LimitedFailSafe(config, 72 hours) {
        _setLimit(HINTED, CAP, 1 days, CAP / 4, true);
        _setLimit(PLAIN, CAP, 1 days, CAP / 4, false);
    }

    function act() external guarded(Classes.EXIT) {}

    function outflow(bytes32 key, uint256 amount) external nonReentrant {
        _consumeGross(Classes.EXIT, key, msg.sender, amount);
    }

    function outflowNet(bytes32 key, uint256 amount) external nonReentrant {
        _consume(Classes.EXIT, key, msg.sender, amount);
    }

    function hintOf(bytes32 key) external view returns (bool) {
        bytes32 namespace = 0x7525a03a54ebbb7c84507a52a4f0acbe00b11f28b8db2f8417037b74b745bb00;
        bytes32 slot = keccak256(abi.encode(key, namespace));
        uint256 word;
        assembly {
            word := sload(slot)
        }
        return word & FlowBucket.HINT != 0;
    }

    function healthy() external view returns (bool) {
        return _healthy();
    }
}

abstract contract GuardedLimitsWorld is Assert {
    function _deploy(address controller) internal returns (GuardedLimits) {
        FailSafe.Config memory config;
        config.controller = controller;
        config.exit = IExitFunding(address(1));
        config.grace = 12 hours;
        config.dwells = [uint40(6 hours), 24 hours, 12 hours, 24 hours, 24 hours];
        config.budgets = [uint40(3.5 days), 7 days, 15 days];
        config.factorFloorBps = 5_000;
        return new GuardedLimits(config);
    }

    function _ask(Mode mode, uint32 mask, uint256 secs, Origin origin) internal view returns (Restriction memory r) {
        (r.mode, r.mask, r.origin) = (mode, mask, origin);
        (r.until, r.factorBps, r.episodeId) = (uint40(block.timestamp + secs), 5_000, 1);
    }
}

/// @notice Limits that follow the restriction in force.
contract LimitedFailSafeTest is GuardedLimitsWorld {
    GuardedLimits private _vault;
    bytes32[2] private _keys;

    function setUp() public {
        vm.warp(1_700_000_000);
        _vault = _deploy(address(this));
        _keys = [_vault.HINTED(), _vault.PLAIN()];
    }

    function test_T7_HealthyCallReadsOneSlotHealthyLimitedCallOneMore() public {
        vm.record();
        _vault.act();
        eq(_slots(), 1, "guarded: the hot word");
        vm.record();
        _vault.outflow(_keys[1], 1);
        eq(_slots(), 2, "guarded and limited: one more");
        vm.record();
        _vault.outflowNet(_keys[1], 1);
        eq(_slots(), 2, "net of inflow: the same");
        vm.record();
        _vault.outflow(_keys[0], 1);
        eq(_slots(), 1, "with a hint: its own alone");
    }

    function test_ClosedClassDoesNotFlow() public {
        _vault.failsafeArm(_ask(Mode.HALTED, Classes.RESTRICTABLE, 72 hours, Origin.GUARDIAN), "test");
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectPartialRevert(IFailSafe.ActionClosed.selector);
            _vault.outflow(_keys[i], 1);
        }
    }

    function test_WatchLimits() public {
        _vault.failsafeArm(_ask(Mode.WATCH, 0, 12 hours, Origin.GUARDIAN), "test");
        uint256 cap = _vault.CAP();
        for (uint256 i = 0; i < 2; ++i) {
            eq(_vault.available(_keys[i]), cap / 2, "half is in force");
            vm.expectPartialRevert(bytes4(keccak256("LimitExceeded(bytes32,uint256,uint256)")));
            _vault.outflow(_keys[i], cap / 2 + 1);
            _vault.outflow(_keys[i], cap / 2);
        }
        // It ends by time, and nothing is there at once.
        vm.warp(block.timestamp + 12 hours);
        for (uint256 i = 0; i < 2; ++i) {
            atMost(_vault.available(_keys[i]), cap / 4, "half a window at half the rate");
            _vault.outflow(_keys[i], _vault.available(_keys[i]));
        }
        // The hint stays until somebody settles, which costs a look at the hot word and nothing else.
        yes(_vault.hintOf(_keys[0]), "still set");
        _vault.failsafeSettle();
        yes(!_vault.hintOf(_keys[0]), "cleared");
    }

    /// @dev A stage opens EXIT at a quarter, each further stage a quarter more; a drained key gains nothing by any of them.
    function test_RampAddsNothingAtOnce() public {
        _vault.failsafeArm(_ask(Mode.HALTED, Classes.RESTRICTABLE, 1 hours, Origin.GUARDIAN), "test");
        vm.warp(block.timestamp + 1 hours + 6 hours);
        for (uint8 stage = 1; stage <= 5; ++stage) {
            for (uint256 i = 0; i < 2; ++i) {
                _vault.outflow(_keys[i], _vault.available(_keys[i]));
            }
            (, Restriction memory effective) = _vault.failsafeState();
            if (stage < 5) vm.warp(effective.until);
            uint256[2] memory before = [_vault.available(_keys[0]), _vault.available(_keys[1])];
            if (stage < 5) {
                Restriction memory r = _ask(Mode.RECOVERING, 0, 0, Origin.COUNCIL);
                r.stage = stage + 1;
                if (stage == 4) r.mode = Mode.NORMAL;
                _vault.failsafeArm(r, "test");
            }
            for (uint256 i = 0; i < 2; ++i) {
                eq(_vault.available(_keys[i]), before[i], "not in the same second");
            }
            vm.warp(block.timestamp + 1);
            for (uint256 i = 0; i < 2; ++i) {
                atMost(_vault.available(_keys[i]), before[i] + _vault.CAP() / 1 days + 2 ** 21, "nor in the next");
            }
        }
        _vault.failsafeSettle();
        yes(_vault.healthy() && !_vault.hintOf(_keys[0]), "healthy again");
    }

    function _slots() private returns (uint256 distinct) {
        (bytes32[] memory reads,) = vm.accesses(address(_vault));
        for (uint256 i = 0; i < reads.length; ++i) {
            bool seen;
            for (uint256 j = 0; j < i; ++j) {
                seen = seen || reads[j] == reads[i];
            }
            if (!seen) ++distinct;
        }
    }
}

/// @notice Everything that can change a guarded contract's health, in any order, with outflows in between.
contract HealthHandler is GuardedLimitsWorld {
    GuardedLimits public immutable vault;
    bytes32[2] private _keys;
    uint256 public outflows;

    constructor() {
        vm.warp(1_700_000_000);
        vault = _deploy(address(this));
        _keys = [vault.HINTED(), vault.PLAIN()];
    }

    function wait(uint256 secs) external {
        vm.warp(block.timestamp + clamp(secs / 2, 0, secs % 2 == 0 ? 1 hours : 2 days));
    }

    function trip(uint256 seed) external {
        Mode mode = Mode(1 + seed % 3);
        Origin origin = mode == Mode.HALTED || seed / 4 % 2 == 0 ? Origin.GUARDIAN : Origin.SENSOR;
        _try(
            _ask(mode, Classes.closable(mode), clamp(seed, 1 hours, mode == Mode.HALTED ? 72 hours : 24 hours), origin)
        );
    }

    function council(uint256 seed) external {
        Restriction memory r = _ask(seed % 8 == 0 ? Mode.NORMAL : Mode.RECOVERING, 0, 0, Origin.COUNCIL);
        (, Restriction memory effective) = vault.failsafeState();
        if (r.mode == Mode.RECOVERING) r.stage = effective.mode == Mode.RECOVERING ? effective.stage + 1 : 0;
        if (r.stage == 5) r.mode = Mode.NORMAL;
        if (seed % 3 == 0 && effective.until < type(uint40).max && effective.until > block.timestamp) {
            vm.warp(effective.until);
        }
        _try(r);
    }

    function hold(uint256 seed) external {
        try vault.failsafeHold(seed % 2 == 0 ? Classes.HOLDABLE : 0) {} catch {}
    }

    function insolvent(bool set) external {
        try vault.failsafeInsolvent(set) {} catch {}
    }

    function settle() external {
        try vault.failsafeSettle() {} catch {}
    }

    /// @dev Both keys tell the same about a class, whether by hint or by hot word, and that is what {FailSafe} says.
    function outflow(uint256 amount) external {
        bool open = vault.failsafeOpen(Classes.EXIT);
        for (uint256 i = 0; i < 2; ++i) {
            amount = clamp(amount, 0, vault.available(_keys[i]));
            try vault.outflow(_keys[i], amount) {
                yes(open, "flows only when the class is open");
                ++outflows;
            } catch {
                yes(!open, "what is available flows when the class is open");
            }
        }
    }

    function _try(Restriction memory r) private {
        try vault.failsafeArm(r, "test") {} catch {}
    }
}

contract HintInvariant is Assert {
    HealthHandler private _handler;

    function setUp() public {
        _handler = new HealthHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev The second half is what makes it worth having.
    function invariant_HintTellsHealth() public view {
        GuardedLimits vault = _handler.vault();
        yes(vault.hintOf(vault.HINTED()) == !vault.healthy(), "hint <=> not healthy");
        yes(vault.hintOf(vault.PLAIN()), "who does not mirror always asks");
    }
}
