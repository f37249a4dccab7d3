//! A bad parameter lands, with all the notice that is due; the guardian puts the value of before back.

use super::super::DrillError;
use super::super::protocol::{OWNER, THIEF, call, raw};
use super::savings::{
    EXIT, FEE_BPS, HOUR, NOTICE, World, changeCall, landCall, tokens, valueOfCall, whole, withdrawCall,
};
use super::{Exercise, Figure, Unit};
use alloy_primitives::aliases::{U40, U104};
use alloy_primitives::{Address, U256};
use ripcord_core::trip::TripMode;

/// What somebody types for 10: the exit fee in hundredths of what the store counts in.
const TYPED_BPS: u64 = 1_000;
/// The checkpoint that the store takes before the bad value lands; the first one is of its deployment.
const CHECKPOINT: u64 = 1;
/// Whole tokens of each withdrawal.
const AMOUNT: u64 = 1_000;

pub(super) fn play(seed: u64) -> Result<Exercise, DrillError> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut world = World::deploy()?;
    let savers: Vec<Address> = World::savers().collect();
    let mut who = || savers.get(rng.usize(..savers.len())).copied().unwrap_or_default();
    let fair = pays(&mut world, who())?;
    let value = U104::from(TYPED_BPS);
    world.must("a change", OWNER, world.store, changeCall { parameter: U256::ZERO, value })?;
    world.say(
        "council",
        format!("gives notice of an exit fee of {TYPED_BPS} instead of {FEE_BPS} bps; nobody reads it for 48 h"),
    );
    world.pass(NOTICE)?;
    world.must("the landing", OWNER, world.store, landCall { parameter: U256::ZERO })?;
    let landed = world.now();
    world.say("council", "lands it");
    world.pass(HOUR)?;
    let during = fee(&world)?;
    let overpaid = pays(&mut world, who())?.saturating_sub(fair);
    world.say("saver", format!("withdraws {AMOUNT} and loses {overpaid} more than was agreed"));

    let key = world.primary.clone();
    let trip = world.trip(&key, TripMode::Restricted, 24 * HOUR, "fee")?;
    if !world.try_tx(trip)? {
        return Err(DrillError::Refused("the trip".to_owned()));
    }
    world.say("guardian", "sees the fee, and restricts the account; withdrawals stay open");
    let act = world.restore(&key, CHECKPOINT, U40::from(world.now() + HOUR))?;
    if !world.try_tx(raw(THIEF, world.store, act.clone().into()))? {
        return Err(DrillError::Refused("the restore".to_owned()));
    }
    let took = world.now() - landed;
    let restored = fee(&world)?;
    world.say("guardian", format!("signs the values of before, anyone brings them: the fee is {restored} bps again"));
    let again = u64::from(world.would(raw(THIEF, world.store, act.into())));
    let looser = world.restore(&key, CHECKPOINT + 1, U40::from(world.now() + HOUR))?;
    let looser = u64::from(world.would(raw(THIEF, world.store, looser.into())));
    let afterwards = pays(&mut world, who())?.saturating_sub(fair);
    let refused =
        savers.iter().filter(|s| !world.would(call(**s, world.vault, withdrawCall { amount: tokens(1) }))).count();
    world.recover()?;
    let figures = vec![
        Figure::told("exit fee before", FEE_BPS, Unit::Bps),
        Figure::told("exit fee while it was wrong", during, Unit::Bps),
        Figure::at_most("exit fee after the restore", restored, Unit::Bps, FEE_BPS),
        Figure::told("overpaid by one saver", overpaid, Unit::Tokens),
        Figure::at_most("overpaid after the restore", afterwards, Unit::Tokens, 0),
        Figure::told("from the landing to the restore", took, Unit::Seconds),
        Figure::at_most("savers who could not withdraw", u64::try_from(refused).unwrap_or(u64::MAX), Unit::Count, 0),
        Figure::at_most("second or loosening acts of the guardian", again + looser, Unit::Count, 0),
    ];
    Ok(Exercise { timeline: world.story(), figures })
}

/// Fee of a withdrawal, whole tokens.
fn pays(world: &mut World, saver: Address) -> Result<u64, DrillError> {
    let before = world.purse(saver)?;
    world.must("a withdrawal", saver, world.vault, withdrawCall { amount: tokens(AMOUNT) })?;
    let got = world.purse(saver)? - before;
    Ok(whole(tokens(AMOUNT) - got))
}

fn fee(world: &World) -> Result<u64, DrillError> {
    let value = world.view(world.store, valueOfCall { parameter: U256::ZERO, class: EXIT })?;
    Ok(value.saturating_to())
}
