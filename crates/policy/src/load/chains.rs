//! `[project]`, `[defaults]`, `[chains]`, `[people]` and `[signers]`.

use super::Loader;
use super::fields::{Field, Table};
use crate::diagnostic::{Code, suggest};
use crate::duration::Span;
use crate::ir::At;
use alloy_primitives::{Address, U256};
use ripcord_core::chain::ChainId;
use ripcord_core::playbook::{ChainSpec, OnUnknown, RuleMode, SignerSpec};

const TOP: [&str; 11] = [
    "schema",
    "project",
    "people",
    "defaults",
    "chains",
    "contracts",
    "signals",
    "rules",
    "playbooks",
    "signers",
    "vars",
];
const KINDS: [&str; 10] =
    ["keystore", "aws-kms", "gcp-kms", "pkcs11", "yubihsm", "ledger", "trezor", "turnkey", "presigned", "safe"];

const SIGNER: [&str; 10] =
    ["kind", "chain", "account", "key", "safe", "only", "gas_limit", "priority_fee", "fee_max", "actions_per_day"];

/// Blocks come every 12 s unless a chain says otherwise.
const BLOCK_MS: u64 = 12_000;
const GAS_LIMIT: u64 = 500_000;
const PRIORITY_FEE_WEI: u64 = 2_000_000_000;
const FEE_WEI_MAX: u64 = 300_000_000_000;
const ACTIONS_PER_DAY: u64 = 24;

pub(super) const MODES: [(&str, RuleMode); 4] =
    [("off", RuleMode::Off), ("shadow", RuleMode::Shadow), ("alert", RuleMode::Alert), ("armed", RuleMode::Armed)];
pub(super) const ATS: [(&str, At); 4] =
    [("pre-tx", At::PreTx), ("post-tx", At::PostTx), ("each-call", At::EachCall), ("block", At::Block)];

