// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Signatures} from "../controller/Signatures.sol";
import {PauseProbe, PauseProbes, Rehearsal} from "./PauseProbe.sol";

/// @notice The one call that the module makes to its Safe.
interface ISafe {
    function execTransactionFromModule(address to, uint256 value, bytes calldata data, uint8 operation)
        external
        returns (bool success);
}

/// @notice What a deputy signs (EIP-712) to have one lever pulled.
/// @param target contract to pause
/// @param selector its pausing function
/// @param args its arguments as allow-listed, with a zero word in the place of a duration
/// @param duration seconds for that word; 0 when the lever has none
/// @param stepHash hash of the playbook step: part of the action key
/// @param keyEpisode arming of the lever, as seen when signing
/// @param tripCount executions since that arming, as seen when signing
/// @param deadline second after which the intent is void; at most 7 days ahead
struct PauseIntent {
    address target;
    bytes4 selector;
    bytes args;
    uint32 duration;
    bytes32 stepHash;
    uint32 keyEpisode;
    uint32 tripCount;
    uint40 deadline;
}

/// @notice What the Safe allows for one exact call.
/// @param probe how to see that the target is paused
/// @param keyWords leading argument words that the probe's view takes too (a reserve, a managed contract)
/// @param durationWord index of the argument word that a deputy fills in, when `maxDuration` is not 0
/// @param maxDuration longest duration in seconds; 0 for a call without one
/// @param cooldown least seconds between two executions in a row by one deputy, so that a stolen key cannot pause without end, nor
/// use up the cooldown for the others
struct PauseRule {
    PauseProbe probe;
    uint8 keyWords;
    uint8 durationWord;
    uint32 maxDuration;
    uint32 cooldown;
}

