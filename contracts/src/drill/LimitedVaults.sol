// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FailSafe} from "../kit/FailSafe.sol";
import {FailSafeWord} from "../kit/FailSafeWord.sol";
import {FlowLimiter} from "../kit/FlowLimiter.sol";
import {Restriction} from "../kit/Types.sol";
import {IFailSafeController} from "../kit/interfaces/IFailSafeController.sol";
import {FailSafeMarket} from "./FailSafeMarket.sol";
import {FungibleToken} from "./FungibleToken.sol";
import {LendingVault} from "./LendingVault.sol";
import {SupplyVault} from "./SupplyVault.sol";
import {SupplyVaultPatched} from "./SupplyVaultPatched.sol";

/// @title Limited
/// @notice A vault whose outflow is limited by the kit: loans and exits together, net of what the same account brings in the
/// same transaction.
/// @dev Problem: who empties a vault in one private transaction meets no guardian. Design: {FlowLimiter} charges each outflow to the
/// vault's asset; health and factor are the market's. Failure modes: see {FlowLimiter}.
abstract contract Limited is LendingVault, FlowLimiter {
    uint40 private constant RAISE_DELAY = 72 hours;

    constructor(uint256 cap, uint24 window) FlowLimiter(RAISE_DELAY) {
        _setLimit(outflowKey(), cap, window, cap / 4, false);
    }

    /// @notice The limit's key.
    function outflowKey() public view returns (bytes32) {
        return assetKey(address(_asset));
    }

    function _chargeOutflow(uint8 class_, address to, uint256 assets) internal virtual override {
        _consume(class_, outflowKey(), to, assets);
    }

    function _noteDeposit(address from, uint256 assets) internal virtual override {
        _noteInflow(address(_asset), from, assets);
    }

    function _limitHealthy() internal view override returns (bool) {
        return FailSafe(address(market)).failsafeWord() == FailSafeWord.HEALTHY;
    }

    function _limitFactor() internal view override returns (uint16) {
        (, Restriction memory effective) = FailSafe(address(market)).failsafeState();
        return effective.factorBps;
    }

    function _limitRequireOpen(uint8 class_) internal view override {
        market.requireOpen(class_);
    }

    function _limitController() internal view override returns (IFailSafeController) {
        return IFailSafeController(FailSafe(address(market)).failsafeController());
    }
}

/// @title LimitedSupplyVault
/// @notice DELIBERATELY VULNERABLE, as {SupplyVault}; its outflow is limited.
contract LimitedSupplyVault is SupplyVault, Limited {
    constructor(
        FailSafeMarket market_,
        FungibleToken asset_,
        string memory name_,
        string memory symbol_,
        uint256 cap,
        uint24 window
    ) SupplyVault(market_, asset_, name_, symbol_) Limited(cap, window) {}

    function _chargeOutflow(uint8 class_, address to, uint256 assets) internal override(LendingVault, Limited) {
        Limited._chargeOutflow(class_, to, assets);
    }

    function _noteDeposit(address from, uint256 assets) internal override(LendingVault, Limited) {
        Limited._noteDeposit(from, assets);
    }
}

/// @title LimitedSupplyVaultPatched
/// @notice The fixed twin with a limited outflow.
contract LimitedSupplyVaultPatched is SupplyVaultPatched, Limited {
    constructor(
        FailSafeMarket market_,
        FungibleToken asset_,
        string memory name_,
        string memory symbol_,
        uint256 cap,
        uint24 window
    ) SupplyVaultPatched(market_, asset_, name_, symbol_) Limited(cap, window) {}

    function _chargeOutflow(uint8 class_, address to, uint256 assets) internal override(LendingVault, Limited) {
        Limited._chargeOutflow(class_, to, assets);
    }

    function _noteDeposit(address from, uint256 assets) internal override(LendingVault, Limited) {
        Limited._noteDeposit(from, assets);
    }
}
