//! What rules mean: three values, rounding, hashes.

use crate::{codes, load_text, with_rule};
use alloy_primitives::{Address, B256, U256};
use proptest::prelude::*;
use ripcord_core::qty::{Qty, Unit};
use ripcord_core::signal::UnknownWhy;
use ripcord_policy::Policy;
use ripcord_policy::eval::{Leaves, evaluate, evaluate_within};
use ripcord_policy::ir::{ItemField, Leaf, TxField};
use ripcord_policy::value::{Items, Known, Value};
use std::collections::BTreeMap;

/// Values of signals by name; what is not named is unknown.
pub(crate) struct Series<'a>(pub(crate) &'a Policy, pub(crate) BTreeMap<&'static str, Known<Value>>);

impl Leaves for Series<'_> {
    fn signal(&mut self, leaf: Leaf) -> Known<Value> {
        let name = self.0.signals()[leaf.signal].name.as_str();
        self.1.get(name).cloned().unwrap_or(Err(UnknownWhy::MissingState))
    }

    fn tx(&mut self, _field: TxField) -> Known<Value> {
        Err(UnknownWhy::MissingState)
    }

    fn items(&mut self, _items: Items) -> Known<usize> {
        Err(UnknownWhy::MissingState)
    }

    fn field(&mut self, _items: Items, _index: usize, _field: ItemField) -> Known<Value> {
        Err(UnknownWhy::MissingState)
    }
}

fn holds(expr: &str, values: &[(&'static str, Known<Value>)]) -> Known<bool> {
    let policy = load_text(&with_rule(expr)).unwrap_or_else(|e| panic!("{expr}: {e:#?}"));
    let mut series = Series(&policy, values.iter().cloned().collect());
    evaluate(&policy.rules()[0].expr, &mut series).holds
}

fn usd(text: &str) -> Known<Value> {
    Ok(Value::Qty(Qty::parse(text, 8, Unit::Usd).unwrap()))
}

fn ratio(text: &str) -> Known<Value> {
    Ok(Value::Qty(Qty::parse(text, 18, Unit::Ratio).unwrap()))
}

#[test]
fn quotients_are_rounded_towards_violation() {
    // 1/3 lies between 0.333…3 and 0.333…4; with 18 decimals the bound decides on the last digit.
    let third = &[("price", usd("1"))];
    assert_eq!(holds("div(price, usd(3)) >= ratio('0.333333333333333333')", third), Ok(true));
    assert_eq!(holds("div(price, usd(3)) >= ratio('0.3333333333333333331')", third), Ok(false));
    assert_eq!(holds("div(price, usd(3)) <= ratio('0.333333333333333334')", third), Ok(true));
    assert_eq!(holds("div(price, usd(3)) <= ratio('0.333333333333333333')", third), Ok(false));
    assert_eq!(
        holds("!(div(price, usd(3)) > ratio('0.333333333333333333'))", third),
        Ok(false),
        "under a negation the other way"
    );
    assert_eq!(holds("cover <= ratio('0.333333333333333333')", third), Ok(false), "also through a calc signal");
    assert_eq!(holds("ratio(1) - cover >= ratio('0.666666666666666667')", third), Ok(false), "also behind a minus");
    assert_eq!(
        holds("cover * -1 >= ratio('-0.333333333333333333')", third),
        Ok(false),
        "also behind a negative factor"
    );
    assert_eq!(
        holds("within(cover, ratio('0.333333333333333333'), bps(0))", third),
        Ok(false),
        "both ways, the worse one counts"
    );
}

#[test]
fn arithmetic_that_fails_is_unknown() {
    let zero = &[("price", usd("0"))];
    assert_eq!(holds("div(usd(1), price) > ratio(1)", zero), Err(UnknownWhy::Overflow));
    let huge = Ok(Value::Qty(Qty::new(false, U256::MAX, 8, Unit::Usd).unwrap()));
    assert_eq!(holds("price + price > usd(1)", &[("price", huge.clone())]), Err(UnknownWhy::Overflow));
    assert_eq!(holds("price + price > usd(1) || on", &[("price", huge), ("on", Ok(Value::Bool(true)))]), Ok(true));
}

#[test]
fn lower_bounds_decide_where_they_can() {
    let at_least = |text| Ok(Value::AtLeast(Qty::parse(text, 8, Unit::Usd).unwrap(), UnknownWhy::Unwarmed));
    let check = |expr, want| assert_eq!(holds(expr, &[("price", at_least("10"))]), want, "{expr}");
    let open = Err(UnknownWhy::Unwarmed);
    check("price <= usd(9)", Ok(false));
    check("price <= usd(10)", open);
    check("price < usd(10)", Ok(false));
    check("price < usd(11)", open);
    check("price > usd(9)", Ok(true));
    check("price >= usd(10)", Ok(true));
    check("usd(9) >= price", Ok(false));
    check("usd(11) >= price", open);
    check("price == usd(9)", Ok(false));
    check("price == usd(11)", open);
    check("price * 2 + usd(1) <= usd(20)", Ok(false));
    check("usd(30) - price >= usd(20)", open);
    check("price * -1 <= usd(0)", open);
}

#[test]
fn a_bound_on_steps_is_unknown_unless_decided() {
    let policy = load_text(&with_rule("on && off && [1, 2, 3].all(x, x < n)")).unwrap();
    let run = |off, steps| {
        let values =
            [("on", Ok(Value::Bool(true))), ("off", Ok(Value::Bool(off))), ("n", Ok(Value::Qty(Qty::count(9))))];
        evaluate_within(&policy.rules()[0].expr, &mut Series(&policy, values.into()), steps).holds
    };
    assert_eq!(run(true, 1_000), Ok(true));
    assert_eq!(run(true, 5), Err(UnknownWhy::Budget));
    assert_eq!(run(false, 4), Ok(false), "found before the bound");
}

#[test]
fn within_and_health() {
    assert_eq!(holds("within(price, usd(100), bps(150))", &[("price", usd("101.5"))]), Ok(true));
    assert_eq!(holds("within(price, usd(100), bps(150))", &[("price", usd("101.50000001"))]), Ok(false));
    assert_eq!(holds("health >= ratio('0.9995')", &[("health", ratio("0.9995"))]), Ok(true));
    assert_eq!(holds("who == contract('usdc')", &[("who", Ok(Value::Address(Address::repeat_byte(0x22))))]), Ok(true));
}

/// A tree over five named truths.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(usize),
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
    /// `[…].all` or `.exists` over some of the truths, with another one in the body.
    Each(bool, Vec<usize>, usize),
    /// Truth is a member of a list of truths.
    In(usize, Vec<usize>),
}

const TRUTHS: [&str; 5] = ["t0", "t1", "t2", "t3", "t4"];

fn tree() -> impl Strategy<Value = Tree> {
    let some = || prop::collection::vec(0usize..5, 1..4);
    let leaf = prop_oneof![
        3 => (0usize..5).prop_map(Tree::Leaf),
        1 => (any::<bool>(), some(), 0usize..5).prop_map(|(all, of, with)| Tree::Each(all, of, with)),
        1 => (0usize..5, some()).prop_map(|(x, of)| Tree::In(x, of)),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| Tree::Not(Box::new(a))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Tree::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Tree::Or(Box::new(a), Box::new(b))),
        ]
    })
}

