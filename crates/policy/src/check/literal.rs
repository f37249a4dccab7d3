//! Constructors: text and integers that become quantities, addresses and hashes when the policy is loaded.

use super::{Checked, Checker};
use crate::diagnostic::{Code, suggest};
use crate::ir::{Node, Ty};
use alloy_primitives::{B256, keccak256};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use ripcord_core::qty::{Qty, QtyError, Unit};

/// Most decimals that a literal may have.
const LITERAL_DECIMALS_MAX: u8 = 36;

impl Checker<'_> {
    /// A constructor call, if `name` is one.
    pub(super) fn constructor_call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Checked> {
        let args = call.args.as_slice();
        Some(match (call.func_name.as_str(), args) {
            ("usd", [a]) => self.quantity(a, Unit::Usd, 8),
            ("native", [a]) => self.quantity(a, Unit::Native, 18),
            ("ratio", [a]) => self.quantity(a, Unit::Ratio, 18),
            ("bps", [a]) => self.basis_points(a),
            ("count", [a]) => self.quantity(a, Unit::Count, 0),
            ("height", [a]) => self.quantity(a, Unit::Height, 0),
            ("duration", [a]) => self.duration(a),
            ("amount", [token, a]) => self.amount(token, a),
            ("contract", [a]) => self.contract(a),
            ("addr", [a]) => self.address(a),
            ("bytes32", [a]) => self.word(a),
            ("selector", [a]) => self.selector(a),
            ("topic", [a]) => self.topic(a),
            (
                "usd" | "native" | "ratio" | "bps" | "count" | "height" | "duration" | "contract" | "addr" | "bytes32"
                | "selector" | "topic",
                _,
            ) => {
                self.report(
                    expr,
                    Code::E02,
                    format!("{}() takes one literal", call.func_name),
                    "for example usd('0.25') or bps(150)",
                );
                None
            }
            ("amount", _) => {
                self.report(
                    expr,
                    Code::E02,
                    "amount() takes a contract's name and a number",
                    "for example amount('usdc', '10.5')",
                );
                None
            }
            _other => return None,
        })
    }

    /// Literal text, with `env:NAME` replaced.
    fn text(&mut self, arg: &IdedExpr) -> Option<String> {
        let raw = if let Expr::Literal(LiteralValue::String(s)) = &arg.expr {
            s.inner().to_owned()
        } else if let Expr::Literal(LiteralValue::Int(i)) = &arg.expr {
            i.inner().to_string()
        } else {
            let help = "write the number as text or as an integer, or use env:NAME in the text";
            self.report(arg, Code::E02, "a constructor takes a literal", help);
            return None;
        };
        match self.names.expand(self.scope, &raw) {
            Ok(text) => Some(text.to_owned()),
            Err(name) => {
                self.report(
                    arg,
                    Code::E06,
                    format!("the variable `{name}` is not set"),
                    "set it in the environment, in `vars`, or where the file is included",
                );
                None
            }
        }
    }

    fn quantity(&mut self, arg: &IdedExpr, unit: Unit, decimals: u8) -> Checked {
        let text = self.text(arg)?;
        match Qty::parse(&text, decimals, unit) {
            Ok(q) if q.decimals() <= LITERAL_DECIMALS_MAX => Some((Node::Qty(q), Ty::Qty(unit))),
            Ok(_) => {
                self.report(arg, Code::E07, format!("more than {LITERAL_DECIMALS_MAX} decimals"), "round the literal");
                None
            }
            Err(QtyError::Overflow) => {
                self.report(arg, Code::E07, "the number does not fit 256 bits", "use a smaller number");
                None
            }
            Err(_) => {
                self.report(
                    arg,
                    Code::E02,
                    format!("`{text}` is not a decimal number"),
                    "digits with at most one point, for example '0.25'",
                );
                None
            }
        }
    }

    fn basis_points(&mut self, arg: &IdedExpr) -> Checked {
        let (node, ty) = self.quantity(arg, Unit::Bps, 0)?;
        let Node::Qty(q) = node else { return None };
        let scaled = q.decimals().checked_add(4).and_then(|d| Qty::new(q.is_negative(), q.mag(), d, Unit::Bps).ok())?;
        Some((Node::Qty(scaled), ty))
    }

    fn duration(&mut self, arg: &IdedExpr) -> Checked {
        let text = self.text(arg)?;
        match crate::duration::parse(&text) {
            Some(crate::duration::Span::Millis(ms)) if ms % 1_000 == 0 => {
                let q = Qty::new(false, alloy_primitives::U256::from(ms / 1_000), 0, Unit::Secs).ok()?;
                Some((Node::Qty(q), Ty::Qty(Unit::Secs)))
            }
            _other => {
                self.report(
                    arg,
                    Code::E02,
                    format!("`{text}` is not a duration in seconds"),
                    "for example duration('90s') or duration('6h')",
                );
                None
            }
        }
    }

    fn amount(&mut self, token: &IdedExpr, arg: &IdedExpr) -> Checked {
        let contract = self.named_contract(token)?;
        let Some(decimals) = contract.1 else {
            self.report(token, Code::E03, "the contract has no `decimals`", "add `decimals = …` to it in [contracts]");
            return None;
        };
        self.quantity(arg, Unit::Amount(contract.0), decimals)
    }

    fn contract(&mut self, arg: &IdedExpr) -> Checked {
        self.named_contract(arg).map(|(address, _)| (Node::Address(address), Ty::Address))
    }

    fn named_contract(&mut self, arg: &IdedExpr) -> Option<(alloy_primitives::Address, Option<u8>)> {
        let text = self.text(arg)?;
        let name = text.strip_prefix('@').unwrap_or(&text);
        let key = self.names.contract_key(self.scope, name);
        if self.names.broken_contracts.contains(key) {
            return None;
        }
        if let Some(contract) = self.names.contracts.get(key) {
            return Some((contract.address, contract.decimals));
        }
        let help = suggest(name, self.names.contracts.keys().map(String::as_str));
        self.report(arg, Code::E04, format!("there is no contract `{name}`"), help);
        None
    }

    fn address(&mut self, arg: &IdedExpr) -> Checked {
        let text = self.text(arg)?;
        match crate::abi::address(&text) {
            Ok(address) => Some((Node::Address(address), Ty::Address)),
            Err(why) => {
                self.report(arg, Code::E02, why, "copy it with its checksum, or write it in lower case");
                None
            }
        }
    }

    fn word(&mut self, arg: &IdedExpr) -> Checked {
        let text = self.text(arg)?;
        let Ok(word) = text.parse::<B256>() else {
            self.report(arg, Code::E02, format!("`{text}` is not 32 bytes of hex"), "0x and 64 digits");
            return None;
        };
        Some((Node::Word(word), Ty::Word))
    }

    fn selector(&mut self, arg: &IdedExpr) -> Checked {
        let text = self.text(arg)?;
        match alloy_json_abi::Function::parse(&text) {
            Ok(function) => Some((Node::Selector(function.selector().0), Ty::Selector)),
            Err(_) => {
                self.report(
                    arg,
                    Code::E02,
                    format!("`{text}` is not a function signature"),
                    "for example selector('pauseFor(uint64)')",
                );
                None
            }
        }
    }

    fn topic(&mut self, arg: &IdedExpr) -> Checked {
        let text = self.text(arg)?;
        match alloy_json_abi::Event::parse(&text) {
            Ok(event) => Some((Node::Word(keccak256(event.signature())), Ty::Word)),
            Err(_) => {
                self.report(
                    arg,
                    Code::E02,
                    format!("`{text}` is not an event signature"),
                    "for example topic('Transfer(address,address,uint256)')",
                );
                None
            }
        }
    }
}
