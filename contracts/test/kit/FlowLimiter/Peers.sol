// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {RateLimiter as CcipRateLimiter} from "@chainlink/contracts-ccip/contracts/libraries/RateLimiter.sol";
import {RateLimiter as LzRateLimiter} from "@layerzerolabs/oapp-evm/contracts/oapp/utils/RateLimiter.sol";
import {RateLimiter as OzRateLimiter} from "@openzeppelin/contracts/utils/RateLimiter.sol";

/// @notice One limited outflow. Ours and the peers' answer it, so that calldata and dispatch cost the same.
interface IOutflow {
    /// @notice Reverts when it is above the limit.
    function outflow(address account, uint256 amount) external;
}

contract OzBucket is IOutflow {
    using OzRateLimiter for OzRateLimiter.RefillingBucket;

    bytes32 private constant KEY = keccak256("asset");

    OzRateLimiter.RefillingBucket private _bucket;

    constructor(uint256 cap, uint24 window) {
        _bucket.updateSettings(window, uint208(cap));
        _bucket.sync(KEY);
    }

    function outflow(address, uint256 amount) external {
        _bucket.consume(KEY, amount);
    }

    function update(uint256 cap, uint24 window) external {
        _bucket.updateSettings(window, uint208(cap));
    }

    function available() external view returns (uint256) {
        return _bucket.available(KEY);
    }
}

/// @dev It starts empty, and refills by a whole number of base units a second.
contract CcipBucket is IOutflow {
    using CcipRateLimiter for CcipRateLimiter.TokenBucket;

    CcipRateLimiter.TokenBucket private _bucket;

    constructor(uint256 cap, uint24 window) {
        _bucket._setTokenBucketConfig(CcipRateLimiter.Config(true, uint128(cap), uint128(cap / window)));
    }

    function outflow(address, uint256 amount) external {
        _bucket._consume(amount, address(1));
    }
}

contract LzBucket is IOutflow, LzRateLimiter {
    uint32 private constant CORRIDOR = 1;

    constructor(uint256 cap, uint24 window) {
        RateLimitConfig[] memory config = new RateLimitConfig[](1);
        config[0] = RateLimitConfig(CORRIDOR, uint192(cap), window);
        _setRateLimits(config);
    }

    function outflow(address, uint256 amount) external {
        _outflow(CORRIDOR, amount);
    }
}
