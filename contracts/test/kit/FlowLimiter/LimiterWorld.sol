// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FlowLimiter} from "../../../src/kit/FlowLimiter.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {Assert} from "../../utils/Assert.sol";
import {Judge, LimitedVault} from "./LimitedVault.sol";

/// @notice One vault with one hinted limit, a council and a controller.
abstract contract LimiterWorld is Assert {
    uint256 internal constant START = 1_700_000_000;
    uint256 internal constant CAP = 1_000_000e18;
    uint256 internal constant FLOOR = CAP / 4;
    uint24 internal constant WINDOW = 1 days;
    uint40 internal constant DELAY = 72 hours;
    /// @dev Of {CAP}: 80 bits, of which the bucket keeps 60.
    uint256 internal constant UNIT = 2 ** 20;

    address internal constant COUNCIL = address(0xc0c);
    address internal constant STRANGER = address(0x5712);
    address internal constant ALICE = address(0xa11ce);
    address internal constant BOB = address(0xb0b);
    address internal constant ASSET = address(0xa55e7);

    Judge internal judge;
    LimitedVault internal vault;
    bytes32 internal key;

    function setUp() public virtual {
        vm.warp(START);
        judge = new Judge(COUNCIL);
        vault = _deploy(10_000);
        key = vault.assetKey(ASSET);
        vault.setLimit(key, CAP, WINDOW, FLOOR, true);
    }

    function _deploy(uint256 shareBps) internal returns (LimitedVault) {
        return new LimitedVault(IFailSafeController(address(judge)), DELAY, shareBps);
    }

    function _spend(address account, uint256 amount) internal {
        vault.spend(Classes.EXIT, key, account, amount);
    }

    function _drain() internal {
        _spend(ALICE, vault.available(key));
        eq(vault.available(key), 0, "drained");
    }

    function _refusedSpend(address account, uint256 amount, uint256 available) internal {
        vm.expectRevert(abi.encodeWithSelector(FlowLimiter.LimitExceeded.selector, key, amount, available));
        _spend(account, amount);
    }

    function _lower(uint256 cap) internal {
        vm.prank(COUNCIL);
        vault.lowerCap(key, cap);
    }

    function _schedule(uint256 cap, uint24 window) internal returns (uint40 eta) {
        vm.prank(COUNCIL);
        eta = vault.scheduleRaise(key, cap, window);
    }

    function _skip(uint256 secs) internal {
        vm.warp(block.timestamp + secs);
    }
}
