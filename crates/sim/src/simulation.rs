//! Seeded simulation: a random world around the real engine, with safety checked after each step and liveness at the end.
//!
//! The world reorganises, its sources lie, lag and fall silent, clocks jump, transactions get stuck, state has holes, and the guardian
//! crashes, at random or at one given write. The same seed gives the same run. Method: deterministic simulation testing, as FoundationDB and
//! TigerBeetle made it known.

mod checks;
mod trouble;

pub use checks::Breach;

use crate::devnet::Devnet;
use crate::drill::{Build, CHAIN, DrillError, Protocol, policy};
use crate::world::{Fault, Source, World, WorldError};
use checks::Checks;
use ripcord_core::chain::Millis;
use ripcord_core::ports::Journal;
use ripcord_engine::EngineError;
use ripcord_policy::Policy;
#[cfg(feature = "sabotage")]
use ripcord_store::memory::Crash;
use ripcord_store::memory::Faults;
use ripcord_store::{LogKey, MemoryJournal, SqliteJournal};
use std::path::PathBuf;
use std::sync::Arc;
use trouble::Trouble;

/// The policy of all simulated worlds.
const POLICY: &str = include_str!("../../../drills/simulation/ripcord.toml");
/// Users of a simulated world.
const USERS: usize = 4;
/// Blocks without trouble at the end, in which everything must come to rest.
const QUIET_BLOCKS: usize = 30;
/// The same after a single crash.
#[cfg(feature = "sabotage")]
const REST_BLOCKS: usize = 8;
/// Most further blocks for a guardian that is still catching up then.
const CATCH_UP_BLOCKS: usize = 100;

/// A fault planted on purpose: the simulation must notice it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// The journal acknowledges without flushing.
    SkipFlush,
    /// `Unknown` reads as `Holds`.
    #[cfg(feature = "sabotage")]
    UnknownAsHolds,
    /// A submission does not carry the key of its intent.
    #[cfg(feature = "sabotage")]
    ForgetKey,
}

/// What to simulate.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Seed.
    pub seed: u64,
    /// Steps with trouble.
    pub steps: u32,
    /// A random crash every so many steps on average; 0 for none.
    pub crash_every: u32,
    /// A planted fault.
    pub planted: Option<Planted>,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Steps done.
    pub steps: u64,
    /// Blocks built.
    pub blocks: u64,
    /// Crashes survived.
    pub crashes: u64,
    /// Reorgs.
    pub reorgs: u64,
    /// Actions handed to the chain, bumps included.
    pub sent: u64,
    /// Pauses that the chain carried out.
    pub pauses: u64,
    /// Incidents opened.
    pub incidents: u64,
    /// Writes of the journal.
    pub writes: u64,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// An invariant does not hold: a defect of Ripcord, or a planted one.
    #[error("seed {seed}, step {step}: {breach}")]
    Breach {
        /// Seed.
        seed: u64,
        /// Step.
        step: u64,
        /// Invariant.
        breach: Breach,
    },
    /// The world itself failed.
    #[error("seed {seed}, step {step}: the world failed")]
    World {
        /// Seed.
        seed: u64,
        /// Step.
        step: u64,
        /// Reason.
        source: DrillError,
    },
}

/// A journal that a crash leaves on its disk.
pub trait Disk: Journal + Sized {
    /// What a new process finds.
    ///
    /// # Errors
    /// [`DrillError::Store`].
    fn reopen(self) -> Result<Self, DrillError>;

    /// Writes so far.
    fn writes(&self) -> u64;
}

impl Disk for MemoryJournal {
    fn reopen(self) -> Result<Self, DrillError> {
        Ok(Self::reopen(self))
    }

    fn writes(&self) -> u64 {
        Self::writes(self)
    }
}

/// A real store, dropped without being closed at each crash.
pub struct SqliteDisk {
    journal: SqliteJournal,
    folder: PathBuf,
}

impl SqliteDisk {
    /// A store in an empty folder.
    ///
    /// # Errors
    /// [`DrillError::Store`].
    pub fn open(folder: PathBuf) -> Result<Self, DrillError> {
        let journal = SqliteJournal::open(&folder, LogKey::from_seed([7; 32]), "simulation.example")?;
        Ok(Self { journal, folder })
    }
}

impl Disk for SqliteDisk {
    fn reopen(self) -> Result<Self, DrillError> {
        let Self { journal, folder } = self;
        drop(journal);
        Self::open(folder)
    }

    fn writes(&self) -> u64 {
        self.journal.size()
    }
}