impl Loader<'_> {
    pub(super) fn top(&mut self, files: &[Table<'_>]) {
        for file in files {
            self.keys(file, &TOP, &["notify", "routes", "tests"]);
            match self.integer(file, "schema", 0..=u64::MAX) {
                Some(schema) if schema.value != 1 => {
                    self.report(
                        &schema.place,
                        Code::E07,
                        format!("schema {} is not known", schema.value),
                        "this version reads `schema = 1`",
                    );
                }
                None if file.get("schema").is_none() => self.missing(file, "schema"),
                _known => {}
            }
        }
        let Some(root) = files.first() else { return };
        match self.table(root, "project", "[project]") {
            Some(table) => self.project(&table),
            None if root.get("project").is_none() => self.missing(root, "project"),
            None => {}
        }
        if let Some(table) = self.table(root, "defaults", "[defaults]") {
            self.read_defaults(&table);
        }
        for file in files.iter().skip(1) {
            for key in ["project", "defaults"] {
                if file.get(key).is_some() {
                    self.report(
                        &file.key_place(key),
                        Code::E08,
                        format!("[{key}] stands in an included file"),
                        "move it to the root file",
                    );
                }
            }
        }
    }

    fn project(&mut self, table: &Table<'_>) {
        self.keys(table, &["id", "owner", "include"], &["require_signed_commit"]);
        let _read_by_include = self.list(table, "include");
        let _for_people = self.need_text(table, "owner");
        if let Some(id) = self.need_text(table, "id") {
            let slug = !id.value.is_empty()
                && id.value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if !slug {
                self.report(&id.place, Code::E02, format!("`{}` is not a slug", id.value), "use a to z, 0 to 9 and -");
            }
            self.project = id.value;
        }
    }

    fn read_defaults(&mut self, table: &Table<'_>) {
        self.keys(table, &["mode", "on_unknown", "keep_firing_for", "at", "for"], &[]);
        if let Some(mode) = self.word(table, "mode", &MODES) {
            if mode.value == RuleMode::Armed {
                self.report(&mode.place, Code::E07, "the default mode cannot be `armed`", "arm rules one by one");
            }
            self.defaults.mode = mode.value;
        }
        if let Some(word) = self.word(table, "on_unknown", &[("alert", OnUnknown::Alert), ("watch", OnUnknown::Watch)])
        {
            self.defaults.on_unknown = word.value;
        }
        if let Some(span) = self.duration(table, "keep_firing_for") {
            self.defaults.keep_firing_ms = span.value.as_millis(BLOCK_MS);
        }
        if let Some(at) = self.word(table, "at", &ATS) {
            self.defaults.at = at.value;
        }
        if let Some(span) = self.duration(table, "for") {
            self.defaults.lasting = span.value;
        }
    }

    pub(super) fn chains_and_people(&mut self, files: &[Table<'_>]) {
        for file in files {
            for (name, table) in self.named_tables(file, "chains", "chain") {
                self.chain(&name.value, &name.place, &table);
            }
            let Some(people) = self.table(file, "people", "[people]") else { continue };
            for (group, _) in people.fields {
                let names = self.texts(&people, group.get_ref());
                self.people.entry(group.get_ref().to_string()).or_default().extend(names.into_iter().map(|f| f.value));
            }
        }
    }

    /// The tables of `[key.NAME]`, with the place of each name.
    pub(super) fn named_tables<'d>(
        &mut self,
        file: &Table<'d>,
        key: &str,
        what: &str,
    ) -> Vec<(Field<String>, Table<'d>)> {
        let Some(all) = self.table(file, key, &format!("[{key}]")) else { return Vec::new() };
        let mut tables = Vec::new();
        for (name, entry) in all.fields {
            let place = crate::lexicon::Place { file: file.file, span: name.span() };
            if let Some(table) = self.as_table(file.file, entry, format!("{what} `{}`", name.get_ref())) {
                tables.push((Field { value: name.get_ref().to_string(), place }, table));
            }
        }
        tables
    }

    fn chain(&mut self, name: &str, place: &crate::lexicon::Place, table: &Table<'_>) {
        self.keys(
            table,
            &["id", "sources", "quorum", "stale_after", "pending", "block_time"],
            &["finality", "archive"],
        );
        let id = self.need_text(table, "id").and_then(|f| {
            let id = f.value.strip_prefix("eip155:").and_then(|n| n.parse().ok()).map(ChainId);
            if id.is_none() {
                self.report(
                    &f.place,
                    Code::E02,
                    format!("`{}` is not a CAIP-2 id of an EVM chain", f.value),
                    "write for example \"eip155:1\"",
                );
            }
            id
        });
        if table.get("sources").is_none() {
            self.missing(table, "sources");
        }
        // Where sources are is the shell's affair; an unset variable still is an error here.
        let count = self.list(table, "sources").len();
        let _checked = self.texts(table, "sources");
        if table.get("sources").is_some() && !(1..=16).contains(&count) {
            self.report(
                &table.key_place("sources"),
                Code::E07,
                format!("{count} sources"),
                "name 1 to 16 independent sources",
            );
        }
        let sources = u16::try_from(count).unwrap_or(u16::MAX);
        let majority = sources / 2 + 1;
        let quorum = self.integer(table, "quorum", 1..=16);
        if let Some(quorum) = quorum.as_ref().filter(|q| q.value > u64::from(sources)) {
            self.report(
                &quorum.place,
                Code::E07,
                format!("a quorum of {} out of {sources} sources", quorum.value),
                "the quorum is at most the number of sources",
            );
        }
        let _for_the_shell = self.boolean(table, "pending");
        let block_ms = self.duration(table, "block_time").map_or(BLOCK_MS, |s| s.value.as_millis(BLOCK_MS)).max(1);
        let stale_after_ms =
            self.duration(table, "stale_after").map_or(Span::Blocks(3), |s| s.value).as_millis(block_ms);
        let Some(chain) = id else {
            self.broken_chains.insert(name.to_owned());
            return;
        };
        let quorum = quorum.and_then(|q| u16::try_from(q.value).ok()).unwrap_or(majority);
        self.block_ms.insert(chain.0, block_ms);
        if self.chains.insert(name.to_owned(), ChainSpec { chain, sources, quorum, stale_after_ms }).is_some() {
            self.report(place, Code::E05, format!("chain `{name}` is defined twice"), "keep one of them");
        }
    }

    /// The chain of that name.
    pub(super) fn chain_named(&mut self, field: &Field<String>) -> Option<ChainId> {
        if let Some(chain) = self.chains.get(&field.value) {
            return Some(chain.chain);
        }
        if self.broken_chains.contains(&field.value) {
            return None;
        }
        let help = suggest(&field.value, self.chains.keys().map(String::as_str));
        self.report(&field.place, Code::E04, format!("there is no chain `{}`", field.value), help);
        None
    }

    pub(super) fn signers(&mut self, files: &[Table<'_>]) {
        for file in files {
            for (name, table) in self.named_tables(file, "signers", "signer") {
                self.signer(name, &table);
            }
        }
    }

    fn signer(&mut self, name: Field<String>, table: &Table<'_>) {
        self.keys(table, &SIGNER, &["module", "file", "min_stock", "check", "role", "offline"]);
        let kind = self.need_text(table, "kind");
        let is_safe = kind.as_ref().is_some_and(|k| k.value == "safe");
        if let Some(kind) = kind.filter(|k| !KINDS.contains(&k.value.as_str())) {
            self.report(
                &kind.place,
                Code::E02,
                format!("`{}` is not a kind of signer", kind.value),
                suggest(&kind.value, KINDS),
            );
        }
        let _for_the_shell = self.text(table, "key");
        let account_key = if is_safe { "safe" } else { "account" };
        let other_key = if is_safe { "account" } else { "safe" };
        if table.get(other_key).is_some() {
            self.report(
                &table.key_place(other_key),
                Code::E08,
                format!("`{other_key}` does not belong to this kind of signer"),
                format!("use `{account_key}`"),
            );
        }
        let account = self.need_text(table, account_key).and_then(|f| self.address(&f));
        let chain = match self.text(table, "chain") {
            Some(chain) => self.chain_named(&chain),
            None if !self.broken_chains.is_empty() => None,
            None if self.chains.len() == 1 => self.chains.values().next().map(|c| c.chain),
            None => {
                self.missing(table, "chain");
                None
            }
        };
        if table.get("only").is_some() {
            let only = self.texts(table, "only").into_iter().map(|f| f.value).collect();
            self.only.insert(name.value.clone(), (only, table.key_place("only")));
        }
        let gas_limit = self.integer(table, "gas_limit", 21_000..=30_000_000).map_or(GAS_LIMIT, |f| f.value);
        let priority_fee_wei = self.fee(table, "priority_fee", PRIORITY_FEE_WEI);
        let fee_wei_max = self.fee(table, "fee_max", FEE_WEI_MAX);
        let actions = self.integer(table, "actions_per_day", 1..=1_000).map_or(ACTIONS_PER_DAY, |f| f.value);
        let actions_per_day_max = u32::try_from(actions).unwrap_or(u32::MAX);
        // An address or chain in error has been reported; a stand-in keeps the name known to the steps.
        let account = account.unwrap_or(Address::ZERO);
        let chain = chain.unwrap_or(ChainId(0));
        let spec = SignerSpec {
            name: name.value.clone(),
            chain,
            account,
            gas_limit,
            priority_fee_wei,
            fee_wei_max,
            actions_per_day_max,
        };
        if self.signers.insert(name.value.clone(), spec).is_some() {
            self.report(
                &name.place,
                Code::E05,
                format!("signer `{}` is defined twice", name.value),
                "keep one of them",
            );
        }
    }

    fn fee(&mut self, table: &Table<'_>, key: &str, default: u64) -> U256 {
        let Some(field) = self.text(table, key) else { return U256::from(default) };
        let parsed = field.value.split_once(' ').and_then(|(number, unit)| {
            let decimals = match unit {
                "wei" => 0,
                "gwei" => 9,
                _other => return None,
            };
            let q = ripcord_core::qty::Qty::parse(number, decimals, ripcord_core::qty::Unit::Count).ok()?;
            (q.decimals() == decimals && !q.is_negative()).then(|| q.mag())
        });
        if parsed.is_none() {
            self.report(
                &field.place,
                Code::E02,
                format!("`{}` is not a fee", field.value),
                "write for example \"2 gwei\"",
            );
        }
        parsed.unwrap_or(U256::from(default))
    }

    /// An address in a field.
    pub(super) fn address(&mut self, field: &Field<String>) -> Option<Address> {
        match crate::abi::address(&field.value) {
            Ok(address) => Some(address),
            Err(why) => {
                self.report(&field.place, Code::E02, why, "copy it with its checksum, or write it in lower case");
                None
            }
        }
    }
}
