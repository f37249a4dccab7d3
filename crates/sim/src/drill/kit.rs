//! The on-chain half of the protection in a drill: controller, recovery plan, exit and a market that obeys them.
//!
//! Owns the deployment of the kit on the devnet and the drill's bounds. Must not know scenarios.

use super::DrillError;
use super::protocol::{ASSETS, Asset, GUARDIAN, OWNER, call, create, send, settle};
use crate::devnet::Devnet;
use alloy_primitives::aliases::{U24, U40};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{SolValue, sol};

/// Bytecode of a committed artifact.
macro_rules! artifact {
    ($name:literal) => {
        super::protocol::artifact(include_str!(concat!("../../../../contracts/artifacts/", $name, ".json")))
    };
}

sol! {
    struct ControllerConfiguration {
        address council;
        address recoveryPlan;
        address emergencyExit;
        address forcedExits;
        address challenge;
        address sequencer;
        uint16 tripFactorBps;
        uint40 s0Dwell;
        uint24 blocksPerDay;
    }

    struct FailSafeConfig {
        address controller;
        address exit;
        address entitlements;
        uint40 grace;
        uint40[5] dwells;
        uint40[3] budgets;
        uint16 factorFloorBps;
        address[] exitAssets;
        address[] strategies;
    }

    struct Ledger {
        address asset;
        address ledger;
        bytes32 balances;
        bytes32 total;
        bytes32 flows;
        bytes32 moved;
    }

    struct Terms {
        bytes32 scope;
        uint8 group;
        uint40 period;
        address bondToken;
        uint256 bond;
    }

    struct Listing {
        address asset;
        address ledger;
        bool inKind;
    }

    function addScope(bytes32 scope, bytes32 parent);
    function enrol(address target, bytes32 scope);
    function setGroup(bytes32 scope, uint8 group, uint8 threshold, uint8 maxMode, uint40 maxDuration, address[] next);
    function heartbeat(bytes32 scope, uint256 blockNumber, bytes32 blockHash);
    function available(bytes32 key) returns (uint256);
    function outflowKey() returns (bytes32);
    function failsafeOpen(uint8 class) returns (bool);
    error ActionClosed(uint8 class, uint40 reopensAt);
    error LimitExceeded(bytes32 key, uint256 wanted, uint256 available);
}

/// Name of the drill's scope in the policy.
pub(super) const SCOPE: &str = "market";
/// Class of new deposits.
pub(super) const ENTER: u8 = 0;
/// HALTED in Solidity's `Mode`.
const HALTED: u8 = 3;
const HOUR: u64 = 3_600;
/// Longest halt that the guardian group may ask for, seconds.
const HALT_SECS: u64 = 72 * HOUR;
/// Limiter: part of what users supply that may leave a vault at once, percent, and the window in which it refills, seconds.
const CAP_PERCENT: u64 = 15;
const WINDOW_SECS: u64 = 300;

/// A deployed kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kit {
    /// The controller.
    pub controller: Address,
    /// Scope of the market.
    pub scope: B256,
}

/// Deploys controller, checkpoints, exit, plan and market: they name each other, so that addresses are foreseen from the order of
/// deployment. The guardian's group is one key; it has shown itself by a first heartbeat.
///
/// # Errors
/// [`DrillError`].
pub(super) fn deploy(devnet: &mut Devnet) -> Result<(Address, Kit), DrillError> {
    let nonce = devnet.next_nonce(OWNER);
    let [checkpoint, exit, plan, market] = [1, 2, 3, 4].map(|step| OWNER.create(nonce + step));
    let secs = |value: u64| U40::from(value);
    let configuration = ControllerConfiguration {
        council: OWNER,
        recoveryPlan: plan,
        emergencyExit: exit,
        forcedExits: Address::ZERO,
        challenge: OWNER,
        sequencer: Address::ZERO,
        tripFactorBps: 5_000,
        s0Dwell: secs(6 * HOUR),
        blocksPerDay: U24::from(7_200),
    };
    let controller = create(devnet, OWNER, artifact!("FailSafeController")?, configuration.abi_encode())?;
    let scope = keccak256(SCOPE);
    let terms = Terms { scope, group: 0, period: secs(24 * HOUR), bondToken: OWNER, bond: U256::from(1) };
    let arguments = (controller, Vec::<Ledger>::new(), secs(6 * HOUR), terms).abi_encode_params();
    let at_checkpoint = create(devnet, OWNER, artifact!("LedgerCheckpoint")?, arguments)?;
    let listings = Vec::<Listing>::new();
    let arguments = (controller, checkpoint, listings, OWNER, U256::from(1), Address::ZERO, OWNER).abi_encode_params();
    let at_exit = create(devnet, OWNER, artifact!("EmergencyExit")?, arguments)?;
    let arguments = (controller, secs(6 * HOUR), secs(12 * HOUR), secs(HOUR), secs(5)).abi_encode_params();
    let at_plan = create(devnet, OWNER, artifact!("RecoveryPlan")?, arguments)?;
    let bounds = FailSafeConfig {
        controller,
        exit,
        entitlements: Address::ZERO,
        grace: secs(12 * HOUR),
        dwells: [6, 24, 12, 24, 24].map(|hours| secs(hours * HOUR)),
        budgets: [84, 168, 360].map(|hours| secs(hours * HOUR)),
        factorFloorBps: 2_500,
        exitAssets: Vec::new(),
        strategies: Vec::new(),
    };
    let at_market = create(devnet, OWNER, artifact!("FailSafeMarket")?, (OWNER, bounds).abi_encode_params())?;
    if [at_checkpoint, at_exit, at_plan, at_market] != [checkpoint, exit, plan, market] {
        return Err(DrillError::Refused("the kit's contracts to be where they name each other".to_owned()));
    }
    let kit = Kit { controller, scope };
    kit.appoint(devnet, market)?;
    Ok((market, kit))
}

impl Kit {
    fn appoint(&self, devnet: &mut Devnet, market: Address) -> Result<(), DrillError> {
        let scope = self.scope;
        send(devnet, call(OWNER, self.controller, addScopeCall { scope, parent: B256::ZERO }))?;
        send(devnet, call(OWNER, self.controller, enrolCall { target: market, scope }))?;
        let group = setGroupCall {
            scope,
            group: 0,
            threshold: 1,
            maxMode: HALTED,
            maxDuration: U40::from(HALT_SECS),
            next: vec![GUARDIAN],
        };
        send(devnet, call(OWNER, self.controller, group))?;
        settle(devnet)?;
        let head = devnet.head();
        let beat = heartbeatCall { scope, blockNumber: U256::from(head.number), blockHash: head.hash };
        send(devnet, call(GUARDIAN, self.controller, beat))?;
        settle(devnet)
    }
}

/// What all limits of the drill let out at once, 1e-8 USD at the prices of the start.
pub(super) fn outflow_cap_usd_e8(users: usize) -> U256 {
    ASSETS.iter().map(|asset| asset.usd_e8(limit(asset, users).0)).sum()
}

/// Cap and window of an asset's vault, from what users supply to it: what may leave it at once, and the time in which that refills.
#[must_use]
pub(super) fn limit(asset: &Asset, users: usize) -> (U256, U24) {
    let supplied = asset.units(asset.each) * U256::from(users) / U256::from(2);
    (supplied * U256::from(CAP_PERCENT) / U256::from(100), U24::from(WINDOW_SECS))
}
