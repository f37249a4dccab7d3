//! `tx.…` and the fields of calls, logs and moves.

use super::{Checked, Checker, OPEN, is_tx, items};
use crate::diagnostic::{Code, suggest};
use crate::ir::{ItemField, Node, TxField, Ty};
use crate::value::Items;
use cel::common::ast::{IdedExpr, SelectExpr};
use ripcord_core::qty::Unit;

const TX: [&str; 8] = ["from", "to", "value", "success", "selector", "calls", "logs", "moves"];

impl Checker<'_> {
    pub(super) fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Checked {
        let name = select.field.as_str();
        if select.test {
            self.report(expr, Code::E02, "has() is not available yet", "every field that may be named is always there");
            return None;
        }
        if is_tx(select) && !self.vars.iter().any(|(n, _)| n == "tx") {
            if let Some(items) = items(name) {
                return Some((Node::Items(items), Ty::List(Box::new(Ty::Item(items)))));
            }
            let Some((field, ty)) = tx_field(name) else {
                self.report(expr, Code::E04, format!("a transaction has no field `{name}`"), suggest(name, TX));
                return None;
            };
            return Some((Node::Tx(field), ty));
        }
        let (of, ty) = self.expr(&select.operand, OPEN)?;
        let Ty::Item(items) = ty else {
            self.report(
                expr,
                Code::Rc002,
                format!("{ty} has no fields"),
                "only tx and elements of tx.calls, tx.logs and tx.moves have fields",
            );
            return None;
        };
        let Some((field, ty)) = item_field(items, name) else {
            let known = fields(items);
            let help = suggest(name, known.iter().map(|(n, _, _)| *n));
            self.report(expr, Code::E04, format!("a {} has no field `{name}`", items.name()), help);
            return None;
        };
        Some((Node::Field(Box::new(of), field), ty))
    }
}

fn tx_field(name: &str) -> Option<(TxField, Ty)> {
    Some(match name {
        "from" => (TxField::From, Ty::Address),
        "to" => (TxField::To, Ty::Address),
        "value" => (TxField::Value, Ty::Qty(Unit::Native)),
        "success" => (TxField::Success, Ty::Bool),
        "selector" => (TxField::Selector, Ty::Selector),
        _other => return None,
    })
}

fn fields(items: Items) -> Vec<(&'static str, ItemField, Ty)> {
    match items {
        Items::Calls => vec![
            ("from", ItemField::From, Ty::Address),
            ("to", ItemField::To, Ty::Address),
            ("code", ItemField::Code, Ty::Address),
            ("selector", ItemField::Selector, Ty::Selector),
            ("value", ItemField::Value, Ty::Qty(Unit::Native)),
            ("depth", ItemField::Depth, Ty::Qty(Unit::Count)),
            ("success", ItemField::Success, Ty::Bool),
        ],
        Items::Logs => vec![("emitter", ItemField::Emitter, Ty::Address), ("topic0", ItemField::Topic0, Ty::Word)],
        Items::Moves => vec![
            ("token", ItemField::Token, Ty::Address),
            ("from", ItemField::From, Ty::Address),
            ("to", ItemField::To, Ty::Address),
            ("raw", ItemField::Raw, Ty::Qty(Unit::Count)),
        ],
    }
}

fn item_field(items: Items, name: &str) -> Option<(ItemField, Ty)> {
    fields(items).into_iter().find(|(n, _, _)| *n == name).map(|(_, field, ty)| (field, ty))
}
