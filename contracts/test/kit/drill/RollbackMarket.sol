// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {IProbe} from "../../../src/kit/interfaces/ISensors.sol";
import {ParameterStore} from "../../../src/kit/rollback/ParameterStore.sol";

/// @notice A market in ether: deposits, and loans of credits against them. Guarded, upgradeable and with its threshold in a store.
contract Market is FailSafe {
    ParameterStore private _parameters;
    mapping(address account => uint256) public depositOf;
    mapping(address account => uint256) public debtOf;
    uint256 public deposits;

    error Unpaid();
    error Unhealthy(address account);
    error Healthy(address account);

    constructor(Config memory config) FailSafe(config) {}

    function initialize() external {
        _initFailSafe(new address[](0), new address[](0));
    }

    function setParameters(ParameterStore parameters) external {
        if (address(_parameters) == address(0)) _parameters = parameters;
    }

    function deposit() external payable guardedNonReentrant(Classes.ENTER) {
        depositOf[msg.sender] += msg.value;
        deposits += msg.value;
    }

    function withdraw(uint256 amount) external guardedNonReentrant(Classes.EXIT) {
        _debit(msg.sender, amount);
        _requireHealthy(msg.sender);
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert Unpaid();
    }

    function borrow(uint256 credits) external guarded(Classes.INCREASE_RISK) {
        debtOf[msg.sender] += credits;
        _requireHealthy(msg.sender);
    }

    function repay(uint256 credits) external guarded(Classes.REDUCE_RISK) {
        debtOf[msg.sender] -= credits;
    }

    function liquidate(address account) external guarded(Classes.LIQUIDATE) {
        if (debtOf[account] <= depositOf[account] * _parameters.valueOf(0, Classes.LIQUIDATE) / 10_000) {
            revert Healthy(account);
        }
        (depositOf[msg.sender], depositOf[account]) = (depositOf[msg.sender] + depositOf[account], 0);
        debtOf[account] = 0;
    }

    function version() external pure virtual returns (uint256) {
        return 1;
    }

    function _debit(address account, uint256 amount) internal virtual {
        depositOf[account] -= amount;
        deposits -= amount;
    }

    function _requireHealthy(address account) private view {
        if (debtOf[account] > depositOf[account] * _parameters.valueOf(0, Classes.EXIT) / 10_000) {
            revert Unhealthy(account);
        }
    }
}

/// @notice The bad upgrade: it saves gas on the subtraction, and with it the check.
contract LeakyMarket is Market {
    constructor(Config memory config) Market(config) {}

    function version() external pure override returns (uint256) {
        return 2;
    }

    function _debit(address account, uint256 amount) internal override {
        uint256 left = depositOf[account];
        depositOf[account] = left > amount ? left - amount : 0;
        deposits -= amount;
    }
}

/// @notice The patch.
contract PatchedMarket is Market {
    constructor(Config memory config) Market(config) {}

    function version() external pure override returns (uint256) {
        return 3;
    }
}

/// @notice Green while the market's code counts: what it owes in all is what it holds.
contract MarketProbe is IProbe {
    Market private immutable _market;

    constructor(Market market) {
        _market = market;
    }

    function green() external view returns (bool) {
        return address(_market).balance == _market.deposits();
    }
}
