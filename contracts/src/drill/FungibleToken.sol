// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title FungibleToken
/// @notice ERC-20 bookkeeping shared by the drill's assets and by vault shares.
/// @dev Problem: assets and shares need the same ledger. Design: this contract is the ledger; whoever inherits it
/// decides who mints and what a transfer must satisfy by overriding `_transfer`.
/// Trust: none, there is no privileged entry. Failure modes: every refusal is a typed error with the figures; no
/// function returns false.
abstract contract FungibleToken {
    /// @notice `account` holds `held` units, the operation needs `needed`.
    error InsufficientBalance(address account, uint256 held, uint256 needed);
    /// @notice `spender` may move `allowed` units of `owner`, the operation needs `needed`.
    error InsufficientAllowance(address owner, address spender, uint256 allowed, uint256 needed);
    /// @notice The zero address cannot receive.
    error ZeroReceiver();

    /// @notice ERC-20; minting comes from and burning goes to the zero address.
    event Transfer(address indexed from, address indexed to, uint256 value);
    /// @notice ERC-20.
    event Approval(address indexed owner, address indexed spender, uint256 value);

    /// @notice Decimals of one whole unit.
    uint8 public immutable decimals;
    /// @notice Full name, for people.
    string public name;
    /// @notice Short name, for people.
    string public symbol;
    /// @notice Units in existence.
    uint256 public totalSupply;
    /// @notice Units held by an account.
    mapping(address account => uint256) public balanceOf;
    /// @notice Units of `owner` that `spender` may move; the maximum means without limit.
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    constructor(string memory name_, string memory symbol_, uint8 decimals_) {
        name = name_;
        symbol = symbol_;
        decimals = decimals_;
    }

    /// @notice Moves `value` from the caller to `to`.
    function transfer(address to, uint256 value) external returns (bool) {
        _transfer(msg.sender, to, value);
        return true;
    }

    /// @notice Moves `value` from `from` to `to` out of the caller's allowance.
    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        _spendAllowance(from, msg.sender, value);
        _transfer(from, to, value);
        return true;
    }

    /// @notice Sets what `spender` may move of the caller's units.
    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    /// @dev What a transfer must satisfy; overriders call `_move`.
    function _transfer(address from, address to, uint256 value) internal virtual {
        _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) internal {
        if (to == address(0)) revert ZeroReceiver();
        _debit(from, value);
        unchecked {
            balanceOf[to] += value; // at most totalSupply, which is checked in _mint
        }
        emit Transfer(from, to, value);
    }

    function _mint(address to, uint256 value) internal {
        if (to == address(0)) revert ZeroReceiver();
        totalSupply += value;
        unchecked {
            balanceOf[to] += value;
        }
        emit Transfer(address(0), to, value);
    }

    function _burn(address from, uint256 value) internal {
        _debit(from, value);
        unchecked {
            totalSupply -= value;
        }
        emit Transfer(from, address(0), value);
    }

    function _spendAllowance(address owner, address spender, uint256 value) internal {
        if (owner == spender) return;
        uint256 allowed = allowance[owner][spender];
        if (allowed == type(uint256).max) return;
        if (allowed < value) revert InsufficientAllowance(owner, spender, allowed, value);
        unchecked {
            allowance[owner][spender] = allowed - value;
        }
    }

    function _debit(address from, uint256 value) private {
        uint256 held = balanceOf[from];
        if (held < value) revert InsufficientBalance(from, held, value);
        unchecked {
            balanceOf[from] = held - value;
        }
    }
}
