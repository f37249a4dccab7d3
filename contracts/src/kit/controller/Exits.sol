// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Classes} from "../Classes.sol";
import {ExitCause, Mode} from "../Types.sol";
import {IExitConditions, IExitRounds, IInsolvencyVerdict, ISilenceVerdict} from "../interfaces/IExitConditions.sol";
import {Intents} from "./Intents.sol";
import {Scope, ScopeState} from "./ScopeState.sol";

/// @notice The terminal edge: who may open EXIT.
/// @dev Problem: an exit that needs the party that paused is no exit; one that capital can buy is an attack.
/// Guarantee: besides the council, anyone opens EXIT when the recovery plan finds the episode insolvent after 21 days, when no guardian
/// was heard for 14 days and the council let a bonded challenge stand for as long, or when forced exits are not served.
/// None needs a signature. EXIT has no way back.
/// Trust: the named contracts for their verdicts. A COUNCIL exit is one call of the council: its own rules are the supermajority.
/// Failure modes: a target that cannot be reached stays behind and is caught up by `retry`, for anyone, for ever.
abstract contract Exits is Intents {
    event ExitOpened(bytes32 indexed scope, ExitCause cause, uint256 round, uint256 okBitmap);

    error NotLive(bytes32 scope);
    error CauseNotMet(bytes32 scope, ExitCause cause);
    address public immutable recoveryPlan;
    IExitRounds public immutable emergencyExit;
    IExitConditions public immutable forcedExits;
    ISilenceVerdict public immutable challenge;

    constructor(address recoveryPlan_, address emergencyExit_, address forcedExits_, address challenge_) {
        if (recoveryPlan_ == address(0) || emergencyExit_ == address(0) || challenge_ == address(0)) {
            revert ZeroAddress();
        }
        (recoveryPlan, emergencyExit) = (recoveryPlan_, IExitRounds(emergencyExit_));
        (forcedExits, challenge) = (IExitConditions(forcedExits_), ISilenceVerdict(challenge_));
    }

    /// @notice Opens EXIT for a scope in an episode, for ever.
    /// @param proof `abi.encode(checkpointId)`: the entitlements of the round
    function openExit(bytes32 scope, ExitCause cause, bytes calldata proof) external nonReentrant {
        for (bytes32 node = scope; node != 0; node = parentOf[node]) {
            if (_load(node).flags & ScopeState.EXITED != 0) revert ExitTerminal(node);
        }
        Scope memory s = _load(scope);
        if (s.flags & ScopeState.TIGHT == 0) revert NotLive(scope);
        if (!_met(scope, s, cause)) revert CauseNotMet(scope, cause);
        (s.mask, s.flags) = (Classes.RESTRICTABLE, s.flags | ScopeState.EXITED);
        uint256 okBitmap = _pushPresent(scope, s, "exit", ALL, false);
        emit ExitOpened(scope, cause, emergencyExit.openRound(scope, abi.decode(proof, (uint256))), okBitmap);
    }

    function _met(bytes32 scope, Scope memory s, ExitCause cause) private view returns (bool) {
        if (cause == ExitCause.COUNCIL) return msg.sender == council;
        if (cause == ExitCause.INSOLVENT) return IInsolvencyVerdict(recoveryPlan).exitable(scope);
        if (cause == ExitCause.SILENCE) return allSilent(scope) && challenge.unanswered(scope);
        (Mode mode,,) = _now(s);
        return mode != Mode.RECOVERING && address(forcedExits) != address(0) && forcedExits.unserved(scope);
    }
}
