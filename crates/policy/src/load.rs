//! Loading: files to tables, tables to a policy. Every step goes on after an error, so that one run reports them all.

use crate::diagnostic::{Code, Diagnostic, line_column, sort};
use crate::lexicon::{Lexicon, Place, Scope, Text};
use crate::policy::{Policy, Signal};
use crate::text::Finding;
use ripcord_core::playbook::{ChainSpec, Playbook, SignerSpec};
use std::collections::{BTreeMap, BTreeSet};
use toml::de::DeTable;

mod chains;
mod contracts;
mod fields;
mod hash;
mod include;
mod playbooks;
mod reference;
mod rules;
mod signals;
mod steps;
mod triggers;

use fields::Table;

/// How files are read: by name as written in the policy. The message of an error is one line.
pub type Files<'a> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'a;

/// What the caller adds to the text.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Values for `env:NAME`. The crate reads no environment of its own.
    pub vars: BTreeMap<String, String>,
}

/// The rule templates that come with Ripcord.
pub const CORE_PACK: &str = include_str!("../../../rules/packs/core.toml");
/// The name under which `include` finds [`CORE_PACK`].
pub const CORE_PACK_FILE: &str = "ripcord:core";

/// Most files of one policy, included ones counted each time.
pub(crate) const FILES_MAX: usize = 64;
/// Largest file, bytes.
pub(crate) const FILE_BYTES_MAX: usize = 1 << 20;

/// Loads a policy that includes nothing and reads no files.
///
/// # Errors
/// All findings.
pub fn load_str(text: &str) -> Result<Policy, Vec<Diagnostic>> {
    let files = |name: &str| Err(format!("{name} cannot be read here"));
    Loader::new(&files).run("ripcord.toml", text.to_owned(), &LoadOptions::default())
}

/// Loads the policy in file `root`.
///
/// # Errors
/// All findings.
pub fn load(root: &str, files: &Files<'_>, options: &LoadOptions) -> Result<Policy, Vec<Diagnostic>> {
    let mut loader = Loader::new(files);
    match loader.read(root) {
        Ok(text) => loader.run(root, text, options),
        Err(why) => {
            loader.sources.push((root.to_owned(), String::new()));
            let place = Place { file: 0, span: 0..0 };
            loader.report(&place, Code::E06, why, "run it where the file is, or name another file");
            Err(loader.diagnostics)
        }
    }
}

/// A step's condition, waiting to become a hidden rule.
struct HiddenText {
    id: String,
    text: Text,
}

/// Defaults of `[defaults]`.
struct Defaults {
    mode: ripcord_core::playbook::RuleMode,
    on_unknown: ripcord_core::playbook::OnUnknown,
    keep_firing_ms: u64,
    at: crate::ir::At,
    lasting: crate::duration::Span,
}

struct Loader<'f> {
    read: &'f Files<'f>,
    /// Name and text of each file instance; the scope of the same index says how it sees names.
    sources: Vec<(String, String)>,
    names: Lexicon,
    diagnostics: Vec<Diagnostic>,
    project: String,
    defaults: Defaults,
    chains: BTreeMap<String, ChainSpec>,
    /// Chains whose errors have been reported, so that uses of them are not.
    broken_chains: BTreeSet<String>,
    /// Block length by chain, ms.
    block_ms: BTreeMap<u64, u64>,
    people: BTreeMap<String, Vec<String>>,
    signers: BTreeMap<String, SignerSpec>,
    /// Steps that a signer is for, with the place of the list.
    only: BTreeMap<String, (BTreeSet<String>, Place)>,
    signals: Vec<Option<Signal>>,
    playbooks: Vec<Playbook>,
    hidden: Vec<HiddenText>,
    /// Rules that stages wait for, checked once all rules are known.
    gate_refs: Vec<(String, Place)>,
}

