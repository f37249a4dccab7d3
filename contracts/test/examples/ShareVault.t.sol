// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {OutflowMeter} from "../../examples/OutflowMeter.sol";
import {ShareVault} from "../../examples/ShareVault.sol";
import {Classes} from "../../src/kit/Classes.sol";
import {FailSafe} from "../../src/kit/FailSafe.sol";
import {FlowLimiter} from "../../src/kit/FlowLimiter.sol";
import {IToken} from "../../src/kit/SafeToken.sol";
import {Seats} from "../../src/kit/controller/Seats.sol";
import {Rounds} from "../../src/kit/exit/Rounds.sol";
import {ExampleWorld} from "./ExampleWorld.sol";

contract ShareVaultTest is ExampleWorld {
    uint256 private constant CAP = 1_000e18;

    ShareVault private vault;
    OutflowMeter private meter;
    bytes32 private key;

    /// @dev Two depositors with 6 000 and 4 000, and a manager with profit to report.
    function setUp() public override {
        super.setUp();
        _give(usd, ALICE, 10_000e18);
        _give(usd, BOB, 4_000e18);
        _give(usd, TREASURY, 700e18);
        vm.prank(ALICE);
        vault.deposit(6_000e18, ALICE);
        vm.prank(BOB);
        vault.deposit(4_000e18, BOB);
    }

    function _build() internal override returns (FailSafe) {
        vault = new ShareVault(IToken(address(usd)), TREASURY, CAP, 1 days, _bounds(_one(address(usd)), true));
        (meter, key) = (vault.meter(), vault.outflow());
        return vault;
    }

    function _listings() internal view override returns (Rounds.Listing[] memory list) {
        list = new Rounds.Listing[](1);
        list[0] = Rounds.Listing(address(usd), address(target), false);
    }

    function test_NormalLife() public {
        vm.prank(TREASURY);
        vault.report(700e18);
        vm.warp(block.timestamp + 7 days);
        eq(vault.convertToAssets(vault.balanceOf(ALICE)), 6_378e18 - 1, "with its part of 630, rounded down");
        vm.startPrank(ALICE);
        vault.withdraw(600e18, ALICE, ALICE);
        vault.transfer(BOB, vault.balanceOf(ALICE) / 2);
        vault.approve(BOB, type(uint256).max);
        vm.stopPrank();
        vm.startPrank(BOB);
        uint256 shares = vault.balanceOf(ALICE) / 100;
        atLeast(vault.redeem(shares, BOB, ALICE), 28e18, "a spender redeems");
        vault.transferFrom(ALICE, BOB, shares);
        vm.stopPrank();
        vault.collectFees();
        eq(usd.balanceOf(TREASURY), 70e18, "a tenth of the profit");
        eq(usd.balanceOf(ALICE), 4_600e18, "paid");
    }

    function test_AHaltClosesAllButReduceRiskAndClaim() public {
        vm.startPrank(ALICE);
        vault.approve(BOB, type(uint256).max);
        vm.stopPrank();
        vm.prank(TREASURY);
        vault.report(350e18);
        eq(_trip(_halt(72 hours)), 1, "the one target holds it");
        _closedFor(ALICE);
        vault.deposit(1e18, ALICE);
        _closedFor(ALICE);
        vault.withdraw(1e18, ALICE, ALICE);
        _closedFor(ALICE);
        vault.redeem(1e18, ALICE, ALICE);
        _closedFor(ALICE);
        vault.transfer(BOB, 1e18);
        _closedFor(BOB);
        vault.transferFrom(ALICE, BOB, 1e18);
        vm.prank(TREASURY);
        vault.report(350e18);
        vault.collectFees();
        eq(usd.balanceOf(TREASURY), 70e18, "claimed in a halt");
        vm.prank(ALICE);
        vault.approve(BOB, 0);
        eq(vault.allowance(ALICE, BOB), 0, "an approval can be taken back");
    }

    function test_ARestrictionClosesOtherPeoplesAllowances() public {
        vm.prank(ALICE);
        vault.approve(BOB, type(uint256).max);
        _trip(_restrict(24 hours));
        _closedFor(BOB);
        vault.withdraw(1e18, BOB, ALICE);
        _closedFor(ALICE);
        vault.deposit(1e18, ALICE);
        vm.prank(ALICE);
        vault.withdraw(1e18, ALICE, ALICE);
        eq(meter.available(key), CAP / 2 - 1e18, "at half the limit");
    }

    /// @dev Whoever has the key of a large depositor, or any hole in the share count, takes no more in one transaction.
    function test_ADrainEndsAtTheLimit() public {
        vm.startPrank(ALICE);
        uint256 taken;
        for (uint256 i; i < 60; ++i) {
            try vault.withdraw(100e18, THIEF, ALICE) {
                taken += 100e18;
            } catch {}
        }
        vm.stopPrank();
        eq(taken, CAP, "the cap, to the unit");
        eq(usd.balanceOf(THIEF), CAP, "and no more arrived");
        vm.warp(block.timestamp + 12 hours);
        _beyondLimitFor(ALICE);
        vault.withdraw(CAP / 2 + 1e18, THIEF, ALICE);
        vm.prank(ALICE);
        vault.withdraw(CAP / 2 - 1e18, THIEF, ALICE);
    }

    function test_ARoundTripUsesNoLimitUp() public {
        vm.startPrank(ALICE);
        vault.deposit(4_000e18, ALICE);
        vault.withdraw(4_000e18 - 1, ALICE, ALICE);
        vm.stopPrank();
        eq(meter.available(key), CAP, "nobody was shut out by it");
    }

    function test_TheMeterServesItsPayerOnly() public {
        vm.expectRevert(abi.encodeWithSelector(OutflowMeter.NotPayer.selector, address(this)));
        meter.charge(Classes.EXIT, key, ALICE, 1);
        vm.expectRevert(abi.encodeWithSelector(OutflowMeter.NotPayer.selector, address(this)));
        meter.noteInflow(address(usd), ALICE, 1);
        vm.expectRevert(abi.encodeWithSelector(OutflowMeter.NotPayer.selector, address(this)));
        meter.limit("other", 1e18, 1 days, 1);
    }

    function test_GuardiansOfTheVaultLowerItsLimit() public {
        uint40 deadline = uint40(block.timestamp + 1 hours);
        bytes32 typeHash = keccak256("LowerCap(bytes32 key,uint256 from,uint256 to,uint32 epoch,uint40 deadline)");
        bytes32 content = keccak256(abi.encode(typeHash, key, CAP, CAP / 2, uint32(0), deadline));
        bytes32 domainType =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 name = keccak256("Ripcord FlowLimiter");
        bytes32 domain = keccak256(abi.encode(domainType, name, keccak256("1"), block.chainid, address(meter)));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, content));
        bytes[] memory alone = _signDigest(digest, 0, 1);
        vm.expectPartialRevert(Seats.ThresholdNotMet.selector);
        meter.lowerCapBySig(key, CAP, CAP / 2, deadline, 0, alone);
        meter.lowerCapBySig(key, CAP, CAP / 2, deadline, 0, _signDigest(digest, 0, 2));
        eq(meter.available(key), CAP / 2, "at once");
        vm.expectPartialRevert(FlowLimiter.NotLimitAuthority.selector);
        meter.lowerCap(key, CAP / 4);
        _council();
        meter.lowerCap(key, CAP / 4);
        eq(meter.available(key), CAP / 4, "by the council too");
    }

    function test_ProfitStandsStillWhileFrozen() public {
        vm.prank(TREASURY);
        vault.report(700e18);
        vm.warp(block.timestamp + 1 days);
        eq(vault.lockedProfit(), 540e18, "a seventh of 630 came out");
        _haltUntilS1();
        eq(vault.frozenSeconds(), 78 hours, "halt and S0");
        eq(vault.lockedProfit(), 540e18, "not a second of them counts");
        vm.warp(block.timestamp + 1 days);
        eq(vault.lockedProfit(), 450e18, "and on it goes");
    }

    function test_S1PaysEntitlementsWithinTheLimit() public {
        _owed(address(usd), ALICE, 200e18);
        _owed(address(usd), THIEF, 0);
        uint256 shares = vault.balanceOf(BOB);
        vm.prank(BOB);
        vault.transfer(THIEF, shares);
        _haltUntilS1();
        kit.exit.pin(MARKET, ID);
        _register(address(usd), ALICE);
        _register(address(usd), THIEF);
        _closedFor(ALICE);
        vault.deposit(1e18, ALICE);
        _beyondEntitlementFor(THIEF);
        vault.withdraw(1, THIEF, THIEF);
        _beyondEntitlementFor(ALICE);
        vault.withdraw(200e18 + 1, ALICE, ALICE);
        vm.prank(ALICE);
        vault.withdraw(150e18, ALICE, ALICE);
        shares = vault.convertToShares(51e18);
        _beyondEntitlementFor(ALICE);
        vault.transfer(BOB, shares);
        eq(meter.available(key), CAP / 4 - 150e18, "S1 lets a quarter of the limit out");
    }

    function test_ExitSurrendersAllButTheFees() public {
        vm.prank(TREASURY);
        vault.report(700e18);
        _owed(address(usd), ALICE, 6_000e18);
        _owed(address(usd), BOB, 4_000e18);
        facts.setTotal(ID, address(usd), 10_000e18);
        uint256 round = _openExit();
        kit.exit.activate(round, address(usd));
        eq(vault.failsafeSurrender(address(usd)), 10_630e18, "the free balance");
        eq(usd.balanceOf(address(vault)), 70e18, "what is owed to the manager stays");
        vault.collectFees();
        vm.warp(block.timestamp + 14 days);
        eq(_claims(round, usd, ALICE), 6_000e18, "paid with no key of ours");
        eq(_claims(round, usd, BOB), 4_000e18, "in full");
        yes(vault.failsafeOpen(Classes.CLAIM) && !vault.failsafeOpen(Classes.EXIT), "for ever");
    }
}