impl Journal for SqliteDisk {
    fn commit(
        &mut self,
        batch: &ripcord_core::ports::Batch,
    ) -> Result<ripcord_core::ports::Committed, ripcord_core::ports::JournalError> {
        self.journal.commit(batch)
    }

    fn size(&self) -> u64 {
        self.journal.size()
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, ripcord_core::ports::JournalError> {
        self.journal.read(from, limit)
    }

    fn cursor(&self) -> Result<Option<Vec<u8>>, ripcord_core::ports::JournalError> {
        self.journal.cursor()
    }

    fn pending(&self, limit: usize) -> Result<Vec<ripcord_core::ports::OutboxRow>, ripcord_core::ports::JournalError> {
        self.journal.pending(limit)
    }

    fn delivered(&mut self, key: alloy_primitives::B256) -> Result<(), ripcord_core::ports::JournalError> {
        self.journal.delivered(key)
    }
}

/// What all worlds of one process share: the deployed market and the loaded policy.
pub struct Stage {
    devnet: Devnet,
    protocol: Protocol,
    policy: Arc<Policy>,
}

impl Stage {
    /// Deploys the market once.
    ///
    /// # Errors
    /// [`DrillError`].
    pub fn new() -> Result<Self, DrillError> {
        let mut devnet = Devnet::new(CHAIN, crate::drill::genesis(USERS), 1_800_000_000);
        let protocol = Protocol::deploy(&mut devnet, Build::Vulnerable, USERS)?;
        let policy = Arc::new(policy(POLICY, &protocol)?);
        Ok(Self { devnet, protocol, policy })
    }
}

/// Simulates in memory.
///
/// # Errors
/// [`SimulationError`].
pub fn simulate(stage: &Stage, options: Options) -> Result<Tally, SimulationError> {
    let mut journal = MemoryJournal::new();
    let skip_flush = options.planted == Some(Planted::SkipFlush);
    journal.set_faults(Faults { skip_flush, ..Faults::default() });
    simulate_on(stage, options, journal)
}

/// Simulates on a given journal.
///
/// # Errors
/// [`SimulationError`].
pub fn simulate_on<J: Disk>(stage: &Stage, options: Options, journal: J) -> Result<Tally, SimulationError> {
    let mut run = Run::new(stage, options);
    let outcome = run.start(journal).and_then(|()| run.play());
    let (seed, step) = (options.seed, run.tally.steps);
    outcome.map_err(|stop| stop.at(seed, step))?;
    Ok(run.tally)
}

/// Crashes at every write of a run of `steps` steps, one at a time and both ways: before the flush and after it. Each time the world goes
/// on from there for `after` steps, and must come to rest. Returns the number of crashes tried.
///
/// # Errors
/// [`SimulationError`].
#[cfg(feature = "sabotage")]
pub fn crash_at_every_write(stage: &Stage, seed: u64, steps: u32, after: u32) -> Result<u64, SimulationError> {
    let options = Options { seed, steps, crash_every: 0, planted: None };
    let mut run = Run::new(stage, options);
    let mut tried = 0;
    let mut all = || {
        run.start(MemoryJournal::new())?;
        for _ in 0..steps {
            let before = run.clone();
            run.step()?;
            for write in before.writes()..run.writes() {
                for crash in [Crash::Lost, Crash::Unreported] {
                    tried += 1;
                    let mut fork = before.clone();
                    if let Some(engine) = &mut fork.world.engine {
                        engine.journal_mut().set_faults(Faults { crash_at: Some((write, crash)), ..Faults::default() });
                    }
                    fork.step()?;
                    (0..after).try_for_each(|_| fork.step())?;
                    fork.rest(REST_BLOCKS)?;
                }
            }
        }
        Ok(())
    };
    let outcome = all();
    let step = run.tally.steps;
    outcome.map_err(|stop: Stop| stop.at(seed, step))?;
    Ok(tried)
}

enum Stop {
    Breach(Breach),
    World(DrillError),
}

impl Stop {
    fn at(self, seed: u64, step: u64) -> SimulationError {
        match self {
            Self::Breach(breach) => SimulationError::Breach { seed, step, breach },
            Self::World(source) => SimulationError::World { seed, step, source },
        }
    }
}

impl From<Breach> for Stop {
    fn from(breach: Breach) -> Self {
        Self::Breach(breach)
    }
}

impl From<DrillError> for Stop {
    fn from(error: DrillError) -> Self {
        Self::World(error)
    }
}

#[derive(Clone)]
struct Run<'a, J: Disk> {
    stage: &'a Stage,
    options: Options,
    rng: fastrand::Rng,
    world: World<J>,
    checks: Checks,
    tally: Tally,
}

