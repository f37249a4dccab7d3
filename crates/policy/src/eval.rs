//! Three-valued evaluation of typed rules.
//!
//! A result is `Err(why)` only if it depends on something that is not known: `false && x` is false, `all` is false as soon as
//! one element shows it, `exists` true. A step counter bounds the work; what it cuts off is `Unknown{budget}`, unless a decisive
//! element was found before. The evaluator knows nothing about chains: values come from [`Leaves`].

use crate::ir::{Cmp, ItemField, Leaf, Node, TxField};
use crate::value::{Element, Items, Known, List, Value};
use ripcord_core::qty::{Qty, QtyError};
use ripcord_core::signal::UnknownWhy;
use std::cmp::Ordering;
use std::sync::Arc;

/// Most evaluation steps of one rule; one step is one node visited.
pub const STEPS_MAX: u64 = 1_000_000;

/// Where values come from: facts and views in production, a recorded series in tests of rules.
pub trait Leaves {
    /// A signal's value on a snapshot.
    ///
    /// # Errors
    /// Why it is not known.
    fn signal(&mut self, leaf: Leaf) -> Known<Value>;

    /// A field of the transaction.
    ///
    /// # Errors
    /// Why it is not known.
    fn tx(&mut self, field: TxField) -> Known<Value>;

    /// How many calls, logs or moves the transaction has.
    ///
    /// # Errors
    /// Why it is not known.
    fn items(&mut self, items: Items) -> Known<usize>;

    /// A field of one of them.
    ///
    /// # Errors
    /// Why it is not known.
    fn field(&mut self, items: Items, index: usize, field: ItemField) -> Known<Value>;
}

/// What an evaluation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the rule holds.
    pub holds: Known<bool>,
    /// Elements that made an `all` false or an `exists` true, in order of evaluation.
    pub witnesses: Vec<(Leaf, Element)>,
    /// Steps taken.
    pub steps: u64,
}

/// Evaluates a rule's expression.
pub fn evaluate(node: &Node, leaves: &mut impl Leaves) -> Outcome {
    evaluate_within(node, leaves, STEPS_MAX)
}

/// The same with a bound of the caller's.
pub fn evaluate_within(node: &Node, leaves: &mut impl Leaves, steps_max: u64) -> Outcome {
    let mut machine = Machine { leaves, steps: 0, steps_max, vars: Vec::new(), witnesses: Vec::new() };
    let holds = machine.truth(node);
    Outcome { holds, witnesses: machine.witnesses, steps: machine.steps }
}

/// A single value, for explanations.
///
/// # Errors
/// Why it is not known.
pub fn value_of(node: &Node, leaves: &mut impl Leaves) -> Known<Value> {
    Machine { leaves, steps: 0, steps_max: STEPS_MAX, vars: Vec::new(), witnesses: Vec::new() }.value(node)
}

struct Machine<'a, L> {
    leaves: &'a mut L,
    steps: u64,
    steps_max: u64,
    vars: Vec<Known<Value>>,
    witnesses: Vec<(Leaf, Element)>,
}

