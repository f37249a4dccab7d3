//! The on-chain half of the protection in a drill: controller, recovery plan, exit and a market that obeys them.
//!
//! Owns the deployment of the kit on the devnet and the drill's bounds. Must not know scenarios.

use super::DrillError;
use super::protocol::{ASSETS, Asset, GUARDIAN, OWNER, call, create, send, settle};
use crate::devnet::Devnet;
use alloy_primitives::aliases::{U24, U40};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{SolValue, sol};
use ripcord_evm::Tx;

/// Bytecode of a committed artifact.
macro_rules! artifact {
    ($name:literal) => {
        $crate::drill::protocol::bytecode(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../contracts/artifacts/",
            $name,
            ".json"
        )))
    };
}

pub(super) use artifact;

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

/// Controller, checkpoints, exit and plan of a drill: what every guarded contract of it shares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Core {
    /// The controller.
    pub(super) controller: Address,
    /// The recovery plan.
    pub(super) plan: Address,
    exit: Address,
}

impl Core {
    /// Deploys them. They name each other, so that addresses are foreseen from the order of deployment.
    ///
    /// # Errors
    /// [`DrillError`].
    pub(super) fn deploy(devnet: &mut Devnet) -> Result<Self, DrillError> {
        let nonce = devnet.next_nonce(OWNER);
        let [checkpoint, exit, plan] = [1, 2, 3].map(|step| OWNER.create(nonce + step));
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
        let arguments =
            (controller, checkpoint, listings, OWNER, U256::from(1), Address::ZERO, OWNER).abi_encode_params();
        let at_exit = create(devnet, OWNER, artifact!("EmergencyExit")?, arguments)?;
        let arguments = (controller, secs(6 * HOUR), secs(12 * HOUR), secs(HOUR), secs(5)).abi_encode_params();
        let at_plan = create(devnet, OWNER, artifact!("RecoveryPlan")?, arguments)?;
        if [at_checkpoint, at_exit, at_plan] != [checkpoint, exit, plan] {
            return Err(DrillError::Refused("the kit's contracts to be where they name each other".to_owned()));
        }
        Ok(Self { controller, plan, exit })
    }

    /// Bounds of a guarded contract of the drill.
    pub(super) fn bounds(&self) -> FailSafeConfig {
        FailSafeConfig {
            controller: self.controller,
            exit: self.exit,
            entitlements: Address::ZERO,
            grace: secs(12 * HOUR),
            dwells: [6, 24, 12, 24, 24].map(|hours| secs(hours * HOUR)),
            budgets: [84, 168, 360].map(|hours| secs(hours * HOUR)),
            factorFloorBps: 2_500,
            exitAssets: Vec::new(),
            strategies: Vec::new(),
        }
    }

    /// Puts a guarded contract in the drill's scope; [`Kit::seat`] waits for it.
    ///
    /// # Errors
    /// [`DrillError`].
    pub(super) fn enrol(&self, devnet: &mut Devnet, target: Address) -> Result<Kit, DrillError> {
        let kit = Kit { controller: self.controller, scope: keccak256(SCOPE) };
        send(devnet, call(OWNER, kit.controller, addScopeCall { scope: kit.scope, parent: B256::ZERO }))?;
        send(devnet, call(OWNER, kit.controller, enrolCall { target, scope: kit.scope }))?;
        Ok(kit)
    }
}

/// Deploys the kit and a market that obeys it. The guardian's group is one key; it has shown itself by a first heartbeat.
///
/// # Errors
/// [`DrillError`].
pub(super) fn deploy(devnet: &mut Devnet) -> Result<(Address, Kit), DrillError> {
    let core = Core::deploy(devnet)?;
    let arguments = (OWNER, core.bounds()).abi_encode_params();
    let market = create(devnet, OWNER, artifact!("FailSafeMarket")?, arguments)?;
    let kit = core.enrol(devnet, market)?;
    kit.seat(devnet, 0, GUARDIAN)?;
    Ok((market, kit))
}

impl Kit {
    /// Seats a group of one key, which shows itself by a first heartbeat.
    ///
    /// # Errors
    /// [`DrillError`].
    pub(super) fn seat(&self, devnet: &mut Devnet, group: u8, key: Address) -> Result<(), DrillError> {
        let seats = setGroupCall {
            scope: self.scope,
            group,
            threshold: 1,
            maxMode: HALTED,
            maxDuration: secs(HALT_SECS),
            next: vec![key],
        };
        send(devnet, call(OWNER, self.controller, seats))?;
        settle(devnet)?;
        send(devnet, self.heartbeat(devnet, key))?;
        settle(devnet)
    }

    /// A heartbeat of a signer that knows the chain's head.
    #[must_use]
    pub(super) fn heartbeat(&self, devnet: &Devnet, key: Address) -> Tx {
        let head = devnet.head();
        let beat = heartbeatCall { scope: self.scope, blockNumber: U256::from(head.number), blockHash: head.hash };
        call(key, self.controller, beat)
    }
}

fn secs(value: u64) -> U40 {
    U40::from(value)
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
