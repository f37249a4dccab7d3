// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BoundedCall} from "../../../src/kit/BoundedCall.sol";
import {Mode} from "../../../src/kit/Types.sol";
import {Lock} from "../../../src/kit/Lock.sol";
import {Credits} from "../../../src/kit/exit/Credits.sol";
import {EmergencyExit} from "../../../src/kit/exit/EmergencyExit.sol";
import {ForcedExit} from "../../../src/kit/exit/ForcedExit.sol";
import {ExitWorld} from "./ExitWorld.sol";
import {MockServingLedger, Service} from "./Mocks.sol";
import {BlockingToken, PlainToken} from "./Tokens.sol";

/// @notice Forced exits: service, credits, the clock, and what it takes to open EXIT with them.
contract ForcedExitTest is ExitWorld {
    uint256 private constant SERVICE_GAS = 300_000;
    address[4] private users = [address(0x101), address(0x102), address(0x103), address(0x104)];

    ForcedExit private forced;
    MockServingLedger private ledger;

    function _tokens() internal override returns (PlainToken, PlainToken, PlainToken, PlainToken) {
        return (new BlockingToken(), new PlainToken(), new PlainToken(), new PlainToken());
    }

    function setUp() public override {
        super.setUp();
        ledger = new MockServingLedger(usd);
        vault = ledger;
        controller.enrol(address(ledger), VAULT, ROOT);
        exit = _exit(APPEAL);
        forced = new ForcedExit(exit, SERVICE_GAS);
        controller.wire(exit, forced);
        usd.mint(address(ledger), 1_000_000);
        // 10 % of all entitlements is theirs.
        for (uint256 i; i < users.length; ++i) {
            _owed(users[i], 25);
        }
        _owed(ALICE, 900);
        ledger.setService(Service.REVERTS, 0);
    }

    // ---------------------------------------------------------------- helpers

    /// @dev RESTRICTED until `until`, at the ledger and in its scope; the entitlements are proven.
    function _restrict(uint40 until) private {
        _incident(VAULT, Mode.RESTRICTED);
        _prolong(until);
        exit.pin(VAULT, ID);
        for (uint256 i; i < users.length; ++i) {
            exit.register(ID, address(usd), users[i], _proof(users[i]));
        }
    }

    function _prolong(uint40 until) private {
        controller.setRestriction(VAULT, Mode.RESTRICTED, until, 0);
        ledger.setMode(Mode.RESTRICTED, until);
        forced.touch(address(ledger));
    }

    function _request(address account, uint256 units) private {
        vm.prank(account);
        forced.request(address(usd), units);
    }

    function _requestAll(uint256 units) private {
        for (uint256 i; i < users.length; ++i) {
            _request(users[i], units);
        }
    }

    function _in(uint256 time) private view returns (uint40) {
        return uint40(block.timestamp + time);
    }

    function _later(uint256 time) private {
        vm.warp(block.timestamp + time);
    }

    function _list(uint256 count) private view returns (address[] memory accounts) {
        accounts = new address[](count);
        for (uint256 i; i < count; ++i) {
            accounts[i] = users[i];
        }
    }

    function _open(uint256 count) private {
        forced.openExit(address(usd), _list(count), abi.encode(ID));
    }

    function _openRefused(uint256 count, uint256 counted, uint256 units) private {
        vm.expectRevert(abi.encodeWithSelector(ForcedExit.StillServed.selector, counted, units, 1_000));
        _open(count);
        eq(controller.opened(), 0, "EXIT stays closed");
        yes(!forced.unserved(VAULT), "no verdict outside the call");
    }

    // ---------------------------------------------------------------- cause (c)

    function test_UnservedForFourteenDaysOpensExit() public {
        _restrict(_in(20 days));
        _requestAll(25);
        _later(14 days - 1);
        _openRefused(4, 0, 0);
        _later(1);
        _open(4);
        eq(controller.opened(), 1, "opened");
        yes(exit.roundOf(address(ledger)) != 0, "with a round");
        yes(!forced.unserved(VAULT), "the verdict ends with the call");
    }

    function test_RequestsFiledBeforeTheEpisodeCountFromItsStart() public {
        ledger.setMode(Mode.NORMAL, 0);
        _requestAll(25);
        _later(100 days);
        _restrict(_in(20 days));
        _openRefused(4, 0, 0);
        _later(14 days);
        _open(4);
        eq(controller.opened(), 1, "opened");
    }

    function test_TwoAccountsOrLessThanFivePercentDoNotDo() public {
        _restrict(_in(20 days));
        _requestAll(16);
        _later(14 days);
        _openRefused(2, 2, 32);
        _openRefused(3, 3, 48);
        _open(4);
        eq(controller.opened(), 1, "64 of 1 000");
    }

    function test_ThreeAccountsWithFivePercentDo() public {
        _restrict(_in(20 days));
        _requestAll(17);
        _request(users[2], 16);
        _later(14 days);
        _open(3);
        eq(controller.opened(), 1, "50 of 1 000");
        yes(!forced.unserved(0), "of no scope");
    }

    function test_TimeInAHaltCounts() public {
        _restrict(_in(20 days));
        controller.setRestriction(VAULT, Mode.HALTED, _in(20 days), 0);
        ledger.setMode(Mode.HALTED, _in(20 days));
        _requestAll(25);
        _later(14 days);
        _open(4);
        eq(controller.opened(), 1, "opened");
    }

    /// @dev The clock runs while both hold.
    function test_TheEarlierEndCounts() public {
        _restrict(_in(20 days));
        ledger.setMode(Mode.RESTRICTED, _in(5 days));
        eq(forced.touch(address(ledger)).until, _in(5 days), "of the ledger");
        controller.setRestriction(VAULT, Mode.RESTRICTED, _in(4 days), 0);
        eq(forced.touch(address(ledger)).until, _in(4 days), "of the scope");
    }

    function test_AccountsMustRise() public {
        _restrict(_in(20 days));
        _requestAll(25);
        _later(14 days);
        address[] memory accounts = _list(3);
        accounts[2] = accounts[1];
        vm.expectRevert(abi.encodeWithSelector(ForcedExit.NotRising.selector, accounts[1]));
        forced.openExit(address(usd), accounts, abi.encode(ID));
    }

    /// @dev Every way in which service can fail is a failure, and none stops the proof.
    function test_FailuresOfEveryKindCount() public {
        _restrict(_in(20 days));
        _requestAll(25);
        _later(14 days);
        Service[5] memory failures =
            [Service.REVERTS, Service.BURNS_GAS, Service.SHORT_ANSWER, Service.BOMB, Service.PAYS_NOTHING];
        for (uint256 i; i < failures.length; ++i) {
            ledger.setService(failures[i], 0);
            _open(4);
            eq(controller.opened(), i + 1, "opened");
            controller.setRestriction(VAULT, Mode.RESTRICTED, _in(6 days), 0);
        }
    }

    /// @dev Whoever calls with little gas shows nothing.
    function test_AShortCallProvesNothing() public {
        _restrict(_in(20 days));
        _requestAll(25);
        ledger.setService(Service.PAYS, 0);
        _later(14 days);
        vm.expectPartialRevert(BoundedCall.GasTooLow.selector);
        forced.openExit{gas: 400_000}(address(usd), _list(4), abi.encode(ID));
    }

    /// @dev T10, cause (c): three blocked payees, requests above the limiter's cap, requests that aged in NORMAL or in recovery,
    /// requests for what nobody is owed, and requests beside a release stay without effect.
    function test_Regress_Review_BoughtExit() public {
        // Payees that refuse to be paid: service credits them.
        _restrict(_in(60 days));
        _requestAll(25);
        for (uint256 i; i < users.length; ++i) {
            BlockingToken(address(usd)).setBlocked(users[i], true);
        }
        ledger.setService(Service.PAYS, 0);
        _later(14 days);
        _openRefusedServed();
        eq(forced.creditOf(address(usd), users[0]), 25, "credited");

        // More than the limiter admits at once: what waits for the refill counts as served.
        _requestAll(1_000);
        _later(14 days);
        ledger.setService(Service.LIMITED, 0);
        _openRefused(4, 0, 0);

        // More than anyone is owed: only the entitlement counts, and it was withdrawn.
        ledger.setService(Service.REVERTS, 0);
        _openRefused(4, 0, 0);
    }

    /// @dev A refusal undoes the services; so that they last, they are done beforehand.
    function _openRefusedServed() private {
        _openRefused(4, 0, 0);
        for (uint256 i; i < users.length; ++i) {
            forced.serve(address(usd), users[i]);
        }
    }

    function test_Regress_Review_BoughtExit_TimeInNormalOrRecovery() public {
        _restrict(_in(1 days));
        _requestAll(25);
        _later(30 days);
        // The restriction ended after a day, whatever the time.
        vm.expectRevert(abi.encodeWithSelector(ForcedExit.NotTight.selector, ledger));
        _open(4);
        _prolong(_in(12 days));
        _later(12 days - 1);
        _openRefused(4, 0, 0);
        // 13 days in all; one more, after a gap, completes them.
        _later(5 days);
        _prolong(_in(2 days));
        _later(1 days - 1);
        _openRefused(4, 0, 0);
        _later(1);
        _open(4);
        eq(controller.opened(), 1, "14 days under a restriction");
    }

    /// @dev Between two touches a release could have happened: nothing of that time counts.
    function test_Regress_Review_BoughtExit_AcrossARelease() public {
        _restrict(_in(20 days));
        _requestAll(25);
        _later(13 days);
        controller.setRestriction(VAULT, Mode.RESTRICTED, _in(7 days), 1);
        _later(2 days);
        _openRefused(4, 0, 0);
    }

    function test_Regress_Review_BoughtExit_BothMustHold() public {
        _restrict(_in(20 days));
        _requestAll(25);
        _later(14 days);
        // The ledger's own budget ended earlier than its scope.
        ledger.setMode(Mode.RECOVERING, 0);
        vm.expectRevert(abi.encodeWithSelector(ForcedExit.NotTight.selector, ledger));
        _open(4);
        ledger.setMode(Mode.RESTRICTED, _in(1 days));
        controller.setRestriction(VAULT, Mode.RECOVERING, _in(1 days), 0);
        vm.expectRevert(abi.encodeWithSelector(ForcedExit.NotTight.selector, ledger));
        _open(4);
    }

    function test_Regress_Review_BoughtExit_NextEpisode() public {
        _restrict(_in(13 days));
        _requestAll(25);
        _later(13 days);
        controller.setEpisode(VAULT, 2, Mode.RESTRICTED, INCIDENT);
        _prolong(_in(13 days));
        exit.pin(VAULT, ID);
        _later(13 days - 1);
        _openRefused(4, 0, 0);
    }

    function test_ANewRequestStartsAnew() public {
        _restrict(_in(20 days));
        _requestAll(25);
        _later(10 days);
        _request(users[0], 26);
        _request(users[1], 26);
        _later(4 days);
        _openRefused(4, 2, 50);
    }

    // ---------------------------------------------------------------- service

    function test_ServiceCreditsAndTheAccountCollects() public {
        ledger.setService(Service.PAYS, 0);
        _request(users[0], 20);
        forced.serve(address(usd), users[0]);
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        forced.serve(address(usd), users[0]);
        vm.prank(users[0]);
        forced.collect(address(usd), CAROL);
        eq(usd.balanceOf(CAROL), 20, "collected");
    }

    function test_ServiceMayBePartial() public {
        ledger.setService(Service.LIMITED, 7);
        _request(users[0], 20);
        forced.serve(address(usd), users[0]);
        (uint128 units,,) = forced.requestOf(address(usd), users[0]);
        eq(units, 13, "left");
        eq(forced.creditOf(address(usd), users[0]), 7, "credited");
    }

    function test_ALedgerThatSaysTooMuchServesWhatWasAsked() public {
        ledger.setService(Service.OVERSTATES, 0);
        _request(users[0], 20);
        forced.serve(address(usd), users[0]);
        (uint128 units,,) = forced.requestOf(address(usd), users[0]);
        eq(units, 0, "left");
        eq(forced.creditOf(address(usd), users[0]), 20, "credited what came");
    }

    /// @dev What a service within another brought would be credited twice.
    function test_AServiceCannotBeCalledFromWithin() public {
        ledger.setService(Service.PAYS, 0);
        bytes[2] memory calls = [
            abi.encodeCall(forced.serve, (address(usd), users[1])),
            abi.encodeCall(forced.openExit, (address(usd), _list(4), ""))
        ];
        for (uint256 i; i < calls.length; ++i) {
            _request(users[0], 1);
            ledger.onService(calls[i]);
            forced.serve(address(usd), users[0]);
            yes(bytes4(ledger.answer()) == Lock.Reentered.selector, "locked");
        }
    }

    function test_AWithdrawnRequestIsGone() public {
        _request(users[0], 20);
        _request(users[0], 0);
        ledger.setService(Service.PAYS, 0);
        vm.expectRevert(abi.encodeWithSelector(Credits.NothingChanges.selector));
        forced.serve(address(usd), users[0]);
    }

    function test_DeploymentIsRefusedWithoutSense() public {
        vm.expectRevert(abi.encodeWithSelector(Credits.ZeroAddress.selector));
        new ForcedExit(EmergencyExit(address(0)), SERVICE_GAS);
        vm.expectRevert(abi.encodeWithSelector(ForcedExit.ServiceGasOutside.selector, 99_999));
        new ForcedExit(exit, 99_999);
        vm.expectRevert(abi.encodeWithSelector(ForcedExit.ServiceGasOutside.selector, 3_000_001));
        new ForcedExit(exit, 3_000_001);
        new ForcedExit(exit, 100_000);
        new ForcedExit(exit, 3_000_000);
    }
}
