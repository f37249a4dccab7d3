// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DrillToken} from "../../src/drill/DrillToken.sol";
import {InflationAttack} from "../../src/drill/InflationAttack.sol";
import {LendingMarket} from "../../src/drill/LendingMarket.sol";
import {LendingVault} from "../../src/drill/LendingVault.sol";
import {World} from "./World.sol";

/// @dev The parts of the bug, numbered as in `SupplyVault`.
enum Fix {
    None,
    CountedCash,
    VirtualShares,
    RoundUp,
    CheckAfter
}

/// @notice A vulnerable vault with exactly one of the four choices taken the other way.
contract SingleFixVault is LendingVault {
    Fix private immutable _fix;
    uint256 private _cash;

    constructor(LendingMarket market_, DrillToken asset_, Fix fix)
        LendingVault(market_, asset_, "fix", "fix", fix == Fix.VirtualShares ? 6 : 0)
    {
        _fix = fix;
    }

    function cash() public view override returns (uint256) {
        return _fix == Fix.CountedCash ? _cash : _asset.balanceOf(address(this));
    }

    function _virtualOffset() internal view override returns (uint256 shares, uint256 assets) {
        return _fix == Fix.VirtualShares ? (uint256(1e6), uint256(1)) : (uint256(0), uint256(0));
    }

    function _sharesToBurn(uint256 assets) internal view override returns (uint256) {
        if (_fix != Fix.RoundUp) return convertToShares(assets);
        (uint256 supply, uint256 backing) = _priceTerms();
        return _ratioUp(assets, supply, backing);
    }

    function _checkBeforeExit(address owner, uint256 shares) internal view override {
        if (_fix != Fix.CheckAfter) market.requireHealthyWithout(owner, this, shares);
    }

    function _checkAfterExit(address owner) internal view override {
        if (_fix == Fix.CheckAfter) market.requireHealthy(owner);
    }

    function _countIn(uint256 assets) internal override {
        if (_fix == Fix.CountedCash) _cash += assets;
    }

    function _countOut(uint256 assets) internal override {
        if (_fix == Fix.CountedCash) _cash -= assets;
    }
}

/// @notice Any single fix stops the theft, as the vaults' documentation says; without one it works.
contract SingleFixTest is World {
    function _patched() internal pure override returns (bool) {
        return false;
    }

    function test_WithoutAFixTheTheftWorks() public {
        yes(_theftWorks(Fix.None), "the scene itself is sound");
    }

    function test_CountedCashStopsIt() public {
        yes(!_theftWorks(Fix.CountedCash), "stopped");
    }

    function test_VirtualSharesStopIt() public {
        yes(!_theftWorks(Fix.VirtualShares), "stopped");
    }

    function test_RoundingUpStopsIt() public {
        yes(!_theftWorks(Fix.RoundUp), "stopped");
    }

    function test_CheckingAfterStopsIt() public {
        yes(!_theftWorks(Fix.CheckAfter), "stopped");
    }

    function _theftWorks(Fix fix) private returns (bool ok) {
        DrillToken token = _token(wbtc);
        SingleFixVault vault = new SingleFixVault(market, token, fix);
        market.listVault(address(vault), 60_000e8, 8_000);
        InflationAttack attack = new InflationAttack(market);
        token.mint(address(attack), 151e8);
        LendingVault[] memory vaults = new LendingVault[](1);
        uint256[] memory amounts = new uint256[](1);
        (vaults[0], amounts[0]) = (usdc, USDC_SUPPLY);
        (ok,) = address(attack).call(abi.encodeCall(InflationAttack.all, (vault, 1e8, 150e8, vaults, amounts)));
    }
}