impl<'f> Loader<'f> {
    fn new(read: &'f Files<'f>) -> Self {
        Self {
            read,
            sources: Vec::new(),
            names: Lexicon::default(),
            diagnostics: Vec::new(),
            project: String::new(),
            defaults: Defaults {
                mode: ripcord_core::playbook::RuleMode::Shadow,
                on_unknown: ripcord_core::playbook::OnUnknown::Alert,
                keep_firing_ms: 600_000,
                at: crate::ir::At::PostTx,
                lasting: crate::duration::Span::Millis(0),
            },
            chains: BTreeMap::new(),
            broken_chains: BTreeSet::new(),
            block_ms: BTreeMap::new(),
            people: BTreeMap::new(),
            signers: BTreeMap::new(),
            only: BTreeMap::new(),
            signals: Vec::new(),
            playbooks: Vec::new(),
            hidden: Vec::new(),
            gate_refs: Vec::new(),
        }
    }

    fn run(mut self, root: &str, text: String, options: &LoadOptions) -> Result<Policy, Vec<Diagnostic>> {
        self.sources.push((root.to_owned(), text));
        self.names.scopes.push(Scope { vars: options.vars.clone(), ..Scope::default() });
        self.include(options);
        let sources = self.sources.clone();
        let documents: Vec<_> = sources.iter().map(|(_, text)| DeTable::parse_recoverable(text)).collect();
        let mut files = Vec::new();
        for (file, (document, errors)) in documents.iter().enumerate() {
            for error in errors {
                let place = Place { file, span: error.span().unwrap_or(0..0) };
                self.report(&place, Code::E02, error.message().to_owned(), "this is not TOML 1.0");
            }
            files.push(Table { file, span: document.span(), what: "the file".to_owned(), fields: document.get_ref() });
        }
        self.top(&files);
        self.chains_and_people(&files);
        self.contracts(&files);
        self.signers(&files);
        self.signals(&files);
        self.playbooks(&files);
        let rules = self.rules(&files);
        if !self.diagnostics.is_empty() {
            sort(&mut self.diagnostics);
            return Err(self.diagnostics);
        }
        Ok(self.finish(rules))
    }

    fn finish(self, rules: Vec<crate::policy::Rule>) -> Policy {
        let visible = rules.iter().filter(|r| !r.hidden).map(|r| r.spec.clone()).collect();
        let mut program = ripcord_core::playbook::Program {
            project: self.project,
            policy_hash: alloy_primitives::B256::ZERO,
            chains: self.chains.into_values().collect(),
            rules: visible,
            playbooks: self.playbooks,
            signers: self.signers.into_values().collect(),
            oncall: self.people.get("oncall").cloned().unwrap_or_default(),
        };
        program.policy_hash = hash::policy(&program, &rules);
        let signals = self.signals.into_iter().flatten().collect();
        Policy { signals, rules, contracts: self.names.contracts, program }
    }

    /// Reads a file of the caller's as text.
    fn read(&self, name: &str) -> Result<String, String> {
        if name == CORE_PACK_FILE {
            return Ok(CORE_PACK.to_owned());
        }
        let bytes = (self.read)(name)?;
        if bytes.len() > FILE_BYTES_MAX {
            return Err(format!("{name} is larger than {FILE_BYTES_MAX} bytes"));
        }
        String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8 text"))
    }

    fn report(&mut self, place: &Place, code: Code, message: impl Into<String>, help: impl Into<String>) {
        let (file, text) = self.sources.get(place.file).map_or(("", ""), |(name, text)| (name, text));
        let (line, column) = line_column(text, place.span.start);
        self.diagnostics.push(Diagnostic {
            file: file.to_owned(),
            span: place.span.clone(),
            line,
            column,
            code,
            message: message.into(),
            help: help.into(),
        });
    }

    /// Reports findings of rule text at their place in the file.
    fn report_text(&mut self, text: &Text, findings: Vec<Finding>) {
        for finding in findings {
            let place = self.within(text, &finding);
            self.report(&place, finding.code, finding.message, finding.help);
        }
    }

    /// Where a finding stands in the file: inside the string when the string has no escapes, else the string as a whole.
    fn within(&self, text: &Text, finding: &Finding) -> Place {
        let whole = text.place.clone();
        let quoted = self.sources.get(whole.file).and_then(|(_, t)| t.get(whole.span.clone())).unwrap_or_default();
        let Some(start) = quoted.find(&text.source) else { return whole };
        let byte = |chars: usize| text.source.char_indices().nth(chars).map_or(text.source.len(), |(i, _)| i);
        let start = whole.span.start + start;
        Place { file: whole.file, span: start + byte(finding.range.start)..start + byte(finding.range.end) }
    }
}
