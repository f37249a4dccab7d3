// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice Reads RLP where it lies in calldata. A cursor is an absolute calldata offset, so that no item is ever copied.
/// @dev Problem: a proof is mostly RLP, and a reader that accepts two encodings of one value lets a prover choose what it says.
/// Guarantee: only canonical encodings pass (shortest form, no leading zero in a length or an integer), and no item reaches
/// past the `end` that its caller gives. Source: Ethereum yellow paper, appendix B.
/// Trust: none. Failure modes: typed errors that name the place.
library Rlp {
    error RlpTruncated(uint256 cursor, uint256 end);
    error RlpNotCanonical(uint256 cursor);
    error RlpUnexpectedItem(uint256 cursor);

    /// @notice The item at `cursor`: whether it is a list, and where its payload lies. The next one begins at `start + length`.
    function item(uint256 cursor, uint256 end) internal pure returns (bool list, uint256 start, uint256 length) {
        unchecked {
            if (cursor >= end) revert RlpTruncated(cursor, end);
            uint256 prefix = byteAt(cursor);
            if (prefix < 0x80) return (false, cursor, 1);
            list = prefix >= 0xc0;
            length = prefix - (list ? 0xc0 : 0x80);
            start = cursor + 1;
            if (length > 55) {
                // At most 8 bytes of length, so the sum below cannot wrap.
                uint256 width = length - 55;
                length = wordAt(start) >> (256 - 8 * width);
                if (length < 56 || byteAt(start) == 0) revert RlpNotCanonical(cursor);
                start += width;
            } else if (!list && length == 1 && byteAt(start) < 0x80) {
                revert RlpNotCanonical(cursor);
            }
            if (start + length > end) revert RlpTruncated(cursor, end);
        }
    }

    /// @notice Where the payload of the list begins that fills [cursor, end) exactly.
    function enter(uint256 cursor, uint256 end) internal pure returns (uint256) {
        (bool list, uint256 start, uint256 length) = item(cursor, end);
        if (!list || start + length != end) revert RlpUnexpectedItem(cursor);
        return start;
    }

    /// @notice The cursor behind the item at `cursor`.
    function skip(uint256 cursor, uint256 end) internal pure returns (uint256) {
        (, uint256 start, uint256 length) = item(cursor, end);
        return start + length;
    }

    /// @notice Payload of the byte string at `cursor`, which has `least` to `most` bytes.
    function text(uint256 cursor, uint256 end, uint256 least, uint256 most)
        internal
        pure
        returns (uint256 start, uint256 length)
    {
        bool list;
        (list, start, length) = item(cursor, end);
        if (list || length < least || length > most) revert RlpUnexpectedItem(cursor);
    }

    /// @notice The byte string of 32 bytes at `cursor`.
    function hash(uint256 cursor, uint256 end) internal pure returns (bytes32) {
        (uint256 start,) = text(cursor, end, 32, 32);
        return bytes32(wordAt(start));
    }

    /// @notice The unsigned integer at `cursor`.
    function integer(uint256 cursor, uint256 end) internal pure returns (uint256) {
        (uint256 start, uint256 length) = text(cursor, end, 0, 32);
        if (length != 0 && byteAt(start) == 0) revert RlpNotCanonical(cursor);
        return wordAt(start) >> (256 - 8 * length);
    }

    function byteAt(uint256 cursor) internal pure returns (uint256) {
        return wordAt(cursor) >> 248;
    }

    function wordAt(uint256 cursor) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(cursor)
        }
    }

    /// @notice Where `data` lies.
    function span(bytes calldata data) internal pure returns (uint256 cursor, uint256 end) {
        assembly ("memory-safe") {
            cursor := data.offset
        }
        end = cursor + data.length;
    }
}
