use super::*;
use num_bigint::{BigInt, BigUint, Sign};
use proptest::prelude::*;

fn unit() -> impl Strategy<Value = Unit> {
    proptest::sample::select(&UNITS)
}

/// Magnitudes of every length, so that products and sums meet the 256-bit edge.
fn mag() -> impl Strategy<Value = U256> {
    (any::<[u8; 32]>(), 0usize..=256)
        .prop_map(|(bytes, shift)| if shift == 256 { U256::ZERO } else { U256::from_be_bytes(bytes) >> shift })
}

fn qty(unit: Unit) -> impl Strategy<Value = Qty> {
    (any::<bool>(), mag(), prop_oneof![0u8..=18, 0u8..=DECIMALS_MAX])
        .prop_map(move |(neg, mag, decimals)| Qty::new(neg, mag, decimals, unit).unwrap())
}

const UNITS: [Unit; 5] = [Unit::Usd, Unit::Ratio, Unit::Bps, Unit::Count, Unit::Amount(Address::ZERO)];

/// Two values of different units.
fn mixed() -> impl Strategy<Value = (Qty, Qty)> {
    (0..UNITS.len(), 1..UNITS.len())
        .prop_flat_map(|(first, step)| (qty(UNITS[first]), qty(UNITS[(first + step) % UNITS.len()])))
}

fn two() -> impl Strategy<Value = (Qty, Qty)> {
    unit().prop_flat_map(|u| (qty(u), qty(u)))
}

/// The value times 10^[`DECIMALS_MAX`], without bounds.
fn big(q: &Qty) -> BigInt {
    let mag = BigUint::from_bytes_be(&q.mag().to_be_bytes::<32>());
    let sign = if q.is_negative() { Sign::Minus } else { Sign::Plus };
    BigInt::from_biguint(sign, mag) * BigInt::from(10).pow(u32::from(DECIMALS_MAX - q.decimals()))
}

proptest! {
    #[test]
    fn order_is_that_of_the_numbers((a, b) in two()) {
        prop_assert_eq!(a.compare(&b).unwrap(), big(&a).cmp(&big(&b)));
    }

    #[test]
    fn a_sum_is_exact_or_an_overflow((a, b) in two()) {
        for (got, want) in [(a.checked_add(&b), big(&a) + big(&b)), (a.checked_sub(&b), big(&a) - big(&b))] {
            match got {
                Ok(sum) => prop_assert_eq!(big(&sum), want),
                Err(error) => {
                    prop_assert_eq!(error, QtyError::Overflow);
                    let decimals = u32::from(a.decimals().max(b.decimals()));
                    let raw = want.magnitude() / BigUint::from(10u8).pow(u32::from(DECIMALS_MAX) - decimals);
                    prop_assert!(raw.bits() > 256);
                }
            }
        }
    }

    #[test]
    fn a_product_is_exact_or_an_overflow(a in unit().prop_flat_map(qty), by in prop_oneof![qty(Unit::Ratio), qty(Unit::Bps), qty(Unit::Count)]) {
        match a.checked_mul(&by) {
            Ok(product) => {
                prop_assert_eq!(product.unit(), a.unit());
                prop_assert_eq!(big(&product) * BigInt::from(10).pow(u32::from(DECIMALS_MAX)), big(&a) * big(&by));
            }
            Err(error) => prop_assert_eq!(error, QtyError::Overflow),
        }
    }

    #[test]
    fn a_quotient_brackets_the_true_value((a, b) in two()) {
        prop_assume!(!b.is_zero());
        let (Ok(down), Ok(up)) = (Qty::div(&a, &b, Rounding::Down), Qty::div(&a, &b, Rounding::Up)) else { return Ok(()) };
        let one = BigInt::from(10).pow(u32::from(DECIMALS_MAX));
        let side = if b.is_negative() { BigInt::from(-1) } else { BigInt::from(1) };
        let exact = big(&a) * &one * &side;
        let (low, high) = (big(&down) * big(&b) * &side, big(&up) * big(&b) * &side);
        prop_assert!(low <= exact && exact <= high);
        let step = up.checked_sub(&down).unwrap();
        prop_assert!(step.mag() <= U256::from(1));
        prop_assert_eq!(step.is_zero(), low == exact);
    }

    #[test]
    fn within_is_the_formula((p, q) in two(), tolerance in prop_oneof![qty(Unit::Bps), qty(Unit::Ratio)]) {
        let one = BigInt::from(10).pow(u32::from(DECIMALS_MAX));
        let gap = BigInt::from((big(&p) - big(&q)).magnitude().clone());
        let want = gap * one <= big(&tolerance) * BigInt::from(big(&q).magnitude().clone());
        match Qty::within(&p, &q, &tolerance) {
            Ok(got) => prop_assert_eq!(got, want),
            Err(error) => prop_assert_eq!(error, QtyError::Overflow),
        }
    }

    #[test]
    fn no_operation_mixes_units((a, b) in mixed()) {
        let mixed = QtyError::Units(a.unit(), b.unit());
        prop_assert_eq!(a.compare(&b), Err(mixed));
        prop_assert_eq!(a.checked_add(&b), Err(mixed));
        prop_assert_eq!(Qty::div(&a, &b, Rounding::Up), Err(mixed));
        prop_assert_eq!(Qty::within(&a, &b, &Qty::zero(Unit::Bps)), Err(mixed));
    }

    #[test]
    fn what_is_printed_reads_back(q in qty(Unit::Usd)) {
        let back = Qty::parse(&q.to_string(), 0, Unit::Usd).unwrap();
        prop_assert_eq!(back.compare(&q).unwrap(), Ordering::Equal);
    }

    #[test]
    fn literals_never_panic(text in "[-.0-9a]{0,90}", scale in 0u8..=80) {
        let _result = Qty::parse(&text, scale, Unit::Usd);
    }
}

