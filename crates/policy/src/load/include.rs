//! Included files: plain paths, and packs that are bound to contracts and variables.

use super::fields::{Field, Table};
use super::{CORE_PACK_FILE, FILES_MAX, LoadOptions, Loader};
use crate::diagnostic::Code;
use crate::lexicon::{Grant, Place, Scope};
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// What one element of `include` asks for.
struct Request {
    file: String,
    place: Place,
    scope: Scope,
}

impl Loader<'_> {
    /// Reads what the root file includes, and the variables' defaults of every file.
    pub(super) fn include(&mut self, options: &LoadOptions) {
        let Some(text) = self.sources.first().map(|(_, text)| text.clone()) else { return };
        let (document, _reported_later) = DeTable::parse_recoverable(&text);
        let root = Table { file: 0, span: document.span(), what: "the file".to_owned(), fields: document.get_ref() };
        self.defaults_of_vars(&root);
        // Wrong types are reported when the tables are walked; here they only mean that there is nothing to include.
        let include =
            root.get("project").and_then(|p| if let DeValue::Table(t) = p.get_ref() { t.get("include") } else { None });
        let Some(DeValue::Array(list)) = include.map(|i| i.get_ref()) else { return };
        let requests: Vec<Request> = list.iter().filter_map(|entry| self.request(&root, entry)).collect();
        for Request { file, place, mut scope } in requests {
            if self.sources.len() >= FILES_MAX {
                self.report(
                    &place,
                    Code::E07,
                    format!("more than {FILES_MAX} files are included"),
                    "join some of them",
                );
                return;
            }
            match self.read(&file) {
                Ok(text) => {
                    for (name, value) in &options.vars {
                        scope.vars.entry(name.clone()).or_insert_with(|| value.clone());
                    }
                    self.sources.push((file, text.clone()));
                    self.names.scopes.push(scope);
                    let (document, _reported_later) = DeTable::parse_recoverable(&text);
                    let file = self.sources.len() - 1;
                    let table =
                        Table { file, span: document.span(), what: "the file".to_owned(), fields: document.get_ref() };
                    self.defaults_of_vars(&table);
                }
                Err(why) => {
                    self.report(&place, Code::E06, why, format!("name a file of this project, or \"{CORE_PACK_FILE}\""))
                }
            }
        }
    }

    /// `[vars]` of a file: defaults for what neither the caller nor the includer sets.
    fn defaults_of_vars(&mut self, root: &Table<'_>) {
        let Some(vars) = self.table(root, "vars", "[vars]") else { return };
        let file = root.file;
        for (name, value) in self.named_texts(&vars) {
            if let Some(scope) = self.names.scopes.get_mut(file) {
                scope.vars.entry(name).or_insert(value);
            }
        }
    }

    /// All fields of a table of texts.
    pub(super) fn named_texts(&mut self, table: &Table<'_>) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (key, entry) in table.fields {
            if let Some(Field { value, .. }) = self.scalar(table, key.get_ref(), entry) {
                all.insert(key.get_ref().to_string(), value);
            }
        }
        all
    }

    fn request(&mut self, root: &Table<'_>, entry: super::fields::Entry<'_>) -> Option<Request> {
        let place = root.at(entry);
        if let DeValue::String(file) = entry.get_ref() {
            if file.contains('*') {
                self.report(&place, Code::E01, "patterns in `include` are not available yet", "name each file");
                return None;
            }
            return Some(Request { file: file.to_string(), place, scope: Scope::default() });
        }
        let table = self.as_table(0, entry, "an element of `include`".to_owned())?;
        self.keys(&table, &["file", "as", "rules", "contracts", "vars", "mode", "playbook", "budget"], &[]);
        let file = self.need_text(&table, "file")?.value;
        let prefix = self.text(&table, "as").and_then(|f| {
            let ok = !f.value.is_empty() && f.value.bytes().all(|b| b.is_ascii_uppercase());
            if !ok {
                self.report(
                    &f.place,
                    Code::E02,
                    format!("`{}` cannot stand before rule numbers", f.value),
                    "use capital letters A to Z, for example \"USDC\"",
                );
            }
            ok.then_some(f.value)
        });
        let only = table.get("rules").map(|_| self.texts(&table, "rules").into_iter().map(|f| f.value).collect());
        let contracts =
            self.table(&table, "contracts", "`contracts`").map(|t| self.named_texts(&t)).unwrap_or_default();
        let contracts = contracts.into_iter().map(|(k, v)| (k, v.trim_start_matches('@').to_owned())).collect();
        let vars = self.table(&table, "vars", "`vars`").map(|t| self.named_texts(&t)).unwrap_or_default();
        let grant = Grant {
            mode: self.word(&table, "mode", &super::chains::MODES).map(|f| (f.value, f.place)),
            playbook: self.text(&table, "playbook").map(|f| (f.value, f.place)),
            budget: self.table(&table, "budget", "`budget`").and_then(|b| self.budget(&b)),
        };
        Some(Request { file, place, scope: Scope { prefix, contracts, vars, only, grant } })
    }
}
