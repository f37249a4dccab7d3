// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IToken} from "../../../src/kit/SafeToken.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {EmergencyExit} from "../../../src/kit/exit/EmergencyExit.sol";
import {Rounds} from "../../../src/kit/exit/Rounds.sol";
import {IExitConditions} from "../../../src/kit/interfaces/IExitConditions.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {Assert} from "../../utils/Assert.sol";
import {MockCheckpoint, MockController, MockLedger} from "./Mocks.sol";
import {PlainToken} from "./Tokens.sol";

/// @notice One system: a vault that owes `usd` by name, and a pool whose shares are worth `dai` and `eth`; both below one root.
abstract contract ExitWorld is Assert {
    bytes32 internal constant ROOT = "root";
    bytes32 internal constant VAULT = "vault";
    bytes32 internal constant POOL = "pool";
    uint256 internal constant ID = 7;
    uint256 internal constant BOND = 5e18;
    uint256 internal constant RAY = 1e27;
    uint40 internal constant INCIDENT = 1_000;
    uint40 internal constant FOREVER = type(uint40).max;

    address internal constant COUNCIL = address(0xC0);
    address internal constant APPEAL = address(0xA99EA1);
    address internal constant HEIR = address(0x4E14);
    address internal constant DONOR = address(0xD0);
    address internal constant ALICE = address(0xA11CE);
    address internal constant BOB = address(0xB0B);
    address internal constant CAROL = address(0xCA401);

    MockController internal controller;
    MockCheckpoint internal checkpoint;
    MockLedger internal vault;
    MockLedger internal pool;
    PlainToken internal usd;
    PlainToken internal dai;
    PlainToken internal eth;
    PlainToken internal bondToken;
    EmergencyExit internal exit;

    function setUp() public virtual {
        vm.warp(1_000_000);
        controller = new MockController(COUNCIL);
        checkpoint = new MockCheckpoint();
        (vault, pool) = (new MockLedger(), new MockLedger());
        (usd, dai, eth, bondToken) = _tokens();
        controller.enrol(address(vault), VAULT, ROOT);
        controller.enrol(address(pool), POOL, ROOT);
        exit = _exit(APPEAL);
        controller.wire(exit, IExitConditions(address(0)));
    }

    function _tokens() internal virtual returns (PlainToken, PlainToken, PlainToken, PlainToken) {
        return (new PlainToken(), new PlainToken(), new PlainToken(), new PlainToken());
    }

    function _exit(address appeal) internal returns (EmergencyExit) {
        return new EmergencyExit(controller, checkpoint, _listings(), IToken(address(bondToken)), BOND, appeal, HEIR);
    }

    function _listings() internal view returns (Rounds.Listing[] memory listings) {
        listings = new Rounds.Listing[](3);
        listings[0] = Rounds.Listing(address(usd), address(vault), false);
        listings[1] = Rounds.Listing(address(dai), address(pool), true);
        listings[2] = Rounds.Listing(address(eth), address(pool), true);
    }

    // ---------------------------------------------------------------- the past

    function _owed(address account, uint256 amount) internal {
        _entitle(address(usd), account, int256(amount));
    }

    /// @dev States an entitlement and adds its positive part to the total.
    function _entitle(address unit, address account, int256 amount) internal {
        checkpoint.setEntitlement(ID, unit, ILedgerCheckpoint.Entitlement(account, amount, 0, 0, 0));
        _addTotal(unit, amount > 0 ? uint256(amount) : 0);
    }

    function _addTotal(address unit, uint256 amount) private {
        uint256 total;
        try checkpoint.totalOf(ID, unit) returns (uint256 known) {
            total = known;
        } catch {}
        checkpoint.setTotal(ID, unit, total + amount);
    }

    // ---------------------------------------------------------------- the incident

    /// @dev An episode of `scope` in which checkpoint ID is the one that counts.
    function _incident(bytes32 scope, Mode mode) internal {
        controller.setEpisode(scope, 1, mode, INCIDENT);
        checkpoint.setSelected(scope, ID);
    }

    /// @dev Both ledgers are in EXIT and everything that is known at the checkpoint is active.
    function _openRound() internal returns (uint256 round) {
        _incident(ROOT, Mode.EXIT);
        vault.setMode(Mode.EXIT, FOREVER);
        pool.setMode(Mode.EXIT, FOREVER);
        round = controller.openRound(ROOT, ID);
        _tryActivate(round, address(usd));
        _tryActivate(round, address(dai));
        _tryActivate(round, address(eth));
    }

    function _tryActivate(uint256 round, address asset) internal {
        try exit.activate(round, asset) {} catch {}
    }

    function _warm() internal {
        vm.warp(block.timestamp + 14 days);
    }

    // ---------------------------------------------------------------- calls

    function _proof(address account) internal pure returns (bytes memory) {
        return abi.encode(account);
    }

    function _fund(uint256 round, PlainToken token, uint256 amount) internal {
        token.mint(DONOR, amount);
        vm.startPrank(DONOR);
        token.approve(address(exit), amount);
        exit.fund(round, address(token), amount);
        vm.stopPrank();
    }

    function _enter(uint256 round, PlainToken token, address account) internal {
        exit.enter(round, address(token), account, _proof(account));
    }

    function _claim(uint256 round, PlainToken token, address account) internal returns (uint256) {
        vm.prank(account);
        return exit.claim(round, address(token), _proof(account));
    }

    function _dispute(uint256 round, PlainToken token, address flagger, address account) internal {
        _giveBond(flagger);
        vm.prank(flagger);
        exit.dispute(round, address(token), account, "evidence");
    }

    function _contest(uint256 round, PlainToken token, address contestant, address account) internal {
        _giveBond(contestant);
        vm.prank(contestant);
        exit.contest(round, address(token), account);
    }

    function _resolve(uint256 round, PlainToken token, address judge, address account, bool valid) internal {
        vm.prank(judge);
        exit.resolve(round, address(token), account, valid);
    }

    function _giveBond(address account) internal {
        bondToken.mint(account, BOND);
        vm.prank(account);
        bondToken.approve(address(exit), BOND);
    }

    // ---------------------------------------------------------------- reads

    function _pool(uint256 round, PlainToken token) internal view returns (Rounds.Pool memory p) {
        (p.ledger, p.warmFrom, p.checkpointId, p.kind, p.totalA, p.totalB, p.funded, p.paidOut) =
            exit.poolOf(round, address(token));
    }

    function _leaf(uint256 round, PlainToken token, address account) internal view returns (Rounds.Leaf memory l) {
        (l.paid, l.status, l.deadline, l.holdersRound, l.refund, l.share, l.flagger, l.contestant) =
            exit.leafOf(round, address(token), account);
    }

    function _credit(address account) internal view returns (uint256) {
        return exit.creditOf(address(bondToken), account);
    }
}
