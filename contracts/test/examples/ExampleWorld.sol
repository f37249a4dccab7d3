// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Deployment} from "../../script/Deployment.sol";
import {FailSafe} from "../../src/kit/FailSafe.sol";
import {FlowLimiter} from "../../src/kit/FlowLimiter.sol";
import {IToken} from "../../src/kit/SafeToken.sol";
import {ExitCause, Mode} from "../../src/kit/Types.sol";
import {AttestedLedger} from "../../src/kit/exit/AttestedLedger.sol";
import {Rounds} from "../../src/kit/exit/Rounds.sol";
import {IExitFunding} from "../../src/kit/interfaces/IExitFunding.sol";
import {IFailSafe} from "../../src/kit/interfaces/IFailSafe.sol";
import {IEntitlementLimit, ILedgerCheckpoint} from "../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {IProbe} from "../../src/kit/interfaces/ISensors.sol";
import {MockCheckpoint} from "../kit/EmergencyExit/Mocks.sol";
import {PlainToken} from "../kit/EmergencyExit/Tokens.sol";
import {ControllerWorld} from "../kit/FailSafeController/ControllerWorld.sol";
import {Health} from "../kit/FailSafeController/RealWorld.sol";

/// @notice One example under the whole kit, deployed by {Deployment} and handed over to the council. Only the facts of the
/// checkpoint are the test's. Keys, intents and signatures are those of {ControllerWorld}, whose own controller is replaced.
abstract contract ExampleWorld is ControllerWorld, Deployment {
    uint256 internal constant ID = 3;
    address internal constant BUILDER = address(0xB1D);
    address internal constant TREASURY = address(0x72EA);
    address internal constant ORACLE = address(0x02AC1E);
    address internal constant ALICE = address(0xA11CE);
    address internal constant BOB = address(0xB0B);
    address internal constant THIEF = address(0x7E1F);

    Kit internal kit;
    MockCheckpoint internal facts;
    Health internal health;
    PlainToken internal usd;
    PlainToken internal gold;
    FailSafe internal target;

    function setUp() public virtual override {
        super.setUp();
        (usd, gold, health) = (new PlainToken(), new PlainToken(), new Health());
        kit = _foresee(address(this), false, 0);
        vm.startPrank(BUILDER);
        target = _build();
        vm.stopPrank();
        atMost(address(target).code.length, 24_576, "EIP-170");
        kit = _deployKit(_settings(), address(this));
        controller = kit.controller;
        vm.etch(address(kit.checkpoint), address(new MockCheckpoint()).code);
        facts = MockCheckpoint(address(kit.checkpoint));
        facts.setSelected(MARKET, ID);
        vm.warp(block.timestamp + 7 days);
        _council();
        controller.acceptCouncil();
        _beatAll(MARKET);
    }

    /// @dev The example under test, by who knows of the kit only where it will be.
    function _build() internal virtual returns (FailSafe);

    function _listings() internal view virtual returns (Rounds.Listing[] memory);

    function _settings() internal view returns (Settings memory s) {
        (s.council, s.heir, s.grace, s.s0Dwell) = (COUNCIL, TREASURY, 12 hours, 6 hours);
        (s.tripFactorBps, s.blocksPerDay, s.challengeBond) = (5_000, BLOCKS_PER_DAY, BOND);
        (s.maxPriceAge, s.touchBlocks, s.ageMargin) = (1 hours, 5, 6 hours);
        (s.disputeToken, s.disputeBond, s.listings) = (IToken(address(usd)), 1e18, _listings());
        s.terms = AttestedLedger.Terms("attesters", 0, 24 hours, IToken(address(usd)), 1e18);
        s.scopes = new ScopeSettings[](2);
        s.scopes[0].scope = MARKET;
        s.scopes[0].targets = new address[](1);
        s.scopes[0].targets[0] = address(target);
        s.scopes[0].groups = new Group[](2);
        s.scopes[0].groups[0] = Group(2, Mode.HALTED, 72 hours, _signers(0, 3));
        s.scopes[0].groups[1] = Group(1, Mode.HALTED, 72 hours, _signers(3, 2));
        (s.scopes[0].sensors.solvency, s.scopes[0].sensors.deficit) = (health, health);
        s.scopes[0].sensors.probes = new IProbe[](1);
        s.scopes[0].sensors.probes[0] = health;
        s.scopes[1].scope = "attesters";
        s.scopes[1].groups = new Group[](1);
        s.scopes[1].groups[0] = Group(2, Mode.WATCH, 1 hours, _signers(0, 3));
    }

    function _bounds(address[] memory exitAssets, bool entitled) internal view returns (FailSafe.Config memory c) {
        (c.controller, c.exit) = (address(kit.controller), IExitFunding(address(kit.exit)));
        if (entitled) c.entitlements = IEntitlementLimit(address(kit.exit));
        (c.grace, c.factorFloorBps, c.exitAssets) = (12 hours, 2_500, exitAssets);
        c.dwells = [uint40(6 hours), 24 hours, 12 hours, 24 hours, 24 hours];
        c.budgets = [uint40(3.5 days), 7 days, 15 days];
    }

    function _signers(uint256 from, uint256 count) internal view returns (address[] memory signers) {
        signers = new address[](count);
        for (uint256 i; i < count; ++i) {
            signers[i] = vm.addr(keys[from + i]);
        }
    }

    function _one(address entry) internal pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = entry;
    }

    function _give(PlainToken token, address account, uint256 amount) internal {
        token.mint(account, amount);
        vm.prank(account);
        token.approve(address(target), type(uint256).max);
    }

    /// @dev The checkpoint knows that `account` was owed `amount` in `unit`, and its flows until now.
    function _owed(address unit, address account, int256 amount) internal {
        FailSafe.Flow memory f = target.flowOf(account, unit);
        facts.setEntitlement(
            ID, unit, ILedgerCheckpoint.Entitlement(account, amount, f.deposited, f.withdrawn, f.movedOut)
        );
    }

    /// @dev 72 hours of HALTED by signatures, and its S0: S1 begins in the present second.
    function _haltUntilS1() internal {
        _trip(_halt(72 hours));
        vm.warp(block.timestamp + 78 hours);
    }

    function _register(address unit, address account) internal {
        kit.exit.register(ID, unit, account, abi.encode(account));
    }

    /// @dev EXIT by the council, out of a halt.
    function _openExit() internal returns (uint256 round) {
        _trip(_halt(72 hours));
        _council();
        controller.openExit(MARKET, ExitCause.COUNCIL, abi.encode(ID));
        return kit.exit.roundOf(address(target));
    }

    function _claims(uint256 round, PlainToken token, address account) internal returns (uint256) {
        vm.prank(account);
        return kit.exit.claim(round, address(token), abi.encode(account));
    }

    function _closedFor(address caller) internal {
        vm.expectPartialRevert(IFailSafe.ActionClosed.selector);
        vm.prank(caller);
    }

    function _beyondLimitFor(address caller) internal {
        vm.expectPartialRevert(FlowLimiter.LimitExceeded.selector);
        vm.prank(caller);
    }

    function _beyondEntitlementFor(address caller) internal {
        vm.expectPartialRevert(FailSafe.BeyondEntitlement.selector);
        vm.prank(caller);
    }
}
