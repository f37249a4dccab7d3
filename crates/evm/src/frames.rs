//! The call tree by frame hooks: revm's own EVM with a recorder around frame entry and exit.
//!
//! Hooks at frames cost a few percent and are always on; no hook runs per opcode (`libraries.md`).

use crate::snapshots::Snapshots;
use crate::tracked::TrackedBlock;
use alloy_primitives::{Address, Bytes, U256};
use ripcord_core::fact::{CallEnd, CallFact, CallKind, MoveKind, TokenMove};
use ripcord_core::ports::StateSource;
use revm::context::result::{EVMError, HaltReason, InvalidTransaction};
use revm::context::{CfgEnv, ContextTr, Evm, FrameStack, JournalTr, LocalContextTr, TxEnv};
use revm::context_interface::CreateScheme;
use revm::handler::evm::{ContextDbError, FrameInitResult};
use revm::handler::instructions::EthInstructions;
use revm::handler::{
    EthFrame, EthPrecompiles, EvmTr, FrameInitOrResult, FrameResult, FrameTr, Handler, ItemOrResult,
};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_action::FrameInit;
use revm::interpreter::{CallScheme, FrameInput, GasTracker, InstructionResult};
use revm::{Context, Journal, JournalEntry};

pub(crate) type Ctx<S> = Context<TrackedBlock, TxEnv, CfgEnv, Snapshots<S>, Journal<Snapshots<S>>, ()>;
pub(crate) type Inner<S> =
    Evm<Ctx<S>, (), EthInstructions<EthInterpreter, Ctx<S>>, EthPrecompiles, EthFrame<EthInterpreter>>;

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
        call.gas_used = interpreted.gas.total_gas_spent();
        call.output = interpreted.output.clone();
        call.end = end_of(interpreted.result);
        if let FrameResult::Create(created) = result
            && let Some(address) = created.address
        {
            call.target = address;
            call.code_address = address;
        }
    }

    /// Native moves and self-destructs that stand, read off the journal before it is closed.
    fn settle(&mut self, journal: &[JournalEntry]) {
        for entry in journal {
            let (from, to, amount) = match entry {
                JournalEntry::BalanceTransfer { balance, from, to } => (*from, *to, *balance),
                JournalEntry::AccountDestroyed { had_balance, address, target, .. } => {
                    self.calls.push(destroyed(*address, *target, *had_balance));
                    (*address, *target, *had_balance)
                }
                _ => continue,
            };
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

fn end_of(result: InstructionResult) -> CallEnd {
    if result.is_ok() {
        CallEnd::Success
    } else if result.is_revert() {
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
            Some(fact(kind, create.caller(), none, none, create.value(), create.gas_limit(), create.init_code().clone()))
        }
    }
}

impl<S: StateSource> EvmTr for FramedEvm<S> {
    type Context = Ctx<S>;
    type Instructions = EthInstructions<EthInterpreter, Ctx<S>>;
    type Precompiles = EthPrecompiles;
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
        self.inner.frame_run()
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
        let mut init =
            revm::handler::MainnetHandler::<Self::Evm, Self::Error, EthFrame<EthInterpreter>>::default()
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
