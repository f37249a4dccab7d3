// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ShareVault} from "../../examples/ShareVault.sol";
import {Deploy} from "../../script/Deploy.s.sol";
import {FailSafe} from "../../src/kit/FailSafe.sol";
import {FailSafeController} from "../../src/kit/FailSafeController.sol";
import {IToken} from "../../src/kit/SafeToken.sol";
import {Mode, TripIntent} from "../../src/kit/Types.sol";
import {Council} from "../../src/kit/controller/Council.sol";
import {IExitFunding} from "../../src/kit/interfaces/IExitFunding.sol";
import {IFailSafe} from "../../src/kit/interfaces/IFailSafe.sol";
import {IEntitlementLimit} from "../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {IProbe} from "../../src/kit/interfaces/ISensors.sol";
import {PlainToken} from "../kit/EmergencyExit/Tokens.sol";
import {ControllerWorld} from "../kit/FailSafeController/ControllerWorld.sol";
import {Health} from "../kit/FailSafeController/RealWorld.sol";

/// @notice The script with the file that it ships with, around a vault that stands where the file says.
contract DeployTest is ControllerWorld, Deploy {
    address private constant TOKEN = address(0xA1);
    address private constant VAULT = address(0xE1);
    address private constant JUDGE = address(0xF6);
    bytes32 private constant SCOPE = keccak256("vault");

    function setUp() public override {
        super.setUp();
        _place(TOKEN, type(PlainToken).creationCode);
        _place(JUDGE, type(Health).creationCode);
        _placeVault(_foresee(address(this), true, 2), 12 hours);
    }

    /// @dev Creates a contract at a given address.
    function _place(address where, bytes memory creation) private {
        vm.etch(where, creation);
        (bool ok, bytes memory runtime) = where.call("");
        yes(ok, "created");
        vm.etch(where, runtime);
    }

    function _placeVault(Kit memory kit, uint40 grace) private {
        FailSafe.Config memory c;
        (c.controller, c.exit, c.grace) = (address(kit.controller), IExitFunding(address(kit.exit)), grace);
        c.entitlements = IEntitlementLimit(address(kit.exit));
        (c.factorFloorBps, c.exitAssets) = (2_500, new address[](1));
        c.exitAssets[0] = TOKEN;
        c.dwells = [uint40(6 hours), 24 hours, 12 hours, 24 hours, 24 hours];
        c.budgets = [uint40(3.5 days), 7 days, 15 days];
        bytes memory arguments = abi.encode(TOKEN, address(this), 1_000e18, uint24(1 days), c);
        // What stood there before keeps no storage: a second vault begins anew.
        vm.store(VAULT, 0x81b926a01efc0940e1b7883b4c64fb5f07609610196454a5e5ea3eaaa21f6800, 0);
        _place(VAULT, abi.encodePacked(type(ShareVault).creationCode, arguments));
    }

    /// @dev The file, with guardians whose keys the test has.
    function _settings() private returns (Settings memory s) {
        s = _parse(vm.readFile("script/example.json"));
        for (uint256 i; i < 3; ++i) {
            s.scopes[0].groups[0].signers[i] = vm.addr(keys[i]);
        }
    }

    function deploy(Settings memory s, address deployer) external returns (Kit memory) {
        return _deployKit(s, deployer);
    }

    function _refused(Settings memory s, bytes memory why) private {
        vm.expectRevert(why);
        this.deploy(s, address(this));
    }

    // ---------------------------------------------------------------- what is deployed

    function test_TheExampleFileIsReadWhole() public {
        Settings memory s = _parse(vm.readFile("script/example.json"));
        eq(s.council, COUNCIL, "council");
        eq(s.blocksPerDay, 7_200, "blocksPerDay");
        eq(s.challengeBond, 1 ether, "challengeBond");
        eq(s.serviceGas, 500_000, "serviceGas");
        eq(uint256(s.terms.scope), uint256(keccak256("attesters")), "attesters");
        eq(s.listings[0].ledger, VAULT, "ledger");
        eq(s.scopes.length, 2, "scopes");
        eq(s.scopes[0].groups[1].signers[1], address(0xF05), "the last guardian");
        eq(uint8(s.scopes[1].groups[0].maxMode), uint8(Mode.WATCH), "attesters only watch");
        eq(address(s.scopes[0].sensors.probes[0]), JUDGE, "probe");
        eq(s.waterfall.layers[0].payer, address(0xAC), "a treasury");
        eq(s.waterfall.layers[1].cooldown, 14 days, "a stake");
    }

    function test_HeartbeatTripAndRelease() public {
        Kit memory kit = _deployKit(_settings(), address(this));
        controller = kit.controller;
        (address layer,) = _step0(kit);
        eq(layer, address(kit.layers[0]), "the waterfall has its layers");
        eq(address(kit.waterfall.controller()), address(controller), "and its controller");
        (uint40 halt,, bool bounded) = controller.worstCase(SCOPE);
        eq(halt, 7 days, "worst case");
        yes(bounded, "entitlements");

        // Handed over: after a week, and for good.
        vm.prank(COUNCIL);
        vm.expectRevert(abi.encodeWithSelector(Council.TooEarly.selector, START + 12 + 7 days));
        controller.acceptCouncil();
        vm.warp(block.timestamp + 7 days);
        vm.prank(COUNCIL);
        controller.acceptCouncil();
        vm.expectRevert(abi.encodeWithSelector(Council.NotAuthorized.selector, address(this)));
        controller.addScope("more", 0);

        _step(1, 12);
        for (uint256 i; i < 3; ++i) {
            _beat(SCOPE, i);
        }
        yes(controller.alive(SCOPE, 0), "heard");
        PlainToken(TOKEN).mint(address(this), 10e18);
        PlainToken(TOKEN).approve(VAULT, 10e18);
        ShareVault(VAULT).deposit(5e18, address(this));
        eq(_trip(_intent(SCOPE, Mode.RESTRICTED, 12 hours, "step")), 1, "reached");
        vm.expectPartialRevert(IFailSafe.ActionClosed.selector);
        ShareVault(VAULT).deposit(5e18, address(this));
        vm.warp(block.timestamp + 1 hours);
        vm.prank(COUNCIL);
        controller.release(SCOPE);
        vm.warp(block.timestamp + 1);
        (, Mode mode, uint8 stage) = _word();
        eq(uint8(mode), uint8(Mode.RECOVERING), "released");
        eq(stage, 1, "into S1");
        kit.plan.notePrices(SCOPE);
        uint40[4] memory dwells = [uint40(24 hours), 12 hours, 24 hours, 24 hours];
        for (uint256 i; i < 4; ++i) {
            vm.warp(block.timestamp + dwells[i]);
            kit.plan.advance(SCOPE);
        }
        vm.warp(block.timestamp + 1);
        ShareVault(VAULT).deposit(5e18, address(this));
    }

    function _step0(Kit memory kit) private view returns (address layer, uint128 cap) {
        (bool ok, bytes memory answer) =
            address(kit.waterfall).staticcall(abi.encodeWithSignature("steps(uint256)", uint256(0)));
        yes(ok, "steps");
        return abi.decode(answer, (address, uint128));
    }

    function _word() private view returns (uint256 word, Mode mode, uint8 stage) {
        word = FailSafe(VAULT).failsafeWord();
        (mode, stage) = (Mode(word >> 193 & 7), uint8(word >> 196 & 7));
    }

    // ---------------------------------------------------------------- what is refused

    function test_MissingAddressesAreRefused() public {
        Settings memory s = _settings();
        s.council = address(0);
        _refused(s, abi.encodeWithSelector(MissingAddress.selector, "council"));
        s = _settings();
        s.heir = address(0);
        _refused(s, abi.encodeWithSelector(MissingAddress.selector, "heir"));
        s = _settings();
        s.disputeToken = IToken(address(0));
        _refused(s, abi.encodeWithSelector(MissingAddress.selector, "disputeToken"));
        s = _settings();
        s.terms.bondToken = IToken(address(0));
        _refused(s, abi.encodeWithSelector(MissingAddress.selector, "attestation bondToken"));
        s = _settings();
        s.scopes[0].groups[1].signers[0] = address(0);
        _refused(s, abi.encodeWithSelector(MissingAddress.selector, "guardian"));
    }

    function test_ACouncilThatIsSomebodyElseIsRefused() public {
        Settings memory s = _settings();
        s.council = address(this);
        _refused(s, abi.encodeWithSelector(CouncilIsDeployer.selector, address(this)));
        s = _settings();
        s.council = vm.addr(keys[2]);
        _refused(s, abi.encodeWithSelector(CouncilIsGuardian.selector, SCOPE, s.council));
        s = _settings();
        s.appealBody = COUNCIL;
        _refused(s, abi.encodeWithSelector(CouncilIsAppealBody.selector, COUNCIL));
    }

    function test_ScopesThatCannotWorkAreRefused() public {
        Settings memory s = _settings();
        s.scopes[0].targets = new address[](0);
        _refused(s, abi.encodeWithSelector(NothingGuarded.selector));
        s = _settings();
        s.scopes[0].groups = new Group[](0);
        _refused(s, abi.encodeWithSelector(NoGuardians.selector, SCOPE));
        s = _settings();
        s.scopes[0].sensors.probes = new IProbe[](0);
        _refused(s, abi.encodeWithSelector(NoSensors.selector, SCOPE));
        s = _settings();
        s.terms.group = 1;
        _refused(s, abi.encodeWithSelector(UnknownAttesters.selector, s.terms.scope, 1));
        s.terms.scope = "nobody";
        _refused(s, abi.encodeWithSelector(UnknownAttesters.selector, s.terms.scope, 1));
        s = _settings();
        s.terms.scope = SCOPE;
        _refused(s, abi.encodeWithSelector(AttestersCanTrip.selector, SCOPE));
    }

    /// @dev A scope is manned by a group above it, and a group guards what is in the scopes below.
    function test_GroupsReachDownTheTree() public {
        Settings memory s = _settings();
        address[] memory guarded = s.scopes[0].targets;
        ScopeSettings memory attesters = s.scopes[1];
        s.scopes = new ScopeSettings[](3);
        s.scopes[0] = _settings().scopes[0];
        s.scopes[0].targets = new address[](0);
        (s.scopes[1].scope, s.scopes[1].parent, s.scopes[1].targets) = ("below", SCOPE, guarded);
        s.scopes[2] = attesters;
        bytes32 attester = s.terms.scope;
        s.terms.scope = SCOPE;
        _refused(s, abi.encodeWithSelector(AttestersCanTrip.selector, SCOPE));
        s.terms.scope = attester;
        IProbe[] memory probes = s.scopes[0].sensors.probes;
        s.scopes[0].sensors.probes = new IProbe[](0);
        _refused(s, abi.encodeWithSelector(NoSensors.selector, SCOPE));
        s.scopes[0].sensors.probes = probes;
        Kit memory kit = this.deploy(s, address(this));
        eq(kit.controller.targets(SCOPE, 0), VAULT, "the target of the scope below");
    }

    function test_TargetsThatNameSomethingElseAreRefused() public {
        Settings memory s = _settings();
        s.scopes[0].targets[0] = address(0xDEAD);
        _refused(s, abi.encodeWithSelector(NoCode.selector, address(0xDEAD)));
        Kit memory kit = _foresee(address(this), true, 2);
        _placeVault(kit, 6 hours);
        _refused(_settings(), abi.encodeWithSelector(TargetDiffers.selector, VAULT, "grace", 6 hours, 12 hours));
        address right = address(kit.controller);
        kit.controller = FailSafeController(address(0xBAD));
        _placeVault(kit, 12 hours);
        bytes4 differs = TargetDiffers.selector;
        _refused(_settings(), abi.encodeWithSelector(differs, VAULT, "controller", 0xBAD, uint160(right)));
    }

    /// @dev A transaction too many before the script moves every address.
    function test_AnotherNonceIsRefused() public {
        new PlainToken();
        vm.expectPartialRevert(TargetDiffers.selector);
        this.deploy(_settings(), address(this));
        address other = address(0x07E2);
        Kit memory kit = _foresee(other, true, 2);
        _placeVault(kit, 12 hours);
        vm.expectPartialRevert(NotWhereForeseen.selector);
        this.deploy(_settings(), other);
    }

    function test_RoundsThatCouldNotPayAreRefused() public {
        Settings memory s = _settings();
        s.listings[0].ledger = address(0xE2);
        _refused(s, abi.encodeWithSelector(LedgerNotGuarded.selector, address(0xE2)));
        s = _settings();
        s.terms.scope = 0;
        _refused(s, abi.encodeWithSelector(NothingProves.selector, TOKEN));
        s.listings[0].inKind = true;
        _refused(s, abi.encodeWithSelector(NothingProves.selector, VAULT));
    }

    function parse(string calldata json) external {
        _parse(json);
    }

    function test_ANumberThatDoesNotFitIsRefused() public {
        string memory json = '{"council":"0x00000000000000000000000000000000000000C0","tripFactorBps":65536}';
        vm.expectRevert(abi.encodeWithSelector(TooLarge.selector, ".tripFactorBps", 65_536, 65_535));
        this.parse(json);
    }
}
