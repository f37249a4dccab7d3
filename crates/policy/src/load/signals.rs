//! `[signals]`: each has a unit and exactly one source.

use super::Loader;
use super::fields::{Field, Table};
use super::reference::{Arguments, EventText};
use crate::abi::{Output, Raw};
use crate::diagnostic::{Code, suggest};
use crate::duration::Span;
use crate::ir::{At, Ty};
use crate::lexicon::{Head, Text};
use crate::policy::{Direction, Flow, ForEach, KeySource, Signal, Source, View, Window};
use alloy_primitives::{Address, B256, U256, address, b256};
use ripcord_core::chain::ChainId;
use ripcord_core::qty::Unit;
use std::collections::BTreeSet;

/// Where probes run. Nobody has the key of this account and nothing is deployed there.
pub(super) const PROBE_ADDRESS: Address = address!("0x526970636f726420707265646963617465000001");

const SOURCES: [&str; 7] = ["view", "probe", "slot", "returns", "log", "flow", "calc"];
const KNOWN: [&str; 18] = [
    "unit", "view", "probe", "slot", "returns", "log", "flow", "calc", "args", "at", "decimals", "for_each",
    "contract", "mask", "signed", "of", "from", "to",
];
const LATER: [&str; 10] =
    ["every", "price", "on_unknown", "per", "agg", "detector", "feed", "features", "target", "max_age"];
const UNITS: [(&str, Unit); 7] = [
    ("usd", Unit::Usd),
    ("native", Unit::Native),
    ("ratio", Unit::Ratio),
    ("bps", Unit::Bps),
    ("count", Unit::Count),
    ("height", Unit::Height),
    ("secs", Unit::Secs),
];
/// Longest window of a flow.
const WINDOW_SECS_MAX: u64 = 30 * 86_400;

/// Unit of a signal with the decimals of its raw values.
struct Measure {
    ty: Ty,
    decimals: u8,
}

/// What a source compiles to.
struct Compiled {
    source: Source,
    ty: Ty,
    chain: Option<ChainId>,
    state: bool,
    at: Option<At>,
}

