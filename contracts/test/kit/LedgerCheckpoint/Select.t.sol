// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CommittedState} from "../../../src/kit/exit/CommittedState.sol";
import {LedgerCheckpoint} from "../../../src/kit/exit/LedgerCheckpoint.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {CheckpointWorld} from "./CheckpointWorld.sol";

/// @notice Which entry counts for an episode: one and the same, whatever anybody commits.
contract SelectTest is CheckpointWorld {
    uint256 private constant NONE = type(uint256).max;
    bytes32 private constant ROOT = keccak256("state");

    function _trip(uint256 back) private {
        controller.setEpisode(SCOPE, uint40(block.timestamp), uint40(block.number), uint40(block.number - back));
    }

    /// @dev Commits the newest block every `blocks` blocks, up to `until`.
    function _commitUntil(uint256 until, uint256 blocks) private {
        for (uint256 number = block.number + 1; number <= until; number += blocks) {
            _mineTo(number);
            _commit(number - 1, ROOT);
        }
        _mineTo(until);
    }

    /// @dev The rule, said plainly over all entries.
    function _expected(uint256 tripBlock, uint256 incidentBlock, uint256 tripTime, uint256 margin)
        private
        view
        returns (uint256 id)
    {
        uint256 time = tripTime;
        if (incidentBlock < tripBlock) {
            time = 0;
            for (uint256 i; i < checkpoint.entries(); ++i) {
                ILedgerCheckpoint.Entry memory e = checkpoint.entryOf(i);
                if (e.committedBlock < tripBlock && e.blockNumber <= incidentBlock) time = e.blockTime;
            }
        }
        id = NONE;
        for (uint256 i; i < checkpoint.entries(); ++i) {
            ILedgerCheckpoint.Entry memory e = checkpoint.entryOf(i);
            if (e.committedBlock < tripBlock && e.blockTime + margin <= time) id = i;
        }
    }

    function _accepts(uint256 id) private view returns (bool) {
        try checkpoint.select(SCOPE, id) returns (ILedgerCheckpoint.Entry memory entry) {
            if (id == NONE) eq(entry.blockNumber, 0, "no entry");
            else eq(entry.blockNumber, checkpoint.entryOf(id).blockNumber, "the entry asked for");
            return true;
        } catch {
            return false;
        }
    }

    function _onlySelectable(uint256 id) private view {
        yes(_accepts(id), "the selected entry");
        yes(id == NONE || !_accepts(NONE), "nobody can pass over what exists");
        for (uint256 i; i < checkpoint.entries(); ++i) {
            if (i != id) yes(!_accepts(i), "another entry");
        }
    }

    function test_TheNewestEntryOldEnoughCounts() public {
        _commitUntil(26_000, 300);
        _trip(0);
        // 6 h are 1 800 blocks: the last block of the grid that is as old as that.
        uint256 id = 14;
        eq(checkpoint.entryOf(id).blockNumber, 24_200, "block of the entry");
        _onlySelectable(id);
        vm.expectRevert(abi.encodeWithSelector(LedgerCheckpoint.TooYoung.selector, _timeOf(24_500), _timeOf(26_000)));
        checkpoint.select(SCOPE, id + 1);
        vm.expectRevert(abi.encodeWithSelector(LedgerCheckpoint.NotNewest.selector, id - 1));
        checkpoint.select(SCOPE, id - 1);
        vm.expectRevert(abi.encodeWithSelector(LedgerCheckpoint.NotNewest.selector, NONE));
        checkpoint.select(SCOPE, NONE);
        uint256 entries = checkpoint.entries();
        vm.expectRevert(abi.encodeWithSelector(CommittedState.UnknownEntry.selector, entries));
        checkpoint.select(SCOPE, entries);
    }

    function test_TheMarginIsExact() public {
        _mineTo(20_001);
        _commit(20_000, ROOT);
        _mineTo(21_799);
        _trip(0);
        vm.expectRevert(abi.encodeWithSelector(LedgerCheckpoint.TooYoung.selector, _timeOf(20_000), _timeOf(21_799)));
        checkpoint.select(SCOPE, 0);
        yes(_accepts(NONE), "nothing qualifies yet");
        _mineTo(21_800);
        _trip(0);
        _onlySelectable(0);
    }

    function test_WithoutEpisodeNothingIsSelected() public {
        _commitUntil(26_000, 300);
        vm.expectRevert(abi.encodeWithSelector(LedgerCheckpoint.NoEpisode.selector, SCOPE));
        checkpoint.select(SCOPE, 0);
        vm.expectRevert(abi.encodeWithSelector(LedgerCheckpoint.NoEpisode.selector, SCOPE));
        checkpoint.select(SCOPE, NONE);
    }

    function test_WithoutEntriesNothingQualifies() public {
        _trip(0);
        yes(_accepts(NONE), "no entries");
        vm.expectRevert(abi.encodeWithSelector(CommittedState.UnknownEntry.selector, 0));
        checkpoint.select(SCOPE, 0);
    }

    /// @notice Design review: attack at N-5, trip at N, and a commit of N-1 right before or after the trip.
    function test_Regress_Review_PoisonedCheckpoint() public {
        _commitUntil(25_999, 300);
        uint256 honest = 14; // block 24 200
        bytes32 poisoned = keccak256("minted shares");

        // In time, but of a block that is younger than the margin.
        _mineTo(26_001);
        uint256 id = _commit(26_000, poisoned);
        _mineTo(26_005);
        _trip(0);
        _onlySelectable(honest);
        // In the block of the trip, before or after it.
        _mineTo(26_301);
        id = _commit(26_300, poisoned);
        _trip(0);
        vm.expectRevert(abi.encodeWithSelector(LedgerCheckpoint.CommittedTooLate.selector, 26_301, 26_301));
        checkpoint.select(SCOPE, id);
        honest = _expected(26_301, 26_301, _timeOf(26_301), 6 hours);
        _onlySelectable(honest);

        // After it, and hourly for 30 days.
        for (uint256 hour = 1; hour <= 720; ++hour) {
            _mineTo(26_301 + 300 * hour);
            _commit(block.number - 1, poisoned);
        }
        eq(checkpoint.entries(), id + 721, "entries after 30 days of commits");
        yes(_accepts(honest), "the honest entry is still there");
        for (uint256 i = honest + 1; i < checkpoint.entries(); i += 37) {
            yes(!_accepts(i), "a later entry");
        }
        eq(uint256(checkpoint.entryOf(honest).stateRoot), uint256(ROOT), "and holds the honest state");
    }

    /// @dev The block may be old enough: what counts is when anybody saw to it.
    function test_AnOldBlockCommittedInTheBlockOfTheTripIsTooLate() public {
        _mineTo(20_001);
        _commit(20_000, ROOT);
        _mineTo(26_000);
        _trip(0);
        _commit(22_000, ROOT);
        _onlySelectable(0);
        _mineTo(26_001);
        _trip(0);
        _onlySelectable(1);
    }

    /// @dev The attack may be hours older than the trip. Then shares minted by it are in entries that were committed in time.
    function test_AnEarlierIncidentBlockMovesTheSelectionBack() public {
        _commitUntil(30_000, 300);
        _trip(0);
        eq(_expected(30_000, 30_000, _timeOf(30_000), 6 hours), 27, "by the trip");
        _onlySelectable(27);
        // 10 h earlier. Known of its time is only that the entry of block 26 900 is not after it.
        _trip(3_000);
        _onlySelectable(17);
        eq(checkpoint.entryOf(17).blockNumber, 25_100, "6 h before the newest entry before the incident");
        vm.expectRevert(abi.encodeWithSelector(LedgerCheckpoint.TooYoung.selector, _timeOf(25_400), _timeOf(26_900)));
        checkpoint.select(SCOPE, 18);
        // The incident block itself was committed: then its time is known.
        _trip(3_100);
        _onlySelectable(17);
        _trip(3_101);
        _onlySelectable(16);
        vm.expectRevert(abi.encodeWithSelector(CommittedState.UnknownEntry.selector, NONE - 1));
        checkpoint.select(SCOPE, NONE - 1);
    }

    /// @dev A second that nobody measured is no second: an incident before the first entry selects nothing.
    function test_AnIncidentBeforeAllEntriesSelectsNothing() public {
        _commitUntil(30_000, 300);
        _trip(10_001);
        _onlySelectable(NONE);
    }

    /// @dev Entries of blocks before the incident that are committed after the trip would move the measured time.
    function test_NoCommitMovesTheSelectionAfterTheTrip() public {
        _mineTo(20_001);
        _commit(20_000, ROOT);
        _mineTo(22_001);
        _commit(22_000, ROOT);
        _mineTo(26_000);
        _trip(1_000);
        uint256 before = _expected(26_000, 25_000, _timeOf(26_000), 6 hours);
        _onlySelectable(before);
        _mineTo(26_001);
        _commit(24_000, ROOT);
        _commit(24_900, ROOT);
        _onlySelectable(before);
    }

    function test_EachScopeHasItsOwnEpisode() public {
        _commitUntil(26_000, 300);
        _trip(0);
        vm.expectRevert(abi.encodeWithSelector(LedgerCheckpoint.NoEpisode.selector, bytes32("other")));
        checkpoint.select("other", 14);
    }

    function test_GenesisTimestamps() public {
        (genesis, blockSeconds) = (0, 1);
        checkpoint = _deploy(_ledgers(), 6 hours, BOND, 24 hours);
        _mineTo(1);
        _commit(0, ROOT);
        _mineTo(2);
        _trip(0);
        _onlySelectable(NONE);
        _mineTo(21_600);
        _trip(0);
        _onlySelectable(0);
    }

    /// @dev Any order of commits and any trip: exactly one answer is right, and it is the plain rule's. Fast and slow chains, late
    /// commits, gaps, incident blocks up to a week back, margins up to 7 days.
    function testFuzz_OneAnswer(uint256 seed) public {
        uint256[4] memory speeds = [uint256(12), 2, 1, 60];
        uint40[3] memory margins = [uint40(6 hours), 7 hours + 30 minutes, 2 days];
        (blockSeconds, genesis) = (speeds[seed % 4], (seed >> 2) % 3 == 0 ? 0 : 1_700_000_000);
        uint40 margin = margins[(seed >> 8) % 3];
        checkpoint = _deploy(_ledgers(), margin, BOND, 24 hours);
        uint256 number = 300;
        uint256 tripBlock;
        uint256 incidentBlock;
        uint256 entries;
        bytes32 known;
        for (uint256 i; i < 40; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            number += 1 + (random % 4 hours) / blockSeconds;
            _mineTo(number);
            if (i == 15 + seed % 20) {
                tripBlock = number;
                uint256 back = (random >> 32) % 3 == 0 ? 0 : (random >> 40) % (2 days / blockSeconds);
                incidentBlock = back > number ? 0 : number - back;
                controller.setEpisode(SCOPE, uint40(block.timestamp), uint40(number), uint40(incidentBlock));
                known = _digest(checkpoint.entries());
                entries = checkpoint.entries();
            }
            try this.commitBlock(number - 1 - (random >> 64) % 250) {} catch {}
        }
        _onlySelectable(_expected(tripBlock, incidentBlock, _timeOf(tripBlock), margin));
        yes(known == _digest(entries), "no later commit touches an entry");
    }

    function _digest(uint256 count) private view returns (bytes32 digest) {
        for (uint256 i; i < count; ++i) {
            digest = keccak256(abi.encode(digest, checkpoint.entryOf(i)));
        }
    }

    function commitBlock(uint256 number) external {
        _commit(number, ROOT);
    }
}
