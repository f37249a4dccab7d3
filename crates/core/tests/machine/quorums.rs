//! Agreement of sources against a reference that keeps everything and looks at everything.

use crate::harness::*;
use proptest::prelude::*;
use ripcord_core::chain::{BlockRef, Millis, SourceId};
use ripcord_core::io::Input;
use ripcord_core::quorum::{Quorum, QuorumEvent};
use std::collections::BTreeMap;

/// Last word of each source about each height; a block is agreed when its count has just come to `need`.
#[derive(Default)]
struct Reference {
    words: BTreeMap<(u16, u64), BlockRef>,
}

impl Reference {
    fn head(&mut self, source: u16, block: BlockRef, need: usize) -> Option<BlockRef> {
        if self.words.insert((source, block.number), block) == Some(block) {
            return None;
        }
        let votes = self.words.values().filter(|b| **b == block).count();
        (votes == need).then_some(block)
    }
}

proptest! {
    #[test]
    fn agreement_is_that_of_the_reference(
        need in 1u16..5,
        heads in prop::collection::vec((0u16..5, 1u64..12, 0u8..3), 1..200),
    ) {
        let mut quorum = Quorum::new(5, need, STALE, Millis(0));
        let mut reference = Reference::default();
        for (source, number, fork) in heads {
            let block = block(number, fork, fork);
            let events = quorum.head(Millis(1), SourceId(source), block).unwrap_or_default();
            let agreed = events.iter().find_map(|e| match e {
                QuorumEvent::Agreed(block) => Some(*block),
                _ => None,
            });
            prop_assert_eq!(agreed, reference.head(source, block, usize::from(need)));
        }
    }

    /// Fewer liars than the quorum needs never get a block of theirs agreed, and honest sources are never marked.
    #[test]
    fn a_minority_of_liars_is_outvoted_and_named(
        lies in prop::collection::vec((0u64..20, 1u8..4), 1..40),
        order in prop::collection::vec(0usize..3, 20),
    ) {
        let mut quorum = Quorum::new(3, 2, STALE, Millis(0));
        let mut lied = Vec::new();
        for (number, first) in (100u64..).zip(order) {
            let mut heads: Vec<(u16, BlockRef)> = (0..2).map(|s| (s, block(number, 0, 0))).collect();
            heads.extend(lies.iter().filter(|(n, _)| n + 100 == number).map(|(_, fork)| (2, block(number, *fork, 0))));
            let first = first % heads.len();
            heads.rotate_left(first);
            for (source, block) in heads {
                for event in quorum.head(Millis(1), SourceId(source), block).unwrap_or_default() {
                    match event {
                        QuorumEvent::Agreed(agreed) => prop_assert_eq!(agreed.hash, hash(number, 0)),
                        QuorumEvent::Lied { source, .. } => lied.push(source),
                        _ => {}
                    }
                }
            }
        }
        prop_assert!(lied.iter().all(|s| *s == SourceId(2)));
        prop_assert_eq!(lied.len(), 1, "noticed once");
        prop_assert!(quorum.is_marked(SourceId(2)) && !quorum.is_marked(SourceId(0)) && !quorum.is_marked(SourceId(1)));
    }
}

#[test]
fn a_source_that_sees_a_reorg_first_or_last_is_no_liar() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut world = World::new(program(vec![]));
        world.block();
        let number = world.head.number;
        for source in order {
            world.head_of(source, block(number, 1, 0));
        }
        world.head = block(number, 1, 0);
        for _ in 0..5 {
            world.block();
        }
        assert_eq!(world.told("names another block"), 0, "{order:?}");
    }
}

#[test]
fn a_lying_source_is_told_once_and_a_silent_and_a_lagging_one_too() {
    let mut world = World::new(program(vec![]));
    for number in 101..110 {
        world.now += 12_000;
        let next = block(number, 0, 0);
        world.head_of(0, next);
        world.head_of(1, next);
        world.head_of(2, block(number, 9, 9));
        world.head = next;
        world.evaluate(next);
    }
    assert_eq!(world.told("source 2 names another block"), 1);
    for number in 110..120 {
        world.now += 12_000;
        let next = block(number, 0, 0);
        world.head_of(0, next);
        world.head_of(1, next);
        world.head = next;
        world.evaluate(next);
        world.put(Input::Tick);
    }
    assert_eq!(world.told("source 2 is silent"), 1);
    assert_eq!(world.guardian.chain_unknown(CHAIN), None);
    world.head_of(2, block(110, 0, 0));
    world.head_of(2, block(111, 0, 0));
    world.check_replay();
}

#[test]
fn below_quorum_the_chain_goes_stale_once_and_recovers() {
    let mut world = World::new(program(vec![]));
    for number in 101..115 {
        world.now += 12_000;
        world.head_of(0, block(number, 0, 0));
    }
    assert_eq!(world.told("no agreed block"), 1);
    assert!(world.guardian.chain_unknown(CHAIN).is_some());
    for number in 101..115 {
        world.head_of(1, block(number, 0, 0));
        world.evaluate(block(number, 0, 0));
    }
    assert_eq!(world.guardian.chain_unknown(CHAIN), None);
    assert_eq!(world.guardian.tip(CHAIN), Some(block(114, 0, 0)));
    world.check_replay();
}
