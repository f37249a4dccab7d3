// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AttestedLedger} from "../../../src/kit/exit/AttestedLedger.sol";
import {CommittedState} from "../../../src/kit/exit/CommittedState.sol";
import {LedgerCheckpoint} from "../../../src/kit/exit/LedgerCheckpoint.sol";
import {MerkleSum} from "../../../src/kit/exit/MerkleSum.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {IToken} from "../../../src/kit/SafeToken.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {Assert} from "../../utils/Assert.sol";
import {Mpt, RlpWriter} from "./Mpt.sol";

/// @notice The block hashes that EIP-2935 keeps, by its rule: the last 8 191 blocks, else a revert.
contract BlockHistory {
    mapping(uint256 number => bytes32) private _hashes;

    function set(uint256 number, bytes32 hash) external {
        _hashes[number] = hash;
    }

    fallback(bytes calldata question) external returns (bytes memory) {
        uint256 number = uint256(bytes32(question));
        require(question.length == 32 && number < block.number && number + 8191 >= block.number);
        return abi.encode(_hashes[number]);
    }
}

/// @notice A controller that says what the test wants, and knows two signers of whom both have to sign.
contract ControllerStub {
    mapping(bytes32 scope => IFailSafeController.Episode) private _episodes;
    address public council = address(0xc0c);
    address[2] private _signers;

    error NotSigned();

    constructor(address first, address second) {
        _signers = [first, second];
    }

    function setEpisode(bytes32 scope, uint40 start, uint40 tripBlock, uint40 incidentBlock) external {
        uint32 id = _episodes[scope].episodeId + 1;
        _episodes[scope] =
            IFailSafeController.Episode(id, 1, 0, start, tripBlock, incidentBlock, Mode.RESTRICTED, start + 1 days);
    }

    function episodeOf(bytes32 scope) external view returns (IFailSafeController.Episode memory) {
        return _episodes[scope];
    }

    function requireGroup(bytes32 scope, uint8 group, bytes32 digest, bytes[] calldata signatures) external view {
        if (scope != "attesters" || group != 1 || signatures.length != 2) revert NotSigned();
        for (uint256 i; i < 2; ++i) {
            (bytes32 r, bytes32 s, uint8 v) = abi.decode(signatures[i], (bytes32, bytes32, uint8));
            if (ecrecover(digest, v, r, s) != _signers[i]) revert NotSigned();
        }
    }
}

/// @notice A token that keeps a fee when told to, and calls its sender and its receiver.
contract BondToken {
    mapping(address account => uint256) public balanceOf;
    uint256 public fee;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function setFee(uint256 fee_) external {
        fee = fee_;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        return _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        balanceOf[from] -= amount;
        balanceOf[to] += amount - fee;
        if (to.code.length != 0 && from.code.length != 0) {
            (bool ok,) = from.call(abi.encodeWithSignature("onMoved()"));
            (ok,) = to.call(abi.encodeWithSignature("onMoved()"));
        }
        return true;
    }
}

