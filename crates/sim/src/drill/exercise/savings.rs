//! The world of the exercises: a savings account behind a proxy, its registry, its parameter store, two groups of guardians, savers.
//!
//! Owns deployment, signing, and time that jumps. Must not know the stories.

use super::super::kit::{Core, Kit, artifact};
use super::super::protocol::{
    Eyes, GUARDIAN, OWNER, THIEF, approveCall, balanceOfCall, call, create, genesis, guardian_key, mintCall, raw, send,
    settle, user,
};
use super::super::{BLOCK_SECS, CHAIN, DrillError};
use super::Moment;
use crate::devnet::Devnet;
use crate::signer::Signer;
use alloy_primitives::aliases::{U40, U104};
use alloy_primitives::{Address, B256, Bytes, FixedBytes, U256, keccak256};
use alloy_sol_types::{SolCall, SolValue, sol};
use ripcord_core::ports::StateSource;
use ripcord_core::trip::{Episode, TripIntent, TripMode};
use ripcord_evm::Tx;

sol! {
    struct Restriction {
        uint32 mask;
        uint40 until;
        uint40 graceUntil;
        uint8 mode;
        uint16 factorBps;
        uint8 stage;
        uint8 origin;
        uint32 episodeId;
    }

    struct Version {
        address implementation;
        uint40 activatedAt;
        uint32 schema;
        bool predecessorEligible;
        bytes4 migration;
        bytes4 reverseMigration;
        address probe;
        bytes32 codeHash;
        bytes32 layoutHash;
    }

    struct Parameter {
        bytes32 name;
        uint104 min;
        uint104 max;
        uint104 maxStepPerDay;
        uint8 tighterSide;
        bool liquidation;
    }

    struct Sensors {
        address solvency;
        address deficit;
        address[] probes;
    }

    function failsafeState() returns (Restriction stored, Restriction effective);
    function initialize();
    function deploy(Version first, bytes data) returns (address proxy);
    function announce(address proxy, Version version);
    function activate(address proxy);
    function versionsOf(address proxy) returns (Version[] memory);
    function rollback(address proxy, uint8 group, uint40 deadline, bytes[] signatures);
    function change(uint256 parameter, uint104 value);
    function land(uint256 parameter);
    function restoreTighter(uint256 id, uint8 group, uint40 deadline, bytes[] signatures);
    function valueOf(uint256 parameter, uint8 class) returns (uint256);
    function enrol(bytes32 scope, Sensors sensors);
    function notePrices(bytes32 scope);
    function advance(bytes32 scope);
    function deposit(uint256 amount);
    function withdraw(uint256 amount) returns (uint256 paid);
    function totalOwed() returns (uint256);
}

/// Savers of an exercise.
pub(super) const SAVERS: usize = 8;
/// Whole tokens that each puts in.
pub(super) const EACH: u64 = 10_000;
/// Seconds of an hour.
pub(super) const HOUR: u64 = 3_600;
/// Seconds of a day.
pub(super) const DAY: u64 = 24 * HOUR;
/// Notice of new code and of looser parameters, seconds.
pub(super) const NOTICE: u64 = 48 * HOUR;
/// Class of withdrawals.
pub(super) const EXIT: u8 = 1;
/// Classes that nothing closes: REDUCE_RISK and CLAIM.
const NEVER_CLOSED: u32 = 1 << 3 | 1 << 8;
/// Solidity's `Mode`.
pub(super) const NORMAL: u8 = 0;
pub(super) const HALTED: u8 = 3;
pub(super) const RECOVERING: u8 = 5;
/// Exit fee at the start, bps.
pub(super) const FEE_BPS: u64 = 10;
/// Most that one change may add to the fee, bps: enough for a mistake of two digits.
const FEE_STEP_BPS: u64 = 1_000;

const ROLLBACK: &str =
    "Rollback(address proxy,uint256 version,bytes32 codeHash,uint32 keyEpisode,uint32 epoch,uint40 deadline)";
const RESTORE: &str =
    "RestoreTighter(address target,uint256 checkpoint,uint32 keyEpisode,uint32 epoch,uint40 deadline)";

/// The deployed system and its story so far.
#[derive(Clone)]
pub(super) struct World {
    pub(super) devnet: Devnet,
    pub(super) kit: Kit,
    core: Core,
    pub(super) token: Address,
    pub(super) vault: Address,
    pub(super) registry: Address,
    pub(super) store: Address,
    pub(super) code_probe: Address,
    pub(super) primary: Signer,
    pub(super) backup: Signer,
    began: u64,
    owner_nonce: u64,
    timeline: Vec<Moment>,
}

fn secs(value: u64) -> U40 {
    U40::from(value)
}

/// Raw amount of whole tokens; the token has 18 decimals.
pub(super) fn tokens(whole: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(18))
}

