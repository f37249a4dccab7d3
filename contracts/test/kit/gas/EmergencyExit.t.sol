// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IToken} from "../../../src/kit/SafeToken.sol";
import {AttestedLedger} from "../../../src/kit/exit/AttestedLedger.sol";
import {CommittedState} from "../../../src/kit/exit/CommittedState.sol";
import {LedgerCheckpoint} from "../../../src/kit/exit/LedgerCheckpoint.sol";
import {MerkleSum} from "../../../src/kit/exit/MerkleSum.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {ILedgerCheckpoint} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {ExitWorld} from "../EmergencyExit/ExitWorld.sol";
import {PlainToken} from "../EmergencyExit/Tokens.sol";

/// @notice The real checkpoint contract, with its slots set instead of proven.
contract SetCheckpoint is LedgerCheckpoint {
    constructor(IFailSafeController controller_, CommittedState.Ledger[] memory ledgers)
        LedgerCheckpoint(
            controller_, ledgers, 6 hours, AttestedLedger.Terms("attesters", 1, 24 hours, IToken(address(1)), 1)
        )
    {}

    function setAttested(uint256 id, address asset, bytes32 root, uint128 sum, uint40 count) external {
        attestationOf[id][asset] = Attestation(root, sum, count, 1, address(0), 0);
        _finals[id][asset] = Final(true, Form.ATTESTED, sum);
    }

    function setProven(uint256 id, CommittedState.Ledger calldata ledger, bytes32 storageRoot, uint128 total) external {
        ledgerOf[ledger.asset] = ledger;
        storageRootOf[id][ledger.ledger] = storageRoot;
        _finals[id][ledger.asset] = Final(true, Form.STATE_PROOF, total);
    }
}

/// @notice Gas of a first claim as a transaction pays it: intrinsic gas and calldata included, every slot cold, a fresh payee.
contract EmergencyExitGas is ExitWorld {
    event GasUsed(string operation, uint256 goal, uint256 ours);

    /// @dev The checkpoint of the set-up becomes the real one once the round is open.
    function _makeReal() private returns (SetCheckpoint) {
        SetCheckpoint real = new SetCheckpoint(controller, new CommittedState.Ledger[](0));
        vm.etch(address(checkpoint), address(real).code);
        return SetCheckpoint(address(checkpoint));
    }

    /// @param execution what the contracts use
    /// @param whole with what the chain takes for a transaction and its calldata, of which the proof is the larger part
    struct Goal {
        string operation;
        uint256 execution;
        uint256 whole;
    }

    function _measure(Goal memory goal, address account, uint256 round, PlainToken token, bytes memory proof) private {
        bytes memory call_ = abi.encodeCall(exit.claim, (round, address(token), proof));
        uint256 intrinsic = 21_000;
        for (uint256 i; i < call_.length; ++i) {
            intrinsic += call_[i] == 0 ? 4 : 16;
        }
        uint256 gas = _cost(account, token, call_);
        // Without --isolate nothing is cold and nothing intrinsic is charged.
        uint256 execution = gas > intrinsic ? gas - intrinsic : gas;
        emit GasUsed(string.concat(goal.operation, ", execution"), goal.execution, execution);
        emit GasUsed(string.concat(goal.operation, ", whole transaction"), goal.whole, gas);
        atMost(execution, goal.execution, goal.operation);
        atMost(gas, goal.whole, goal.operation);
    }

    function _cost(address account, PlainToken token, bytes memory call_) private returns (uint256 gas) {
        vm.prank(account);
        gas = gasleft();
        (bool ok,) = address(exit).call(call_);
        gas -= gasleft();
        yes(ok, "paid");
        yes(token.balanceOf(account) != 0, "paid");
    }

    function test_Gas_MerkleSumClaim() public {
        ILedgerCheckpoint.Entitlement memory leaf = ILedgerCheckpoint.Entitlement(ALICE, 1e24, 5e24, 4e24, 1e23);
        bytes memory path;
        (bytes32 hash, uint256 sum) = (MerkleSum.hashOf(leaf), 1e24);
        for (uint256 i; i < 20; ++i) {
            bytes32 sibling = keccak256(abi.encode(i));
            path = abi.encodePacked(path, sibling, uint128(1e24 << i));
            hash = keccak256(abi.encodePacked(hex"01", hash, uint128(sum), sibling, uint128(1e24 << i)));
            sum += 1e24 << i;
        }
        checkpoint.setTotal(ID, address(usd), sum);
        vault.noteFlow(address(usd), ALICE, 5e24 + 3e23, 4e24 + 5e23);
        vault.noteMove(address(usd), ALICE, BOB, 2e23);
        uint256 round = _openRound();
        _fund(round, usd, sum / 2);
        _warm();
        _makeReal().setAttested(ID, address(usd), hash, uint128(sum), 2 ** 20);
        MerkleSum.Opening[] memory shown = new MerkleSum.Opening[](1);
        shown[0] = MerkleSum.Opening(0, leaf, path);
        Goal memory goal = Goal("claim, Merkle-sum depth 20 with net flow, fresh payee", 115_000, 155_000);
        _measure(goal, ALICE, round, usd, abi.encode(shown));
    }

    function test_Gas_StateProofClaim() public {
        string memory json = vm.readFile("test/vectors/state-proof.json");
        string memory prefix = ".entitlements[4].";
        CommittedState.Ledger memory ledger;
        ledger.asset = address(uint160(uint256(_word(json, prefix, "asset"))));
        ledger.ledger = address(uint160(uint256(_word(json, prefix, "ledger"))));
        ledger.balances = _word(json, prefix, "balances");
        (ledger.flows, ledger.moved) = (_word(json, prefix, "flows"), _word(json, prefix, "moved"));
        address account = address(uint160(uint256(_word(json, prefix, "account"))));
        uint256 total = uint256(_word(json, prefix, "totalAmount"));

        // The proof names the asset, so that the token has to stand there.
        vm.etch(ledger.asset, address(usd).code);
        usd = PlainToken(ledger.asset);
        exit = _exit(APPEAL);
        controller.wire(exit, controller.conditions());
        checkpoint.setTotal(ID, address(usd), total);
        vault.noteFlow(
            address(usd),
            account,
            uint256(_word(json, prefix, "deposited")) + 5,
            uint256(_word(json, prefix, "withdrawn")) + 7
        );
        vault.noteMove(address(usd), account, BOB, uint256(_word(json, prefix, "movedOut")) + 11);
        uint256 round = _openRound();
        _fund(round, usd, total / 2);
        _warm();
        _makeReal().setProven(ID, ledger, _word(json, prefix, "storageRoot"), uint128(total));
        bytes memory proof = abi.encode(vm.parseJsonBytesArray(json, string.concat(prefix, "proof")));
        Goal memory goal = Goal("claim, state proof of three words with 5 nodes each, fresh payee", 220_000, 305_000);
        _measure(goal, account, round, usd, proof);
    }

    /// @dev What most people pay, since the daemon enters everybody: no proof.
    function test_Gas_EnteredClaim() public {
        _owed(ALICE, 1e24);
        vault.noteFlow(address(usd), ALICE, 1e23, 0);
        uint256 round = _openRound();
        _enter(round, usd, ALICE);
        _fund(round, usd, 5e23);
        _warm();
        _measure(Goal("claim of an entered account, fresh payee", 55_000, 77_000), ALICE, round, usd, "");
    }

    function _word(string memory json, string memory prefix, string memory field) private pure returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(prefix, field));
    }
}
