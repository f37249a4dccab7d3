// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "../BoundedCall.sol";
import {IToken} from "../SafeToken.sol";
import {ExitCause, Mode, Restriction} from "../Types.sol";
import {IExitConditions} from "../interfaces/IExitConditions.sol";
import {IFailSafe} from "../interfaces/IFailSafe.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {IForcedExitTarget} from "../interfaces/IForcedExitTarget.sol";
import {Credits} from "./Credits.sol";
import {EmergencyExit} from "./EmergencyExit.sol";

/// @notice The part of the controller that {ForcedExit} calls.
interface IExitOpener {
    function openExit(bytes32 scope, ExitCause cause, bytes calldata proof) external;
}

/// @notice Requests to leave that anyone may serve; when they cannot be served for 14 days of an episode, anyone may open EXIT.
/// @dev Problem: who holds a system in a restriction can starve its users; who can prove starvation with capital can buy EXIT.
/// Guarantee: a request counts only for what its account was entitled to before the incident and still is; only for time that its
/// ledger provably spent RESTRICTED or HALTED in the present episode; and only if serving it fails in the same transaction.
/// What waits for the limiter's refill counts as served. Three accounts and 5 % of all entitlements are needed. Service pays
/// a credit, so a payee cannot make it fail. There is no queue: requests are named by account, nothing is iterated,
/// nothing can be filled up.
/// Trust: the ledger's {IForcedExitTarget-forcedExit}; the checkpoint. No role.
/// Failure modes: without a checkpoint, or for accounts that nobody registered, nothing counts. The clock runs only as far as
/// {touch} saw the restriction; untouched time is lost. The cause is shown for the ledger's own scope, not for one above it.
/// Someone who serves requests all the time keeps them from counting, which is what they are for.
contract ForcedExit is Credits, IExitConditions {
    /// @param units wanted, of the listing's unit of entitlement
    /// @param tightSeconds the clock of the ledger when it was filed
    struct Request {
        uint128 units;
        uint32 episodeId;
        uint40 tightSeconds;
    }

    /// @param until the restriction that was seen last holds until then, unless the council releases it, which raises `epoch`
    /// @param tightSeconds time under a restriction in this episode of the ledger's scope, as far as seen
    struct Clock {
        uint32 episodeId;
        uint32 epoch;
        uint40 touchedAt;
        uint40 until;
        uint40 tightSeconds;
    }

    event Requested(address indexed asset, address indexed account, uint256 units);
    event Served(address indexed asset, address indexed account, uint256 units, uint256 credited);

    error ServiceGasOutside(uint256 gas_);
    error NotTight(address ledger);
    error NotRising(address account);
    error StillServed(uint256 accounts, uint256 units, uint256 total);

    uint256 public constant MATURITY = 14 days;
    uint256 public constant ACCOUNTS_MIN = 3;
    /// @notice 5 % of all entitlements.
    uint256 public constant SHARE_DIVISOR = 20;

    IFailSafeController public immutable controller;
    EmergencyExit public immutable exit;
    /// @notice Gas that the service of one request may use; with less at hand nothing can be shown to fail.
    uint256 public immutable serviceGas;

    mapping(address asset => mapping(address account => Request)) public requestOf;
    mapping(address ledger => Clock) public clockOf;

    bytes32 private transient _verdict;

    constructor(EmergencyExit exit_, uint256 serviceGas_) {
        if (address(exit_) == address(0)) revert ZeroAddress();
        if (serviceGas_ < 100_000 || serviceGas_ > 3_000_000) revert ServiceGasOutside(serviceGas_);
        (controller, exit, serviceGas) = (exit_.controller(), exit_, serviceGas_);
    }

    /// @notice Files, replaces (which starts its time anew) or, with 0, withdraws the caller's request.
    function request(address asset, uint256 units) external {
        (, address ledger,) = exit.listingOf(asset);
        Clock memory clock = touch(ledger);
        requestOf[asset][msg.sender] = Request(_uint128(units), clock.episodeId, clock.tightSeconds);
        emit Requested(asset, msg.sender, units);
    }

    /// @notice Serves a request as far as the ledger can. Anyone.
    function serve(address asset, address account) external nonReentrant {
        uint256 before = requestOf[asset][account].units;
        (, address ledger,) = exit.listingOf(asset);
        _serve(ledger, asset, account);
        if (requestOf[asset][account].units == before) revert NothingChanges();
    }

    /// @notice Notes how long `ledger` and its scope are both RESTRICTED or HALTED from now on. Anyone, whenever that was prolonged.
    function touch(address ledger) public returns (Clock memory clock) {
        IFailSafeController.Episode memory e = controller.episodeOf(controller.scopeOf(ledger));
        (, Restriction memory r) = IFailSafe(ledger).failsafeState();
        clock = clockOf[ledger];
        uint40 time = uint40(block.timestamp);
        if (clock.episodeId != e.episodeId) {
            (clock.episodeId, clock.tightSeconds) = (e.episodeId, 0);
        } else if (clock.epoch == e.epoch) {
            clock.tightSeconds += (time < clock.until ? time : clock.until) - clock.touchedAt;
        }
        uint40 until = r.until < e.until ? r.until : e.until;
        bool tight = _isTight(r.mode) && _isTight(e.mode) && until > time;
        (clock.epoch, clock.touchedAt, clock.until) = (e.epoch, time, tight ? until : time);
        clockOf[ledger] = clock;
    }

    /// @notice Tries to serve `accounts` (strictly rising); if too much of what is mature fails, opens EXIT of the ledger's scope.
    /// @param proof handed to the controller
    function openExit(address asset, address[] calldata accounts, bytes calldata proof) external nonReentrant {
        (, address ledger, bool inKind) = exit.listingOf(asset);
        Clock memory clock = touch(ledger);
        if (clock.until <= block.timestamp) revert NotTight(ledger);
        uint256 count;
        uint256 sum;
        for (uint256 i; i < accounts.length; ++i) {
            if (i != 0 && accounts[i] <= accounts[i - 1]) revert NotRising(accounts[i]);
            uint256 failed = _serve(ledger, asset, accounts[i]);
            if (!_mature(requestOf[asset][accounts[i]], clock)) continue;
            uint256 owed = exit.withdrawable(ledger, inKind ? ledger : asset, accounts[i]);
            if (failed > owed) failed = owed;
            if (failed == 0) continue;
            ++count;
            sum += failed;
        }
        (uint256 next,,) = exit.selected(ledger, 0);
        uint256 total = exit.checkpoint().totalOf(next - 1, inKind ? ledger : asset);
        if (count < ACCOUNTS_MIN || sum * SHARE_DIVISOR < total) revert StillServed(count, sum, total);
        _verdict = controller.scopeOf(ledger);
        IExitOpener(address(controller)).openExit(_verdict, ExitCause.UNSERVED, proof);
        _verdict = 0;
    }

    /// @inheritdoc IExitConditions
    /// @dev True only inside {openExit}.
    function unserved(bytes32 scope) external view returns (bool) {
        return scope != 0 && scope == _verdict;
    }

    /// @dev Units that were neither served nor wait for the limiter alone.
    function _serve(address ledger, address asset, address account) private returns (uint256 failed) {
        Request storage r = requestOf[asset][account];
        failed = r.units;
        if (failed == 0) return 0;
        BoundedCall.requireGas(serviceGas);
        uint256 balance = IToken(asset).balanceOf(address(this));
        (bool ok, bytes memory answer) =
            ledger.call{gas: serviceGas}(abi.encodeCall(IForcedExitTarget.forcedExit, (account, asset, failed)));
        if (!ok || answer.length != 64) return failed;
        (uint256 served, uint256 waiting) = abi.decode(answer, (uint256, uint256));
        uint256 credited = IToken(asset).balanceOf(address(this)) - balance;
        if (credited != 0 && served != 0) {
            if (served > failed) served = failed;
            failed -= served;
            r.units = _uint128(failed);
            creditOf[asset][account] += credited;
            emit Served(asset, account, served, credited);
        }
        failed = waiting < failed ? failed - waiting : 0;
    }

    function _isTight(Mode mode) private pure returns (bool) {
        return mode == Mode.RESTRICTED || mode == Mode.HALTED;
    }

    /// @dev Whether the request has spent {MATURITY} of the present episode under a restriction.
    function _mature(Request memory r, Clock memory clock) private pure returns (bool) {
        uint256 spent = clock.tightSeconds;
        if (r.episodeId == clock.episodeId) spent -= r.tightSeconds;
        return spent >= MATURITY;
    }
}
