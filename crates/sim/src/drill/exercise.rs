//! Exercises: what the kit does when not the protocol's market but its protection fails, played on a savings account behind a proxy.
//!
//! Owns the four stories and their figures. No guardian engine runs here: what is shown has to hold without it.

mod dead;
mod parameter;
mod savings;
mod stolen;
mod upgrade;

use super::DrillError;
use serde::Serialize;

pub use stolen::SCHEDULES;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// Seconds since the story began.
    pub at_secs: u64,
    /// Who did it.
    pub who: &'static str,
    /// What, in plain words.
    pub text: String,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Whole tokens of the savings account.
    Tokens,
    /// Occurrences.
    Count,
    /// Hundredths of a percent.
    Bps,
}

/// A measured figure, and what it must not exceed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: &'static str,
    /// The measurement.
    pub value: u64,
    /// Its unit.
    pub unit: Unit,
    /// Bound; `None` for a figure that is told only.
    pub most: Option<u64>,
}

impl Figure {
    fn told(name: &'static str, value: u64, unit: Unit) -> Self {
        Self { name, value, unit, most: None }
    }

    fn at_most(name: &'static str, value: u64, unit: Unit, most: u64) -> Self {
        Self { name, value, unit, most: Some(most) }
    }

    /// Whether the bound held.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.most.is_none_or(|most| self.value <= most)
    }
}

/// An exercise's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exercise {
    /// What happened.
    pub timeline: Vec<Moment>,
    /// What was measured.
    pub figures: Vec<Figure>,
}

impl Exercise {
    /// Whether every bound held.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.figures.iter().all(Figure::holds)
    }
}

/// Which exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Story {
    KeyStolen,
    GuardianDead,
    BadUpgrade,
    BadParameter,
}

/// Plays an exercise.
///
/// # Errors
/// [`DrillError`] when the chain refuses what the story needs.
pub(super) fn play(story: Story, seed: u64) -> Result<Exercise, DrillError> {
    match story {
        Story::KeyStolen => stolen::play(seed, SCHEDULES),
        Story::GuardianDead => dead::play(seed),
        Story::BadUpgrade => upgrade::play(seed),
        Story::BadParameter => parameter::play(seed),
    }
}
