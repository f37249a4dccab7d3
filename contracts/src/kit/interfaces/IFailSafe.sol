// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Restriction} from "../Types.sol";

/// @notice What a controller and everyone else can ask of a guarded contract.
interface IFailSafe {
    /// @notice What {failsafeArm} left in force, as {failsafeWord} answers it: mode, stage, closed classes, ends, grace, factor, payer.
    event Armed(uint256 word, uint32 indexed episodeId, bytes32 reason);
    event Clamped(uint40 asked, uint40 granted);
    event InsolventSet(bool insolvent);
    event HoldSet(uint32 mask);
    event GapWaived();
    event Surrendered(address indexed asset, uint256 amount);
    event Recalled(address indexed strategy, address indexed asset, uint256 amount);

    error ActionClosed(uint8 class_, uint40 reopensAt);
    error ClassNeverRestricted(uint32 mask);
    error BudgetExhausted(uint40 asked);
    error NotController(address caller);
    error NotInExit();
    error AssetNotListed(address asset);
    error StrategyNotListed(address strategy);
    error ExitIsTerminal();
    error ModeNotAllowed(uint8 mode, uint8 origin);
    error MaskOutOfBounds(uint32 mask, uint32 allowed);
    error NothingChanges();
    error NotLive();
    error GapNotOver(uint40 until);
    error StageNotOver(uint40 until);
    error EpisodeCapReached(uint40 cap);
    error TooEarly(uint40 from);

    /// @notice Joins `r` into what is in force. Controller only. For GUARDIAN, SENSOR and VOUCHER every component is joined to
    /// the tighter side (mask OR, until max, factor min, mode max) and the time is clamped to the contract's own budget.
    /// For COUNCIL: the mode in force prolongs it up to day 21 of the episode; RECOVERING with stage 0 or 1 releases a live
    /// restriction; RECOVERING with a later stage, and NORMAL, need the dwell floors of all stages before; NORMAL also ends a
    /// WATCH. What this opens, opens in the next second. EXIT is terminal for everybody.
    /// @return word what is in force now, as {failsafeWord} answers it: the controller's check of a push
    function failsafeArm(Restriction calldata r, bytes32 reason) external returns (uint256 word);

    /// @notice Sets or clears the insolvency bit, which holds S0. Controller only.
    function failsafeInsolvent(bool insolvent) external;

    /// @notice Keeps `mask`, a subset of {Classes-HOLDABLE}, closed beyond the episode, which must be recovering and 21 days old;
    /// in NORMAL, a smaller mask lifts the rest. Controller only.
    function failsafeHold(uint32 mask) external;

    /// @notice Lets a guardian halt again before the gap after the last guardian-only halt is over. Controller only.
    function failsafeWaiveGap() external;

    /// @notice Writes down what time has changed already, so that a healthy contract is cheap again. Anyone.
    function failsafeSettle() external;

    /// @notice Stored words and what they mean now.
    function failsafeState() external view returns (Restriction memory stored, Restriction memory effective);

    /// @notice The restriction in force, packed as in {FailSafeWord}: one cold slot, for the controller's check of who refused a push.
    function failsafeWord() external view returns (uint256 word);

    /// @notice Whether payouts in S1 to S3 are bounded by what an account was owed before the incident.
    function failsafeHasEntitlements() external view returns (bool);

    /// @notice Seconds of HALTED plus S0 that refill in 90 days; in any 90 days at most twice as many pass.
    function failsafeHaltBudget() external view returns (uint40);

    /// @notice Whether a class is open now.
    function failsafeOpen(uint8 class_) external view returns (bool);

    /// @notice Seconds spent HALTED or in S0 since deployment: an exact union, never falling.
    function frozenSeconds() external view returns (uint256);

    /// @notice Sends the free balance of a listed asset to the exit round. Anyone, only in EXIT.
    function failsafeSurrender(address asset) external returns (uint256 sent);

    /// @notice Takes a listed strategy's assets back. Anyone, only in EXIT.
    function failsafeRecall(address strategy) external returns (uint256 got);
}

/// @notice Measured flows of an account since deployment; they stand still in EXIT.
/// @dev A checkpoint keeps the counters of its block; the difference is the net flow since then.
interface IFlowCounters {
    struct Flow {
        uint128 deposited;
        uint128 withdrawn;
        uint128 movedOut;
    }

    /// @notice Deposits (measured balance change), withdrawals and transfers out of `account` in `asset`.
    function flowOf(address account, address asset) external view returns (Flow memory);

    /// @notice Units of claims on `asset` that `from` moved to `to`.
    function movedBetween(address from, address to, address asset) external view returns (uint256);
}
