// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {FailSafe} from "../src/kit/FailSafe.sol";
import {FailSafeWord} from "../src/kit/FailSafeWord.sol";
import {FlowLimiter} from "../src/kit/FlowLimiter.sol";
import {Restriction} from "../src/kit/Types.sol";
import {IFailSafe} from "../src/kit/interfaces/IFailSafe.sol";
import {IFailSafeController} from "../src/kit/interfaces/IFailSafeController.sol";

/// @notice An example of adopting the kit: the limits of one guarded contract, in a contract of their own.
/// @dev Why: a contract may have 24 576 bytes, and with the limits inside, the kit leaves a tenth of them. The guarded contract
/// creates its meter and charges every outflow here before it pays; nobody else can. Class and factor are those of the
/// guarded contract at that moment. The meter holds no money. Not part of the kit, and not audited.
contract OutflowMeter is FlowLimiter {
    error NotPayer(address caller);

    FailSafe public immutable payer;

    modifier onlyPayer() {
        if (msg.sender != address(payer)) revert NotPayer(msg.sender);
        _;
    }

    constructor(uint40 raiseDelay_) FlowLimiter(raiseDelay_) {
        payer = FailSafe(msg.sender);
    }

    /// @notice Gives a key its limit, once: from the payer's constructor.
    function limit(bytes32 key, uint256 cap, uint24 window, uint256 floor) external onlyPayer {
        _setLimit(key, cap, window, floor, false);
    }

    function charge(uint8 class_, bytes32 key, address account, uint256 amount) external onlyPayer {
        _consume(class_, key, account, amount);
    }

    function noteInflow(address asset, address account, uint256 amount) external onlyPayer {
        _noteInflow(asset, account, amount);
    }

    // ---------------------------------------------------------------- the controller, asked about the payer

    function council() external view returns (address) {
        return _controller().council();
    }

    function scopeOf(address) external view returns (bytes32) {
        return _controller().scopeOf(address(payer));
    }

    function episodeOf(bytes32 scope) external view returns (IFailSafeController.Episode memory) {
        return _controller().episodeOf(scope);
    }

    function requireGroup(bytes32 scope, uint8 group, bytes32 digest, bytes[] calldata signatures) external view {
        _controller().requireGroup(scope, group, digest, signatures);
    }

    function _limitHealthy() internal view override returns (bool) {
        return payer.failsafeWord() == FailSafeWord.HEALTHY;
    }

    function _limitFactor() internal view override returns (uint16) {
        (, Restriction memory effective) = payer.failsafeState();
        return effective.factorBps;
    }

    function _limitRequireOpen(uint8 class_) internal view override {
        if (!payer.failsafeOpen(class_)) revert IFailSafe.ActionClosed(class_, 0);
    }

    /// @dev The controller knows the scope of the payer and not of the meter, so the meter stands before it.
    function _limitController() internal view override returns (IFailSafeController) {
        return IFailSafeController(address(this));
    }

    function _controller() private view returns (IFailSafeController) {
        return IFailSafeController(payer.failsafeController());
    }
}
