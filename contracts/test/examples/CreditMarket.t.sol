// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CreditMarket} from "../../examples/CreditMarket.sol";
import {Classes} from "../../src/kit/Classes.sol";
import {FailSafe} from "../../src/kit/FailSafe.sol";
import {IToken} from "../../src/kit/SafeToken.sol";
import {Rounds} from "../../src/kit/exit/Rounds.sol";
import {ExampleWorld} from "./ExampleWorld.sol";

contract CreditMarketTest is ExampleWorld {
    uint256 private constant CASH_CAP = 5_000e18;

    CreditMarket private market;

    /// @dev Alice lends 10 000; Bob pledges 10 gold, worth 10 000, and borrows 4 000. Limits are full again.
    function setUp() public override {
        super.setUp();
        _give(usd, ALICE, 11_000e18);
        _give(usd, BOB, 5_000e18);
        _give(usd, THIEF, 5_000e18);
        _give(gold, BOB, 11e18);
        _give(gold, THIEF, 10e18);
        vm.prank(ALICE);
        market.supply(10_000e18);
        vm.startPrank(BOB);
        market.pledge(10e18);
        market.borrow(4_000e18);
        vm.stopPrank();
        vm.warp(block.timestamp + 2 days);
    }

    function _build() internal override returns (FailSafe) {
        address[] memory assets = new address[](2);
        bool inOrder = address(usd) < address(gold);
        (assets[0], assets[1]) = inOrder ? (address(usd), address(gold)) : (address(gold), address(usd));
        market = new CreditMarket(
            [IToken(address(usd)), IToken(address(gold))],
            ORACLE,
            TREASURY,
            1_000e18,
            [CASH_CAP, 5e18, 8e18],
            1 days,
            _bounds(assets, true)
        );
        return market;
    }

    /// @dev Everybody is paid a part of both: claims are in value units of the market.
    function _listings() internal view override returns (Rounds.Listing[] memory list) {
        list = new Rounds.Listing[](2);
        list[0] = Rounds.Listing(address(usd), address(target), true);
        list[1] = Rounds.Listing(address(gold), address(target), true);
    }

    function _price(uint256 price) private {
        vm.prank(ORACLE);
        market.setPrice(price);
    }

    function test_NormalLife() public {
        uint256 debt = market.debtOf(BOB);
        vm.warp(block.timestamp + 365 days);
        uint256 interest = market.debtOf(BOB) - debt;
        yes(interest > 199e18 && interest < 201e18, "5 % a year");
        vm.startPrank(BOB);
        market.repay(BOB, 1_000e18);
        market.unpledge(4e18);
        vm.expectPartialRevert(CreditMarket.Undercollateralized.selector);
        market.unpledge(3e18);
        vm.stopPrank();
        vm.prank(ALICE);
        market.withdraw(1_000e18);
        market.collectReserves();
        atLeast(usd.balanceOf(TREASURY), 19e18, "a tenth of the interest");
        _price(600e18);
        vm.prank(THIEF);
        market.liquidate(BOB, 1_000e18);
        eq(gold.balanceOf(THIEF), 11.8e18, "1.8 gold for 1 000");
    }

    function test_AHaltClosesAllButReduceRiskAndClaim() public {
        _price(400e18);
        _trip(_halt(72 hours));
        _closedFor(ALICE);
        market.supply(1e18);
        _closedFor(ALICE);
        market.withdraw(1e18);
        _closedFor(BOB);
        market.borrow(1e18);
        _closedFor(BOB);
        market.unpledge(1e18);
        _closedFor(ORACLE);
        market.setPrice(1e18);
        _closedFor(THIEF);
        market.liquidate(BOB, 1e18);
        vm.startPrank(BOB);
        market.pledge(1e18);
        market.repay(BOB, 1_000e18);
        vm.stopPrank();
        yes(market.debtOf(BOB) < 3_002e18, "debt can be paid");
        market.collectReserves();
        atLeast(usd.balanceOf(TREASURY), 1, "and what is booked be claimed");
    }

    /// @dev Liquidation waits until the borrower had prices and time: through S1, and for the grace period.
    function test_LiquidationOpensLast() public {
        _price(400e18);
        _trip(_halt(1 hours));
        vm.warp(block.timestamp + 1 hours);
        kit.plan.notePrices(MARKET);
        vm.warp(block.timestamp + 30 hours);
        _closedFor(THIEF);
        market.liquidate(BOB, 1e18);
        kit.plan.advance(MARKET);
        vm.warp(block.timestamp + 1);
        vm.prank(THIEF);
        market.liquidate(BOB, 1e18);
    }

    /// @dev A price that is a lie lends out the limit, and not the pool.
    function test_ADrainEndsAtTheLimit() public {
        _price(1_000_000e18);
        vm.startPrank(THIEF);
        market.pledge(10e18);
        uint256 taken;
        for (uint256 i; i < 12; ++i) {
            try market.borrow(500e18) {
                taken += 500e18;
            } catch {}
        }
        vm.stopPrank();
        eq(taken, CASH_CAP, "the cap, to the unit");
        _price(400e18);
        vm.startPrank(THIEF);
        market.liquidate(BOB, 1e18);
        vm.stopPrank();
        eq(market.meter().available(market.LIQUIDATIONS()), 8e18 - 0.0027e18, "liquidators have a limit of their own");
    }

    function test_InterestStandsStillWhileFrozen() public {
        _trip(_halt(72 hours));
        uint256 debt = market.debtOf(BOB);
        vm.warp(block.timestamp + 78 hours);
        eq(market.debtOf(BOB), debt, "through halt and S0");
        market.accrue();
        eq(market.debtOf(BOB), debt, "also when booked");
        vm.warp(block.timestamp + 1 hours);
        yes(market.debtOf(BOB) > debt, "and on it goes");
    }

    function test_S1PaysEntitlementsWithinTheLimit() public {
        _owed(address(market), ALICE, 10_000e18);
        _owed(address(market), BOB, 1_000e18);
        _owed(address(market), THIEF, 0);
        _price(1_000_000e18);
        vm.startPrank(THIEF);
        market.pledge(10e18);
        market.borrow(4_000e18);
        vm.stopPrank();
        _price(1_000e18);
        _haltUntilS1();
        kit.exit.pin(MARKET, ID);
        _register(address(market), ALICE);
        _register(address(market), BOB);
        _register(address(market), THIEF);
        // Ten gold count for 500 each, whatever the oracle said, and 4 000 were taken.
        eq(kit.exit.withdrawable(address(market), address(market), THIEF), 1_000e18, "what is left of the thief's own");
        _beyondEntitlementFor(THIEF);
        market.unpledge(3e18);
        vm.startPrank(BOB);
        market.repay(BOB, 3_000e18);
        market.unpledge(1.25e18);
        vm.stopPrank();
        eq(market.meter().available(market.collateralOut()), 0, "a quarter of 5 gold");
        vm.prank(ALICE);
        market.withdraw(1_000e18);
        _closedFor(BOB);
        market.borrow(1);
    }

    function test_ExitSurrendersAllButTheReserves() public {
        _owed(address(market), ALICE, 10_000e18);
        _owed(address(market), BOB, 1_000e18);
        facts.setTotal(ID, address(market), 11_000e18);
        vm.warp(block.timestamp + 365 days);
        _beatAllAnew();
        market.accrue();
        uint256 kept = market.reserves();
        uint256 round = _openExit();
        kit.exit.activate(round, address(usd));
        kit.exit.activate(round, address(gold));
        eq(market.failsafeSurrender(address(usd)), 6_000e18 - kept, "cash, but the reserves");
        eq(market.failsafeSurrender(address(gold)), 10e18, "collateral");
        market.collectReserves();
        eq(usd.balanceOf(TREASURY), kept, "the treasury's part");
        vm.prank(BOB);
        market.repay(BOB, 1_100e18);
        eq(market.failsafeSurrender(address(usd)), 1_100e18, "what is paid back later follows");
        vm.warp(block.timestamp + 14 days);
        eq(_claims(round, gold, ALICE), uint256(10e18) * 10 / 11, "by value");
        eq(_claims(round, gold, BOB), uint256(10e18) / 11, "in both assets");
        atLeast(_claims(round, usd, ALICE), 6_400e18, "ten parts of eleven");
        yes(market.failsafeOpen(Classes.REDUCE_RISK), "debts can be paid for ever");
    }

    /// @dev After a year of silence the council seats the guardians anew.
    function _beatAllAnew() private {
        Settings memory s = _settings();
        for (uint8 i; i < 2; ++i) {
            Group memory g = s.scopes[0].groups[i];
            _council();
            controller.setGroup(MARKET, i, g.threshold, g.maxMode, g.maxDuration, g.signers);
        }
        _beatAll(MARKET);
    }
}
