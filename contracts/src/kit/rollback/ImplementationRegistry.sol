// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "../BoundedCall.sol";
import {Mode, Restriction} from "../Types.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {IProbe} from "../interfaces/ISensors.sol";
import {FailSafeProxy, IPointable} from "./FailSafeProxy.sol";
import {GuardianAct} from "./GuardianAct.sol";

/// @notice The part of a guarded contract that is in its code and not in its storage.
interface IControlled {
    function failsafeController() external view returns (address);
}

/// @notice Decides which code the proxies of a system run, and keeps the history.
/// @dev Problem: a bad upgrade has to be taken back, and a hole mended during a halt, without giving a guardian the power to
/// bring code, and without an upgrade that nobody can undo.
/// Guarantee: new code comes from the council alone, announced in an earlier block and, unless the proxy is RESTRICTED,
/// HALTED or RECOVERING, `delay` before; it answers to the same controller. A guardian group can only go back to the version that ran immediately before: once
/// per episode, if that version had run for 7 days, reads the same schema (or the council stated how to reverse it), was left
/// eligible by its successor and is not revoked. Nothing lands in EXIT. Every landing leaves the proxy's restriction as it
/// was and its version's probe green, or reverts.
/// Trust: the council for new code, migrations and probes; the layout hash and the schema number are its statement, which
/// tools compare with the compiler's output. The history restores code, never storage or balances.
/// Failure modes: a proxy whose code cannot say its mode gets neither patch nor rollback, but an announced version after the
/// full delay; a probe that asks more than "this code works" (solvency, say) keeps a rollback out when it is needed most. A
/// proxy that is not enrolled with the controller takes nothing but its first version.
contract ImplementationRegistry is GuardianAct {
    /// @param implementation code behind the proxy
    /// @param activatedAt second of its landing; 0 until then
    /// @param schema number of the storage's meaning; equal numbers can read each other's storage
    /// @param predecessorEligible whether guardians may go back from this version to the one before
    /// @param migration function without arguments that the new code runs once on landing; 0 for none
    /// @param reverseMigration function without arguments by which this code restores its predecessor's schema; 0 for none.
    /// Both are called by this registry, which the implementation has to check.
    /// @param probe has to be green when the version has landed
    /// @param codeHash hash of the code, so that an address cannot change what it holds between notice and landing
    /// @param layoutHash hash of the compiler's storage layout, for tools
    struct Version {
        address implementation;
        uint40 activatedAt;
        uint32 schema;
        bool predecessorEligible;
        bytes4 migration;
        bytes4 reverseMigration;
        IProbe probe;
        bytes32 codeHash;
        bytes32 layoutHash;
    }

    struct Announcement {
        Version version;
        uint40 eta;
        uint40 announcedBlock;
    }

    event Deployed(address indexed proxy, address indexed implementation, bytes32 codeHash);
    event Announced(
        address indexed proxy, address indexed implementation, bytes32 codeHash, bytes32 layoutHash, uint40 eta
    );
    event Activated(address indexed proxy, uint256 version, bytes32 codeHash, bool greenBefore);
    event RolledBack(address indexed proxy, uint256 version, uint32 episodeId);
    event Revoked(address indexed proxy, bytes32 codeHash);

    error UnknownProxy(address proxy);
    error CodeMismatch(address implementation, bytes32 codeHash, bytes32 found);
    error CodeRevoked(bytes32 codeHash);
    error ForeignCode(address implementation);
    error LayoutMissing();
    error SameBlock();
    error PredecessorOnFirst();
    error NoPredecessor(address proxy);
    error NotEligible(uint256 version);
    error NotSoaked(uint256 ranFor, uint256 needed);
    error SchemaDiffers(uint32 current, uint32 previous);
    error MigrationFailed(bytes4 selector);
    error RestrictionChanged(address proxy);
    error ProbeNotGreen(IProbe probe);

    uint40 public constant SOAK = 7 days;

    bytes32 private constant ROLLBACK_TYPEHASH = keccak256(
        "Rollback(address proxy,uint256 version,bytes32 codeHash,uint32 keyEpisode,uint32 epoch,uint40 deadline)"
    );
    /// @dev A delegation of EIP-7702 is 23 bytes of code, and its owner can change it whenever it likes.
    uint256 private constant DELEGATION_LENGTH = 23;

    mapping(address proxy => Version[]) private _versions;

    /// @notice Version that waits to be landed; an announcement that is not wanted any more is left to lapse.
    mapping(address proxy => Announcement) public announced;

    /// @notice Code that may never run behind a proxy again.
    mapping(address proxy => mapping(bytes32 codeHash => bool)) public revoked;

    constructor(IFailSafeController controller_, uint40 delay_) GuardianAct(controller_, delay_) {}

    /// @notice Deploys a proxy with its first version and calls it with `data`.
    function deploy(Version calldata first, bytes calldata data) external onlyCouncil returns (address proxy) {
        if (first.predecessorEligible) revert PredecessorOnFirst();
        _requireCode(first);
        proxy = address(new FailSafeProxy(first.implementation, data));
        _push(proxy, first);
        emit Deployed(proxy, first.implementation, first.codeHash);
    }

    /// @notice Gives notice of a version, in place of an earlier notice.
    function announce(address proxy, Version calldata version) external onlyCouncil {
        if (_versions[proxy].length == 0) revert UnknownProxy(proxy);
        _requireCode(version);
        if (revoked[proxy][version.codeHash]) revert CodeRevoked(version.codeHash);
        uint40 eta = uint40(block.timestamp) + delay;
        announced[proxy] = Announcement(version, eta, uint40(block.number));
        emit Announced(proxy, version.implementation, version.codeHash, version.layoutHash, eta);
    }

    /// @notice Keeps code out of a proxy for ever, also against a guardian's rollback.
    function revoke(address proxy, bytes32 codeHash) external onlyCouncil {
        if (revoked[proxy][codeHash]) revert CodeRevoked(codeHash);
        revoked[proxy][codeHash] = true;
        emit Revoked(proxy, codeHash);
    }

    /// @notice Lands the announced version: after the delay, or at once while the proxy is RESTRICTED, HALTED or RECOVERING.
    /// @dev At once still means a later block: code deployed in the same transaction could destroy itself at its end.
    function activate(address proxy) external onlyCouncil {
        _requireNotExit(proxy);
        Announcement memory next = announced[proxy];
        (Mode mode,) = _read(proxy);
        if (mode == Mode.EXIT) revert ExitIsTerminal(proxy);
        _requireTimely(next.eta, _inEpisode(mode));
        if (block.number == next.announcedBlock) revert SameBlock();
        delete announced[proxy];
        _land(proxy, next.version, next.version.migration, bytes4(0));
    }

    /// @notice Goes back to the immediately previous version, with the signatures of a guardian group of the proxy's scope.
    /// @dev The history grows by a copy of that version. Its predecessor is the version that was left, and that one is not
    /// eligible: guardians cannot walk the history further back, nor forth again.
    function rollback(address proxy, uint8 group, uint40 deadline, bytes[] calldata signatures) external {
        (Version memory current, Version memory previous) = _reversible(proxy);
        uint256 version = _versions[proxy].length;
        bytes memory subject = abi.encode(proxy, version, previous.codeHash);
        uint32 episodeId = _act(proxy, ROLLBACK_TYPEHASH, subject, group, deadline, signatures);
        previous.predecessorEligible = false;
        bytes4 reverse = current.schema == previous.schema ? bytes4(0) : current.reverseMigration;
        _land(proxy, previous, bytes4(0), reverse);
        emit RolledBack(proxy, version, episodeId);
    }

    /// @notice Every version that has run, oldest first; the last one runs now.
    function versionsOf(address proxy) external view returns (Version[] memory) {
        return _versions[proxy];
    }

    /// @dev The two newest versions, if guardians may go from the one back to the other.
    function _reversible(address proxy) private view returns (Version memory current, Version memory previous) {
        uint256 length = _versions[proxy].length;
        if (length < 2) revert NoPredecessor(proxy);
        (current, previous) = (_versions[proxy][length - 1], _versions[proxy][length - 2]);
        if (!current.predecessorEligible) revert NotEligible(length - 2);
        uint256 ranFor = current.activatedAt - previous.activatedAt;
        if (ranFor < SOAK) revert NotSoaked(ranFor, SOAK);
        if (current.schema != previous.schema && current.reverseMigration == 0) {
            revert SchemaDiffers(current.schema, previous.schema);
        }
    }

    /// @dev Switches the code between two readings of the restriction and of the probe.
    function _land(address proxy, Version memory version, bytes4 migration, bytes4 reverse) private {
        if (revoked[proxy][version.codeHash]) revert CodeRevoked(version.codeHash);
        _requireCode(version);
        (, bytes32 before) = _read(proxy);
        bool greenBefore = _green(version.probe);
        _push(proxy, version);
        _migrate(proxy, reverse);
        IPointable(proxy).failsafePointTo(version.implementation);
        _migrate(proxy, migration);
        (, bytes32 afterwards) = _read(proxy);
        if (afterwards == 0 || (before != 0 && before != afterwards)) revert RestrictionChanged(proxy);
        if (!_green(version.probe)) revert ProbeNotGreen(version.probe);
        emit Activated(proxy, _versions[proxy].length - 1, version.codeHash, greenBefore);
    }

    function _push(address proxy, Version memory version) private {
        version.activatedAt = uint40(block.timestamp);
        _versions[proxy].push(version);
    }

    function _migrate(address proxy, bytes4 selector) private {
        if (selector == 0) return;
        (bool ok,) = proxy.call(abi.encodePacked(selector));
        if (!ok) revert MigrationFailed(selector);
    }

    /// @dev Mode and fingerprint of the restriction in force. For a proxy that cannot say they are NORMAL, which means full
    /// notice and still a way to mend it, and zero.
    function _read(address proxy) private view returns (Mode mode, bytes32 fingerprint) {
        try this.restrictionOf(proxy) returns (Restriction memory effective) {
            (mode, fingerprint) = (effective.mode, keccak256(abi.encode(effective)));
        } catch {}
    }

    /// @dev A probe that reverts, runs out of its gas or answers anything but `true` is not green.
    function _green(IProbe probe) private view returns (bool) {
        (bool ok, uint256 answer,) = BoundedCall.read(address(probe), abi.encodeCall(IProbe.green, ()), 1);
        return ok && answer == 1;
    }

    function _requireCode(Version memory version) private view {
        bytes32 found = version.implementation.codehash;
        if (version.implementation.code.length <= DELEGATION_LENGTH || found != version.codeHash) {
            revert CodeMismatch(version.implementation, version.codeHash, found);
        }
        // The controller is part of the code: what was built for another one, or is no guarded contract, is out of reach.
        (bool ok, uint256 built,) =
            BoundedCall.read(version.implementation, abi.encodeCall(IControlled.failsafeController, ()), 1);
        if (!ok || built != uint160(address(controller))) revert ForeignCode(version.implementation);
        if (version.layoutHash == 0) revert LayoutMissing();
        if (address(version.probe) == address(0)) revert ZeroAddress();
    }
}