impl<L: Leaves> Machine<'_, L> {
    fn truth(&mut self, node: &Node) -> Known<bool> {
        match self.value(node)? {
            Value::Bool(b) => Ok(b),
            Value::Qty(_)
            | Value::AtLeast(..)
            | Value::Address(_)
            | Value::Word(_)
            | Value::Selector(_)
            | Value::Item(..)
            | Value::List(_) => Err(UnknownWhy::Fault),
        }
    }

    fn value(&mut self, node: &Node) -> Known<Value> {
        if self.steps >= self.steps_max {
            return Err(UnknownWhy::Budget);
        }
        self.steps += 1;
        match node {
            Node::Bool(b) => Ok(Value::Bool(*b)),
            Node::Qty(q) => Ok(Value::Qty(*q)),
            Node::Address(a) => Ok(Value::Address(*a)),
            Node::Word(w) => Ok(Value::Word(*w)),
            Node::Selector(s) => Ok(Value::Selector(*s)),
            Node::Signal(leaf) => self.leaves.signal(*leaf),
            Node::Named(_, body) => self.value(body),
            Node::Tx(field) => self.leaves.tx(*field),
            Node::Items(items) => self.items(*items),
            Node::Field(of, field) => {
                let Value::Item(items, index) = self.value(of)? else { return Err(UnknownWhy::Fault) };
                self.leaves.field(items, index, *field)
            }
            Node::Var(index) => self.vars.get(*index).cloned().unwrap_or(Err(UnknownWhy::Fault)),
            Node::List(all) => {
                let items = all.iter().map(|n| Element { key: None, value: self.value(n) }).collect();
                Ok(Value::List(Arc::new(List { items, tail: None })))
            }
            Node::Not(a) => self.truth(a).map(|b| Value::Bool(!b)),
            Node::And(all) => self.connective(all, false),
            Node::Or(all) => self.connective(all, true),
            Node::Compare(cmp, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                compare(*cmp, &a, &b).map(Value::Bool)
            }
            Node::Equal(a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                equal(&a, &b).map(Value::Bool)
            }
            Node::In(a, list) => self.contains(a, list),
            Node::Add(a, b) => self.sum(a, b, false),
            Node::Sub(a, b) => self.sum(a, b, true),
            Node::Mul(a, b) => self.product(a, b),
            Node::Neg(a) => self.exact(a).map(|q| Value::Qty(q.negated())),
            Node::Div(a, b, rounding) => {
                let (a, b) = (self.exact(a)?, self.exact(b)?);
                Qty::div(&a, &b, *rounding).map(Value::Qty).map_err(why)
            }
            Node::Within(p, q, tolerance) => {
                let (p, q, tolerance) = (self.exact(p)?, self.exact(q)?, self.exact(tolerance)?);
                Qty::within(&p, &q, &tolerance).map(Value::Bool).map_err(why)
            }
            Node::Size(list) => {
                let list = self.list(list)?;
                let known = i64::try_from(list.items.len()).map_err(|_| UnknownWhy::Overflow)?;
                Ok(match list.tail {
                    None => Value::Qty(Qty::count(known)),
                    Some(why) => Value::AtLeast(Qty::count(known), why),
                })
            }
            Node::All(list, body) => self.quantifier(list, body, false),
            Node::Exists(list, body) => self.quantifier(list, body, true),
        }
    }

    fn items(&mut self, items: Items) -> Known<Value> {
        let count = self.leaves.items(items)?;
        let seen = count.min(items.bound());
        let tail = (count > seen).then_some(UnknownWhy::Budget);
        let items = (0..seen).map(|i| Element { key: None, value: Ok(Value::Item(items, i)) }).collect();
        Ok(Value::List(Arc::new(List { items, tail })))
    }

    /// `&&` is decided by a false child, `||` by a true one; otherwise the first unknown child leaves it unknown.
    fn connective(&mut self, all: &[Node], decisive: bool) -> Known<Value> {
        let mut unknown = None;
        for child in all {
            match self.truth(child) {
                Ok(b) if b == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(why) => unknown = unknown.or(Some(why)),
            }
        }
        unknown.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn quantifier(&mut self, list: &Node, body: &Node, decisive: bool) -> Known<Value> {
        let source = if let Node::Signal(leaf) | Node::Named(leaf, _) = list { Some(*leaf) } else { None };
        let list = self.list(list)?;
        let mut unknown = list.tail;
        for element in &list.items {
            self.vars.push(element.value.clone());
            let truth = self.truth(body);
            self.vars.pop();
            match truth {
                Ok(b) if b == decisive => {
                    if let Some(leaf) = source {
                        self.witnesses.push((leaf, element.clone()));
                    }
                    return Ok(Value::Bool(decisive));
                }
                Ok(_) => {}
                Err(why) => unknown = unknown.or(Some(why)),
            }
            if self.steps >= self.steps_max {
                return Err(UnknownWhy::Budget);
            }
        }
        unknown.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn contains(&mut self, a: &Node, list: &Node) -> Known<Value> {
        let a = self.value(a)?;
        let list = self.list(list)?;
        let mut unknown = list.tail;
        for element in &list.items {
            match element.value.as_ref().map_err(|why| *why).and_then(|v| equal(&a, v)) {
                Ok(true) => return Ok(Value::Bool(true)),
                Ok(false) => {}
                Err(why) => unknown = unknown.or(Some(why)),
            }
        }
        unknown.map_or(Ok(Value::Bool(false)), Err)
    }

    fn list(&mut self, node: &Node) -> Known<Arc<List>> {
        let Value::List(list) = self.value(node)? else { return Err(UnknownWhy::Fault) };
        Ok(list)
    }

    fn exact(&mut self, node: &Node) -> Known<Qty> {
        let (q, lower_bound) = bounded(&self.value(node)?)?;
        lower_bound.map_or(Ok(q), Err)
    }

    fn sum(&mut self, a: &Node, b: &Node, subtract: bool) -> Known<Value> {
        let a = bounded(&self.value(a)?)?;
        let b = bounded(&self.value(b)?)?;
        if subtract && let Some(why) = b.1 {
            return Err(why);
        }
        let total = if subtract { a.0.checked_sub(&b.0) } else { a.0.checked_add(&b.0) }.map_err(why)?;
        Ok(a.1.or(b.1).map_or(Value::Qty(total), |why| Value::AtLeast(total, why)))
    }

    fn product(&mut self, a: &Node, by: &Node) -> Known<Value> {
        let a = bounded(&self.value(a)?)?;
        let by = bounded(&self.value(by)?)?;
        let total = a.0.checked_mul(&by.0).map_err(why)?;
        match (a.1, by.1) {
            (None, None) => Ok(Value::Qty(total)),
            (Some(why), None) if !by.0.is_negative() => Ok(Value::AtLeast(total, why)),
            (None, Some(why)) if !a.0.is_negative() => Ok(Value::AtLeast(total, why)),
            (Some(why), _) | (None, Some(why)) => Err(why),
        }
    }
}

/// A quantity, and why it is only a lower bound if it is one.
fn bounded(value: &Value) -> Known<(Qty, Option<UnknownWhy>)> {
    if let Value::AtLeast(q, why) = value {
        return Ok((*q, Some(*why)));
    }
    let Value::Qty(q) = value else { return Err(UnknownWhy::Fault) };
    Ok((*q, None))
}

const fn why(error: QtyError) -> UnknownWhy {
    // Units have been checked at load.
    if matches!(error, QtyError::Overflow | QtyError::ZeroDenominator) {
        UnknownWhy::Overflow
    } else {
        UnknownWhy::Fault
    }
}

const fn accepts(cmp: Cmp, ordering: Ordering) -> bool {
    match cmp {
        Cmp::Less => ordering.is_lt(),
        Cmp::LessEq => ordering.is_le(),
        Cmp::Greater => ordering.is_gt(),
        Cmp::GreaterEq => ordering.is_ge(),
    }
}

fn compare(cmp: Cmp, a: &Value, b: &Value) -> Known<bool> {
    let (a, a_why) = bounded(a)?;
    let (b, b_why) = bounded(b)?;
    let ordering = a.compare(&b).map_err(why)?;
    let settled = match (a_why, b_why) {
        (None, None) => return Ok(accepts(cmp, ordering)),
        (Some(why), Some(_)) => return Err(why),
        // The true left side lies at or above its bound: settled if moving it up cannot change the answer.
        (Some(why), None) => (why, Ordering::Greater),
        (None, Some(why)) => (why, Ordering::Less),
    };
    let (why, towards) = settled;
    let now = accepts(cmp, ordering);
    if now == accepts(cmp, towards) && (ordering == towards || ordering.is_eq()) { Ok(now) } else { Err(why) }
}

fn equal(a: &Value, b: &Value) -> Known<bool> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Address(a), Value::Address(b)) => Ok(a == b),
        (Value::Word(a), Value::Word(b)) => Ok(a == b),
        (Value::Selector(a), Value::Selector(b)) => Ok(a == b),
        (Value::Qty(_) | Value::AtLeast(..), Value::Qty(_) | Value::AtLeast(..)) => {
            let (a, a_why) = bounded(a)?;
            let (b, b_why) = bounded(b)?;
            let ordering = a.compare(&b).map_err(why)?;
            match (a_why, b_why) {
                (None, None) => Ok(ordering.is_eq()),
                (Some(_), None) if ordering.is_gt() => Ok(false),
                (None, Some(_)) if ordering.is_lt() => Ok(false),
                (Some(why), _) | (None, Some(why)) => Err(why),
            }
        }
        _different_types => Err(UnknownWhy::Fault),
    }
}
