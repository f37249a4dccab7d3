//! Recorded answers of views, and transactions put together by hand.

use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use ripcord_core::chain::{ChainId, Finality, Position};
use ripcord_core::fact::{LogFact, MoveKind, TokenMove, TxFacts};
use ripcord_core::ports::{MissingState, ReadSet, Snapshot, ViewCall, ViewError, ViewOutput, Views};
use ripcord_core::signal::{RuleId, Signal, UnknownWhy, Verdict};
use ripcord_detect::Detector;
use ripcord_policy::{LoadOptions, Policy, load};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const VAULT: Address = address!("0x1111111111111111111111111111111111111111");
pub(crate) const ASSET: Address = address!("0x2222222222222222222222222222222222222222");
pub(crate) const MARKET: Address = address!("0x3333333333333333333333333333333333333333");
pub(crate) const TIMELOCK: Address = address!("0x4444444444444444444444444444444444444444");
pub(crate) const MALLORY: Address = address!("0x6666666666666666666666666666666666666666");
pub(crate) const ALICE: Address = address!("0x7777777777777777777777777777777777777777");
/// What the policy runs probes at.
pub(crate) const PROBE: Address = address!("0x526970636f726420707265646963617465000001");

/// Answers by snapshot, account and calldata. What is not recorded is missing state.
#[derive(Debug, Default, Clone)]
pub(crate) struct Recorded {
    answers: BTreeMap<(Snapshot, Address, Bytes), Result<Bytes, ViewError>>,
    slots: BTreeMap<(Snapshot, Address, U256), U256>,
    pub(crate) views: usize,
}

impl Recorded {
    pub(crate) fn answer(mut self, at: Snapshot, target: Address, call: &[u8], word: impl Into<Word>) -> Self {
        self.answers.insert((at, target, call.to_vec().into()), Ok(word.into().0.to_vec().into()));
        self
    }

    pub(crate) fn revert(mut self, at: Snapshot, target: Address, call: &[u8]) -> Self {
        self.answers.insert((at, target, call.to_vec().into()), Err(ViewError::Reverted { target }));
        self
    }

    pub(crate) fn slot(mut self, at: Snapshot, account: Address, slot: U256, word: impl Into<Word>) -> Self {
        self.slots.insert((at, account, slot), U256::from_be_bytes(word.into().0.0));
        self
    }
}

impl Views for Recorded {
    fn view(&mut self, at: Snapshot, call: &ViewCall) -> Result<ViewOutput, ViewError> {
        self.views += 1;
        let key = (at, call.target, call.calldata.clone());
        let answer = self.answers.get(&key).cloned();
        let output = answer.unwrap_or(Err(ViewError::Missing(MissingState::Account(call.target))))?;
        Ok(ViewOutput { output, reads: ReadSet::default() })
    }

    fn slot(&mut self, at: Snapshot, account: Address, slot: U256) -> Result<U256, ViewError> {
        let word = self.slots.get(&(at, account, slot)).copied();
        word.ok_or(ViewError::Missing(MissingState::Slot(account, slot)))
    }
}

/// One ABI word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word(pub(crate) B256);

impl From<u128> for Word {
    fn from(value: u128) -> Self {
        Self(U256::from(value).into())
    }
}

impl From<U256> for Word {
    fn from(value: U256) -> Self {
        Self(value.into())
    }
}

impl From<Address> for Word {
    fn from(value: Address) -> Self {
        Self(value.into_word())
    }
}

impl From<B256> for Word {
    fn from(value: B256) -> Self {
        Self(value)
    }
}

impl From<bool> for Word {
    fn from(value: bool) -> Self {
        Self(U256::from(u8::from(value)).into())
    }
}

/// Calldata of a function with one-word arguments.
pub(crate) fn call(signature: &str, args: &[Word]) -> Vec<u8> {
    let mut data = keccak256(signature).0[..4].to_vec();
    args.iter().for_each(|a| data.extend(a.0));
    data
}

pub(crate) fn position(block: u64, tx: Option<u64>) -> Position {
    Position {
        chain: ChainId(31_337),
        block_number: block,
        block_hash: hash(block),
        tx: tx.map(|n| keccak256(n.to_be_bytes())),
        tx_index: 0,
        finality: Finality::Head,
    }
}

pub(crate) fn hash(block: u64) -> B256 {
    B256::from(U256::from(block + 1))
}