/// Whole tokens in a raw amount.
pub(super) fn whole(amount: U256) -> u64 {
    (amount / tokens(1)).saturating_to()
}

impl World {
    /// Deploys everything; the savers have paid in.
    pub(super) fn deploy() -> Result<Self, DrillError> {
        let backup = Signer::named("backup guardian of the drill")
            .ok_or_else(|| DrillError::Artifact("no key for the backup".to_owned()))?;
        let mut state = genesis(SAVERS);
        state.set_account(backup.address(), tokens(100), 0, Bytes::new());
        let mut devnet = Devnet::new(CHAIN, state, 1_800_000_000);
        let core = Core::deploy(&mut devnet)?;
        let name = "Savings Dollar".to_owned();
        let arguments = (name, "SUSD".to_owned(), U256::from(18)).abi_encode_params();
        let token = create(&mut devnet, OWNER, artifact!("DrillToken")?, arguments)?;
        let controller = core.controller;
        let arguments = (controller, secs(NOTICE)).abi_encode_params();
        let registry = create(&mut devnet, OWNER, artifact!("ImplementationRegistry")?, arguments)?;
        let vault = registry.create(1);
        let fee = Parameter {
            name: FixedBytes::right_padding_from(b"exit fee"),
            min: U104::ZERO,
            max: U104::from(5_000),
            maxStepPerDay: U104::from(FEE_STEP_BPS),
            tighterSide: 0,
            liquidation: false,
        };
        let values = vec![U104::from(FEE_BPS)];
        let arguments = (controller, vault, secs(NOTICE), secs(12 * HOUR), vec![fee], values).abi_encode_params();
        let store = create(&mut devnet, OWNER, artifact!("ParameterStore")?, arguments)?;
        let arguments = (vault, token).abi_encode_params();
        let code_probe = create(&mut devnet, OWNER, artifact!("SavingsCodeProbe")?, arguments)?;
        let arguments = (token, store, core.bounds()).abi_encode_params();
        let first = create(&mut devnet, OWNER, artifact!("SavingsVault")?, arguments)?;
        let version = version(&devnet, first, code_probe, false);
        let data = initializeCall {}.abi_encode().into();
        let hash = send(&mut devnet, gas(call(OWNER, registry, deployCall { first: version, data })))?;
        settle(&mut devnet)?;
        if !devnet.facts(hash).is_some_and(|facts| facts.success) {
            return Err(DrillError::Refused("the proxy to be deployed".to_owned()));
        }
        let kit = core.enrol(&mut devnet, vault)?;
        let (primary, began) = (guardian_key()?, devnet.head().timestamp);
        let mut world = Self {
            devnet,
            kit,
            core,
            token,
            vault,
            registry,
            store,
            code_probe,
            primary,
            backup,
            began,
            owner_nonce: 0,
            timeline: Vec::new(),
        };
        world.people()?;
        world.began = world.now();
        world.owner_nonce = world.devnet.next_nonce(OWNER);
        Ok(world)
    }

    fn people(&mut self) -> Result<(), DrillError> {
        self.kit.seat(&mut self.devnet, 0, GUARDIAN)?;
        self.kit.seat(&mut self.devnet, 1, self.backup.address())?;
        let arguments = self.vault.abi_encode();
        let sensors = create(&mut self.devnet, OWNER, artifact!("SavingsSensors")?, arguments)?;
        let sensors = Sensors { solvency: sensors, deficit: sensors, probes: vec![sensors] };
        self.must("sensors to be named", OWNER, self.core.plan, enrolCall { scope: self.kit.scope, sensors })?;
        for saver in Self::savers().chain([THIEF]) {
            let amount = tokens(EACH);
            self.must("tokens", OWNER, self.token, mintCall { to: saver, amount })?;
            self.must("an approval", saver, self.token, approveCall { spender: self.vault, amount: U256::MAX })?;
            self.must("a deposit", saver, self.vault, depositCall { amount })?;
        }
        Ok(())
    }

    /// The honest savers.
    pub(super) fn savers() -> impl Iterator<Item = Address> {
        (0..SAVERS).map(user)
    }

    /// Second of the head.
    pub(super) fn now(&self) -> u64 {
        self.devnet.head().timestamp
    }

    /// Next nonce of the council when the story began.
    pub(super) fn owner_nonce(&self) -> u64 {
        self.owner_nonce
    }

    /// Adds a line to the story.
    pub(super) fn say(&mut self, who: &'static str, text: impl Into<String>) {
        let at_secs = self.now().saturating_sub(self.began);
        self.timeline.push(Moment { at_secs, who, text: text.into() });
    }

    /// The story.
    pub(super) fn story(self) -> Vec<Moment> {
        self.timeline
    }

