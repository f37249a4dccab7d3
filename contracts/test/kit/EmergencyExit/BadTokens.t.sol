// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IToken, SafeToken} from "../../../src/kit/SafeToken.sol";
import {Lock} from "../../../src/kit/Lock.sol";
import {Credits} from "../../../src/kit/exit/Credits.sol";
import {EmergencyExit} from "../../../src/kit/exit/EmergencyExit.sol";
import {ExitWorld} from "./ExitWorld.sol";
import {BlockingToken, FalseToken, FeeToken, HookToken, IHook, LyingToken, PlainToken} from "./Tokens.sol";

/// @notice Assets that lie: each hurts its own claims and no others.
contract BadTokensTest is ExitWorld {
    uint256 private round;

    function _tokens() internal virtual override returns (PlainToken, PlainToken, PlainToken, PlainToken) {
        return (new PlainToken(), new FeeToken(), new BlockingToken(), new PlainToken());
    }

    function _start() private {
        _owed(ALICE, 100);
        _entitle(address(pool), ALICE, 1);
        _entitle(address(pool), BOB, 1);
        round = _openRound();
    }

    function test_AFeeIsMeasuredOnTheWayIn() public {
        _start();
        _fund(round, dai, 1_000);
        eq(_pool(round, dai).funded, 990, "credited what arrived");
        _warm();
        eq(_claim(round, dai, ALICE), 495, "paid");
        eq(_claim(round, dai, BOB), 495, "paid");
        eq(dai.balanceOf(address(exit)), 0, "nothing owed, nothing left");
    }

    function test_ABlockedPayeeBlocksNobodyElse() public {
        _start();
        _fund(round, eth, 1_000);
        _fund(round, usd, 100);
        BlockingToken(address(eth)).setBlocked(ALICE, true);
        _warm();
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(SafeToken.TransferFailed.selector, eth));
        exit.claim(round, address(eth), _proof(ALICE));
        eq(_claim(round, eth, BOB), 500, "the other account");
        eq(_claim(round, usd, ALICE), 100, "the other asset");
        BlockingToken(address(eth)).setBlocked(ALICE, false);
        eq(_claim(round, eth, ALICE), 500, "kept for later");
    }

    function test_FundingThatMovesNothingIsRefused() public {
        _start();
        vm.prank(DONOR);
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.fund(round, address(usd), 0);
    }
}

abstract contract BadTokensWorld is ExitWorld {
    uint256 internal round;

    function setUp() public virtual override {
        super.setUp();
        _owed(ALICE, 100);
        _owed(address(this), 100);
        _entitle(address(pool), ALICE, 1);
        round = _openRound();
    }
}

contract SilentTokensTest is BadTokensWorld {
    function _tokens() internal override returns (PlainToken, PlainToken, PlainToken, PlainToken) {
        return (new LyingToken(), new FalseToken(), new PlainToken(), new PlainToken());
    }

    function test_ATokenThatOnlySaysSoFundsNothing() public {
        usd.mint(DONOR, 100);
        vm.startPrank(DONOR);
        usd.approve(address(exit), 100);
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        exit.fund(round, address(usd), 100);
    }

    function test_AFalseAnswerIsAFailure() public {
        _fund(round, dai, 100);
        _warm();
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(SafeToken.TransferFailed.selector, dai));
        exit.claim(round, address(dai), _proof(ALICE));
    }
}

/// @notice Calls back whatever it was told, from inside a transfer.
contract Reentrant is IHook {
    address private immutable _target;
    bytes private _call;
    bytes public answer;
    bool public succeeded;

    constructor(address target) {
        _target = target;
    }

    function onEachTransfer(bytes calldata call_) external {
        _call = call_;
    }

    function onToken() external {
        if (_call.length == 0) return;
        (succeeded, answer) = _target.call(_call);
    }

    function run(bytes calldata call_) external {
        (bool ok, bytes memory why) = _target.call(call_);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(why, 32), mload(why))
            }
        }
    }

    function approve(PlainToken token, uint256 amount) external {
        token.approve(_target, amount);
    }
}

contract ReentrancyTest is BadTokensWorld {
    Reentrant private attacker;

    function _tokens() internal override returns (PlainToken, PlainToken, PlainToken, PlainToken) {
        return (new HookToken(), new PlainToken(), new PlainToken(), new HookToken());
    }

    function setUp() public override {
        super.setUp();
        attacker = new Reentrant(address(exit));
        _owed(address(attacker), 100);
    }

    function test_AClaimCannotClaimAgain() public {
        round = _freshRound();
        bytes memory call_ = abi.encodeCall(exit.claim, (round, address(usd), _proof(address(attacker))));
        _fund(round, usd, 400);
        _warm();
        attacker.onEachTransfer(call_);
        attacker.run(call_);
        _refused();
        eq(usd.balanceOf(address(attacker)), 100, "paid once");
    }

    /// @dev Claiming inside one's own funding would count what is on its way out as having come in.
    function test_FundingCannotClaim() public {
        round = _freshRound();
        _fund(round, usd, 100);
        _warm();
        usd.mint(address(attacker), 50);
        attacker.approve(usd, 50);
        attacker.onEachTransfer(abi.encodeCall(exit.claim, (round, address(usd), _proof(address(attacker)))));
        attacker.run(abi.encodeCall(exit.fund, (round, address(usd), 50)));
        _refused();
        eq(_pool(round, usd).funded, 150, "funded");
    }

    function test_ABondCannotBeCollectedTwice() public {
        round = _freshRound();
        _enter(round, usd, address(attacker));
        _dispute(round, usd, BOB, address(attacker));
        _resolve(round, usd, COUNCIL, address(attacker), true);
        bondToken.mint(address(exit), BOND);
        bytes memory call_ = abi.encodeCall(exit.collect, (address(bondToken), address(attacker)));
        attacker.onEachTransfer(call_);
        attacker.run(call_);
        _refused();
        eq(bondToken.balanceOf(address(attacker)), BOND, "once");
    }

    /// @dev One lock covers whatever moves tokens or books them.
    function test_InsideAPaymentNothingElseRuns() public {
        round = _freshRound();
        _warm();
        EmergencyExit.SignedClaim memory c;
        bytes[6] memory calls = [
            abi.encodeCall(exit.claimTo, (c, "", "")),
            abi.encodeCall(exit.fund, (round, address(usd), 1)),
            abi.encodeCall(exit.fundSubRound, (round, address(usd), "")),
            abi.encodeCall(exit.sweep, (round, address(usd))),
            abi.encodeCall(exit.dispute, (round, address(usd), ALICE, "evidence")),
            abi.encodeCall(exit.contest, (round, address(usd), ALICE))
        ];
        for (uint256 i; i < calls.length; ++i) {
            _fund(round, usd, 40);
            attacker.onEachTransfer(calls[i]);
            attacker.run(abi.encodeCall(exit.claim, (round, address(usd), _proof(address(attacker)))));
            _refused();
        }
    }

    function _refused() private view {
        yes(!attacker.succeeded(), "the second call failed");
        yes(keccak256(attacker.answer()) == keccak256(abi.encodeWithSelector(Lock.Reentered.selector)), "by the lock");
    }

    /// @dev The attacker's entitlement came after the round of the set-up.
    function _freshRound() private returns (uint256) {
        exit = _exit(APPEAL);
        controller.wire(exit, controller.conditions());
        attacker = new Reentrant(address(exit));
        _owed(address(attacker), 100);
        return _openRound();
    }
}
