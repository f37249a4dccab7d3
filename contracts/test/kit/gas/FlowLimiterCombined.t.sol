// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {RateLimiter as OzRateLimiter} from "@openzeppelin/contracts/utils/RateLimiter.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {LimitedFailSafe} from "../../../src/kit/LimitedFailSafe.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {IExitFunding} from "../../../src/kit/interfaces/IExitFunding.sol";
import {IEntitlementLimit} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {Assert} from "../../utils/Assert.sol";
import {IOutflow} from "../FlowLimiter/Peers.sol";

uint256 constant CAP = 1_000_000e18;
uint24 constant WINDOW = 1 days;
address constant ASSET = address(0xa55e7);

/// @dev The contracts below differ in the body of {outflow} alone, so that dispatch costs the same.
abstract contract Guarded is IOutflow, LimitedFailSafe {
    bytes32 internal immutable _key = assetKey(ASSET);

    constructor(Config memory config, uint256 keys, bool hinted) LimitedFailSafe(config, 72 hours) {
        _setLimit(_key, CAP, WINDOW, CAP / 4, hinted);
        for (uint256 i = 1; i < keys; ++i) {
            _setLimit(bytes32(i), CAP, WINDOW, CAP / 4, hinted);
        }
    }
}

contract Bare is Guarded {
    constructor(Config memory config) Guarded(config, 1, false) {}

    function outflow(address, uint256) external {}
}

contract Ours is Guarded {
    constructor(Config memory config, uint256 keys, bool hinted) Guarded(config, keys, hinted) {}

    function outflow(address account, uint256 amount) external nonReentrant {
        _consumeGross(Classes.EXIT, _key, account, amount);
    }
}

contract OursNet is Guarded {
    constructor(Config memory config) Guarded(config, 1, true) {}

    function outflow(address account, uint256 amount) external nonReentrant {
        _consume(Classes.EXIT, _key, account, amount);
    }
}

contract OzBare is IOutflow {
    function outflow(address, uint256) external {}
}

contract OzAll is IOutflow, Pausable, ReentrancyGuardTransient {
    using OzRateLimiter for OzRateLimiter.RefillingBucket;

    OzRateLimiter.RefillingBucket private _bucket;

    constructor() {
        _bucket.updateSettings(WINDOW, uint208(CAP));
        _bucket.consume(keccak256(abi.encode(ASSET)), 1);
    }

    function outflow(address, uint256 amount) external whenNotPaused nonReentrant {
        _bucket.consume(keccak256(abi.encode(ASSET)), amount);
    }
}

/// @dev A controller as far as a push goes: with a fixed amount of gas.
contract Pusher {
    function push(Guarded target, Restriction calldata r) external returns (uint256 gas) {
        gas = gasleft();
        target.failsafeArm{gas: 120_000}(r, "incident");
        gas -= gasleft();
    }
}

/// @notice Gas of a paused-or-not, reentrancy-guarded, limited outflow over an empty function, healthy and cold.
contract FlowLimiterCombinedGas is Assert {
    event GasUsed(string operation, uint256 goal, uint256 ours);
    event PeerGasUsed(string operation, string peer, uint256 theirs);

    IOutflow private _bare;
    Pusher private _pusher;
    Ours private _hinted;
    Ours private _unhinted;
    IOutflow private _net;
    IOutflow private _ozBare;
    IOutflow private _oz;

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
        _hinted = new Ours(config, 8, true);
        _unhinted = new Ours(config, 1, false);
        _net = new OursNet(config);
        _ozBare = new OzBare();
        _oz = new OzAll();
        vm.warp(1_700_001_000);
    }

    function test_Gas_PauseReentrancyLimit_Hint() public {
        uint256 ours = _cost(_hinted) - _cost(_bare);
        emit GasUsed("pause + reentrancy + limit: hint bit", 6_000, ours);
        uint256 theirs = _cost(_oz) - _cost(_ozBare);
        emit PeerGasUsed("pause + reentrancy + limit: hint bit", "OpenZeppelin 5.7", theirs);
        atMost(ours, 6_000, "hint bit");
        atMost(ours, theirs, "OpenZeppelin 5.7");
    }

    function test_Gas_PauseReentrancyLimit_HintNet() public {
        uint256 ours = _cost(_net) - _cost(_bare);
        emit GasUsed("pause + reentrancy + limit net of inflow: hint bit", 6_200, ours);
        atMost(ours, 6_200, "hint bit, net of inflow");
    }

    function test_Gas_PauseReentrancyLimit_HotWord() public {
        uint256 ours = _cost(_unhinted) - _cost(_bare);
        emit GasUsed("pause + reentrancy + limit: separate hot word", 8_300, ours);
        atMost(ours, 8_300, "separate hot word");
    }

    /// @dev A push has 120 000 gas; the largest number of hints must leave it whole.
    function test_Gas_ArmWithEightHints() public {
        Restriction memory r;
        (r.mode, r.mask, r.origin) = (Mode.HALTED, Classes.RESTRICTABLE, Origin.GUARDIAN);
        (r.until, r.factorBps, r.episodeId) = (uint40(block.timestamp + 72 hours), 5_000, 1);
        uint256 gas = _pusher.push(_hinted, r);
        emit GasUsed("arm with eight hinted keys", 110_000, gas);
        atMost(gas, 110_000, "arm with eight hinted keys");
        vm.expectPartialRevert(bytes4(keccak256("ActionClosed(uint8,uint40)")));
        _hinted.outflow(address(0xacc), 1);
    }

    function _cost(IOutflow target) private returns (uint256 gas) {
        gas = gasleft();
        target.outflow(address(0xacc), 5e18);
        gas -= gasleft();
    }
}
