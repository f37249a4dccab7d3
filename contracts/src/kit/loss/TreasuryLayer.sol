// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IToken, SafeToken} from "../SafeToken.sol";
import {IDeficitMarket, ILossLayer} from "../interfaces/ILossLayer.sol";

/// @notice A layer that pays deficits with tokens.
/// @dev Problem: money set aside for losses must reach the market that has the loss, and nobody else.
/// Guarantee: tokens leave only towards the fixed market contract, in the asset of the market at a loss, and only on the
/// waterfall's order. Trust: the waterfall for the amount; the market contract for taking what it says.
/// Failure modes: less collected than asked (a fee, a lapsed allowance) reverts, and the waterfall goes on without this layer.
abstract contract PayingLayer is ILossLayer {
    using SafeToken for IToken;

    error NotWaterfall(address caller);
    error CollectedLess(uint256 got, uint256 asked);
    error ZeroAddress();

    address public immutable waterfall;
    IDeficitMarket public immutable source;
    IToken internal immutable _asset;

    constructor(address waterfall_, IDeficitMarket source_, IToken asset_) {
        if (waterfall_ == address(0) || address(source_) == address(0) || address(asset_) == address(0)) {
            revert ZeroAddress();
        }
        (waterfall, source, _asset) = (waterfall_, source_, asset_);
    }

    /// @inheritdoc ILossLayer
    function absorb(bytes32 market, uint256 amount) external {
        if (msg.sender != waterfall) revert NotWaterfall(msg.sender);
        uint256 got = _collect(amount);
        if (got < amount) revert CollectedLess(got, amount);
        _asset.allow(address(source), amount);
        source.repayDeficit(market, amount);
    }

    /// @inheritdoc ILossLayer
    function available(bytes32 market) external view returns (uint256) {
        return source.assetOf(market) == address(_asset) ? _held() : 0;
    }

    /// @dev Makes `amount` of the asset this contract's own.
    function _collect(uint256 amount) internal virtual returns (uint256 got);

    function _held() internal view virtual returns (uint256);
}

/// @notice Pays from an account that gave this contract an allowance: a treasury, a backstop or a recovery fund. The allowance
/// is the limit; the money stays where it is until it is needed.
contract TreasuryLayer is PayingLayer {
    using SafeToken for IToken;

    address public immutable payer;

    constructor(address waterfall_, IDeficitMarket source_, IToken asset_, address payer_)
        PayingLayer(waterfall_, source_, asset_)
    {
        if (payer_ == address(0)) revert ZeroAddress();
        payer = payer_;
    }

    function _collect(uint256 amount) internal override returns (uint256) {
        return _asset.pull(payer, amount);
    }

    function _held() internal view override returns (uint256) {
        uint256 balance = _asset.balanceOf(payer);
        uint256 allowed = _asset.allowance(payer, address(this));
        return balance < allowed ? balance : allowed;
    }
}
