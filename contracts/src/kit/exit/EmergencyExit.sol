// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IToken, SafeToken} from "../SafeToken.sol";
import {Signatures} from "../controller/Signatures.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {ILedgerCheckpoint} from "../interfaces/ILedgerCheckpoint.sol";
import {ExitIndex} from "./ExitIndex.sol";
import {Disputes} from "./Disputes.sol";
import {NetFlow} from "./NetFlow.sol";
import {Rounds} from "./Rounds.sol";

/// @notice Pays out what is left of a system in EXIT, to those who were entitled before the incident.
/// @dev Problem: when a system cannot be reopened, the first to leave takes what belongs to all, and whoever holds the keys decides
/// who leaves. Guarantee: see {ExitIndex}, {NetFlow}, {Rounds} and {Disputes}: the sum of payouts never exceeds what a pool
/// received, whatever the order of funding, entering, claims, carries and disputes; each account is paid the same whoever comes
/// first; a later recovery is for everybody to claim again. Funds leave only to claimants, their surplus only to the heir.
/// Nobody is paid unasked, since a pool or vault that was paid so would hand the money to whoever comes by. No owner, no
/// upgrade, no pause: every function here is class CLAIM.
/// Trust: checkpoint and controller as said there; the council for {openSubRound} and disputes.
/// Failure modes: a token that refuses or keeps a fee hurts the claims on that token alone. A pool whose checkpoint promises more
/// than its total pays first come, first served up to it, then reverts {OverAllocated}.
contract EmergencyExit is Disputes {
    using SafeToken for IToken;

    /// @param paid what the account has been paid so far: a signature is good for one claim
    struct SignedClaim {
        uint256 round;
        address asset;
        address account;
        address to;
        uint256 paid;
        uint256 deadline;
    }

    event Claimed(uint256 indexed round, address indexed asset, address indexed account, address to, uint256 amount);
    event SubRoundOpened(uint256 indexed round, address indexed asset, address indexed holder, uint256 subRound);
    event Swept(uint256 indexed round, address indexed asset, uint256 amount);

    error RoundWarming(uint256 until);
    error LeafDisputed(address account);
    error Expired(uint256 deadline);
    error Stale(uint256 signedPaid, uint256 paid);
    error HolderHasRound(uint256 subRound);
    error NotHoldersRound(uint256 subRound);

    uint256 public constant SWEEP_AFTER = 730 days;

    bytes32 private constant CLAIM_TYPEHASH =
        keccak256("SignedClaim(uint256 round,address asset,address account,address to,uint256 paid,uint256 deadline)");

    /// @notice Gets the surplus, fixed for ever.
    address public immutable heir;

    /// @notice Round that a holders' round takes its funds from.
    mapping(uint256 subRound => uint256) public parentRoundOf;

    constructor(
        IFailSafeController controller_,
        ILedgerCheckpoint checkpoint_,
        Listing[] memory listings,
        IToken bondToken_,
        uint256 bond_,
        address appealBody_,
        address heir_
    ) NetFlow(controller_, checkpoint_) Rounds(listings) Disputes(bondToken_, bond_, appealBody_) {
        if (heir_ == address(0)) revert ZeroAddress();
        heir = heir_;
    }

    /// @notice Pays the caller what it is due by now; again after every later funding.
    /// @param proof of the entitlement; not needed for an entered account
    function claim(uint256 round, address asset, bytes calldata proof) external nonReentrant returns (uint256 amount) {
        return _claim(round, asset, msg.sender, msg.sender, proof);
    }

    /// @notice Pays `c.to`, as `c.account` signed (EIP-712; ECDSA or ERC-1271).
    function claimTo(SignedClaim calldata c, bytes calldata proof, bytes calldata signature)
        external
        nonReentrant
        returns (uint256 amount)
    {
        if (block.timestamp > c.deadline) revert Expired(c.deadline);
        if (c.to == address(0)) revert ZeroAddress();
        uint256 paid = leafOf[c.round][c.asset][c.account].paid;
        if (c.paid != paid) revert Stale(c.paid, paid);
        bytes32 digest =
            Signatures.typedDigest(keccak256("Ripcord EmergencyExit"), keccak256(abi.encode(CLAIM_TYPEHASH, c)));
        Signatures.requireSigner(c.account, digest, signature);
        return _claim(c.round, c.asset, c.account, c.to, proof);
    }

    /// @notice Announces that a holder which can neither call nor sign is paid through a round for its own holders, by its
    /// share supply and balances at the same checkpoint. Council, once claims are open. The notice is the warm period of
    /// that round, from its activation on; a claim by the holder before its end cancels it.
    function openSubRound(uint256 round, address asset, address holder) external returns (uint256 subRound) {
        if (msg.sender != controller.council()) revert NotAuthorized(msg.sender);
        uint256 checkpointId = _warmPool(round, asset).checkpointId;
        Leaf storage l = leafOf[round][asset][holder];
        if (l.holdersRound != 0) revert HolderHasRound(l.holdersRound);
        subRound = ++rounds;
        l.holdersRound = uint40(subRound); // forge-lint: disable-line(unsafe-typecast)
        parentRoundOf[subRound] = round;
        _open(subRound, asset, holder, Kind.HOLDERS, checkpointId);
        emit SubRoundOpened(round, asset, holder, subRound);
    }

    /// @notice Moves what the holder is due into its holders' round. Anyone, once the notice is over; again after every funding.
    function fundSubRound(uint256 subRound, address asset, bytes calldata proof) external nonReentrant {
        address holder = _warmPool(subRound, asset).ledger;
        uint256 parent = parentRoundOf[subRound];
        if (leafOf[parent][asset][holder].holdersRound != subRound) revert NotHoldersRound(subRound);
        uint256 amount = _take(parent, asset, holder, proof);
        emit Claimed(parent, asset, holder, address(this), amount);
        _credit(subRound, asset, amount);
    }

    /// @notice Sends what nobody is owed to the heir. Anyone, two years after the pool became active.
    function sweep(uint256 round, address asset) external nonReentrant {
        uint256 from = _warmPool(round, asset).warmFrom + SWEEP_AFTER;
        if (block.timestamp < from) revert TooEarly(from);
        (,, uint256 surplus) = indexesOf(round, asset);
        if (surplus == 0) revert NothingChanges();
        poolOf[round][asset].funded -= _uint128(surplus);
        emit Swept(round, asset, surplus);
        IToken(asset).send(heir, surplus);
    }

    function _claim(uint256 round, address asset, address account, address to, bytes calldata proof)
        private
        returns (uint256 amount)
    {
        Leaf storage l = leafOf[round][asset][account];
        uint256 subRound = l.holdersRound;
        if (subRound != 0) {
            if (!_warming(poolOf[subRound][asset])) revert HolderHasRound(subRound);
            l.holdersRound = 0;
            emit SubRoundOpened(round, asset, account, 0);
        }
        amount = _take(round, asset, account, proof);
        // A holder that has nothing due yet must still be able to show that it can call.
        if (amount == 0 && subRound == 0) revert NothingChanges();
        emit Claimed(round, asset, account, to, amount);
        IToken(asset).send(to, amount);
    }

    /// @dev Books what an account is due by now as paid.
    function _take(uint256 round, address asset, address account, bytes calldata proof) private returns (uint256 due) {
        Pool memory p = _warmPool(round, asset);
        Leaf storage l = leafOf[round][asset][account];
        due = _due(p, l, asset, account, proof);
        l.paid += _uint128(due);
        poolOf[round][asset].paidOut = _uint128(p.paidOut + due);
    }

    function _due(Pool memory p, Leaf storage l, address asset, address account, bytes calldata proof)
        private
        view
        returns (uint256 due)
    {
        Status status = l.status;
        if (status == Status.REMOVED) revert LeafRemoved(account);
        if (_disputed(status)) revert LeafDisputed(account);
        uint256 refund;
        uint256 share;
        if (status == Status.NONE) (, share,) = _count(p, asset, account, proof, false);
        else (refund, share) = (l.refund, l.share);
        (uint256 indexA, uint256 indexB, uint256 surplus) = _indexes(p);
        due = ExitIndex.payout(refund, indexA) + ExitIndex.payout(share, indexB) - l.paid;
        // Cannot happen while shares sum up to the totals, as a Merkle-sum root guarantees and a ledger's storage may not.
        uint256 left = p.funded - surplus - p.paidOut;
        if (due > left) revert OverAllocated(due, left);
    }

    function _warmPool(uint256 round, address asset) private view returns (Pool memory p) {
        p = _activePool(round, asset);
        if (_warming(p)) revert RoundWarming(p.warmFrom + WARM);
    }
}
