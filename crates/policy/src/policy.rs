//! The checked policy: what loading makes of the text and what detection evaluates.

use crate::abi::Output;
use crate::ir::{At, Leaf, Node, Ty};
use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_primitives::{Address, B256, Bytes, U256};
use ripcord_core::chain::ChainId;
use ripcord_core::playbook::{Program, RuleSpec};
use ripcord_core::ports::ViewCall;
use ripcord_core::signal::RuleId;
use serde::Serialize;
use std::collections::BTreeMap;

/// Gas of one view or probe.
pub const VIEW_GAS: u64 = 10_000_000;

/// A loaded policy.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) signals: Vec<Signal>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) contracts: BTreeMap<String, Contract>,
    pub(crate) program: Program,
}

impl Policy {
    /// Signals; [`Leaf::signal`] is an index into these.
    #[must_use]
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    /// Rules in order of the text, the hidden ones of playbook steps last.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// A rule by id, hidden ones included.
    #[must_use]
    pub fn rule(&self, id: &RuleId) -> Option<&Rule> {
        self.rules.iter().find(|r| r.spec.id == *id)
    }

    /// Contracts by name.
    #[must_use]
    pub fn contracts(&self) -> &BTreeMap<String, Contract> {
        &self.contracts
    }

    /// The name that the policy gives to an account.
    #[must_use]
    pub fn name_of(&self, address: Address) -> Option<String> {
        self.contracts.iter().find(|(_, c)| c.address == address).map(|(name, _)| name.clone())
    }

    /// What the guardian's core follows.
    #[must_use]
    pub fn program(&self) -> Program {
        self.program.clone()
    }
}

/// A contract that rules and playbooks name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Chain.
    pub chain: ChainId,
    /// Address.
    pub address: Address,
    /// Decimals, when it is a token.
    pub decimals: Option<u8>,
    /// ABI, when one was given.
    pub abi: Option<alloy_json_abi::JsonAbi>,
}

/// A named value with its type and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: Ty,
    /// Snapshot when the rule names none.
    pub at: At,
    /// Chain; `None` for `calc` signals.
    pub chain: Option<ChainId>,
    /// Source.
    pub source: Source,
    /// Canonical form, part of the hash of the rules that use it.
    pub canonical: serde_json::Value,
}

/// Where a signal's value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A view call or a probe, perhaps one per key that the transaction's events name.
    View(Box<View>),
    /// A raw storage slot.
    Slot {
        /// Account.
        account: Address,
        /// Slot.
        slot: U256,
        /// Bits looked at; the value is shifted down by the mask's trailing zeros.
        mask: U256,
        /// How the word becomes a value.
        out: Output,
    },
    /// What matching calls of the transaction returned.
    Returns {
        /// Account called.
        target: Address,
        /// Function.
        selector: [u8; 4],
        /// Encoded arguments that the call must have; `None` for any.
        args: Option<Bytes>,
        /// How return data becomes a value.
        out: Output,
    },
    /// Events of the transaction: their number, or an argument of each.
    Log {
        /// The event.
        event: Event,
        /// The argument; `None` counts.
        arg: Option<(ArgPlace, Output)>,
    },
    /// Token movements.
    Flow(Flow),
    /// CEL over other signals, expanded where it is used.
    Calc,
}

/// A view call or probe.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Account called; a probe's pseudo-address.
    pub target: Address,
    /// Runtime code of a probe.
    pub code: Option<Bytes>,
    /// Function.
    pub selector: [u8; 4],
    /// Arguments; the variable's place holds a default value.
    pub args: Vec<DynSolValue>,
    /// Keys to call it with.
    pub each: Option<ForEach>,
    /// How return data becomes a value.
    pub out: Output,
}

impl View {
    /// The call, for one key if it takes one. `None` when the key is not a value of the argument's type.
    #[must_use]
    pub fn call(&self, key: Option<B256>) -> Option<ViewCall> {
        let mut args = self.args.clone();
        if let (Some(each), Some(key)) = (&self.each, key) {
            let value = each.ty.abi_decode(key.as_slice()).ok()?;
            *args.get_mut(each.position)? = value;
        }
        let mut calldata = self.selector.to_vec();
        calldata.extend(DynSolValue::Tuple(args).abi_encode_params());
        Some(ViewCall { target: self.target, code: self.code.clone(), calldata: calldata.into(), gas_limit: VIEW_GAS })
    }
}

/// The keys of a list signal: one decoded argument of the named events, each distinct value once, in order of appearance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForEach {
    /// Index of the view's argument that the key stands for.
    pub position: usize,
    /// That argument's type.
    pub ty: DynSolType,
    /// Where the key is taken from.
    pub keys: Vec<KeySource>,
}

/// One event argument that names keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySource {
    /// Event.
    pub event: Event,
    /// Argument.
    pub arg: ArgPlace,
    /// Arguments that must have these values.
    pub filters: Vec<(ArgPlace, B256)>,
}

/// An event of one emitter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Emitter.
    pub emitter: Address,
    /// First topic.
    pub topic0: B256,
    /// Number of topics, the first included.
    pub topics: usize,
}

/// Where a log keeps an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArgPlace {
    /// Index into the topics.
    Topic(usize),
    /// Word of the data.
    Data(usize),
}

/// Token movements of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// What is summed.
    pub direction: Direction,
    /// Token; `None` for the native coin.
    pub token: Option<Address>,
    /// The account.
    pub account: Address,
    /// Only movements between the account and this one.
    pub other: Option<Address>,
    /// Over how long.
    pub window: Window,
    /// Decimals of the token.
    pub decimals: u8,
}

/// What a flow sums up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// What came in.
    In,
    /// What went out.
    Out,
    /// Out less in.
    Net,
    /// Each transaction's net outflow where it is positive: what is lent and returned within one transaction cancels out,
    /// what comes back in another does not.
    Gross,
}

/// How long a flow looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// This transaction.
    Tx,
    /// This block.
    Block,
    /// The last seconds, this block included.
    Secs(u64),
}

/// When a rule is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct On {
    /// For pending transactions.
    pub pending: bool,
    /// For transactions of adopted blocks.
    pub tx: bool,
    /// For adopted blocks.
    pub block: bool,
}

/// What makes a rule due although nothing it read has changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// A call of, log of, or change to the account.
    Touch(Address),
    /// A call of a function.
    Call(Address, [u8; 4]),
    /// An event.
    Log(Address, B256),
    /// A movement of a token (`None`: native) from or to the account.
    Move(Option<Address>, Address),
}

/// A checked rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Authority and consequences.
    pub spec: RuleSpec,
    /// When it is evaluated.
    pub on: On,
    /// Whether it belongs to a playbook step instead of `[[rules]]`.
    pub hidden: bool,
    /// Text of the condition.
    pub text: String,
    /// The condition that must hold.
    pub expr: Node,
    /// Signals it reads, in order of the text.
    pub leaves: Vec<Leaf>,
    /// Triggers, written and derived.
    pub triggers: Vec<Trigger>,
    /// Notification text.
    pub summary: Option<String>,
}
