// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Mode} from "../../../src/kit/Types.sol";
import {Signatures} from "../../../src/kit/controller/Signatures.sol";
import {Credits} from "../../../src/kit/exit/Credits.sol";
import {Disputes} from "../../../src/kit/exit/Disputes.sol";
import {EmergencyExit} from "../../../src/kit/exit/EmergencyExit.sol";
import {Rounds} from "../../../src/kit/exit/Rounds.sol";
import {ExitWorld} from "./ExitWorld.sol";
import {MockCheckpoint} from "./Mocks.sol";

/// @notice A wallet that signs by its own rule: the digest it was told.
contract ContractWallet {
    bytes32 public approved;

    function approve(bytes32 digest) external {
        approved = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == approved ? bytes4(0x1626ba7e) : bytes4(0);
    }
}

/// @notice Who is paid, how much, when and where to.
contract ExitClaimsTest is ExitWorld {
    uint256 private constant KEY = 0x5EED;
    bytes32 private constant CLAIM_TYPEHASH =
        keccak256("SignedClaim(uint256 round,address asset,address account,address to,uint256 paid,uint256 deadline)");

    // ---------------------------------------------------------------- T3

    /// @dev T3: council, guardians and attesters are gone; a round is activated, funded, entered, claimed and swept.
    function test_T3_ClaimsWithEveryKeyDeleted() public {
        _owed(ALICE, 100);
        _owed(BOB, 300);
        _incident(ROOT, Mode.EXIT);
        vault.setMode(Mode.EXIT, FOREVER);
        uint256 round = controller.openRound(ROOT, ID);
        controller.setCouncil(address(0));

        exit.activate(round, address(usd));
        _enter(round, usd, ALICE);
        _fund(round, usd, 200);
        _warm();
        eq(_claim(round, usd, ALICE), 50, "alice");
        eq(_claim(round, usd, BOB), 150, "bob, whom nobody entered");
        _fund(round, usd, 250);
        eq(_claim(round, usd, BOB), 150, "bob again");
        eq(_claim(round, usd, ALICE), 50, "alice again");
        vm.warp(block.timestamp + 730 days);
        exit.sweep(round, address(usd));
        eq(usd.balanceOf(HEIR), 50, "heir");
    }

    /// @dev A dispute in front of a dead council ends by time, in favour of the claimant.
    function test_T3_ADisputeDoesNotNeedAnybody() public {
        _owed(ALICE, 100);
        uint256 round = _openRound();
        _enter(round, usd, ALICE);
        _dispute(round, usd, BOB, ALICE);
        controller.setCouncil(address(0));
        _fund(round, usd, 100);
        vm.warp(block.timestamp + 30 days);
        exit.settleDispute(round, address(usd), ALICE);
        eq(_claim(round, usd, ALICE), 100, "alice");
    }

    // ---------------------------------------------------------------- when and how much

    function test_NobodyIsPaidBeforeTheWarmPeriodEnds() public {
        _owed(ALICE, 100);
        uint256 round = _openRound();
        _fund(round, usd, 100);
        uint256 end = block.timestamp + 14 days;
        vm.warp(end - 1);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.RoundWarming.selector, end));
        exit.claim(round, address(usd), _proof(ALICE));
        vm.warp(end);
        eq(_claim(round, usd, ALICE), 100, "alice");
    }

    function test_NothingDueReverts() public {
        _owed(ALICE, 100);
        uint256 round = _openRound();
        _warm();
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.claim(round, address(usd), _proof(ALICE));
        _fund(round, usd, 60);
        _claim(round, usd, ALICE);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.claim(round, address(usd), _proof(ALICE));
    }

    function test_AProofOfSomebodyElseIsNoProof() public {
        _owed(ALICE, 100);
        uint256 round = _openRound();
        _fund(round, usd, 100);
        _warm();
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(MockCheckpoint.WrongProof.selector, BOB));
        exit.claim(round, address(usd), _proof(ALICE));
    }

    /// @dev Refunds of what came in after the checkpoint come first, then the entitlements.
    function test_RefundsComeFirst() public {
        _owed(ALICE, 100);
        _owed(BOB, 0);
        vault.noteFlow(address(usd), BOB, 40, 0);
        uint256 round = _openRound();
        _enter(round, usd, BOB);
        _fund(round, usd, 30);
        _warm();
        eq(_claim(round, usd, BOB), 30, "refund");
        _fund(round, usd, 60);
        eq(_claim(round, usd, BOB), 10, "rest of the refund");
        eq(_claim(round, usd, ALICE), 50, "entitlement");
    }

    /// @dev T9 where storage does not bound the sum: the last one is refused instead of paid from another pool.
    function test_T9_OverAllocatedRootsStopAtTheFunds() public {
        _owed(ALICE, 100);
        _owed(BOB, 100);
        checkpoint.setTotal(ID, address(usd), 150);
        uint256 round = _openRound();
        _fund(round, usd, 150);
        _warm();
        eq(_claim(round, usd, ALICE), 100, "alice");
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(Rounds.OverAllocated.selector, 100, 50));
        exit.claim(round, address(usd), _proof(BOB));
    }

    /// @dev The surplus is the heir's, not a reserve for a root that promises too much.
    function test_T9_OverAllocatedRootsDoNotReachTheSurplus() public {
        _owed(ALICE, 100);
        _owed(BOB, 100);
        checkpoint.setTotal(ID, address(usd), 150);
        uint256 round = _openRound();
        _fund(round, usd, 1_000);
        _warm();
        _claim(round, usd, ALICE);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(Rounds.OverAllocated.selector, 100, 50));
        exit.claim(round, address(usd), _proof(BOB));
    }

    /// @dev Whatever the order of the claims and of two fundings between them, each account ends with the same.
    function testFuzz_T9_OrderDoesNotMatter(uint96[3] memory owed, uint96 first, uint96 second, uint256 order) public {
        address[3] memory who = [ALICE, BOB, CAROL];
        order %= 9;
        for (uint256 i; i < 3; ++i) {
            _owed(who[i], owed[i]);
        }
        uint256 total = uint256(owed[0]) + owed[1] + owed[2];
        uint256 round = _openRound();
        _warm();
        _fund(round, usd, uint256(first) + 1);
        for (uint256 i; i < 3; ++i) {
            _tryClaim(round, who[(order + i) % 3]);
        }
        _fund(round, usd, uint256(second) + 1);
        for (uint256 i; i < 3; ++i) {
            _tryClaim(round, who[(order / 3 + i) % 3]);
        }
        uint256 funded = uint256(first) + second + 2;
        if (funded > total) funded = total;
        for (uint256 i; i < 3; ++i) {
            uint256 exact = total == 0 ? 0 : owed[i] * funded / total;
            atMost(usd.balanceOf(who[i]), exact, "never more than the exact share");
            atLeast(usd.balanceOf(who[i]) + 1 + owed[i] / RAY, exact, "never a unit less than that");
        }
    }

    function _tryClaim(uint256 round, address account) private {
        vm.prank(account);
        try exit.claim(round, address(usd), _proof(account)) {} catch {}
    }

    // ---------------------------------------------------------------- in kind

    function test_InKindHasNoCapAndNoSurplus() public {
        _entitle(address(pool), ALICE, 3);
        _entitle(address(pool), BOB, 1);
        uint256 round = _openRound();
        _fund(round, dai, 4e24);
        _fund(round, eth, 8);
        vm.warp(block.timestamp + 800 days);
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.sweep(round, address(dai));
        eq(_claim(round, dai, ALICE), 3e24, "dai");
        eq(_claim(round, eth, ALICE), 6, "eth");
        eq(_claim(round, dai, BOB), 1e24, "dai");
    }

    /// @dev One signed number per account: debt is set off against everything.
    function test_DebtIsNettedInValueUnits() public {
        _entitle(address(pool), ALICE, -50);
        _entitle(address(pool), BOB, 100);
        pool.noteFlow(address(pool), ALICE, 80, 0);
        uint256 round = _openRound();
        _enter(round, dai, ALICE);
        eq(_leaf(round, dai, ALICE).share, 30, "what is left after the debt");
        eq(_pool(round, dai).totalB, 130, "total");
    }

    // ---------------------------------------------------------------- signed claims

    function test_ASignedClaimPaysElsewhereOnce() public {
        address account = vm.addr(KEY);
        uint256 round = _fundedFor(account);
        EmergencyExit.SignedClaim memory c = _signedClaim(round, account);
        bytes memory signature = _sign(c);
        exit.claimTo(c, _proof(account), signature);
        eq(usd.balanceOf(CAROL), 100, "recipient");
        // More arrives: the old signature says nothing about it.
        _fund(round, usd, 100);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.Stale.selector, 0, 100));
        exit.claimTo(c, _proof(account), signature);
        c.paid = 100;
        exit.claimTo(c, _proof(account), _sign(c));
        eq(usd.balanceOf(CAROL), 200, "recipient again");
    }

    function test_EveryFieldIsSigned() public {
        address account = vm.addr(KEY);
        uint256 round = _fundedFor(account);
        EmergencyExit.SignedClaim memory c = _signedClaim(round, account);
        bytes memory signature = _sign(c);
        bytes memory refusal = abi.encodeWithSelector(Signatures.BadSignature.selector, account);
        c.to = BOB;
        vm.expectRevert(refusal);
        exit.claimTo(c, _proof(account), signature);
        c.to = CAROL;
        c.deadline += 1;
        vm.expectRevert(refusal);
        exit.claimTo(c, _proof(account), signature);
        c.deadline -= 1;
        c.asset = address(dai);
        vm.expectRevert(refusal);
        exit.claimTo(c, _proof(account), signature);
        c.asset = address(usd);
        c.round = round + 1;
        vm.expectRevert(refusal);
        exit.claimTo(c, _proof(account), signature);
    }

    function test_ExpiredAndEmptyClaimsAreRefused() public {
        address account = vm.addr(KEY);
        uint256 round = _fundedFor(account);
        EmergencyExit.SignedClaim memory c = _signedClaim(round, account);
        c.to = address(0);
        bytes memory signature = _sign(c);
        vm.expectRevert(abi.encodeWithSelector(Credits.ZeroAddress.selector));
        exit.claimTo(c, _proof(account), signature);
        c.to = CAROL;
        signature = _sign(c);
        vm.warp(c.deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(EmergencyExit.Expired.selector, c.deadline));
        exit.claimTo(c, _proof(account), signature);
    }

    function test_AContractWalletSignsByItsOwnRule() public {
        ContractWallet wallet = new ContractWallet();
        uint256 round = _fundedFor(address(wallet));
        EmergencyExit.SignedClaim memory c = _signedClaim(round, address(wallet));
        vm.expectRevert(abi.encodeWithSelector(Signatures.BadSignature.selector, wallet));
        exit.claimTo(c, _proof(address(wallet)), "");
        wallet.approve(_digest(c));
        exit.claimTo(c, _proof(address(wallet)), "");
        eq(usd.balanceOf(CAROL), 100, "recipient");
    }

    /// @dev An account with delegated code (EIP-7702) is no less its key's account; and calls like any other.
    function test_Regress_Tstorish_CodeLengthUnder7702() public {
        address account = vm.addr(KEY);
        uint256 round = _fundedFor(account);
        vm.etch(account, hex"600160005260206000f3");
        EmergencyExit.SignedClaim memory c = _signedClaim(round, account);
        exit.claimTo(c, _proof(account), _sign(c));
        eq(usd.balanceOf(CAROL), 100, "by signature");
        _fund(round, usd, 100);
        eq(_claim(round, usd, account), 100, "by call");
    }

    // ---------------------------------------------------------------- sweep

    function test_SweepLeavesTheIndexesAlone() public {
        _owed(ALICE, 100);
        _owed(BOB, 100);
        uint256 round = _openRound();
        _fund(round, usd, 250);
        _warm();
        _claim(round, usd, ALICE);
        vm.warp(block.timestamp + 730 days);
        exit.sweep(round, address(usd));
        eq(usd.balanceOf(HEIR), 50, "surplus");
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.sweep(round, address(usd));
        eq(_claim(round, usd, BOB), 100, "an entitlement never lapses");
        _fund(round, usd, 7);
        exit.sweep(round, address(usd));
        eq(usd.balanceOf(HEIR), 57, "later surplus");
        eq(usd.balanceOf(address(exit)), 0, "empty");
    }

    function _fundedFor(address account) private returns (uint256 round) {
        _owed(account, 200);
        round = _openRound();
        _fund(round, usd, 100);
        _warm();
    }

    function _signedClaim(uint256 round, address account) private view returns (EmergencyExit.SignedClaim memory) {
        return EmergencyExit.SignedClaim(round, address(usd), account, CAROL, 0, block.timestamp + 1 days);
    }

    function _digest(EmergencyExit.SignedClaim memory c) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Ripcord EmergencyExit"),
                keccak256("1"),
                block.chainid,
                address(exit)
            )
        );
        bytes32 message = keccak256(abi.encode(CLAIM_TYPEHASH, c.round, c.asset, c.account, c.to, c.paid, c.deadline));
        return keccak256(abi.encodePacked("\x19\x01", domain, message));
    }

    function _sign(EmergencyExit.SignedClaim memory c) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _digest(c));
        return abi.encodePacked(r, s, v);
    }
}
