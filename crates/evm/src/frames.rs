//! The call tree by frame hooks: revm's own EVM with a recorder around frame entry and exit.
//!
//! Hooks at frames cost a few percent and are always on; no hook runs per opcode.

use crate::rehearsal::Precompiles;
use crate::snapshots::Snapshots;
use crate::tracked::TrackedBlock;
use alloy_primitives::{Address, Bytes, U256};
use revm::context::result::{EVMError, HaltReason, InvalidTransaction};
use revm::context::{CfgEnv, ContextTr, Evm, FrameStack, JournalTr, LocalContextTr, TxEnv};
use revm::context_interface::CreateScheme;
use revm::handler::evm::{ContextDbError, FrameInitResult};
use revm::handler::instructions::EthInstructions;
use revm::handler::{EthFrame, EvmTr, FrameInitOrResult, FrameResult, FrameTr, Handler, ItemOrResult};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_action::FrameInit;
use revm::interpreter::{CallScheme, FrameInput, GasTracker, InstructionResult};
use revm::{Context, Journal, JournalEntry};
use ripcord_core::fact::{CallEnd, CallFact, CallKind, MoveKind, TokenMove};
use ripcord_core::ports::StateSource;

pub(crate) type Ctx<S> = Context<TrackedBlock, TxEnv, CfgEnv, Snapshots<S>, Journal<Snapshots<S>>, ()>;
pub(crate) type Inner<S> =
    Evm<Ctx<S>, (), EthInstructions<EthInterpreter, Ctx<S>>, Precompiles, EthFrame<EthInterpreter>>;

/// revm's mainnet EVM with the recorder.
pub(crate) struct FramedEvm<S: StateSource> {
    pub(crate) inner: Inner<S>,
    pub(crate) recorder: Recorder,
}

/// Frames and native moves of the transaction in progress.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) enabled: bool,
    pub(crate) calls: Vec<CallFact>,
    pub(crate) native: Vec<TokenMove>,
    /// Indices into `calls` of the frames that are open.
    open: Vec<u32>,
}

impl Recorder {
    pub(crate) fn start(&mut self, enabled: bool) {
        self.enabled = enabled;
        self.calls.clear();
        self.native.clear();
        self.open.clear();
    }

    #[expect(clippy::cast_possible_truncation, reason = "a transaction cannot pay for 2^32 frames")]
    fn enter(&mut self, mut fact: CallFact) {
        fact.parent = self.open.last().copied();
        fact.depth = self.open.len() as u16;
        self.open.push(self.calls.len() as u32);
        self.calls.push(fact);
    }

    fn leave(&mut self, result: &FrameResult) {
        let Some(call) = self.open.pop().and_then(|i| self.calls.get_mut(i as usize)) else { return };
        let interpreted = result.interpreter_result();
        call.end = end_of(interpreted.result);
        // An exceptional halt takes all gas of its frame and returns nothing, whatever the interpreter had left when it stopped.
        call.gas_used = if interpreted.result.is_halt() { call.gas_limit } else { interpreted.gas.total_gas_spent() };
        if !matches!(call.end, CallEnd::Halt(_)) {
            call.output = interpreted.output.clone();
        }
        if let FrameResult::Create(created) = result {
            match created.address {
                Some(address) => {
                    call.target = address;
                    call.code_address = address;
                }
                // revm answers "returned" without an address when the creator's nonce cannot grow.
                None if call.end == CallEnd::Success => call.end = CallEnd::Halt("NonceOverflow".to_owned()),
                None => {}
            }
        }
    }

    /// A `SELFDESTRUCT` of the frame that is open: a frame of its own, as tracers show it.
    fn destroy(&mut self, fact: CallFact) {
        if self.open.is_empty() {
            return;
        }
        self.enter(fact);
        self.open.pop();
    }

    /// Native moves that stand, read off the journal before it is closed.
    fn settle(&mut self, journal: &[JournalEntry]) {
        for entry in journal {
            let Some((from, to, amount)) = moved(entry) else { continue };
            if !amount.is_zero() && from != to {
                self.native.push(TokenMove { token: None, from, to, amount, kind: MoveKind::Native });
            }
        }
    }
}

