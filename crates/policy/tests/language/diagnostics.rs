//! What people see for each class of error.

use crate::{HEAD, codes, render, with_rule};
use alloy_primitives::keccak256;
use ripcord_core::playbook::Effect;
use ripcord_core::trip::TripMode;

macro_rules! shown {
    ($name:ident, $text:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(render(&$text));
        }
    };
}

shown!(e01_unknown_key, format!("{HEAD}\n[defaults]\nmode = \"shadow\"\nkeep_fireing_for = \"10m\"\n"));
shown!(
    e01_not_available_yet,
    format!(
        "{HEAD}\n[notify]\npage = {{ kind = \"pagerduty\" }}\n[signals.p]\nunit = \"usd\"\nview = \"@vault.price()\"\nevery = \"1 block\"\n"
    )
);
shown!(
    e02_wrong_type,
    HEAD.replace("sources = [\"a\"]", "sources = [\"a\"]\nquorum = \"two\"\nstale_after = \"3 weeks\"")
);
shown!(
    e02_bad_checksum,
    HEAD.replace("0x2222222222222222222222222222222222222222", "0xAe05Cd22df81871bc7cC2a04BeCfb516bFe332C9")
);
shown!(e02_not_toml, format!("{HEAD}\n[rules\n"));
shown!(e02_not_cel, with_rule("price >= usd(5) &&"));
shown!(e02_function, with_rule("whithin(price, price, bps(5))"));
shown!(e03_missing, HEAD.replace("id = \"eip155:31337\"\n", ""));
shown!(
    e04_dangling,
    format!(
        "{}\nplaybook = \"contian\"\n[[playbooks]]\nid = \"contain\"\nsteps = [{{ id = \"a\", notify = \"x\", else = \"b\" }}]\n",
        with_rule("on").trim_end()
    )
);
shown!(e05_duplicate, format!("{0}[[rules]]{1}", with_rule("on"), with_rule("off").split("[[rules]]").nth(1).unwrap()));
shown!(
    e06_absent,
    HEAD.replace("\"0x2222222222222222222222222222222222222222\"", "\"env:USDC\", abi = \"out/USDC.json\"")
);
shown!(e07_range, with_rule("on").replace("severity = \"P1\"", "severity = \"P1\"\nmode = \"armed\""));
shown!(e08_exclusive, HEAD.replace("fee = { unit = \"bps\", view", "fee = { unit = \"bps\", slot = 1, view"));
shown!(rc001_unknown_signal, with_rule("prise >= usd(5)"));
shown!(rc002_wrong_unit, with_rule("price >= health && cash <= amount('vault', 5)"));
shown!(rc008_bare_number, with_rule("price >= 5"));
shown!(rc009_no_trigger, with_rule("tx.calls.all(c, c.success)"));
shown!(
    rc010_signer,
    format!(
        "{HEAD}\n[signers]\nk = {{ kind = \"keystore\", account = \"0x1111111111111111111111111111111111111111\", only = [\"a.gone\"] }}\n[[playbooks]]\nid = \"a\"\nsteps = [{{ id = \"stop\", call = \"@vault.stop()\", via = \"k\", approve = \"auto\" }}]\n"
    )
);
shown!(
    e02_trip,
    with_trip("trip = \"@vault\", scope = \"0x00\", to = \"CLOSED\", args = [1], via = \"k\", approve = \"auto\"")
);
shown!(in_a_calc_signal, HEAD.replace("div(price, usd(3))", "div(price, cash)"));
shown!(
    all_errors_of_a_run,
    format!(
        "{}bogus = 1\n",
        with_rule("prise >= usd(5) || price == cash || who > 3")
            .replace("chain = \"dev\", address = \"0x2222", "chain = \"deb\", address = \"0x2222")
    )
);

fn with_trip(fields: &str) -> String {
    format!(
        "{HEAD}\n[signers]\nk = {{ kind = \"keystore\", account = \"0x1111111111111111111111111111111111111111\" }}\n\
         [[playbooks]]\nid = \"a\"\nsteps = [{{ id = \"stop\", {fields} }}]\n"
    )
}

