// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DrillTimelock} from "../../src/drill/DrillTimelock.sol";
import {DrillToken} from "../../src/drill/DrillToken.sol";
import {LendingMarket} from "../../src/drill/LendingMarket.sol";
import {LendingVault} from "../../src/drill/LendingVault.sol";
import {Vm} from "../utils/Vm.sol";
import {World} from "./World.sol";

/// @notice Who may do what: roles, the bounded pause, fixed slots, the timelock.
contract AuthorityTest is World {
    address private constant STRANGER = address(0xbad);

    function _patched() internal pure override returns (bool) {
        return false;
    }

    // ---- roles

    function test_OnlyTheOwnerAdministers() public {
        bytes[6] memory calls = [
            abi.encodeCall(LendingMarket.transferOwnership, (STRANGER)),
            abi.encodeCall(LendingMarket.setGuardian, (STRANGER)),
            abi.encodeCall(LendingMarket.setOracle, (STRANGER)),
            abi.encodeCall(LendingMarket.setCollateralFactor, (address(usdc), 1)),
            abi.encodeCall(LendingMarket.listVault, (address(usdc), 1, 1)),
            abi.encodeCall(LendingMarket.unpause, ())
        ];
        for (uint256 i = 0; i < calls.length; i++) {
            _expectRefused(STRANGER, calls[i], "owner");
            _expectRefused(GUARDIAN, calls[i], "owner");
        }
    }

    function test_OnlyOracleAndOwnerSetPrices() public {
        market.setOracle(BORROWER);
        vm.prank(BORROWER);
        market.setPrice(address(usdc), 2e8);
        market.setPrice(address(usdc), 1e8);
        _expectRefused(STRANGER, abi.encodeCall(LendingMarket.setPrice, (address(usdc), 5e8)), "oracle");
        vm.expectRevert(
            abi.encodeWithSelector(LendingMarket.PriceOutOfRange.selector, uint256(0), uint256(type(uint128).max))
        );
        market.setPrice(address(usdc), 0);
    }

    function test_OnlyTheMarketMovesVaultMoney() public {
        vm.startPrank(STRANGER);
        bytes memory refusal = abi.encodeWithSelector(LendingVault.NotMarket.selector, STRANGER);
        vm.expectRevert(refusal);
        usdc.lend(STRANGER, 1);
        vm.expectRevert(refusal);
        usdc.collect(SUPPLIER, STRANGER, 1);
        vm.expectRevert(refusal);
        usdc.seize(SUPPLIER, STRANGER, 1);
        vm.stopPrank();
    }

    function test_OnlyTheDeployerMints() public {
        DrillToken token = _token(usdc);
        vm.expectRevert(abi.encodeWithSelector(DrillToken.NotDeployer.selector, STRANGER));
        vm.prank(STRANGER);
        token.mint(STRANGER, 1);
    }

    function test_ListingBounds() public {
        vm.expectRevert(abi.encodeWithSelector(LendingMarket.AlreadyListed.selector, address(usdc)));
        market.listVault(address(usdc), 1e8, 1);

        LendingMarket other = new LendingMarket(address(this), GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(LendingMarket.ForeignVault.selector, address(usdc), address(market)));
        other.listVault(address(usdc), 1e8, 1);

        LendingVault fresh = _vault(_token(usdc), "again");
        vm.expectRevert(
            abi.encodeWithSelector(LendingMarket.CollateralFactorOutOfRange.selector, uint16(9_001), uint16(9_000))
        );
        market.listVault(address(fresh), 1e8, 9_001);
        vm.expectRevert(abi.encodeWithSelector(LendingMarket.NotListed.selector, address(fresh)));
        market.borrow(address(fresh), 1);

        for (uint256 i = market.vaults().length; i < market.MAX_VAULTS(); i++) {
            market.listVault(address(_vault(_token(usdc), "more")), 1e8, 0);
        }
        vm.expectRevert(abi.encodeWithSelector(LendingMarket.TooManyVaults.selector, uint256(16)));
        market.listVault(address(fresh), 1e8, 0);
    }

    // ---- pause

    function test_PauseClosesEverythingButRepay() public {
        _openLoan(20_000);
        _supply(LIQUIDATOR, dai, 100e18);
        _fund(LIQUIDATOR, usdc, 20_000e6);
        _fund(BORROWER, usdc, 0);
        market.setPrice(address(weth), 2_400e8);
        vm.prank(GUARDIAN);
        market.pauseFor(1 hours);
        yes(market.paused(), "paused");

        bytes memory refusal =
            abi.encodeWithSelector(LendingMarket.MarketPaused.selector, uint64(block.timestamp + 1 hours));
        vm.startPrank(LIQUIDATOR);
        vm.expectRevert(refusal);
        usdc.deposit(1e6, LIQUIDATOR);
        vm.expectRevert(refusal);
        dai.withdraw(1e18, LIQUIDATOR, LIQUIDATOR);
        vm.expectRevert(refusal);
        dai.redeem(1e18, LIQUIDATOR, LIQUIDATOR);
        vm.expectRevert(refusal);
        // forge-lint: disable-next-line(erc20-unchecked-transfer)
        dai.transfer(BORROWER, 1e18);
        vm.expectRevert(refusal);
        market.borrow(address(usdc), 1);
        vm.expectRevert(refusal);
        market.liquidate(BORROWER, address(usdc), address(weth), 1e6);
        vm.stopPrank();

        vm.prank(BORROWER);
        eq(market.repay(address(usdc), 5_000e6), 5_000e6, "repaid while paused");
    }

    function test_PauseEndsByItself() public {
        vm.prank(GUARDIAN);
        market.pauseFor(1 hours);
        vm.warp(block.timestamp + 1 hours - 1);
        yes(market.paused(), "last second");
        vm.warp(block.timestamp + 1);
        yes(!market.paused(), "over");
        _supply(BORROWER, usdc, 1e6);
    }

    function test_PauseIsBounded() public {
        _expectRefused(STRANGER, abi.encodeCall(LendingMarket.pauseFor, (1)), "guardian");
        _expectRefused(address(this), abi.encodeCall(LendingMarket.pauseFor, (1)), "guardian");
        uint64[2] memory outside = [uint64(0), 72 hours + 1];
        for (uint256 i = 0; i < outside.length; i++) {
            vm.expectRevert(
                abi.encodeWithSelector(LendingMarket.PauseOutOfRange.selector, outside[i], uint64(1), uint64(72 hours))
            );
            vm.prank(GUARDIAN);
            market.pauseFor(outside[i]);
        }
    }

    function testFuzz_PauseOnlyExtends(uint64 first, uint64 wait, uint64 second) public {
        first = uint64(clamp(first, 1, 72 hours));
        second = uint64(clamp(second, 1, 72 hours));
        wait = uint64(clamp(wait, 0, 96 hours));
        vm.prank(GUARDIAN);
        market.pauseFor(first);
        uint64 until = market.pausedUntil();
        vm.warp(block.timestamp + wait);
        vm.prank(GUARDIAN);
        market.pauseFor(second);
        atLeast(market.pausedUntil(), until, "never shortened");
        atMost(market.pausedUntil(), block.timestamp + 72 hours, "never beyond the bound");
        yes(market.paused(), "paused");
    }

    function test_OnlyTheOwnerLiftsEarly() public {
        vm.prank(GUARDIAN);
        market.pauseFor(72 hours);
        _expectRefused(GUARDIAN, abi.encodeCall(LendingMarket.unpause, ()), "owner");
        vm.expectEmit(true, true, true, true, address(market));
        emit LendingMarket.Unpaused(address(this));
        market.unpause();
        yes(!market.paused(), "lifted");
    }

    // ---- slots

    function test_SlotsAreWhereTheDocumentationSays() public {
        vm.prank(GUARDIAN);
        market.pauseFor(1 hours);
        market.setOracle(LIQUIDATOR);
        eq(uint256(vm.load(address(market), bytes32(0))), uint160(address(this)), "slot 0");
        uint256 slot1 = (uint256(market.pausedUntil()) << 160) | uint160(GUARDIAN);
        eq(uint256(vm.load(address(market), bytes32(uint256(1)))), slot1, "slot 1");
        eq(uint256(vm.load(address(market), bytes32(uint256(2)))), uint160(LIQUIDATOR), "slot 2");
    }

    // ---- timelock

    function test_AuthorisedChangeCarriesAMaturedId() public {
        DrillTimelock timelock = new DrillTimelock(address(this), 2 days);
        market.transferOwnership(address(timelock));
        bytes memory change = abi.encodeCall(LendingMarket.transferOwnership, (BORROWER));
        bytes32 id = timelock.schedule(address(market), change, 2 days);
        yes(!timelock.isOperationReady(id), "waits");

        vm.expectRevert(abi.encodeWithSelector(DrillTimelock.NotReady.selector, id, uint64(block.timestamp + 2 days)));
        timelock.execute(address(market), change);

        vm.warp(block.timestamp + 2 days);
        yes(timelock.isOperationReady(id), "matured");
        vm.recordLogs();
        vm.prank(STRANGER);
        timelock.execute(address(market), change);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq(uint256(logs[0].topics[0]), uint256(LendingMarket.OwnershipTransferred.selector), "change");
        eq(uint256(logs[1].topics[0]), uint256(DrillTimelock.CallExecuted.selector), "carried out");
        eq(uint256(logs[1].topics[1]), uint256(id), "its id");
        eq(market.owner(), BORROWER, "owner");
        yes(!timelock.isOperationReady(id), "used up");
    }

    function test_StolenOwnerKeyChangeCarriesNoId() public {
        market.transferOwnership(BORROWER);
        vm.recordLogs();
        vm.prank(BORROWER);
        market.transferOwnership(STRANGER);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq(logs.length, 1, "one event only");
        eq(uint256(logs[0].topics[0]), uint256(LendingMarket.OwnershipTransferred.selector), "the change");
    }

    function test_TimelockBounds() public {
        DrillTimelock timelock = new DrillTimelock(address(this), 2 days);
        bytes memory change = abi.encodeCall(LendingMarket.unpause, ());
        vm.expectRevert(abi.encodeWithSelector(DrillTimelock.NotProposer.selector, STRANGER));
        vm.prank(STRANGER);
        timelock.schedule(address(market), change, 2 days);
        vm.expectRevert(
            abi.encodeWithSelector(DrillTimelock.DelayTooShort.selector, uint64(2 days - 1), uint64(2 days))
        );
        timelock.schedule(address(market), change, 2 days - 1);

        bytes32 id = timelock.schedule(address(market), change, 2 days);
        vm.expectRevert(
            abi.encodeWithSelector(DrillTimelock.AlreadyScheduled.selector, id, uint64(block.timestamp + 2 days))
        );
        timelock.schedule(address(market), change, 2 days);
        timelock.cancel(id);
        vm.expectRevert(abi.encodeWithSelector(DrillTimelock.NotReady.selector, id, uint64(0)));
        timelock.execute(address(market), change);

        // The timelock is not the owner here, so the call fails and the operation stays ready.
        timelock.schedule(address(market), change, 2 days);
        vm.warp(block.timestamp + 2 days);
        vm.expectPartialRevert(DrillTimelock.CallFailed.selector);
        timelock.execute(address(market), change);
        yes(timelock.isOperationReady(id), "still ready");
    }

    function _expectRefused(address caller, bytes memory data, bytes32 role) private {
        vm.prank(caller);
        (bool ok, bytes memory reason) = address(market).call(data);
        yes(!ok, "refused");
        bytes memory want = abi.encodeWithSelector(LendingMarket.Unauthorised.selector, caller, role);
        eq(uint256(keccak256(reason)), uint256(keccak256(want)), "typed reason");
    }
}
