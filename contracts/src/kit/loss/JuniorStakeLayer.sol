// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Lock} from "../Lock.sol";
import {IToken, SafeToken} from "../SafeToken.sol";
import {Mode} from "../Types.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {IDeficitMarket} from "../interfaces/ILossLayer.sol";
import {PayingLayer} from "./TreasuryLayer.sol";

/// @notice Stake that bears losses before the depositors do. Named like ERC-4626, with a request before {redeem}; shares are not
/// transferable, so that a request belongs to who made it.
/// @dev Problem: whoever sees a loss coming leaves before it is booked, and the stake is gone when it is needed.
/// Guarantee: a share bears every loss until it is redeemed, requested or not. A request matures after the cooldown and is void
/// {REDEEM_WINDOW} later, so that nobody keeps a way out ready. One made in or after the incident block of the scope, or of one above it, waits for the
/// end of the episode. Trust: the controller's incident block; the waterfall's amounts.
/// Failure modes: an episode of more than 21 days holds nobody any longer; a stake lost in full takes no deposits again,
/// because its old shares would own them.
contract JuniorStakeLayer is PayingLayer, Lock {
    using SafeToken for IToken;

    struct Request {
        uint128 shares;
        uint40 blockNumber;
        uint40 maturesAt;
    }

    event Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares);
    event RedeemRequested(address indexed owner, uint256 shares, uint40 maturesAt);
    event Withdraw(address indexed owner, address indexed receiver, uint256 assets, uint256 shares);

    error ZeroCooldown();
    error NoShares();
    error StakeLost();
    error SharesExceeded(uint256 held, uint256 asked);
    error NotRedeemable(uint40 from, uint40 to);
    error RequestedAfterIncident(uint40 requestedBlock, uint40 incidentBlock);

    uint40 public constant REDEEM_WINDOW = 2 days;
    uint40 private constant EPISODE_CAP = 21 days;
    /// @dev Makes the first share dear enough that a gift to the pool cannot round a depositor's shares away.
    uint256 private constant VIRTUAL_SHARES = 1e6;

    IFailSafeController public immutable controller;
    bytes32 public immutable scope;
    uint40 public immutable cooldown;

    uint256 public totalSupply;
    mapping(address owner => uint256) public balanceOf;
    mapping(address owner => Request) public requestOf;

    constructor(
        address waterfall_,
        IDeficitMarket source_,
        IToken asset_,
        IFailSafeController controller_,
        bytes32 scope_,
        uint40 cooldown_
    ) PayingLayer(waterfall_, source_, asset_) {
        if (address(controller_) == address(0) || scope_ == 0) revert ZeroAddress();
        if (cooldown_ == 0) revert ZeroCooldown();
        (controller, scope, cooldown) = (controller_, scope_, cooldown_);
    }

    /// @dev Locked: a deposit made inside the token's own call would be measured twice, here and there.
    function deposit(uint256 assets, address receiver) external nonReentrant returns (uint256 shares) {
        if (receiver == address(0)) revert ZeroAddress();
        uint256 held = totalAssets();
        if (held == 0 && totalSupply != 0) revert StakeLost();
        uint256 received = _asset.pull(msg.sender, assets);
        shares = received * (totalSupply + VIRTUAL_SHARES) / (held + 1);
        if (shares == 0) revert NoShares();
        totalSupply += shares;
        balanceOf[receiver] += shares;
        emit Deposit(msg.sender, receiver, received, shares);
    }

    /// @notice Announces a withdrawal. Replaces an earlier request, with a new cooldown.
    function requestRedeem(uint128 shares) external {
        if (shares == 0) revert NoShares();
        if (shares > balanceOf[msg.sender]) revert SharesExceeded(balanceOf[msg.sender], shares);
        uint40 maturesAt = uint40(block.timestamp) + cooldown;
        requestOf[msg.sender] = Request(shares, uint40(block.number), maturesAt);
        emit RedeemRequested(msg.sender, shares, maturesAt);
    }

    /// @notice Pays the whole matured request at today's value of a share.
    function redeem(address receiver) external returns (uint256 assets) {
        if (receiver == address(0)) revert ZeroAddress();
        Request memory r = requestOf[msg.sender];
        if (r.shares == 0) revert NoShares();
        if (block.timestamp < r.maturesAt || block.timestamp >= r.maturesAt + REDEEM_WINDOW) {
            revert NotRedeemable(r.maturesAt, r.maturesAt + REDEEM_WINDOW);
        }
        for (bytes32 node = scope; node != 0; node = controller.parentOf(node)) {
            IFailSafeController.Episode memory e = controller.episodeOf(node);
            bool running = e.mode != Mode.NORMAL && block.timestamp < e.episodeStart + EPISODE_CAP;
            if (running && r.blockNumber >= e.incidentBlock) {
                revert RequestedAfterIncident(r.blockNumber, e.incidentBlock);
            }
        }
        assets = convertToAssets(r.shares);
        delete requestOf[msg.sender];
        balanceOf[msg.sender] -= r.shares;
        totalSupply -= r.shares;
        _asset.send(receiver, assets);
        emit Withdraw(msg.sender, receiver, assets, r.shares);
    }

    function asset() external view returns (address) {
        return address(_asset);
    }

    function totalAssets() public view returns (uint256) {
        return _asset.balanceOf(address(this));
    }

    function convertToAssets(uint256 shares) public view returns (uint256) {
        return shares * (totalAssets() + 1) / (totalSupply + VIRTUAL_SHARES);
    }

    function _collect(uint256 amount) internal pure override returns (uint256) {
        return amount;
    }

    function _held() internal view override returns (uint256) {
        return totalAssets();
    }
}