/// @notice A chain of which the test writes headers and state, and one ledger on it.
abstract contract CheckpointWorld is Assert {
    using Mpt for Mpt.Trie;

    bytes32 internal constant SCOPE = "market";
    address internal constant ASSET = address(0xa55e7);
    address internal constant LEDGER = address(0x1ed9e4);
    address internal constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;
    bytes32 internal constant BALANCES = bytes32(uint256(3));
    bytes32 internal constant TOTAL = bytes32(uint256(2));
    bytes32 internal constant FLOWS = keccak256("flows");
    bytes32 internal constant MOVED = keccak256("moved");
    uint256 internal constant FIRST_KEY = 0xa11ce;
    uint256 internal constant SECOND_KEY = 0xb0b;
    uint256 internal constant BOND = 10 ether;

    BondToken internal bondToken;
    LedgerCheckpoint internal checkpoint;
    ControllerStub internal controller;

    /// @dev Seconds between two blocks, and the time of block 0.
    uint256 internal blockSeconds = 12;
    uint256 internal genesis = 1_700_000_000;

    function setUp() public virtual {
        vm.etch(HISTORY, address(new BlockHistory()).code);
        controller = new ControllerStub(vm.addr(FIRST_KEY), vm.addr(SECOND_KEY));
        bondToken = new BondToken();
        checkpoint = _deploy(_ledgers(), 6 hours, BOND, 24 hours);
        _mineTo(20_000);
    }

    function _deploy(CommittedState.Ledger[] memory ledgers, uint40 margin, uint256 bond, uint40 period)
        internal
        returns (LedgerCheckpoint)
    {
        AttestedLedger.Terms memory terms =
            AttestedLedger.Terms("attesters", 1, period, IToken(address(bondToken)), bond);
        return new LedgerCheckpoint(IFailSafeController(address(controller)), ledgers, margin, terms);
    }

    function _ledgers() internal pure returns (CommittedState.Ledger[] memory ledgers) {
        ledgers = new CommittedState.Ledger[](1);
        ledgers[0] = CommittedState.Ledger(ASSET, LEDGER, BALANCES, TOTAL, FLOWS, MOVED);
    }

    function _timeOf(uint256 number) internal view returns (uint256) {
        return genesis + number * blockSeconds;
    }

    function _mineTo(uint256 number) internal {
        vm.roll(number);
        vm.warp(_timeOf(number));
    }

    /// @dev A header of the shape of Prague, with whatever a later fork may append.
    function _header(uint256 number, uint256 time, bytes32 stateRoot, bytes memory more)
        internal
        pure
        returns (bytes memory)
    {
        bytes memory hash = RlpWriter.text(abi.encodePacked(keccak256("hash")));
        bytes memory fields = bytes.concat(hash, hash, RlpWriter.text(abi.encodePacked(address(1))));
        fields = bytes.concat(fields, RlpWriter.text(abi.encodePacked(stateRoot)), hash, hash);
        fields = bytes.concat(fields, RlpWriter.text(new bytes(256)), hex"80", RlpWriter.integer(number));
        fields = bytes.concat(fields, RlpWriter.integer(30_000_000), hex"80", RlpWriter.integer(time));
        return RlpWriter.list(bytes.concat(fields, hex"80", hash, RlpWriter.text(new bytes(8)), hex"07", more));
    }

    /// @dev Makes the chain remember a header: as `blockhash` does for the last 256 blocks, as EIP-2935 does for older ones.
    function _remember(uint256 number, bytes memory header) internal {
        if (number + 256 >= block.number) vm.setBlockhash(number, keccak256(header));
        else BlockHistory(HISTORY).set(number, keccak256(header));
    }

    /// @dev Commits `number` with this state root, as it stands on the chain.
    function _commit(uint256 number, bytes32 stateRoot) internal returns (uint256 id) {
        bytes memory header = _header(number, _timeOf(number), stateRoot, "");
        _remember(number, header);
        return checkpoint.commit(number, header);
    }

    function _key(address key, bytes32 base) internal pure returns (bytes32) {
        return keccak256(abi.encode(key, base));
    }

    function _flowSlot(address account) internal pure returns (bytes32) {
        return _key(ASSET, _key(account, FLOWS));
    }

    /// @dev Storage of the ledger: these entitlements, their total, and whatever `more` holds.
    function _storage(ILedgerCheckpoint.Entitlement[] memory es) internal pure returns (Mpt.Trie memory t) {
        uint256 total;
        for (uint256 i; i < es.length; ++i) {
            uint256 slot = uint256(_flowSlot(es[i].account));
            t.putWord(_key(es[i].account, BALANCES), uint256(es[i].amount));
            t.putWord(bytes32(slot), uint256(es[i].deposited) | uint256(es[i].withdrawn) << 128);
            t.putWord(bytes32(slot + 1), es[i].movedOut);
            total += uint256(es[i].amount);
        }
        t.putWord(TOTAL, total);
    }

    /// @dev State with the ledger and two other accounts.
    function _state(Mpt.Trie memory ledger) internal pure returns (Mpt.Trie memory t) {
        t.putAccount(address(1), keccak256(hex"80"));
        t.putAccount(address(2), keccak256("another"));
        t.putAccount(LEDGER, ledger.root());
    }

    function _accountProof(Mpt.Trie memory state, address account) internal pure returns (bytes memory) {
        return abi.encode(state.proof(keccak256(abi.encodePacked(account))));
    }

    function _slotProof(Mpt.Trie memory ledger, bytes32 slot) internal pure returns (bytes memory) {
        return abi.encode(ledger.proof(keccak256(abi.encodePacked(slot))));
    }

    function _entitlementProof(Mpt.Trie memory ledger, address account) internal pure returns (bytes memory) {
        bytes32[] memory slots = new bytes32[](3);
        slots[0] = _key(account, BALANCES);
        slots[1] = _flowSlot(account);
        slots[2] = bytes32(uint256(slots[1]) + 1);
        return abi.encode(ledger.pool(slots));
    }

    /// @dev An account's figures from a seed, in a range where many are zero.
    function _someone(uint256 seed, uint256 i) internal pure returns (ILedgerCheckpoint.Entitlement memory e) {
        uint256 random = uint256(keccak256(abi.encode(seed, i)));
        e.account = address(uint160(uint256(keccak256(abi.encode(seed, "account", i)))));
        if (random & 3 != 0) e.amount = int256(uint256(uint64(random >> 8)));
        if (random & 4 != 0) (e.deposited, e.withdrawn) = (uint64(random >> 80), uint32(random >> 150));
        if (random & 8 != 0) e.movedOut = uint32(random >> 190);
    }

    /// @dev Accounts in rising order, as the leaves of a tree have to be.
    function _people(uint256 seed, uint256 count) internal pure returns (ILedgerCheckpoint.Entitlement[] memory es) {
        es = new ILedgerCheckpoint.Entitlement[](count);
        for (uint256 i; i < count; ++i) {
            ILedgerCheckpoint.Entitlement memory e = _someone(seed, i);
            uint256 place = i;
            for (; place > 0 && es[place - 1].account > e.account; --place) {
                es[place] = es[place - 1];
            }
            es[place] = e;
        }
    }

    function _same(ILedgerCheckpoint.Entitlement memory got, ILedgerCheckpoint.Entitlement memory want) internal pure {
        yes(keccak256(abi.encode(got)) == keccak256(abi.encode(want)), "entitlement");
    }
}

