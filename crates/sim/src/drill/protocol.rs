//! The protocol under protection: the lending market of `contracts/src/drill`, deployed on the devnet by ordinary transactions.

use super::DrillError;
use super::kit::{Kit, artifact};
use crate::devnet::{Devnet, Lane};
use crate::signer::Signer;
use alloy_primitives::{Address, Bytes, U256, address, keccak256};
use alloy_sol_types::{SolCall, SolValue, sol};
use ripcord_core::chain::{ChainId, Finality};
use ripcord_evm::{ExecError, Executor, Hardforks, Header, MemoryState, SpecId, Tx};
use serde::Deserialize;
use std::sync::Arc;

sol! {
    function mint(address to, uint256 amount);
    function approve(address spender, uint256 amount) returns (bool);
    function transfer(address to, uint256 amount) returns (bool);
    function balanceOf(address account) returns (uint256);
    function cash() returns (uint256);
    function totalAssets() returns (uint256);
    function debtOf(address account) returns (uint256);
    function deposit(uint256 assets, address receiver) returns (uint256);
    function withdraw(uint256 assets, address receiver, address owner) returns (uint256);
    function borrow(address vault, uint256 assets);
    function repay(address vault, uint256 assets) returns (uint256);
    function liquidate(address borrower, address debtVault, address collateralVault, uint256 repayAssets) returns (uint256);
    function healthFactor(address account) returns (uint256);
    function listVault(address vault, uint256 price, uint16 cfBps);
    function setPrice(address vault, uint256 price);
    function paused() returns (bool);
    function setUp(address vault, uint256 seed, uint256 donation);
    function borrowFrom(address vault, uint256 assets);
    function exit();
    function all(address vault, uint256 seed, uint256 donation, address[] vaults, uint256[] amounts);
    function marketBalance(address market) returns (uint256 assets, uint256 liabilities);
    error MarketPaused(uint64 until);
}

/// Chain id of the drill.
pub const CHAIN: ChainId = ChainId(31337);
/// Deploys, owns and prices the market.
pub const OWNER: Address = address!("00000000000000000000000000000000000a11ce");
/// The guardian's account, which signs and sends: it may tighten, nothing else. Its key is [`guardian_key`].
pub const GUARDIAN: Address = address!("ecde4cc9faef80aaa817fee3e0c0414b4e1b9c09");
/// The attacker's account.
pub const THIEF: Address = address!("000000000000000000000000000000000bad1dea");

/// Whether the market carries the bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// With the documented bug.
    Vulnerable,
    /// The fixed twin.
    Patched,
}

/// An asset of the market.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Ticker.
    pub symbol: &'static str,
    /// Token decimals.
    pub decimals: u8,
    /// Price of a whole token, 1e-8 USD.
    pub price_e8: u64,
    /// Collateral factor.
    pub factor_bps: u16,
    /// Whole tokens that each user starts with.
    pub each: u64,
}

/// The assets; the last one is listed but has no deposits yet.
pub const ASSETS: [Asset; 5] = [
    Asset { symbol: "USDC", decimals: 6, price_e8: 100_000_000, factor_bps: 8500, each: 50_000 },
    Asset { symbol: "DAI", decimals: 18, price_e8: 100_000_000, factor_bps: 8000, each: 50_000 },
    Asset { symbol: "WETH", decimals: 18, price_e8: 300_000_000_000, factor_bps: 8000, each: 15 },
    Asset { symbol: "LINK", decimals: 18, price_e8: 1_200_000_000, factor_bps: 7000, each: 3_000 },
    Asset { symbol: "WBTC", decimals: 8, price_e8: 6_000_000_000_000, factor_bps: 8000, each: 1 },
];

/// Index of the asset whose market is empty.
pub const EMPTY: usize = 4;

impl Asset {
    /// Raw amount of a number of whole tokens.
    #[must_use]
    pub fn units(&self, whole: u64) -> U256 {
        U256::from(whole) * U256::from(10).pow(U256::from(self.decimals))
    }

    /// Value of a raw amount, 1e-8 USD, rounded down.
    #[must_use]
    pub fn usd_e8(&self, amount: U256) -> U256 {
        amount * U256::from(self.price_e8) / U256::from(10).pow(U256::from(self.decimals))
    }
}

/// A deployed market.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// The market.
    pub market: Address,
    /// Tokens, in the order of [`ASSETS`].
    pub tokens: Vec<Address>,
    /// Vaults, in the order of [`ASSETS`].
    pub vaults: Vec<Address>,
    /// Owner of nothing yet; rule 56 reads it.
    pub timelock: Address,
    /// The attacker's contract.
    pub attack: Address,
    /// Users, in order.
    pub users: Vec<Address>,
    /// Whether it carries the bug.
    pub build: Build,
    /// The kit that protects it, if any.
    pub kit: Option<Kit>,
}

#[derive(Deserialize)]
struct Artifact {
    bytecode: Bytes,
}