impl Tree {
    fn text(&self) -> String {
        let list = |of: &[usize]| of.iter().map(|i| TRUTHS[*i]).collect::<Vec<_>>().join(", ");
        match self {
            Self::Leaf(i) => TRUTHS[*i].to_owned(),
            Self::Not(a) => format!("!({})", a.text()),
            Self::And(a, b) => format!("({} && {})", a.text(), b.text()),
            Self::Or(a, b) => format!("({} || {})", a.text(), b.text()),
            Self::Each(true, of, with) => format!("[{}].all(x, x || {})", list(of), TRUTHS[*with]),
            Self::Each(false, of, with) => format!("[{}].exists(x, x && {})", list(of), TRUTHS[*with]),
            Self::In(x, of) => format!("({} in [{}])", TRUTHS[*x], list(of)),
        }
    }

    /// Strong Kleene logic by its truth tables.
    fn kleene(&self, of: &[Option<bool>; 5]) -> Option<bool> {
        let and = |a: Option<bool>, b: Option<bool>| {
            if a == Some(false) || b == Some(false) { Some(false) } else { a.zip(b).map(|_| true) }
        };
        let not = |a: Option<bool>| a.map(|b| !b);
        let or = |a, b| not(and(not(a), not(b)));
        match self {
            Self::Leaf(i) => of[*i],
            Self::Not(a) => not(a.kleene(of)),
            Self::And(a, b) => and(a.kleene(of), b.kleene(of)),
            Self::Or(a, b) => or(a.kleene(of), b.kleene(of)),
            Self::Each(true, list, with) => list.iter().map(|i| or(of[*i], of[*with])).fold(Some(true), and),
            Self::Each(false, list, with) => list.iter().map(|i| and(of[*i], of[*with])).fold(Some(false), or),
            Self::In(x, list) => {
                let same = |i: &usize| of[*i].zip(of[*x]).map(|(a, b)| a == b);
                list.iter().map(same).fold(Some(false), or)
            }
        }
    }
}

