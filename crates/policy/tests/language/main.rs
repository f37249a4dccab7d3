#![cfg(test)]
//! The policy language at the level of a user: text in, policy or findings out.

mod diagnostics;
mod meaning;
mod oracle;
mod robustness;

use ripcord_policy::{Diagnostic, LoadOptions, Policy, load};

pub(crate) const HEAD: &str = r#"
schema = 1
project = { id = "p", owner = "o" }
[chains.dev]
id = "eip155:31337"
sources = ["a"]
[contracts]
vault = { chain = "dev", address = "0x1111111111111111111111111111111111111111", decimals = 18 }
usdc = { chain = "dev", address = "0x2222222222222222222222222222222222222222", decimals = 6 }
[signals]
price = { unit = "usd", view = "@vault.price()" }
cash = { unit = "amount:usdc", view = "@vault.cash()" }
shares = { unit = "amount:vault", view = "@vault.shares()" }
wei = { unit = "native", view = "@vault.wei()" }
health = { unit = "ratio", view = "@vault.health()" }
fee = { unit = "bps", view = "@vault.fee()" }
n = { unit = "count", view = "@vault.n()" }
m = { unit = "count", view = "@vault.m()" }
top = { unit = "height", view = "@vault.top()" }
age = { unit = "secs", view = "@vault.age()" }
on = { unit = "bool", view = "@vault.on()" }
off = { unit = "bool", view = "@vault.off()" }
who = { unit = "address", view = "@vault.who()" }
id = { unit = "bytes32", view = "@vault.id()" }
debts = { unit = "usd", view = "@vault.debts() returns (uint256[])" }
cover = { unit = "ratio", calc = "div(price, usd(3))" }
"#;

/// The head with one rule of that text.
pub(crate) fn with_rule(expr: &str) -> String {
    format!("{HEAD}\n[[rules]]\nid = \"A-1\"\ntitle = \"t\"\nseverity = \"P1\"\non = [\"tx\"]\nexpr = '''{expr}'''\n")
}

pub(crate) fn load_text(text: &str) -> Result<Policy, Vec<Diagnostic>> {
    load(
        "ripcord.toml",
        &|name| {
            if name == "ripcord.toml" { Ok(text.as_bytes().to_vec()) } else { Err(format!("{name} does not exist")) }
        },
        &LoadOptions::default(),
    )
}

pub(crate) fn render(text: &str) -> String {
    match load_text(text) {
        Ok(_) => "no findings\n".to_owned(),
        Err(found) => ripcord_policy::render(&found, &[("ripcord.toml".to_owned(), text.to_owned())].into()),
    }
}

/// Codes of the findings, in order.
pub(crate) fn codes(text: &str) -> Vec<String> {
    load_text(text).err().unwrap_or_default().iter().map(|d| d.code.to_string()).collect()
}
