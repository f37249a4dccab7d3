// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Mode} from "../Types.sol";
import {Scopes} from "./Scopes.sol";
import {Signatures} from "./Signatures.sol";

/// @notice Tells since when an L2's sequencer runs; the shape of the uptime feeds in use (answer 0 = up).
interface ISequencerFeed {
    function latestRoundData() external view returns (uint80, int256 answer, uint256 startedAt, uint256, uint80);
}

/// @notice Guardian groups of a scope, their signers and their heartbeats. A group's index is its rank: 0 is the primary, the
/// next one its backup.
/// @dev Problem: guardians die, lose keys and are robbed, and whoever can remove them can disarm the system.
/// Guarantee: a seat acts only after its signer has shown its key by a first heartbeat, and not after 14 days of silence; nothing
/// but the council brings it back. A group of higher index acts exactly while no group before it is alive (as many signers as
/// its threshold heard in 3 days): there is no promotion to be sent, hence no gap without cover. One key can withdraw its
/// own signature and leave its own seat, and no seat can be left if that leaves the scope without a working group.
/// Trust: the council for who sits where. Failure modes: a signer that only pretends to watch can beat.
abstract contract Seats is Scopes {
    /// @param group index of the group plus one; 0 for a stranger
    /// @param threshold signatures that the group needs
    /// @param maxMode tightest mode that the group may ask for
    /// @param maxDuration longest restriction in seconds that it may ask for
    /// @param lastBeat second of the last heartbeat; 0 before the first
    /// @param lastBeatBlock block whose hash it carried
    struct Seat {
        uint8 group;
        uint8 threshold;
        Mode maxMode;
        uint40 maxDuration;
        uint40 lastBeat;
        uint40 lastBeatBlock;
    }

    event GroupSet(
        bytes32 indexed scope, uint8 group, uint8 threshold, Mode maxMode, uint40 maxDuration, address[] signers
    );
    event GroupPromoted(bytes32 indexed scope, uint8 group);
    event Heartbeat(bytes32 indexed scope, address indexed signer, uint256 blockNumber);
    event SignatureWithdrawn(address indexed signer, bytes32 indexed digest);
    event SeatLeft(bytes32 indexed scope, uint8 group, address indexed signer);

    error GroupOutOfBounds();
    error UnsortedSigners(address signer);
    error SeatTaken(address signer);
    error SeatLapsed(address signer, uint40 lastBeat);
    error ThresholdNotMet(uint256 signatures, uint256 threshold);
    error PrimaryAlive(uint8 group);
    error LastGroup(bytes32 scope, uint8 group);
    error StaleHeartbeat(uint256 blockNumber);
    error WithdrawnSignature(address signer);

    uint256 internal constant MAX_GROUPS = 4;
    uint256 private constant MAX_SIGNERS = 16;
    uint40 private constant ALIVE_SPAN = 3 days;
    uint40 internal constant LAPSE_SPAN = 14 days;
    uint40 internal constant MAX_TRIP = 24 hours;
    uint40 private constant MAX_HALT = 72 hours;
    uint40 private constant SEQUENCER_GRACE = 24 hours;

    bytes32 internal constant NAME_HASH = keccak256("FailSafeController");
    bytes32 private constant HEARTBEAT_TYPEHASH =
        keccak256("Heartbeat(bytes32 scope,address signer,uint256 blockNumber,bytes32 blockHash)");

    /// @notice Uptime feed of the chain's sequencer; zero on a chain without one.
    ISequencerFeed public immutable sequencer;

    mapping(bytes32 scope => mapping(address signer => Seat)) public seatOf;
    mapping(bytes32 scope => address[][]) public signers;
    mapping(address signer => mapping(bytes32 digest => bool)) public withdrawn;

    constructor(ISequencerFeed sequencer_) {
        sequencer = sequencer_;
    }

    /// @notice Seats a group anew, in the place of the one at `group` or after the last; no signers disarm it. Every seat starts
    /// without a heartbeat, whoever sat there before. `next` strictly rising. Council.
    function setGroup(
        bytes32 scope,
        uint8 group,
        uint8 threshold,
        Mode maxMode,
        uint40 maxDuration,
        address[] calldata next
    ) external onlyCouncil {
        _load(scope);
        address[][] storage groups = signers[scope];
        if (group == groups.length) groups.push();
        if (
            group >= groups.length || group >= MAX_GROUPS || next.length > MAX_SIGNERS || threshold == 0
                || (threshold > next.length && next.length != 0) || maxMode == Mode.NORMAL || maxMode > Mode.HALTED
                || maxDuration == 0 || maxDuration > (maxMode == Mode.HALTED ? MAX_HALT : MAX_TRIP)
        ) revert GroupOutOfBounds();
        address[] storage seated = groups[group];
        for (uint256 i = seated.length; i != 0; --i) {
            delete seatOf[scope][seated[i - 1]];
            seated.pop();
        }
        address last;
        for (uint256 i; i < next.length; ++i) {
            if (next[i] <= last) revert UnsortedSigners(next[i]);
            last = next[i];
            if (seatOf[scope][last].group != 0) revert SeatTaken(last);
            seatOf[scope][last] = Seat(group + 1, threshold, maxMode, maxDuration, 0, 0);
            seated.push(last);
        }
        emit GroupSet(scope, group, threshold, maxMode, maxDuration, next);
    }

    // ---------------------------------------------------------------- signers, for themselves

    /// @notice Shows that the caller holds its key and follows this chain: `blockHash` is that of one of the last 256 blocks, later
    /// than in the heartbeat before.
    function heartbeat(bytes32 scope, uint256 blockNumber, bytes32 blockHash) external {
        _beat(scope, msg.sender, blockNumber, blockHash);
    }

    /// @notice The same by any relayer.
    function heartbeatBySig(
        bytes32 scope,
        address signer,
        uint256 blockNumber,
        bytes32 blockHash,
        bytes calldata signature
    ) external {
        bytes32 message = keccak256(abi.encode(HEARTBEAT_TYPEHASH, scope, signer, blockNumber, blockHash));
        Signatures.requireSigner(signer, Signatures.typedDigest(NAME_HASH, message), signature);
        _beat(scope, signer, blockNumber, blockHash);
    }

    /// @notice Takes the caller's own signature of `digest` back, wherever it is.
    function withdrawSignature(bytes32 digest) external {
        if (withdrawn[msg.sender][digest]) revert WithdrawnSignature(msg.sender);
        withdrawn[msg.sender][digest] = true;
        emit SignatureWithdrawn(msg.sender, digest);
    }

    /// @notice Gives the caller's own seat up. If too few are left, the next group has the rights from this moment on.
    function leaveSeat(bytes32 scope, uint8 group) external {
        if (seatOf[scope][msg.sender].group != group + 1) revert NotAuthorized(msg.sender);
        delete seatOf[scope][msg.sender];
        address[] storage seated = signers[scope][group];
        uint256 i;
        while (seated[i] != msg.sender) ++i;
        seated[i] = seated[seated.length - 1];
        seated.pop();
        emit SeatLeft(scope, group, msg.sender);
        if (_works(scope, group, LAPSE_SPAN)) return;
        for (uint8 other; other < signers[scope].length; ++other) {
            if (other == group || !alive(scope, other)) continue;
            emit GroupPromoted(scope, other);
            return;
        }
        revert LastGroup(scope, group);
    }

    /// @notice Whether as many signers as the threshold asks for were heard in the last 3 days.
    function alive(bytes32 scope, uint8 group) public view returns (bool) {
        return _works(scope, group, ALIVE_SPAN);
    }

    /// @notice Whether nobody of any group on the path of `scope` was heard for 14 days.
    function allSilent(bytes32 scope) public view returns (bool) {
        for (; scope != 0; scope = parentOf[scope]) {
            for (uint8 group; group < signers[scope].length; ++group) {
                (uint256 heard,) = _heard(scope, group, LAPSE_SPAN);
                if (heard != 0) return false;
            }
        }
        return true;
    }

    /// @notice Whether more than `span` has passed since `since`. On an L2 the time starts again 24 hours after an outage of the
    /// sequencer, because nobody could be heard in it.
    function lapsed(uint256 since, uint256 span) public view returns (bool) {
        if (block.timestamp <= since + span) return false;
        if (since == 0 || address(sequencer) == address(0)) return true;
        try sequencer.latestRoundData() returns (uint80, int256 answer, uint256 startedAt, uint256, uint80) {
            return answer == 0 && block.timestamp > startedAt + SEQUENCER_GRACE + span;
        } catch {
            return true;
        }
    }

    // ---------------------------------------------------------------- for the controller

    /// @dev The seat of a signer that may act: enrolled, heard once at least, not lapsed.
    function _workingSeat(bytes32 scope, address signer) internal view returns (Seat memory seat) {
        seat = seatOf[scope][signer];
        if (seat.group == 0) revert NotAuthorized(signer);
        if (lapsed(seat.lastBeat, LAPSE_SPAN)) revert SeatLapsed(signer, seat.lastBeat);
    }

    /// @dev Checks the signatures of one group over `digest` and returns one of its seats.
    function _quorum(bytes32 scope, bytes32 digest, bytes[] calldata signatures)
        internal
        view
        returns (Seat memory seat)
    {
        address last;
        for (uint256 i; i < signatures.length; ++i) {
            address signer = Signatures.signerOf(digest, signatures[i]);
            if (signer <= last) revert UnsortedSigners(signer);
            if (withdrawn[signer][digest]) revert WithdrawnSignature(signer);
            Seat memory next = _workingSeat(scope, signer);
            if (i != 0 && next.group != seat.group) revert NotAuthorized(signer);
            (last, seat) = (signer, next);
        }
        if (signatures.length == 0 || signatures.length < seat.threshold) {
            revert ThresholdNotMet(signatures.length, seat.threshold);
        }
    }

    /// @dev A backup acts only while every group before it is dead, silent or suspended.
    function _requireTurn(bytes32 scope, uint8 group) internal view {
        for (uint8 other; other < group; ++other) {
            if (alive(scope, other)) revert PrimaryAlive(other);
        }
    }

    // ---------------------------------------------------------------- inside

    function _works(bytes32 scope, uint8 group, uint40 span) private view returns (bool) {
        (uint256 heard, uint256 threshold) = _heard(scope, group, span);
        return heard != 0 && heard >= threshold;
    }

    function _heard(bytes32 scope, uint8 group, uint40 span) private view returns (uint256 heard, uint256 threshold) {
        address[] storage seated = signers[scope][group];
        for (uint256 i; i < seated.length; ++i) {
            Seat storage seat = seatOf[scope][seated[i]];
            threshold = seat.threshold;
            if (!lapsed(seat.lastBeat, span)) ++heard;
        }
    }

    function _beat(bytes32 scope, address signer, uint256 blockNumber, bytes32 blockHash) private {
        Seat storage seat = seatOf[scope][signer];
        if (seat.group == 0) revert NotAuthorized(signer);
        if (seat.lastBeat != 0 && lapsed(seat.lastBeat, LAPSE_SPAN)) revert SeatLapsed(signer, seat.lastBeat);
        if (blockHash == 0 || blockhash(blockNumber) != blockHash || blockNumber <= seat.lastBeatBlock) {
            revert StaleHeartbeat(blockNumber);
        }
        (seat.lastBeat, seat.lastBeatBlock) = (uint40(block.timestamp), uint40(blockNumber));
        emit Heartbeat(scope, signer, blockNumber);
    }
}
