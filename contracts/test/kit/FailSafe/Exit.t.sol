// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {FlowCounters} from "../../../src/kit/FlowCounters.sol";
import {Lock} from "../../../src/kit/Lock.sol";
import {IToken, SafeToken} from "../../../src/kit/SafeToken.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {IFailSafe, IFlowCounters} from "../../../src/kit/interfaces/IFailSafe.sol";
import {IEntitlementLimit} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {FeeToken, PlainToken} from "../EmergencyExit/Tokens.sol";
import {FailSafeWorld, RoundStub} from "./FailSafeWorld.sol";
import {GuardedVault} from "./GuardedVault.sol";

/// @notice Pays back less than it says, more than it says, nothing, or reverts.
contract StrategyStub {
    address public immutable asset;
    uint256 public shares;
    bool public broken;

    constructor(address asset_) {
        asset = asset_;
    }

    function invest(uint256 amount) external {
        shares += amount;
    }

    function setBroken(bool broken_) external {
        broken = broken_;
    }

    function maxRedeem(address) external view returns (uint256) {
        return shares;
    }

    function redeem(uint256 amount, address receiver, address) public virtual returns (uint256) {
        require(!broken, "broken");
        shares -= amount;
        IToken(asset).transfer(receiver, amount);
        return amount * 2;
    }
}

/// @notice Calls back into the vault while it pays back.
contract ReenteringStrategy is StrategyStub {
    bytes public refusal;

    constructor(address asset_) StrategyStub(asset_) {}

    function redeem(uint256 amount, address receiver, address owner) public override returns (uint256) {
        bool ok;
        (ok, refusal) = msg.sender.call(abi.encodeCall(IFailSafe.failsafeSurrender, (asset)));
        require(!ok, "reentered");
        return super.redeem(amount, receiver, owner);
    }
}

/// @notice Calls back into the vault while it hands assets over.
contract ReenteringRound is RoundStub {
    bytes public refusal;

    function fund(uint256 round, address asset, uint256 amount) external override {
        (bool ok, bytes memory answer) = msg.sender.call(abi.encodeCall(IFailSafe.failsafeSurrender, (asset)));
        require(!ok, "reentered");
        refusal = answer;
        (ok, answer) = msg.sender.staticcall(abi.encodeCall(GuardedVault.quote, ()));
        require(!ok, "read while locked");
        IToken(asset).transferFrom(msg.sender, address(this), amount);
        funded[asset] += amount + round - round;
    }
}

/// @notice Calls back into the vault while it is paid.
contract ReenteringToken is PlainToken {
    bytes public refusal;

    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        bool ok;
        (ok, refusal) = to.call(abi.encodeCall(GuardedVault.repay, (from, amount)));
        require(!ok, "reentered");
        _move(from, to, amount);
        return true;
    }
}

/// @notice Approves nothing and says so.
contract SayingNo {
    function balanceOf(address) external pure returns (uint256) {
        return 1;
    }

    function approve(address, uint256) external pure returns (bool) {
        return false;
    }
}

