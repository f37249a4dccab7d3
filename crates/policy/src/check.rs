//! Syntax tree to typed form: every name resolved, every unit checked, every rounding directed towards violation.

use crate::diagnostic::{Code, suggest};
use crate::ir::{At, Cmp, Leaf, Node, Ty};
use crate::lexicon::{Lexicon, Text};
use crate::text::{Finding, Tree};
use crate::value::{Items, VALUES_MAX};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr};
use ripcord_core::qty::{Qty, Rounding, Unit};

mod call;
mod field;
mod literal;

/// Most nested `all` and `exists`.
const NESTING_MAX: usize = 2;
/// Most evaluation steps that the lists' bounds allow for.
const COST_MAX: u64 = 1_000_000;
/// Largest typed form, after `calc` signals have been expanded.
const EXPANDED_MAX: usize = 4_096;

/// What the surroundings say about an expression: on which side of "must hold" it stands, and which way a quotient in it is
/// rounded towards violation. `None` where both ways matter, as under `==`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Side {
    must_hold: Option<bool>,
    round: Option<Rounding>,
}

const OPEN: Side = Side { must_hold: None, round: None };

impl Side {
    fn negated(self) -> Self {
        Self { must_hold: self.must_hold.map(|m| !m), round: self.round.map(Rounding::flip) }
    }
}

/// A checked expression: its form and type. `None` when it, or something it uses, has been reported already.
type Checked = Option<(Node, Ty)>;

/// Checks text that must be of type `want`.
pub(crate) fn check(text: &Text, names: &Lexicon, want: &Ty) -> Result<Node, Vec<Finding>> {
    let tree = crate::text::parse(&text.source).map_err(|f| vec![f])?;
    let mut checker = Checker {
        names,
        scope: text.scope,
        tree: &tree,
        findings: Vec::new(),
        vars: Vec::new(),
        expanding: Vec::new(),
    };
    let side = match want {
        Ty::Bool => Side { must_hold: Some(true), round: None },
        Ty::Qty(_) | Ty::Address | Ty::Word | Ty::Selector | Ty::Item(_) | Ty::List(_) => {
            Side { must_hold: None, round: Some(Rounding::Down) }
        }
    };
    let checked = checker.expr(&tree.root, side);
    if let Some((node, ty)) = checked {
        if ty != *want {
            let message = format!("the expression is of type {ty}, not {want}");
            let help = if *want == Ty::Bool {
                "a rule states what must hold: compare the value with a bound"
            } else {
                "declare the unit that the expression has"
            };
            checker.report(&tree.root, Code::Rc002, message, help);
        }
        checker.bounds(&tree.root, &node);
        if checker.findings.is_empty() {
            return Ok(node);
        }
    }
    Err(checker.findings)
}

struct Checker<'a> {
    names: &'a Lexicon,
    scope: usize,
    tree: &'a Tree,
    findings: Vec<Finding>,
    vars: Vec<(String, Ty)>,
    /// `calc` signals being expanded, outermost first.
    expanding: Vec<usize>,
}

impl<'a> Checker<'a> {
    fn report(&mut self, at: &IdedExpr, code: Code, message: impl Into<String>, help: impl Into<String>) {
        let range = self.tree.range(at);
        self.findings.push(Finding { code, range, message: message.into(), help: help.into() });
    }

    fn bounds(&mut self, root: &IdedExpr, node: &Node) {
        let mut nodes = 0usize;
        node.walk(&mut |_| nodes += 1);
        let help = "split it into several rules";
        if nodes > EXPANDED_MAX {
            self.report(
                root,
                Code::E07,
                format!("with its calc signals the rule has {nodes} nodes, at most {EXPANDED_MAX} are allowed"),
                help,
            );
        } else if cost(node) > COST_MAX {
            self.report(
                root,
                Code::E07,
                format!("the lists' bounds allow for {} steps, at most {COST_MAX} are allowed", cost(node)),
                help,
            );
        }
    }

