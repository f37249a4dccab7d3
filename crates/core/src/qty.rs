//! Quantities with units: the only numbers that rules compute with.
//!
//! Sums and products are exact or an error; only [`Qty::div`] rounds, in the direction that its caller names. Values of
//! different units never meet. This module knows no names of contracts and reads no text but decimal literals.

use alloy_primitives::{Address, U256, U512};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "unit", content = "token")]
pub enum Unit {
    /// US dollars, 1e-8.
    Usd,
    /// An ERC-20 token (or vault share) by its contract, in the token's own decimals.
    Amount(Address),
    /// The chain's native coin, wei.
    Native,
    /// A plain fraction, 1e-18.
    Ratio,
    /// A fraction in basis points, 1e-4.
    Bps,
    /// A bare count.
    Count,
    /// A block height.
    Height,
    /// Seconds.
    Secs,
}

impl Unit {
    /// Decimals of a raw value, where the unit itself fixes them; a token's are its own.
    #[must_use]
    pub const fn decimals(self) -> Option<u8> {
        match self {
            Self::Usd => Some(8),
            Self::Amount(_) => None,
            Self::Native | Self::Ratio => Some(18),
            Self::Bps => Some(4),
            Self::Count | Self::Height | Self::Secs => Some(0),
        }
    }

    /// Whether a value of this unit scales others: `usd * ratio`, `usd * bps`.
    #[must_use]
    pub const fn scales(self) -> bool {
        matches!(self, Self::Ratio | Self::Bps)
    }
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usd => f.write_str("usd"),
            Self::Amount(token) => write!(f, "amount:{token}"),
            Self::Native => f.write_str("native"),
            Self::Ratio => f.write_str("ratio"),
            Self::Bps => f.write_str("bps"),
            Self::Count => f.write_str("count"),
            Self::Height => f.write_str("height"),
            Self::Secs => f.write_str("secs"),
        }
    }
}

/// Which way a quotient that does not come out even is rounded, on the number line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// Towards minus infinity: the violation side of `div(a, b) >= c`.
    Down,
    /// Towards plus infinity: the violation side of `div(a, b) <= c`.
    Up,
}

impl Rounding {
    /// The other direction.
    #[must_use]
    pub const fn flip(self) -> Self {
        match self {
            Self::Down => Self::Up,
            Self::Up => Self::Down,
        }
    }
}

/// Most decimals a quantity may carry: 10^77 is the largest power of ten in 256 bits, and literals stop well before.
pub const DECIMALS_MAX: u8 = 77;

/// Decimals of the ratio that [`Qty::div`] returns.
pub const RATIO_DECIMALS: u8 = 18;

/// Why an operation has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum QtyError {
    /// The operands count different things.
    #[error("{0} and {1} are different units")]
    Units(Unit, Unit),
    /// The result does not fit 256 bits or [`DECIMALS_MAX`] decimals.
    #[error("the result does not fit 256 bits")]
    Overflow,
    /// Division by zero.
    #[error("the denominator is zero")]
    ZeroDenominator,
    /// The text is not a decimal number.
    #[error("not a decimal number")]
    Literal,
}

/// A signed fixed-point number with a unit: `(-1)^neg * mag * 10^-decimals`.
///
/// Equality (`==` of Rust) is of representation; [`Qty::compare`] is of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Qty {
    neg: bool,
    mag: U256,
    decimals: u8,
    unit: Unit,
}

impl Qty {
    /// A quantity; minus zero becomes zero.
    ///
    /// # Errors
    /// [`QtyError::Overflow`] above [`DECIMALS_MAX`] decimals.
    pub fn new(neg: bool, mag: U256, decimals: u8, unit: Unit) -> Result<Self, QtyError> {
        if decimals > DECIMALS_MAX {
            return Err(QtyError::Overflow);
        }
        Ok(Self { neg: neg && !mag.is_zero(), mag, decimals, unit })
    }

    /// A bare count.
    #[must_use]
    pub fn count(value: i64) -> Self {
        Self { neg: value < 0, mag: U256::from(value.unsigned_abs()), decimals: 0, unit: Unit::Count }
    }