    /// Lets time pass without a transaction.
    pub(super) fn pass(&mut self, secs: u64) -> Result<(), DrillError> {
        let next = self.now() + secs.max(1);
        self.devnet.build(next)?;
        Ok(())
    }

    /// Sends a transaction in a block of its own and tells whether it succeeded.
    pub(super) fn try_tx(&mut self, tx: Tx) -> Result<bool, DrillError> {
        let hash = send(&mut self.devnet, gas(tx))?;
        let next = self.now() + BLOCK_SECS;
        self.devnet.build(next)?;
        let facts = self.devnet.facts(hash).ok_or_else(|| DrillError::Refused("a transaction got lost".to_owned()))?;
        Ok(facts.success)
    }

    /// Sends what has to succeed.
    pub(super) fn must(
        &mut self,
        what: &str,
        from: Address,
        to: Address,
        input: impl SolCall,
    ) -> Result<(), DrillError> {
        let done = self.try_tx(call(from, to, input))?;
        if done { Ok(()) } else { Err(DrillError::Refused(format!("{what}: reverted"))) }
    }

    /// Whether a transaction would succeed in the next block.
    pub(super) fn would(&self, tx: Tx) -> bool {
        Eyes::open(&self.devnet).attempt(gas(tx)).is_ok()
    }

    /// A view's answer as of the next block.
    pub(super) fn view<C: SolCall>(&self, to: Address, input: C) -> Result<C::Return, DrillError> {
        Eyes::open(&self.devnet).view(to, input)
    }

    /// What is in force at the savings account at a second that is not before the head.
    pub(super) fn state_at(&self, second: u64) -> Result<Restriction, DrillError> {
        let head = self.devnet.head();
        let mut eyes = Eyes::on(self.devnet.state(), head.number + 1, second);
        eyes.view(self.vault, failsafeStateCall {}).map(|state| state.effective)
    }

    /// What is in force now.
    pub(super) fn state(&self) -> Result<Restriction, DrillError> {
        self.state_at(self.now())
    }

    /// Whether repayment or claims are closed, which they must never be.
    pub(super) fn locks_users_in(state: &Restriction) -> bool {
        state.mask & NEVER_CLOSED != 0
    }

    /// Where the scope stands, as its controller tells.
    pub(super) fn episode(&self) -> Result<Episode, DrillError> {
        let question = raw(OWNER, self.kit.controller, Episode::question(self.kit.scope));
        let answer = Eyes::open(&self.devnet).attempt(question)?;
        Episode::answer(&answer).ok_or_else(|| DrillError::Refused("the controller to tell its episode".to_owned()))
    }

    /// A trip, signed; anyone may bring it.
    pub(super) fn trip(&self, key: &Signer, mode: TripMode, secs: u64, reason: &str) -> Result<Tx, DrillError> {
        let (episode, now) = (self.episode()?, self.now());
        let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let intent = TripIntent {
            scope: self.kit.scope,
            mode,
            mask: mode.closes(),
            duration_secs: secs,
            not_after_secs: now + secs + HOUR,
            reason: keccak256(reason),
            evidence: B256::ZERO,
            // Every attempt is a step of its own.
            step_hash: keccak256(now.to_be_bytes()),
            key_episode: number(episode.key_episode),
            trip_count: u16::try_from(episode.trip_count).unwrap_or(u16::MAX),
            incident_block: 0,
            epoch: number(episode.epoch),
            deadline_secs: now + HOUR,
        };
        let signature = key.sign(intent.digest(CHAIN, self.kit.controller)).map_err(DrillError::Refused)?;
        Ok(raw(key.address(), self.kit.controller, intent.calldata(&[signature])))
    }

    /// A guardian's signature over a rollback or a restore: EIP-712 struct of the registry or store at `contract`.
    fn sign_act(
        &self,
        key: &Signer,
        contract: Address,
        type_: &str,
        subject: &[B256],
        deadline: U40,
    ) -> Result<Vec<Bytes>, DrillError> {
        let episode = self.episode()?;
        let word = |value: u64| B256::from(U256::from(value));
        let domain = [
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
            keccak256("GuardianAct"),
            keccak256("1"),
            word(CHAIN.0),
            contract.into_word(),
        ];
        let mut content = vec![keccak256(type_)];
        content.extend(subject);
        content.extend([word(episode.key_episode), word(episode.epoch), word(deadline.to::<u64>())]);
        let hash = |words: &[B256]| keccak256(words.concat());
        let message = [&[0x19, 0x01], hash(&domain).as_slice(), hash(&content).as_slice()].concat();
        let signature = key.sign(keccak256(message)).map_err(DrillError::Refused)?;
        Ok(vec![signature])
    }

