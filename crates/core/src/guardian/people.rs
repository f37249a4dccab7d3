//! People's words: acknowledgements, approvals, objections, labels, closing.

use super::Guardian;
use super::cases::{has_open_flight, topic};
use crate::incident::{Ending, IncidentEvent, IncidentId, Life};
use crate::io::Human;
use crate::playbook::Severity;
use crate::response::{Run, Word};
use alloy_primitives::B256;

impl Guardian {
    pub(super) fn human(&mut self, word: &Human) {
        match word {
            Human::Acknowledge { incident, by } => self.acknowledge(*incident, by),
            Human::Approve { incident, by, digest } => {
                self.about_question(*incident, by, "approval", |run| run.approve(by, *digest));
            }
            Human::Veto { incident, by, digest } => {
                let oncall = self.program.oncall.clone();
                self.about_question(*incident, by, "veto", |run| run.veto(by, *digest, &oncall));
            }
            Human::Label { incident, by, true_alarm } => self.label(*incident, by, *true_alarm),
            Human::Resolve { incident, by } => self.resolve(*incident, by),
        }
    }

    fn acknowledge(&mut self, id: IncidentId, by: &str) {
        let Some(incident) = self.state.incidents.get_mut(&id) else { return self.unknown_incident(id, by) };
        if incident.acknowledged_by.is_none() {
            incident.acknowledged_by = Some(by.to_owned());
            self.desk.incident(IncidentEvent::Acknowledged { incident: id, by: by.to_owned() });
        }
    }

    /// A word that does not count is kept and told, never dropped in silence.
    fn about_question(&mut self, id: IncidentId, by: &str, what: &str, say: impl Fn(&mut Run) -> Word) {
        let Some(incident) = self.state.incidents.get_mut(&id) else { return self.unknown_incident(id, by) };
        let words: Vec<Word> = incident.runs.iter_mut().map(say).collect();
        let why = if words.contains(&Word::Counted) {
            self.desk.touch();
            return;
        } else if words.contains(&Word::Repeated) {
            "it was known already"
        } else if words.contains(&Word::NoSay) {
            "that person has no say in it"
        } else {
            "no such question is open"
        };
        let text = format!("{id}: {what} by {by} does not count: {why}");
        self.desk.notify(&topic(incident), Severity::P3, B256::ZERO, &text);
    }

    fn label(&mut self, id: IncidentId, by: &str, true_alarm: bool) {
        let Some(incident) = self.state.incidents.get_mut(&id) else { return self.unknown_incident(id, by) };
        if incident.label == Some(true_alarm) {
            return;
        }
        incident.label = Some(true_alarm);
        let rules = incident.rules.clone();
        self.desk.incident(IncidentEvent::Labelled { incident: id, by: by.to_owned(), true_alarm });
        if true_alarm {
            for index in rules.iter().filter_map(|r| self.index.rules.get(r)) {
                if let Some(state) = self.state.rules.get_mut(*index) {
                    state.ladder.refund(id);
                }
            }
        } else {
            self.charge(id, &rules, true);
        }
    }

    fn resolve(&mut self, id: IncidentId, by: &str) {
        let calm = self.is_calm(id);
        let Some(incident) = self.state.incidents.get(&id) else { return self.unknown_incident(id, by) };
        let why = if incident.is_over() {
            return;
        } else if has_open_flight(incident, &self.state.submissions) {
            Some("an action of it is still in the air")
        } else if !calm {
            Some("its rules are not known to hold")
        } else if incident.sent && incident.life == Life::Open {
            Some("it is not contained")
        } else {
            None
        };
        match why {
            None => self.close(id, Ending::Human),
            Some(why) => {
                let text = format!("{id}: it cannot be closed by {by}: {why}");
                let topic = topic(incident);
                self.desk.notify(&topic, Severity::P3, B256::ZERO, &text);
            }
        }
    }

    fn unknown_incident(&mut self, id: IncidentId, by: &str) {
        let text = format!("{by} speaks of {id}, which is not known");
        self.desk.notify("people/unknown-incident", Severity::P4, B256::ZERO, &text);
    }
}
