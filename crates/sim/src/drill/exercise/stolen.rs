//! The guardian's key is stolen: a thief trips as the kit lets him, on many schedules, and the worst of them is set against the bound
//! that the controller states.

use super::super::DrillError;
use super::super::protocol::{GUARDIAN, THIEF, call, raw};
use super::savings::{DAY, HALTED, HOUR, RECOVERING, Restriction, World, announceCall, changeCall, whole};
use super::{Exercise, Figure, Unit};
use alloy_primitives::aliases::{U40, U104};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::sol;
use ripcord_core::trip::TripMode;
use ripcord_evm::Tx;

sol! {
    function worstCase(bytes32 scope) returns (uint40 maxHalt90d, uint40 maxEpisode, bool t4Provided);
    function confirm(bytes32 scope, uint40 until);
    function release(bytes32 scope);
    function setGroup(bytes32 scope, uint8 group, uint8 threshold, uint8 maxMode, uint40 maxDuration, address[] next);
    function addScope(bytes32 scope, bytes32 parent);
    function enrol(address target, bytes32 scope);
    function waiveGap(bytes32 scope);
    function proposeCouncil(address next);
    function acceptCouncil();
    function holdClosed(bytes32 scope, uint32 mask);
    function setStage(bytes32 scope, uint8 stage);
    function finish(bytes32 scope);
    function setInsolvent(bytes32 scope, bool insolvent);
    function openExit(bytes32 scope, uint8 cause, bytes evidence);
    function failsafeHold(uint32 mask);
    function failsafeInsolvent(bool insolvent);
    function failsafeWaiveGap();
    function revoke(address proxy, bytes32 codeHash);
    function activate(address proxy);
    function land(uint256 parameter);
    function lengthen(bytes32 scope, uint40 until);
    function failsafeSurrender(address asset);
    function transferFrom(address from, address to, uint256 amount);
}

/// Schedules that the thief tries.
pub const SCHEDULES: u64 = 256;
/// Length of the window of `worstCase`.
const WINDOW: u64 = 90 * DAY;
/// How long a schedule lasts.
const HORIZON: u64 = 110 * DAY;
/// No halt with its S0 is longer: 72 h and 6 h.
const LONGEST: u64 = 78 * HOUR;

/// What a schedule did.
struct Outcome {
    /// Seconds frozen in the fullest window of 90 days.
    fullest: u64,
    /// Longest time without withdrawals.
    longest: u64,
    landed: u64,
    refused: u64,
    /// Times at which repayment or claims were seen closed.
    locked_in: u64,
    /// Tokens that changed hands.
    moved: U256,
    world: World,
}

pub(super) fn play(seed: u64, schedules: u64) -> Result<Exercise, DrillError> {
    let mut world = World::deploy()?;
    world.say(
        "thief",
        "has the guardian's key; the council sleeps, and anyone opens every stage of recovery as soon as it is due",
    );
    let (tried, landed_anyway) = forbidden(&world)?;
    let bound = world.view(world.kit.controller, worstCaseCall { scope: world.kit.scope })?.maxHalt90d;
    let (mut worst, mut landed, mut locked_in, mut moved, mut longest) = (None::<Outcome>, 0, 0, U256::ZERO, 0);
    for outcome in all_schedules(&world, seed, schedules)? {
        landed += outcome.landed;
        locked_in += outcome.locked_in;
        moved += outcome.moved;
        longest = longest.max(outcome.longest);
        if worst.as_ref().is_none_or(|w| outcome.fullest > w.fullest) {
            worst = Some(outcome);
        }
    }
    let Some(worst) = worst else { return Err(DrillError::Refused("a schedule".to_owned())) };
    let figures = vec![
        Figure::told("schedules tried", schedules, Unit::Count),
        Figure::told("trips landed in all of them", landed, Unit::Count),
        Figure::told("trips landed in the worst", worst.landed, Unit::Count),
        Figure::told("trips refused in the worst", worst.refused, Unit::Count),
        Figure::at_most("frozen in the worst 90 days", worst.fullest, Unit::Seconds, bound.to::<u64>()),
        Figure::at_most("longest time without withdrawals", longest, Unit::Seconds, LONGEST),
        Figure::at_most("times repayment or claims were closed", locked_in, Unit::Count, 0),
        Figure::at_most("tokens moved by the thief", whole(moved), Unit::Tokens, 0),
        Figure::told("other powers tried", tried, Unit::Count),
        Figure::at_most("other powers obtained", landed_anyway, Unit::Count, 0),
    ];
    Ok(Exercise { timeline: worst.world.story(), figures })
}

