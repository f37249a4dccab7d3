// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IToken, SafeToken} from "../SafeToken.sol";
import {Rounds} from "./Rounds.sol";

/// @notice Who may take a share out of a pool, and how long they have.
/// @dev Problem: a checkpoint can be wrong about an account, and a council that may strike shares may confiscate them.
/// Guarantee: only a share that somebody disputed in the warm period, with a bond, can be rejected; it is not paid meanwhile. A
/// rejection waits 7 days for a contest, which moves the matter to an appeal body that is not the council. Silence of
/// whoever has to decide pays: an entitlement is older than the incident and is never the attack's proceeds. Every bond ends with
/// somebody: the flagger's with the claimant if the share stands, a contestant's with the flagger if it does not.
/// Trust: the council chooses who is heard, the appeal body who loses; neither can pay anybody. The bond token must not keep
/// a fee.
/// Failure modes: nobody contests within 7 days: the rejection stands. Anyone may contest for an account that cannot.
abstract contract Disputes is Rounds {
    using SafeToken for IToken;

    event Disputed(
        uint256 indexed round, address indexed asset, address indexed account, address flagger, bytes32 evidence
    );
    event Resolved(uint256 indexed round, address indexed asset, address indexed account, Status status);
    event Contested(uint256 indexed round, address indexed asset, address indexed account, address contestant);

    error NoEvidence();
    error NotFlagged(address account, Status status);
    error TooEarly(uint256 from);
    error WrongBond(uint256 received, uint256 wanted);

    /// @notice The council decides until this long after the warm period began.
    uint40 public constant RESOLVE_WITHIN = 30 days;
    uint40 public constant CONTEST_WITHIN = 7 days;
    uint40 public constant APPEAL_WITHIN = 14 days;

    IToken public immutable bondToken;
    uint256 public immutable bond;

    /// @notice Decides contested rejections; zero for none, whose silence pays.
    address public immutable appealBody;

    constructor(IToken bondToken_, uint256 bond_, address appealBody_) {
        if (address(bondToken_) == address(0)) revert ZeroAddress();
        if (bond_ == 0) revert WrongBond(0, 1);
        if (appealBody_ == controller.council()) revert NotAuthorized(appealBody_);
        (bondToken, bond, appealBody) = (bondToken_, bond_, appealBody_);
    }

    /// @notice Disputes the share of an entered account. Anyone, in the warm period, against a bond.
    /// @param evidence hash of what shows that the share is wrong
    function dispute(uint256 round, address asset, address account, bytes32 evidence) external nonReentrant {
        Pool memory p = _activePool(round, asset);
        Leaf storage l = leafOf[round][asset][account];
        if (!_warming(p)) revert WindowClosed();
        if (evidence == 0) revert NoEvidence();
        if (l.status != Status.ENTERED) revert NotFlagged(account, l.status);
        (l.status, l.deadline, l.flagger) = (Status.DISPUTED, p.warmFrom + RESOLVE_WITHIN, msg.sender);
        _takeBond();
        emit Disputed(round, asset, account, msg.sender, evidence);
    }

    /// @notice Decides: the council on a disputed share, the appeal body on a contested rejection.
    function resolve(uint256 round, address asset, address account, bool valid) external {
        Leaf storage l = leafOf[round][asset][account];
        if (l.status != Status.DISPUTED && l.status != Status.CONTESTED) revert NotFlagged(account, l.status);
        address judge = l.status == Status.DISPUTED ? controller.council() : appealBody;
        if (msg.sender != judge) revert NotAuthorized(msg.sender);
        if (block.timestamp >= l.deadline) revert WindowClosed();
        if (!valid && l.status == Status.DISPUTED) {
            (l.status, l.deadline) = (Status.REJECTED, uint40(block.timestamp) + CONTEST_WITHIN);
            emit Resolved(round, asset, account, Status.REJECTED);
        } else {
            _end(round, asset, account, valid);
        }
    }

    /// @notice Moves a rejection to the appeal body. Anyone, against a bond: some holders cannot call.
    function contest(uint256 round, address asset, address account) external nonReentrant {
        Leaf storage l = leafOf[round][asset][account];
        if (l.status != Status.REJECTED) revert NotFlagged(account, l.status);
        if (block.timestamp >= l.deadline) revert WindowClosed();
        (l.status, l.deadline, l.contestant) = (Status.CONTESTED, uint40(block.timestamp) + APPEAL_WITHIN, msg.sender);
        _takeBond();
        emit Contested(round, asset, account, msg.sender);
    }

    /// @notice Ends a dispute whose time is over: an uncontested rejection stands, whatever else nobody decided is payable. Anyone.
    function settleDispute(uint256 round, address asset, address account) external {
        Leaf storage l = leafOf[round][asset][account];
        if (!_disputed(l.status)) revert NotFlagged(account, l.status);
        if (block.timestamp < l.deadline) revert TooEarly(l.deadline);
        _end(round, asset, account, l.status != Status.REJECTED);
    }

    function _disputed(Status status) internal pure returns (bool) {
        return status == Status.DISPUTED || status == Status.REJECTED || status == Status.CONTESTED;
    }

    function _end(uint256 round, address asset, address account, bool valid) private {
        Leaf storage l = leafOf[round][asset][account];
        if (valid) {
            l.status = Status.CLEARED;
            creditOf[address(bondToken)][account] += bond;
            if (l.contestant != address(0)) creditOf[address(bondToken)][l.contestant] += bond;
        } else {
            l.status = Status.REMOVED;
            Pool storage p = poolOf[round][asset];
            p.totalA -= l.refund;
            p.totalB -= l.share;
            creditOf[address(bondToken)][l.flagger] += l.contestant == address(0) ? bond : 2 * bond;
        }
        emit Resolved(round, asset, account, l.status);
    }

    function _takeBond() private {
        uint256 received = bondToken.pull(msg.sender, bond);
        if (received != bond) revert WrongBond(received, bond);
    }
}
