// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {PauseIntent, SafePauseModule} from "../../../src/kit/adapters/SafePauseModule.sol";

/// @notice A pause that can be told to misbehave.
contract HostileSubject {
    enum Mode {
        HONEST,
        REVERTS,
        IGNORES,
        UNREADABLE,
        READ_BOMB,
        RETURN_BOMB
    }

    Mode public mode;
    bool private _paused;

    error Refused();

    function setMode(Mode mode_) external {
        mode = mode_;
    }

    function pause() external {
        _set(true);
    }

    function unpause() external {
        _set(false);
    }

    function paused() external view returns (bool) {
        if (mode == Mode.UNREADABLE) revert Refused();
        if (mode == Mode.READ_BOMB) _bomb(10_000_000);
        return _paused;
    }

    function _set(bool paused_) private {
        if (mode == Mode.REVERTS) revert Refused();
        if (mode == Mode.IGNORES) return;
        _paused = paused_;
        if (mode == Mode.RETURN_BOMB) _bomb(60_000);
    }

    function _bomb(uint256 size) private pure {
        assembly {
            return(0, size)
        }
    }
}

contract GasEaterSubject {
    function pause() external pure {
        while (true) {}
    }

    function paused() external pure returns (bool) {
        return false;
    }
}

/// @notice Lands the module's intent a second time from inside its own pause.
contract ReenteringSubject {
    SafePauseModule private immutable module;
    PauseIntent private intent;
    bytes private signature;
    bool public paused;
    uint256 public pauses;
    bytes4 public innerError;

    constructor(SafePauseModule module_) {
        module = module_;
    }

    function prepare(PauseIntent calldata intent_, bytes calldata signature_) external {
        intent = intent_;
        signature = signature_;
    }

    function pause() external {
        try module.execute(intent, signature) {}
        catch (bytes memory error_) {
            innerError = bytes4(error_);
        }
        paused = true;
        ++pauses;
    }
}

/// @notice The shape of Lido's PausableUntil: `pauseFor` and `resume` for one owner, refused while paused already.
contract TimedSubject {
    address private owner;
    uint256 private resumesAt;

    error NotOwner();
    error ResumedExpected();
    error PausedExpected();
    error ZeroPauseDuration();

    constructor(address owner_) {
        owner = owner_;
    }

    function handTo(address owner_) external {
        owner = owner_;
    }

    function pauseFor(uint256 duration) external {
        if (msg.sender != owner) revert NotOwner();
        if (isPaused()) revert ResumedExpected();
        if (duration == 0) revert ZeroPauseDuration();
        resumesAt = duration == type(uint256).max ? duration : block.timestamp + duration;
    }

    function resume() external {
        if (msg.sender != owner) revert NotOwner();
        if (!isPaused()) revert PausedExpected();
        resumesAt = block.timestamp;
    }

    function getResumeSinceTimestamp() external view returns (uint256) {
        return resumesAt;
    }

    function isPaused() public view returns (bool) {
        return block.timestamp < resumesAt;
    }
}

/// @notice Writes down how it was called.
contract CallRecorder {
    address public caller;
    uint256 public value;
    bytes public data;
    uint256 public getResumeSinceTimestamp;

    function pauseFor(uint256, uint256 duration, uint256) external payable {
        (caller, value, data) = (msg.sender, msg.value, msg.data);
        getResumeSinceTimestamp = block.timestamp + duration;
    }
}

/// @notice An ERC-1271 account of one key.
contract WalletSigner {
    address private immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        address signer = ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64]));
        return signer == owner ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

/// @notice A vault whose pause belongs to its team and, once granted, to an adapter.
contract SharedVault is Pausable {
    address private immutable team;
    address public pauser;
    address public opener;

    error NotAllowed();

    constructor(address team_) {
        team = team_;
    }

    function grant(address pauser_, address opener_) external {
        (pauser, opener) = (pauser_, opener_);
    }

    function pause() external {
        if (msg.sender != team && msg.sender != pauser) revert NotAllowed();
        _pause();
    }

    function unpause() external {
        if (msg.sender != team && msg.sender != opener) revert NotAllowed();
        _unpause();
    }
}

/// @notice A vault whose functions an OpenZeppelin AccessManager opens and closes.
contract ManagedVault is AccessManaged {
    uint256 public uses;

    constructor(address manager) AccessManaged(manager) {}

    function use() external restricted {
        ++uses;
    }
}

/// @notice The shape of EigenLayer's Pausable: one word of flags; `pause` may only set, `unpause` only clear.
contract FlagSubject {
    uint256 private flags;

    error OnlySets();
    error OnlyClears();

    function pause(uint256 word) external {
        if (word & flags != flags) revert OnlySets();
        flags = word;
    }

    function unpause(uint256 word) external {
        if (word & flags != word) revert OnlyClears();
        flags = word;
    }

    function paused() external view returns (uint256) {
        return flags;
    }
}

interface IExpires {
    function expire() external;
}

/// @notice Comes back to the adapter from inside its own pause and its own reopening.
contract ReenteringPause {
    IExpires private adapter;
    bool public paused;
    uint256 public reopenings;
    uint256 public refusals;

    function watch(IExpires adapter_) external {
        adapter = adapter_;
    }

    function pause() external {
        _comeBack();
        paused = true;
    }

    function unpause() external {
        ++reopenings;
        paused = false;
        _comeBack();
    }

    function _comeBack() private {
        try adapter.expire() {}
        catch {
            ++refusals;
        }
    }
}