/// Plays all schedules on all cores; the outcomes are in the order of their numbers, whoever is ready first.
fn all_schedules(world: &World, seed: u64, schedules: u64) -> Result<Vec<Outcome>, DrillError> {
    let one = |number: u64| {
        let rng = fastrand::Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number));
        schedule(world.clone(), number == 0, rng)
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(16);
    let share = |worker: usize| -> Vec<Result<Outcome, DrillError>> {
        (0..schedules).skip(worker).step_by(workers).map(one).collect()
    };
    let mut shares: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(move || share(worker))).collect();
        let lost = || vec![Err(DrillError::Refused("a worker to live".to_owned()))];
        running.into_iter().map(|worker| worker.join().unwrap_or_else(|_| lost()).into_iter()).collect()
    });
    let in_turn = (0..schedules).zip((0..workers).cycle());
    in_turn.filter_map(|(_, worker)| shares.get_mut(worker).and_then(Iterator::next)).collect()
}

/// One schedule of trips. The greedy thief asks for the longest halt at every chance; the others mix.
fn schedule(world: World, greedy: bool, mut rng: fastrand::Rng) -> Result<Outcome, DrillError> {
    let (start, key) = (world.now(), world.primary.clone());
    let funds = holdings(&world)?;
    let mut watch = Watch::begin(world)?;
    let (mut landed, mut refused, mut locked_in, mut beat) = (0, 0, 0, start);
    while watch.world.now() < start + HORIZON {
        let now = watch.world.now();
        if now > beat + 7 * DAY {
            beat = now;
            watch.send(watch.world.kit.heartbeat(&watch.world.devnet, GUARDIAN))?;
        }
        let (mode, most) = match rng.u8(..10) {
            0..7 => (TripMode::Halted, 72 * HOUR),
            _ if greedy => (TripMode::Halted, 72 * HOUR),
            7..9 => (TripMode::Restricted, 24 * HOUR),
            _ => (TripMode::Watch, 24 * HOUR),
        };
        let secs = if greedy || rng.bool() { most } else { rng.u64(HOUR..=most) };
        let tx = watch.world.trip(&key, mode, secs, "stolen")?;
        if watch.world.would(tx.clone()) && watch.send(tx)? {
            landed += 1;
            let world = &mut watch.world;
            let hours = world.state()?.until.to::<u64>().saturating_sub(world.now()) / HOUR;
            world.say("thief", format!("trips {mode:?} for {} h; {hours} h are in force", secs / HOUR));
        } else {
            refused += 1;
        }
        watch.keep()?;
        watch.pass(if greedy { 6 * HOUR } else { rng.u64(HOUR..47 * HOUR) })?;
        locked_in += u64::from(World::locks_users_in(&watch.world.state()?));
    }
    let moved = funds.abs_diff(holdings(&watch.world)?);
    let spans = merged(&watch.spans);
    let longest = spans.iter().map(|(from, to)| to - from).max().unwrap_or(0);
    Ok(Outcome { fullest: fullest(&spans), longest, landed, refused, locked_in, moved, world: watch.world })
}

/// A world, and the spans of time in which it closed withdrawals: HALTED and S0.
struct Watch {
    world: World,
    spans: Vec<(u64, u64)>,
    /// The second at which time alone ends what is frozen now.
    thaws: u64,
}

impl Watch {
    fn begin(world: World) -> Result<Self, DrillError> {
        let thaws = thaw(&world)?;
        Ok(Self { world, spans: Vec::new(), thaws })
    }

