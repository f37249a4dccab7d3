// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ExitCause, Mode, Restriction} from "../../../src/kit/Types.sol";
import {IExitConditions, IExitRounds} from "../../../src/kit/interfaces/IExitConditions.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {IFlowCounters} from "../../../src/kit/interfaces/IFailSafe.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {PlainToken} from "./Tokens.sol";

/// @notice A tree of scopes whose episodes the test sets.
contract MockController is IFailSafeController {
    error NotAllowed(ExitCause cause);

    address public council;
    IExitConditions public conditions;
    IExitRounds public exit;
    mapping(address => bytes32) public scopeOf;
    mapping(bytes32 => bytes32) public parentOf;
    mapping(bytes32 => Episode) private _episodes;
    uint256 public opened;

    constructor(address council_) {
        council = council_;
    }

    function wire(IExitRounds exit_, IExitConditions conditions_) external {
        (exit, conditions) = (exit_, conditions_);
    }

    function setCouncil(address council_) external {
        council = council_;
    }

    function enrol(address target, bytes32 scope, bytes32 parent) external {
        scopeOf[target] = scope;
        parentOf[scope] = parent;
    }

    function setEpisode(bytes32 scope, uint32 id, Mode mode, uint40 incidentBlock) external {
        Episode storage e = _episodes[scope];
        (e.episodeId, e.mode, e.incidentBlock, e.episodeStart) = (id, mode, incidentBlock, uint40(block.timestamp));
    }

    function setRestriction(bytes32 scope, Mode mode, uint40 until, uint32 epoch) external {
        (_episodes[scope].mode, _episodes[scope].until, _episodes[scope].epoch) = (mode, until, epoch);
    }

    function episodeOf(bytes32 scope) external view returns (Episode memory) {
        return _episodes[scope];
    }

    function openRound(bytes32 scope, uint256 checkpointId) external returns (uint256) {
        return exit.openRound(scope, checkpointId);
    }

    /// @dev Cause UNSERVED as the controller has it.
    function openExit(bytes32 scope, ExitCause cause, bytes calldata proof) external {
        if (cause != ExitCause.UNSERVED || !conditions.unserved(scope)) revert NotAllowed(cause);
        _episodes[scope].mode = Mode.EXIT;
        ++opened;
        exit.openRound(scope, abi.decode(proof, (uint256)));
    }

    function restrictionOf(address, uint8) external pure returns (bool, uint40) {
        revert();
    }

    function requireGroup(bytes32, uint8, bytes32, bytes[] calldata) external pure {
        revert();
    }
}

/// @notice Facts of past blocks as the test states them. A proof is the account's own address.
contract MockCheckpoint is ILedgerCheckpoint {
    error WrongProof(address account);
    error NotSelected(bytes32 scope, uint256 id);
    error NothingFinal();

    mapping(bytes32 => uint256) private _selectedPlusOne;
    mapping(bytes32 => bool) private _selectable;
    mapping(uint256 => mapping(address => uint256)) private _totals;
    mapping(uint256 => mapping(address => bool)) private _known;
    mapping(uint256 => mapping(address => mapping(address => Entitlement))) private _entitlements;
    mapping(uint256 => mapping(address => mapping(address => mapping(address => uint256)))) private _moved;

    function setSelected(bytes32 scope, uint256 id) external {
        unchecked {
            _selectedPlusOne[scope] = id + 1;
        }
        _selectable[scope] = true;
    }

    function setTotal(uint256 id, address unit, uint256 total) external {
        (_totals[id][unit], _known[id][unit]) = (total, true);
    }

    function setEntitlement(uint256 id, address unit, Entitlement calldata e) external {
        _entitlements[id][unit][e.account] = e;
    }

    function setMoved(uint256 id, address unit, address from, address to, uint256 amount) external {
        _moved[id][unit][from][to] = amount;
    }

    function select(bytes32 scope, uint256 id) external view returns (Entry memory entry) {
        unchecked {
            if (!_selectable[scope] || _selectedPlusOne[scope] != id + 1) revert NotSelected(scope, id);
        }
        return entry;
    }

    function totalOf(uint256 id, address unit) external view returns (uint256) {
        if (!_known[id][unit]) revert NothingFinal();
        return _totals[id][unit];
    }

    function entitlementOf(uint256 id, address unit, address account, bytes calldata proof)
        external
        view
        returns (Entitlement memory)
    {
        if (keccak256(proof) != keccak256(abi.encode(account))) revert WrongProof(account);
        return _entitlements[id][unit][account];
    }

    function movedAt(uint256 id, address unit, address from, address to, bytes calldata proof)
        external
        view
        returns (uint256)
    {
        if (keccak256(proof) != keccak256(abi.encode(from))) revert WrongProof(from);
        return _moved[id][unit][from][to];
    }

    function formOf(uint256, address) external pure returns (Form) {
        return Form.ATTESTED;
    }

    function entryOf(uint256) external pure returns (Entry memory entry) {
        return entry;
    }

    function entries() external pure returns (uint256) {
        return 0;
    }
}

