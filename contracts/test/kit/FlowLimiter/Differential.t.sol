// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {Assert} from "../../utils/Assert.sol";
import {LimitedVault} from "./LimitedVault.sol";
import {CcipBucket, IOutflow, LzBucket, OzBucket} from "./Peers.sol";

/// @notice Ours admits no more than the limiters in use elsewhere: each schedule of outflows that ours lets pass, they let pass too.
contract FlowLimiterDifferential is Assert {
    uint256 private constant STEPS = 40;
    bytes32 private constant KEY = keccak256("asset");

    uint256 private _random;

    function testFuzz_NoMoreThanOpenZeppelin(uint256 seed) public {
        (uint256 cap, uint24 window) = _parameters(seed);
        _compare(cap, window, new OzBucket(cap, window));
    }

    function testFuzz_NoMoreThanLayerZero(uint256 seed) public {
        (uint256 cap, uint24 window) = _parameters(seed);
        _compare(cap, window, new LzBucket(cap, window));
    }

    function testFuzz_NoMoreThanCcip(uint256 seed) public {
        (uint256 cap, uint24 window) = _parameters(seed);
        // A rate that both can express: whole base units a second.
        cap -= cap % window;
        _compare(cap, window, new CcipBucket(cap, window));
    }

    /// @dev Caps from 2^60 base units on, where a unit of ours is not finer than theirs. Below, they lose refill that ours keeps.
    function _parameters(uint256 seed) private returns (uint256 cap, uint24 window) {
        vm.warp(1_700_000_000);
        _random = seed;
        window = uint24(1 + _draw(30 days));
        cap = 2 ** 60 + window + _draw(2 ** (61 + _draw(60)));
    }

    function _compare(uint256 cap, uint24 window, IOutflow peer) private {
        // A whole window, for the one that starts empty.
        vm.warp(block.timestamp + window);
        LimitedVault ours = new LimitedVault(IFailSafeController(address(1)), 72 hours, 10_000);
        ours.setLimit(KEY, cap, window, 1, true);
        uint256 total;
        for (uint256 i = 0; i < STEPS; ++i) {
            uint256 pick = _draw(4);
            vm.warp(block.timestamp + (pick == 0 ? 0 : pick == 1 ? 1 : pick == 2 ? _draw(60) : _draw(window)));
            uint256 most = ours.available(KEY);
            // Every other outflow takes all that ours has.
            uint256 amount = _draw(2) == 0 ? most : _draw(most + 1);
            ours.spend(Classes.EXIT, KEY, address(1), amount);
            peer.outflow(address(1), amount);
            total += amount;
        }
        atLeast(total, cap / 2, "the schedule is not idle");
    }

    function _draw(uint256 bound) private returns (uint256) {
        _random = uint256(keccak256(abi.encode(_random)));
        return _random % bound;
    }
}
