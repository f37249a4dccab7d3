// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Rlp} from "../../../src/kit/exit/Rlp.sol";
import {Assert} from "../../utils/Assert.sol";
import {RlpWriter} from "./Mpt.sol";

contract RlpReader {
    function item(bytes calldata data) external pure returns (bool list, bytes memory payload, uint256 used) {
        (uint256 cursor, uint256 end) = Rlp.span(data);
        (bool isList, uint256 start, uint256 length) = Rlp.item(cursor, end);
        return (isList, data[start - cursor:start - cursor + length], start + length - cursor);
    }

    function integer(bytes calldata data) external pure returns (uint256) {
        (uint256 cursor, uint256 end) = Rlp.span(data);
        return Rlp.integer(cursor, end);
    }

    function hash(bytes calldata data) external pure returns (bytes32) {
        (uint256 cursor, uint256 end) = Rlp.span(data);
        return Rlp.hash(cursor, end);
    }

    function enter(bytes calldata data) external pure returns (uint256) {
        (uint256 cursor, uint256 end) = Rlp.span(data);
        return Rlp.enter(cursor, end) - cursor;
    }
}

/// @notice Only the shortest encoding of a value is one, and nothing reaches past its end.
contract RlpTest is Assert {
    RlpReader private immutable _reader = new RlpReader();

    function _refusesItem(bytes memory data, bytes4 selector) private {
        vm.expectPartialRevert(selector);
        _reader.item(data);
    }

    function test_AcceptsEachKindAtItsLimits() public view {
        uint256[8] memory lengths = [uint256(0), 2, 31, 32, 55, 56, 255, 300];
        for (uint256 i; i < lengths.length; ++i) {
            bytes memory data = new bytes(lengths[i]);
            (bool list, bytes memory payload, uint256 used) = _reader.item(bytes.concat(RlpWriter.text(data), "more"));
            yes(!list && keccak256(payload) == keccak256(data), "payload of a string");
            eq(used, RlpWriter.text(data).length, "bytes used by a string");
            (list, payload, used) = _reader.item(bytes.concat(RlpWriter.list(data), "more"));
            yes(list && keccak256(payload) == keccak256(data), "payload of a list");
            eq(used, RlpWriter.list(data).length, "bytes used by a list");
        }
    }

    function test_RefusesLongerFormsOfShortValues() public {
        _refusesItem(hex"8100", Rlp.RlpNotCanonical.selector);
        _refusesItem(hex"817f", Rlp.RlpNotCanonical.selector);
        _refusesItem(abi.encodePacked(hex"b837", new bytes(55)), Rlp.RlpNotCanonical.selector);
        _refusesItem(abi.encodePacked(hex"f837", new bytes(55)), Rlp.RlpNotCanonical.selector);
        _refusesItem(abi.encodePacked(hex"b90038", new bytes(56)), Rlp.RlpNotCanonical.selector);
        _refusesItem(abi.encodePacked(hex"f90038", new bytes(56)), Rlp.RlpNotCanonical.selector);
    }

    function test_RefusesWhatReachesPastItsEnd() public {
        _refusesItem("", Rlp.RlpTruncated.selector);
        _refusesItem(hex"82aa", Rlp.RlpTruncated.selector);
        _refusesItem(hex"c1", Rlp.RlpTruncated.selector);
        _refusesItem(abi.encodePacked(hex"b838", new bytes(55)), Rlp.RlpTruncated.selector);
        _refusesItem(hex"bfffffffffffffffff", Rlp.RlpTruncated.selector);
        _refusesItem(hex"ffffffffffffffffff", Rlp.RlpTruncated.selector);
    }

    function test_IntegersHaveNoLeadingZero() public {
        eq(_reader.integer(hex"80"), 0, "zero");
        eq(_reader.integer(hex"820100"), 256, "two bytes");
        vm.expectPartialRevert(Rlp.RlpNotCanonical.selector);
        _reader.integer(hex"00");
        vm.expectPartialRevert(Rlp.RlpNotCanonical.selector);
        _reader.integer(hex"820001");
        vm.expectPartialRevert(Rlp.RlpUnexpectedItem.selector);
        _reader.integer(abi.encodePacked(hex"a1", new bytes(33)));
        vm.expectPartialRevert(Rlp.RlpUnexpectedItem.selector);
        _reader.integer(hex"c0");
    }

    function test_AHashHas32Bytes() public {
        eq(uint256(_reader.hash(abi.encodePacked(hex"a0", uint256(7)))), 7, "leading zeros belong to a hash");
        vm.expectPartialRevert(Rlp.RlpUnexpectedItem.selector);
        _reader.hash(abi.encodePacked(hex"9f", new bytes(31)));
        vm.expectPartialRevert(Rlp.RlpUnexpectedItem.selector);
        _reader.hash(abi.encodePacked(hex"a1", new bytes(33)));
    }

    function test_AListThatIsEnteredFillsItsPlace() public {
        eq(_reader.enter(hex"c20102"), 1, "payload begins behind the prefix");
        vm.expectPartialRevert(Rlp.RlpUnexpectedItem.selector);
        _reader.enter(hex"c2010203");
        vm.expectPartialRevert(Rlp.RlpUnexpectedItem.selector);
        _reader.enter(hex"820102");
    }

    function testFuzz_RoundTrip(bytes memory data, uint256 value) public view {
        (, bytes memory payload,) = _reader.item(RlpWriter.text(data));
        yes(keccak256(payload) == keccak256(data), "string");
        eq(_reader.integer(RlpWriter.integer(value)), value, "integer");
    }

    /// @dev A second encoding of the same payload would let a prover choose.
    function testFuzz_WhatIsAcceptedIsTheWritersEncoding(bytes memory data) public view {
        try _reader.item(data) returns (bool list, bytes memory payload, uint256 used) {
            bytes memory want = list ? RlpWriter.list(payload) : RlpWriter.text(payload);
            eq(used, want.length, "length of the canonical form");
            for (uint256 i; i < used; ++i) {
                yes(data[i] == want[i], "bytes of the canonical form");
            }
        } catch {}
    }
}
