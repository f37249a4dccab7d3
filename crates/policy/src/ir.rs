//! The typed form of a rule: what the checker makes of CEL text and the evaluator follows.

use crate::value::Items;
use alloy_primitives::{Address, B256};
use ripcord_core::qty::{Qty, Rounding, Unit};
use serde::Serialize;

/// Type of an expression. Integers are `Qty(Count)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Ty {
    /// Truth.
    Bool,
    /// A quantity of one unit.
    Qty(Unit),
    /// An account.
    Address,
    /// 32 bytes.
    Word,
    /// Four bytes.
    Selector,
    /// One call, log or move of the transaction.
    Item(Items),
    /// A list.
    List(Box<Ty>),
}

impl std::fmt::Display for Ty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Qty(unit) => unit.fmt(f),
            Self::Address => f.write_str("address"),
            Self::Word => f.write_str("bytes32"),
            Self::Selector => f.write_str("selector"),
            Self::Item(items) => write!(f, "{}", items.name()),
            Self::List(of) => write!(f, "list of {of}"),
        }
    }
}

/// The state that a signal is read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum At {
    /// Before the transaction; in a block rule, before the block.
    PreTx,
    /// After the transaction; in a block rule, after the block.
    PostTx,
    /// As consumed by the calls of the transaction.
    EachCall,
    /// After the last transaction of the block.
    Block,
}

impl At {
    /// As written in a policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreTx => "pre-tx",
            Self::PostTx => "post-tx",
            Self::EachCall => "each-call",
            Self::Block => "block",
        }
    }
}

/// A signal on a snapshot: what evidence names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Leaf {
    /// Index into [`crate::Policy::signals`].
    pub signal: usize,
    /// Snapshot.
    pub at: At,
}

/// A field of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TxField {
    /// Sender.
    From,
    /// Callee; the zero address for a creation.
    To,
    /// Wei.
    Value,
    /// Outcome.
    Success,
    /// First four bytes of the calldata; zero when there are none.
    Selector,
}

/// A field of a call, log or move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemField {
    /// Call: caller. Move: payer.
    From,
    /// Call: account called. Move: payee.
    To,
    /// Call: account whose code ran.
    Code,
    /// Call: selector, zero when there is none.
    Selector,
    /// Call: wei.
    Value,
    /// Call: depth.
    Depth,
    /// Call: outcome.
    Success,
    /// Log: emitter.
    Emitter,
    /// Log: first topic, zero when there is none.
    Topic0,
    /// Move: token, the zero address for the native coin.
    Token,
    /// Move: raw amount.
    Raw,
}

/// Order comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cmp {
    /// `<`
    Less,
    /// `<=`
    LessEq,
    /// `>`
    Greater,
    /// `>=`
    GreaterEq,
}

/// A node. Types are right by construction: only [`crate::check`] makes nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Node {
    /// Literal.
    Bool(bool),
    /// Literal.
    Qty(Qty),
    /// Literal.
    Address(Address),
    /// Literal.
    Word(B256),
    /// Literal.
    Selector([u8; 4]),
    /// A signal's value.
    Signal(Leaf),
    /// A `calc` signal, expanded in place.
    Named(Leaf, Box<Node>),
    /// A field of the transaction.
    Tx(TxField),
    /// Calls, logs or moves of the transaction.
    Items(Items),
    /// Field of an item.
    Field(Box<Node>, ItemField),
    /// Variable of the enclosing `all` or `exists`, counted from the outermost.
    Var(usize),
    /// Literal list.
    List(Vec<Node>),
    /// `!`
    Not(Box<Node>),
    /// `&&`
    And(Vec<Node>),
    /// `||`
    Or(Vec<Node>),
    /// Order.
    Compare(Cmp, Box<Node>, Box<Node>),
    /// `==`; `!=` is its negation.
    Equal(Box<Node>, Box<Node>),
    /// `in`
    In(Box<Node>, Box<Node>),
    /// `+`
    Add(Box<Node>, Box<Node>),
    /// `-`
    Sub(Box<Node>, Box<Node>),
    /// `*`; the second operand scales.
    Mul(Box<Node>, Box<Node>),
    /// Unary `-`
    Neg(Box<Node>),
    /// `div(a, b)`
    Div(Box<Node>, Box<Node>, Rounding),
    /// `within(p, q, tolerance)`
    Within(Box<Node>, Box<Node>, Box<Node>),
    /// `size(list)`
    Size(Box<Node>),
    /// `list.all(x, body)`
    All(Box<Node>, Box<Node>),
    /// `list.exists(x, body)`
    Exists(Box<Node>, Box<Node>),
}

impl Node {
    /// Children in order of the text.
    #[must_use]
    pub fn children(&self) -> Vec<&Node> {
        match self {
            Self::Bool(_)
            | Self::Qty(_)
            | Self::Address(_)
            | Self::Word(_)
            | Self::Selector(_)
            | Self::Signal(_)
            | Self::Tx(_)
            | Self::Items(_)
            | Self::Var(_) => Vec::new(),
            Self::Named(_, a) | Self::Field(a, _) | Self::Not(a) | Self::Neg(a) | Self::Size(a) => vec![a],
            Self::List(all) | Self::And(all) | Self::Or(all) => all.iter().collect(),
            Self::Compare(_, a, b)
            | Self::Equal(a, b)
            | Self::In(a, b)
            | Self::Add(a, b)
            | Self::Sub(a, b)
            | Self::Mul(a, b)
            | Self::Div(a, b, _)
            | Self::All(a, b)
            | Self::Exists(a, b) => vec![a, b],
            Self::Within(a, b, c) => vec![a, b, c],
        }
    }

    /// Visits every node, parents first, in order of the text.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// Signals read, each once, in order of the text; a `calc` signal stands before what it is made of.
    #[must_use]
    pub fn leaves(&self) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        self.walk(&mut |node| {
            if let Node::Signal(leaf) | Node::Named(leaf, _) = node
                && !leaves.contains(leaf)
            {
                leaves.push(*leaf);
            }
        });
        leaves
    }

    /// Whether it reads the transaction itself: its fields, calls, logs or moves.
    #[must_use]
    pub fn reads_tx(&self) -> bool {
        let mut found = false;
        self.walk(&mut |node| found |= matches!(node, Node::Tx(_) | Node::Items(_)));
        found
    }
}
