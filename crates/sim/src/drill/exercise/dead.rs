//! The guardian dies: its backup has the rights without a transaction, and when that is gone too, time and anyone end the halt.

use super::super::DrillError;
use super::super::protocol::{OWNER, THIEF, call};
use super::savings::{DAY, EACH, FEE_BPS, HOUR, RECOVERING, World, tokens, whole, withdrawCall};
use super::{Exercise, Figure, Unit};
use alloy_primitives::U256;
use ripcord_core::trip::TripMode;

/// Silence after which a backup may act.
const SILENCE: u64 = 3 * DAY;
/// How long the backup halts.
const HALT: u64 = 24 * HOUR;
/// S0 after a halt.
const S0: u64 = 6 * HOUR;
/// A seat that was silent for so long is lost.
const LAPSE: u64 = 14 * DAY;

pub(super) fn play(seed: u64) -> Result<Exercise, DrillError> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut world = World::deploy()?;
    let (primary, backup) = (world.primary.clone(), world.backup.clone());
    let beat = world.kit.heartbeat(&world.devnet, primary.address());
    world.try_tx(beat)?;
    let silent_since = world.now();
    world.say("guardian", "sends its last heartbeat, and dies");
    // The backup lives, and shows it.
    world.pass(2 * DAY + rng.u64(..20 * HOUR))?;
    let beat = world.kit.heartbeat(&world.devnet, backup.address());
    world.try_tx(beat)?;
    let early = world.trip(&backup, TripMode::Halted, HALT, "fire")?;
    let too_early = u64::from(world.would(early));
    let covered = first_turn(&mut world, silent_since)?;
    world.say(
        "backup",
        format!("has the rights {} h after the last heartbeat; nobody had to send anything", covered / HOUR),
    );

    let trip = world.trip(&backup, TripMode::Halted, HALT, "fire")?;
    if !world.try_tx(trip)? {
        return Err(DrillError::Refused("the backup's trip".to_owned()));
    }
    let halted_at = world.now();
    world.say(
        "backup",
        format!("halts the account for {} h, and dies as well; the council does nothing, either", HALT / HOUR),
    );
    while world.state()?.mode != RECOVERING || world.state()?.stage == 0 {
        world.pass(600)?;
    }
    let locked = world.now() - halted_at;
    world.say("time", format!("opens S1 {} h after the halt, without a transaction: people may leave", locked / HOUR));
    let mut unpaid = 0;
    for saver in World::savers().chain([THIEF]) {
        let tx = call(saver, world.vault, withdrawCall { amount: tokens(EACH) });
        world.try_tx(tx)?;
        unpaid += u64::from(world.purse(saver)? < tokens(EACH) * U256::from(10_000 - FEE_BPS) / U256::from(10_000));
    }
    let left = whole(world.purse(world.vault)?);
    world.say("savers", "all withdraw what they paid in, less the exit fee");
    world.recover()?;
    let normal = world.now() - halted_at;

    world.pass((silent_since + LAPSE + 1).saturating_sub(world.now()))?;
    let late = world.trip(&primary, TripMode::Halted, HALT, "back")?;
    let lapsed = u64::from(world.would(late));
    let heartbeat = world.kit.heartbeat(&world.devnet, primary.address());
    let revived = u64::from(world.would(heartbeat));
    world.say("thief", "finds the dead guardian's key in a backup: after 14 days of silence it opens nothing");
    let owner_acts = u64::from(world.devnet.next_nonce(OWNER) != world.owner_nonce());
    let figures = vec![
        Figure::at_most("from the last heartbeat to the backup's rights", covered, Unit::Seconds, SILENCE + 24),
        Figure::at_most("trips of the backup before its turn", too_early, Unit::Count, 0),
        Figure::at_most("from the halt to the first withdrawal", locked, Unit::Seconds, HALT + S0 + 600),
        Figure::at_most("savers not paid in full", unpaid, Unit::Count, 0),
        Figure::told("exit fees left in the account", left, Unit::Tokens),
        Figure::told("from the halt to NORMAL", normal, Unit::Seconds),
        Figure::at_most("acts of a lapsed key", lapsed + revived, Unit::Count, 0),
        Figure::at_most("acts of the council", owner_acts, Unit::Count, 0),
    ];
    Ok(Exercise { timeline: world.story(), figures })
}

/// Seconds of silence after which the backup's trip would land.
fn first_turn(world: &mut World, silent_since: u64) -> Result<u64, DrillError> {
    let backup = world.backup.clone();
    for _ in 0..30 * 3_600 {
        let trip = world.trip(&backup, TripMode::Halted, HALT, "fire")?;
        if world.would(trip) {
            return Ok(world.now() - silent_since);
        }
        let silence = world.now() - silent_since;
        // Long steps while it cannot be near.
        world.pass(if silence + HOUR < SILENCE { HOUR } else { 12 })?;
    }
    Err(DrillError::Refused("the backup to get its turn".to_owned()))
}
