// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Classes} from "../Classes.sol";
import {Mode, Restriction} from "../Types.sol";
import {Signatures} from "../controller/Signatures.sol";
import {IFailSafe} from "../interfaces/IFailSafe.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";

/// @notice Who may do what in a rollback: the council as the controller knows it, and guardian groups by signature.
/// @dev Problem: a rollback is the one guardian power that does not end by time, so it has to be harder to repeat than a trip.
/// Guarantee: a guardian act lands only while its target is RESTRICTED, HALTED or RECOVERING, at most once per target and
/// episode of the target's own scope, and a council release (epoch) voids the signatures that are still unused.
/// Trust: the controller is the only judge of signers, episodes and of EXIT; it is not upgradeable.
/// Failure modes: a target that cannot say its mode gets no guardian act; when only a parent scope was tripped and the
/// act of the last own episode is used, the guardian has to trip the target's own scope first.
abstract contract GuardianAct {
    error ZeroAddress();
    error OutOfBounds(uint256 value, uint256 least, uint256 most);
    error NotCouncil(address caller);
    error DeadlineOutside(uint40 deadline, uint256 now_);
    error NotInEpisode(address target, Mode mode);
    error AlreadyActed(address target, uint32 episodeId);
    error ExitIsTerminal(address target);
    error TooEarly(uint40 eta);
    error TooLate(uint40 expiredAt);
    error NothingAnnounced();

    /// @notice Nothing that loosens or brings new code takes effect with less notice than this.
    uint40 public constant DELAY_MIN = 48 hours;
    uint40 public constant DELAY_MAX = 30 days;

    /// @notice An announcement that nobody used in this time after its delay is void: old notice is no notice.
    uint40 public constant WINDOW = 14 days;

    uint40 private constant LIFETIME_MAX = 7 days;
    bytes32 private constant NAME_HASH = keccak256("GuardianAct");

    IFailSafeController public immutable controller;

    /// @notice Notice that the council gives, in seconds.
    uint40 public immutable delay;

    /// @dev Episode id of the last act plus one, so that episode 0 (a scope of which only a parent was tripped) counts too.
    mapping(address target => uint256 episodePlusOne) private _actedIn;

    modifier onlyCouncil() {
        if (msg.sender != controller.council()) revert NotCouncil(msg.sender);
        _;
    }

    constructor(IFailSafeController controller_, uint40 delay_) {
        if (address(controller_) == address(0)) revert ZeroAddress();
        _requireWithin(delay_, DELAY_MIN, DELAY_MAX);
        controller = controller_;
        delay = delay_;
    }

    /// @notice What is in force at `target`, by its own account. Reverts when the target cannot say.
    function restrictionOf(address target) public view returns (Restriction memory effective) {
        (, effective) = IFailSafe(target).failsafeState();
    }

    /// @dev Uses up the one act of this episode on `target`, with the signatures of `group` over the EIP-712 struct
    /// `typeHash(subject..., uint32 keyEpisode, uint32 epoch, uint40 deadline)`.
    function _act(
        address target,
        bytes32 typeHash,
        bytes memory subject,
        uint8 group,
        uint40 deadline,
        bytes[] calldata signatures
    ) internal returns (uint32 episodeId) {
        if (block.timestamp > deadline || deadline > block.timestamp + LIFETIME_MAX) {
            revert DeadlineOutside(deadline, block.timestamp);
        }
        _requireNotExit(target);
        Mode mode = restrictionOf(target).mode;
        if (!_inEpisode(mode)) revert NotInEpisode(target, mode);
        bytes32 scope = controller.scopeOf(target);
        IFailSafeController.Episode memory episode = controller.episodeOf(scope);
        episodeId = episode.episodeId;
        if (_actedIn[target] == uint256(episodeId) + 1) revert AlreadyActed(target, episodeId);
        _actedIn[target] = uint256(episodeId) + 1;
        bytes memory key = abi.encode(episodeId, episode.epoch, deadline);
        bytes32 digest = Signatures.typedDigest(NAME_HASH, keccak256(bytes.concat(typeHash, subject, key)));
        controller.requireGroup(scope, group, digest, signatures);
    }

    /// @dev EXIT is asked of the controller, whose code cannot change, and not only of the target: nothing else closes UPGRADE for
    /// ever. Reverts for a target that is not enrolled.
    function _requireNotExit(address target) internal view {
        (, uint40 closedUntil) = controller.restrictionOf(target, Classes.UPGRADE);
        if (closedUntil == type(uint40).max) revert ExitIsTerminal(target);
    }

    function _requireTimely(uint40 eta, bool noDelay) internal view {
        if (eta == 0) revert NothingAnnounced();
        if (!noDelay && block.timestamp < eta) revert TooEarly(eta);
        if (block.timestamp > eta + WINDOW) revert TooLate(eta + WINDOW);
    }

    function _requireWithin(uint256 value, uint256 least, uint256 most) internal pure {
        if (value < least || value > most) revert OutOfBounds(value, least, most);
    }

    function _inEpisode(Mode mode) internal pure returns (bool) {
        return mode == Mode.RESTRICTED || mode == Mode.HALTED || mode == Mode.RECOVERING;
    }
}
