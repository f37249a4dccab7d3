// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IToken} from "../src/kit/SafeToken.sol";
import {Mode} from "../src/kit/Types.sol";
import {ISequencerFeed} from "../src/kit/controller/Seats.sol";
import {CommittedState} from "../src/kit/exit/CommittedState.sol";
import {Rounds} from "../src/kit/exit/Rounds.sol";
import {IFailSafe} from "../src/kit/interfaces/IFailSafe.sol";
import {IDeficitMarket} from "../src/kit/interfaces/ILossLayer.sol";
import {IDeficitSource, IProbe, ISolvencySource} from "../src/kit/interfaces/ISensors.sol";
import {Deployment} from "./Deployment.sol";

/// @notice The deployment as a script: settings from one JSON file, transactions by a broadcast, addresses printed.
/// @dev `forge script script/Deploy.s.sol --sig 'addresses(address)' DEPLOYER` tells where the kit will be, for the constructors of
/// the guarded contracts; `--sig 'run(string)' FILE --broadcast` deploys. A key that only one kind of system needs may be left
/// out, all others must be there. The scope `name` of a file is the hash of that name, as in policies.
contract Deploy is Deployment {
    error UnknownMode(string name);
    error TooLarge(string key, uint256 value, uint256 most);

    address private constant CONSOLE = 0x000000000000000000636F6e736F6c652e6c6f67;

    string private _json;

    /// @notice Prints where the kit will be if `deployer` sends no other transaction before.
    function addresses(address deployer) external view {
        _print(_foresee(deployer, true, 0));
    }

    /// @notice Deploys what the file at `path` says. The sender is the council until the one in the file accepts.
    function run(string calldata path) external returns (Kit memory kit) {
        Settings memory s = _parse(SCRIPT.readFile(path));
        SCRIPT.startBroadcast(msg.sender);
        kit = _deployKit(s, msg.sender);
        SCRIPT.stopBroadcast();
        _print(kit);
        // The second from which it can is the chain's to say: `nextCouncilFrom`.
        _print("council, once it has accepted in 7 days", s.council);
    }

    function _parse(string memory json) internal returns (Settings memory s) {
        _json = json;
        s.council = _address(".council");
        s.sequencer = ISequencerFeed(_addressOr0(".sequencerFeed"));
        s.tripFactorBps = uint16(_uint(".tripFactorBps", type(uint16).max));
        s.s0Dwell = _secs(".s0DwellSecs");
        s.grace = _secs(".graceSecs");
        s.blocksPerDay = uint24(_uint(".blocksPerDay", type(uint24).max));
        s.maxPriceAge = _secs(".maxPriceAgeSecs");
        s.touchBlocks = _secs(".touchBlocks");
        s.challengeBond = _uint(".challengeBondWei", type(uint256).max);
        if (_has(".forcedExitGas")) s.serviceGas = _uint(".forcedExitGas", type(uint256).max);
        _readCheckpoint(s);
        _readExit(s);
        s.scopes = new ScopeSettings[](_count(".scopes"));
        for (uint256 i; i < s.scopes.length; ++i) {
            s.scopes[i] = _readScope(_item(".scopes", i));
        }
        if (_has(".waterfall")) _readWaterfall(s.waterfall);
    }

    // ---------------------------------------------------------------- the file

    function _readCheckpoint(Settings memory s) private view {
        s.ageMargin = _secs(".checkpoint.ageMarginSecs");
        s.terms.bondToken = IToken(_address(".checkpoint.bondToken"));
        s.terms.bond = _uint(".checkpoint.bond", type(uint256).max);
        s.terms.period = _secs(".checkpoint.challengeSecs");
        if (_has(".checkpoint.attesters")) s.terms.scope = _scope(".checkpoint.attesters");
        s.ledgers = new CommittedState.Ledger[](_count(".checkpoint.ledgers"));
        for (uint256 i; i < s.ledgers.length; ++i) {
            string memory item = _item(".checkpoint.ledgers", i);
            s.ledgers[i] = CommittedState.Ledger({
                asset: _address(string.concat(item, ".asset")),
                ledger: _address(string.concat(item, ".ledger")),
                balances: _bytes32(string.concat(item, ".balances")),
                total: _bytes32(string.concat(item, ".total")),
                flows: _bytes32(string.concat(item, ".flows")),
                moved: _bytes32(string.concat(item, ".moved"))
            });
        }
    }

    function _readExit(Settings memory s) private view {
        s.disputeToken = IToken(_address(".exit.bondToken"));
        s.disputeBond = _uint(".exit.bond", type(uint256).max);
        s.appealBody = _addressOr0(".exit.appealBody");
        s.heir = _address(".exit.heir");
        s.listings = new Rounds.Listing[](_count(".exit.listings"));
        for (uint256 i; i < s.listings.length; ++i) {
            string memory item = _item(".exit.listings", i);
            s.listings[i] = Rounds.Listing({
                asset: _address(string.concat(item, ".asset")),
                ledger: _address(string.concat(item, ".ledger")),
                inKind: SCRIPT.parseJsonBool(_json, string.concat(item, ".inKind"))
            });
        }
    }

    function _readScope(string memory item) private view returns (ScopeSettings memory scope) {
        scope.scope = _scope(string.concat(item, ".name"));
        if (_has(string.concat(item, ".parent"))) scope.parent = _scope(string.concat(item, ".parent"));
        scope.targets = _addresses(string.concat(item, ".targets"));
        string memory groups = string.concat(item, ".groups");
        scope.groups = new Group[](_count(groups));
        for (uint256 i; i < scope.groups.length; ++i) {
            string memory group = _item(groups, i);
            scope.groups[i] = Group({
                threshold: uint8(_uint(string.concat(group, ".threshold"), type(uint8).max)),
                maxMode: _mode(string.concat(group, ".maxMode")),
                maxDuration: _secs(string.concat(group, ".maxDurationSecs")),
                signers: _addresses(string.concat(group, ".signers"))
            });
        }
        string memory sensors = string.concat(item, ".sensors");
        if (!_has(sensors)) return scope;
        scope.sensors.solvency = ISolvencySource(_address(string.concat(sensors, ".solvency")));
        scope.sensors.deficit = IDeficitSource(_address(string.concat(sensors, ".deficit")));
        address[] memory probes = _addresses(string.concat(sensors, ".probes"));
        scope.sensors.probes = new IProbe[](probes.length);
        for (uint256 i; i < probes.length; ++i) {
            scope.sensors.probes[i] = IProbe(probes[i]);
        }
    }

    function _readWaterfall(WaterfallSettings memory w) private view {
        w.guarded = IFailSafe(_address(".waterfall.guarded"));
        w.source = IDeficitMarket(_address(".waterfall.source"));
        w.referenceSource = IDeficitSource(_address(".waterfall.referenceSource"));
        w.scope = _scope(".waterfall.scope");
        w.maxPriceAge = _secs(".waterfall.maxPriceAgeSecs");
        w.maxDeviationBps = uint16(_uint(".waterfall.maxDeviationBps", type(uint16).max));
        w.layers = new LayerSettings[](_count(".waterfall.layers"));
        for (uint256 i; i < w.layers.length; ++i) {
            string memory item = _item(".waterfall.layers", i);
            LayerSettings memory l = w.layers[i];
            l.asset = IToken(_address(string.concat(item, ".asset")));
            l.dailyCap = uint128(_uint(string.concat(item, ".dailyCap"), type(uint128).max));
            l.payer = _addressOr0(string.concat(item, ".payer"));
            if (l.payer == address(0)) l.cooldown = _secs(string.concat(item, ".cooldownSecs"));
        }
    }

    function _has(string memory key) private view returns (bool) {
        return SCRIPT.keyExistsJson(_json, key);
    }

    function _item(string memory list, uint256 i) private pure returns (string memory) {
        return string.concat(list, "[", SCRIPT.toString(i), "]");
    }

    function _count(string memory list) private view returns (uint256 count) {
        while (_has(_item(list, count))) ++count;
    }

    function _uint(string memory key, uint256 most) private view returns (uint256 value) {
        value = SCRIPT.parseJsonUint(_json, key);
        if (value > most) revert TooLarge(key, value, most);
    }

    function _secs(string memory key) private view returns (uint40) {
        return uint40(_uint(key, type(uint40).max));
    }

    function _address(string memory key) private view returns (address) {
        return SCRIPT.parseJsonAddress(_json, key);
    }

    function _addressOr0(string memory key) private view returns (address) {
        return _has(key) ? _address(key) : address(0);
    }

    function _addresses(string memory key) private view returns (address[] memory) {
        return SCRIPT.parseJsonAddressArray(_json, key);
    }

    function _bytes32(string memory key) private view returns (bytes32) {
        return SCRIPT.parseJsonBytes32(_json, key);
    }

    function _scope(string memory key) private view returns (bytes32) {
        return keccak256(bytes(SCRIPT.parseJsonString(_json, key)));
    }

    function _mode(string memory key) private view returns (Mode) {
        string memory name = SCRIPT.parseJsonString(_json, key);
        if (keccak256(bytes(name)) == keccak256("WATCH")) return Mode.WATCH;
        if (keccak256(bytes(name)) == keccak256("RESTRICTED")) return Mode.RESTRICTED;
        if (keccak256(bytes(name)) == keccak256("HALTED")) return Mode.HALTED;
        revert UnknownMode(name);
    }

    // ---------------------------------------------------------------- what a person reads

    function _print(Kit memory kit) private view {
        _print("controller", address(kit.controller));
        _print("challenge", address(kit.challenge));
        _print("checkpoint", address(kit.checkpoint));
        _print("exit", address(kit.exit));
        _print("plan", address(kit.plan));
        if (address(kit.forcedExits) != address(0)) _print("forcedExits", address(kit.forcedExits));
        for (uint256 i; i < kit.layers.length; ++i) {
            _print(string.concat("layer ", SCRIPT.toString(i)), address(kit.layers[i]));
        }
        if (address(kit.waterfall) != address(0)) _print("waterfall", address(kit.waterfall));
    }

    function _print(string memory line) private view {
        _log(abi.encodeWithSignature("log(string)", line));
    }

    function _print(string memory what, address account) private view {
        _log(abi.encodeWithSignature("log(string,address)", what, account));
    }

    function _log(bytes memory data) private view {
        (bool ok,) = CONSOLE.staticcall(data);
        ok;
    }
}