    /// Zero of a unit.
    #[must_use]
    pub fn zero(unit: Unit) -> Self {
        Self { neg: false, mag: U256::ZERO, decimals: 0, unit }
    }

    /// Reads a decimal literal such as `-0.25` exactly; `scale` is the least number of decimals kept.
    ///
    /// # Errors
    /// [`QtyError::Literal`] for anything else than digits with at most one point, [`QtyError::Overflow`] when it does not fit.
    pub fn parse(text: &str, scale: u8, unit: Unit) -> Result<Self, QtyError> {
        let (neg, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || !all_digits(whole)
            || !all_digits(fraction)
            || (fraction.is_empty() && digits.contains('.'))
        {
            return Err(QtyError::Literal);
        }
        let mut mag = U256::ZERO;
        for digit in whole.bytes().chain(fraction.bytes()) {
            mag = mag
                .checked_mul(U256::from(10))
                .and_then(|m| m.checked_add(U256::from(digit - b'0')))
                .ok_or(QtyError::Overflow)?;
        }
        let written = u8::try_from(fraction.len()).map_err(|_| QtyError::Overflow)?;
        let value = Self::new(neg, mag, written, unit)?;
        if written < scale { value.rescaled(scale) } else { Ok(value) }
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(&self) -> bool {
        self.neg
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.mag.is_zero()
    }

    /// Magnitude in units of 10^-[`Qty::decimals`].
    #[must_use]
    pub const fn mag(&self) -> U256 {
        self.mag
    }

    /// Decimals.
    #[must_use]
    pub const fn decimals(&self) -> u8 {
        self.decimals
    }

    /// Unit.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// The same number counted as another unit, where a rule's type check has already said that this is meant.
    #[must_use]
    pub const fn with_unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    /// The negative.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { neg: !self.neg && !self.mag.is_zero(), ..self }
    }

    /// The same value with at least its present decimals.
    fn rescaled(self, decimals: u8) -> Result<Self, QtyError> {
        let by = decimals.checked_sub(self.decimals).ok_or(QtyError::Overflow)?;
        let mag = self.mag.checked_mul(pow10(by)?).ok_or(QtyError::Overflow)?;
        Self::new(self.neg, mag, decimals, self.unit)
    }

    fn same_unit(&self, other: &Self) -> Result<(), QtyError> {
        if self.unit == other.unit { Ok(()) } else { Err(QtyError::Units(self.unit, other.unit)) }
    }

    /// Compares by value, exactly, in 512 bits.
    ///
    /// # Errors
    /// [`QtyError::Units`].
    pub fn compare(&self, other: &Self) -> Result<Ordering, QtyError> {
        self.same_unit(other)?;
        let (a, b) = aligned(self, other)?;
        Ok(match (self.neg, other.neg) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => a.cmp(&b),
            (true, true) => b.cmp(&a),
        })
    }

    /// Sum, exact.
    ///
    /// # Errors
    /// [`QtyError::Units`] or [`QtyError::Overflow`].
    pub fn checked_add(&self, other: &Self) -> Result<Self, QtyError> {
        self.same_unit(other)?;
        let decimals = self.decimals.max(other.decimals);
        let (a, b) = aligned(self, other)?;
        let (neg, mag) = if self.neg == other.neg {
            (self.neg, a.checked_add(b).ok_or(QtyError::Overflow)?)
        } else if a >= b {
            (self.neg, a.wrapping_sub(b))
        } else {
            (other.neg, b.wrapping_sub(a))
        };
        Self::new(neg, narrow(mag)?, decimals, self.unit)
    }

    /// Difference, exact.
    ///
    /// # Errors
    /// [`QtyError::Units`] or [`QtyError::Overflow`].
    pub fn checked_sub(&self, other: &Self) -> Result<Self, QtyError> {
        self.checked_add(&other.negated())
    }

