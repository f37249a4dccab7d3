// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @notice State of one guarded contract, from open to closed for ever. Order of strictness:
/// NORMAL < WATCH < RECOVERING (a later stage is looser) < RESTRICTED < HALTED < EXIT.
enum Mode {
    NORMAL,
    WATCH,
    RESTRICTED,
    HALTED,
    EXIT,
    RECOVERING
}

/// @notice Who asks for a restriction. GUARDIAN, SENSOR and VOUCHER can only tighten, and pay from the target's own budget.
enum Origin {
    GUARDIAN,
    COUNCIL,
    SENSOR,
    VOUCHER
}

/// @notice What opened EXIT. COUNCIL needs the supermajority; the others are for anyone who can show their condition.
enum ExitCause {
    COUNCIL,
    INSOLVENT,
    SILENCE,
    UNSERVED
}

/// @notice A restriction as asked for, stored or in force.
/// @param mask closed action classes, bit n = class n
/// @param until second at which it ends by itself; while RECOVERING, the second before which the stage cannot end;
/// type(uint40).max for EXIT, 0 for NORMAL
/// @param graceUntil LIQUIDATE stays closed until this second
/// @param mode state
/// @param factorBps limiter capacity in force, in 1/10_000 of the configured one
/// @param stage 0..4 while RECOVERING, else 0
/// @param origin who asked
/// @param episodeId number of the episode that it opens or joins; known to the controller only, 0 in a target's answer
struct Restriction {
    uint32 mask;
    uint40 until;
    uint40 graceUntil;
    Mode mode;
    uint16 factorBps;
    uint8 stage;
    Origin origin;
    uint32 episodeId;
}

/// @notice What a guardian signs to tighten a scope (EIP-712, and the argument of {IFailSafeController-tripBySig}).
/// @param scope scope to tighten, with every target below it
/// @param mode WATCH, RESTRICTED or HALTED
/// @param mask classes to close: a subset of what the mode closes
/// @param duration seconds from the block in which it lands
/// @param notAfter the restriction ends here at the latest, whenever it lands
/// @param reason short code of the cause, for people and indexers
/// @param evidence hash of the journal entry that explains it
/// @param stepHash hash of the playbook step: part of the action key
/// @param keyEpisode episode that it opens or joins, as seen when signing
/// @param tripCount guardian trips landed in that episode, as seen when signing
/// @param incidentBlock block of the first malicious transaction, at most 24 h back; 0 for "the block in which it lands"
/// @param epoch council releases, as seen when signing: a release makes an unused intent stale
/// @param deadline second after which the intent is void; at most 7 days ahead
struct TripIntent {
    bytes32 scope;
    Mode mode;
    uint32 mask;
    uint40 duration;
    uint40 notAfter;
    bytes32 reason;
    bytes32 evidence;
    bytes32 stepHash;
    uint32 keyEpisode;
    uint16 tripCount;
    uint40 incidentBlock;
    uint32 epoch;
    uint40 deadline;
}
