//! Single acts of the world's parties, as transactions without nonce.

use super::DrillError;
use super::protocol::{
    ASSETS, Eyes, OWNER, Protocol, THIEF, borrowCall, call, depositCall, mintCall, pausedCall, repayCall, transferCall,
    withdrawCall,
};
use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, sol};
use ripcord_evm::{MemoryState, Tx};
use std::sync::Arc;

sol! {
    function pauseFor(uint64 secs);
    function unpause();
}

fn pair(protocol: &Protocol, asset: usize) -> (Address, Address) {
    protocol.pair(asset).unwrap_or_default()
}

fn units(asset: usize, amount: U256) -> U256 {
    ASSETS.get(asset).map_or(U256::ZERO, |a| a.units(1) * amount)
}

/// Supplies thousandths of a whole token.
#[must_use]
pub fn deposit(protocol: &Protocol, asset: usize, account: Address, thousandths: u64) -> Tx {
    let (_, vault) = pair(protocol, asset);
    let assets = units(asset, U256::from(thousandths)) / U256::from(1000);
    call(account, vault, depositCall { assets, receiver: account })
}

/// Withdraws thousandths of a whole token.
#[must_use]
pub fn withdraw(protocol: &Protocol, asset: usize, account: Address, thousandths: u64) -> Tx {
    let (_, vault) = pair(protocol, asset);
    let assets = units(asset, U256::from(thousandths)) / U256::from(1000);
    call(account, vault, withdrawCall { assets, receiver: account, owner: account })
}

/// Borrows thousandths of a whole token.
#[must_use]
pub fn borrow(protocol: &Protocol, asset: usize, thousandths: u64) -> Tx {
    let (_, vault) = pair(protocol, asset);
    call(
        Address::ZERO,
        protocol.market,
        borrowCall { vault, assets: units(asset, U256::from(thousandths)) / U256::from(1000) },
    )
}

/// Repays thousandths of a whole token.
#[must_use]
pub fn repay(protocol: &Protocol, asset: usize, thousandths: u64) -> Tx {
    let (_, vault) = pair(protocol, asset);
    call(
        Address::ZERO,
        protocol.market,
        repayCall { vault, assets: units(asset, U256::from(thousandths)) / U256::from(1000) },
    )
}

/// The owner mints tokens to the thief, who donates them to a vault: `percent` of what one user started with, ten times over.
#[must_use]
pub fn donation(protocol: &Protocol, asset: usize, percent: U256) -> (Tx, Tx) {
    let (token, vault) = pair(protocol, asset);
    let each = ASSETS.get(asset).map_or(0, |a| a.each);
    let amount = units(asset, U256::from(each)) * percent / U256::from(10);
    let mint = call(OWNER, token, mintCall { to: THIEF, amount });
    let donate = call(THIEF, token, transferCall { to: vault, amount });
    (mint, donate)
}

/// The owner reopens the market.
#[must_use]
pub fn unpause(protocol: &Protocol) -> Tx {
    call(OWNER, protocol.market, unpauseCall {})
}

/// A transfer of nothing to oneself: it uses a nonce.
#[must_use]
pub fn nothing(account: Address) -> Tx {
    Tx {
        kind: 2,
        from: account,
        to: Some(account),
        gas_limit: 21_000,
        max_fee: 900_000_000_000,
        priority_fee: Some(500_000_000_000),
        ..Tx::default()
    }
}

/// Whether calldata is a bounded pause.
#[must_use]
pub fn is_pause(calldata: &[u8]) -> bool {
    pauseForCall::abi_decode(calldata).is_ok()
}

/// Whether the market is paused in this state at this time (seconds).
///
/// # Errors
/// [`DrillError`] when the view fails.
pub fn is_paused(state: &Arc<MemoryState>, market: Address, timestamp: u64) -> Result<bool, DrillError> {
    Eyes::on(Arc::clone(state), 1, timestamp).view(market, pausedCall {})
}