/// @notice Merkle-sum trees as a daemon builds them, level by level, apart from the code that checks them.
library SumTree {
    function root(ILedgerCheckpoint.Entitlement[] memory leaves) internal pure returns (bytes32, uint256) {
        (bytes32[] memory hashes, uint256[] memory sums) = _leaves(leaves);
        while (hashes.length > 1) (hashes, sums) = _up(hashes, sums);
        return (hashes[0], sums[0]);
    }

    function open(ILedgerCheckpoint.Entitlement[] memory leaves, uint256 index)
        internal
        pure
        returns (MerkleSum.Opening memory o)
    {
        (o.index, o.leaf) = (index, leaves[index]);
        (bytes32[] memory hashes, uint256[] memory sums) = _leaves(leaves);
        for (; hashes.length > 1; index /= 2) {
            uint256 sibling = index % 2 == 0 ? index + 1 : index - 1;
            bool there = sibling < hashes.length;
            o.path = abi.encodePacked(
                o.path, there ? hashes[sibling] : bytes32(0), there ? uint128(sums[sibling]) : uint128(0)
            );
            (hashes, sums) = _up(hashes, sums);
        }
    }

    function _leaves(ILedgerCheckpoint.Entitlement[] memory leaves)
        private
        pure
        returns (bytes32[] memory hashes, uint256[] memory sums)
    {
        (hashes, sums) = (new bytes32[](leaves.length), new uint256[](leaves.length));
        for (uint256 i; i < leaves.length; ++i) {
            ILedgerCheckpoint.Entitlement memory e = leaves[i];
            hashes[i] = keccak256(abi.encodePacked(uint8(0), e.account, e.amount, e.deposited, e.withdrawn, e.movedOut));
            sums[i] = e.amount > 0 ? uint256(e.amount) : 0;
        }
    }

    function _up(bytes32[] memory hashes, uint256[] memory sums)
        private
        pure
        returns (bytes32[] memory above, uint256[] memory aboveSums)
    {
        uint256 count = (hashes.length + 1) / 2;
        (above, aboveSums) = (new bytes32[](count), new uint256[](count));
        for (uint256 i; i < count; ++i) {
            bool two = 2 * i + 1 < hashes.length;
            (bytes32 right, uint256 rightSum) = two ? (hashes[2 * i + 1], sums[2 * i + 1]) : (bytes32(0), 0);
            above[i] =
                keccak256(abi.encodePacked(uint8(1), hashes[2 * i], uint128(sums[2 * i]), right, uint128(rightSum)));
            aboveSums[i] = sums[2 * i] + rightSum;
        }
    }
}
