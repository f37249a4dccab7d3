//! `@contract`, `@contract.function(…)`, `@contract.Event(…).argument` and the arguments of calls.

use super::Loader;
use super::fields::{Entry, Field, Table};
use crate::abi::{Output, Raw};
use crate::diagnostic::{Code, suggest};
use crate::ir::Ty;
use crate::lexicon::Place;
use crate::policy::{ArgPlace, Contract, Event};
use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_json_abi::Function;

/// A call as text: what to call and with what.
pub(super) struct CallText {
    pub(super) contract: Contract,
    pub(super) function: Function,
}

/// Arguments, and which of them is the variable of `for_each`.
pub(super) struct Arguments {
    pub(super) values: Vec<DynSolValue>,
    pub(super) types: Vec<DynSolType>,
    pub(super) variable: Option<(usize, Field<String>)>,
}

/// An event and perhaps one of its arguments.
pub(super) struct EventText {
    pub(super) contract: Contract,
    pub(super) event: alloy_json_abi::Event,
    pub(super) arg: Option<String>,
}

impl EventText {
    pub(super) fn event(&self) -> Event {
        let indexed = self.event.inputs.iter().filter(|p| p.indexed).count();
        Event { emitter: self.contract.address, topic0: self.event.selector(), topics: indexed + 1 }
    }

    /// Where an argument of one word lies, and its type.
    pub(super) fn place(&self, name: &str) -> Option<(ArgPlace, DynSolType)> {
        let (mut topics, mut words) = (1, 0);
        for input in &self.event.inputs {
            let ty: DynSolType = input.ty.parse().ok()?;
            if input.name == name {
                Raw::of(&ty)?;
                return Some((if input.indexed { ArgPlace::Topic(topics) } else { ArgPlace::Data(words) }, ty));
            }
            if input.indexed {
                topics += 1;
            } else {
                // Tuples and fixed arrays spread over several words of the head.
                let one_word = Raw::of(&ty).is_some()
                    || matches!(ty, DynSolType::Bytes | DynSolType::String | DynSolType::Array(_));
                one_word.then_some(())?;
                words += 1;
            }
        }
        None
    }
}

