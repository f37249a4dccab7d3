//! ABI in both directions: calldata from policy text, values from words of return data, logs and storage.

use crate::ir::Ty;
use crate::value::{Element, Known, List, VALUES_MAX, Value};
use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_primitives::{Address, B256, I256, U256, hex};
use ripcord_core::qty::{Qty, Unit};
use ripcord_core::signal::UnknownWhy;
use serde::Serialize;
use std::sync::Arc;

/// An address as a policy writes it: mixed case must carry the right checksum.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    let address: Address = text.parse().map_err(|_| format!("`{text}` is not an address"))?;
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mixed = digits.bytes().any(|b| b.is_ascii_uppercase()) && digits.bytes().any(|b| b.is_ascii_lowercase());
    if mixed && address.to_checksum(None) != text {
        return Err(format!("the checksum of {text} is wrong"));
    }
    Ok(address)
}

/// What one ABI word holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Raw {
    /// `uintN`
    Uint(usize),
    /// `intN`
    Int(usize),
    /// `address`
    Address,
    /// `bool`
    Bool,
    /// `bytesN`
    Fixed(usize),
}

impl Raw {
    pub(crate) fn of(ty: &DynSolType) -> Option<Self> {
        if let DynSolType::Uint(bits) = ty {
            Some(Self::Uint(*bits))
        } else if let DynSolType::Int(bits) = ty {
            Some(Self::Int(*bits))
        } else if let DynSolType::FixedBytes(bytes) = ty {
            Some(Self::Fixed(*bytes))
        } else if *ty == DynSolType::Address {
            Some(Self::Address)
        } else {
            (*ty == DynSolType::Bool).then_some(Self::Bool)
        }
    }

    /// The type that a value of `ty` comes as when no ABI says so.
    pub(crate) fn for_ty(ty: &Ty) -> Self {
        match ty {
            Ty::Bool => Self::Bool,
            Ty::Address => Self::Address,
            Ty::Selector => Self::Fixed(4),
            Ty::Word | Ty::List(_) | Ty::Item(_) => Self::Fixed(32),
            Ty::Qty(_) => Self::Uint(256),
        }
    }

    /// Whether a value of `ty` can be read from it.
    pub(crate) fn gives(self, ty: &Ty) -> bool {
        match self {
            Self::Uint(_) | Self::Int(_) => matches!(ty, Ty::Qty(_)),
            Self::Address => *ty == Ty::Address,
            Self::Bool => *ty == Ty::Bool,
            Self::Fixed(4) => *ty == Ty::Selector,
            Self::Fixed(_) => *ty == Ty::Word,
        }
    }
}

/// How raw words become values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Word type.
    pub raw: Raw,
    /// Whether it is a dynamic array of such words.
    pub list: bool,
    /// Type of one value.
    pub ty: Ty,
    /// Decimals of a quantity.
    pub decimals: u8,
}

impl Output {
    /// Type of the signal.
    #[must_use]
    pub fn whole(&self) -> Ty {
        if self.list { Ty::List(Box::new(self.ty.clone())) } else { self.ty.clone() }
    }

    /// Decodes return data.
    ///
    /// # Errors
    /// `Unknown{reverted}` when it is not what the type says.
    pub fn decode(&self, data: &[u8]) -> Known<Value> {
        if !self.list {
            return self.word(word_at(data, 0)?);
        }
        let start = small(word_at(data, 0)?)?;
        let tail = data.get(start..).ok_or(UnknownWhy::Reverted)?;
        let length = small(word_at(tail, 0)?)?;
        let seen = length.min(VALUES_MAX);
        let items = (0..seen)
            .map(|i| {
                let value = word_at(tail, i.saturating_add(1)).and_then(|w| self.word(w))?;
                Ok(Element { key: None, value: Ok(value) })
            })
            .collect::<Known<Vec<_>>>()?;
        Ok(Value::List(Arc::new(List { items, tail: (length > seen).then_some(UnknownWhy::Budget) })))
    }

