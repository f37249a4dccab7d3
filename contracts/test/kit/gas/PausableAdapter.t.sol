// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {PausableAdapter} from "../../../src/kit/adapters/PausableAdapter.sol";
import {PauseProbe} from "../../../src/kit/adapters/PauseProbe.sol";
import {FailSafe} from "../../../src/kit/FailSafe.sol";
import {Mode, Origin, Restriction} from "../../../src/kit/Types.sol";
import {AaveWorld, IAaveConfigurator, IAavePool} from "../adapters/AaveWorld.sol";
import {AdapterWorld} from "../adapters/AdapterWorld.sol";

/// @notice Pushes like a controller, and says what the push alone took.
contract Pusher {
    function push(PausableAdapter adapter, Restriction calldata r, uint256 gas_) external returns (uint256 used) {
        uint256 before = gasleft();
        adapter.failsafeArm{gas: gas_}(r, "test");
        used = before - gasleft();
    }
}

/// @notice A push to an adapter has to fit in what the controller gives each target: the first trip of all, every slot cold.
contract PausableAdapterGasTest is AdapterWorld, AaveWorld {
    Pusher private pusher;
    PausableAdapter private aave;

    event GasUsed(string operation, uint256 goal, uint256 ours);

    function setUp() public {
        pusher = new Pusher();
        buildAdapter();
        FailSafe.Config memory config = bounds();
        config.controller = address(pusher);
        adapter = new PausableAdapter(config, switchOf(address(vault), VAULT, ~VAULT));
        vault.grant(address(adapter), address(adapter));
        buildAave();
        PausableAdapter.Lever memory lever = switchOf(address(configurator), VAULT, ~VAULT);
        (lever.profile, lever.key) = (PausableAdapter.Profile.KEYED, reserve);
        lever.pause = lever.reopen = IAaveConfigurator.setReservePause.selector;
        lever.probe =
            PauseProbe({reader: address(pool), selector: IAavePool.getConfiguration.selector, bits: PAUSED_BIT});
        aave = new PausableAdapter(config, lever);
        access.addEmergencyAdmin(address(aave));
    }

    function test_Gas_PushToPausable() public {
        _measure("PausableAdapter push, OpenZeppelin Pausable", adapter);
        yes(vault.paused(), "paused");
    }

    function test_Gas_PushToAaveReserve() public {
        _measure("PausableAdapter push, Aave v3 reserve", aave);
        eq(pool.getConfiguration(reserve) & PAUSED_BIT, PAUSED_BIT, "paused");
    }

    function _measure(string memory operation, PausableAdapter adapter_) private {
        Restriction memory r = ask(Mode.HALTED, ALL, 24 hours, Origin.GUARDIAN);
        uint256 ours = pusher.push(adapter_, r, PUSH_GAS);
        emit GasUsed(operation, PUSH_GAS, ours);
        atMost(ours, PUSH_GAS, "gas");
    }
}