impl<'a, J: Disk> Run<'a, J> {
    fn new(stage: &'a Stage, options: Options) -> Self {
        let mut rng = fastrand::Rng::with_seed(options.seed);
        let sources = (0..3).map(|_| Source::new(rng.u64(20..1500))).collect();
        let clock = Millis(stage.devnet.head().timestamp * 1000);
        let world = World::new(stage.devnet.clone(), sources, Arc::clone(&stage.policy), clock);
        Self { stage, options, rng, world, checks: Checks::default(), tally: Tally::default() }
    }

    fn start(&mut self, journal: J) -> Result<(), Stop> {
        #[cfg(feature = "sabotage")]
        {
            self.world.sabotage = match self.options.planted {
                Some(Planted::UnknownAsHolds) => Some(ripcord_engine::Sabotage::UnknownAsHolds),
                Some(Planted::ForgetKey) => Some(ripcord_engine::Sabotage::ForgetKey),
                Some(Planted::SkipFlush) | None => None,
            };
        }
        let done = self.world.start(journal);
        self.survive(done)
    }

    fn play(&mut self) -> Result<(), Stop> {
        for _ in 0..self.options.steps {
            self.step()?;
        }
        self.rest(QUIET_BLOCKS)?;
        self.crash()?;
        self.checks.after_step(&self.world, self.stage)?;
        self.count();
        Ok(())
    }

    fn step(&mut self) -> Result<(), Stop> {
        self.tally.steps += 1;
        let trouble = Trouble::draw(&mut self.rng, self.options.crash_every);
        self.suffer(trouble)?;
        self.checks.after_step(&self.world, self.stage)
    }

    /// All troubles end; the world goes on for a while and must come to rest.
    fn rest(&mut self, blocks: usize) -> Result<(), Stop> {
        self.quiet(blocks)?;
        self.checks.at_rest(&self.world, self.stage)
    }

    fn quiet(&mut self, blocks: usize) -> Result<(), Stop> {
        for source in &mut self.world.sources {
            source.fault = Fault::None;
        }
        self.world.devnet.hold(crate::drill::GUARDIAN, 0);
        self.world.heal_state();
        for block in 0..blocks + CATCH_UP_BLOCKS {
            // A guardian that was blind for long asks for its missing ancestors one by one.
            if block >= blocks && self.world.is_caught_up() {
                break;
            }
            self.pass(12_000)?;
            self.mine()?;
            self.checks.after_step(&self.world, self.stage)?;
        }
        self.pass(12_000)
    }

    fn pass(&mut self, span_ms: u64) -> Result<(), Stop> {
        let until = self.world.now().plus(span_ms);
        let done = self.world.run_until(until);
        self.survive(done)
    }

    fn mine(&mut self) -> Result<(), Stop> {
        self.tally.blocks += 1;
        let done = self.world.mine().map(|_| ());
        self.survive(done)
    }

    /// The process dies and a new one starts on what it left.
    fn crash(&mut self) -> Result<(), Stop> {
        self.tally.crashes += 1;
        self.checks.before_crash(&self.world);
        let Some(journal) = self.world.crash() else { return Ok(()) };
        let journal = journal.reopen()?;
        self.checks.on_disk(&journal, self.stage)?;
        self.start(journal)
    }

    /// A journal that refuses a write is a crash; anything else that stops the engine is a breach.
    fn survive(&mut self, done: Result<(), WorldError>) -> Result<(), Stop> {
        match done {
            Ok(()) => Ok(()),
            Err(WorldError::Engine(EngineError::Journal(_))) => self.crash(),
            Err(WorldError::Engine(error)) => Err(Breach::Stopped(error.to_string()).into()),
            Err(error @ WorldError::Chain(_)) => Err(DrillError::from(error).into()),
        }
    }

    #[cfg(feature = "sabotage")]
    fn writes(&self) -> u64 {
        self.world.engine.as_ref().map_or(0, |e| e.journal().writes())
    }

    fn count(&mut self) {
        self.tally.sent = u64::try_from(self.world.sent.len()).unwrap_or(u64::MAX);
        self.tally.pauses = Checks::pauses(&self.world, self.stage);
        if let Some(engine) = &self.world.engine {
            self.tally.incidents = u64::try_from(engine.guardian().incidents().count()).unwrap_or(u64::MAX);
            self.tally.writes = engine.journal().writes();
        }
    }
}