/// A scope is named by its 32 bytes or by the text that they are the hash of; both name the same.
#[test]
fn a_trip_names_its_scope_and_closes_what_its_mode_may() {
    let load = |scope: &str, to: &str| {
        let text = with_trip(&format!(
            "trip = \"@vault\", scope = \"{scope}\", to = \"{to}\", via = \"k\", approve = \"auto\", expires = \"24h\""
        ));
        crate::load_text(&text).unwrap().program().playbooks[0].steps[0].clone()
    };
    let named = load("market", "RESTRICTED");
    assert_eq!(named.effect, load(&keccak256("market").to_string(), "RESTRICTED").effect);
    assert_eq!(named.expires_ms, Some(86_400_000));
    let Effect::Trip { scope, to, mask, ref via, .. } = named.effect else { panic!("{:?}", named.effect) };
    assert_eq!((scope, to, via.as_str()), (keccak256("market"), TripMode::Restricted, "k"));
    let Effect::Trip { mask: halted, .. } = load("market", "HALTED").effect else { panic!() };
    // REDUCE_RISK (bit 3) and CLAIM (bit 8) are never closed, and a halt closes whatever a restriction closes.
    assert_eq!((halted & 0b1_0000_1000, halted & mask), (0, mask));
}

#[test]
fn every_finding_has_a_place_and_help() {
    let text = with_rule("prise >= usd(5)");
    let found = crate::load_text(&text).unwrap_err();
    assert_eq!(found.len(), 1);
    assert_eq!(text.get(found[0].span.clone()), Some("prise"));
    assert_eq!((found[0].line, found[0].column), (text.lines().count(), 11));
    assert_eq!(found[0].help, "did you mean `price`?");
}

#[test]
fn classes() {
    let check = |expr: &str, want: &[&str]| assert_eq!(codes(&with_rule(expr)), want, "{expr}");
    check("price >= usd('0.25')", &[]);
    check("price", &["RC002"]);
    check("!price", &["RC002"]);
    check("price + cash > usd(1)", &["RC002"]);
    check("price * price > usd(1)", &["RC002"]);
    check("price * health * fee * 2 > usd(1)", &[]);
    check("price / 2 > usd(1)", &["E02"]);
    check("div(price, usd(2)) == ratio(1)", &["E02"]);
    check("within(price, usd(2), bps(150))", &[]);
    check("within(div(price, usd(2)), ratio(1), bps(150))", &[]);
    check("within(price, usd(2), usd(1))", &["RC002"]);
    check("who == contract('vault') || who == addr('0x2222222222222222222222222222222222222222')", &[]);
    check("who == contract('valt')", &["E04"]);
    check("who < who", &["RC002"]);
    check("top > 5 && age < duration('5m') && n < 5", &[]);
    check("age < 5", &["RC008"]);
    check("top > n", &["RC002"]);
    check("n in [1, 2] && who in [contract('vault')]", &[]);
    check("n in [usd(1)]", &["RC002"]);
    check("debts.all(d, d < usd(5)) && size(debts) < 5", &[]);
    check("debts.all(d, d < 5)", &["RC008"]);
    check("price.all(d, d < 5)", &["RC002"]);
    check("delta(price) <= usd(0)", &[]);
    check("delta(cover) <= ratio(0)", &["E02"]);
    check("delta(debts) <= usd(0)", &["E02"]);
    check("1.5 < 2.5", &["E02", "E02"]);
    check("n > 1 ? on : off", &["E02"]);
    check("debts.filter(d, d < usd(5)).all(d, true)", &["E02"]);
    check("usd('1e5') > price", &["E02"]);
    check("usd('env:NOPE') > price", &["E06"]);
    check("{'a': 1} == {'a': 1}", &["E02", "E02"]);
    check("cover >= ratio(1) && !(cover < ratio(1))", &[]);
    check("cover == ratio(1)", &["E02"]);
}

#[test]
fn bounds_of_the_text() {
    let check = |expr: String, want: &str| assert_eq!(codes(&with_rule(&expr)), [want], "{}", &expr[..40]);
    check(format!("{}on", "!(on) && ".repeat(500)), "E07");
    check(format!("n < {}1", "1 + ".repeat(300)), "E07");
    check(format!("n < {}1", "1 + ".repeat(40)), "E07");
    check(format!("{}on{}", "(".repeat(300), ")".repeat(300)), "E02");
    // What the parser would recurse on without a limit of its own stays within a test thread's stack.
    check(format!("n < 1{}", "+1".repeat(1_000)), "E07");
    check(format!("n < 1{}", "+1".repeat(2_000)), "E07");
    check(format!("n {} [1]", "in n ".repeat(500)), "E07");
    check(format!("n {} [1]", "in n ".repeat(800)), "E07");
    check(format!("on{}                                        ", ".x".repeat(1_000)), "E07");
    check(format!("on && {}", " ".repeat(5_000)), "E07");
    check("debts.all(a, debts.all(b, debts.all(c, a < b && b < c)))                      ".to_owned(), "E07");
    let found = crate::load_text(&with_rule(&"$%&".repeat(300))).unwrap_err();
    assert!(found.iter().all(|d| d.message.len() <= 1_030), "messages of the parser are cut");
}
