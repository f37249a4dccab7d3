// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {PerpetualVenue} from "../../examples/PerpetualVenue.sol";
import {FailSafe} from "../../src/kit/FailSafe.sol";
import {IToken} from "../../src/kit/SafeToken.sol";
import {Rounds} from "../../src/kit/exit/Rounds.sol";
import {ExampleWorld} from "./ExampleWorld.sol";

/// @dev Without an entitlement source: in S1..S3 the limit alone bounds what is paid.
contract PerpetualVenueTest is ExampleWorld {
    uint256 private constant CAP = 800e18;

    PerpetualVenue private venue;

    /// @dev The pool has 5 000; Alice is long 50 at 100 with 1 000, Bob has 1 000 and no position.
    function setUp() public override {
        super.setUp();
        _give(usd, ALICE, 2_000e18);
        _give(usd, BOB, 1_000e18);
        _give(usd, TREASURY, 5_000e18);
        vm.prank(TREASURY);
        venue.back(5_000e18);
        vm.prank(BOB);
        venue.deposit(1_000e18);
        vm.startPrank(ALICE);
        venue.deposit(1_000e18);
        venue.increase(50e18);
        vm.stopPrank();
        _publish(100e18);
        venue.settle(ALICE);
    }

    function _build() internal override returns (FailSafe) {
        venue = new PerpetualVenue(
            IToken(address(usd)), ORACLE, TREASURY, 90e18, CAP, 1 days, _bounds(_one(address(usd)), false)
        );
        return venue;
    }

    function _listings() internal view override returns (Rounds.Listing[] memory list) {
        list = new Rounds.Listing[](1);
        list[0] = Rounds.Listing(address(usd), address(target), false);
    }

    function _publish(int256 price) private {
        vm.prank(ORACLE);
        venue.publish(price);
    }

    function _margin(address account) private view returns (uint256) {
        (int256 margin,,,) = venue.accountOf(account);
        return uint256(margin);
    }

    function _size(address account) private view returns (uint256) {
        (, int256 size,,) = venue.accountOf(account);
        return uint256(size);
    }

    function test_NormalLife() public {
        eq(_margin(ALICE), 997.5e18, "less the fee on 5 000");
        vm.prank(ALICE);
        venue.reduce(-50e18);
        vm.expectPartialRevert(PerpetualVenue.NothingToSettle.selector);
        venue.settle(ALICE);
        _publish(110e18);
        venue.settle(ALICE);
        eq(_size(ALICE), 0, "closed");
        eq(_margin(ALICE), 997.5e18 + 500e18 - 2.75e18, "with the profit of the next price");
        vm.prank(ALICE);
        venue.withdraw(700e18);
        venue.collectFees();
        eq(usd.balanceOf(TREASURY), 5.25e18, "both fees");
        vm.prank(BOB);
        venue.increase(90e18);
        _publish(100e18);
        venue.settle(BOB);
        _publish(93e18);
        vm.prank(THIEF);
        venue.liquidate(BOB);
        eq(_margin(THIEF), 83.7e18, "one percent of the position");
        eq(
            usd.balanceOf(address(venue)),
            uint256(venue.pool()) + _margin(ALICE) + _margin(BOB) + _margin(THIEF) + venue.feesOwed(),
            "whole"
        );
    }

    function test_AHaltClosesAllButReduceRiskAndClaim() public {
        vm.prank(BOB);
        venue.increase(10e18);
        _publish(101e18);
        _trip(_halt(72 hours));
        _closedFor(BOB);
        venue.deposit(1e18);
        _closedFor(BOB);
        venue.withdraw(1e18);
        _closedFor(BOB);
        venue.increase(1e18);
        _closedFor(ORACLE);
        venue.publish(90e18);
        _closedFor(THIEF);
        venue.liquidate(ALICE);
        // Bob's order was good before; now it would add risk.
        _closedFor(THIEF);
        venue.settle(BOB);
        vm.prank(BOB);
        venue.reduce(0);
        venue.collectFees();
        eq(usd.balanceOf(TREASURY), 2.5e18, "claimed in a halt");
        vm.startPrank(ALICE);
        venue.addMargin(500e18);
        venue.reduce(-50e18);
        vm.stopPrank();
        vm.warp(block.timestamp + 78 hours);
        uint256 before = _margin(ALICE);
        _publish(95e18);
        venue.settle(ALICE);
        eq(_size(ALICE), 0, "closed at the first price after the halt");
        atMost(_margin(ALICE), before - 250e18, "at what it was then");
    }

    /// @dev A price that is a lie makes the thief rich on paper; what leaves is the limit.
    function test_ADrainEndsAtTheLimit() public {
        _publish(180e18);
        vm.startPrank(ALICE);
        uint256 taken;
        for (uint256 i; i < 40; ++i) {
            try venue.withdraw(100e18) {
                taken += 100e18;
            } catch {}
        }
        vm.stopPrank();
        eq(taken, CAP, "the cap, to the unit");
    }

    function test_FundingStandsStillWhileFrozen() public {
        vm.warp(block.timestamp + 1 days);
        _publish(100e18);
        int256 paid = venue.fundingIndex();
        eq(uint256(paid), 86_400 * 100e9, "a day of it");
        _haltUntilS1();
        _publish(100e18);
        eq(uint256(venue.fundingIndex()), uint256(paid), "not a second of halt and S0 counts");
        vm.warp(block.timestamp + 1 days);
        _publish(100e18);
        eq(uint256(venue.fundingIndex()), 2 * uint256(paid), "and on it goes");
    }

    function test_S1PaysWithinTheLimit() public {
        _haltUntilS1();
        _closedFor(BOB);
        venue.deposit(1e18);
        _beyondLimitFor(BOB);
        venue.withdraw(CAP / 4 + 1e18);
        vm.prank(BOB);
        venue.withdraw(CAP / 4);
        eq(usd.balanceOf(BOB), 200e18, "a quarter of the limit");
        (,, bool bounded) = controller.worstCase(MARKET);
        yes(!bounded, "and whoever asks is told that nothing else bounds it");
    }

    function test_ExitSurrendersAllButTheFees() public {
        _owed(address(usd), ALICE, 1_000e18);
        _owed(address(usd), BOB, 1_000e18);
        facts.setTotal(ID, address(usd), 2_000e18);
        uint256 round = _openExit();
        kit.exit.activate(round, address(usd));
        eq(venue.failsafeSurrender(address(usd)), 7_000e18 - 2.5e18, "the free balance");
        venue.collectFees();
        eq(usd.balanceOf(address(venue)), 0, "the fees were all that was kept");
        vm.prank(ALICE);
        venue.addMargin(10e18);
        eq(venue.failsafeSurrender(address(usd)), 10e18, "what comes later follows");
        vm.warp(block.timestamp + 14 days);
        eq(_claims(round, usd, ALICE), 1_000e18, "the margin of the checkpoint");
        eq(_claims(round, usd, BOB), 1_000e18, "in full");
    }
}
