// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {IToken, SafeToken} from "../../../src/kit/SafeToken.sol";
import {IDeficitMarket} from "../../../src/kit/interfaces/ILossLayer.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {IDeficitSource, ISolvencySource} from "../../../src/kit/interfaces/ISensors.sol";

/// @notice A guarded pool with a hole: shares are worth one unit each, and {steal} takes the money behind them.
contract Pool is FailSafe, IDeficitMarket, ISolvencySource {
    using SafeToken for IToken;

    IToken private immutable _coin;
    uint256 public totalSupply;
    mapping(address account => uint256) public balanceOf;

    constructor(Config memory config, IToken coin) FailSafe(config) {
        _coin = coin;
    }

    function deposit(uint256 amount) external guarded(Classes.ENTER) {
        uint256 received = _coin.pull(msg.sender, amount);
        _noteFlow(address(_coin), msg.sender, received, 0);
        totalSupply += received;
        balanceOf[msg.sender] += received;
    }

    function withdraw(uint256 amount) external guarded(Classes.EXIT) {
        _exitWithin(address(_coin), msg.sender, amount);
        balanceOf[msg.sender] -= amount;
        totalSupply -= amount;
        _noteFlow(address(_coin), msg.sender, 0, amount);
        _coin.send(msg.sender, amount);
    }

    function steal(uint256 amount) external guarded(Classes.INCREASE_RISK) {
        _coin.send(msg.sender, amount);
    }

    function repay() external guarded(Classes.REDUCE_RISK) {}

    function liquidate() external guarded(Classes.LIQUIDATE) {}

    /// @inheritdoc IDeficitMarket
    function repayDeficit(bytes32, uint256 amount) external guarded(Classes.REDUCE_RISK) {
        _coin.pull(msg.sender, amount);
    }

    function solvency(bytes32) external view returns (uint256 ratio, uint40 asOf) {
        return (totalSupply == 0 ? 1e18 : _held() * 1e18 / totalSupply, uint40(block.timestamp));
    }

    function deficit(bytes32) external view returns (uint256 amount, uint40 asOf) {
        return (_held() < totalSupply ? totalSupply - _held() : 0, uint40(block.timestamp));
    }

    function assetOf(bytes32) external view returns (address) {
        return address(_coin);
    }

    function _held() private view returns (uint256) {
        return _coin.balanceOf(address(this));
    }
}

/// @notice A second reading of the pool's deficit.
contract SecondReading is IDeficitSource {
    Pool private immutable _pool;

    constructor(Pool pool) {
        _pool = pool;
    }

    function deficit(bytes32 market) external view returns (uint256, uint40) {
        return _pool.deficit(market);
    }
}

/// @notice Checkpoints of a system that has committed none: "none" is the entry of every episode.
contract NoEntries {
    function select(bytes32, uint256 id) external pure returns (ILedgerCheckpoint.Entry memory entry) {
        require(id == type(uint256).max, "no entries");
        return entry;
    }
}
