//! A Merkle tree over entitlements in which every node carries the sum of what is below it, so that a root cannot promise more than its sum.
//!
//! The Solidity side is `contracts/src/kit/exit/MerkleSum.sol`; `contracts/test/vectors/merkle-sum.json` holds both to the same bytes.

use alloy_primitives::{Address, B256, Bytes, I256, Keccak256};

/// Hash and sum of one level in a path, bytes.
pub const STEP: usize = 48;

/// What one account is owed, with its flow counters in the checkpoint's block, in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Owner.
    pub account: Address,
    /// Entitlement; negative only with debt, and then it adds nothing to the sum.
    pub amount: I256,
    /// Deposited so far.
    pub deposited: u128,
    /// Withdrawn so far.
    pub withdrawn: u128,
    /// Moved to others so far.
    pub moved_out: u128,
}

/// A node: what is below it, and how much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Node {
    /// Hash.
    pub hash: B256,
    /// Sum of the positive amounts below.
    pub sum: u128,
}

/// Why there is no tree over these leaves, or a leaf does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A tree has a leaf at least.
    #[error("a tree without leaves")]
    Empty,
    /// Accounts rise strictly, so that nobody is in it twice.
    #[error("leaf {index} ({account}) does not follow the one before it")]
    Unsorted {
        /// Position.
        index: usize,
        /// Its account.
        account: Address,
    },
    /// A sum is beyond 128 bits.
    #[error("the sum up to leaf {index} is beyond 128 bits")]
    Overflow {
        /// Position.
        index: usize,
    },
}

impl Leaf {
    /// Its node.
    ///
    /// # Errors
    /// [`TreeError::Overflow`] for an amount beyond 128 bits.
    pub fn node(&self, index: usize) -> Result<Node, TreeError> {
        let positive = if self.amount.is_negative() { I256::ZERO } else { self.amount };
        let sum = u128::try_from(positive.into_raw()).map_err(|_| TreeError::Overflow { index })?;
        let mut hash = Keccak256::new();
        hash.update([0]);
        hash.update(self.account);
        hash.update(self.amount.to_be_bytes::<32>());
        for counter in [self.deposited, self.withdrawn, self.moved_out] {
            hash.update(counter.to_be_bytes());
        }
        Ok(Node { hash: hash.finalize(), sum })
    }
}

fn parent(left: Node, right: Node, index: usize) -> Result<Node, TreeError> {
    let sum = left.sum.checked_add(right.sum).ok_or(TreeError::Overflow { index })?;
    let mut hash = Keccak256::new();
    hash.update([1]);
    for node in [left, right] {
        hash.update(node.hash);
        hash.update(node.sum.to_be_bytes());
    }
    Ok(Node { hash: hash.finalize(), sum })
}

/// The whole tree, in memory.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Leaves first, the root alone in the last.
    levels: Vec<Vec<Node>>,
}

impl Tree {
    /// Builds a tree over leaves in the order of their accounts.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn new(leaves: &[Leaf]) -> Result<Self, TreeError> {
        for (index, pair) in leaves.windows(2).enumerate() {
            if let [before, leaf] = pair
                && leaf.account <= before.account
            {
                return Err(TreeError::Unsorted { index: index + 1, account: leaf.account });
            }
        }
        let bottom: Vec<Node> = leaves.iter().enumerate().map(|(i, leaf)| leaf.node(i)).collect::<Result<_, _>>()?;
        if bottom.is_empty() {
            return Err(TreeError::Empty);
        }
        let mut levels = Vec::new();
        let mut level = bottom;
        while level.len() > 1 {
            let above = level
                .chunks(2)
                .enumerate()
                .map(|(i, pair)| {
                    let left = pair.first().copied().unwrap_or_default();
                    parent(left, pair.get(1).copied().unwrap_or_default(), i)
                })
                .collect::<Result<Vec<_>, _>>()?;
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        Ok(Self { levels })
    }

