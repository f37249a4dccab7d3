// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {MerkleSum} from "../../../src/kit/exit/MerkleSum.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {Assert} from "../../utils/Assert.sol";
import {SumTree} from "./CheckpointWorld.sol";

contract SumReader {
    function opens(MerkleSum.Opening memory opening, bytes32 root, uint256 sum, uint40 count) external pure {
        MerkleSum.requireOpens(opening, root, sum, count);
    }
}

/// @notice What opens is in the tree, and never more than the root's sum.
contract MerkleSumTest is Assert {
    SumReader private immutable _reader = new SumReader();

    function _leaf(uint256 seed, uint256 i) private pure returns (ILedgerCheckpoint.Entitlement memory) {
        uint256 random = uint256(keccak256(abi.encode(seed, i)));
        int256 amount = int256(uint256(uint96(random))) - int256(uint256(uint96(random >> 96)) / 4);
        return ILedgerCheckpoint.Entitlement(
            address(uint160(random >> 90)), amount, uint128(random), uint128(random >> 64), uint128(random >> 128)
        );
    }

    function _tree(uint256 seed, uint256 count) private pure returns (ILedgerCheckpoint.Entitlement[] memory leaves) {
        leaves = new ILedgerCheckpoint.Entitlement[](count);
        for (uint256 i; i < count; ++i) {
            leaves[i] = _leaf(seed, i);
        }
    }

    function _accepts(MerkleSum.Opening memory o, bytes32 root, uint256 sum, uint40 count) private view returns (bool) {
        try _reader.opens(o, root, sum, count) {
            return true;
        } catch {
            return false;
        }
    }

    function _word(string memory json, string memory prefix, string memory field) private pure returns (uint256) {
        return uint256(vm.parseJsonBytes32(json, string.concat(prefix, field)));
    }

    function _words(string memory json, string memory prefix, string memory field)
        private
        pure
        returns (bytes32[] memory)
    {
        return vm.parseJsonBytes32Array(json, string.concat(prefix, field));
    }

    function test_Vectors() public view {
        string memory json = vm.readFile("test/vectors/merkle-sum.json");
        uint256 t;
        for (;; ++t) {
            string memory prefix = string.concat(".trees[", vm.toString(t), "].");
            if (!vm.keyExistsJson(json, string.concat(prefix, "name"))) break;
            bytes32 root = bytes32(_word(json, prefix, "root"));
            uint256 sum = _word(json, prefix, "sum");
            ILedgerCheckpoint.Entitlement[] memory leaves = _vectorLeaves(json, prefix);
            eq(leaves.length, _word(json, prefix, "count"), "leaves");
            bytes[] memory paths = vm.parseJsonBytesArray(json, string.concat(prefix, "paths"));
            for (uint256 i; i < leaves.length; ++i) {
                _reader.opens(MerkleSum.Opening(i, leaves[i], paths[i]), root, sum, uint40(leaves.length));
            }
        }
        atLeast(t, 6, "trees in the file");
    }

    function _vectorLeaves(string memory json, string memory prefix)
        private
        pure
        returns (ILedgerCheckpoint.Entitlement[] memory leaves)
    {
        bytes32[] memory accounts = _words(json, prefix, "accounts");
        bytes32[] memory amounts = _words(json, prefix, "amounts");
        bytes32[] memory deposited = _words(json, prefix, "deposited");
        bytes32[] memory withdrawn = _words(json, prefix, "withdrawn");
        bytes32[] memory movedOut = _words(json, prefix, "movedOut");
        leaves = new ILedgerCheckpoint.Entitlement[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            leaves[i] = ILedgerCheckpoint.Entitlement(
                address(uint160(uint256(accounts[i]))),
                int256(uint256(amounts[i])),
                uint128(uint256(deposited[i])),
                uint128(uint256(withdrawn[i])),
                uint128(uint256(movedOut[i]))
            );
        }
    }

    function testFuzz_EveryLeafOpens(uint256 seed, uint8 size) public view {
        ILedgerCheckpoint.Entitlement[] memory leaves = _tree(seed, 1 + size % 20);
        (bytes32 root, uint256 sum) = SumTree.root(leaves);
        uint256 positive;
        for (uint256 i; i < leaves.length; ++i) {
            _reader.opens(SumTree.open(leaves, i), root, sum, uint40(leaves.length));
            if (leaves[i].amount > 0) positive += uint256(leaves[i].amount);
        }
        eq(sum, positive, "the root's sum is that of all positive entitlements");
    }

    function testFuzz_NoByteOfAnOpeningCanChange(uint256 seed, uint8 size, uint256 index, uint256 place, uint8 flip)
        public
        view
    {
        vm.assume(flip != 0);
        ILedgerCheckpoint.Entitlement[] memory leaves = _tree(seed, 2 + size % 19);
        (bytes32 root, uint256 sum) = SumTree.root(leaves);
        MerkleSum.Opening memory o = SumTree.open(leaves, index % leaves.length);
        o.path[place % o.path.length] ^= bytes1(flip);
        yes(!_accepts(o, root, sum, uint40(leaves.length)), "a changed path is refused");
    }

    function testFuzz_NoFigureOfALeafCanChange(uint256 seed, uint8 size, uint256 index, uint8 figure, uint128 change)
        public
        view
    {
        vm.assume(change != 0);
        ILedgerCheckpoint.Entitlement[] memory leaves = _tree(seed, 1 + size % 20);
        (bytes32 root, uint256 sum) = SumTree.root(leaves);
        MerkleSum.Opening memory o = SumTree.open(leaves, index % leaves.length);
        figure %= 5;
        if (figure == 0) o.leaf.account = address(uint160(o.leaf.account) ^ change);
        if (figure == 1) o.leaf.amount ^= int256(uint256(change));
        if (figure == 2) o.leaf.deposited ^= change;
        if (figure == 3) o.leaf.withdrawn ^= change;
        if (figure == 4) o.leaf.movedOut ^= change;
        yes(!_accepts(o, root, sum, uint40(leaves.length)), "a changed leaf is refused");
    }

    /// @dev A leaf that opened at two places could be claimed twice.
    function testFuzz_ALeafOpensAtItsPlaceOnly(uint256 seed, uint8 size, uint256 index, uint256 other, uint40 count)
        public
        view
    {
        ILedgerCheckpoint.Entitlement[] memory leaves = _tree(seed, 2 + size % 19);
        (bytes32 root, uint256 sum) = SumTree.root(leaves);
        index %= leaves.length;
        MerkleSum.Opening memory o = SumTree.open(leaves, index);
        yes(_accepts(o, root, sum, uint40(leaves.length)), "its own place");
        o.index = other % 64 == index ? other % 64 + 1 : other % 64;
        yes(!_accepts(o, root, sum, uint40(leaves.length)), "another place");
        yes(!_accepts(o, root, sum, count), "another place and count");
    }

    function testFuzz_RootAndSumAreExact(uint256 seed, uint8 size, uint128 change) public view {
        vm.assume(change != 0);
        ILedgerCheckpoint.Entitlement[] memory leaves = _tree(seed, 1 + size % 20);
        (bytes32 root, uint256 sum) = SumTree.root(leaves);
        MerkleSum.Opening memory o = SumTree.open(leaves, seed % leaves.length);
        yes(!_accepts(o, root, sum ^ change, uint40(leaves.length)), "another sum");
        yes(!_accepts(o, root ^ bytes32(uint256(change)), sum, uint40(leaves.length)), "another root");
    }

    /// @dev T9 for attested rounds: siblings may be anybody's invention, sums included.
    function testFuzz_NoLeafExceedsTheRootsSum(uint256 seed, uint8 depth, uint256 index) public view {
        depth %= 24;
        index %= 1 << depth;
        MerkleSum.Opening memory o;
        (o.leaf, o.index) = (_leaf(seed, 0), index);
        uint256 sum = o.leaf.amount > 0 ? uint256(o.leaf.amount) : 0;
        uint256 own = sum;
        bytes32 hash = MerkleSum.hashOf(o.leaf);
        for (uint256 i; i < depth; ++i) {
            bytes32 sibling = keccak256(abi.encode(seed, "sibling", i));
            uint128 siblingSum = uint96(uint256(sibling));
            o.path = abi.encodePacked(o.path, sibling, siblingSum);
            hash = index >> i & 1 == 0
                ? keccak256(abi.encodePacked(uint8(1), hash, uint128(sum), sibling, siblingSum))
                : keccak256(abi.encodePacked(uint8(1), sibling, siblingSum, hash, uint128(sum)));
            sum += siblingSum;
        }
        _reader.opens(o, hash, sum, uint40(1 << depth));
        atMost(own, sum, "leaf against root");
        if (own > 0) yes(!_accepts(o, hash, own - 1, uint40(1 << depth)), "a root with less than the leaf");
    }

    function test_SumsDoNotWrap() public {
        ILedgerCheckpoint.Entitlement memory leaf = ILedgerCheckpoint.Entitlement(address(1), 1, 0, 0, 0);
        bytes memory path = abi.encodePacked(bytes32(0), type(uint128).max);
        vm.expectRevert(abi.encodeWithSelector(MerkleSum.SumOverflow.selector, uint256(1) << 128));
        _reader.opens(MerkleSum.Opening(0, leaf, path), 0, 0, 2);
        leaf.amount = 1 << 128;
        vm.expectRevert(abi.encodeWithSelector(MerkleSum.SumOverflow.selector, uint256(1) << 128));
        _reader.opens(MerkleSum.Opening(0, leaf, ""), MerkleSum.hashOf(leaf), 1 << 128, 1);
        leaf.amount = (1 << 128) - 1;
        _reader.opens(MerkleSum.Opening(0, leaf, ""), MerkleSum.hashOf(leaf), type(uint128).max, 1);
    }

    function test_PathsHaveTheDepthOfTheTree() public {
        ILedgerCheckpoint.Entitlement memory leaf = ILedgerCheckpoint.Entitlement(address(1), 1, 0, 0, 0);
        uint40[6] memory counts = [uint40(1), 2, 3, 4, 5, 2 ** 40 - 1];
        uint256[6] memory depths = [uint256(0), 1, 2, 2, 3, 40];
        for (uint256 i; i < 6; ++i) {
            eq(MerkleSum.depthOf(counts[i]), depths[i], "depth");
            vm.expectRevert(abi.encodeWithSelector(MerkleSum.PathLength.selector, 48 * depths[i] + 1, 48 * depths[i]));
            _reader.opens(MerkleSum.Opening(0, leaf, new bytes(48 * depths[i] + 1)), 0, 0, counts[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(MerkleSum.IndexOutside.selector, 3, 3));
        _reader.opens(MerkleSum.Opening(3, leaf, new bytes(96)), 0, 0, 3);
    }

    /// @dev Neither an inner node nor padding can pass for a leaf: their hashes come from other preimages.
    function testFuzz_AnInnerNodeIsNoLeaf(uint256 seed) public view {
        ILedgerCheckpoint.Entitlement[] memory leaves = _tree(seed, 4);
        (bytes32 root, uint256 sum) = SumTree.root(leaves);
        MerkleSum.Opening memory o = SumTree.open(leaves, 0);
        bytes memory upper = new bytes(48);
        for (uint256 i; i < 48; ++i) {
            upper[i] = o.path[48 + i];
        }
        o.path = upper;
        yes(!_accepts(o, root, sum, 2), "a shorter tree over the same root");
    }
}