/// A transaction that did nothing.
pub(crate) fn idle(block: u64) -> TxFacts {
    TxFacts {
        at: position(block, Some(block)),
        from: MALLORY,
        to: Some(MARKET),
        value: U256::ZERO,
        nonce: 0,
        success: true,
        gas_used: 21_000,
        calls: Vec::new(),
        logs: Vec::new(),
        writes: Vec::new(),
        reads: Vec::new(),
        moves: Vec::new(),
    }
}

pub(crate) fn event(emitter: Address, signature: &str, topics: &[Word], data: &[Word]) -> LogFact {
    let topics = std::iter::once(keccak256(signature)).chain(topics.iter().map(|w| w.0)).collect();
    LogFact { emitter, topics, data: data.iter().flat_map(|w| w.0.0).collect::<Vec<u8>>().into() }
}

/// `tokens` whole tokens.
pub(crate) fn moved(from: Address, to: Address, tokens: u64) -> TokenMove {
    TokenMove { token: Some(ASSET), from, to, amount: ether(tokens), kind: MoveKind::Transfer }
}

pub(crate) fn ether(tokens: u64) -> U256 {
    U256::from(tokens) * U256::from(10).pow(U256::from(18))
}

/// Reads files of the repository.
pub(crate) fn files(name: &str) -> Result<Vec<u8>, String> {
    std::fs::read(format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"))).map_err(|e| format!("{name}: {e}"))
}

pub(crate) fn options() -> LoadOptions {
    let vars = [
        ("DEVNET", "http://127.0.0.1:8545".to_owned()),
        ("DEPUTY_KEY", "keys/deputy".to_owned()),
        ("DEPUTY", ALICE.to_string()),
        ("VAULT", VAULT.to_string()),
        ("ASSET", ASSET.to_string()),
        ("MARKET", MARKET.to_string()),
        ("TIMELOCK", TIMELOCK.to_string()),
    ];
    LoadOptions { vars: vars.into_iter().map(|(k, v)| (k.to_owned(), v)).collect() }
}

pub(crate) fn policy_of(text: &str) -> Arc<Policy> {
    let root = |name: &str| if name == "ripcord.toml" { Ok(text.as_bytes().to_vec()) } else { files(name) };
    match load("ripcord.toml", &root, &options()) {
        Ok(policy) => Arc::new(policy),
        Err(found) => panic!(
            "{}",
            ripcord_policy::render(
                &found,
                &[
                    ("ripcord.toml".to_owned(), text.to_owned()),
                    ("ripcord:core".to_owned(), ripcord_policy::CORE_PACK.to_owned())
                ]
                .into()
            )
        ),
    }
}

/// A policy with the named template of the core pack and nothing else.
pub(crate) fn template(rule: &str, vars: &str) -> Detector {
    Detector::new(policy_of(&format!(
        r#"
schema = 1
[project]
id = "t"
owner = "o"
include = [{{ file = "ripcord:core", rules = ["{rule}"], contracts = {{ protected = "market" }}, vars = {{ {vars} }} }}]
[chains.devnet]
id = "eip155:31337"
sources = ["env:DEVNET"]
[contracts]
vault = {{ chain = "devnet", address = "env:VAULT", decimals = 18 }}
asset = {{ chain = "devnet", address = "env:ASSET", decimals = 18 }}
market = {{ chain = "devnet", address = "env:MARKET" }}
timelock = {{ chain = "devnet", address = "env:TIMELOCK" }}
"#
    )))
}

pub(crate) fn verdict(signals: &[Signal], rule: &str) -> Verdict {
    let found: Vec<&Signal> = signals.iter().filter(|s| s.rule == RuleId(rule.to_owned())).collect();
    assert_eq!(found.len(), 1, "{rule} is due exactly once: {signals:?}");
    found[0].verdict.clone()
}

pub(crate) fn fired(signals: &[Signal], rule: &str) -> bool {
    matches!(verdict(signals, rule), Verdict::Violated { .. })
}

pub(crate) fn held(signals: &[Signal], rule: &str) -> bool {
    verdict(signals, rule) == Verdict::Holds
}

pub(crate) fn unknown(signals: &[Signal], rule: &str) -> Option<UnknownWhy> {
    if let Verdict::Unknown { why } = verdict(signals, rule) { Some(why) } else { None }
}