pub(super) fn bytecode(json: &str) -> Result<Bytes, DrillError> {
    serde_json::from_str::<Artifact>(json).map(|a| a.bytecode).map_err(|e| DrillError::Artifact(e.to_string()))
}

/// The account of user `index`.
#[must_use]
pub(super) fn user(index: usize) -> Address {
    Address::from_word(keccak256(format!("user {index}")))
}

/// The key behind [`GUARDIAN`].
///
/// # Errors
/// [`DrillError::Artifact`] when the name gives no key, which it does.
pub(super) fn guardian_key() -> Result<Signer, DrillError> {
    Signer::named("guardian of the drill").ok_or_else(|| DrillError::Artifact("no key for the guardian".to_owned()))
}

/// State before anything is deployed: every account has wei for gas.
#[must_use]
pub fn genesis(users: usize) -> MemoryState {
    let mut state = MemoryState::default();
    let wei = U256::from(10_000) * U256::from(10).pow(U256::from(18));
    for account in [OWNER, GUARDIAN, THIEF].into_iter().chain((0..users).map(user)) {
        state.set_account(account, wei, 0, Bytes::new());
    }
    state
}

/// A plain transaction at the price that honest users pay.
#[must_use]
pub(super) fn call(from: Address, to: Address, input: impl SolCall) -> Tx {
    raw(from, to, input.abi_encode().into())
}

/// The same with calldata as it is.
#[must_use]
pub(super) fn raw(from: Address, to: Address, input: Bytes) -> Tx {
    Tx {
        kind: 2,
        from,
        to: Some(to),
        input,
        gas_limit: 1_500_000,
        max_fee: 200_000_000_000,
        priority_fee: Some(2_000_000_000),
        chain_id: Some(CHAIN.0),
        ..Tx::default()
    }
}

/// Sends from an account with its next nonce.
///
/// # Errors
/// [`DrillError::Refused`].
pub(super) fn send(devnet: &mut Devnet, tx: Tx) -> Result<alloy_primitives::B256, DrillError> {
    let nonce = devnet.next_nonce(tx.from);
    devnet.submit(Tx { nonce, ..tx }, Lane::Public).map_err(DrillError::Refused)
}

impl Protocol {
    /// Deploys and funds everything in a few blocks: a market with a pause of its own.
    ///
    /// # Errors
    /// [`DrillError`].
    pub fn deploy(devnet: &mut Devnet, build: Build, users: usize) -> Result<Self, DrillError> {
        let market = create(devnet, OWNER, artifact!("LendingMarket")?, (OWNER, GUARDIAN).abi_encode_params())?;
        Self::around(devnet, build, users, market, None)
    }

    /// The same protocol with the kit: the market obeys a controller, and the vaults limit what leaves them.
    ///
    /// # Errors
    /// [`DrillError`].
    pub fn deploy_guarded(devnet: &mut Devnet, build: Build, users: usize) -> Result<Self, DrillError> {
        let (market, kit) = super::kit::deploy(devnet)?;
        Self::around(devnet, build, users, market, Some(kit))
    }

    fn around(
        devnet: &mut Devnet,
        build: Build,
        users: usize,
        market: Address,
        kit: Option<Kit>,
    ) -> Result<Self, DrillError> {
        let vault_code = match (build, kit) {
            (Build::Vulnerable, None) => artifact!("SupplyVault")?,
            (Build::Patched, None) => artifact!("SupplyVaultPatched")?,
            (Build::Vulnerable, Some(_)) => artifact!("LimitedSupplyVault")?,
            (Build::Patched, Some(_)) => artifact!("LimitedSupplyVaultPatched")?,
        };
        let timelock = create(devnet, OWNER, artifact!("DrillTimelock")?, (OWNER, 172_800_u64).abi_encode_params())?;
        let (mut tokens, mut vaults) = (Vec::new(), Vec::new());
        for asset in &ASSETS {
            let symbol = asset.symbol.to_owned();
            let args = (symbol.clone(), symbol.clone(), U256::from(asset.decimals)).abi_encode_params();
            let token = create(devnet, OWNER, artifact!("DrillToken")?, args)?;
            let (name, share) = (format!("Supplied {symbol}"), format!("s{symbol}"));
            let args = match kit {
                None => (market, token, name, share).abi_encode_params(),
                Some(_) => {
                    let (cap, window) = super::kit::limit(asset, users);
                    (market, token, name, share, cap, window).abi_encode_params()
                }
            };
            let vault = create(devnet, OWNER, vault_code.clone(), args)?;
            let list = listVaultCall { vault, price: U256::from(asset.price_e8), cfBps: asset.factor_bps };
            send(devnet, call(OWNER, market, list))?;
            tokens.push(token);
            vaults.push(vault);
        }
        let attack = create(devnet, THIEF, artifact!("InflationAttack")?, market.abi_encode())?;
        let users = (0..users).map(user).collect();
        let protocol = Self { market, tokens, vaults, timelock, attack, users, build, kit };
        protocol.fund(devnet)?;
        Ok(protocol)
    }

