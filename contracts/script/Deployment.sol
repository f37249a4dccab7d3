// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FailSafe} from "../src/kit/FailSafe.sol";
import {FailSafeController} from "../src/kit/FailSafeController.sol";
import {IToken} from "../src/kit/SafeToken.sol";
import {Mode} from "../src/kit/Types.sol";
import {CouncilChallenge} from "../src/kit/controller/CouncilChallenge.sol";
import {ISequencerFeed} from "../src/kit/controller/Seats.sol";
import {AttestedLedger} from "../src/kit/exit/AttestedLedger.sol";
import {CommittedState} from "../src/kit/exit/CommittedState.sol";
import {EmergencyExit} from "../src/kit/exit/EmergencyExit.sol";
import {ForcedExit} from "../src/kit/exit/ForcedExit.sol";
import {LedgerCheckpoint} from "../src/kit/exit/LedgerCheckpoint.sol";
import {Rounds} from "../src/kit/exit/Rounds.sol";
import {IFailSafe} from "../src/kit/interfaces/IFailSafe.sol";
import {IDeficitMarket, ILossLayer} from "../src/kit/interfaces/ILossLayer.sol";
import {IDeficitSource} from "../src/kit/interfaces/ISensors.sol";
import {JuniorStakeLayer} from "../src/kit/loss/JuniorStakeLayer.sol";
import {LossWaterfall} from "../src/kit/loss/LossWaterfall.sol";
import {TreasuryLayer} from "../src/kit/loss/TreasuryLayer.sol";
import {IRecoveryController, RecoveryPlan} from "../src/kit/recovery/RecoveryPlan.sol";
import {ScriptVm} from "./ScriptVm.sol";