    /// Calldata of a rollback to the version before, signed.
    pub(super) fn rollback(&self, key: &Signer, deadline: U40) -> Result<Vec<u8>, DrillError> {
        let versions = self.view(self.registry, versionsOfCall { proxy: self.vault })?;
        let previous = versions.len().checked_sub(2).and_then(|n| versions.get(n)).map_or(B256::ZERO, |v| v.codeHash);
        let subject = [self.vault.into_word(), B256::from(U256::from(versions.len())), previous];
        let signatures = self.sign_act(key, self.registry, ROLLBACK, &subject, deadline)?;
        Ok(rollbackCall { proxy: self.vault, group: 0, deadline, signatures }.abi_encode())
    }

    /// Calldata of a restore of checkpoint `id`, signed.
    pub(super) fn restore(&self, key: &Signer, id: u64, deadline: U40) -> Result<Vec<u8>, DrillError> {
        let id = U256::from(id);
        let signatures =
            self.sign_act(key, self.store, RESTORE, &[self.vault.into_word(), B256::from(id)], deadline)?;
        Ok(restoreTighterCall { id, group: 0, deadline, signatures }.abi_encode())
    }

    /// The recovery plan.
    pub(super) fn plan(&self) -> Address {
        self.core.plan
    }

    /// A version of the savings account that guardians may take back.
    pub(super) fn version(&self, implementation: Address) -> Version {
        version(&self.devnet, implementation, self.code_probe, true)
    }

    /// Anyone brings the recovery a step further, if one is due: prices are noted, then stages opened. Tells whether one was.
    pub(super) fn keep(&mut self) -> Result<bool, DrillError> {
        let keeper = user(0);
        let scope = self.kit.scope;
        for tx in [
            call(keeper, self.core.plan, notePricesCall { scope }),
            call(keeper, self.core.plan, advanceCall { scope }),
        ] {
            if self.would(tx.clone()) {
                return self.try_tx(tx);
            }
        }
        Ok(false)
    }

    /// Anyone keeps the recovery going until NORMAL, and tells of each stage.
    pub(super) fn recover(&mut self) -> Result<(), DrillError> {
        let before = self.state()?;
        let mut last = (before.mode, before.stage);
        for _ in 0..400 {
            let state = self.state()?;
            if (state.mode, state.stage) != last {
                last = (state.mode, state.stage);
                match (state.mode, state.stage) {
                    (NORMAL, _) => {
                        self.say("anyone", "opens NORMAL: the last dwell is over and the books are whole");
                        return Ok(());
                    }
                    (RECOVERING, 0) => self.say("time", "ends the halt: S0, a pause before people may leave"),
                    (RECOVERING, 1) => self.say("time", "opens S1: people may leave"),
                    (RECOVERING, stage) => self.say("anyone", format!("opens S{stage}, its dwell is over")),
                    _ => {}
                }
            }
            if !self.keep()? {
                self.pass(HOUR)?;
            }
        }
        Err(DrillError::Refused("the recovery to end".to_owned()))
    }

    /// Tokens of an account.
    pub(super) fn purse(&self, account: Address) -> Result<U256, DrillError> {
        self.view(self.token, balanceOfCall { account })
    }

    /// What the savings account owes an account.
    pub(super) fn owed(&self, account: Address) -> Result<U256, DrillError> {
        self.view(self.vault, balanceOfCall { account })
    }

    /// Announces new code to the registry and lands it after the notice.
    pub(super) fn upgrade(&mut self, implementation: Address) -> Result<(), DrillError> {
        let version = self.version(implementation);
        self.must("an announcement", OWNER, self.registry, announceCall { proxy: self.vault, version })?;
        self.say("council", "announces the upgrade, 48 h ahead; nobody objects");
        self.pass(NOTICE)?;
        self.must("the upgrade", OWNER, self.registry, activateCall { proxy: self.vault })?;
        self.say("council", "lands the upgrade: its probe is green, its bug is not seen");
        Ok(())
    }

    /// Deploys a version of the savings account.
    pub(super) fn code(&mut self, code: Bytes) -> Result<Address, DrillError> {
        let arguments = (self.token, self.store, self.core.bounds()).abi_encode_params();
        create(&mut self.devnet, OWNER, code, arguments)
    }
}

fn version(devnet: &Devnet, implementation: Address, probe: Address, predecessor_eligible: bool) -> Version {
    let code = devnet.state().account(implementation).ok().flatten().map_or(B256::ZERO, |account| account.code_hash);
    Version {
        implementation,
        activatedAt: U40::ZERO,
        schema: 1,
        predecessorEligible: predecessor_eligible,
        migration: FixedBytes::ZERO,
        reverseMigration: FixedBytes::ZERO,
        probe,
        codeHash: code,
        layoutHash: keccak256("savings 1"),
    }
}

/// Room for a call that goes through several contracts.
fn gas(tx: Tx) -> Tx {
    Tx { gas_limit: 8_000_000, ..tx }
}