    /// Root hash and sum of all positive amounts.
    #[must_use]
    pub fn root(&self) -> Node {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// Siblings of a leaf from the bottom up, [`STEP`] bytes each; `None` for an index without a leaf.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Bytes> {
        self.levels.first()?.get(index)?;
        let mut out = Vec::with_capacity(self.levels.len() * STEP);
        let mut at = index;
        for level in self.levels.iter().take(self.levels.len() - 1) {
            let sibling = level.get(at ^ 1).copied().unwrap_or_default();
            out.extend(sibling.hash);
            out.extend(sibling.sum.to_be_bytes());
            at /= 2;
        }
        Some(out.into())
    }
}

/// Whether a leaf opens under a root of `count` leaves: what the contract checks.
#[must_use]
pub fn opens(leaf: &Leaf, index: usize, path: &[u8], root: Node, count: usize) -> bool {
    let depth = count.checked_next_power_of_two().map_or(0, usize::trailing_zeros) as usize;
    if index >= count || path.len() != depth * STEP {
        return false;
    }
    let Ok(mut node) = leaf.node(index) else { return false };
    let mut at = index;
    for step in path.chunks(STEP) {
        let Some((hash, sum)) = step.split_at_checked(32) else { return false };
        let Ok(sum) = sum.try_into().map(u128::from_be_bytes) else { return false };
        let sibling = Node { hash: B256::from_slice(hash), sum };
        let (left, right) = if at.is_multiple_of(2) { (node, sibling) } else { (sibling, node) };
        let Ok(above) = parent(left, right, index) else { return false };
        node = above;
        at /= 2;
    }
    node == root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(amounts: &[i128]) -> Vec<Leaf> {
        let leaf = |(n, amount): (usize, &i128)| Leaf {
            account: Address::from_word(B256::from(alloy_primitives::U256::from(7 * n + 1))),
            amount: I256::try_from(*amount).unwrap(),
            deposited: n as u128,
            withdrawn: 0,
            moved_out: u128::MAX,
        };
        amounts.iter().enumerate().map(leaf).collect()
    }

    proptest! {
        #[test]
        fn every_leaf_opens_at_its_place_and_nowhere_else(amounts in prop::collection::vec(any::<i64>(), 1..40), other in 0usize..40) {
            let leaves = leaves(&amounts.iter().map(|a| i128::from(*a)).collect::<Vec<_>>());
            let tree = Tree::new(&leaves).unwrap();
            let want: u128 = amounts.iter().map(|a| u128::from(a.max(&0).unsigned_abs())).sum();
            prop_assert_eq!(tree.root().sum, want);
            for (index, leaf) in leaves.iter().enumerate() {
                let path = tree.path(index).unwrap();
                prop_assert!(opens(leaf, index, &path, tree.root(), leaves.len()));
                prop_assert!(index == other || !opens(leaf, other, &path, tree.root(), leaves.len()));
                let more = Leaf { amount: leaf.amount + I256::ONE, ..*leaf };
                prop_assert!(!opens(&more, index, &path, tree.root(), leaves.len()));
            }
            prop_assert_eq!(tree.path(leaves.len()), None);
        }
    }

    #[test]
    fn what_cannot_be_a_tree_is_refused() {
        assert_eq!(Tree::new(&[]).unwrap_err(), TreeError::Empty);
        let [first, second] = leaves(&[1, 2])[..] else { panic!() };
        let twice = Tree::new(&[first, first]).unwrap_err();
        assert_eq!(twice, TreeError::Unsorted { index: 1, account: first.account });
        assert!(matches!(Tree::new(&[second, first]), Err(TreeError::Unsorted { index: 1, .. })));
        let huge = |leaf: Leaf| Leaf { amount: I256::try_from(u128::MAX).unwrap(), ..leaf };
        assert_eq!(Tree::new(&[huge(first), second]).unwrap_err(), TreeError::Overflow { index: 0 });
        let beyond = Leaf { amount: I256::MAX, ..first };
        assert_eq!(Tree::new(&[beyond]).unwrap_err(), TreeError::Overflow { index: 0 });
    }
}
