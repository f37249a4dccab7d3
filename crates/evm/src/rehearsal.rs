//! Rehearsal of signed calls: the signature check answers for signers that have not signed yet.
//!
//! An action is tried before anybody signs it, and readiness is tried at every head: no key may be needed for that. A stand-in
//! signature names its signer, and while a rehearsal is on, `ECRECOVER` believes it. Off a rehearsal it is an invalid signature like
//! any other.

use revm::context::ContextTr;
use revm::handler::{EthPrecompiles, PrecompileProvider};
use revm::interpreter::{CallInputs, InterpreterResult};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, AddressSet, B256, Bytes, U256, address};

const ECRECOVER: Address = address!("0000000000000000000000000000000000000001");

/// A 65-byte signature that stands for the real one of `signer` in a rehearsal: its address as r, 1 as s, 27 as v.
#[must_use]
pub fn stand_in(signer: Address) -> Bytes {
    let mut out = signer.into_word().to_vec();
    out.extend(U256::ONE.to_be_bytes::<32>());
    out.push(27);
    out.into()
}

/// Ethereum's precompiles, and those whose stand-in signatures count now.
#[derive(Debug, Clone)]
pub(crate) struct Precompiles {
    eth: EthPrecompiles,
    /// Empty outside a rehearsal.
    pub(crate) signers: Vec<Address>,
}

impl Precompiles {
    pub(crate) fn new(spec: SpecId) -> Self {
        Self { eth: EthPrecompiles::new(spec), signers: Vec::new() }
    }

    /// The signer whose stand-in signature the input of `ECRECOVER` (hash, v, r, s) carries.
    fn believed(&self, input: &[u8]) -> Option<B256> {
        let word = |index: usize| input.get(index * 32..index * 32 + 32).map(B256::from_slice);
        let (v, r, s) = (word(1)?, word(2)?, word(3)?);
        let stands = v == B256::from(U256::from(27)) && s == B256::from(U256::ONE);
        (stands && self.signers.iter().any(|signer| signer.into_word() == r)).then_some(r)
    }
}

impl<C: ContextTr> PrecompileProvider<C> for Precompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: <C::Cfg as revm::context::Cfg>::Spec) -> bool {
        PrecompileProvider::<C>::set_spec(&mut self.eth, spec)
    }

    fn run(&mut self, context: &mut C, inputs: &CallInputs) -> Result<Option<InterpreterResult>, String> {
        let mut result = self.eth.run(context, inputs)?;
        if !self.signers.is_empty()
            && inputs.bytecode_address == ECRECOVER
            && let Some(found) = result.as_mut().filter(|r| r.result.is_ok())
            && let Some(signer) = self.believed(&inputs.input.as_bytes(context))
        {
            found.output = signer.into();
        }
        Ok(result)
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.eth.warm_addresses()
    }
}