fn destroyed(address: Address, beneficiary: Address, balance: U256) -> CallFact {
    CallFact {
        parent: None,
        depth: 0,
        kind: CallKind::SelfDestruct,
        caller: address,
        target: beneficiary,
        code_address: address,
        value: balance,
        gas_limit: 0,
        gas_used: 0,
        input: Bytes::new(),
        output: Bytes::new(),
        end: CallEnd::Success,
    }
}

/// Payer, payee and wei of a journal entry that moves wei.
fn moved(entry: &JournalEntry) -> Option<(Address, Address, U256)> {
    if let JournalEntry::BalanceTransfer { balance, from, to } = entry {
        return Some((*from, *to, *balance));
    }
    let JournalEntry::AccountDestroyed { had_balance, address, target, .. } = entry else { return None };
    Some((*address, *target, *had_balance))
}

/// revm counts a call too deep and a payer too poor among its reverts; only `REVERT` is one.
fn end_of(result: InstructionResult) -> CallEnd {
    if result.is_ok() {
        CallEnd::Success
    } else if result == InstructionResult::Revert {
        CallEnd::Revert
    } else {
        CallEnd::Halt(format!("{result:?}"))
    }
}

fn entered<S: StateSource>(context: &Ctx<S>, input: &FrameInput) -> Option<CallFact> {
    let fact = |kind, caller, target, code_address, value, gas_limit, input| CallFact {
        parent: None,
        depth: 0,
        kind,
        caller,
        target,
        code_address,
        value,
        gas_limit,
        gas_used: 0,
        input,
        output: Bytes::new(),
        end: CallEnd::Success,
    };
    match input {
        FrameInput::Empty => None,
        FrameInput::Call(call) => {
            let kind = match call.scheme {
                CallScheme::Call => CallKind::Call,
                CallScheme::CallCode => CallKind::CallCode,
                CallScheme::DelegateCall => CallKind::DelegateCall,
                CallScheme::StaticCall => CallKind::StaticCall,
            };
            let caller = if kind == CallKind::DelegateCall { call.target_address } else { call.caller };
            let data = call.input.bytes(context);
            Some(fact(kind, caller, call.target_address, call.bytecode_address, call.value.get(), call.gas_limit, data))
        }
        FrameInput::Create(create) => {
            let kind = match create.scheme() {
                CreateScheme::Create => CallKind::Create,
                CreateScheme::Create2 { .. } | CreateScheme::Custom { .. } => CallKind::Create2,
            };
            let none = Address::ZERO;
            Some(fact(
                kind,
                create.caller(),
                none,
                none,
                create.value(),
                create.gas_limit(),
                create.init_code().clone(),
            ))
        }
    }
}

impl<S: StateSource> FramedEvm<S> {
    /// Whether the frame that just ran ended in `SELFDESTRUCT`. revm tells so of calls; of a creation only the journal tells.
    fn destroyed_itself(&self, result: &FrameResult, before: usize) -> bool {
        match result {
            FrameResult::Call(call) => call.result.result == InstructionResult::SelfDestruct,
            FrameResult::Create(_) => {
                let gained = self.inner.ctx.journaled_state.inner.journal.get(before..).unwrap_or_default();
                gained.iter().any(|entry| matches!(entry, JournalEntry::AccountDestroyed { .. }))
            }
        }
    }

    /// Records that the frame that just ran ended in `SELFDESTRUCT`. Between two calls only that instruction moves wei, so that what the
    /// journal gained since `before` names the beneficiary; when it names none, the account kept its wei (EIP-6780, to itself).
    #[cold]
    fn record_destruction(&mut self, before: usize) {
        let address = self.inner.frame_stack.get().interpreter.input.target_address;
        let journal = &self.inner.ctx.journaled_state.inner;
        let paid = journal.journal.get(before..).unwrap_or_default().iter().rev().find_map(moved);
        let (beneficiary, balance) = match paid {
            Some((_, beneficiary, balance)) => (beneficiary, balance),
            None => (address, journal.state.get(&address).map_or(U256::ZERO, |a| a.info.balance)),
        };
        self.recorder.destroy(destroyed(address, beneficiary, balance));
    }
}