    /// Sends a transaction; what it froze counts from its block on.
    fn send(&mut self, tx: Tx) -> Result<bool, DrillError> {
        let from = self.world.now();
        let done = self.world.try_tx(tx)?;
        self.note(from);
        self.thaws = thaw(&self.world)?;
        Ok(done)
    }

    /// Anyone brings a recovery a step further.
    fn keep(&mut self) -> Result<(), DrillError> {
        let from = self.world.now();
        if from >= self.thaws && self.world.keep()? {
            self.note(from);
            self.thaws = thaw(&self.world)?;
        }
        Ok(())
    }

    fn pass(&mut self, secs: u64) -> Result<(), DrillError> {
        let from = self.world.now();
        self.world.pass(secs)?;
        self.note(from);
        Ok(())
    }

    fn note(&mut self, from: u64) {
        let to = self.world.now().min(self.thaws);
        if to > from {
            self.spans.push((from, to));
        }
    }
}

/// Tokens in the vault, less those in the thief's hands.
fn holdings(world: &World) -> Result<U256, DrillError> {
    let mut taken = U256::ZERO;
    for account in [THIEF, GUARDIAN] {
        taken += world.purse(account)?;
    }
    Ok(world.purse(world.vault)? - taken)
}

/// The second at which time alone ends HALTED and S0; now when neither is in force.
fn thaw(world: &World) -> Result<u64, DrillError> {
    let frozen = |state: &Restriction| state.mode == HALTED || (state.mode == RECOVERING && state.stage == 0);
    let mut low = world.now();
    if !frozen(&world.state()?) {
        return Ok(low);
    }
    let mut high = low + 30 * DAY;
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if frozen(&world.state_at(middle)?) { low = middle } else { high = middle }
    }
    Ok(high)
}

fn merged(spans: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut out: Vec<(u64, u64)> = Vec::new();
    for (from, to) in spans.iter().copied() {
        match out.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => out.push((from, to)),
        }
    }
    out
}

/// Most seconds that one window of 90 days holds; some fullest window ends where a span ends.
fn fullest(spans: &[(u64, u64)]) -> u64 {
    let ends = spans.iter().map(|(_, to)| *to);
    let inside = |end: u64| -> u64 {
        let begin = end.saturating_sub(WINDOW);
        spans.iter().map(|(from, to)| (*to).min(end).saturating_sub((*from).max(begin))).sum()
    };
    ends.map(inside).max().unwrap_or(0)
}

/// Everything else that the key might be good for, tried in NORMAL and in a halt of its own. Returns how many calls were tried and how
/// many would have landed.
fn forbidden(world: &World) -> Result<(u64, u64), DrillError> {
    let mut halted = world.clone();
    let trip = halted.trip(&halted.primary.clone(), TripMode::Halted, HOUR, "stolen")?;
    if !halted.try_tx(trip)? {
        return Err(DrillError::Refused("the first trip of a stolen key".to_owned()));
    }
    let (mut tried, mut landed) = (0, 0);
    for place in [world, &halted] {
        for tx in powers(place)? {
            tried += 1;
            landed += u64::from(place.would(tx));
        }
    }
    Ok((tried, landed))
}

