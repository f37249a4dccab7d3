// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FlowLimiter} from "../../../src/kit/FlowLimiter.sol";
import {IFailSafe} from "../../../src/kit/interfaces/IFailSafe.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";

/// @notice The controller as far as a limiter asks it. Its one guardian group signs with the digest itself.
contract Judge {
    error NotSigned(bytes32 scope, uint8 group, bytes32 digest);

    bytes32 public constant SCOPE = keccak256("scope");
    uint8 public constant GROUP = 3;

    address public council;
    uint32 public epoch;

    constructor(address council_) {
        council = council_;
    }

    function release() external {
        ++epoch;
    }

    function scopeOf(address) external pure returns (bytes32) {
        return SCOPE;
    }

    function episodeOf(bytes32 scope) external view returns (IFailSafeController.Episode memory episode) {
        require(scope == SCOPE, "scope");
        episode.epoch = epoch;
    }

    function requireGroup(bytes32 scope, uint8 group, bytes32 digest, bytes[] calldata signatures) external pure {
        bool signed = signatures.length == 1 && keccak256(signatures[0]) == keccak256(abi.encode(digest));
        if (scope != SCOPE || group != GROUP || !signed) revert NotSigned(scope, group, digest);
    }

    /// @dev A guardian group's lowering from the present cap.
    function lowerCap(LimitedVault target, bytes32 key, uint256 to) external {
        (uint256 from,,) = target.limitOf(key);
        uint40 deadline = uint40(block.timestamp + 1 hours);
        target.lowerCapBySig(key, from, to, deadline, GROUP, sign(target, key, from, to, deadline));
    }

    /// @dev What the group's wallets sign, written out as EIP-712 has it.
    function sign(LimitedVault target, bytes32 key, uint256 from, uint256 to, uint40 deadline)
        public
        view
        returns (bytes[] memory signatures)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Ripcord FlowLimiter"),
                keccak256("1"),
                block.chainid,
                address(target)
            )
        );
        bytes32 typeHash = keccak256("LowerCap(bytes32 key,uint256 from,uint256 to,uint32 epoch,uint40 deadline)");
        bytes32 content = keccak256(abi.encode(typeHash, key, from, to, epoch, deadline));
        signatures = new bytes[](1);
        signatures[0] = abi.encode(keccak256(abi.encodePacked(hex"1901", domain, content)));
    }
}

/// @notice A contract with limits whose restriction is set by hand. {arm} does what a trip and a release do: it writes the
/// state and mirrors it into the hints, in one call.
contract LimitedVault is FlowLimiter {
    IFailSafeController private immutable _judge;
    uint256 private immutable _shareBps;

    bool public healthy = true;
    uint16 public factorBps = 10_000;
    uint32 public closed;

    constructor(IFailSafeController judge, uint40 delay, uint256 shareBps) FlowLimiter(delay) {
        (_judge, _shareBps) = (judge, shareBps);
    }

    function arm(bool healthy_, uint16 factorBps_, uint32 closed_) external {
        (healthy, factorBps, closed) = (healthy_, factorBps_, closed_);
        _syncHints();
    }

    function setLimit(bytes32 key, uint256 cap, uint24 window, uint256 floor, bool hinted) external {
        _setLimit(key, cap, window, floor, hinted);
    }

    function spend(uint8 class_, bytes32 key, address account, uint256 amount) external {
        _consume(class_, key, account, amount);
    }

    /// @dev A deposit and a withdrawal in one transaction, in this order, any of them 0.
    function roundTrip(uint8 class_, address asset, address payer, uint256 amountIn, address payee, uint256 amountOut)
        external
    {
        _noteInflow(asset, payer, amountIn);
        _consume(class_, assetKey(asset), payee, amountOut);
    }

    function spendGross(uint8 class_, bytes32 key, address account, uint256 amount) external {
        _consumeGross(class_, key, account, amount);
    }

    /// @dev Two withdrawals after one deposit.
    function roundTripTwice(uint8 class_, address asset, address account, uint256 amountIn, uint256 amountOut)
        external
    {
        _noteInflow(asset, account, amountIn);
        _consume(class_, assetKey(asset), account, amountOut);
        _consume(class_, assetKey(asset), account, amountOut);
    }

    /// @dev One outflow against two limits.
    function spendFromBoth(uint8 class_, bytes32 first, bytes32 second, address account, uint256 amount) external {
        _consume(class_, first, account, amount);
        _consume(class_, second, account, amount);
    }

    /// @dev Where {FlowLimiter} keeps the bucket of `key`.
    function slotOf(bytes32 key) public pure returns (bytes32) {
        bytes32 namespace =
            keccak256(abi.encode(uint256(keccak256("ripcord.FlowLimiter")) - 1)) & ~bytes32(uint256(0xff));
        return keccak256(abi.encode(key, namespace));
    }

    function wordOf(bytes32 key) external view returns (uint256 word) {
        bytes32 slot = slotOf(key);
        assembly {
            word := sload(slot)
        }
    }

    function _accountShareBps() internal view override returns (uint256) {
        return _shareBps;
    }

    function _limitHealthy() internal view override returns (bool) {
        return healthy;
    }

    function _limitFactor() internal view override returns (uint16) {
        return factorBps;
    }

    function _limitRequireOpen(uint8 class_) internal view override {
        if (closed >> class_ & 1 != 0) revert IFailSafe.ActionClosed(class_, 0);
    }

    function _limitController() internal view override returns (IFailSafeController) {
        return _judge;
    }
}
