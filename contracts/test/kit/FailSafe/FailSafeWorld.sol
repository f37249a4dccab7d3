// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {FailSafeWord, Hot} from "../../../src/kit/FailSafeWord.sol";
import {IToken} from "../../../src/kit/SafeToken.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {IExitFunding} from "../../../src/kit/interfaces/IExitFunding.sol";
import {IEntitlementLimit} from "../../../src/kit/interfaces/ILedgerCheckpoint.sol";
import {Assert} from "../../utils/Assert.sol";
import {PlainToken} from "../EmergencyExit/Tokens.sol";
import {GuardedVault} from "./GuardedVault.sol";

/// @notice What {FailSafe} asks of an exit contract, without its arithmetic.
contract RoundStub is IExitFunding, IEntitlementLimit {
    mapping(address account => uint256) public allowed;
    mapping(address asset => uint256) public funded;

    function allow(address account, uint256 amount) external {
        allowed[account] = amount;
    }

    function roundOf(address) external pure returns (uint256) {
        return 7;
    }

    function fund(uint256 round, address asset, uint256 amount) external virtual {
        require(round == 7, "round");
        uint256 before = IToken(asset).balanceOf(address(this));
        require(IToken(asset).transferFrom(msg.sender, address(this), amount), "transfer");
        funded[asset] += IToken(asset).balanceOf(address(this)) - before;
    }

    function withdrawable(address, address, address account) external view returns (uint256) {
        return allowed[account];
    }
}

/// @notice A guarded vault whose controller is the test, with the default bounds.
abstract contract FailSafeWorld is Assert {
    uint40 internal constant FOREVER = type(uint40).max;
    uint40 internal constant GRACE = 12 hours;
    uint40 internal constant S0 = 6 hours;
    uint40 internal constant S1 = 24 hours;
    uint40 internal constant RAMP = 84 hours;
    uint32 internal constant ALL = Classes.RESTRICTABLE;
    uint256 internal constant START = 1_700_000_000;
    address internal constant ALICE = address(0xa11ce);
    address internal constant BOB = address(0xb0b);

    PlainToken internal token;
    RoundStub internal round;
    GuardedVault internal vault;

    function setUp() public virtual {
        vm.warp(START);
        token = new PlainToken();
        round = new RoundStub();
        vault = _deploy(_config());
        _give(ALICE, 1_000e18);
        _give(BOB, 1_000e18);
    }

    function _config() internal view virtual returns (FailSafe.Config memory config) {
        config.controller = address(this);
        config.exit = IExitFunding(address(round));
        config.entitlements = IEntitlementLimit(address(round));
        config.grace = GRACE;
        config.dwells = [S0, S1, 12 hours, 24 hours, 24 hours];
        config.budgets = [uint40(3.5 days), 7 days, 15 days];
        config.factorFloorBps = 5_000;
        config.exitAssets = new address[](1);
        config.exitAssets[0] = address(token);
    }

    /// @dev The shortest ramp that is allowed, with the longest grace.
    function _shortRamp() internal view returns (FailSafe.Config memory config) {
        config = _config();
        config.grace = 48 hours;
        config.dwells = [uint40(1), 24 hours - 3, 1, 1, 1];
    }

    function _deploy(FailSafe.Config memory config) internal returns (GuardedVault) {
        return new GuardedVault(IToken(address(token)), config);
    }

    function _give(address account, uint256 amount) internal {
        token.mint(account, amount);
        vm.prank(account);
        token.approve(address(vault), type(uint256).max);
    }

    // ------------------------------------------------------------- what a controller sends

    function _ask(Mode mode, uint32 mask, uint256 secs, Origin origin) internal view returns (Restriction memory r) {
        (r.mode, r.mask, r.origin) = (mode, mask, origin);
        (r.until, r.factorBps, r.episodeId) = (uint40(block.timestamp + secs), 5_000, 1);
    }

    function _arm(Restriction memory r) internal returns (uint40) {
        uint256 word = vault.failsafeArm(r, "test");
        eq(word, vault.failsafeWord(), "the answer is the word in force");
        return FailSafeWord.untilOf(word);
    }

    function _halt(uint256 secs) internal returns (uint40) {
        return _arm(_ask(Mode.HALTED, ALL, secs, Origin.GUARDIAN));
    }

    function _restrict(uint256 secs, Origin origin) internal returns (uint40) {
        return _arm(_ask(Mode.RESTRICTED, Classes.closable(Mode.RESTRICTED), secs, origin));
    }

    function _watch(uint256 secs, Origin origin) internal returns (uint40) {
        return _arm(_ask(Mode.WATCH, 0, secs, origin));
    }

    function _council(Mode mode, uint8 stage, uint256 secs) internal returns (uint40) {
        Restriction memory r = _ask(mode, 0, secs, Origin.COUNCIL);
        r.stage = stage;
        return _arm(r);
    }

    function _release() internal {
        _council(Mode.RECOVERING, 0, 0);
    }

    function _exit() internal {
        _council(Mode.EXIT, 0, 0);
    }

    function _refused(Restriction memory r, bytes memory refusal) internal {
        vm.expectRevert(refusal);
        vault.failsafeArm(r, "test");
    }

    /// @dev From S1 on through every stage to NORMAL, as early as the dwells allow.
    function _ramp() internal {
        for (uint8 stage = _word().stage + 1; stage <= 5; ++stage) {
            vm.warp(_now().until);
            if (stage == 5) _council(Mode.NORMAL, 0, 0);
            else _council(Mode.RECOVERING, stage, 0);
        }
        vm.warp(block.timestamp + 1);
    }

    // ------------------------------------------------------------- what everybody sees

    function _now() internal view returns (Restriction memory effective) {
        (, effective) = vault.failsafeState();
    }

    function _word() internal view returns (Hot memory) {
        return FailSafeWord.unpack(vault.failsafeWord());
    }

    function _is(Mode mode, uint8 stage, string memory what) internal view {
        eq(uint8(_now().mode), uint8(mode), string.concat(what, ": mode"));
        eq(_now().stage, stage, string.concat(what, ": stage"));
    }

    function _open(uint8 class_, bool open, string memory what) internal view {
        yes(vault.failsafeOpen(class_) == open, what);
        (bool ok,) = address(vault).staticcall(abi.encodeCall(GuardedVault.act, (class_)));
        yes(ok == open, string.concat(what, ": modifier"));
    }

    /// @dev Minutes that are used up, as the vault will count them now. Bucket 0..4 as in {Budget}.
    function _used(uint256 bucket) internal view returns (uint256) {
        bytes32 slot = bytes32(uint256(SLOT) + 1);
        return uint16(uint256(vm.load(address(vault), slot)) >> (176 + 16 * bucket));
    }

    bytes32 internal constant SLOT = 0x81b926a01efc0940e1b7883b4c64fb5f07609610196454a5e5ea3eaaa21f6800;
}
