//! The names that rule text may use: signals, contracts and variables, each seen from the file that uses them.

use crate::ir::{At, Ty};
use crate::policy::Contract;
use ripcord_core::playbook::{Budget, RuleMode};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A place in one of the loaded files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: usize,
    pub(crate) span: Range<usize>,
}

/// Rule text with the place it stands in.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) source: String,
    pub(crate) place: Place,
    pub(crate) scope: usize,
}

/// How one included file sees the names of the others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Put before the names of the file's signals, and in place of the letters of its rule ids.
    pub(crate) prefix: Option<String>,
    /// The file's names of contracts, in terms of the whole policy's.
    pub(crate) contracts: BTreeMap<String, String>,
    /// Variables: what the includer binds beats the caller's, and these beat the file's own defaults.
    pub(crate) vars: BTreeMap<String, String>,
    /// Ids of the rules wanted, as written in the file; `None` for all.
    pub(crate) only: Option<BTreeSet<String>>,
    /// What the includer lets the file's rules do, where they say nothing themselves: a pack knows what to watch for, not what to do.
    pub(crate) grant: Grant,
}

/// Authority that an includer gives to the rules of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grant {
    /// Mode, with its place.
    pub(crate) mode: Option<(RuleMode, Place)>,
    /// Playbook, with its place.
    pub(crate) playbook: Option<(String, Place)>,
    /// Budget.
    pub(crate) budget: Option<Budget>,
}

impl Scope {
    /// The name under which a signal of this file is known to all.
    pub(crate) fn signal_key(&self, name: &str) -> String {
        self.prefix.as_ref().map_or_else(|| name.to_owned(), |p| format!("{}.{name}", p.to_lowercase()))
    }

    /// The policy's name for a contract that this file calls `name`.
    pub(crate) fn contract_key<'a>(&'a self, name: &'a str) -> &'a str {
        self.contracts.get(name).map_or(name, String::as_str)
    }
}

/// A signal as rule text sees it.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// Type; `None` when its definition has errors of its own, so that uses of it are not reported again.
    pub(crate) ty: Option<Ty>,
    /// Snapshot when the text names none.
    pub(crate) at: At,
    /// Text, for `calc` signals.
    pub(crate) calc: Option<Text>,
    /// Whether it can be read on any snapshot, so that `delta()` has a meaning.
    pub(crate) state: bool,
}

/// All names.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    pub(crate) scopes: Vec<Scope>,
    pub(crate) contracts: BTreeMap<String, Contract>,
    pub(crate) broken_contracts: BTreeSet<String>,
    pub(crate) signals: BTreeMap<String, usize>,
    pub(crate) heads: Vec<Head>,
}

impl Lexicon {
    /// The signal that a file means by a name: its own first, then the whole policy's.
    pub(crate) fn signal(&self, scope: usize, name: &str) -> Option<usize> {
        let own = self.scopes.get(scope).map(|s| s.signal_key(name));
        own.and_then(|key| self.signals.get(&key)).or_else(|| self.signals.get(name)).copied()
    }

    /// The contract that a file means by a name.
    pub(crate) fn contract(&self, scope: usize, name: &str) -> Option<&Contract> {
        self.contracts.get(self.contract_key(scope, name))
    }

    pub(crate) fn contract_key<'a>(&'a self, scope: usize, name: &'a str) -> &'a str {
        self.scopes.get(scope).map_or(name, |s| s.contract_key(name))
    }

    /// Replaces `env:NAME` by the variable's value; other text stands for itself.
    pub(crate) fn expand<'a>(&'a self, scope: usize, text: &'a str) -> Result<&'a str, String> {
        let Some(name) = text.strip_prefix("env:") else { return Ok(text) };
        self.scopes.get(scope).and_then(|s| s.vars.get(name)).map(String::as_str).ok_or_else(|| name.to_owned())
    }
}
