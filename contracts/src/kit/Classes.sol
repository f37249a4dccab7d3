// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Mode} from "./Types.sol";

/// @notice Action classes and what each mode and stage closes. Bits 12 to 31 are the integrator's: closed from RESTRICTED
/// to the end of stage S4 when the trip's mask names them.
library Classes {
    uint8 internal constant ENTER = 0;
    uint8 internal constant EXIT = 1;
    uint8 internal constant INCREASE_RISK = 2;
    uint8 internal constant REDUCE_RISK = 3;
    uint8 internal constant LIQUIDATE = 4;
    uint8 internal constant TRANSFER = 5;
    uint8 internal constant PRICE_UPDATE = 6;
    uint8 internal constant BRIDGE_OUT = 7;
    uint8 internal constant CLAIM = 8;
    uint8 internal constant ADMIN = 9;
    uint8 internal constant UPGRADE = 10;
    uint8 internal constant PULL_FROM = 11;

    /// @notice Classes that no restriction may close: repaying debt and claiming from an exit round.
    uint32 internal constant NEVER_RESTRICTED = uint32(1 << REDUCE_RISK | 1 << CLAIM);

    /// @notice Every class that a restriction may close.
    uint32 internal constant RESTRICTABLE = ~NEVER_RESTRICTED;

    /// @notice Classes that the council may hold closed on an unpatched but solvent system after 21 days.
    uint32 internal constant HOLDABLE = uint32(1 << ENTER | 1 << INCREASE_RISK | 1 << BRIDGE_OUT);

    uint32 private constant CUSTOM = 0xffff_f000;
    uint32 private constant RESTRICTED_CLOSES = uint32(
        1 << ENTER | 1 << INCREASE_RISK | 1 << TRANSFER | 1 << BRIDGE_OUT | 1 << ADMIN | 1 << UPGRADE | 1 << PULL_FROM
    ) | CUSTOM;
    uint32 private constant S1_CLOSES = RESTRICTABLE & ~uint32(1 << EXIT | 1 << TRANSFER | 1 << PRICE_UPDATE);
    uint32 private constant S2_CLOSES = S1_CLOSES & ~uint32(1 << LIQUIDATE);
    uint32 private constant S3_CLOSES = S2_CLOSES & ~uint32(1 << ENTER);

    /// @notice Classes that a trip into `mode` may close. WATCH closes nothing, it only throttles.
    function closable(Mode mode) internal pure returns (uint32) {
        if (mode == Mode.RESTRICTED) return RESTRICTED_CLOSES;
        if (mode == Mode.HALTED || mode == Mode.EXIT) return RESTRICTABLE;
        return 0;
    }

    /// @notice Classes that stage `stage` keeps closed, before the intersection with the episode's mask. S4 keeps only UPGRADE
    /// and the integrator's classes closed; they open with NORMAL.
    function closedIn(uint8 stage) internal pure returns (uint32) {
        if (stage == 0) return RESTRICTABLE & ~uint32(1 << PRICE_UPDATE);
        if (stage == 1) return S1_CLOSES;
        if (stage == 2) return S2_CLOSES;
        if (stage == 3) return S3_CLOSES;
        return uint32(1 << UPGRADE) | CUSTOM;
    }

    /// @notice Limiter factor of stage `stage`, in bps; S0 pays nothing out.
    function factorOf(uint8 stage) internal pure returns (uint16) {
        return stage >= 4 ? 10_000 : uint16(2_500) * (stage == 0 ? 1 : stage);
    }

    /// @notice A mask as it must be: prices closed also closes liquidation and new risk.
    /// @dev Source: rule 2 of the class table in docs/kit.md.
    function consistent(uint32 mask) internal pure returns (uint32) {
        if (mask & uint32(1 << PRICE_UPDATE) != 0) mask |= uint32(1 << LIQUIDATE | 1 << INCREASE_RISK);
        return mask;
    }
}