impl<S: StateSource> EvmTr for FramedEvm<S> {
    type Context = Ctx<S>;
    type Instructions = EthInstructions<EthInterpreter, Ctx<S>>;
    type Precompiles = Precompiles;
    type Frame = EthFrame<EthInterpreter>;

    fn all(&self) -> (&Self::Context, &Self::Instructions, &Self::Precompiles, &FrameStack<Self::Frame>) {
        self.inner.all()
    }

    fn all_mut(
        &mut self,
    ) -> (&mut Self::Context, &mut Self::Instructions, &mut Self::Precompiles, &mut FrameStack<Self::Frame>) {
        self.inner.all_mut()
    }

    fn frame_init(
        &mut self,
        init: FrameInit,
    ) -> Result<FrameInitResult<'_, Self::Frame>, ContextDbError<Self::Context>> {
        if !self.recorder.enabled {
            return self.inner.frame_init(init);
        }
        if let Some(fact) = entered(&self.inner.ctx, &init.frame_input) {
            self.recorder.enter(fact);
        }
        let first = self.inner.frame_stack.index().is_none();
        let started = self.inner.frame_init(init)?;
        if let ItemOrResult::Result(result) = &started
            && first
        {
            self.recorder.leave(result);
        }
        Ok(started)
    }

    fn frame_run(&mut self) -> Result<FrameInitOrResult<Self::Frame>, ContextDbError<Self::Context>> {
        let before = self.inner.ctx.journaled_state.inner.journal.len();
        let next = self.inner.frame_run()?;
        if self.recorder.enabled
            && let ItemOrResult::Result(result) = &next
            && self.destroyed_itself(result, before)
        {
            self.record_destruction(before);
        }
        Ok(next)
    }

    fn frame_return_result(
        &mut self,
        result: <Self::Frame as FrameTr>::FrameResult,
    ) -> Result<Option<<Self::Frame as FrameTr>::FrameResult>, ContextDbError<Self::Context>> {
        if self.recorder.enabled {
            self.recorder.leave(&result);
        }
        self.inner.frame_return_result(result)
    }
}

pub(crate) type ExecFailure<S> = EVMError<<Snapshots<S> as revm::Database>::Error, InvalidTransaction>;

/// Runs transactions with the recorder.
pub(crate) struct FramedHandler<S>(std::marker::PhantomData<S>);

impl<S> Default for FramedHandler<S> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<S: StateSource> Handler for FramedHandler<S> {
    type Evm = FramedEvm<S>;
    type Error = ExecFailure<S>;
    type HaltReason = HaltReason;

    fn execution_result(
        &mut self,
        evm: &mut Self::Evm,
        result: FrameResult,
        gas: revm::context::result::ResultGas,
    ) -> Result<revm::context::result::ExecutionResult<HaltReason>, Self::Error> {
        if evm.recorder.enabled {
            evm.recorder.settle(&evm.inner.ctx.journaled_state.inner.journal);
        }
        revm::handler::MainnetHandler::<Self::Evm, Self::Error, EthFrame<EthInterpreter>>::default()
            .execution_result(evm, result, gas)
    }
}

/// Runs read-only calls: a system call whose first frame is static.
pub(crate) struct ViewHandler<S>(std::marker::PhantomData<S>);

impl<S> Default for ViewHandler<S> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<S: StateSource> Handler for ViewHandler<S> {
    type Evm = FramedEvm<S>;
    type Error = ExecFailure<S>;
    type HaltReason = HaltReason;

    fn first_frame_input(
        &mut self,
        evm: &mut Self::Evm,
        gas: &mut GasTracker,
    ) -> Result<Option<FrameInit>, Self::Error> {
        let mut init = revm::handler::MainnetHandler::<Self::Evm, Self::Error, EthFrame<EthInterpreter>>::default()
            .first_frame_input(evm, gas)?;
        if let Some(FrameInput::Call(call)) = init.as_mut().map(|i| &mut i.frame_input) {
            call.is_static = true;
        }
        Ok(init)
    }
}

/// Forgets a transaction that did not run to its end.
pub(crate) fn discard<S: StateSource>(evm: &mut FramedEvm<S>) {
    let context = evm.ctx_mut();
    context.local_mut().clear();
    context.journal_mut().discard_tx();
    let _ = context.journal_mut().finalize();
    evm.frame_stack().clear();
}
