// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Classes} from "../../../src/kit/Classes.sol";
import {FlowBucket} from "../../../src/kit/FlowBucket.sol";
import {FlowLimiter} from "../../../src/kit/FlowLimiter.sol";
import {IFailSafeController} from "../../../src/kit/interfaces/IFailSafeController.sol";
import {Assert} from "../../utils/Assert.sol";
import {Judge, LimitedVault} from "./LimitedVault.sol";

/// @notice Everybody who touches a limit, in any order. It writes down what flowed and what was in force, and judges each step.
contract LimitHandler is Assert {
    struct Flow {
        uint40 time;
        address account;
        uint256 amount;
    }

    struct Config {
        uint40 time;
        uint256 cap;
        uint24 window;
    }

    uint256 private constant CAP = 1_000_000e6;
    uint24 private constant WINDOW = 1 days;
    uint256 private constant FLOOR = CAP / 8;
    address private constant ASSET = address(0xa55e7);
    address private constant COUNCIL = address(0xc0c);

    LimitedVault public immutable vault;
    bytes32 public immutable key;
    Judge private immutable _judge;

    Flow[] private _flows;
    Config[] private _configs;

    constructor(uint256 shareBps, bool hinted) {
        vm.warp(1_700_000_000);
        _judge = new Judge(COUNCIL);
        vault = new LimitedVault(IFailSafeController(address(_judge)), 48 hours, shareBps);
        key = vault.assetKey(ASSET);
        vault.setLimit(key, CAP, WINDOW, FLOOR, hinted);
        _noteConfig();
    }

    // ------------------------------------------------------------- what may happen

    function wait(uint256 secs) external {
        // Blocks, hours, and now and then more than a window.
        uint256 most = secs % 3 == 0 ? 60 : secs % 3 == 1 ? 6 hours : 4 days;
        vm.warp(block.timestamp + clamp(secs / 3, 0, most));
    }

    function spend(uint256 who, uint256 amount) external {
        _outflow(_account(who), clamp(amount, 0, vault.available(key) * 2), 0);
    }

    function spendAll(uint256 who) external {
        address account = _account(who);
        _outflow(account, vault.availableTo(key, account), 0);
    }

    function roundTrip(uint256 who, uint256 amountIn, uint256 amountOut) external {
        _outflow(_account(who), clamp(amountOut, 0, CAP * 4), clamp(amountIn, 1, CAP * 4));
    }

    /// @dev A trip, a stage, a release: any factor, with or without a closed class. A factor step adds nothing to a key that was
    /// used since the last one.
    function arm(uint256 seed) external {
        if (seed % 2 == 0 && vault.closed() == 0) _outflow(_account(seed), 0, 0);
        bool used = seed % 2 == 0 && vault.closed() == 0;
        uint256 before = vault.available(key);
        uint16 factorBps = uint16(2_500 * (1 + seed / 2 % 4));
        bool closes = seed / 8 % 8 == 0;
        vault.arm(
            factorBps == 10_000 && !closes, factorBps, closes ? uint32(1 << Classes.EXIT | 1 << Classes.ADMIN) : 0
        );
        if (used) atMost(vault.available(key), before, "a factor step adds nothing");
    }

    function guardianLowers(uint256 cap) external {
        (uint256 present,,) = vault.limitOf(key);
        cap = clamp(cap, 0, present);
        uint256 before = vault.available(key);
        try _judge.lowerCap(vault, key, cap) {
            atLeast(cap, FLOOR, "no guardian below the floor");
            _judgeConfig(before);
        } catch {}
    }

    function councilLowers(uint256 cap) external {
        (uint256 present, uint24 window,) = vault.limitOf(key);
        uint256 before = vault.available(key);
        vm.prank(COUNCIL);
        try vault.lowerCap(key, clamp(cap, uint256(window) << 16, present)) {
            _judgeConfig(before);
        } catch {}
    }

    function schedule(uint256 cap, uint256 window) external {
        uint256 before = vault.available(key);
        vm.prank(COUNCIL);
        try vault.scheduleRaise(key, clamp(cap, FLOOR, CAP * 8), uint24(clamp(window, 1 hours, 7 days))) {
            eq(vault.available(key), before, "an announcement changes nothing");
        } catch {}
    }

    /// @dev As soon as it is due, or too early.
    function applyRaise(uint256 seed) external {
        (,, FlowLimiter.Raise memory pending) = vault.limitOf(key);
        if (seed % 4 != 0 && pending.eta > block.timestamp) vm.warp(pending.eta);
        uint256 before = vault.available(key);
        try vault.applyRaise(key) {
            atLeast(block.timestamp, pending.eta, "after its delay");
            yes(vault.closed() >> Classes.ADMIN & 1 == 0, "class ADMIN open");
            _judgeConfig(before);
        } catch {}
    }

    // ------------------------------------------------------------- judgement

    /// @notice T12, for every interval between two outflows, with the largest cap and the largest rate in force in it.
    /// @param account zero for the key, else for the account's share of it
    function requireBound(address account, uint256 shareBps) external view {
        Flow[] memory flows = _flows;
        Config[] memory configs = _configs;
        for (uint256 i = 0; i < flows.length; ++i) {
            if (_counts(flows[i], account)) _requireBoundFrom(i, flows, configs, account, shareBps);
        }
    }

    function _requireBoundFrom(
        uint256 i,
        Flow[] memory flows,
        Config[] memory configs,
        address account,
        uint256 shareBps
    ) private pure {
        // The configuration in force before: one that ended in the same second still counts.
        uint256 c;
        while (c + 1 < configs.length && configs[c + 1].time < flows[i].time) {
            ++c;
        }
        (uint256 cap, uint256 rate, uint256 sum) = (0, 0, 0);
        for (uint256 j = i; j < flows.length; ++j) {
            for (; c < configs.length && configs[c].time <= flows[j].time; ++c) {
                uint256 part = configs[c].cap * shareBps / 10_000;
                if (part > cap) cap = part;
                // Per second, rounded up, in 2^-64 base units.
                uint256 its = ((part << 64) + configs[c].window - 1) / configs[c].window;
                if (its > rate) rate = its;
            }
            if (!_counts(flows[j], account)) continue;
            sum += flows[j].amount;
            atMost(sum, cap + (rate * (flows[j].time - flows[i].time) >> 64) + 1, "T12");
        }
    }

    function _counts(Flow memory flow, address account) private pure returns (bool) {
        return account == address(0) || flow.account == account;
    }

    function _outflow(address account, uint256 amount, uint256 inflow) private {
        uint256 net = amount > inflow ? amount - inflow : 0;
        bool fits = net <= vault.availableTo(key, account);
        bool open = vault.closed() >> Classes.EXIT & 1 == 0;
        try vault.roundTrip(Classes.EXIT, ASSET, account, inflow, account, amount) {
            yes(fits && open, "passes only if it fits and the class is open");
            if (net != 0) _flows.push(Flow(uint40(block.timestamp), account, net));
        } catch {
            yes(!(fits && open), "is refused only if it does not fit or the class is closed");
        }
    }

    function _judgeConfig(uint256 before) private {
        (uint256 cap,,) = vault.limitOf(key);
        uint256 most = cap * vault.factorBps() / 10_000;
        atMost(vault.available(key), before < most ? before : most, "a configuration adds nothing");
        _noteConfig();
    }

    function _noteConfig() private {
        (uint256 cap, uint24 window,) = vault.limitOf(key);
        _configs.push(Config(uint40(block.timestamp), cap, window));
    }

    function _account(uint256 who) private pure returns (address) {
        return address(uint160(1 + who % 3));
    }
}

