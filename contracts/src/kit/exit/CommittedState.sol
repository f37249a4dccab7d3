// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "../BoundedCall.sol";
import {ILedgerCheckpoint} from "../interfaces/ILedgerCheckpoint.sol";
import {Rlp} from "./Rlp.sol";
import {StateProof} from "./StateProof.sol";

/// @notice Past blocks of this chain, committed by anyone, and what they say that accounts are owed.
/// @dev Problem: what accounts were owed before an incident has to be known after it, without believing anyone.
/// Guarantee: an entry is a block of this chain (its header hashes to what the chain itself remembers); entries rise in number
/// and stand at least an hour of chain time apart; none is ever changed or removed, and no role exists that could. Slots are
/// hashed here from base slots that never change, so that no prover can name another word.
/// Trust: the chain, and whoever read the base slots off the ledger's storage layout: hold them against live balances once.
/// Failure modes: a block leaves the chain's memory after 8 191 blocks (EIP-2935; 256 where a chain lacks it), so an hour that
/// nobody commits in that time is lost. A chain whose `block.number` is not the number in its headers is refused (`WrongNumber`).
abstract contract CommittedState is ILedgerCheckpoint {
    /// @notice Where a ledger keeps what it owes in one asset, as base slots of its storage. Nested mappings are keyed in the
    /// order of the words: flows[account][asset], moved[from][to][asset]. A ledger without counters names unused slots: a
    /// word that was never written is proven absent and counts 0.
    /// @param asset unit of entitlement: an asset, or a share token for claims in kind
    /// @param ledger contract whose storage it is
    /// @param balances mapping(address => uint256)
    /// @param total sum of the balances
    /// @param flows mapping(address => mapping(address => IFlowCounters.Flow))
    /// @param moved mapping(address => mapping(address => mapping(address => uint256)))
    struct Ledger {
        address asset;
        address ledger;
        bytes32 balances;
        bytes32 total;
        bytes32 flows;
        bytes32 moved;
    }

    event LedgerDescribed(address indexed asset, address indexed ledger);
    event Committed(uint256 indexed id, uint256 indexed blockNumber, bytes32 stateRoot);
    event AccountProven(uint256 indexed id, address indexed account, bytes32 storageRoot);

    error HashUnavailable(uint256 blockNumber);
    error WrongHeader(bytes32 got, bytes32 want);
    error WrongNumber(uint256 got, uint256 want);
    error NotRising(uint256 blockNumber, uint256 last);
    error TooSoon(uint256 blockTime, uint256 earliest);
    error UnknownEntry(uint256 id);
    error UnknownAsset(address asset);
    error IncompleteLedger(address asset, address ledger);
    error AlreadyDescribed(address asset);
    error AccountAbsent(uint256 id, address account);
    error AccountNotProven(uint256 id, address account);
    error AlreadyProven(uint256 id, address account);
    error BalanceTooLarge(address account, uint256 amount);

    /// @notice Least chain time between two entries. Measured on the blocks and not on the commits: else an old block could
    /// use up the hour of a new one.
    uint256 public constant SPACING = 1 hours;

    /// @dev EIP-2935.
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;

    // Places in the header's list (yellow paper, 4.4). Forks only append, and what is appended is not read.
    uint256 private constant FIELD_STATE_ROOT = 3;
    uint256 private constant FIELD_NUMBER = 8;
    uint256 private constant FIELD_TIMESTAMP = 11;

    mapping(address asset => Ledger) public ledgerOf;

    /// @notice Storage root of a contract at an entry, once somebody has proven it.
    mapping(uint256 id => mapping(address account => bytes32)) public storageRootOf;

    Entry[] private _entries;

    constructor(Ledger[] memory ledgers) {
        for (uint256 i; i < ledgers.length; ++i) {
            _describe(ledgers[i]);
        }
    }

    /// @notice Commits a past block. Anyone, who has its RLP header.
    function commit(uint256 blockNumber, bytes calldata header) external returns (uint256 id) {
        bytes32 want = _hashOf(blockNumber);
        if (keccak256(header) != want) revert WrongHeader(keccak256(header), want);
        (bytes32 stateRoot, uint256 number, uint256 time) = _readHeader(header);
        if (number != blockNumber) revert WrongNumber(number, blockNumber);

        id = _entries.length;
        if (id != 0) {
            Entry storage last = _entries[id - 1];
            if (number <= last.blockNumber) revert NotRising(number, last.blockNumber);
            if (time < last.blockTime + SPACING) revert TooSoon(time, last.blockTime + SPACING);
        }
        // forge-lint: disable-next-line(unsafe-typecast) a number and a second that this chain has reached
        _entries.push(Entry(uint40(number), uint40(time), uint40(block.timestamp), uint40(block.number), stateRoot));
        emit Committed(id, number, stateRoot);
    }

    /// @notice Caches the storage root of `account` at an entry, where the proofs of its words begin. Anyone.
    /// @param proof `abi.encode(bytes[] nodes)`, as in `eth_getProof`; all storage proofs have this form
    function proveAccount(uint256 id, address account, bytes calldata proof) external returns (bytes32 storageRoot) {
        if (storageRootOf[id][account] != 0) revert AlreadyProven(id, account);
        storageRoot = StateProof.storageRootOf(entryOf(id).stateRoot, account, StateProof.pool(proof));
        if (storageRoot == 0) revert AccountAbsent(id, account);
        storageRootOf[id][account] = storageRoot;
        emit AccountProven(id, account, storageRoot);
    }

    /// @notice A storage word as of an entry, of an account that is proven.
    function proveSlot(uint256 id, address account, bytes32 slot, bytes calldata proof) public view returns (uint256) {
        return _word(id, account, slot, StateProof.pool(proof));
    }

    /// @inheritdoc ILedgerCheckpoint
    /// @dev From storage in both forms: a leaf that carried the pairs would grow with every partner.
    function movedAt(uint256 id, address asset, address from, address to, bytes calldata proof)
        external
        view
        returns (uint256)
    {
        Ledger storage l = _ledger(asset);
        return proveSlot(id, l.ledger, _key(asset, _key(to, _key(from, l.moved))), proof);
    }

    /// @inheritdoc ILedgerCheckpoint
    function entries() public view returns (uint256) {
        return _entries.length;
    }

    /// @inheritdoc ILedgerCheckpoint
    function entryOf(uint256 id) public view returns (Entry memory) {
        if (id >= _entries.length) revert UnknownEntry(id);
        return _entries[id];
    }

    /// @dev What storage says that `account` is owed. A ledger that packs its words, or one with debt and prices, overrides
    /// this and reads its own words with `_word`; amounts MUST stay below 2^128.
    function _entitlement(uint256 id, address asset, address account, bytes calldata proof)
        internal
        view
        virtual
        returns (Entitlement memory)
    {
        Ledger storage l = _ledger(asset);
        StateProof.Pool memory p = StateProof.pool(proof);
        uint256 amount = _word(id, l.ledger, _key(account, l.balances), p);
        if (amount > type(uint128).max) revert BalanceTooLarge(account, amount);
        uint256 slot = uint256(_key(asset, _key(account, l.flows)));
        uint256 flows = _word(id, l.ledger, bytes32(slot), p);
        uint256 movedOut = _word(id, l.ledger, bytes32(slot + 1), p);
        // forge-lint: disable-next-line(unsafe-typecast) the amount is below 2^128, the words are two halves each
        return Entitlement(account, int256(amount), uint128(flows), uint128(flows >> 128), uint128(movedOut));
    }

    /// @dev What storage says that all accounts are owed. A ledger that does not know it overrides this with a revert and has
    /// the attested form only.
    function _total(uint256 id, address asset, bytes calldata proof) internal view virtual returns (uint256) {
        Ledger storage l = _ledger(asset);
        return proveSlot(id, l.ledger, l.total, proof);
    }

    /// @dev Once for each asset: what is proven under a description stays true.
    function _describe(Ledger memory l) internal {
        if (l.asset == address(0) || l.ledger == address(0)) revert IncompleteLedger(l.asset, l.ledger);
        if (ledgerOf[l.asset].ledger != address(0)) revert AlreadyDescribed(l.asset);
        ledgerOf[l.asset] = l;
        emit LedgerDescribed(l.asset, l.ledger);
    }

    function _ledger(address asset) internal view returns (Ledger storage l) {
        l = ledgerOf[asset];
        if (l.ledger == address(0)) revert UnknownAsset(asset);
    }

    function _word(uint256 id, address account, bytes32 slot, StateProof.Pool memory p)
        internal
        view
        returns (uint256)
    {
        bytes32 storageRoot = storageRootOf[id][account];
        if (storageRoot == 0) revert AccountNotProven(id, account);
        return StateProof.wordOf(storageRoot, slot, p);
    }

    function _key(address key, bytes32 base) internal pure returns (bytes32) {
        return keccak256(abi.encode(key, base));
    }

    function _hashOf(uint256 blockNumber) private view returns (bytes32 hash) {
        hash = blockhash(blockNumber);
        if (hash == 0) {
            (bool ok, uint256 answer,) =
                BoundedCall.readWithin(BoundedCall.READ_GAS, HISTORY, abi.encode(blockNumber), 1);
            if (ok) hash = bytes32(answer);
        }
        if (hash == 0) revert HashUnavailable(blockNumber);
    }

    function _readHeader(bytes calldata header) private pure returns (bytes32 stateRoot, uint256 number, uint256 time) {
        (uint256 cursor, uint256 end) = Rlp.span(header);
        cursor = Rlp.enter(cursor, end);
        for (uint256 field; field <= FIELD_TIMESTAMP; ++field) {
            if (field == FIELD_STATE_ROOT) stateRoot = Rlp.hash(cursor, end);
            if (field == FIELD_NUMBER) number = Rlp.integer(cursor, end);
            if (field == FIELD_TIMESTAMP) time = Rlp.integer(cursor, end);
            cursor = Rlp.skip(cursor, end);
        }
    }
}
