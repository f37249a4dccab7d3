//! Linking against a reference that knows the whole tree.

use crate::harness::*;
use proptest::prelude::*;
use ripcord_core::chain::BlockRef;
use ripcord_core::link::{Link, LinkEvent, WINDOW};
use std::collections::BTreeMap;

/// The path from the root to `tip` in a tree of blocks.
fn path(tree: &BTreeMap<alloy_primitives::B256, BlockRef>, tip: BlockRef) -> Vec<BlockRef> {
    let mut path = vec![tip];
    while let Some(parent) = path.last().and_then(|b| tree.get(&b.parent)) {
        path.push(*parent);
    }
    path.reverse();
    path
}

/// A tree in which block `i` hangs on an earlier one, `back` steps before it.
fn tree(backs: &[usize]) -> Vec<BlockRef> {
    let mut blocks = vec![block(100, 0, 0)];
    for (i, back) in backs.iter().enumerate() {
        let parent = blocks[blocks.len().saturating_sub(1 + back)];
        let number = parent.number + 1;
        let mut hash = hash(number, 0);
        hash.0[8..16].copy_from_slice(&(i as u64 + 1).to_be_bytes());
        blocks.push(BlockRef { number, hash, parent: parent.hash, timestamp: number });
    }
    blocks
}

proptest! {
    /// Whatever heads are agreed in whatever order, with the missing ones fetched when asked for, the adopted chain is the
    /// path to the last head; retractions are newest first and adoptions are children of the tip.
    #[test]
    fn the_adopted_chain_is_the_path_to_the_last_head(
        backs in prop::collection::vec(prop_oneof![4 => Just(0usize), 1 => 1usize..6], 1..80),
        heads in prop::collection::vec(any::<prop::sample::Index>(), 1..40),
    ) {
        let blocks = tree(&backs);
        let by_hash: BTreeMap<_, _> = blocks.iter().map(|b| (b.hash, *b)).collect();
        let mut link = Link::default();
        link.offer(blocks[0]);
        let mut chain = vec![blocks[0]];
        for head in heads {
            let head = blocks[head.index(blocks.len())];
            let known = chain.contains(&head);
            let mut wanted = vec![head];
            while let Some(next) = wanted.pop() {
                for event in link.offer(next) {
                    match event {
                        LinkEvent::Retract(block) => prop_assert_eq!(chain.pop(), Some(block)),
                        LinkEvent::Adopt(block) => {
                            prop_assert_eq!(chain.last().map(|b| b.hash), Some(block.parent));
                            chain.push(block);
                        }
                        LinkEvent::Missing(hash) => wanted.push(by_hash[&hash]),
                        LinkEvent::Lost(_) => prop_assert!(false, "the window is large enough"),
                    }
                }
            }
            if !known {
                prop_assert_eq!(&chain, &path(&by_hash, head));
            }
            prop_assert_eq!(link.blocks().copied().collect::<Vec<_>>(), chain.clone());
            prop_assert_eq!(link.missing(), None);
        }
    }
}

#[test]
fn a_gap_beyond_the_window_is_loud_and_starts_anew() {
    let mut world = World::new(program(vec![]));
    let far = block(101 + WINDOW as u64, 0, 0);
    world.adopt(far);
    assert_eq!(world.told("does not connect"), 1);
    assert!(world.guardian.chain_unknown(CHAIN).is_some());
    world.block();
    assert_eq!(world.guardian.chain_unknown(CHAIN), None);
    assert_eq!(world.guardian.tip(CHAIN), Some(world.head));
    world.check_replay();
}

/// Once the guardian waited for ever when the very first block that it had adopted was reorganised away: the ancestor it asked for stood at
/// the window's floor and was ignored each time it came.
#[test]
fn a_branch_below_the_windows_floor_is_loud_and_starts_anew() {
    let mut link = Link::default();
    link.offer(block(100, 0, 9));
    link.offer(block(100, 1, 9));
    let other = block(101, 1, 1);
    assert_eq!(link.offer(other), [LinkEvent::Retract(block(100, 0, 9)), LinkEvent::Lost(other)]);
    assert_eq!(link.offer(block(102, 1, 1)), [LinkEvent::Adopt(block(102, 1, 1))]);
}

#[test]
fn a_number_that_does_not_follow_its_parents_is_no_child() {
    let mut link = Link::default();
    link.offer(block(100, 0, 0));
    let child = BlockRef { number: 102, parent: hash(100, 0), ..block(102, 0, 0) };
    assert!(matches!(link.offer(child).last(), Some(LinkEvent::Lost(_))));
}

#[test]
fn the_window_is_bounded() {
    let mut link = Link::default();
    for number in 1..2_000 {
        assert_eq!(link.offer(block(number, 0, 0)), [LinkEvent::Adopt(block(number, 0, 0))]);
    }
    assert_eq!(link.blocks().count(), WINDOW);
}