    /// Product with a count, a ratio or basis points, exact: the result has the decimals of both and this one's unit.
    ///
    /// # Errors
    /// [`QtyError::Units`] when `by` is none of these, [`QtyError::Overflow`].
    pub fn checked_mul(&self, by: &Self) -> Result<Self, QtyError> {
        if !(by.unit.scales() || by.unit == Unit::Count) {
            return Err(QtyError::Units(self.unit, by.unit));
        }
        let mag = self.mag.checked_mul(by.mag).ok_or(QtyError::Overflow)?;
        let decimals = self.decimals.checked_add(by.decimals).ok_or(QtyError::Overflow)?;
        Self::new(self.neg != by.neg, mag, decimals, self.unit)
    }

    /// Quotient of two quantities of one unit as a ratio of 18 decimals, rounded the way `rounding` says.
    ///
    /// # Errors
    /// [`QtyError::Units`], [`QtyError::ZeroDenominator`] or [`QtyError::Overflow`].
    pub fn div(a: &Self, b: &Self, rounding: Rounding) -> Result<Self, QtyError> {
        a.same_unit(b)?;
        if b.mag.is_zero() {
            return Err(QtyError::ZeroDenominator);
        }
        let (top, bottom) = aligned(a, b)?;
        let scale = U512::from(pow10(RATIO_DECIMALS)?);
        let top = top.checked_mul(scale).ok_or(QtyError::Overflow)?;
        let neg = a.neg != b.neg;
        let mut mag = top.wrapping_div(bottom);
        let away_from_zero = matches!((rounding, neg), (Rounding::Up, false) | (Rounding::Down, true));
        if away_from_zero && !top.wrapping_rem(bottom).is_zero() {
            mag = mag.checked_add(U512::from(1)).ok_or(QtyError::Overflow)?;
        }
        Self::new(neg, narrow(mag)?, RATIO_DECIMALS, Unit::Ratio)
    }

    /// Whether `|p - q| <= tolerance * |q|`, in 512 bits; `tolerance` is in basis points or a ratio.
    ///
    /// # Errors
    /// [`QtyError::Units`] or [`QtyError::Overflow`].
    pub fn within(p: &Self, q: &Self, tolerance: &Self) -> Result<bool, QtyError> {
        p.same_unit(q)?;
        if !tolerance.unit.scales() {
            return Err(QtyError::Units(Unit::Bps, tolerance.unit));
        }
        let (a, b) = aligned(p, q)?;
        let gap = if p.neg == q.neg {
            a.max(b).wrapping_sub(a.min(b))
        } else {
            a.checked_add(b).ok_or(QtyError::Overflow)?
        };
        if tolerance.neg {
            // Nothing but zero is at most a negative multiple of |q|, and only when that is zero, too.
            return Ok(gap.is_zero() && (b.is_zero() || tolerance.mag.is_zero()));
        }
        let left = gap.checked_mul(U512::from(pow10(tolerance.decimals)?)).ok_or(QtyError::Overflow)?;
        let right = b.checked_mul(U512::from(tolerance.mag)).ok_or(QtyError::Overflow)?;
        Ok(left <= right)
    }
}

/// The number as people write it, without trailing zeros behind the point and without the unit.
impl std::fmt::Display for Qty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = self.mag.to_string();
        let places = usize::from(self.decimals);
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        let fraction = fraction.trim_end_matches('0');
        let sign = if self.neg { "-" } else { "" };
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

fn pow10(exponent: u8) -> Result<U256, QtyError> {
    U256::from(10).checked_pow(U256::from(exponent)).ok_or(QtyError::Overflow)
}

fn narrow(wide: U512) -> Result<U256, QtyError> {
    U256::checked_from_limbs_slice(wide.as_limbs()).ok_or(QtyError::Overflow)
}

/// Both magnitudes at the finer of the two scales. `mag < 2^256` and `10^77 < 2^256`, so the product always fits 512 bits.
fn aligned(a: &Qty, b: &Qty) -> Result<(U512, U512), QtyError> {
    let decimals = a.decimals.max(b.decimals);
    let lift = |q: &Qty| {
        let by = pow10(decimals.saturating_sub(q.decimals))?;
        U512::from(q.mag).checked_mul(U512::from(by)).ok_or(QtyError::Overflow)
    };
    Ok((lift(a)?, lift(b)?))
}

#[cfg(test)]
mod tests;
