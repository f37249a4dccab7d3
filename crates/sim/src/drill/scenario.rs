//! Scenarios: which theft, in which acts, under which policy; or which exercise.

use super::DrillError;
use super::act::{Act, ActName, play};
use super::attack::Form;
use super::exercise::{self, Exercise, Story};
use super::protocol::{ASSETS, GUARDIAN, Protocol};
use crate::world::WorldError;
use alloy_primitives::keccak256;
use ripcord_core::io::Record;
use ripcord_engine::EngineError;
use ripcord_policy::{LoadOptions, Policy, load};
use ripcord_store::{LogKey, MemoryJournal, SqliteJournal};
use std::path::Path;

/// The drill's policy, as a user would write it.
pub(super) const POLICY: &str = include_str!("../../../../drills/inflation/ripcord.toml");
/// Name of the drill's log in its checkpoints.
const ORIGIN: &str = "ripcord.example/drill";

/// A theft or an exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Empty-market inflation in six transactions.
    Inflation,
    /// The same theft as one private transaction.
    InflationPrivate,
    /// A thief has the guardian's key.
    GuardianKeyStolen,
    /// The guardian dies, and its backup after it.
    GuardianDead,
    /// An upgrade with a bug is taken back.
    BadUpgrade,
    /// A parameter with a mistake is put back.
    BadParameter,
}

/// What a scenario is made of.
enum Kind {
    Theft(Form),
    Exercise(Story),
}

impl Scenario {
    /// What a drill plays when nothing is named: seconds, not tens of seconds.
    pub const THEFTS: [Self; 2] = [Self::Inflation, Self::InflationPrivate];
    /// All scenarios.
    pub const ALL: [Self; 6] = [
        Self::Inflation,
        Self::InflationPrivate,
        Self::GuardianKeyStolen,
        Self::GuardianDead,
        Self::BadUpgrade,
        Self::BadParameter,
    ];

    /// Name on the command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inflation => "inflation",
            Self::InflationPrivate => "inflation-private",
            Self::GuardianKeyStolen => "guardian-key-stolen",
            Self::GuardianDead => "guardian-dead",
            Self::BadUpgrade => "bad-upgrade",
            Self::BadParameter => "bad-parameter",
        }
    }

    /// One sentence for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Inflation => "empty-market share inflation by donation, six transactions, some of them private",
            Self::InflationPrivate => {
                "the same theft as one private transaction: no guardian sees it in time, the limits on chain bound it"
            }
            Self::GuardianKeyStolen => {
                "a thief trips with the guardian's key: what he gets, next to the bound that the kit states"
            }
            Self::GuardianDead => "the guardian dies, its backup halts and dies too: time and anyone let people out",
            Self::BadUpgrade => "an upgrade that forgets its books is halted and rolled back",
            Self::BadParameter => "an exit fee with two digits too many is put back, withdrawals stay open",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Inflation => Kind::Theft(Form::SixTransactions),
            Self::InflationPrivate => Kind::Theft(Form::OnePrivate),
            Self::GuardianKeyStolen => Kind::Exercise(Story::KeyStolen),
            Self::GuardianDead => Kind::Exercise(Story::GuardianDead),
            Self::BadUpgrade => Kind::Exercise(Story::BadUpgrade),
            Self::BadParameter => Kind::Exercise(Story::BadParameter),
        }
    }
}

/// What the guarded act's journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalProof {
    /// Entries.
    pub entries: u64,
    /// Signed note over the tree of all entries.
    pub checkpoint: String,
}

/// A scenario's acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drill {
    /// Which.
    pub scenario: Scenario,
    /// Seed.
    pub seed: u64,
    /// Acts in order: unguarded, guarded, control; none in an exercise.
    pub acts: Vec<Act>,
    /// What an exercise showed; `None` for a theft.
    pub exercise: Option<Exercise>,
    /// The guarded act's journal, when it was kept on disk.
    pub journal: Option<JournalProof>,
}

/// Runs a scenario. With a folder a theft's guarded act's journal is a real store in it; the control act's always lives in memory.
///
/// # Errors
/// [`DrillError`].
pub fn run(scenario: Scenario, seed: u64, store: Option<&Path>) -> Result<Drill, DrillError> {
    let form = match scenario.kind() {
        Kind::Theft(form) => form,
        Kind::Exercise(story) => {
            let exercise = Some(exercise::play(story, seed)?);
            return Ok(Drill { scenario, seed, acts: Vec::new(), exercise, journal: None });
        }
    };
    let (unguarded, _) = play::<MemoryJournal>(ActName::Unguarded, form, seed, None)?;
    let (guarded, journal) = match store {
        None => (play(ActName::Guarded, form, seed, Some(MemoryJournal::new()))?.0, None),
        Some(folder) => on_disk(form, seed, folder)?,
    };
    let (control, _) = play(ActName::Control, form, seed, Some(MemoryJournal::new()))?;
    Ok(Drill { scenario, seed, acts: vec![unguarded, guarded, control], exercise: None, journal })
}

