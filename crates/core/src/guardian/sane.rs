//! What comes from outside is cut to the bounds of the journal: integers that JSON holds exactly, texts of bounded length.

use super::desk::cut;
use crate::chain::INTEGER_MAX;
use crate::fact::FactKind;
use crate::io::{DryRun, Human, Input};
use crate::signal::{EVIDENCE_MAX, Signal, Verdict};

/// Longest text taken from outside, bytes.
const TEXT_MAX: usize = 256;

/// The input within bounds; `None` for a tick, whose deadlines have fired already, and for numbers that cannot be true.
pub(crate) fn sane(input: Input) -> Option<Input> {
    match input {
        Input::Tick => None,
        Input::Head { chain, source, block } if block.number.max(block.timestamp) > INTEGER_MAX => {
            Some(Input::SourceFault { chain, source, why: "its head has an impossible number or time".to_owned() })
        }
        Input::SourceFault { chain, source, why } => Some(Input::SourceFault { chain, source, why: text(why) }),
        Input::Signal(signal) => in_range(&signal).then(|| Input::Signal(short(signal))),
        Input::Fact(fact) => {
            let possible = match &fact.kind {
                FactKind::Episode { episode, trip_count, epoch, .. } => {
                    *episode.max(trip_count).max(epoch) <= INTEGER_MAX
                }
                FactKind::Flow { .. } | FactKind::Log { .. } | FactKind::Mode { .. } => true,
            };
            (possible && fact.at.block_number <= INTEGER_MAX).then_some(Input::Fact(fact))
        }
        Input::DryRun { action_key, outcome } => Some(Input::DryRun { action_key, outcome: answer(outcome) }),
        Input::Human(word) => Some(Input::Human(human(word))),
        Input::Account { nonce, block_number, .. } if nonce.max(block_number) > INTEGER_MAX => None,
        Input::Submitted { action_key, attempt, result } => {
            Some(Input::Submitted { action_key, attempt, result: result.map_err(text) })
        }
        Input::Absent { action_key } => Some(Input::Absent { action_key }),
        Input::Receipt(receipt) => (receipt.block_number <= INTEGER_MAX).then_some(Input::Receipt(receipt)),
        Input::Head { .. }
        | Input::Evaluated { .. }
        | Input::Blind { .. }
        | Input::Account { .. }
        | Input::Restarted => Some(input),
    }
}

fn in_range(signal: &Signal) -> bool {
    signal.at.block_number <= INTEGER_MAX
}

fn short(mut signal: Signal) -> Signal {
    if let Verdict::Violated { evidence } = &mut signal.verdict {
        evidence.truncate(EVIDENCE_MAX);
        for value in evidence {
            value.name = text(std::mem::take(&mut value.name));
            value.value = text(std::mem::take(&mut value.value));
        }
    }
    signal
}

fn answer(outcome: DryRun) -> DryRun {
    match outcome {
        DryRun::Works { gas_used } => DryRun::Works { gas_used: gas_used.min(INTEGER_MAX) },
        DryRun::Fails { why } => DryRun::Fails { why: text(why) },
        DryRun::Unknown { why } => DryRun::Unknown { why },
    }
}

fn human(word: Human) -> Human {
    match word {
        Human::Acknowledge { incident, by } => Human::Acknowledge { incident, by: text(by) },
        Human::Approve { incident, by, digest } => Human::Approve { incident, by: text(by), digest },
        Human::Veto { incident, by, digest } => Human::Veto { incident, by: text(by), digest },
        Human::Label { incident, by, true_alarm } => Human::Label { incident, by: text(by), true_alarm },
        Human::Resolve { incident, by } => Human::Resolve { incident, by: text(by) },
    }
}

fn text(text: String) -> String {
    if text.len() <= TEXT_MAX { text } else { cut(&text, TEXT_MAX) }
}