impl Loader<'_> {
    /// The contract that a file calls `name`.
    pub(super) fn contract_named(&mut self, file: usize, name: &str, place: &Place) -> Option<Contract> {
        let key = self.names.contract_key(file, name).to_owned();
        if self.names.broken_contracts.contains(&key) {
            return None;
        }
        let found = self.names.contract(file, name).cloned();
        if found.is_none() {
            let help = suggest(&key, self.names.contracts.keys().map(String::as_str));
            self.report(place, Code::E04, format!("there is no contract `{key}`"), help);
        }
        found
    }

    /// `@name` as a contract.
    pub(super) fn contract_ref(&mut self, file: usize, field: &Field<String>) -> Option<Contract> {
        let Some(name) = field.value.strip_prefix('@') else {
            self.report(
                &field.place,
                Code::E02,
                format!("`{}` does not name a contract", field.value),
                "write @name, with the name from [contracts]",
            );
            return None;
        };
        self.contract_named(file, name, &field.place)
    }

    fn split<'t>(&mut self, field: &'t Field<String>) -> Option<(&'t str, &'t str)> {
        let split = field.value.strip_prefix('@').and_then(|rest| rest.split_once('.'));
        if split.is_none() {
            self.report(
                &field.place,
                Code::E02,
                format!("`{}` does not name a function or event", field.value),
                "write for example \"@vault.convertToAssets(uint256)\"",
            );
        }
        split
    }

    /// `@contract.function(types)`, looked up in the ABI when there is one.
    pub(super) fn function(&mut self, file: usize, field: &Field<String>) -> Option<CallText> {
        let (name, signature) = self.split(field)?;
        let contract = self.contract_named(file, name, &field.place)?;
        let function = self.signature(signature, contract.abi.as_ref(), &field.place)?;
        Some(CallText { contract, function })
    }

    /// A function's signature, with what an ABI adds to it.
    pub(super) fn signature(
        &mut self,
        signature: &str,
        abi: Option<&alloy_json_abi::JsonAbi>,
        place: &Place,
    ) -> Option<Function> {
        let Ok(written) = Function::parse(signature) else {
            self.report(
                place,
                Code::E02,
                format!("`{signature}` is not a function signature"),
                "write the name and the types: convertToAssets(uint256)",
            );
            return None;
        };
        let Some(abi) = abi else { return Some(written) };
        let full = written.signature();
        if let Some(known) = abi.functions().find(|f| f.signature() == full) {
            return Some(known.clone());
        }
        let all: Vec<String> = abi.functions().map(Function::signature).collect();
        self.report(
            place,
            Code::E04,
            format!("the ABI has no function `{full}`"),
            suggest(&full, all.iter().map(String::as_str)),
        );
        None
    }

    /// `@contract.Event(types)` or `@contract.Event(types).argument`.
    pub(super) fn event(&mut self, file: usize, field: &Field<String>) -> Option<EventText> {
        let (name, rest) = self.split(field)?;
        let contract = self.contract_named(file, name, &field.place)?;
        let (signature, arg) = match rest.rsplit_once(").") {
            Some((head, arg)) => (format!("{head})"), Some(arg.to_owned())),
            None => (rest.to_owned(), None),
        };
        let Ok(written) = alloy_json_abi::Event::parse(&signature) else {
            self.report(
                &field.place,
                Code::E02,
                format!("`{signature}` is not an event signature"),
                "write for example \"@vault.Deposit(address,address,uint256,uint256)\"",
            );
            return None;
        };
        let full = written.signature();
        let event = match &contract.abi {
            Some(abi) => {
                let known = abi.events().find(|e| e.signature() == full).cloned();
                if known.is_none() {
                    let all: Vec<String> = abi.events().map(alloy_json_abi::Event::signature).collect();
                    self.report(
                        &field.place,
                        Code::E04,
                        format!("the ABI has no event `{full}`"),
                        suggest(&full, all.iter().map(String::as_str)),
                    );
                }
                known?
            }
            None if written.inputs.iter().all(|i| !i.name.is_empty()) => written,
            None => {
                self.report(
                    &field.place,
                    Code::E06,
                    format!("contract `{name}` has no ABI that says which arguments of `{full}` are indexed"),
                    "give the contract an `abi`, or write each parameter with its name and `indexed`",
                );
                return None;
            }
        };
        Some(EventText { contract, event, arg })
    }

    /// Place and type of an event's argument, or a finding.
    pub(super) fn event_arg(&mut self, text: &EventText, arg: &str, place: &Place) -> Option<(ArgPlace, DynSolType)> {
        let found = text.place(arg);
        if found.is_none() {
            let names: Vec<&str> = text.event.inputs.iter().map(|i| i.name.as_str()).collect();
            let message = if names.contains(&arg) {
                format!("argument `{arg}` of {} is not one word", text.event.name)
            } else {
                format!("event {} has no argument `{arg}`", text.event.name)
            };
            self.report(place, Code::E04, message, suggest(arg, names));
        }
        found
    }

    /// The list `args` for a function's inputs.
    pub(super) fn arguments(&mut self, table: &Table<'_>, function: &Function, place: &Place) -> Option<Arguments> {
        let entries = self.list(table, "args");
        if entries.len() != function.inputs.len() {
            let message = format!(
                "{} takes {} arguments, `args` has {}",
                function.signature(),
                function.inputs.len(),
                entries.len()
            );
            self.report(place, Code::E02, message, "give one value for each parameter");
            return None;
        }
        let (mut values, mut types, mut variable) = (Vec::new(), Vec::new(), None);
        for (position, (entry, input)) in entries.into_iter().zip(&function.inputs).enumerate() {
            let Ok(ty) = input.ty.parse::<DynSolType>() else {
                self.report(
                    place,
                    Code::E02,
                    format!("parameters of type {} are not available yet", input.ty),
                    "use a probe",
                );
                return None;
            };
            let text = self.scalar(table, "args", entry);
            let value = match text {
                Some(text) if text.value.starts_with('$') => {
                    let zero = Raw::of(&ty).and_then(|_| ty.abi_decode(&[0; 32]).ok());
                    if zero.is_none() || variable.is_some() {
                        self.report(
                            &text.place,
                            Code::E02,
                            "only one argument of one word can vary",
                            "keep one `$name` in `args`",
                        );
                        return None;
                    }
                    variable = Some((position, text));
                    zero
                }
                Some(text) => self.argument(table.file, &ty, &text, entry),
                None => None,
            };
            values.push(value);
            types.push(ty);
        }
        let values = values.into_iter().collect::<Option<_>>()?;
        Some(Arguments { values, types, variable })
    }

    fn argument(
        &mut self,
        file: usize,
        ty: &DynSolType,
        text: &Field<String>,
        entry: Entry<'_>,
    ) -> Option<DynSolValue> {
        let place = Place { file, span: entry.span() };
        if let Some(name) = text.value.strip_prefix('@') {
            let contract = self.contract_named(file, name, &place)?;
            if *ty == DynSolType::Address {
                return Some(DynSolValue::Address(contract.address));
            }
            self.report(
                &place,
                Code::E02,
                format!("a contract stands where {ty} is wanted"),
                "write a value of that type",
            );
            return None;
        }
        match crate::abi::argument(ty, &text.value) {
            Ok(value) => Some(value),
            Err(why) => {
                self.report(&place, Code::E02, why, "correct the value, or the signature");
                None
            }
        }
    }

    /// How a function's first return value becomes a value of the signal's type.
    pub(super) fn output(&mut self, function: &Function, ty: &Ty, decimals: u8, place: &Place) -> Option<Output> {
        let declared = match function.outputs.as_slice() {
            [] => return Some(Output { raw: Raw::for_ty(ty), list: false, ty: ty.clone(), decimals }),
            [one] => one.ty.parse::<DynSolType>().ok(),
            _several => {
                self.report(
                    place,
                    Code::E02,
                    format!("{} returns several values, which is not available yet", function.signature()),
                    "pick one in a probe",
                );
                return None;
            }
        };
        let (raw, list) = match &declared {
            Some(DynSolType::Array(of)) => (Raw::of(of), true),
            Some(one) => (Raw::of(one), false),
            None => (None, false),
        };
        match raw {
            Some(raw) if raw.gives(ty) => Some(Output { raw, list, ty: ty.clone(), decimals }),
            _mismatch => {
                let returned = function.outputs.first().map_or("nothing", |o| o.ty.as_str());
                self.report(
                    place,
                    Code::Rc002,
                    format!("{} returns {returned}, which cannot be read as {ty}", function.signature()),
                    "choose a unit that fits, or return it from a probe",
                );
                None
            }
        }
    }
}
