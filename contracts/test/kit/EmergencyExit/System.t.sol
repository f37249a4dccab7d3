// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {FailSafeController} from "../../../src/kit/FailSafeController.sol";
import {IToken, SafeToken} from "../../../src/kit/SafeToken.sol";
import {ExitCause, Mode, TripIntent} from "../../../src/kit/Types.sol";
import {ISequencerFeed} from "../../../src/kit/controller/Seats.sol";
import {Credits} from "../../../src/kit/exit/Credits.sol";
import {EmergencyExit} from "../../../src/kit/exit/EmergencyExit.sol";
import {ForcedExit} from "../../../src/kit/exit/ForcedExit.sol";
import {Rounds} from "../../../src/kit/exit/Rounds.sol";
import {IExitFunding} from "../../../src/kit/interfaces/IExitFunding.sol";
import {IForcedExitTarget} from "../../../src/kit/interfaces/IForcedExitTarget.sol";
import {IEntitlementLimit, ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {Assert} from "../../utils/Assert.sol";
import {MockCheckpoint} from "./Mocks.sol";
import {PlainToken} from "./Tokens.sol";

/// @notice Where the vault keeps a part of its assets.
contract Strategy {
    PlainToken public immutable asset;

    constructor(PlainToken asset_) {
        asset = asset_;
    }

    function maxRedeem(address) external view returns (uint256) {
        return asset.balanceOf(address(this));
    }

    function redeem(uint256 shares, address receiver, address) external returns (uint256) {
        asset.transfer(receiver, shares);
        return shares;
    }
}

/// @notice A guarded vault that owes one asset by name and serves forced exits.
contract ServingVault is FailSafe, IForcedExitTarget {
    using SafeToken for IToken;

    error NotTheQueue(address caller);

    IToken private immutable _asset;
    address private immutable _queue;
    mapping(address => uint256) public balanceOf;

    constructor(Config memory config, IToken asset, address queue) FailSafe(config) {
        (_asset, _queue) = (asset, queue);
    }

    function deposit(uint256 amount) external guardedNonReentrant(Classes.ENTER) {
        uint256 got = _asset.pull(msg.sender, amount);
        balanceOf[msg.sender] += got;
        _noteFlow(address(_asset), msg.sender, got, 0);
    }

    function withdraw(uint256 amount) external guardedNonReentrant(Classes.EXIT) {
        _out(msg.sender, msg.sender, amount);
    }

    function invest(address strategy, uint256 amount) external {
        _asset.send(strategy, amount);
    }

    function forcedExit(address account, address, uint256 units)
        external
        guardedNonReentrant(Classes.EXIT)
        returns (uint256, uint256)
    {
        if (msg.sender != _queue) revert NotTheQueue(msg.sender);
        uint256 served = units < balanceOf[account] ? units : balanceOf[account];
        _out(account, _queue, served);
        return (served, units - served);
    }

    function _out(address account, address to, uint256 amount) private {
        _exitWithin(address(_asset), account, amount);
        balanceOf[account] -= amount;
        _noteFlow(address(_asset), account, 0, amount);
        _asset.send(to, amount);
    }
}

/// @notice The exit with the real controller and a real guarded vault; only the checkpoint's facts are the test's.
contract ExitSystemTest is Assert {
    bytes32 private constant SCOPE = "vault";
    uint256 private constant ID = 3;
    address private constant COUNCIL = address(0xC0);
    address private constant GUARDIAN = address(0x60A2D);

    PlainToken private usd;
    Strategy private strategy;
    MockCheckpoint private checkpoint;
    FailSafeController private controller;
    EmergencyExit private exit;
    ForcedExit private forced;
    ServingVault private vault;
    address[4] private users = [address(0x101), address(0x102), address(0x103), address(0x104)];

    function setUp() public {
        vm.warp(1_700_000_000);
        vm.roll(200_000);
        usd = new PlainToken();
        strategy = new Strategy(usd);
        checkpoint = new MockCheckpoint();
        // They name each other: addresses are foreseen from the order of deployment.
        uint256 nonce = vm.getNonce(address(this));
        address exitAt = vm.computeCreateAddress(address(this), nonce + 1);
        address forcedAt = vm.computeCreateAddress(address(this), nonce + 2);
        address vaultAt = vm.computeCreateAddress(address(this), nonce + 3);
        controller = new FailSafeController(
            FailSafeController.Configuration({
                council: COUNCIL,
                recoveryPlan: address(this),
                emergencyExit: exitAt,
                forcedExits: forcedAt,
                challenge: address(this),
                sequencer: ISequencerFeed(address(0)),
                tripFactorBps: 5_000,
                s0Dwell: 6 hours,
                blocksPerDay: 7_200
            })
        );
        Rounds.Listing[] memory listings = new Rounds.Listing[](1);
        listings[0] = Rounds.Listing(address(usd), vaultAt, false);
        exit = new EmergencyExit(controller, checkpoint, listings, IToken(address(usd)), 1, address(0), address(0x4E14));
        forced = new ForcedExit(exit, 300_000);
        vault = new ServingVault(_config(), IToken(address(usd)), forcedAt);
        yes(address(exit) == exitAt && address(forced) == forcedAt && address(vault) == vaultAt, "foreseen");

        address[] memory guardians = new address[](1);
        guardians[0] = GUARDIAN;
        vm.startPrank(COUNCIL);
        controller.addScope(SCOPE, 0);
        controller.enrol(address(vault), SCOPE);
        controller.setGroup(SCOPE, 0, 1, Mode.HALTED, 72 hours, guardians);
        vm.stopPrank();
        for (uint256 i; i < users.length; ++i) {
            _deposit(users[i], 100);
            // Deposited before the checkpoint, so that its counters know of it.
            checkpoint.setEntitlement(ID, address(usd), ILedgerCheckpoint.Entitlement(users[i], 100, 100, 0, 0));
        }
        checkpoint.setTotal(ID, address(usd), 400);
        checkpoint.setSelected(SCOPE, ID);
        vault.invest(address(strategy), 150);
        vm.prank(GUARDIAN);
        controller.heartbeat(SCOPE, block.number - 1, blockhash(block.number - 1));
    }

    function _config() private view returns (FailSafe.Config memory c) {
        c.controller = address(controller);
        c.exit = IExitFunding(address(exit));
        c.entitlements = IEntitlementLimit(address(exit));
        c.grace = 12 hours;
        c.dwells = [uint40(6 hours), 24 hours, 12 hours, 24 hours, 24 hours];
        c.budgets = [uint40(3.5 days), 7 days, 15 days];
        c.factorFloorBps = 2_500;
        (c.exitAssets, c.strategies) = (new address[](1), new address[](1));
        (c.exitAssets[0], c.strategies[0]) = (address(usd), address(strategy));
    }

    function _deposit(address account, uint256 amount) private {
        usd.mint(account, amount);
        vm.startPrank(account);
        usd.approve(address(vault), amount);
        vault.deposit(amount);
        vm.stopPrank();
    }

    function _halt(uint40 duration) private {
        TripIntent memory i;
        (i.scope, i.mode, i.mask, i.duration) = (SCOPE, Mode.HALTED, Classes.RESTRICTABLE, duration);
        (i.notAfter, i.deadline) = (uint40(block.timestamp) + duration, uint40(block.timestamp));
        (i.reason, i.stepHash, i.keyEpisode) = ("test", "step", 1);
        vm.prank(GUARDIAN);
        controller.trip(i);
    }

    function _pinAndRegister() private {
        exit.pin(SCOPE, ID);
        for (uint256 i; i < users.length; ++i) {
            exit.register(ID, address(usd), users[i], abi.encode(users[i]));
        }
    }

    function _list() private view returns (address[] memory accounts) {
        accounts = new address[](users.length);
        for (uint256 i; i < users.length; ++i) {
            accounts[i] = users[i];
        }
    }

    /// @dev A council that keeps a halt alive, and then all keys are gone. Users open EXIT, fund the round from the vault and its
    /// strategy, and are paid.
    function test_Regress_Review_EmptyRound() public {
        _halt(72 hours);
        vm.prank(COUNCIL);
        controller.confirm(SCOPE, uint40(block.timestamp + 20 days));
        // From here on nobody with a key acts.
        _pinAndRegister();
        for (uint256 i; i < users.length; ++i) {
            vm.prank(users[i]);
            forced.request(address(usd), 100);
        }
        vm.warp(block.timestamp + 14 days - 1);
        vm.expectPartialRevert(ForcedExit.StillServed.selector);
        forced.openExit(address(usd), _list(), abi.encode(ID));
        vm.warp(block.timestamp + 1);
        forced.openExit(address(usd), _list(), abi.encode(ID));

        uint256 round = exit.roundOf(address(vault));
        exit.activate(round, address(usd));
        eq(vault.failsafeSurrender(address(usd)), 250, "what the vault holds");
        eq(vault.failsafeRecall(address(strategy)), 150, "what the strategy holds");
        eq(vault.failsafeSurrender(address(usd)), 150, "follows");
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        vault.failsafeSurrender(address(usd));
        eq(usd.balanceOf(address(exit)), 400, "F is what there was");

        vm.warp(block.timestamp + 14 days);
        for (uint256 i; i < users.length; ++i) {
            vm.prank(users[i]);
            eq(exit.claim(round, address(usd), abi.encode(users[i])), 100, "paid");
        }
        eq(usd.balanceOf(address(exit)), 0, "all of it");
    }

    /// @dev T4 and T10 together: in recovery the limit is the net entitlement, and what was taken then is cut from the round.
    function test_T4_RecoveryPaysTheEntitlementAndNoMore() public {
        // After the checkpoint: one deposits, and a thief has a balance that no entitlement stands behind.
        _deposit(users[0], 50);
        _halt(24 hours);
        vm.warp(block.timestamp + 24 hours + 6 hours);
        vm.prank(users[0]);
        vm.expectPartialRevert(FailSafe.BeyondEntitlement.selector);
        vault.withdraw(1);
        _pinAndRegister();
        vm.startPrank(users[0]);
        vm.expectRevert(abi.encodeWithSelector(FailSafe.BeyondEntitlement.selector, address(usd), users[0], 151, 150));
        vault.withdraw(151);
        vault.withdraw(120);
        vm.stopPrank();
        eq(exit.withdrawable(address(vault), address(usd), users[0]), 30, "the rest");
        vm.prank(COUNCIL);
        controller.openExit(SCOPE, ExitCause.COUNCIL, abi.encode(ID));
        uint256 round = exit.roundOf(address(vault));
        exit.activate(round, address(usd));
        exit.enter(round, address(usd), users[0], "");
        (,,,,, uint128 share,,) = exit.leafOf(round, address(usd), users[0]);
        eq(share, 30, "what was taken in recovery is cut");
    }

    /// @dev Under RESTRICTED ordinary exits are open, and so is service: nothing to prove.
    function test_ServiceWorksUnderRestriction() public {
        TripIntent memory i;
        (i.scope, i.mode, i.mask) = (SCOPE, Mode.RESTRICTED, Classes.closable(Mode.RESTRICTED));
        (i.duration, i.notAfter, i.deadline) = (24 hours, uint40(block.timestamp) + 24 hours, uint40(block.timestamp));
        (i.reason, i.stepHash, i.keyEpisode) = ("test", "step", 1);
        vm.prank(GUARDIAN);
        controller.trip(i);
        vm.prank(users[0]);
        forced.request(address(usd), 70);
        forced.serve(address(usd), users[0]);
        eq(forced.creditOf(address(usd), users[0]), 70, "credited");
        eq(vault.balanceOf(users[0]), 30, "taken");
        eq(vault.flowOf(users[0], address(usd)).withdrawn, 70, "counted as a withdrawal");
    }
}