    /// Decodes one word.
    ///
    /// # Errors
    /// `Unknown{reverted}` when it is out of the type's range.
    pub fn word(&self, word: B256) -> Known<Value> {
        let number = U256::from_be_bytes(word.0);
        let value = match (self.raw, &self.ty) {
            (Raw::Uint(bits), Ty::Qty(unit)) => {
                in_range(number.bit_len() <= bits)?;
                self.qty(false, number, *unit)?
            }
            (Raw::Int(bits), Ty::Qty(unit)) => {
                let signed = I256::from_raw(number);
                let (sign, magnitude) = signed.into_sign_and_abs();
                in_range(magnitude.bit_len() <= bits)?;
                self.qty(sign.is_negative(), magnitude, *unit)?
            }
            (Raw::Address, Ty::Address) => {
                in_range(number.bit_len() <= 160)?;
                Value::Address(Address::from_word(word))
            }
            (Raw::Bool, Ty::Bool) => {
                in_range(number.bit_len() <= 1)?;
                Value::Bool(!number.is_zero())
            }
            (Raw::Fixed(4), Ty::Selector) => {
                let [a, b, c, d, ..] = word.0;
                Value::Selector([a, b, c, d])
            }
            (Raw::Fixed(_), Ty::Word) => Value::Word(word),
            _checked_at_load => return Err(UnknownWhy::Fault),
        };
        Ok(value)
    }

    fn qty(&self, neg: bool, mag: U256, unit: Unit) -> Known<Value> {
        Qty::new(neg, mag, self.decimals, unit).map(Value::Qty).map_err(|_| UnknownWhy::Overflow)
    }
}

fn in_range(ok: bool) -> Known<()> {
    if ok { Ok(()) } else { Err(UnknownWhy::Reverted) }
}

/// The word at an index, or `Unknown{reverted}`.
pub fn word_at(data: &[u8], index: usize) -> Known<B256> {
    let start = index.checked_mul(32).ok_or(UnknownWhy::Reverted)?;
    let end = start.checked_add(32).ok_or(UnknownWhy::Reverted)?;
    data.get(start..end).map(B256::from_slice).ok_or(UnknownWhy::Reverted)
}

fn small(word: B256) -> Known<usize> {
    usize::try_from(U256::from_be_bytes(word.0)).map_err(|_| UnknownWhy::Reverted)
}

/// An argument from text, a number or a truth value.
pub(crate) fn argument(ty: &DynSolType, text: &str) -> Result<DynSolValue, String> {
    let bad = || format!("`{text}` is not a value of type {ty}");
    let value = match (Raw::of(ty), ty) {
        (Some(Raw::Uint(bits)), _) => {
            let number: U256 = text.parse().map_err(|_| bad())?;
            if number.bit_len() > bits {
                return Err(bad());
            }
            DynSolValue::Uint(number, bits)
        }
        (Some(Raw::Int(bits)), _) => {
            let number: I256 = text.parse().map_err(|_| bad())?;
            if number.unsigned_abs().bit_len() >= bits {
                return Err(bad());
            }
            DynSolValue::Int(number, bits)
        }
        (Some(Raw::Address), _) => DynSolValue::Address(address(text)?),
        (Some(Raw::Bool), _) => DynSolValue::Bool(text.parse().map_err(|_| bad())?),
        (Some(Raw::Fixed(bytes)), _) => {
            let raw = hex::decode(text).map_err(|_| bad())?;
            if raw.len() != bytes || raw.len() > 32 {
                return Err(bad());
            }
            DynSolValue::FixedBytes(B256::right_padding_from(&raw), bytes)
        }
        (None, DynSolType::String) => DynSolValue::String(text.to_owned()),
        (None, DynSolType::Bytes) => DynSolValue::Bytes(hex::decode(text).map_err(|_| bad())?),
        (None, _) => return Err(format!("arguments of type {ty} are not available yet")),
    };
    Ok(value)
}
