// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {FailSafeController} from "../FailSafeController.sol";
import {Mode} from "../Types.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {ISilenceVerdict} from "../interfaces/IExitConditions.sol";

/// @title Tells a dead council from a quiet one
/// @notice Problem: if nobody can say that the council is gone, a scope whose council is gone never ends in EXIT; if saying so is free,
/// the council answers for ever.
/// Guarantee: a challenge that costs a bond if it is answered stands until the council answers it within 14 days, or until its
/// episode is over; a late answer does not count. One challenge per scope and episode at a time.
/// Trust: the controller, fixed at deployment, for episodes and for time (it knows the sequencer).
/// Failure modes: whoever loses the way to receive the bond leaves it here.
contract CouncilChallenge is ISilenceVerdict {
    /// @param challenger whose bond it is; zero for none
    /// @param since second of the challenge
    struct Challenge {
        address challenger;
        uint40 since;
    }

    event CouncilChallenged(bytes32 indexed scope, uint32 indexed episodeId, address indexed challenger);
    event CouncilAnswered(bytes32 indexed scope, uint32 indexed episodeId);
    event Refunded(bytes32 indexed scope, uint32 indexed episodeId);

    error InvalidConfiguration();
    error NotAuthorized(address caller);
    error NotLive(bytes32 scope);
    error WrongBond(uint256 sent, uint256 wanted);
    error ChallengeStands(bytes32 scope);
    error NotChallenged(bytes32 scope);
    error AnswerTooLate(bytes32 scope);
    error TransferFailed();

    uint256 private constant ANSWER_SPAN = 14 days;

    FailSafeController public immutable controller;
    uint256 public immutable bond;

    mapping(bytes32 scope => mapping(uint32 episodeId => Challenge)) public challengeOf;

    constructor(FailSafeController controller_, uint256 bond_) {
        if (address(controller_) == address(0) || bond_ == 0) revert InvalidConfiguration();
        (controller, bond) = (controller_, bond_);
    }

    /// @notice Asks the council for a sign of life while `scope` is RESTRICTED, HALTED or RECOVERING.
    function challenge(bytes32 scope) external payable {
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        IFailSafeController.Episode memory e = controller.episodeOf(scope);
        if (!_tight(e.mode)) revert NotLive(scope);
        if (challengeOf[scope][e.episodeId].challenger != address(0)) revert ChallengeStands(scope);
        challengeOf[scope][e.episodeId] = Challenge(msg.sender, uint40(block.timestamp));
        emit CouncilChallenged(scope, e.episodeId, msg.sender);
    }

    /// @notice The council's sign of life; the bond is its own then.
    function answer(bytes32 scope) external {
        if (msg.sender != controller.council()) revert NotAuthorized(msg.sender);
        uint32 episodeId = controller.episodeOf(scope).episodeId;
        Challenge memory c = challengeOf[scope][episodeId];
        if (c.challenger == address(0)) revert NotChallenged(scope);
        if (controller.lapsed(c.since, ANSWER_SPAN)) revert AnswerTooLate(scope);
        delete challengeOf[scope][episodeId];
        emit CouncilAnswered(scope, episodeId);
        // A council that cannot take value has answered all the same.
        (bool sent,) = msg.sender.call{value: bond}("");
        sent;
    }

    /// @notice Gives the bond of a challenge back that was not answered when its episode ended, in NORMAL or in EXIT. Anyone.
    function refund(bytes32 scope, uint32 episodeId) external {
        Challenge memory c = challengeOf[scope][episodeId];
        if (c.challenger == address(0)) revert NotChallenged(scope);
        IFailSafeController.Episode memory e = controller.episodeOf(scope);
        if (e.episodeId == episodeId && _tight(e.mode)) revert ChallengeStands(scope);
        delete challengeOf[scope][episodeId];
        emit Refunded(scope, episodeId);
        (bool sent,) = c.challenger.call{value: bond}("");
        if (!sent) revert TransferFailed();
    }

    /// @inheritdoc ISilenceVerdict
    function unanswered(bytes32 scope) external view returns (bool) {
        Challenge memory c = challengeOf[scope][controller.episodeOf(scope).episodeId];
        return c.challenger != address(0) && controller.lapsed(c.since, ANSWER_SPAN);
    }

    function _tight(Mode mode) private pure returns (bool) {
        return mode == Mode.RESTRICTED || mode == Mode.HALTED || mode == Mode.RECOVERING;
    }
}