fn powers(world: &World) -> Result<Vec<Tx>, DrillError> {
    let (scope, controller, vault) = (world.kit.scope, world.kit.controller, world.vault);
    let soon = U40::from(world.now() + DAY);
    let saver = World::savers().next().unwrap_or_default();
    let encoded = |to: Address, input: Vec<u8>| raw(GUARDIAN, to, input.into());
    let version = world.version(vault);
    Ok(vec![
        call(GUARDIAN, controller, confirmCall { scope, until: soon }),
        call(GUARDIAN, controller, releaseCall { scope }),
        call(
            GUARDIAN,
            controller,
            setGroupCall { scope, group: 0, threshold: 1, maxMode: 3, maxDuration: U40::from(HOUR), next: vec![THIEF] },
        ),
        call(GUARDIAN, controller, addScopeCall { scope: keccak256("thief"), parent: B256::ZERO }),
        call(GUARDIAN, controller, enrolCall { target: world.token, scope }),
        call(GUARDIAN, controller, waiveGapCall { scope }),
        call(GUARDIAN, controller, holdClosedCall { scope, mask: 1 }),
        call(GUARDIAN, controller, setStageCall { scope, stage: 2 }),
        call(GUARDIAN, controller, finishCall { scope }),
        call(GUARDIAN, controller, setInsolventCall { scope, insolvent: true }),
        call(GUARDIAN, controller, openExitCall { scope, cause: 0, evidence: U256::from(1).to_be_bytes_vec().into() }),
        call(GUARDIAN, vault, failsafeHoldCall { mask: 1 }),
        call(GUARDIAN, vault, failsafeInsolventCall { insolvent: true }),
        call(GUARDIAN, vault, failsafeWaiveGapCall {}),
        call(GUARDIAN, vault, failsafeSurrenderCall { asset: world.token }),
        call(GUARDIAN, world.registry, revokeCall { proxy: vault, codeHash: B256::repeat_byte(1) }),
        call(GUARDIAN, world.registry, activateCall { proxy: vault }),
        call(GUARDIAN, world.registry, announceCall { proxy: vault, version }),
        encoded(world.registry, world.rollback(&world.primary, U40::from(world.now() + HOUR))?),
        call(GUARDIAN, world.store, changeCall { parameter: U256::ZERO, value: U104::from(1) }),
        call(GUARDIAN, world.store, landCall { parameter: U256::ZERO }),
        encoded(world.store, world.restore(&world.primary, 0, U40::from(world.now() + HOUR))?),
        call(GUARDIAN, world.plan(), lengthenCall { scope, until: soon }),
        call(GUARDIAN, world.token, transferFromCall { from: saver, to: THIEF, amount: U256::from(1) }),
        call(GUARDIAN, controller, proposeCouncilCall { next: THIEF }),
        call(GUARDIAN, controller, acceptCouncilCall {}),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::super::protocol::OWNER;
    use super::*;

    #[test]
    fn a_few_schedules_stay_within_the_stated_bound() {
        let exercise = play(7, 4).unwrap();
        assert!(exercise.holds(), "{:#?}", exercise.figures);
        let figure = |name: &str| exercise.figures.iter().find(|f| f.name == name).unwrap().value;
        assert!(figure("frozen in the worst 90 days") > 72 * HOUR, "the thief does get something");
        assert!(figure("trips refused in the worst") > 0, "and not all he asks for");
    }

    /// The list of powers would notice one: the same calls land when their owner makes them.
    #[test]
    fn what_the_thief_may_not_do_its_owner_may() {
        let world = World::deploy().unwrap();
        let mut halted = world.clone();
        let trip = halted.trip(&halted.primary.clone(), TripMode::Halted, HOUR, "test").unwrap();
        assert!(halted.try_tx(trip).unwrap());
        let landed = |place: &World| -> Vec<bool> {
            let txs = powers(place).unwrap().into_iter();
            txs.map(|tx| place.would(Tx { from: OWNER, ..tx })).collect()
        };
        let (calm, tight) = (landed(&world), landed(&halted));
        let of_owner = calm.iter().zip(&tight).filter(|(a, b)| **a || **b).count();
        assert!(of_owner >= 8, "{of_owner} of {}", calm.len());
    }

    #[test]
    fn the_fullest_window_is_found() {
        let day = |n: u64| n * DAY;
        assert_eq!(fullest(&[]), 0);
        assert_eq!(fullest(&[(day(100), day(102)), (day(150), day(151))]), day(3));
        assert_eq!(
            fullest(&[(day(100), day(102)), (day(190), day(191))]),
            day(2) - day(0),
            "one day of the first has left the window"
        );
        assert_eq!(merged(&[(1, 3), (3, 5), (7, 8)]), vec![(1, 5), (7, 8)]);
    }
}