impl Loader<'_> {
    pub(super) fn signals(&mut self, files: &[Table<'_>]) {
        let mut tables = Vec::new();
        for file in files {
            let wanted = self.wanted(file);
            for (name, table) in self.named_tables(file, "signals", "signal") {
                if wanted.as_ref().is_some_and(|w| !w.contains(&name.value)) {
                    continue;
                }
                let key =
                    self.names.scopes.get(file.file).map_or_else(|| name.value.clone(), |s| s.signal_key(&name.value));
                let index = tables.len();
                if self.names.signals.insert(key.clone(), index).is_some() {
                    self.report(
                        &name.place,
                        Code::E05,
                        format!("signal `{key}` is defined twice"),
                        "rename one of them",
                    );
                }
                self.names.heads.push(Head { ty: None, at: At::PostTx, calc: None, state: false });
                tables.push((key, table));
            }
        }
        for (index, (key, table)) in tables.iter().enumerate() {
            let signal = self.signal(index, key, table);
            self.signals.push(signal);
        }
        for index in 0..self.names.heads.len() {
            let Some(Head { calc: Some(text), ty: Some(ty), .. }) = self.names.heads.get(index).cloned() else {
                continue;
            };
            if let Err(findings) = crate::check::check(&text, &self.names, &ty) {
                self.report_text(&text, findings);
                if let Some(head) = self.names.heads.get_mut(index) {
                    head.ty = None;
                }
            }
        }
    }

    /// The signals that the selected rules of an included file use, `None` for all: what is left out need not be bound.
    fn wanted(&self, file: &Table<'_>) -> Option<BTreeSet<String>> {
        let only = self.names.scopes.get(file.file)?.only.as_ref()?;
        let text = |table: &toml::de::DeTable<'_>, key: &str| {
            table.get(key).and_then(|v| v.get_ref().as_str()).map(str::to_owned)
        };
        let rules = file.get("rules").and_then(|r| r.get_ref().as_array()).map(|a| a.iter()).into_iter().flatten();
        let selected =
            rules.filter_map(|r| r.get_ref().as_table()).filter(|t| text(t, "id").is_some_and(|id| only.contains(&id)));
        let mut open: Vec<String> = selected.filter_map(|t| text(t, "expr")).collect();
        let signals = file.get("signals").and_then(|s| s.get_ref().as_table());
        let mut wanted = BTreeSet::new();
        while let Some(source) = open.pop() {
            for name in crate::text::names(&source) {
                let calc = signals
                    .and_then(|s| s.get(name.as_str()))
                    .and_then(|s| s.get_ref().as_table())
                    .and_then(|t| text(t, "calc"));
                if wanted.insert(name) {
                    open.extend(calc);
                }
            }
        }
        Some(wanted)
    }

    fn signal(&mut self, index: usize, key: &str, table: &Table<'_>) -> Option<Signal> {
        let known: Vec<&str> = KNOWN.into_iter().chain(["window"]).collect();
        self.keys(table, &known, &LATER);
        let measure = self.measure(table);
        let sources: Vec<&str> = SOURCES.into_iter().filter(|s| table.get(s).is_some()).collect();
        let [source] = sources.as_slice() else {
            if LATER.iter().all(|l| table.get(l).is_none()) || sources.len() > 1 {
                let message = if sources.is_empty() {
                    format!("{} has no source", table.what)
                } else {
                    format!("{} has {} sources: {}", table.what, sources.len(), sources.join(", "))
                };
                self.report(
                    &table.place(),
                    Code::E08,
                    message,
                    format!("give it exactly one of {}", SOURCES.join(", ")),
                );
            }
            return None;
        };
        self.misplaced(table, source);
        let measure = measure?;
        let compiled = match *source {
            "view" => self.view(table, &measure, false),
            "probe" => self.view(table, &measure, true),
            "slot" => self.slot(table, &measure),
            "returns" => self.returns(table, &measure),
            "log" => self.log(table, &measure),
            "flow" => self.flow(table, &measure),
            _calc => self.calc(index, table, &measure),
        }?;
        let at = self.snapshot(table, &compiled, source);
        let head = self.names.heads.get_mut(index)?;
        head.ty = Some(compiled.ty.clone());
        head.at = at;
        head.state = compiled.state;
        let text = head.calc.as_ref().map(|t| t.source.clone());
        let canonical = super::hash::signal(&compiled.source, &compiled.ty, at, text.as_deref());
        Some(Signal {
            name: key.to_owned(),
            ty: compiled.ty,
            at,
            chain: compiled.chain,
            source: compiled.source,
            canonical,
        })
    }

    /// Fields that belong to another source.
    fn misplaced(&mut self, table: &Table<'_>, source: &str) {
        let owners: [(&str, &[&str]); 9] = [
            ("args", &["view", "probe", "returns"]),
            ("for_each", &["view", "probe"]),
            ("contract", &["slot"]),
            ("mask", &["slot"]),
            ("signed", &["slot"]),
            ("of", &["flow"]),
            ("from", &["flow"]),
            ("to", &["flow"]),
            ("window", &["flow"]),
        ];
        for (field, of) in owners {
            if table.get(field).is_some() && !of.contains(&source) {
                self.report(
                    &table.key_place(field),
                    Code::E08,
                    format!("`{field}` does not go with `{source}`"),
                    format!("it belongs to {}", of.join(", ")),
                );
            }
        }
    }

    fn snapshot(&mut self, table: &Table<'_>, compiled: &Compiled, source: &str) -> At {
        let written = self.word(table, "at", &super::chains::ATS);
        let default = compiled.at.unwrap_or(self.defaults.at);
        let Some(written) = written else { return default };
        let fits = match compiled.at {
            Some(only) => written.value == only,
            None => written.value != At::EachCall,
        };
        if !fits {
            let help = compiled.at.map_or_else(
                || "use \"pre-tx\", \"post-tx\" or \"block\"".to_owned(),
                |only| format!("it is always \"{}\"; leave `at` out", only.name()),
            );
            self.report(
                &written.place,
                Code::E08,
                format!("`{source}` cannot be read at \"{}\"", written.value.name()),
                help,
            );
        }
        written.value
    }

    fn measure(&mut self, table: &Table<'_>) -> Option<Measure> {
        let written = self.integer(table, "decimals", 0..=36).and_then(|d| u8::try_from(d.value).ok());
        let Field { value, place } = self.need_text(table, "unit")?;
        let plain = match value.as_str() {
            "bool" => Some(Ty::Bool),
            "address" => Some(Ty::Address),
            "bytes32" => Some(Ty::Word),
            "selector" => Some(Ty::Selector),
            _number => None,
        };
        if let Some(ty) = plain {
            return Some(Measure { ty, decimals: 0 });
        }
        if let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == value) {
            return Some(Measure { ty: Ty::Qty(*unit), decimals: written.or(unit.decimals()).unwrap_or(0) });
        }
        if let Some(name) = value.strip_prefix("amount:") {
            let contract = self.contract_named(table.file, name.trim_start_matches('@'), &place)?;
            let decimals = written.or(contract.decimals);
            if decimals.is_none() {
                self.report(
                    &place,
                    Code::E03,
                    format!("contract `{name}` has no `decimals`"),
                    "add `decimals = …` to it in [contracts]",
                );
            }
            return decimals.map(|decimals| Measure { ty: Ty::Qty(Unit::Amount(contract.address)), decimals });
        }
        if ["pvalue", "score", "evidence"].contains(&value.as_str()) {
            self.report(
                &place,
                Code::E02,
                format!("unit `{value}` is not available yet"),
                "detectors come later; docs/policy-language.md lists the units",
            );
            return None;
        }
        let names = UNITS.iter().map(|(n, _)| *n).chain(["amount:NAME", "bool", "address", "bytes32", "selector"]);
        self.report(&place, Code::E02, format!("`{value}` is not a unit"), suggest(&value, names));
        None
    }

    fn view(&mut self, table: &Table<'_>, measure: &Measure, probe: bool) -> Option<Compiled> {
        let field = self.text(table, if probe { "probe" } else { "view" })?;
        let (chain, target, code, function) = if probe {
            let (code, function) = self.probe(&field)?;
            (None, PROBE_ADDRESS, Some(code), function)
        } else {
            let call = self.function(table.file, &field)?;
            (Some(call.contract.chain), call.contract.address, None, call.function)
        };
        let Arguments { values, types, variable } = self.arguments(table, &function, &field.place)?;
        let out = self.output(&function, &measure.ty, measure.decimals, &field.place)?;
        let each = match (table.get("for_each").is_some(), variable) {
            (false, None) => None,
            (false, Some((_, name))) => {
                self.report(
                    &name.place,
                    Code::E04,
                    format!("nothing says what `{}` stands for", name.value),
                    "add `for_each = { name = [\"@contract.Event(…).argument\"] }`",
                );
                return None;
            }
            (true, variable) => Some(self.for_each(table, variable, &types)?),
        };
        if let (Some(_), true) = (&each, out.list) {
            self.report(&field.place, Code::E08, "a list for each key", "return one value for each key");
            return None;
        }
        let each_chain = each.as_ref().map(|(_, chain)| *chain);
        let arg_chain = self
            .names
            .contracts
            .values()
            .find(|c| values.contains(&alloy_dyn_abi::DynSolValue::Address(c.address)))
            .map(|c| c.chain);
        let chain = chain.or(each_chain).or(arg_chain);
        let ty = if each.is_some() { Ty::List(Box::new(measure.ty.clone())) } else { out.whole() };
        let state = each.is_none();
        let each = each.map(|(each, _)| each);
        let view = View { target, code, selector: function.selector().0, args: values, each, out };
        Some(Compiled { source: Source::View(Box::new(view)), ty, chain, state, at: None })
    }

    /// `path.json:Contract.function(types)` or `guards/File.sol:Contract.function(types)`: runtime code and function.
    fn probe(&mut self, field: &Field<String>) -> Option<(alloy_primitives::Bytes, alloy_json_abi::Function)> {
        let split = field
            .value
            .split_once(':')
            .and_then(|(file, rest)| rest.split_once('.').map(|(contract, f)| (file, contract, f)));
        let Some((file, contract, signature)) = split else {
            self.report(
                &field.place,
                Code::E02,
                format!("`{}` does not name a probe", field.value),
                "write \"guards/X.sol:X.f(address)\" or \"out/X.json:X.f(address)\"",
            );
            return None;
        };
        let path = match file.rsplit('/').next() {
            Some(base) if base.ends_with(".sol") => format!("out/{base}/{contract}.json"),
            _artifact => file.to_owned(),
        };
        let path = Field { value: path, place: field.place.clone() };
        let abi = self.abi(&path)?;
        let artifact = self.artifact(&path)?;
        let code = artifact
            .get("deployedBytecode")
            .and_then(|d| d.as_str().or_else(|| d.get("object").and_then(|o| o.as_str())));
        let Some(code) = code.and_then(|c| c.parse::<alloy_primitives::Bytes>().ok()).filter(|c| !c.is_empty()) else {
            self.report(
                &field.place,
                Code::E02,
                format!("{} holds no linked runtime code of {contract}", path.value),
                "build the probe; it must have no constructor arguments and no libraries",
            );
            return None;
        };
        let function = self.signature(signature, Some(&abi), &field.place)?;
        Some((code, function))
    }

    fn for_each(
        &mut self,
        table: &Table<'_>,
        variable: Option<(usize, Field<String>)>,
        types: &[alloy_dyn_abi::DynSolType],
    ) -> Option<(ForEach, ChainId)> {
        let each = self.table(table, "for_each", "`for_each`")?;
        let names: Vec<String> =
            each.fields.iter().map(|(k, _)| k.get_ref().to_string()).filter(|k| k != "where").collect();
        let [name] = names.as_slice() else {
            self.report(
                &each.place(),
                Code::E02,
                "`for_each` binds exactly one name",
                "write { account = [\"@market.Borrow(…).account\"] }",
            );
            return None;
        };
        let Some((position, _)) = variable.filter(|(_, v)| v.value.strip_prefix('$') == Some(name.as_str())) else {
            self.report(
                &each.key_place(name),
                Code::E04,
                format!("`args` does not use `${name}`"),
                format!("write args = [\"${name}\"]"),
            );
            return None;
        };
        let ty = types.get(position)?.clone();
        let sources = self.texts(&each, name);
        if sources.is_empty() {
            self.report(
                &each.key_place(name),
                Code::E03,
                "no event names the keys",
                "write for example \"@market.Borrow(…).account\"",
            );
        }
        let mut keys = Vec::new();
        let mut events: Vec<EventText> = Vec::new();
        for source in &sources {
            let text = self.event(table.file, source)?;
            let Some(arg) = text.arg.clone() else {
                self.report(
                    &source.place,
                    Code::E02,
                    "which argument of the event names the key?",
                    "add .argument behind the closing bracket",
                );
                return None;
            };
            let (place, arg_ty) = self.event_arg(&text, &arg, &source.place)?;
            if arg_ty != ty {
                self.report(
                    &source.place,
                    Code::Rc002,
                    format!("`{arg}` is {arg_ty}, the view wants {ty}"),
                    "take an argument of the same type",
                );
                return None;
            }
            keys.push(KeySource { event: text.event(), arg: place, filters: Vec::new() });
            events.push(text);
        }
        self.filters(&each, &events, &mut keys)?;
        let chain = events.first()?.contract.chain;
        Some((ForEach { position, ty, keys }, chain))
    }

    /// `where = { argument = value }`: looked at in each event that has the argument.
    fn filters(&mut self, each: &Table<'_>, events: &[EventText], keys: &mut [KeySource]) -> Option<()> {
        let Some(filter) = self.table(each, "where", "`where`") else { return Some(()) };
        for (name, entry) in filter.fields {
            let name = name.get_ref().as_ref();
            let value = self.scalar(&filter, name, entry)?;
            let value = match value.value.strip_prefix('@') {
                Some(contract) => Field {
                    value: self.contract_named(each.file, contract, &value.place)?.address.to_string(),
                    place: value.place,
                },
                None => value,
            };
            let mut used = false;
            for (text, key) in events.iter().zip(keys.iter_mut()) {
                let Some((place, ty)) = text.place(name) else { continue };
                used = true;
                match crate::abi::argument(&ty, &value.value) {
                    Ok(word) => key.filters.push((place, B256::from_slice(word.abi_encode().get(..32)?))),
                    Err(why) => self.report(&value.place, Code::E02, why, "correct the value"),
                }
            }
            if !used {
                let names: Vec<&str> =
                    events.iter().flat_map(|e| e.event.inputs.iter().map(|i| i.name.as_str())).collect();
                self.report(
                    &filter.key_place(name),
                    Code::E04,
                    format!("none of the events has an argument `{name}`"),
                    suggest(name, names),
                );
            }
        }
        Some(())
    }

    fn slot(&mut self, table: &Table<'_>, measure: &Measure) -> Option<Compiled> {
        let contract = self.need_text(table, "contract").and_then(|f| self.contract_ref(table.file, &f));
        let entry = table.get("slot")?;
        let text = self.scalar(table, "slot", entry)?;
        let named = match text.value.as_str() {
            "eip1967.implementation" => {
                Some(b256!("0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"))
            }
            "eip1967.admin" => Some(b256!("0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103")),
            "eip1967.beacon" => Some(b256!("0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50")),
            _number => None,
        };
        let slot = named.map(|n| U256::from_be_bytes(n.0)).or_else(|| text.value.parse().ok());
        if slot.is_none() {
            self.report(
                &text.place,
                Code::E02,
                format!("`{}` is not a slot", text.value),
                "write a number, 0x… or \"eip1967.implementation\"",
            );
        }
        let default = match measure.ty {
            Ty::Address => U256::MAX >> 96,
            Ty::Bool => U256::from(0xff),
            Ty::Qty(_) | Ty::Word | Ty::Selector | Ty::Item(_) | Ty::List(_) => U256::MAX,
        };
        let mask = match table.get("mask") {
            Some(entry) => {
                let text = self.scalar(table, "mask", entry)?;
                let mask = text.value.parse().ok().filter(|m: &U256| !m.is_zero());
                if mask.is_none() {
                    self.report(
                        &text.place,
                        Code::E02,
                        format!("`{}` is not a mask", text.value),
                        "write the bits to keep, for example 0xffff",
                    );
                }
                mask?
            }
            None => default,
        };
        let signed = self.boolean(table, "signed").is_some_and(|f| f.value);
        let bits = mask.bit_len() - mask.trailing_zeros();
        let raw = if signed { Raw::Int(bits) } else { Raw::for_ty(&measure.ty) };
        let out = Output { raw, list: false, ty: measure.ty.clone(), decimals: measure.decimals };
        let contract = contract?;
        let source = Source::Slot { account: contract.address, slot: slot?, mask, out };
        Some(Compiled { source, ty: measure.ty.clone(), chain: Some(contract.chain), state: true, at: None })
    }

    fn returns(&mut self, table: &Table<'_>, measure: &Measure) -> Option<Compiled> {
        let field = self.text(table, "returns")?;
        let call = self.function(table.file, &field)?;
        let args = match table.get("args") {
            Some(_) => {
                let args = self.arguments(table, &call.function, &field.place)?;
                if let Some((_, name)) = args.variable {
                    self.report(
                        &name.place,
                        Code::E08,
                        "`returns` has no variable",
                        "write the value, or leave `args` out to take every call",
                    );
                    return None;
                }
                Some(alloy_dyn_abi::DynSolValue::Tuple(args.values).abi_encode_params().into())
            }
            None => None,
        };
        let out = self.output(&call.function, &measure.ty, measure.decimals, &field.place)?;
        let ty = Ty::List(Box::new(out.whole()));
        let source = Source::Returns { target: call.contract.address, selector: call.function.selector().0, args, out };
        Some(Compiled { source, ty, chain: Some(call.contract.chain), state: false, at: Some(At::EachCall) })
    }

    fn log(&mut self, table: &Table<'_>, measure: &Measure) -> Option<Compiled> {
        let field = self.text(table, "log")?;
        let text = self.event(table.file, &field)?;
        let chain = Some(text.contract.chain);
        let Some(arg) = text.arg.clone() else {
            if measure.ty != Ty::Qty(Unit::Count) {
                self.report(
                    &field.place,
                    Code::Rc002,
                    "an event without an argument is counted",
                    "use unit = \"count\", or add .argument behind the closing bracket",
                );
                return None;
            }
            let source = Source::Log { event: text.event(), arg: None };
            return Some(Compiled { source, ty: measure.ty.clone(), chain, state: false, at: Some(At::PostTx) });
        };
        let (place, ty) = self.event_arg(&text, &arg, &field.place)?;
        let raw = Raw::of(&ty)?;
        if !raw.gives(&measure.ty) {
            self.report(
                &field.place,
                Code::Rc002,
                format!("`{arg}` is {ty}, which cannot be read as {}", measure.ty),
                "choose a unit that fits",
            );
            return None;
        }
        let out = Output { raw, list: false, ty: measure.ty.clone(), decimals: measure.decimals };
        let source = Source::Log { event: text.event(), arg: Some((place, out)) };
        Some(Compiled { source, ty: Ty::List(Box::new(measure.ty.clone())), chain, state: false, at: Some(At::PostTx) })
    }

    fn flow(&mut self, table: &Table<'_>, measure: &Measure) -> Option<Compiled> {
        let words =
            [("in", Direction::In), ("out", Direction::Out), ("net", Direction::Net), ("gross", Direction::Gross)];
        let direction = self.word(table, "flow", &words)?;
        let of = self.need_text(table, "of")?;
        let token = if of.value == "native" { None } else { Some(self.contract_ref(table.file, &of)?) };
        let unit = token.as_ref().map_or(Unit::Native, |t| Unit::Amount(t.address));
        if measure.ty != Ty::Qty(unit) {
            let name = if token.is_some() {
                format!("amount:{}", of.value.trim_start_matches('@'))
            } else {
                "native".to_owned()
            };
            self.report(
                &table.key_place("unit"),
                Code::Rc002,
                format!("a flow of `{}` counts {name}, not {}", of.value, measure.ty),
                format!("write unit = \"{name}\""),
            );
            return None;
        }
        let own = if direction.value == Direction::In { "to" } else { "from" };
        let theirs = if direction.value == Direction::In { "from" } else { "to" };
        let account = self.need_text(table, own).and_then(|f| self.contract_ref(table.file, &f));
        let other = self.text(table, theirs).map(|f| self.contract_ref(table.file, &f));
        let window = self.window(table)?;
        let account = account?;
        let other = match other {
            Some(found) => Some(found?.address),
            None => None,
        };
        let flow = Flow {
            direction: direction.value,
            token: token.map(|t| t.address),
            account: account.address,
            other,
            window,
            decimals: measure.decimals,
        };
        Some(Compiled {
            source: Source::Flow(flow),
            ty: measure.ty.clone(),
            chain: Some(account.chain),
            state: false,
            at: Some(At::PostTx),
        })
    }

    fn window(&mut self, table: &Table<'_>) -> Option<Window> {
        let Some(field) = self.text(table, "window") else {
            return table.get("window").is_none().then_some(Window::Tx);
        };
        if field.value == "tx" {
            return Some(Window::Tx);
        }
        match crate::duration::parse(&field.value) {
            Some(Span::Blocks(1)) => Some(Window::Block),
            Some(Span::Blocks(_)) => {
                self.report(
                    &field.place,
                    Code::E02,
                    "windows of several blocks are not available yet",
                    "use \"1 block\" or a time",
                );
                None
            }
            Some(Span::Millis(ms)) if (1_000..=WINDOW_SECS_MAX * 1_000).contains(&ms) => Some(Window::Secs(ms / 1_000)),
            Some(Span::Millis(_)) => {
                self.report(&field.place, Code::E07, format!("a window of {}", field.value), "choose 1s to 30d");
                None
            }
            None => {
                self.report(
                    &field.place,
                    Code::E02,
                    format!("`{}` is not a window", field.value),
                    "write \"tx\", \"1 block\", \"1h\" or \"24h\"",
                );
                None
            }
        }
    }

    fn calc(&mut self, index: usize, table: &Table<'_>, measure: &Measure) -> Option<Compiled> {
        let text: Text = self.cel(table, "calc")?;
        self.names.heads.get_mut(index)?.calc = Some(text);
        Some(Compiled { source: Source::Calc, ty: measure.ty.clone(), chain: None, state: false, at: None })
    }
}
