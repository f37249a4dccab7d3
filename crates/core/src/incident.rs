//! Incident: the life of one cause.

use serde::{Deserialize, Serialize};

/// The protected system's mode on chain (`contracts.md` section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// Nothing restricted.
    Normal,
    /// Tighter limits.
    Watch,
    /// Staged reopening.
    Recovering,
    /// New risk closed, withdrawals limited.
    Restricted,
    /// All but repayment and claims closed.
    Halted,
    /// Terminal: users leave by claim.
    Exit,
}

/// Serial number of an incident within one journal, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub u64);

impl std::fmt::Display for IncidentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "INC-{}", self.0)
    }
}

/// What happened to an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum IncidentEvent {
    /// Opened by a rule.
    Opened {
        /// Incident.
        incident: IncidentId,
        /// Cause.
        cause: String,
    },
}
