// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice The part of ERC-20 that the kit uses.
interface IToken {
    function balanceOf(address account) external view returns (uint256);
    function allowance(address owner, address spender) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
}

/// @notice Moves tokens that answer nothing, answer false or keep a fee. An address without code moves nothing and reverts.
library SafeToken {
    error TransferFailed(IToken token);

    function send(IToken token, address to, uint256 amount) internal {
        _call(token, abi.encodeCall(IToken.transfer, (to, amount)));
    }

    function allow(IToken token, address spender, uint256 amount) internal {
        _call(token, abi.encodeCall(IToken.approve, (spender, amount)));
    }

    /// @notice Takes `amount` from `from` and returns what arrived, which a fee makes less.
    function pull(IToken token, address from, uint256 amount) internal returns (uint256 received) {
        uint256 before = token.balanceOf(address(this));
        _call(token, abi.encodeCall(IToken.transferFrom, (from, address(this), amount)));
        return token.balanceOf(address(this)) - before;
    }

    function _call(IToken token, bytes memory data) private {
        (bool ok, bytes memory answer) = address(token).call(data);
        bool accepted = answer.length == 0 ? address(token).code.length != 0 : abi.decode(answer, (uint256)) == 1;
        if (!ok || !accepted) revert TransferFailed(token);
    }
}
