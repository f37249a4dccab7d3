//! Honest users: what they do follows from the seed and from the chain, like anybody's.

use super::DrillError;
use super::protocol::{
    ASSETS, EMPTY, Eyes, OWNER, Protocol, approveCall, balanceOfCall, borrowCall, call, debtOfCall, depositCall,
    repayCall, setPriceCall, transferCall, withdrawCall,
};
use crate::devnet::Devnet;
use alloy_primitives::{Address, U256};
use ripcord_evm::Tx;

/// Users of the drill.
pub const USERS: usize = 60;

/// The crowd.
pub(super) struct Traffic {
    rng: fastrand::Rng,
    prices: Vec<u64>,
}

impl Traffic {
    /// A crowd with its own randomness.
    #[must_use]
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), prices: ASSETS.iter().map(|a| a.price_e8).collect() }
    }

    /// What the crowd sends in one block. Wallets try a transaction first and do not send what would fail.
    ///
    /// # Errors
    /// [`DrillError`] when the chain cannot be read.
    pub(super) fn block(&mut self, devnet: &Devnet, protocol: &Protocol, count: usize) -> Result<Vec<Tx>, DrillError> {
        let mut eyes = Eyes::open(devnet);
        let mut txs: Vec<Tx> = Vec::with_capacity(count);
        for _ in 0..count * 4 {
            if txs.len() == count {
                break;
            }
            let account = protocol.users.get(self.rng.usize(..protocol.users.len())).copied().unwrap_or_default();
            // One transaction per user and block keeps what the wallet tried true when it is included.
            if txs.iter().any(|tx| tx.from == account) {
                continue;
            }
            if let Some(tx) = self.one(&mut eyes, protocol, account)?
                && eyes.attempt(tx.clone()).is_ok()
            {
                txs.push(tx);
            }
        }
        txs.extend(self.price(protocol)?);
        Ok(txs)
    }

    fn one(&mut self, eyes: &mut Eyes, protocol: &Protocol, account: Address) -> Result<Option<Tx>, DrillError> {
        let index = self.rng.usize(..EMPTY);
        let Some(asset) = ASSETS.get(index) else { return Ok(None) };
        let (token, vault) = protocol.pair(index)?;
        let share = |rng: &mut fastrand::Rng, amount: U256| amount * U256::from(rng.u64(1..=30)) / U256::from(100);
        let tx = match self.rng.u8(..100) {
            0..30 => {
                let assets = share(&mut self.rng, eyes.view(token, balanceOfCall { account })?);
                call(account, vault, depositCall { assets, receiver: account })
            }
            30..50 => {
                let assets = share(&mut self.rng, asset.units(asset.each)) / U256::from(4);
                call(account, vault, withdrawCall { assets, receiver: account, owner: account })
            }
            50..72 => {
                let assets = share(&mut self.rng, asset.units(asset.each)) / U256::from(4);
                call(account, protocol.market, borrowCall { vault, assets })
            }
            72..88 => {
                let debt = eyes.view(vault, debtOfCall { account })?;
                if debt.is_zero() {
                    return Ok(None);
                }
                call(account, protocol.market, repayCall { vault, assets: debt / U256::from(self.rng.u64(1..=4)) })
            }
            88..96 => {
                let to = protocol.users.get(self.rng.usize(..protocol.users.len())).copied().unwrap_or_default();
                call(account, token, transferCall { to, amount: share(&mut self.rng, asset.units(1)) })
            }
            // Now and then somebody sends a token to a vault by mistake: an honest donation of dust.
            96..98 => call(account, token, transferCall { to: vault, amount: asset.units(1) / U256::from(50) }),
            _ => call(account, token, approveCall { spender: vault, amount: U256::MAX }),
        };
        let priority_fee = Some(u128::from(self.rng.u64(1..=3)) * 1_000_000_000);
        Ok(Some(Tx { priority_fee, ..tx }))
    }

    /// The oracle moves one price by at most half a percent.
    fn price(&mut self, protocol: &Protocol) -> Result<Option<Tx>, DrillError> {
        if self.rng.u8(..100) >= 40 {
            return Ok(None);
        }
        let index = 2 + self.rng.usize(..2);
        let Some(price) = self.prices.get_mut(index) else { return Ok(None) };
        let step = *price / 10_000 * self.rng.u64(..50);
        *price = if self.rng.bool() { *price + step } else { *price - step };
        let (_, vault) = protocol.pair(index)?;
        Ok(Some(call(OWNER, protocol.market, setPriceCall { vault, price: U256::from(*price) })))
    }
}