    /// Every user gets tokens and supplies half of them; nobody has found the newest market yet.
    fn fund(&self, devnet: &mut Devnet) -> Result<(), DrillError> {
        for (index, asset) in ASSETS.iter().enumerate() {
            let (token, vault) = self.pair(index)?;
            for account in &self.users {
                send(devnet, call(OWNER, token, mintCall { to: *account, amount: asset.units(asset.each) }))?;
                send(devnet, call(*account, token, approveCall { spender: vault, amount: U256::MAX }))?;
            }
            settle(devnet)?;
            if index != EMPTY {
                for account in &self.users {
                    let half = asset.units(asset.each) / U256::from(2);
                    send(devnet, call(*account, vault, depositCall { assets: half, receiver: *account }))?;
                }
                settle(devnet)?;
            }
        }
        Ok(())
    }

    /// Decimals of an asset's shares: the fixed twin counts in units a million times smaller.
    #[must_use]
    pub fn share_decimals(&self, asset: &Asset) -> u8 {
        match self.build {
            Build::Vulnerable => asset.decimals,
            Build::Patched => asset.decimals + 6,
        }
    }

    /// Token and vault of an asset.
    ///
    /// # Errors
    /// [`DrillError::Artifact`] for an index that is not an asset's.
    pub fn pair(&self, index: usize) -> Result<(Address, Address), DrillError> {
        match (self.tokens.get(index), self.vaults.get(index)) {
            (Some(token), Some(vault)) => Ok((*token, *vault)),
            _ => Err(DrillError::Artifact(format!("no asset {index}"))),
        }
    }
}

pub(super) fn create(devnet: &mut Devnet, from: Address, code: Bytes, args: Vec<u8>) -> Result<Address, DrillError> {
    let mut input = code.to_vec();
    input.extend(args);
    let tx = Tx {
        kind: 2,
        from,
        input: input.into(),
        gas_limit: 8_000_000,
        max_fee: 200_000_000_000,
        priority_fee: Some(2_000_000_000),
        ..Tx::default()
    };
    let hash = send(devnet, tx)?;
    settle(devnet)?;
    devnet
        .created(hash)
        .ok_or_else(|| DrillError::Refused(format!("contract {} could not be created", devnet.next_nonce(from))))
}

/// Builds blocks until nothing waits.
///
/// # Errors
/// [`DrillError::Chain`], or [`DrillError::Refused`] when something can never be included.
pub(super) fn settle(devnet: &mut Devnet) -> Result<(), DrillError> {
    for _ in 0..1000 {
        if devnet.waiting() == 0 {
            return Ok(());
        }
        let next = devnet.head().timestamp + super::BLOCK_SECS;
        devnet.build(next)?;
    }
    Err(DrillError::Refused("transactions wait for ever".to_owned()))
}

/// A look at the chain's own truth at one head; the guardian has no part in it.
pub(super) struct Eyes {
    executor: Executor<Arc<MemoryState>>,
}

impl Eyes {
    /// Opens on the canonical head.
    #[must_use]
    pub(super) fn open(devnet: &Devnet) -> Self {
        let head = devnet.head();
        Self::on(devnet.state(), head.number + 1, head.timestamp + super::BLOCK_SECS)
    }

    /// Opens on a state, as of a block of this height and time (seconds).
    #[must_use]
    pub(super) fn on(state: Arc<MemoryState>, number: u64, timestamp: u64) -> Self {
        let header = Header { number, timestamp, gas_limit: crate::devnet::BLOCK_GAS, ..Header::default() };
        Self { executor: Executor::new(state, CHAIN, Hardforks::Fixed(SpecId::CANCUN), header) }
    }

    /// A view's answer.
    ///
    /// # Errors
    /// [`DrillError::Refused`] when it reverts.
    pub(super) fn view<C: SolCall>(&mut self, to: Address, input: C) -> Result<C::Return, DrillError> {
        let output = self.attempt(call(Address::ZERO, to, input))?;
        C::abi_decode_returns(&output).map_err(|e| DrillError::Refused(e.to_string()))
    }

    /// What a transaction would return.
    ///
    /// # Errors
    /// [`DrillError::Refused`] when it would fail.
    pub(super) fn attempt(&mut self, tx: Tx) -> Result<Bytes, DrillError> {
        let (nonce, _) = self.executor.account(tx.from).map_err(ExecError::from)?;
        let done = self.executor.execute(&Tx { nonce, max_fee: 0, priority_fee: Some(0), ..tx }, 0, Finality::Pending);
        self.executor.reject();
        let facts = done?;
        let output = facts.calls.first().map(|c| c.output.clone()).unwrap_or_default();
        if facts.success { Ok(output) } else { Err(DrillError::Refused(format!("reverted: {output}"))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guardians_account_is_that_of_its_key() {
        assert_eq!(guardian_key().unwrap().address(), GUARDIAN);
    }
}
