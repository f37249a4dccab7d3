// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FailSafe} from "../kit/FailSafe.sol";
import {LendingMarket} from "./LendingMarket.sol";

/// @title FailSafeMarket
/// @notice The drill's lending market as a target of the kit: classes instead of one pause.
/// @dev Problem: the market's own pause closes everything for one key's say-so, again and again. Design: the base class asks
/// `requireOpen` before each action; here {FailSafe} answers, by class, mode and stage. `repay` is REDUCE_RISK and asks nobody.
/// The market has no guardian of its own, so that `pauseFor` is nobody's.
///
/// Trust and failure modes: those of {FailSafe} and {LendingMarket}.
contract FailSafeMarket is LendingMarket, FailSafe {
    constructor(address owner_, Config memory config) LendingMarket(owner_, address(0)) FailSafe(config) {}

    /// @inheritdoc LendingMarket
    function requireOpen(uint8 class_) public view override {
        if (!_healthy()) _requireOpen(class_);
    }
}