/// @notice EXIT at the target: no way back, and anyone may hand over what is there.
contract ExitTest is FailSafeWorld {
    StrategyStub private _strategy;

    function _config() internal view override returns (FailSafe.Config memory config) {
        config = super._config();
        config.strategies = new address[](address(_strategy) == address(0) ? 0 : 1);
        if (address(_strategy) != address(0)) config.strategies[0] = address(_strategy);
    }

    function setUp() public override {
        super.setUp();
        _strategy = new StrategyStub(address(token));
        vault = _deploy(_config());
        vm.prank(ALICE);
        token.approve(address(vault), type(uint256).max);
        vm.prank(ALICE);
        vault.deposit(100e18);
    }

    // ------------------------------------------------------------- T10

    function test_T10_ExitHasNoOutgoingEdge() public {
        _halt(1 hours);
        vault.failsafeInsolvent(true);
        _exit();
        bytes32 word = vm.load(address(vault), SLOT);
        for (uint256 day = 0; day < 3; ++day) {
            for (uint256 i = 0; i < 6 * 4 * 6; ++i) {
                Restriction memory r = _ask(Mode(i % 6), 0, 1 hours, Origin((i / 6) % 4));
                r.stage = uint8(i / 24);
                if (i % 3 == 1) r.mask = ALL;
                if (i % 3 == 2) r.until = FOREVER;
                _refused(r, abi.encodeWithSelector(IFailSafe.ExitIsTerminal.selector));
            }
            vm.expectRevert(abi.encodeWithSelector(IFailSafe.NotLive.selector));
            vault.failsafeInsolvent(true);
            vm.expectRevert(abi.encodeWithSelector(IFailSafe.NothingChanges.selector));
            vault.failsafeInsolvent(false);
            vm.expectRevert(abi.encodeWithSelector(IFailSafe.NotLive.selector));
            vault.failsafeHold(1);
            vm.expectRevert(abi.encodeWithSelector(IFailSafe.NothingChanges.selector));
            vault.failsafeSettle();
            eq(uint256(vm.load(address(vault), SLOT)), uint256(word), "the word never changes again");
            eq(_now().mask, ALL, "closed");
            vm.warp(block.timestamp + 1_000 days);
        }
        _open(Classes.REDUCE_RISK, true, "repayment");
        _open(Classes.CLAIM, true, "claims");
    }

    function test_ExitFromEveryMode() public {
        for (uint256 i = 0; i < 4; ++i) {
            vault = _deploy(_config());
            if (i == 1) _watch(1 hours, Origin.SENSOR);
            if (i == 2) _restrict(1 hours, Origin.SENSOR);
            if (i == 3) _halt(1 hours);
            eq(_council(Mode.EXIT, 0, 0), FOREVER, "for ever");
            _is(Mode.EXIT, 0, "from each");
        }
        vault = _deploy(_config());
        _halt(1 hours);
        vm.warp(_now().until + S0);
        _exit();
        _is(Mode.EXIT, 0, "from S1");
    }

    function test_FrozenSecondsEndWithExit() public {
        _halt(10 hours);
        vm.warp(START + 3 hours);
        _exit();
        vm.warp(START + 30 days);
        eq(vault.frozenSeconds(), 3 hours, "the halt before it");
    }

    // ------------------------------------------------------------- handing over

    function test_NotBeforeExit() public {
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IFailSafe.NotInExit.selector));
            vault.failsafeSurrender(address(token));
            vm.expectRevert(abi.encodeWithSelector(IFailSafe.NotInExit.selector));
            vault.failsafeRecall(address(_strategy));
            if (i == 0) _watch(1 hours, Origin.SENSOR);
            if (i == 1) _halt(72 hours);
        }
    }

    function test_AnyoneSurrendersAgainAndAgain() public {
        _exit();
        vm.expectEmit(true, true, true, true, address(vault));
        emit IFailSafe.Surrendered(address(token), 100e18);
        vm.prank(BOB);
        eq(vault.failsafeSurrender(address(token)), 100e18, "sent");
        eq(round.funded(address(token)), 100e18, "funded");
        eq(token.allowance(address(vault), address(round)), 0, "no allowance is left");
        vm.expectRevert(abi.encodeWithSelector(FailSafe.NothingFree.selector, address(token)));
        vault.failsafeSurrender(address(token));
        token.mint(address(vault), 5);
        eq(vault.failsafeSurrender(address(token)), 5, "what came later");
    }

    function test_WhatIsOwedElsewhereStays() public {
        vault.owe(30e18);
        _exit();
        eq(vault.failsafeSurrender(address(token)), 70e18, "free");
        eq(token.balanceOf(address(vault)), 30e18, "kept back");
    }

    function test_ListedAssetsOnly() public {
        _exit();
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.AssetNotListed.selector, BOB));
        vault.failsafeSurrender(BOB);
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.StrategyNotListed.selector, BOB));
        vault.failsafeRecall(BOB);
    }

    function test_RecallMeasures() public {
        token.mint(address(_strategy), 40e18);
        _strategy.invest(40e18);
        _exit();
        _strategy.setBroken(true);
        vm.expectRevert("broken");
        vault.failsafeRecall(address(_strategy));
        _strategy.setBroken(false);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IFailSafe.Recalled(address(_strategy), address(token), 40e18);
        eq(vault.failsafeRecall(address(_strategy)), 40e18, "what came, not what was said");
        vm.expectRevert(abi.encodeWithSelector(FailSafe.NothingFree.selector, address(_strategy)));
        vault.failsafeRecall(address(_strategy));
    }

    function test_ALockCoversAssetsAndViews() public {
        round = new ReenteringRound();
        vault = _deploy(_config());
        token.mint(address(vault), 7);
        eq(vault.quote(), 1e18, "read");
        _exit();
        vault.failsafeSurrender(address(token));
        bytes memory refusal = ReenteringRound(address(round)).refusal();
        yes(bytes4(refusal) == Lock.Reentered.selector, "locked");
        eq(vault.quote(), 1e18, "read again");
    }

    function test_ALockCoversStrategies() public {
        _strategy = new ReenteringStrategy(address(token));
        vault = _deploy(_config());
        token.mint(address(vault), 7);
        token.mint(address(_strategy), 40e18);
        _strategy.invest(40e18);
        _exit();
        eq(vault.failsafeRecall(address(_strategy)), 40e18, "got");
        yes(bytes4(ReenteringStrategy(address(_strategy)).refusal()) == Lock.Reentered.selector, "locked");
    }

    /// @dev T10: not even what only makes room for a later halt.
    function test_TheGapIsNotWaivedInExit() public {
        _halt(1 hours);
        vm.warp(_now().until + S0);
        _ramp();
        _exit();
        vm.expectRevert(abi.encodeWithSelector(IFailSafe.ExitIsTerminal.selector));
        vault.failsafeWaiveGap();
    }

    function test_ALockCoversGuardedFunctions() public {
        ReenteringToken hook = new ReenteringToken();
        token = hook;
        vault = _deploy(_config());
        hook.mint(address(this), 10);
        vault.deposit(10);
        yes(bytes4(hook.refusal()) == Lock.Reentered.selector, "locked");
        eq(vault.sharesOf(address(this)), 10, "and works");
        vault.withdraw(4);
    }

    function test_ATokenThatKeepsAFeeOrLies() public {
        FeeToken fee = new FeeToken();
        token = PlainToken(address(fee));
        vault = _deploy(_config());
        fee.mint(address(vault), 1_000);
        _exit();
        eq(vault.failsafeSurrender(address(fee)), 1_000, "sent");
        eq(round.funded(address(fee)), 990, "arrived");

        token = PlainToken(address(new SayingNo()));
        vault = _deploy(_config());
        _exit();
        vm.expectRevert(abi.encodeWithSelector(SafeToken.TransferFailed.selector, address(token)));
        vault.failsafeSurrender(address(token));
    }

    // ------------------------------------------------------------- flows

    function test_FlowsAreMeasuredAndStandStillInExit() public {
        vm.prank(ALICE);
        vault.withdraw(10e18);
        vm.prank(ALICE);
        vault.transfer(BOB, 7e18);
        vm.prank(ALICE);
        vault.transfer(BOB, 3e18);
        _flows(ALICE, 100e18, 10e18, 10e18);
        eq(vault.movedBetween(ALICE, BOB, address(token)), 10e18, "pair");
        eq(vault.movedBetween(BOB, ALICE, address(token)), 0, "has a direction");
        vm.prank(ALICE);
        vault.borrow(20e18);
        _exit();
        vm.prank(ALICE);
        vault.repay(ALICE, 5e18);
        _flows(ALICE, 100e18, 30e18, 10e18);
        eq(vault.principalOf(ALICE), 15e18, "the debt is paid all the same");
    }

    /// @dev Storage proofs rely on these slots.
    function test_SlotsOfTheCounters() public {
        vm.prank(ALICE);
        vault.transfer(BOB, 3e18);
        bytes32 base = _slotOf("ripcord.FlowCounters");
        bytes32 flow = keccak256(abi.encode(token, keccak256(abi.encode(ALICE, base))));
        eq(uint256(vm.load(address(vault), flow)), 100e18, "deposited");
        eq(uint256(vm.load(address(vault), bytes32(uint256(flow) + 1))), 3e18, "moved out");
        bytes32 pair = keccak256(abi.encode(ALICE, uint256(base) + 1));
        pair = keccak256(abi.encode(token, keccak256(abi.encode(BOB, pair))));
        eq(uint256(vm.load(address(vault), pair)), 3e18, "moved");
        eq(uint256(_slotOf("ripcord.FailSafe")), uint256(SLOT), "the words");
    }

    function _slotOf(string memory name) private pure returns (bytes32) {
        return keccak256(abi.encode(uint256(keccak256(bytes(name))) - 1)) & ~bytes32(uint256(0xff));
    }

    function test_AnAbsurdFlowIsRefused() public {
        address whale = address(0x3a1e);
        uint256 amount = uint256(type(uint128).max) + 1;
        token.mint(whale, amount);
        vm.startPrank(whale);
        token.approve(address(vault), amount);
        vm.expectRevert(abi.encodeWithSelector(FlowCounters.FlowTooLarge.selector, address(token), amount));
        vault.deposit(amount);
        vault.deposit(amount - 1);
        vm.stopPrank();
        _flows(whale, amount - 1, 0, 0);
    }

    function _flows(address account, uint256 deposited, uint256 withdrawn, uint256 movedOut) private view {
        IFlowCounters.Flow memory flow = vault.flowOf(account, address(token));
        eq(flow.deposited, deposited, "deposited");
        eq(flow.withdrawn, withdrawn, "withdrawn");
        eq(flow.movedOut, movedOut, "moved out");
    }

    // ------------------------------------------------------------- entitlements

    function test_EntitlementsBindInS1ToS3() public {
        round.allow(ALICE, 10e18);
        _halt(1 hours);
        vm.warp(_now().until + S0);
        for (uint8 stage = 1; stage <= 3; ++stage) {
            _is(Mode.RECOVERING, stage, "stage");
            vm.prank(ALICE);
            vm.expectRevert(
                abi.encodeWithSelector(FailSafe.BeyondEntitlement.selector, address(token), ALICE, 10e18 + 1, 10e18)
            );
            vault.withdraw(10e18 + 1);
            vm.prank(ALICE);
            vm.expectRevert(
                abi.encodeWithSelector(FailSafe.BeyondEntitlement.selector, address(token), ALICE, 11e18, 10e18)
            );
            vault.transfer(BOB, 11e18);
            vm.prank(ALICE);
            vault.withdraw(10e18);
            vm.warp(_now().until);
            _council(Mode.RECOVERING, stage + 1, 0);
            if (stage < 3) vm.warp(block.timestamp + 1);
        }
        vm.prank(ALICE);
        vm.expectPartialRevert(FailSafe.BeyondEntitlement.selector);
        vault.withdraw(11e18);
        vm.warp(block.timestamp + 1);
        vm.prank(ALICE);
        vault.withdraw(11e18);
    }

    function test_WithoutASourceTheViewSaysSo() public {
        yes(vault.failsafeHasEntitlements(), "with");
        FailSafe.Config memory config = _config();
        config.entitlements = IEntitlementLimit(address(0));
        vault = _deploy(config);
        yes(!vault.failsafeHasEntitlements(), "without");
        vm.prank(ALICE);
        token.approve(address(vault), 1e18);
        vm.prank(ALICE);
        vault.deposit(1e18);
        _restrict(1 hours, Origin.SENSOR);
        vm.warp(_now().until);
        vm.prank(ALICE);
        vault.withdraw(1e18);
    }
}
