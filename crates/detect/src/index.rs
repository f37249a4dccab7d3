//! Which rules a transaction can concern, found without asking each of them.
//!
//! Everything a rule waits for is one number here: a digest of a trigger or of a state key. Two things with the same digest make a rule
//! due once too often and never once too seldom, so a digest of 64 bits is enough.

use crate::facts;
use crate::reader::Reads;
use ripcord_core::fact::TxFacts;
use ripcord_policy::policy::{Rule, Trigger};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

/// Digest of a trigger or state key; the same in every process.
type Digest = u64;
type Fixed = BuildHasherDefault<DefaultHasher>;
/// Rules by what they wait for, each list sorted.
type Map = HashMap<Digest, Vec<usize>, Fixed>;

fn digest(of: &impl Hash) -> Digest {
    Fixed::default().hash_one(of)
}

/// What an evaluation read, as kept between evaluations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Sorted and unique.
    keys: Box<[Digest]>,
    pub(crate) block_fields: bool,
    /// Something could not be read, so nothing tells when that changes: due every time.
    pub(crate) incomplete: bool,
}

impl Watched {
    fn has(&self, key: Digest) -> bool {
        self.keys.binary_search(&key).is_ok()
    }
}

impl From<Reads> for Watched {
    fn from(reads: Reads) -> Self {
        let keys: BTreeSet<Digest> = reads.keys.iter().map(digest).collect();
        let Reads { block_fields, incomplete, .. } = reads;
        Self { keys: keys.into_iter().collect(), block_fields, incomplete }
    }
}

/// How a transaction concerns a rule.
#[derive(Debug, Clone, Copy, Default)]
struct Hit {
    /// It pulled a trigger.
    pulled: bool,
    /// It changed a key of one of the rule's read-sets.
    changed: bool,
}

/// Rules by trigger and by what their last evaluations read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    triggers: Map,
    reads: Map,
}

impl Index {
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (number, rule) in rules.iter().enumerate() {
            for trigger in &rule.triggers {
                add(&mut index.triggers, digest(trigger), number);
            }
        }
        index
    }

    /// A rule's read-set of one context changes from `old` to `new`; `other` is that of its other context.
    pub(crate) fn replace(
        &mut self,
        rule: usize,
        old: Option<&Watched>,
        new: Option<&Watched>,
        other: Option<&Watched>,
    ) {
        let in_either = |watched: [Option<&Watched>; 2], key| watched.into_iter().flatten().any(|w| w.has(key));
        for key in old.into_iter().flat_map(|w| &w.keys).filter(|key| !in_either([new, other], **key)) {
            remove(&mut self.reads, *key, rule);
        }
        for key in new.into_iter().flat_map(|w| &w.keys).filter(|key| !in_either([old, other], **key)) {
            add(&mut self.reads, *key, rule);
        }
    }

    /// The rules that a transaction concerns.
    pub(crate) fn hits(&self, facts: &TxFacts) -> Hits {
        let mut hits: BTreeMap<usize, Hit> = BTreeMap::new();
        let mut pulled = |trigger: Trigger| {
            for rule in self.triggers.get(&digest(&trigger)).into_iter().flatten() {
                hits.entry(*rule).or_default().pulled = true;
            }
        };
        if !self.triggers.is_empty() {
            facts::each_trigger(facts, &mut pulled);
        }
        let changed: BTreeSet<Digest> = facts::changed(facts).iter().map(digest).collect();
        for key in &changed {
            for rule in self.reads.get(key).into_iter().flatten() {
                hits.entry(*rule).or_default().changed = true;
            }
        }
        Hits { hits, changed }
    }
}

/// What one transaction concerns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hits {
    hits: BTreeMap<usize, Hit>,
    /// Keys that it changed.
    changed: BTreeSet<Digest>,
}

impl Hits {
    /// The rules, in order of the policy.
    pub(crate) fn rules(&self) -> impl Iterator<Item = usize> {
        self.hits.keys().copied()
    }

    /// Whether it concerns a rule that has read `watched`: a trigger, or a key.
    pub(crate) fn touch(&self, rule: usize, watched: &Watched) -> bool {
        self.pull(rule) || self.hits.get(&rule).is_some_and(|hit| hit.changed && self.meets(watched))
    }

    /// Whether it pulled a trigger of the rule.
    pub(crate) fn pull(&self, rule: usize) -> bool {
        self.hits.get(&rule).is_some_and(|hit| hit.pulled)
    }

    /// A rule has two read-sets; the index knows their union.
    fn meets(&self, watched: &Watched) -> bool {
        if self.changed.len() < watched.keys.len() {
            self.changed.iter().any(|key| watched.has(*key))
        } else {
            watched.keys.iter().any(|key| self.changed.contains(key))
        }
    }
}

fn add(map: &mut Map, key: Digest, rule: usize) {
    let rules = map.entry(key).or_default();
    if let Err(at) = rules.binary_search(&rule) {
        rules.reserve_exact(1);
        rules.insert(at, rule);
    }
}

fn remove(map: &mut Map, key: Digest, rule: usize) {
    let Some(rules) = map.get_mut(&key) else { return };
    rules.retain(|other| *other != rule);
    if rules.is_empty() {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, U256};
    use ripcord_core::fact::ReadKey;

    fn watched(slots: &[u8]) -> Watched {
        let key = |slot: &u8| ReadKey { account: Address::repeat_byte(1), slot: Some(U256::from(*slot)) };
        Reads { keys: slots.iter().map(key).collect(), ..Reads::default() }.into()
    }

    fn pairs(index: &Index) -> BTreeSet<(Digest, usize)> {
        index.reads.iter().flat_map(|(key, rules)| rules.iter().map(|rule| (*key, *rule))).collect()
    }

    /// After any series of evaluations in both contexts, the index is the union of the read-sets that count.
    #[test]
    fn the_index_is_the_union_of_all_read_sets() {
        let mut index = Index::default();
        let mut sets: [[Option<Watched>; 2]; 3] = Default::default();
        for step in 0_u8..200 {
            let (rule, context) = (usize::from(step) * 7 % 3, usize::from(step) * 5 / 3 % 2);
            let new = (step % 5 != 0).then(|| watched(&[step % 4, step / 3 % 6, step / 7 % 5]));
            let other = sets[rule][1 - context].clone();
            index.replace(rule, sets[rule][context].as_ref(), new.as_ref(), other.as_ref());
            sets[rule][context] = new;
            let want: BTreeSet<(Digest, usize)> = (0..3)
                .flat_map(|rule| sets[rule].iter().flatten().flat_map(move |w| w.keys.iter().map(move |k| (*k, rule))))
                .collect();
            assert_eq!(pairs(&index), want, "step {step}");
        }
        assert!(!pairs(&index).is_empty());
    }
}
