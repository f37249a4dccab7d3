//! Operators and functions.

use super::{Checked, Checker, DELTA, NESTING_MAX, OPEN, Side};
use crate::diagnostic::{Code, suggest};
use crate::ir::{Cmp, Leaf, Node, Ty};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use ripcord_core::qty::{Rounding, Unit};

const FUNCTIONS: [&str; 18] = [
    "usd", "amount", "native", "ratio", "bps", "count", "height", "duration", "addr", "contract", "bytes32",
    "selector", "topic", "div", "within", "delta", "size", "all",
];
/// In the specification, not yet here.
const LATER: [&str; 12] = [
    "filter",
    "map",
    "exists_one",
    "startsWith",
    "endsWith",
    "has",
    "rate",
    "ewma",
    "quantile",
    "max_over",
    "min_over",
    "_?_:_",
];

impl Checker<'_> {
    pub(super) fn call(&mut self, expr: &IdedExpr, call: &CallExpr, side: Side) -> Checked {
        let args = call.args.as_slice();
        match (call.func_name.as_str(), call.target.as_deref(), args) {
            ("_&&_", None, _) => self.logic(call, side, Node::And),
            ("_||_", None, _) => self.logic(call, side, Node::Or),
            ("!_", None, [a]) => self.truth(a, side.negated()).map(|node| (Node::Not(Box::new(node)), Ty::Bool)),
            ("_<_", None, _) => self.order(expr, call, Cmp::Less, side),
            ("_<=_", None, _) => self.order(expr, call, Cmp::LessEq, side),
            ("_>_", None, _) => self.order(expr, call, Cmp::Greater, side),
            ("_>=_", None, _) => self.order(expr, call, Cmp::GreaterEq, side),
            ("_==_", None, _) => self.equality(expr, call, false),
            ("_!=_", None, _) => self.equality(expr, call, true),
            ("@in", None, [a, list]) => self.membership(expr, a, list),
            ("_+_", None, [a, b]) => self.sum(expr, call, [a, b], [side, side], Node::Add),
            ("_-_", None, [a, b]) => self.sum(expr, call, [a, b], [side, side.negated()], Node::Sub),
            ("_*_", None, [a, b]) => self.product(expr, a, b, side),
            ("-_", None, [a]) => self.negation(expr, a, side),
            ("div", None, [a, b]) => self.div(expr, call, a, b, side),
            ("within", None, [p, q, tolerance]) => self.within(expr, call, [p, q, tolerance], side),
            ("delta", None, [a]) => self.delta(expr, a),
            ("size", None, [a]) | ("size", Some(a), []) => self.size(expr, a),
            ("all", Some(list), [var, body]) => self.quantifier(expr, [list, var, body], side, Node::All),
            ("exists", Some(list), [var, body]) => self.quantifier(expr, [list, var, body], side, Node::Exists),
            _other => {
                if call.target.is_none()
                    && let Some(checked) = self.constructor_call(expr, call)
                {
                    return checked;
                }
                self.unknown_function(expr, call);
                None
            }
        }
    }

    fn unknown_function(&mut self, expr: &IdedExpr, call: &CallExpr) {
        let name = call.func_name.as_str();
        let shown = name.trim_matches('_');
        if LATER.contains(&name) {
            self.report(
                expr,
                Code::E02,
                format!("`{shown}` is not available yet"),
                "docs/policy-language.md lists what is",
            );
        } else if name == "_/_" || name == "_%_" {
            self.report(
                expr,
                Code::E02,
                format!("`{shown}` has no direction of rounding"),
                "write div(a, b): it is rounded towards violation",
            );
        } else if FUNCTIONS.contains(&name) || ["within", "exists"].contains(&name) {
            self.report(
                expr,
                Code::E02,
                format!("`{name}` is called with the wrong arguments"),
                "docs/policy-language.md shows each function",
            );
        } else {
            self.report(
                expr,
                Code::E02,
                format!("`{shown}` is not part of the rule language"),
                suggest(shown, FUNCTIONS.into_iter().chain(["exists"])),
            );
        }
    }

    fn quantity_of(&mut self, expr: &IdedExpr, ty: &Ty, what: &str) -> Option<Unit> {
        if let Ty::Qty(unit) = ty {
            return Some(*unit);
        }
        self.report(
            expr,
            Code::Rc002,
            format!("{what} of {}", self.ty_name(ty)),
            "only quantities can be computed with",
        );
        None
    }

    fn sum(
        &mut self,
        expr: &IdedExpr,
        call: &CallExpr,
        args: [&IdedExpr; 2],
        sides: [Side; 2],
        make: fn(Box<Node>, Box<Node>) -> Node,
    ) -> Checked {
        let [a, b] = args;
        let [left, right] = sides;
        let (a, b) = (self.expr(a, left), self.expr(b, right));
        let (a, b, ty) = self.alike(expr, call, a?, b?)?;
        self.quantity_of(expr, &ty, "a sum")?;
        Some((make(Box::new(a), Box::new(b)), ty))
    }

    fn negation(&mut self, expr: &IdedExpr, a: &IdedExpr, side: Side) -> Checked {
        let (node, ty) = self.expr(a, side.negated())?;
        self.quantity_of(expr, &ty, "the negative")?;
        Some((Node::Neg(Box::new(node)), ty))
    }

    fn product(&mut self, expr: &IdedExpr, a: &IdedExpr, b: &IdedExpr, side: Side) -> Checked {
        // Rounding survives a factor whose sign is written in the text; otherwise a quotient inside has no direction.
        let through = |sign: Option<bool>| match sign {
            Some(false) => side,
            Some(true) => side.negated(),
            None => OPEN,
        };
        let (side_a, side_b) = (through(self.literal_sign(b)), through(self.literal_sign(a)));
        let (left, right) = (self.expr(a, side_a), self.expr(b, side_b));
        let ((a, ty_a), (b, ty_b)) = (left?, right?);
        let (unit_a, unit_b) =
            (self.quantity_of(expr, &ty_a, "a product")?, self.quantity_of(expr, &ty_b, "a product")?);
        let factor = |unit: Unit| unit.scales() || unit == Unit::Count;
        if factor(unit_b) && !(unit_a == Unit::Count && unit_b.scales()) {
            Some((Node::Mul(Box::new(a), Box::new(b)), ty_a))
        } else if factor(unit_a) {
            Some((Node::Mul(Box::new(b), Box::new(a)), ty_b))
        } else {
            let (a, b) = (self.unit_name(unit_a), self.unit_name(unit_b));
            self.report(
                expr,
                Code::Rc002,
                format!("`*` between {a} and {b}"),
                "one factor must be an integer, a ratio or basis points",
            );
            None
        }
    }

    fn div(&mut self, expr: &IdedExpr, call: &CallExpr, a: &IdedExpr, b: &IdedExpr, side: Side) -> Checked {
        let (a, b) = (self.expr(a, OPEN), self.expr(b, OPEN));
        let (a, b, ty) = self.alike(expr, call, a?, b?)?;
        self.quantity_of(expr, &ty, "a quotient")?;
        let Some(rounding) = side.round else {
            self.report(
                expr,
                Code::E02,
                "which way div() must be rounded cannot be told here",
                "compare the quotient itself with <, <=, > or >=, or multiply out",
            );
            return None;
        };
        Some((Node::Div(Box::new(a), Box::new(b), rounding), Ty::Qty(Unit::Ratio)))
    }

    fn within(&mut self, expr: &IdedExpr, call: &CallExpr, args: [&IdedExpr; 3], side: Side) -> Checked {
        let [p, q, tolerance] = args;
        let (tolerance_node, tolerance_ty) = self.expr(tolerance, OPEN)?;
        if !matches!(tolerance_ty, Ty::Qty(unit) if unit.scales()) {
            let ty = self.ty_name(&tolerance_ty);
            self.report(
                tolerance,
                Code::Rc002,
                format!("a tolerance in {ty}"),
                "give it in bps or as a ratio: within(p, q, bps(150))",
            );
            return None;
        }
        // Too high and too low both violate: where a quotient stands inside, all roundings are tried and the worst one counts.
        let mut cases = Vec::new();
        for (round_p, round_q) in [
            (Rounding::Down, Rounding::Down),
            (Rounding::Down, Rounding::Up),
            (Rounding::Up, Rounding::Down),
            (Rounding::Up, Rounding::Up),
        ] {
            let rounded = |round| Side { must_hold: None, round: side.must_hold.map(|_| round) };
            let (p, q) = (self.expr(p, rounded(round_p)), self.expr(q, rounded(round_q)));
            let (p, q, ty) = self.alike(expr, call, p?, q?)?;
            self.quantity_of(expr, &ty, "a tolerance")?;
            let node = Node::Within(Box::new(p), Box::new(q), Box::new(tolerance_node.clone()));
            if !cases.contains(&node) {
                cases.push(node);
            }
        }
        let node = match (cases.len(), side.must_hold) {
            (1, _) => cases.pop()?,
            (_, Some(false)) => Node::Or(cases),
            (_, Some(true) | None) => Node::And(cases),
        };
        Some((node, Ty::Bool))
    }

    fn delta(&mut self, expr: &IdedExpr, a: &IdedExpr) -> Checked {
        let Expr::Ident(name) = &a.expr else {
            self.report(
                expr,
                Code::E02,
                "delta() takes the bare name of a signal",
                "name a view, probe or slot signal: delta(bad_debt)",
            );
            return None;
        };
        let (signal, ty) = self.signal(a, name)?;
        if !self.names.heads.get(signal)?.state || !matches!(ty, Ty::Qty(_)) {
            self.report(
                expr,
                Code::E02,
                format!("`{name}` has no difference between two snapshots"),
                "delta() works on views, probes and slots with a number",
            );
            return None;
        }
        let [after, before] = DELTA.map(|at| Box::new(Node::Signal(Leaf { signal, at })));
        Some((Node::Sub(after, before), ty))
    }

    fn size(&mut self, expr: &IdedExpr, a: &IdedExpr) -> Checked {
        let (node, ty) = self.expr(a, OPEN)?;
        if matches!(ty, Ty::List(_)) {
            return Some((Node::Size(Box::new(node)), Ty::Qty(Unit::Count)));
        }
        self.report(
            expr,
            Code::Rc002,
            format!("{} has no size", self.ty_name(&ty)),
            "size() counts the elements of a list",
        );
        None
    }

    fn membership(&mut self, expr: &IdedExpr, a: &IdedExpr, list: &IdedExpr) -> Checked {
        let (a, list) = (self.expr(a, OPEN), self.expr(list, OPEN));
        let ((a, ty), (list, list_ty)) = (a?, list?);
        if list_ty == Ty::List(Box::new(ty.clone())) && !matches!(ty, Ty::List(_) | Ty::Item(_)) {
            return Some((Node::In(Box::new(a), Box::new(list)), Ty::Bool));
        }
        let (ty, list_ty) = (self.ty_name(&ty), self.ty_name(&list_ty));
        self.report(
            expr,
            Code::Rc002,
            format!("`in` between {ty} and {list_ty}"),
            "the list must hold values of the same unit",
        );
        None
    }

    fn quantifier(
        &mut self,
        expr: &IdedExpr,
        parts: [&IdedExpr; 3],
        side: Side,
        make: fn(Box<Node>, Box<Node>) -> Node,
    ) -> Checked {
        let [list, var, body] = parts;
        let Expr::Ident(name) = &var.expr else {
            self.report(
                var,
                Code::E02,
                "the first argument is a variable's name",
                "for example tx.calls.all(c, c.success)",
            );
            return None;
        };
        if self.vars.len() >= NESTING_MAX {
            self.report(
                expr,
                Code::E07,
                format!("all and exists are nested more than {NESTING_MAX} deep"),
                "move the inner test into a probe",
            );
            return None;
        }
        let (list_node, ty) = self.expr(list, OPEN)?;
        let Ty::List(of) = ty else {
            self.report(
                list,
                Code::Rc002,
                format!("{} is not a list", self.ty_name(&ty)),
                "all() and exists() look at the elements of a list",
            );
            return None;
        };
        self.vars.push((name.clone(), *of));
        let body = self.truth(body, side);
        self.vars.pop();
        Some((make(Box::new(list_node), Box::new(body?)), Ty::Bool))
    }

    /// Whether a literal or constructor of one is negative; `None` for anything whose sign is known only later.
    fn literal_sign(&self, expr: &IdedExpr) -> Option<bool> {
        let argument = if let Expr::Call(call) = &expr.expr {
            match (call.func_name.as_str(), call.args.as_slice()) {
                ("usd" | "native" | "ratio" | "bps" | "count", [a]) | ("amount", [_, a]) if call.target.is_none() => a,
                _other => return None,
            }
        } else {
            expr
        };
        if let Expr::Literal(LiteralValue::Int(i)) = &argument.expr {
            return Some(*i.inner() < 0);
        }
        let Expr::Literal(LiteralValue::String(s)) = &argument.expr else { return None };
        self.names.expand(self.scope, s.inner()).ok().map(|text| text.starts_with('-'))
    }
}
