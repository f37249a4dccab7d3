// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IFailSafeController} from "../interfaces/IFailSafeController.sol";

/// @notice The slow role: a multisig or governance executor, replaced in two steps with at least 7 days between them.
/// @dev Guarantee: whoever takes the council over by one stolen approval is visible for a week before it counts.
abstract contract Council is IFailSafeController {
    event CouncilProposed(address indexed next, uint40 from);
    event CouncilAccepted(address indexed council);

    error NotAuthorized(address caller);
    error ZeroAddress();
    error TooEarly(uint40 from);

    uint40 private constant COUNCIL_DELAY = 7 days;

    /// @inheritdoc IFailSafeController
    address public council;
    address public nextCouncil;
    uint40 public nextCouncilFrom;

    modifier onlyCouncil() {
        _only(council);
        _;
    }

    constructor(address council_) {
        if (council_ == address(0)) revert ZeroAddress();
        council = council_;
    }

    /// @notice Names the next council; naming the present one takes a proposal back.
    function proposeCouncil(address next) external onlyCouncil {
        if (next == address(0)) revert ZeroAddress();
        (nextCouncil, nextCouncilFrom) = (next, uint40(block.timestamp) + COUNCIL_DELAY);
        emit CouncilProposed(next, nextCouncilFrom);
    }

    function acceptCouncil() external {
        _only(nextCouncil);
        if (block.timestamp < nextCouncilFrom) revert TooEarly(nextCouncilFrom);
        council = msg.sender;
        delete nextCouncil;
        emit CouncilAccepted(msg.sender);
    }

    function _only(address caller) internal view {
        if (msg.sender != caller) revert NotAuthorized(msg.sender);
    }
}
