// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice Who signed a digest: ECDSA with low s and v 27 or 28, or ERC-1271. An account with delegated code (EIP-7702) may use
/// either; nothing is concluded from code length except that an account without code cannot answer ERC-1271.
library Signatures {
    error BadSignature(address signer);

    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    bytes4 private constant ERC1271_MAGIC = 0x1626ba7e;
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @notice Reverts unless `signer` signed `digest`.
    function requireSigner(address signer, bytes32 digest, bytes calldata signature) internal view {
        if (signature.length == 65 && signer != address(0) && _recover(digest, signature) == signer) return;
        bytes memory question = abi.encodeWithSelector(ERC1271_MAGIC, digest, signature);
        bool ok;
        uint256 answer;
        // By hand, so that a signer's contract cannot answer with more than the one word that is read.
        assembly ("memory-safe") {
            ok := staticcall(gas(), signer, add(question, 32), mload(question), 0, 32)
            ok := and(ok, gt(returndatasize(), 31))
            answer := mload(0)
        }
        if (!ok || answer != uint256(bytes32(ERC1271_MAGIC))) revert BadSignature(signer);
    }

    /// @notice The signer of one entry in a list of signatures: 65 bytes are ECDSA; anything else is the address of an ERC-1271
    /// signer (20 bytes) followed by what it wants to see, which therefore cannot be 45 bytes long.
    function signerOf(bytes32 digest, bytes calldata entry) internal view returns (address signer) {
        if (entry.length == 65) {
            signer = _recover(digest, entry);
            if (signer == address(0)) revert BadSignature(signer);
        } else {
            if (entry.length < 20) revert BadSignature(address(0));
            signer = address(bytes20(entry[:20]));
            requireSigner(signer, digest, entry[20:]);
        }
    }

    /// @notice EIP-712 digest of a struct for the calling contract, version 1. Nothing is cached, so that a fork of the chain does
    /// not accept the signatures of the other branch.
    function typedDigest(bytes32 nameHash, bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPEHASH, nameHash, keccak256("1"), block.chainid, address(this)));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    /// @dev Zero when the signature is no good: a second valid form of a signature (high s) is none.
    function _recover(bytes32 digest, bytes calldata signature) private pure returns (address) {
        bytes32 s = bytes32(signature[32:64]);
        uint8 v = uint8(signature[64]);
        if (uint256(s) > HALF_ORDER || (v != 27 && v != 28)) return address(0);
        return ecrecover(digest, v, bytes32(signature[:32]), s);
    }
}