    fn expr(&mut self, expr: &IdedExpr, side: Side) -> Checked {
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Ident(name) => self.ident(expr, name, side),
            Expr::Select(select) => self.select(expr, select),
            Expr::List(list) => self.list(expr, &list.elements),
            Expr::Call(call) => self.call(expr, call, side),
            Expr::Unspecified | Expr::Comprehension(_) | Expr::Map(_) | Expr::Struct(_) => {
                self.report(
                    expr,
                    Code::E02,
                    "maps and messages are not part of the rule language",
                    "use signals and lists",
                );
                None
            }
        }
    }

    fn literal(&mut self, expr: &IdedExpr, literal: &LiteralValue) -> Checked {
        match literal {
            LiteralValue::Boolean(b) => Some((Node::Bool(*b.inner()), Ty::Bool)),
            LiteralValue::Int(i) => Some((Node::Qty(Qty::count(*i.inner())), Ty::Qty(Unit::Count))),
            LiteralValue::Double(_) => {
                self.report(
                    expr,
                    Code::E02,
                    "decimal numbers without a unit are not exact",
                    "write a string in a constructor, for example ratio('0.9995')",
                );
                None
            }
            LiteralValue::String(_) => {
                self.report(
                    expr,
                    Code::E02,
                    "text is not a value here",
                    "wrap it in a constructor: usd('…'), addr('0x…'), contract('…')",
                );
                None
            }
            LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => {
                self.report(
                    expr,
                    Code::E02,
                    "this literal is not part of the rule language",
                    "use integers, true, false or a constructor",
                );
                None
            }
        }
    }

    fn ident(&mut self, expr: &IdedExpr, name: &str, side: Side) -> Checked {
        if let Some(index) = self.vars.iter().rposition(|(n, _)| n == name) {
            let ty = self.vars.get(index)?.1.clone();
            return Some((Node::Var(index), ty));
        }
        let (index, ty) = self.signal(expr, name)?;
        let head = self.names.heads.get(index)?;
        let leaf = Leaf { signal: index, at: head.at };
        match &head.calc {
            None => Some((Node::Signal(leaf), ty)),
            Some(text) => self.expand(expr, leaf, text, ty, side),
        }
    }

    /// The signal of that name and its type.
    fn signal(&mut self, expr: &IdedExpr, name: &str) -> Option<(usize, Ty)> {
        let Some(index) = self.names.signal(self.scope, name) else {
            let code = if name == "tx" { Code::Rc002 } else { Code::Rc001 };
            let message = if name == "tx" {
                "`tx` is not a value by itself".to_owned()
            } else {
                format!("there is no signal `{name}`")
            };
            let help = if name == "tx" {
                "name a field: tx.from, tx.to, tx.value, tx.success, tx.selector, tx.calls, tx.logs, tx.moves"
                    .to_owned()
            } else {
                suggest(name, self.names.signals.keys().map(String::as_str))
            };
            self.report(expr, code, message, help);
            return None;
        };
        let ty = self.names.heads.get(index)?.ty.clone()?;
        Some((index, ty))
    }

    /// A `calc` signal's own text, checked for this side and put in its place. Its errors are reported where it is defined.
    fn expand(&mut self, expr: &IdedExpr, leaf: Leaf, text: &Text, ty: Ty, side: Side) -> Checked {
        if self.expanding.contains(&leaf.signal) {
            self.report(
                expr,
                Code::E07,
                "calc signals refer to each other in a circle",
                "let one of them read the chain",
            );
            return None;
        }
        let tree = crate::text::parse(&text.source).ok()?;
        let mut expanding = self.expanding.clone();
        expanding.push(leaf.signal);
        let mut inner = Checker {
            names: self.names,
            scope: text.scope,
            tree: &tree,
            findings: Vec::new(),
            vars: Vec::new(),
            expanding,
        };
        let checked = inner.expr(&tree.root, side);
        let findings = inner.findings;
        if let Some(first) = findings.first() {
            self.report(expr, first.code, format!("in this place: {}", first.message), first.help.clone());
            return None;
        }
        let (node, got) = checked?;
        (got == ty).then(|| (Node::Named(leaf, Box::new(node)), ty))
    }

    fn list(&mut self, expr: &IdedExpr, elements: &[IdedExpr]) -> Checked {
        let checked: Vec<Checked> = elements.iter().map(|e| self.expr(e, OPEN)).collect();
        let all: Vec<(Node, Ty)> = checked.into_iter().collect::<Option<_>>()?;
        let Some(ty) = all.first().map(|(_, ty)| ty.clone()) else {
            self.report(expr, Code::Rc002, "an empty list has no type", "leave the test out, or name the values");
            return None;
        };
        if let Some((_, other)) = all.iter().find(|(_, t)| *t != ty) {
            self.report(expr, Code::Rc002, format!("the list mixes {ty} and {other}"), "give all elements one unit");
            return None;
        }
        Some((Node::List(all.into_iter().map(|(n, _)| n).collect()), Ty::List(Box::new(ty))))
    }

    fn logic(&mut self, call: &CallExpr, side: Side, make: fn(Vec<Node>) -> Node) -> Checked {
        let sides: Vec<Option<Node>> = call.args.iter().map(|a| self.truth(a, side)).collect();
        let all: Vec<Node> = sides.into_iter().collect::<Option<_>>()?;
        Some((make(all), Ty::Bool))
    }

    fn truth(&mut self, expr: &IdedExpr, side: Side) -> Option<Node> {
        let (node, ty) = self.expr(expr, Side { round: None, ..side })?;
        if ty == Ty::Bool {
            return Some(node);
        }
        self.report(expr, Code::Rc002, format!("{ty} is not true or false"), "compare it with a bound");
        None
    }

    fn order(&mut self, expr: &IdedExpr, call: &CallExpr, cmp: Cmp, side: Side) -> Checked {
        let [a, b] = call.args.as_slice() else { return None };
        // `a <= b` must hold: violation lies where a is larger, so a is rounded up and b down.
        let left = side.must_hold.map(|must| match (cmp, must) {
            (Cmp::Less | Cmp::LessEq, true) | (Cmp::Greater | Cmp::GreaterEq, false) => Rounding::Up,
            (Cmp::Less | Cmp::LessEq, false) | (Cmp::Greater | Cmp::GreaterEq, true) => Rounding::Down,
        });
        let left_side = Side { must_hold: None, round: left };
        let (a, b) = (self.expr(a, left_side), self.expr(b, left_side.negated()));
        let (a, b, ty) = self.alike(expr, call, a?, b?)?;
        if !matches!(ty, Ty::Qty(_)) {
            self.report(
                expr,
                Code::Rc002,
                format!("{ty} has no order"),
                "only quantities can be larger or smaller; use == or !=",
            );
            return None;
        }
        Some((Node::Compare(cmp, Box::new(a), Box::new(b)), Ty::Bool))
    }

    fn equality(&mut self, expr: &IdedExpr, call: &CallExpr, negate: bool) -> Checked {
        let [a, b] = call.args.as_slice() else { return None };
        let (a, b) = (self.expr(a, OPEN), self.expr(b, OPEN));
        let (a, b, ty) = self.alike(expr, call, a?, b?)?;
        if matches!(ty, Ty::List(_) | Ty::Item(_)) {
            self.report(
                expr,
                Code::Rc002,
                format!("{ty} cannot be compared as a whole"),
                "compare elements with all() or exists()",
            );
            return None;
        }
        let node = Node::Equal(Box::new(a), Box::new(b));
        Some((if negate { Node::Not(Box::new(node)) } else { node }, Ty::Bool))
    }

    /// Both operands of one type, or a finding. A literal integer may stand for a height.
    fn alike(&mut self, expr: &IdedExpr, call: &CallExpr, a: (Node, Ty), b: (Node, Ty)) -> Option<(Node, Node, Ty)> {
        let ((mut node_a, ty_a), (mut node_b, ty_b)) = (a, b);
        if ty_a == ty_b {
            return Some((node_a, node_b, ty_a));
        }
        let bare = |node: &Node, ty: &Ty| *ty == Ty::Qty(Unit::Count) && matches!(node, Node::Qty(_));
        if let (Node::Qty(q), Ty::Qty(Unit::Height)) = (&mut node_a, &ty_b)
            && ty_a == Ty::Qty(Unit::Count)
        {
            *q = q.with_unit(Unit::Height);
            return Some((node_a, node_b, ty_b));
        }
        if let (Node::Qty(q), Ty::Qty(Unit::Height)) = (&mut node_b, &ty_a)
            && ty_b == Ty::Qty(Unit::Count)
        {
            *q = q.with_unit(Unit::Height);
            return Some((node_a, node_b, ty_a));
        }
        let unit = match (&ty_a, &ty_b) {
            (Ty::Qty(unit), other) if bare(&node_b, other) => Some(*unit),
            (other, Ty::Qty(unit)) if bare(&node_a, other) => Some(*unit),
            _no_bare_number => None,
        };
        match unit {
            Some(unit) => self.report(
                expr,
                Code::Rc008,
                format!("a bare number meets a signal in {}", self.unit_name(unit)),
                format!("say what it counts: {}", self.constructor(unit)),
            ),
            None => {
                let (a, b) = (self.ty_name(&ty_a), self.ty_name(&ty_b));
                let operator = call.func_name.trim_matches(|c| c == '_' || c == '@').to_owned();
                self.report(
                    expr,
                    Code::Rc002,
                    format!("`{operator}` between {a} and {b}"),
                    "bring both sides to one unit; div(a, b) makes a ratio of two values of one unit",
                );
            }
        }
        None
    }

    /// A unit under the name that the policy uses for it.
    fn unit_name(&self, unit: Unit) -> String {
        match unit {
            Unit::Amount(token) => {
                let name = self.names.contracts.iter().find(|(_, c)| c.address == token).map(|(n, _)| n.as_str());
                name.map_or_else(|| unit.to_string(), |n| format!("amount:{n}"))
            }
            Unit::Usd | Unit::Native | Unit::Ratio | Unit::Bps | Unit::Count | Unit::Height | Unit::Secs => {
                unit.to_string()
            }
        }
    }

    fn ty_name(&self, ty: &Ty) -> String {
        match ty {
            Ty::Qty(unit) => self.unit_name(*unit),
            Ty::List(of) => format!("list of {}", self.ty_name(of)),
            Ty::Bool | Ty::Address | Ty::Word | Ty::Selector | Ty::Item(_) => ty.to_string(),
        }
    }

    fn constructor(&self, unit: Unit) -> String {
        match unit {
            Unit::Amount(_) => {
                let name = self.unit_name(unit);
                format!("amount('{}', '…')", name.strip_prefix("amount:").unwrap_or("token"))
            }
            Unit::Secs => "duration('…s')".to_owned(),
            Unit::Usd | Unit::Native | Unit::Ratio | Unit::Bps | Unit::Count | Unit::Height => format!("{unit}('…')"),
        }
    }
}

/// Steps that evaluation may take when every list is as long as its bound.
fn cost(node: &Node) -> u64 {
    let below = node.children().iter().fold(1u64, |sum, child| sum.saturating_add(cost(child)));
    let (Node::All(list, body) | Node::Exists(list, body)) = node else { return below };
    let bound = if let Node::Items(items) = &**list {
        items.bound()
    } else if let Node::List(all) = &**list {
        all.len()
    } else {
        VALUES_MAX
    };
    cost(list).saturating_add(cost(body).saturating_mul(bound as u64)).saturating_add(1)
}

/// What `tx.NAME` lists.
fn items(name: &str) -> Option<Items> {
    match name {
        "calls" => Some(Items::Calls),
        "logs" => Some(Items::Logs),
        "moves" => Some(Items::Moves),
        _other => None,
    }
}

/// The snapshots that `delta()` subtracts: after minus before.
const DELTA: [At; 2] = [At::PostTx, At::PreTx];

fn is_tx(select: &SelectExpr) -> bool {
    matches!(&select.operand.expr, Expr::Ident(name) if name == "tx")
}