#[test]
fn minus_zero_is_zero() {
    let zero = Qty::new(true, U256::ZERO, 8, Unit::Usd).unwrap();
    assert!(!zero.is_negative());
    assert!(!zero.negated().is_negative());
    assert_eq!(zero.compare(&Qty::zero(Unit::Usd)), Ok(Ordering::Equal));
}

#[test]
fn literals_keep_every_digit_and_at_least_the_scale() {
    let check = |text: &str, scale, mag: u64, decimals| {
        assert_eq!(Qty::parse(text, scale, Unit::Bps), Qty::new(false, U256::from(mag), decimals, Unit::Bps), "{text}");
    };
    check("0.25", 8, 25_000_000, 8);
    check("2.54321", 4, 254_321, 5);
    check("7", 0, 7, 0);
    for bad in ["", "-", ".5", "5.", "1.2.3", "1e3", "+1", "0x10", " 1"] {
        assert_eq!(Qty::parse(bad, 0, Unit::Count), Err(QtyError::Literal), "{bad}");
    }
}

#[test]
fn an_unlimited_health_factor_compares_with_any_scale() {
    let unlimited = Qty::new(false, U256::MAX, 18, Unit::Ratio).unwrap();
    let one = Qty::parse("1", 77, Unit::Ratio).unwrap();
    assert_eq!(unlimited.compare(&one), Ok(Ordering::Greater));
}

#[test]
fn a_zero_denominator_has_no_quotient() {
    let zero = Qty::zero(Unit::Usd);
    assert_eq!(Qty::div(&zero, &zero, Rounding::Up), Err(QtyError::ZeroDenominator));
}

/// The formula at its edge: zero is within any tolerance of zero, a negative one included.
#[test]
fn zero_is_within_a_negative_tolerance_of_zero() {
    let minus = Qty::parse("-1", 0, Unit::Ratio).unwrap();
    assert_eq!(Qty::within(&Qty::count(0), &Qty::count(0), &minus), Ok(true));
    assert_eq!(Qty::within(&Qty::count(1), &Qty::count(1), &minus), Ok(false));
    assert_eq!(Qty::within(&Qty::count(0), &Qty::count(1), &minus), Ok(false));
}
