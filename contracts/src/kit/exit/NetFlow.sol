// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Mode, Restriction} from "../Types.sol";
import {IFailSafe, IFlowCounters} from "../interfaces/IFailSafe.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {IEntitlementLimit, ILedgerCheckpoint} from "../interfaces/ILedgerCheckpoint.sol";
import {Credits} from "./Credits.sol";

/// @notice What an account is still owed: its entitlement at a checkpoint, set off against everything it did since.
/// @dev Problem: between the checkpoint and the stop honest people deposited, withdrew and transferred. Paying the checkpoint's
/// figures would pay the withdrawn twice and the deposited never.
/// Guarantee: net = entitlement + deposits - withdrawals - transfers out + carried in, as one signed number. A sender is always
/// cut by all it moved; a recipient gains only what {carry} takes from the sender's own entitlement, so that no order of calls
/// raises the sum of all nets, and claims that were minted or stolen carry nothing.
/// Trust: the checkpoint, the ledger's counters and the controller's episodes. No role.
/// Failure modes: an account that nobody registered may withdraw nothing in S1..S3. Until the live episodes above a ledger are
/// pinned, nobody may.
abstract contract NetFlow is Credits, IEntitlementLimit {
    /// @param equity entitlement at the checkpoint, negative only with debt
    /// @param inflow deposits minus withdrawals, by the counters of the checkpoint's block
    /// @param movedOut transfers out, likewise
    /// @param carriedIn what senders since the checkpoint passed on to this account
    /// @param carriedOut what it passed on itself
    struct Position {
        int256 equity;
        int256 inflow;
        int256 movedOut;
        int256 carriedIn;
        int256 carriedOut;
        bool known;
    }

    /// @param next checkpoint id plus one; 0 when no checkpoint qualifies
    struct Pin {
        uint32 episodeId;
        uint40 incidentBlock;
        uint256 next;
    }

    event Pinned(bytes32 indexed scope, uint32 indexed episodeId, uint256 checkpointId);
    event Registered(uint256 indexed checkpointId, address indexed unit, address indexed account, int256 equity);
    event Carried(uint256 indexed checkpointId, address indexed unit, address indexed from, address to, uint256 amount);

    error UnknownUnit(address unit);
    error NotRegistered(address account);
    error WindowClosed();

    IFailSafeController public immutable controller;
    ILedgerCheckpoint public immutable checkpoint;

    /// @notice Ledger that counts the flows of a unit of entitlement; the unit is an asset, or the ledger itself for its shares.
    mapping(address unit => address) public ledgerOf;
    mapping(bytes32 scope => Pin) public pinOf;
    mapping(uint256 id => mapping(address unit => mapping(address account => Position))) public positionOf;
    /// @notice Part of the transfers from one account to another that {carry} has passed on already.
    mapping(uint256 id => mapping(address unit => mapping(address from => mapping(address to => uint256)))) public
        carried;

    constructor(IFailSafeController controller_, ILedgerCheckpoint checkpoint_) {
        if (address(controller_) == address(0) || address(checkpoint_) == address(0)) revert ZeroAddress();
        (controller, checkpoint) = (controller_, checkpoint_);
    }

    /// @notice Notes which checkpoint counts for the present episode of `scope`. Anyone; the checkpoint contract judges the id.
    /// To be repeated when the incident block moves: until then the old pin does not count either.
    /// @param id the newest entry that qualifies, or type(uint256).max when none does
    function pin(bytes32 scope, uint256 id) public {
        checkpoint.select(scope, id);
        IFailSafeController.Episode memory episode = controller.episodeOf(scope);
        unchecked {
            // "None" wraps to 0.
            pinOf[scope] = Pin(episode.episodeId, episode.incidentBlock, id + 1);
        }
        emit Pinned(scope, episode.episodeId, id);
    }

    /// @notice Stores what an account was owed at a checkpoint. Anyone, at any time: it is a fact of that block.
    function register(uint256 id, address unit, address account, bytes calldata proof) external {
        if (positionOf[id][unit][account].known) revert NothingChanges();
        Position memory position = _prove(id, unit, account, proof);
        positionOf[id][unit][account] = position;
        emit Registered(id, unit, account, position.equity);
    }

    /// @notice Passes on to `to` what `from` moved to it since the checkpoint, as far as `from` is entitled itself. Anyone, in
    /// recovery and in EXIT, when withdrawals are bounded by what is left; may be repeated. A round that counts one of the two
    /// accounts already has to count it anew ({Rounds-enter}).
    /// @param proof of the pair's counter at the checkpoint; not needed if `from` had never moved anything by then
    function carry(uint256 id, address unit, address from, address to, bytes calldata proof) external {
        address ledger = ledgerOf[unit];
        if (ledger == address(0)) revert UnknownUnit(unit);
        Mode mode = _modeOf(ledger);
        if (mode != Mode.RECOVERING && mode != Mode.EXIT) revert WindowClosed();
        Position memory sender = positionOf[id][unit][from];
        if (!sender.known) revert NotRegistered(from);
        if (!positionOf[id][unit][to].known) revert NotRegistered(to);

        (int256 inflow,) = _flow(ledger, unit, from, sender);
        uint256 able = _positive(sender.equity + inflow + sender.carriedIn - sender.carriedOut);
        uint256 amount = IFlowCounters(ledger).movedBetween(from, to, unit) - carried[id][unit][from][to];
        if (sender.movedOut != 0) amount -= checkpoint.movedAt(id, unit, from, to, proof);
        if (amount > able) amount = able;
        if (amount == 0) revert NothingChanges();

        carried[id][unit][from][to] += amount;
        // `able` is the positive part of an int256.
        // forge-lint: disable-next-line(unsafe-typecast)
        int256 signed = int256(amount);
        positionOf[id][unit][from].carriedOut += signed;
        positionOf[id][unit][to].carriedIn += signed;
        emit Carried(id, unit, from, to, amount);
    }

    /// @inheritdoc IEntitlementLimit
    function withdrawable(address target, address unit, address account) external view returns (uint256) {
        (uint256 next,, bytes32 unpinned) = selected(target, 0);
        if (next == 0 || unpinned != 0 || ledgerOf[unit] != target) return 0;
        Position memory position = positionOf[next - 1][unit][account];
        if (!position.known) return 0;
        (int256 inflow, int256 out) = _flow(target, unit, account, position);
        return _positive(position.equity + inflow - out + position.carriedIn);
    }

    /// @notice The oldest checkpoint that is pinned for a live episode on the path of `ledger`: honest by every incident above it.
    /// @param scope counted as live; zero for none
    /// @return next its id plus one; 0 when none qualifies, type(uint256).max when nothing is live
    /// @return below whether `scope` is on the path
    /// @return unpinned a scope on the path whose live episode is not pinned; zero for none
    function selected(address ledger, bytes32 scope) public view returns (uint256 next, bool below, bytes32 unpinned) {
        next = type(uint256).max;
        for (bytes32 node = controller.scopeOf(ledger); node != 0; node = controller.parentOf(node)) {
            if (node == scope) below = true;
            IFailSafeController.Episode memory episode = controller.episodeOf(node);
            if (episode.mode == Mode.NORMAL && node != scope) continue;
            Pin memory p = pinOf[node];
            if (p.episodeId != episode.episodeId || p.incidentBlock != episode.incidentBlock) unpinned = node;
            if (p.next < next) next = p.next;
        }
    }

    function _prove(uint256 id, address unit, address account, bytes calldata proof)
        internal
        view
        returns (Position memory)
    {
        ILedgerCheckpoint.Entitlement memory e = checkpoint.entitlementOf(id, unit, account, proof);
        return Position(e.amount, _int(e.deposited) - _int(e.withdrawn), _int(e.movedOut), 0, 0, true);
    }

    /// @dev Deposits minus withdrawals, and transfers out, since the checkpoint.
    function _flow(address ledger, address unit, address account, Position memory position)
        internal
        view
        returns (int256 inflow, int256 out)
    {
        IFlowCounters.Flow memory flow = IFlowCounters(ledger).flowOf(account, unit);
        inflow = _int(flow.deposited) - _int(flow.withdrawn) - position.inflow;
        out = _int(flow.movedOut) - position.movedOut;
    }

    function _modeOf(address ledger) internal view returns (Mode) {
        (, Restriction memory effective) = IFailSafe(ledger).failsafeState();
        return effective.mode;
    }

    function _positive(int256 amount) internal pure returns (uint256) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return amount > 0 ? uint256(amount) : 0;
    }

    function _int(uint128 amount) private pure returns (int256) {
        return int256(uint256(amount));
    }
}