/// @notice Deploys the kit around contracts that are there already and name it: refuses what does not fit together, then creates,
/// enrols, seats and proposes the council.
/// @dev Problem: the kit's contracts name each other, and the guarded ones name the kit in immutables. Design: addresses follow
/// from the deployer's nonce alone ({_foresee}), so that the guarded contracts can be built first, by anybody and with any tool;
/// here each is asked whether it names what is about to be created. Everything that can be known before is checked before.
/// Trust: the deployer is the council until the real one accepts, 7 days later at the earliest; nothing shorter exists.
abstract contract Deployment {
    struct Group {
        uint8 threshold;
        Mode maxMode;
        uint40 maxDuration;
        address[] signers;
    }

    /// @param parent zero, or a scope earlier in the list
    /// @param sensors what judges the recovery; not needed where nothing is guarded
    struct ScopeSettings {
        bytes32 scope;
        bytes32 parent;
        address[] targets;
        Group[] groups;
        RecoveryPlan.Sensors sensors;
    }

    /// @param payer who pays from an allowance; zero for a junior stake
    /// @param cooldown of a junior stake
    struct LayerSettings {
        IToken asset;
        address payer;
        uint40 cooldown;
        uint128 dailyCap;
    }

    /// @param scope whose incidents hold the junior stakes
    struct WaterfallSettings {
        IFailSafe guarded;
        IDeficitMarket source;
        IDeficitSource referenceSource;
        bytes32 scope;
        uint40 maxPriceAge;
        uint16 maxDeviationBps;
        LayerSettings[] layers;
    }

    /// @param serviceGas gas for a forced exit; 0 for a system without them
    /// @param terms of attested roots; scope zero for storage proofs only
    /// @param waterfall without layers for none
    struct Settings {
        address council;
        ISequencerFeed sequencer;
        uint16 tripFactorBps;
        uint40 s0Dwell;
        uint40 grace;
        uint24 blocksPerDay;
        uint40 maxPriceAge;
        uint40 touchBlocks;
        uint256 challengeBond;
        uint256 serviceGas;
        CommittedState.Ledger[] ledgers;
        uint40 ageMargin;
        AttestedLedger.Terms terms;
        Rounds.Listing[] listings;
        IToken disputeToken;
        uint256 disputeBond;
        address appealBody;
        address heir;
        ScopeSettings[] scopes;
        WaterfallSettings waterfall;
    }

    /// @dev In the order of creation. The first five are there in every system.
    struct Kit {
        FailSafeController controller;
        CouncilChallenge challenge;
        LedgerCheckpoint checkpoint;
        EmergencyExit exit;
        RecoveryPlan plan;
        ForcedExit forcedExits;
        ILossLayer[] layers;
        LossWaterfall waterfall;
    }

    error MissingAddress(string what);
    error CouncilIsDeployer(address council);
    error CouncilIsGuardian(bytes32 scope, address council);
    error CouncilIsAppealBody(address council);
    error NothingGuarded();
    error NoGuardians(bytes32 scope);
    error NoSensors(bytes32 scope);
    error NoCode(address target);
    error TargetDiffers(address target, string what, uint256 has, uint256 wanted);
    error LedgerNotGuarded(address ledger);
    error NothingProves(address unit);
    error UnknownAttesters(bytes32 scope, uint8 group);
    error AttestersCanTrip(bytes32 scope);
    error NotWhereForeseen(string what, address deployed, address foreseen);

    ScriptVm internal constant SCRIPT = ScriptVm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @notice Where the kit will be if `deployer` does nothing else before.
    /// @param layers of the waterfall; 0 for none
    function _foresee(address deployer, bool forcedExits, uint256 layers) internal view returns (Kit memory kit) {
        uint256 nonce = SCRIPT.getNonce(deployer);
        kit.controller = FailSafeController(_at(deployer, nonce++));
        kit.challenge = CouncilChallenge(_at(deployer, nonce++));
        kit.checkpoint = LedgerCheckpoint(_at(deployer, nonce++));
        kit.exit = EmergencyExit(_at(deployer, nonce++));
        kit.plan = RecoveryPlan(_at(deployer, nonce++));
        if (forcedExits) kit.forcedExits = ForcedExit(_at(deployer, nonce++));
        kit.layers = new ILossLayer[](layers);
        for (uint256 i; i < layers; ++i) {
            kit.layers[i] = ILossLayer(_at(deployer, nonce++));
        }
        if (layers != 0) kit.waterfall = LossWaterfall(_at(deployer, nonce));
    }

    /// @param deployer account that creates and calls: that of a broadcast, or this contract
    function _deployKit(Settings memory s, address deployer) internal returns (Kit memory kit) {
        kit = _foresee(deployer, s.serviceGas != 0, s.waterfall.layers.length);
        _check(s, kit, deployer);
        _create(s, kit, deployer);
        _createWaterfall(s.waterfall, kit);
        for (uint256 i; i < s.scopes.length; ++i) {
            _seat(s.scopes[i], kit);
        }
        kit.controller.proposeCouncil(s.council);
    }

    // ---------------------------------------------------------------- before

    function _check(Settings memory s, Kit memory kit, address deployer) private view {
        if (s.council == address(0)) revert MissingAddress("council");
        if (s.heir == address(0)) revert MissingAddress("heir");
        if (address(s.disputeToken) == address(0)) revert MissingAddress("disputeToken");
        if (address(s.terms.bondToken) == address(0)) revert MissingAddress("attestation bondToken");
        if (s.council == deployer) revert CouncilIsDeployer(deployer);
        if (s.council == s.appealBody) revert CouncilIsAppealBody(s.council);
        uint256 targets;
        for (uint256 i; i < s.scopes.length; ++i) {
            _checkScope(s, i);
            for (uint256 j; j < s.scopes[i].targets.length; ++j) {
                _checkTarget(FailSafe(s.scopes[i].targets[j]), s, kit);
                ++targets;
            }
        }
        if (targets == 0) revert NothingGuarded();
        _checkAttesters(s);
        for (uint256 i; i < s.listings.length; ++i) {
            _checkListing(s, s.listings[i]);
        }
    }

    /// @dev A scope that guards something needs somebody who can trip it, here or above, and whoever can trip needs a way back.
    function _checkScope(Settings memory s, uint256 index) private pure {
        ScopeSettings memory scope = s.scopes[index];
        for (uint256 i; i < scope.groups.length; ++i) {
            address[] memory signers = scope.groups[i].signers;
            for (uint256 j; j < signers.length; ++j) {
                if (signers[j] == address(0)) revert MissingAddress("guardian");
                if (signers[j] == s.council) revert CouncilIsGuardian(scope.scope, s.council);
            }
        }
        bool manned = scope.groups.length != 0;
        for (bytes32 node = scope.parent; node != 0 && !manned;) {
            (bool known, uint256 above) = _find(s, node);
            manned = known && s.scopes[above].groups.length != 0;
            node = known && above < index ? s.scopes[above].parent : bytes32(0);
        }
        if (scope.targets.length != 0 && !manned) revert NoGuardians(scope.scope);
        RecoveryPlan.Sensors memory judges = scope.sensors;
        bool judged = address(judges.solvency) != address(0) && address(judges.deficit) != address(0)
            && judges.probes.length != 0;
        if (scope.groups.length != 0 && !judged && _guards(s, scope.scope)) revert NoSensors(scope.scope);
    }

    function _checkTarget(FailSafe target, Settings memory s, Kit memory kit) private view {
        if (address(target).code.length == 0) revert NoCode(address(target));
        _equal(target, "controller", uint160(target.failsafeController()), uint160(address(kit.controller)));
        _equal(target, "exit", uint160(address(target.failsafeExit())), uint160(address(kit.exit)));
        _equal(target, "grace", target.failsafeGrace(), s.grace);
        if (!target.failsafeHasEntitlements()) return;
        _equal(target, "entitlements", uint160(address(target.failsafeEntitlements())), uint160(address(kit.exit)));
    }

    /// @dev A stolen guardian group must sign no roots, nor the other way round.
    function _checkAttesters(Settings memory s) private pure {
        bytes32 scope = s.terms.scope;
        if (scope == 0) return;
        (bool known, uint256 index) = _find(s, scope);
        if (!known || s.terms.group >= s.scopes[index].groups.length) revert UnknownAttesters(scope, s.terms.group);
        if (_guards(s, scope)) revert AttestersCanTrip(scope);
    }

    function _checkListing(Settings memory s, Rounds.Listing memory listing) private pure {
        bool guarded;
        for (uint256 i; i < s.scopes.length && !guarded; ++i) {
            for (uint256 j; j < s.scopes[i].targets.length && !guarded; ++j) {
                guarded = s.scopes[i].targets[j] == listing.ledger;
            }
        }
        if (!guarded) revert LedgerNotGuarded(listing.ledger);
        address unit = listing.inKind ? listing.ledger : listing.asset;
        bool proven = s.terms.scope != 0;
        for (uint256 i; i < s.ledgers.length && !proven; ++i) {
            proven = s.ledgers[i].asset == unit;
        }
        if (!proven) revert NothingProves(unit);
    }

    function _find(Settings memory s, bytes32 scope) private pure returns (bool known, uint256 index) {
        for (; index < s.scopes.length && s.scopes[index].scope != scope; ++index) {}
        known = index < s.scopes.length;
    }

    /// @dev Whether a trip of `scope` reaches anything.
    function _guards(Settings memory s, bytes32 scope) private pure returns (bool guards) {
        for (uint256 i; i < s.scopes.length && !guards; ++i) {
            if (s.scopes[i].scope == scope) guards = s.scopes[i].targets.length != 0;
            // A scope stands after its parent in the list.
            else if (s.scopes[i].parent == scope) guards = _guards(s, s.scopes[i].scope);
        }
    }

    // ---------------------------------------------------------------- creation

    function _create(Settings memory s, Kit memory kit, address deployer) private {
        FailSafeController controller = new FailSafeController(
            FailSafeController.Configuration({
                council: deployer,
                recoveryPlan: address(kit.plan),
                emergencyExit: address(kit.exit),
                forcedExits: address(kit.forcedExits),
                challenge: address(kit.challenge),
                sequencer: s.sequencer,
                tripFactorBps: s.tripFactorBps,
                s0Dwell: s.s0Dwell,
                blocksPerDay: s.blocksPerDay
            })
        );
        _requireAt("controller", address(controller), address(kit.controller));
        _requireAt("challenge", address(new CouncilChallenge(controller, s.challengeBond)), address(kit.challenge));
        LedgerCheckpoint checkpoint = new LedgerCheckpoint(controller, s.ledgers, s.ageMargin, s.terms);
        _requireAt("checkpoint", address(checkpoint), address(kit.checkpoint));
        EmergencyExit exit =
            new EmergencyExit(controller, checkpoint, s.listings, s.disputeToken, s.disputeBond, s.appealBody, s.heir);
        _requireAt("exit", address(exit), address(kit.exit));
        RecoveryPlan plan = new RecoveryPlan(
            IRecoveryController(address(controller)), s.s0Dwell, s.grace, s.maxPriceAge, s.touchBlocks
        );
        _requireAt("plan", address(plan), address(kit.plan));
        if (s.serviceGas == 0) return;
        _requireAt("forcedExits", address(new ForcedExit(exit, s.serviceGas)), address(kit.forcedExits));
    }

    function _createWaterfall(WaterfallSettings memory w, Kit memory kit) private {
        if (w.layers.length == 0) return;
        LossWaterfall.Step[] memory steps = new LossWaterfall.Step[](w.layers.length);
        for (uint256 i; i < w.layers.length; ++i) {
            LayerSettings memory l = w.layers[i];
            address layer = l.payer != address(0)
                ? address(new TreasuryLayer(address(kit.waterfall), w.source, l.asset, l.payer))
                : address(
                    new JuniorStakeLayer(address(kit.waterfall), w.source, l.asset, kit.controller, w.scope, l.cooldown)
                );
            _requireAt("layer", layer, address(kit.layers[i]));
            steps[i] = LossWaterfall.Step(kit.layers[i], l.dailyCap);
        }
        LossWaterfall waterfall = new LossWaterfall(
            kit.controller, w.guarded, w.source, w.referenceSource, w.maxPriceAge, w.maxDeviationBps, steps
        );
        _requireAt("waterfall", address(waterfall), address(kit.waterfall));
    }

    function _seat(ScopeSettings memory scope, Kit memory kit) private {
        kit.controller.addScope(scope.scope, scope.parent);
        for (uint256 i; i < scope.targets.length; ++i) {
            kit.controller.enrol(scope.targets[i], scope.scope);
        }
        for (uint8 i; i < scope.groups.length; ++i) {
            Group memory g = scope.groups[i];
            kit.controller.setGroup(scope.scope, i, g.threshold, g.maxMode, g.maxDuration, g.signers);
        }
        if (address(scope.sensors.solvency) != address(0)) kit.plan.enrol(scope.scope, scope.sensors);
    }

    function _at(address deployer, uint256 nonce) private pure returns (address) {
        return SCRIPT.computeCreateAddress(deployer, nonce);
    }

    function _equal(FailSafe target, string memory what, uint256 has, uint256 wanted) private pure {
        if (has != wanted) revert TargetDiffers(address(target), what, has, wanted);
    }

    function _requireAt(string memory what, address deployed, address foreseen) private pure {
        if (deployed != foreseen) revert NotWhereForeseen(what, deployed, foreseen);
    }
}
