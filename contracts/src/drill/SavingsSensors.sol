// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IToken} from "../kit/SafeToken.sol";
import {IDeficitSource, IProbe, ISolvencySource} from "../kit/interfaces/ISensors.sol";
import {SavingsVault} from "./SavingsVault.sol";

/// @notice What the recovery plan reads of the savings account: it needs no prices, so that its figures are always of now.
contract SavingsSensors is ISolvencySource, IDeficitSource, IProbe {
    uint256 private constant ONE = 1e18;

    SavingsVault public immutable vault;

    constructor(SavingsVault vault_) {
        vault = vault_;
    }

    function solvency(bytes32) external view returns (uint256 ratio, uint40 asOf) {
        uint256 owed = vault.totalOwed();
        return (owed == 0 ? ONE : _held() * ONE / owed, uint40(block.timestamp));
    }

    function deficit(bytes32) external view returns (uint256 amount, uint40 asOf) {
        (uint256 held, uint256 owed) = (_held(), vault.totalOwed());
        return (owed > held ? owed - held : 0, uint40(block.timestamp));
    }

    function green() external view returns (bool) {
        return _held() >= vault.totalOwed();
    }

    function _held() private view returns (uint256) {
        return IToken(vault.asset()).balanceOf(address(vault));
    }
}

/// @notice Green while the code behind the proxy answers as a savings account of its token. Of its books it asks nothing: a rollback
/// is needed most when they are wrong.
contract SavingsCodeProbe is IProbe {
    SavingsVault public immutable vault;
    IToken public immutable asset;

    constructor(SavingsVault vault_, IToken asset_) {
        (vault, asset) = (vault_, asset_);
    }

    function green() external view returns (bool) {
        return vault.asset() == asset && vault.totalOwed() >= vault.balanceOf(address(this));
    }
}
