// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IDeficitSource} from "./ISensors.sol";

/// @notice A protocol whose bad debt can be paid from outside.
interface IDeficitMarket is IDeficitSource {
    /// @notice Asset in which the deficit of `market` is counted and paid.
    function assetOf(bytes32 market) external view returns (address);

    /// @notice Takes `amount` of the market's asset from the caller and lowers its deficit by exactly that.
    function repayDeficit(bytes32 market, uint256 amount) external;
}

/// @notice Somebody who bears losses: by paying the market, by writing down its positions or by closing them.
interface ILossLayer {
    /// @notice What the layer can bear of a loss of `market` now; 0 for a market that it does not stand for.
    function available(bytes32 market) external view returns (uint256);

    /// @notice Lowers the deficit of `market`, and of no other, by exactly `amount`. Waterfall only.
    function absorb(bytes32 market, uint256 amount) external;
}
