// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {FailSafe} from "./FailSafe.sol";
import {FlowLimiter} from "./FlowLimiter.sol";
import {IFailSafeController} from "./interfaces/IFailSafeController.sol";

/// @notice {FailSafe} and {FlowLimiter} in one contract, wired: limits follow the restriction in force.
/// @dev Problem: an integrator that forgets to mirror health into the hints has a pause that limited functions do not see.
/// Guarantee: hot word not healthy => every hint is set, in every call. Trust and failure modes: those of both.
abstract contract LimitedFailSafe is FailSafe, FlowLimiter {
    constructor(Config memory config, uint40 raiseDelay_) FailSafe(config) FlowLimiter(raiseDelay_) {}

    function _healthChanged() internal virtual override {
        _syncHints();
    }

    function _limitFactor() internal view virtual override(FailSafe, FlowLimiter) returns (uint16) {
        return FailSafe._limitFactor();
    }

    function _limitHealthy() internal view override returns (bool) {
        return _healthy();
    }

    function _limitRequireOpen(uint8 class_) internal view override {
        _requireOpen(class_);
    }

    function _limitController() internal view override returns (IFailSafeController) {
        return IFailSafeController(failsafeController);
    }
}
