//! `[contracts]`: addresses, tokens' decimals and ABIs.

use super::Loader;
use super::fields::{Field, Table};
use crate::diagnostic::Code;
use crate::policy::Contract;
use alloy_json_abi::JsonAbi;

impl Loader<'_> {
    pub(super) fn contracts(&mut self, files: &[Table<'_>]) {
        for file in files {
            for (name, table) in self.named_tables(file, "contracts", "contract") {
                match self.contract(&table) {
                    Some(contract) => {
                        if self.names.contracts.insert(name.value.clone(), contract).is_some() {
                            self.report(
                                &name.place,
                                Code::E05,
                                format!("contract `{}` is defined twice", name.value),
                                "keep one of them",
                            );
                        }
                    }
                    None => {
                        self.names.broken_contracts.insert(name.value);
                    }
                }
            }
        }
    }

    fn contract(&mut self, table: &Table<'_>) -> Option<Contract> {
        self.keys(table, &["chain", "address", "abi", "decimals", "code"], &[]);
        let chain = self.need_text(table, "chain").and_then(|f| self.chain_named(&f));
        let address = self.need_text(table, "address").and_then(|f| {
            if f.value.contains('#') {
                self.report(
                    &f.place,
                    Code::E01,
                    "addresses from broadcast files are not available yet",
                    "write the address, or env:NAME",
                );
                return None;
            }
            self.address(&f)
        });
        if let Some(code) = self.text(table, "code").filter(|c| c.value != "any") {
            let later = code.value == "pin";
            let message = if later {
                "`code = \"pin\"` is not available yet".to_owned()
            } else {
                format!("`{}` is not a value of `code`", code.value)
            };
            self.report(
                &code.place,
                if later { Code::E01 } else { Code::E02 },
                message,
                "leave it out; template 56 watches an implementation slot",
            );
        }
        let decimals = self.integer(table, "decimals", 0..=36).and_then(|f| u8::try_from(f.value).ok());
        let abi = match self.text(table, "abi") {
            Some(path) => Some(self.abi(&path)?),
            None => None,
        };
        Some(Contract { chain: chain?, address: address?, decimals, abi })
    }

    /// The ABI in an artifact, or in a file that is nothing but an ABI.
    pub(super) fn abi(&mut self, path: &Field<String>) -> Option<JsonAbi> {
        let artifact = self.artifact(path)?;
        let abi = artifact.get("abi").unwrap_or(&artifact);
        match serde_json::from_value(abi.clone()) {
            Ok(abi) => Some(abi),
            Err(error) => {
                self.report(
                    &path.place,
                    Code::E02,
                    format!("{} holds no ABI: {error}", path.value),
                    "name an artifact that the compiler wrote",
                );
                None
            }
        }
    }

    /// A JSON file of the project.
    pub(super) fn artifact(&mut self, path: &Field<String>) -> Option<serde_json::Value> {
        let read = self.read(&path.value).map_err(|why| (Code::E06, why));
        let parsed = read.and_then(|text| {
            serde_json::from_str(&text).map_err(|e| (Code::E02, format!("{} is not JSON: {e}", path.value)))
        });
        match parsed {
            Ok(json) => Some(json),
            Err((code, why)) => {
                self.report(&path.place, code, why, "build the contracts first, or correct the path");
                None
            }
        }
    }
}
