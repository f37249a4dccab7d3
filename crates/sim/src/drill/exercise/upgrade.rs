//! A bad upgrade lands, with all the notice that is due; the guardian halts it and takes it back.

use super::super::DrillError;
use super::super::kit::artifact;
use super::super::protocol::{OWNER, THIEF, call, mintCall, raw};
use super::savings::{DAY, EACH, HALTED, HOUR, World, tokens, totalOwedCall, versionsOfCall, whole, withdrawCall};
use super::{Exercise, Figure, Unit};
use alloy_primitives::aliases::U40;
use ripcord_core::trip::TripMode;

/// Withdrawals that the thief makes before somebody notices.
const BEFORE_NOTICE: u64 = 2;

pub(super) fn play(seed: u64) -> Result<Exercise, DrillError> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut world = World::deploy()?;
    world.pass(7 * DAY + rng.u64(..DAY))?;
    let bad = world.code(artifact!("SavingsVaultForgetful")?)?;
    world.upgrade(bad)?;
    let unguarded = alone(world.clone())?;
    world.say("thief", "withdraws his 10,000, and the same 10,000 again: the new code forgets to write it down");
    let first = world.now();
    for _ in 0..BEFORE_NOTICE {
        steal(&mut world)?;
    }
    let key = world.primary.clone();
    let trip = world.trip(&key, TripMode::Halted, 24 * HOUR, "books")?;
    if !world.try_tx(trip)? {
        return Err(DrillError::Refused("the trip".to_owned()));
    }
    world.say("guardian", "sees more go out than was owed, and halts the account");
    let after_halt = u64::from(steal(&mut world)?);
    let before = world.state()?;
    let act = world.rollback(&key, U40::from(world.now() + HOUR))?;
    let relayed = raw(World::savers().next().unwrap_or_default(), world.registry, act.into());
    if !world.try_tx(relayed.clone())? {
        return Err(DrillError::Refused("the rollback".to_owned()));
    }
    let took = world.now() - first;
    let state = world.state()?;
    let changed = u64::from(state.mode != HALTED || state.mask != before.mask || state.until != before.until);
    world.say("guardian", "signs a rollback, anyone brings it: the old code runs again, the halt stands as it was");
    let again = u64::from(world.would(relayed));
    let forth =
        u64::from(world.would(raw(THIEF, world.registry, world.rollback(&key, U40::from(world.now() + HOUR))?.into())));
    let versions = world.view(world.registry, versionsOfCall { proxy: world.vault })?;
    let restored = versions.first().map(|v| v.codeHash) == versions.last().map(|v| v.codeHash);

    let short = world.view(world.vault, totalOwedCall {})?.saturating_sub(world.purse(world.vault)?);
    world.say(
        "council",
        format!("pays the missing {} tokens in: a rollback restores code, not what was paid out", whole(short)),
    );
    world.must("the missing tokens", OWNER, world.token, mintCall { to: world.vault, amount: short })?;
    world.recover()?;
    let mut unpaid = 0;
    for saver in World::savers() {
        let tx = call(saver, world.vault, withdrawCall { amount: tokens(EACH) });
        unpaid += u64::from(!world.try_tx(tx)?);
    }
    world.say("savers", "withdraw everything from the old code");
    let stolen = whole(short);
    let figures = vec![
        Figure::told("taken from others without the kit", unguarded, Unit::Tokens),
        Figure::at_most("taken from others", stolen, Unit::Tokens, BEFORE_NOTICE * EACH),
        Figure::at_most("withdrawals after the halt", after_halt, Unit::Count, 0),
        Figure::at_most("from the first theft to the old code", took, Unit::Seconds, 120),
        Figure::at_most("restrictions changed by the rollback", changed, Unit::Count, 0),
        Figure::at_most("versions that are not the one before", u64::from(!restored), Unit::Count, 0),
        Figure::at_most("further rollbacks in the episode", again + forth, Unit::Count, 0),
        Figure::at_most("savers not paid", unpaid, Unit::Count, 0),
    ];
    Ok(Exercise { timeline: world.story(), figures })
}

/// One withdrawal of everything that the thief's account says it holds.
fn steal(world: &mut World) -> Result<bool, DrillError> {
    let amount = world.owed(THIEF)?;
    world.try_tx(call(THIEF, world.vault, withdrawCall { amount }))
}

/// What the thief takes of other people's money when nobody stops him.
fn alone(mut world: World) -> Result<u64, DrillError> {
    let own = world.owed(THIEF)?;
    while steal(&mut world)? {}
    Ok(whole(world.purse(THIEF)?.saturating_sub(own)))
}
