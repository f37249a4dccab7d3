// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IToken, SafeToken} from "../SafeToken.sol";
import {Signatures} from "../controller/Signatures.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {CommittedState} from "./CommittedState.sol";
import {Credits} from "./Credits.sol";
import {MerkleSum} from "./MerkleSum.sol";

/// @notice Merkle-sum roots over all entitlements of an entry: cheap to claim from, signed by a group, open to challenge.
/// @dev Problem: storage proofs are dear for every single claim, and storage does not know the total of a system with debt.
/// Guarantee: a root is final only after the group signed it and a bond stood behind it for the challenge period. A challenge is
/// judged by storage proofs of the same entry and takes the bond at once. What is final for an entry and asset stays final;
/// anyone who distrusts a pending root can end the matter with `proveTotal`, which needs no bond and none of the tree.
/// Trust: k of n signers for publishing the leaves, because nobody can challenge what is kept back (`proveTotal` is the answer
/// where storage knows the total); for all else one watcher per period. The group SHOULD sit in a scope of its own
/// without targets: there it can trip nothing, and a stolen guardian group signs no roots.
/// Failure modes: without attesters the form is STATE_PROOF, which needs nobody.
abstract contract AttestedLedger is CommittedState, Credits {
    using SafeToken for IToken;

    /// @notice What a challenge shows. ENTITLEMENT: a leaf with a wrong figure, or none for an account that is owed something.
    /// ORDER: two leaves that do not rise, hence also a duplicate. SUM: a root sum other than the ledger's own total.
    enum Fault {
        ENTITLEMENT,
        ORDER,
        SUM
    }

    /// @param scope scope at the controller and
    /// @param group number there of the group that signs roots
    /// @param period seconds for a challenge
    /// @param bondToken token of the bond
    /// @param bond units of it behind each root
    struct Terms {
        bytes32 scope;
        uint8 group;
        uint40 period;
        IToken bondToken;
        uint256 bond;
    }

    /// @param root Merkle-sum root; zero when nothing is attested
    /// @param sum of all positive entitlements
    /// @param count leaves
    /// @param postedAt second from which the challenge period runs
    /// @param poster who put up the bond; zero once it is returned
    /// @param attempt roots voided so far: part of what is signed, so that no signature works twice
    struct Attestation {
        bytes32 root;
        uint128 sum;
        uint40 count;
        uint40 postedAt;
        address poster;
        uint32 attempt;
    }

    /// @param known whether it is final
    struct Final {
        bool known;
        Form form;
        uint128 total;
    }

    event Attested(uint256 indexed id, address indexed asset, bytes32 root, uint256 sum, uint256 count);
    event Challenged(uint256 indexed id, address indexed asset, Fault fault, address challenger);
    event Finalized(uint256 indexed id, address indexed asset, Form form, uint256 total);

    error OutOfBounds(uint256 value, uint256 least, uint256 most);
    error WrongBond(uint256 got, uint256 want);
    error AlreadyFinal(uint256 id, address asset);
    error AlreadyPending(uint256 id, address asset);
    error NothingPending(uint256 id, address asset);
    error PeriodOver(uint256 endedAt);
    error PeriodOpen(uint256 endsAt);
    error ChallengeFailed(Fault fault);
    error LeafOrder(address account);

    uint40 public constant PERIOD_MIN = 24 hours;
    uint40 public constant PERIOD_MAX = 7 days;

    bytes32 private constant ATTESTATION_TYPEHASH = keccak256(
        "Attestation(uint256 id,bytes32 stateRoot,address asset,bytes32 root,uint128 sum,uint40 count,uint32 attempt)"
    );

    IFailSafeController public immutable controller;

    /// @notice Group of the controller that signs roots.
    bytes32 public immutable attesterScope;
    uint8 public immutable attesterGroup;

    /// @notice What stands behind each root.
    IToken public immutable bondToken;
    uint256 public immutable bond;

    /// @notice Seconds for a challenge.
    uint40 public immutable period;

    mapping(uint256 id => mapping(address asset => Attestation)) public attestationOf;
    mapping(uint256 id => mapping(address asset => Final)) internal _finals;

    constructor(IFailSafeController controller_, Terms memory t) {
        if (address(controller_) == address(0) || address(t.bondToken) == address(0)) revert ZeroAddress();
        if (t.bond == 0) revert OutOfBounds(t.bond, 1, type(uint256).max);
        if (t.period < PERIOD_MIN || t.period > PERIOD_MAX) revert OutOfBounds(t.period, PERIOD_MIN, PERIOD_MAX);
        controller = controller_;
        (attesterScope, attesterGroup, period, bondToken, bond) = (t.scope, t.group, t.period, t.bondToken, t.bond);
    }

    /// @notice Posts a root signed by the attester group, with the bond. Anyone.
    function attest(uint256 id, address asset, bytes32 root, uint128 sum, uint40 count, bytes[] calldata signatures)
        external
        nonReentrant
    {
        Attestation storage a = attestationOf[id][asset];
        _ledger(asset);
        if (_finals[id][asset].known) revert AlreadyFinal(id, asset);
        if (a.root != 0) revert AlreadyPending(id, asset);
        if (root == 0 || count == 0) revert OutOfBounds(count, 1, type(uint40).max);
        controller.requireGroup(
            attesterScope, attesterGroup, _digest(id, asset, root, sum, count, a.attempt), signatures
        );
        (a.root, a.sum, a.count) = (root, sum, count);
        (a.postedAt, a.poster) = (uint40(block.timestamp), msg.sender);
        emit Attested(id, asset, root, sum, count);
        uint256 received = bondToken.pull(msg.sender, bond);
        if (received != bond) revert WrongBond(received, bond);
    }

    /// @notice Takes the bond by showing a fault. Anyone, within the challenge period.
    /// @param account ENTITLEMENT only: whose
    /// @param shown ENTITLEMENT: its leaf or its neighbours; ORDER: the two leaves, lower index first; SUM: none
    /// @param proof storage proof of the account's entitlement or of the total; ORDER: none
    function challenge(
        uint256 id,
        address asset,
        Fault fault,
        address account,
        MerkleSum.Opening[] memory shown,
        bytes calldata proof
    ) external {
        Attestation memory a = _pending(id, asset);
        if (block.timestamp >= a.postedAt + period) revert PeriodOver(a.postedAt + period);
        bool faulty;
        if (fault == Fault.SUM) {
            faulty = _total(id, asset, proof) != a.sum;
        } else if (fault == Fault.ORDER) {
            _requireOpen(a, shown);
            faulty =
                shown.length == 2 && shown[0].index < shown[1].index && shown[0].leaf.account >= shown[1].leaf.account;
        } else {
            Entitlement memory said = _leafOf(a, account, shown);
            faulty = MerkleSum.hashOf(said) != MerkleSum.hashOf(_entitlement(id, asset, account, proof));
        }
        if (!faulty) revert ChallengeFailed(fault);

        delete attestationOf[id][asset];
        attestationOf[id][asset].attempt = a.attempt + 1;
        creditOf[address(bondToken)][msg.sender] += bond;
        emit Challenged(id, asset, fault, msg.sender);
    }

    /// @notice Returns the bond of a root that nobody challenged, and makes it final unless a proven total came first. Anyone.
    function finalize(uint256 id, address asset) external {
        Attestation memory a = _pending(id, asset);
        if (block.timestamp < a.postedAt + period) revert PeriodOpen(a.postedAt + period);
        attestationOf[id][asset].poster = address(0);
        creditOf[address(bondToken)][a.poster] += bond;
        if (!_finals[id][asset].known) _finalize(id, asset, Form.ATTESTED, a.sum);
    }

    /// @notice Makes STATE_PROOF the form, with the total that storage proves. Anyone; needs no signature and no time.
    function proveTotal(uint256 id, address asset, bytes calldata proof) external returns (uint256 total) {
        if (_finals[id][asset].known) revert AlreadyFinal(id, asset);
        total = _total(id, asset, proof);
        _finalize(id, asset, Form.STATE_PROOF, _uint128(total));
    }

    /// @dev What the tree says of `account`: its leaf; or, opened at the place where its leaf would stand, that it has none.
    /// One neighbour is enough at either end of the tree.
    function _leafOf(Attestation memory a, address account, MerkleSum.Opening[] memory shown)
        internal
        pure
        returns (Entitlement memory)
    {
        _requireOpen(a, shown);
        if (shown.length == 0) revert LeafOrder(account);
        (MerkleSum.Opening memory left, MerkleSum.Opening memory right) = (shown[0], shown[shown.length - 1]);
        if (left.leaf.account == account) return left.leaf;
        bool between = shown.length == 2
            ? left.leaf.account < account && account < right.leaf.account && left.index + 1 == right.index
            : account < left.leaf.account ? left.index == 0 : left.index + 1 == a.count;
        if (!between) revert LeafOrder(account);
        return Entitlement(account, 0, 0, 0, 0);
    }

    function _requireOpen(Attestation memory a, MerkleSum.Opening[] memory shown) private pure {
        for (uint256 i; i < shown.length; ++i) {
            MerkleSum.requireOpens(shown[i], a.root, a.sum, a.count);
        }
    }

    function _finalize(uint256 id, address asset, Form form, uint128 total) private {
        _finals[id][asset] = Final(true, form, total);
        emit Finalized(id, asset, form, total);
    }

    function _pending(uint256 id, address asset) private view returns (Attestation memory a) {
        a = attestationOf[id][asset];
        if (a.poster == address(0)) revert NothingPending(id, asset);
    }

    /// @dev EIP-712. The state root ties a signature to the block that was meant, should a reorg give the id to another.
    function _digest(uint256 id, address asset, bytes32 root, uint128 sum, uint40 count, uint32 attempt)
        private
        view
        returns (bytes32)
    {
        bytes32 content = keccak256(
            abi.encode(ATTESTATION_TYPEHASH, id, entryOf(id).stateRoot, asset, root, sum, count, attempt)
        );
        return Signatures.typedDigest(keccak256("Ripcord LedgerCheckpoint"), content);
    }
}