/// @title Lets deputies of a Safe pull pauses that the Safe allowed beforehand, and nothing else
/// @notice Problem: where the pause right sits in a multisig, a pre-signed pause goes stale with the Safe's next transaction, and
/// gathering signatures takes longer than a theft.
/// Guarantee: one deputy's signature is enough for exactly the calls on the allow-list, whatever else the Safe does meanwhile. A
/// call counts only if its target reads as paused afterwards and did not before, so the module cannot unpause, not even by a
/// mistaken allow-list. The Safe calls with operation CALL and value 0, never itself and never this module: a deputy cannot
/// change deputies, levers or the heartbeat. A signed intent lands at most once, and so does its twin of another deputy.
/// Trust: the Safe is trusted in full (a module adds nothing to what its owners can do); a stolen deputy key can pause what is
/// allowed, once per cooldown, until the Safe removes it or lets the heartbeat lapse.
/// Failure modes: a revoked pause right, a disabled module or a lapsed heartbeat make `execute` revert; {executable} tells so
/// beforehand. A pause without a duration does not end by itself: give that right to a {PausableAdapter} instead. This is a module
/// and never a guard, because a guard that fails would lock the Safe.
contract SafePauseModule is Rehearsal {
    using PauseProbes for PauseProbe;

    /// @dev Counters of a lever; they outlive its removal, so that no old intent fits a later arming.
    struct Arming {
        address lastDeputy;
        uint40 lastExecution;
        uint32 episode;
        uint24 executions;
    }

    event DeputiesSet(address[] deputies);
    event HeartbeatSet(uint40 until);
    event LeverSet(
        bytes32 indexed lever, address indexed target, bytes4 selector, bytes args, PauseRule rule, uint32 episode
    );
    event LeverRemoved(bytes32 indexed lever);
    event PauseExecuted(
        bytes32 indexed actionKey, bytes32 indexed lever, address indexed deputy, address target, uint32 duration
    );

    error ZeroAddress();
    error NotSafe(address caller);
    error NotDeputy(address caller);
    error OutOfBounds(uint256 value, uint256 least, uint256 most);
    error UnsortedDeputies(address deputy);
    error HeartbeatLapsed(uint40 until);
    error TargetForbidden(address target);
    error LeverMalformed();
    error LeverUnknown(bytes32 lever);
    error IntentExpired(uint40 deadline);
    error StaleEpoch(uint32 signed, uint32 present);
    error ActionKeyUsed(bytes32 actionKey);
    error ActionKeyAhead(uint32 signed, uint32 present);
    error CoolingDown(uint256 until);

    uint256 public constant MIN_DEPUTIES = 2;
    uint256 public constant MAX_DEPUTIES = 16;
    uint256 public constant MAX_INTENT_LIFETIME = 7 days;
    uint256 public constant MAX_HEARTBEAT = 365 days;
    uint8 private constant OPERATION_CALL = 0;

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 public constant INTENT_TYPEHASH = keccak256(
        "PauseIntent(address target,bytes4 selector,bytes args,uint32 duration,bytes32 stepHash,uint32 keyEpisode,uint32 tripCount,uint40 deadline)"
    );

    ISafe public immutable safe;
    uint40 public heartbeatUntil;
    address[] public deputies;
    mapping(address deputy => bool) public isDeputy;
    mapping(bytes32 lever => PauseRule) public levers;
    mapping(bytes32 lever => Arming) public armings;

    modifier onlySafe() {
        if (msg.sender != address(safe)) revert NotSafe(msg.sender);
        _;
    }

    constructor(ISafe safe_) {
        if (address(safe_) == address(0)) revert ZeroAddress();
        safe = safe_;
    }

    // ---------------------------------------------------------------- what the Safe sets

    /// @notice Replaces all deputies. Two or more, so that the loss of one key does not take the pause away; strictly rising.
    function setDeputies(address[] calldata deputies_) external onlySafe {
        _requireWithin(deputies_.length, MIN_DEPUTIES, MAX_DEPUTIES);
        for (uint256 i; i < deputies.length; ++i) {
            delete isDeputy[deputies[i]];
        }
        address last;
        for (uint256 i; i < deputies_.length; ++i) {
            if (deputies_[i] <= last) revert UnsortedDeputies(deputies_[i]);
            last = deputies_[i];
            isDeputy[last] = true;
        }
        deputies = deputies_;
        emit DeputiesSet(deputies_);
    }

    /// @notice Keeps the deputies' right alive until a second at most a year ahead; the past takes it away at once. It is apart
    /// from the levers so that renewing it does not void what deputies have signed.
    function setHeartbeat(uint40 until) external onlySafe {
        _requireWithin(until, 0, block.timestamp + MAX_HEARTBEAT);
        heartbeatUntil = until;
        emit HeartbeatSet(until);
    }

    /// @notice Allows one exact call, or arms it again: the cooldown starts afresh and every intent signed before is void.
    function setLever(address target, bytes4 selector, bytes calldata args, PauseRule calldata rule)
        external
        onlySafe
        returns (bytes32 lever)
    {
        if (target == address(0) || rule.probe.reader == address(0)) revert ZeroAddress();
        if (target == address(safe) || target == address(this)) revert TargetForbidden(target);
        uint256 words = args.length / 32;
        if (args.length % 32 != 0 || rule.keyWords > words || rule.cooldown == 0) revert LeverMalformed();
        if (rule.maxDuration != 0) {
            uint256 offset = uint256(rule.durationWord) * 32;
            if (rule.durationWord < rule.keyWords || rule.durationWord >= words) revert LeverMalformed();
            if (bytes32(args[offset:offset + 32]) != 0) revert LeverMalformed();
        }
        lever = leverOf(target, selector, args);
        levers[lever] = rule;
        uint32 episode = armings[lever].episode + 1;
        armings[lever] = Arming({lastDeputy: address(0), lastExecution: 0, episode: episode, executions: 0});
        emit LeverSet(lever, target, selector, args, rule, episode);
    }

    /// @notice Takes a call off the allow-list.
    function removeLever(bytes32 lever) external onlySafe {
        if (levers[lever].probe.reader == address(0)) revert LeverUnknown(lever);
        delete levers[lever];
        emit LeverRemoved(lever);
    }

    // ---------------------------------------------------------------- what deputies do

    /// @notice Pulls the lever that a deputy signed for. Any relayer; reverts unless the target is paused by it.
    /// @param signature 65 bytes of ECDSA, or the address of an ERC-1271 deputy followed by what it wants to see
    function execute(PauseIntent calldata intent, bytes calldata signature) external {
        _pull(intent, Signatures.signerOf(digestOf(intent), signature));
    }

    /// @notice Whether an intent would land now if `deputy` signed it, and the error when not. It makes the real call with the
    /// live rights of the Safe and undoes it.
    function executable(PauseIntent calldata intent, address deputy) external returns (bool ok, bytes memory reason) {
        return _rehearse(abi.encodeCall(this.rehearse, (intent, deputy)));
    }

    /// @notice Half of {executable}: always reverts, with {Rehearsed} after a pause that had its effect.
    function rehearse(PauseIntent calldata intent, address deputy) external {
        _pull(intent, deputy);
        revert Rehearsed();
    }

    // ---------------------------------------------------------------- views

    /// @notice Name of an exact call. Everything but a duration is part of it: no free argument can turn a pause into something
    /// else, and two reserves of one market have counters of their own, so that neither stands in the other's way.
    function leverOf(address target, bytes4 selector, bytes calldata args) public pure returns (bytes32) {
        return keccak256(abi.encode(target, selector, args));
    }

    function digestOf(PauseIntent calldata intent) public view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, keccak256("Ripcord SafePauseModule"), keccak256("1"), block.chainid, address(this)
            )
        );
        bytes32 message = keccak256(
            abi.encode(
                INTENT_TYPEHASH,
                intent.target,
                intent.selector,
                keccak256(intent.args),
                intent.duration,
                intent.stepHash,
                intent.keyEpisode,
                intent.tripCount,
                intent.deadline
            )
        );
        return keccak256(abi.encodePacked("\x19\x01", domain, message));
    }

    // ---------------------------------------------------------------- inside

    function _pull(PauseIntent calldata intent, address deputy) private {
        if (!isDeputy[deputy]) revert NotDeputy(deputy);
        if (block.timestamp > heartbeatUntil) revert HeartbeatLapsed(heartbeatUntil);
        bytes32 lever = leverOf(intent.target, intent.selector, intent.args);
        PauseRule memory rule = levers[lever];
        if (rule.probe.reader == address(0)) revert LeverUnknown(lever);
        bytes32 actionKey = _spend(intent, deputy, lever, rule.cooldown);

        bytes memory keys = intent.args[:uint256(rule.keyWords) * 32];
        uint256 before = rule.probe.read(keys);
        // The target may re-enter: the intent is spent by now, and whatever else lands in there is another signed pause.
        if (!safe.execTransactionFromModule(intent.target, 0, _callOf(intent, rule), OPERATION_CALL)) {
            revert PauseRefused(intent.target);
        }
        if (!rule.probe.tightened(before, rule.probe.read(keys))) revert PauseHadNoEffect(intent.target);
        emit PauseExecuted(actionKey, lever, deputy, intent.target, intent.duration);
    }

    /// @dev The fence. One key fits each count of an arming, so that counting says which keys are used up.
    function _spend(PauseIntent calldata intent, address deputy, bytes32 lever, uint32 cooldown)
        private
        returns (bytes32 actionKey)
    {
        Arming memory arming = armings[lever];
        if (block.timestamp > intent.deadline) revert IntentExpired(intent.deadline);
        _requireWithin(intent.deadline, 0, block.timestamp + MAX_INTENT_LIFETIME);
        if (intent.keyEpisode != arming.episode) revert StaleEpoch(intent.keyEpisode, arming.episode);
        actionKey = keccak256(
            abi.encode(block.chainid, address(this), lever, intent.keyEpisode, intent.tripCount, intent.stepHash)
        );
        if (intent.tripCount < arming.executions) revert ActionKeyUsed(actionKey);
        if (intent.tripCount > arming.executions) revert ActionKeyAhead(intent.tripCount, arming.executions);
        uint256 cool = uint256(arming.lastExecution) + cooldown;
        if (deputy == arming.lastDeputy && block.timestamp < cool) revert CoolingDown(cool);
        armings[lever] = Arming(deputy, uint40(block.timestamp), arming.episode, arming.executions + 1);
    }

    /// @dev The allow-listed call, with the duration in its place.
    function _callOf(PauseIntent calldata intent, PauseRule memory rule) private pure returns (bytes memory) {
        _requireWithin(intent.duration, rule.maxDuration == 0 ? 0 : 1, rule.maxDuration);
        if (rule.maxDuration == 0) return abi.encodePacked(intent.selector, intent.args);
        uint256 offset = uint256(rule.durationWord) * 32;
        return
            abi.encodePacked(intent.selector, intent.args[:offset], uint256(intent.duration), intent.args[offset + 32:]);
    }

    function _requireWithin(uint256 value, uint256 least, uint256 most) private pure {
        if (value < least || value > most) revert OutOfBounds(value, least, most);
    }
}