fn truths() -> String {
    let signals: String =
        TRUTHS.iter().map(|t| format!("{t} = {{ unit = \"bool\", view = \"@vault.{t}()\" }}\n")).collect();
    format!("{}\n", crate::HEAD.replace("cover = ", &format!("{signals}cover = ")))
}

proptest! {
    #[test]
    fn three_values_follow_the_tables(tree in tree(), values in any::<[Option<bool>; 5]>()) {
        let rule = with_rule(&tree.text()).split_off(crate::HEAD.len());
        let policy = load_text(&format!("{}{rule}", truths())).unwrap();
        let expr = &policy.rules()[0].expr;
        let run = |of: &[Option<bool>; 5]| {
            let known = TRUTHS.iter().zip(of).filter_map(|(name, v)| v.map(|b| (*name, Ok(Value::Bool(b)))));
            evaluate(expr, &mut Series(&policy, known.collect())).holds.ok()
        };
        let got = run(&values);
        prop_assert_eq!(got, tree.kleene(&values), "{}", tree.text());
        // Whatever the unknown values turn out to be, a verdict stands.
        if got.is_some() {
            for bits in 0u8..32 {
                let full: [Option<bool>; 5] = std::array::from_fn(|i| values[i].or(Some(bits >> i & 1 == 1)));
                prop_assert_eq!(run(&full), got);
            }
        }
    }
}

/// Every operator between every two units: it loads if and only if the units are the same (scaling apart).
#[test]
fn the_unit_check_rejects_every_mixture() {
    let signals = ["price", "cash", "shares", "wei", "health", "fee", "n", "top", "age", "on", "who", "id"];
    for a in signals {
        for b in signals {
            for op in ["<", "<=", ">", ">=", "==", "!=", "+", "-"] {
                let number = !["on", "who", "id"].contains(&a);
                let expr =
                    if matches!(op, "+" | "-") { format!("{a} {op} {b} == {a}") } else { format!("{a} {op} {b}") };
                let fits = a == b && (number || matches!(op, "==" | "!="));
                assert_eq!(codes(&with_rule(&expr)).is_empty(), fits, "{expr}");
            }
            assert_eq!(codes(&with_rule(&format!("{a} in [{b}]"))).is_empty(), a == b, "{a} in [{b}]");
            let number = |s: &str| !["on", "who", "id"].contains(&s);
            assert_eq!(codes(&with_rule(&format!("div({a}, {b}) > ratio(0)"))).is_empty(), a == b && number(a));
            assert_eq!(codes(&with_rule(&format!("within({a}, {b}, bps(1))"))).is_empty(), a == b && number(a));
        }
    }
}

fn hash(text: &str) -> B256 {
    load_text(text).unwrap().rules()[0].spec.hash
}

#[test]
fn the_rule_hash_covers_what_is_computed_and_nothing_else() {
    let base = with_rule("price >= usd(5)");
    let same = |text: String| assert_eq!(hash(&base), hash(&text), "{text}");
    let other = |text: String| assert_ne!(hash(&base), hash(&text), "{text}");
    same(base.replace("title = \"t\"", "title = \"u\"\nmode = \"alert\"\nsummary = \"s\""));
    same(base.replace(
        "on = { unit = \"bool\", view = \"@vault.on()\" }",
        "on = { unit = \"bool\", view = \"@vault.off()\" }",
    ));
    other(with_rule("price >= usd(6)"));
    other(base.replace("@vault.price()", "@vault.price2()"));
    other(base.replace("0x1111111111111111111111111111111111111111", "0x1111111111111111111111111111111111111112"));
    other(base.replace("price = { unit = \"usd\",", "price = { unit = \"usd\", decimals = 18,"));
    other(base.replace("price = { unit = \"usd\",", "price = { unit = \"usd\", at = \"pre-tx\","));
    other(base.replace("on = [\"tx\"]", "on = [\"block\"]"));
    let program = |text: &str| load_text(text).unwrap().program().policy_hash;
    assert_eq!(program(&base), program(&base.replace("title = \"t\"", "title = \"u\"")));
    assert_ne!(program(&base), program(&with_rule("price >= usd(6)")));
}
