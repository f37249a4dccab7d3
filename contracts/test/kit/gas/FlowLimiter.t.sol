// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FlowLimiter} from "../../../src/kit/FlowLimiter.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {Assert} from "../../utils/Assert.sol";
import {CcipBucket, IOutflow, LzBucket, OzBucket} from "../FlowLimiter/Peers.sol";

uint256 constant CAP = 1_000_000e18;
uint24 constant WINDOW = 1 days;
address constant ASSET = address(0xa55e7);

contract BareSlot is IOutflow {
    uint256 private _spent = 1;

    function outflow(address, uint256 amount) external {
        _spent = amount;
    }
}

/// @notice A contract with our limits; the ways to pay out differ only in the body of {outflow}.
abstract contract Host is IOutflow, FlowLimiter {
    bytes32 internal immutable _key;
    uint256 internal _word = 1;

    constructor() FlowLimiter(72 hours) {
        _key = assetKey(ASSET);
        _setLimit(_key, CAP, WINDOW, CAP / 4, true);
    }

    function _limitHealthy() internal view override returns (bool) {
        return _word == 1;
    }

    function _limitFactor() internal pure override returns (uint16) {
        return 10_000;
    }

    function _limitRequireOpen(uint8) internal pure override {}

    function _limitController() internal pure override returns (IFailSafeController) {
        return IFailSafeController(address(1));
    }
}

contract BareHost is Host {
    function outflow(address, uint256 amount) external {
        _word = amount;
    }
}

contract GrossHost is Host {
    function outflow(address account, uint256 amount) external {
        _consumeGross(Classes.EXIT, _key, account, amount);
    }
}

contract NetHost is Host {
    function outflow(address account, uint256 amount) external {
        _consume(Classes.EXIT, _key, account, amount);
    }
}

/// @notice Gas of one limited outflow over a bare write of one slot, ours and the peers', cold and healthy.
contract FlowLimiterGas is Assert {
    event GasUsed(string operation, uint256 goal, uint256 ours);
    event PeerGasUsed(string operation, string peer, uint256 theirs);

    uint256 private constant GOAL = 500;
    uint256 private constant GOAL_NET = GOAL + 200;

    IOutflow private _bare;
    IOutflow private _bareHost;
    IOutflow private _gross;
    IOutflow private _net;
    IOutflow private _oz;
    IOutflow private _ccip;
    IOutflow private _lz;

    function setUp() public {
        vm.warp(1_700_000_000);
        _bare = new BareSlot();
        _bareHost = new BareHost();
        _gross = new GrossHost();
        _net = new NetHost();
        _oz = new OzBucket(CAP, WINDOW);
        _ccip = new CcipBucket(CAP, WINDOW);
        _lz = new LzBucket(CAP, WINDOW);
        vm.warp(1_700_001_000);
        // Nobody pays for a fresh slot.
        _oz.outflow(ASSET, 1);
        _ccip.outflow(ASSET, 1);
        _lz.outflow(ASSET, 1);
        vm.warp(1_700_002_000);
    }

    function test_Gas_Limiter() public {
        uint256 ours = _cost(_gross) - _cost(_bareHost);
        uint256 bare = _cost(_bare);
        emit GasUsed("limiter, over a bare SSTORE", GOAL, ours);
        _peer("OpenZeppelin 5.7 RefillingBucket", ours, _cost(_oz) - bare);
        _peer("Chainlink CCIP TokenBucket", ours, _cost(_ccip) - bare);
        _peer("LayerZero RateLimiter", ours, _cost(_lz) - bare);
        atMost(ours, GOAL, "limiter, over a bare SSTORE");
    }

    function test_Gas_LimiterNet() public {
        uint256 ours = _cost(_net) - _cost(_bareHost);
        emit GasUsed("limiter net of inflow, over a bare SSTORE", GOAL_NET, ours);
        atMost(ours, GOAL_NET, "limiter net of inflow, over a bare SSTORE");
    }

    function _peer(string memory peer, uint256 ours, uint256 theirs) private {
        emit PeerGasUsed("limiter, over a bare SSTORE", peer, theirs);
        atMost(ours, theirs, peer);
    }

    function _cost(IOutflow target) private returns (uint256 gas) {
        gas = gasleft();
        target.outflow(address(0xacc), 5e18);
        gas -= gasleft();
    }
}