/// The guarded act with its journal, in memory.
///
/// # Errors
/// [`DrillError`].
pub fn records(scenario: Scenario, seed: u64) -> Result<(Act, Vec<Record>), DrillError> {
    let Kind::Theft(form) = scenario.kind() else {
        return Err(DrillError::Refused("a journal of an exercise: no guardian runs in it".to_owned()));
    };
    let (act, journal) = play(ActName::Guarded, form, seed, Some(MemoryJournal::new()))?;
    let journal = journal.ok_or_else(|| DrillError::Refused("the guardian to live to the end".to_owned()))?;
    let records =
        ripcord_store::replay::records(&journal, 0).map(|r| r.map(|(_, record)| record)).collect::<Result<_, _>>();
    Ok((act, records.map_err(|e| WorldError::Engine(EngineError::Entry(e.to_string())))?))
}

fn on_disk(form: Form, seed: u64, folder: &Path) -> Result<(Act, Option<JournalProof>), DrillError> {
    // A drill's log is signed by a key made from its seed: it proves that nothing was changed afterwards, not who ran it.
    let key = LogKey::from_seed(keccak256(seed.to_be_bytes()).0);
    let journal = SqliteJournal::open(folder, key, ORIGIN)?;
    let (act, journal) = play(ActName::Guarded, form, seed, Some(journal))?;
    let Some(journal) = journal else { return Ok((act, None)) };
    let checkpoint = journal.checkpoint().map(|c| String::from_utf8_lossy(c).into_owned()).unwrap_or_default();
    let entries = ripcord_core::ports::Journal::size(&journal);
    journal.close()?;
    Ok((act, Some(JournalProof { entries, checkpoint })))
}

/// A policy bound to a deployed market: the drill's, or another one for the same market.
///
/// # Errors
/// [`DrillError::Policy`] with all diagnostics.
pub fn policy(text: &str, protocol: &Protocol) -> Result<Policy, DrillError> {
    let mut vars: Vec<(String, String)> = vec![
        ("MARKET".to_owned(), protocol.market.to_checksum(None)),
        ("TIMELOCK".to_owned(), protocol.timelock.to_checksum(None)),
        ("GUARDIAN".to_owned(), GUARDIAN.to_checksum(None)),
        // A market without the kit has no controller: the policy's one playbook then trips nothing.
        ("CONTROLLER".to_owned(), protocol.kit.map_or(protocol.market, |kit| kit.controller).to_checksum(None)),
        ("SOURCE_ONE".to_owned(), "first source of the virtual world".to_owned()),
        ("SOURCE_TWO".to_owned(), "second source of the virtual world".to_owned()),
        ("SOURCE_THREE".to_owned(), "third source of the virtual world".to_owned()),
    ];
    for (index, asset) in ASSETS.iter().enumerate() {
        let (token, vault) = protocol.pair(index)?;
        vars.push((format!("{}_TOKEN", asset.symbol), token.to_checksum(None)));
        vars.push((format!("{}_VAULT", asset.symbol), vault.to_checksum(None)));
        vars.push((format!("{}_SHARE_DECIMALS", asset.symbol), protocol.share_decimals(asset).to_string()));
    }
    let options = LoadOptions { vars: vars.into_iter().collect() };
    let files = |path: &str| if path == "ripcord.toml" { Ok(text.as_bytes().to_vec()) } else { artifact(path) };
    load("ripcord.toml", &files, &options).map_err(|all| {
        let sources = [("ripcord.toml".to_owned(), text.to_owned())].into_iter().collect();
        DrillError::Policy(ripcord_policy::render(&all, &sources))
    })
}

fn artifact(path: &str) -> Result<Vec<u8>, String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let text = match name {
        "FailSafeMarket.json" => include_str!("../../../../contracts/artifacts/FailSafeMarket.json"),
        "LendingMarket.json" => include_str!("../../../../contracts/artifacts/LendingMarket.json"),
        "SupplyVault.json" => include_str!("../../../../contracts/artifacts/SupplyVault.json"),
        "DrillTimelock.json" => include_str!("../../../../contracts/artifacts/DrillTimelock.json"),
        "VaultProbe.json" => include_str!("../../../../contracts/artifacts/VaultProbe.json"),
        _ => return Err("not one of the drill's files".to_owned()),
    };
    Ok(text.as_bytes().to_vec())
}