/// @notice A ledger whose mode, counters and balances the test sets.
contract MockLedger is IFlowCounters {
    Restriction private _r;
    mapping(address => mapping(address => Flow)) internal _flows;
    mapping(address => mapping(address => mapping(address => uint256))) private _moved;
    mapping(address => uint256) public balanceOf;
    uint256 public totalSupply;

    function setMode(Mode mode, uint40 until) external {
        (_r.mode, _r.until) = (mode, until);
    }

    function failsafeState() external view returns (Restriction memory, Restriction memory) {
        return (_r, _r);
    }

    function noteFlow(address unit, address account, uint256 deposited, uint256 withdrawn) external {
        Flow storage f = _flows[account][unit];
        f.deposited += uint128(deposited);
        f.withdrawn += uint128(withdrawn);
    }

    function noteMove(address unit, address from, address to, uint256 amount) external {
        _flows[from][unit].movedOut += uint128(amount);
        _moved[from][to][unit] += amount;
    }

    function setShares(address account, uint256 amount) external {
        totalSupply = totalSupply + amount - balanceOf[account];
        balanceOf[account] = amount;
    }

    function flowOf(address account, address unit) external view returns (Flow memory) {
        return _flows[account][unit];
    }

    function movedBetween(address from, address to, address unit) external view returns (uint256) {
        return _moved[from][to][unit];
    }
}

/// @notice How a ledger behaves towards forced exits.
enum Service {
    PAYS,
    REVERTS,
    LIMITED,
    BURNS_GAS,
    SHORT_ANSWER,
    BOMB,
    PAYS_NOTHING,
    OVERSTATES
}

/// @notice A ledger that serves forced exits in `asset`, one unit each, as the test says.
contract MockServingLedger is MockLedger {
    error NotServed();

    PlainToken private immutable _asset;
    Service public service;
    uint256 public limit;
    bytes public answer;
    bytes private _callBack;

    constructor(PlainToken asset) {
        _asset = asset;
    }

    function setService(Service service_, uint256 limit_) external {
        (service, limit) = (service_, limit_);
    }

    /// @dev What it calls before it serves.
    function onService(bytes calldata callBack) external {
        _callBack = callBack;
    }

    function forcedExit(address account, address asset, uint256 units) external returns (uint256, uint256) {
        if (_callBack.length != 0) (, answer) = msg.sender.call(_callBack);
        if (service == Service.REVERTS) revert NotServed();
        if (service == Service.BURNS_GAS) while (true) {}
        if (service == Service.SHORT_ANSWER) {
            assembly {
                return(0, 32)
            }
        }
        if (service == Service.BOMB) {
            assembly {
                revert(0, 200000)
            }
        }
        if (service == Service.PAYS_NOTHING) return (units, 0);
        uint256 served = service == Service.LIMITED && units > limit ? limit : units;
        _asset.transfer(msg.sender, served);
        _flows[account][asset].withdrawn += uint128(served);
        return service == Service.OVERSTATES ? (served + 1, 0) : (served, units - served);
    }
}