/// @notice T12 and the hint, whatever happens in whatever order.
abstract contract LimitInvariant is Assert {
    LimitHandler internal _handler;
    uint256 internal _shareBps = 10_000;

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_T12_LimitHolds() public view {
        LimitedVault vault = _handler.vault();
        uint256 word = vault.wordOf(_handler.key());
        if (!vault.healthy()) yes(word & FlowBucket.HINT != 0, "not healthy => hint");
        atMost(uint80(word), word >> 176, "level <= cap");
        (uint256 cap,,) = vault.limitOf(_handler.key());
        atMost(vault.available(_handler.key()), cap * vault.factorBps() / 10_000, "available <= capacity in force");
    }

    /// @dev Once, at the end of each history.
    function afterInvariant() public view {
        _handler.requireBound(address(0), 10_000);
        if (_shareBps == 10_000) return;
        for (uint160 i = 1; i <= 3; ++i) {
            _handler.requireBound(address(i), _shareBps);
        }
    }
}

contract HintedLimitInvariant is LimitInvariant {
    function setUp() public {
        _handler = new LimitHandler(10_000, true);
    }
}

contract SharedLimitInvariant is LimitInvariant {
    function setUp() public {
        _shareBps = 4_000;
        _handler = new LimitHandler(_shareBps, false);
    }
}
