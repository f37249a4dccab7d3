// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IToken, SafeToken} from "../SafeToken.sol";
import {Mode} from "../Types.sol";
import {IExitRounds} from "../interfaces/IExitConditions.sol";
import {IExitFunding} from "../interfaces/IExitFunding.sol";
import {ExitIndex} from "./ExitIndex.sol";
import {NetFlow} from "./NetFlow.sol";

/// @notice Supply and balances of a ledger that is a share token.
interface IShares {
    function totalSupply() external view returns (uint256);
    function balanceOf(address account) external view returns (uint256);
}

/// @notice The pools of exit rounds: what each received, what it owes, and to whom.
/// @dev Problem: a payout cannot be taken back, so everything that decides its size has to be final before the first one.
/// Guarantee: a pool's checkpoint is fixed when the round opens. Its total is read once, when its ledger is seen in EXIT, which
/// is for ever; from then on it warms for 14 days, in which shares are counted, cut and disputed and nobody is paid. Afterwards
/// the totals change only by the rejection of a share that was disputed in time and never paid, or by a late entry that leaves
/// the pool able to pay every share in full. Both can only raise what others get.
/// Trust: the controller to open rounds; no other role. Pools share nothing, so one bad asset cannot touch another.
/// Failure modes: a pool whose total the checkpoint does not know yet is not active and pays nobody, until somebody proves it.
abstract contract Rounds is NetFlow, IExitRounds, IExitFunding {
    using SafeToken for IToken;

    /// NOMINAL: entitlements in the asset itself, nobody gets more; the rest is surplus. IN_KIND: entitlements in shares or
    /// value units of the ledger, everything received is shared. LIVE_SHARES: in kind, by the ledger's balances, which EXIT
    /// froze; for want of a checkpoint it cannot tell minted shares. HOLDERS: in kind, for the holders of a holder.
    enum Kind {
        NONE,
        NOMINAL,
        IN_KIND,
        LIVE_SHARES,
        HOLDERS
    }

    enum Status {
        NONE,
        ENTERED,
        CLEARED,
        DISPUTED,
        REJECTED,
        CONTESTED,
        REMOVED
    }

    /// @param asset asset to pay out
    /// @param ledger guarded contract that owes it and counts its flows
    /// @param inKind whether entitlements are in units of the ledger and not of the asset
    struct Listing {
        address asset;
        address ledger;
        bool inKind;
    }

    /// @param ledger guarded contract; of kind HOLDERS the holder
    /// @param warmFrom second from which the pool warms; 0 until it is active
    /// @param checkpointId of entitlements; meaningless for LIVE_SHARES
    /// @param totalA sum of the refunds entered
    /// @param totalB total entitlement, less what entered accounts no longer have
    /// @param funded received so far, less what was swept
    struct Pool {
        address ledger;
        uint40 warmFrom;
        uint40 checkpointId;
        Kind kind;
        uint128 totalA;
        uint128 totalB;
        uint128 funded;
        uint128 paidOut;
    }

    /// @param deadline of the present step of a dispute
    /// @param holdersRound round that gets this account's dues in its place; 0 for none
    /// @param refund share in tranche A
    /// @param share in tranche B
    struct Leaf {
        uint128 paid;
        Status status;
        uint40 deadline;
        uint40 holdersRound;
        uint128 refund;
        uint128 share;
        address flagger;
        address contestant;
    }

    event RoundOpened(
        uint256 indexed round, address indexed asset, address indexed ledger, Kind kind, uint256 checkpointId
    );
    event RoundActivated(uint256 indexed round, address indexed asset, uint256 total);
    event Funded(uint256 indexed round, address indexed asset, address indexed from, uint256 amount);
    event Entered(uint256 indexed round, address indexed asset, address indexed account, uint256 refund, uint256 share);

    error TooManyAssets(uint256 count, uint256 most);
    error ListedTwice(address asset);
    error NotPinned(bytes32 scope);
    error NotActive(uint256 round, address asset);
    error NotInExit(address ledger);
    error OverAllocated(uint256 wanted, uint256 left);
    error LeafRemoved(address account);

    /// @notice Time between the activation of a pool and its first payout.
    uint256 public constant WARM = 14 days;
    uint256 private constant ASSETS_MAX = 8;

    /// @notice Rounds so far, holders' rounds included.
    uint256 public rounds;
    address[] private _assets;
    mapping(address asset => Listing) public listingOf;
    /// @inheritdoc IExitFunding
    mapping(address ledger => uint256) public roundOf;
    mapping(uint256 round => mapping(address asset => Pool)) public poolOf;
    mapping(uint256 round => mapping(address asset => mapping(address account => Leaf))) public leafOf;

    constructor(Listing[] memory listings) {
        if (listings.length > ASSETS_MAX) revert TooManyAssets(listings.length, ASSETS_MAX);
        for (uint256 i; i < listings.length; ++i) {
            Listing memory l = listings[i];
            if (l.asset == address(0) || l.ledger == address(0)) revert ZeroAddress();
            if (listingOf[l.asset].ledger != address(0)) revert ListedTwice(l.asset);
            listingOf[l.asset] = l;
            ledgerOf[l.inKind ? l.ledger : l.asset] = l.ledger;
            _assets.push(l.asset);
        }
    }

    /// @notice Opens the round of `scope`: a pool for every listed asset whose ledger is below it and has no round yet. Each takes
    /// the oldest checkpoint that is pinned for a live episode above its ledger, so other live episodes on its path have
    /// to be pinned before.
    function openRound(bytes32 scope, uint256 checkpointId) external returns (uint256 round) {
        if (msg.sender != address(controller)) revert NotAuthorized(msg.sender);
        pin(scope, checkpointId);
        round = ++rounds;
        for (uint256 i; i < _assets.length; ++i) {
            Listing memory l = listingOf[_assets[i]];
            (uint256 next, bool below, bytes32 unpinned) = selected(l.ledger, scope);
            uint256 before = roundOf[l.ledger];
            if (!below || (before != 0 && before != round)) continue;
            if (unpinned != 0) revert NotPinned(unpinned);
            roundOf[l.ledger] = round;
            if (next == 0) _open(round, l.asset, l.ledger, Kind.LIVE_SHARES, 0);
            else _open(round, l.asset, l.ledger, l.inKind ? Kind.IN_KIND : Kind.NOMINAL, next - 1);
        }
    }

    /// @notice Reads the pool's total, for good, and starts its warm period. Anyone, once the ledger is in EXIT.
    function activate(uint256 round, address asset) external {
        Pool memory p = _pool(round, asset);
        if (p.warmFrom != 0) revert NothingChanges();
        if (p.kind != Kind.HOLDERS && _modeOf(p.ledger) != Mode.EXIT) revert NotInExit(p.ledger);
        uint256 total = p.kind == Kind.LIVE_SHARES
            ? IShares(p.ledger).totalSupply()
            : checkpoint.totalOf(p.checkpointId, p.kind == Kind.NOMINAL ? asset : p.ledger);
        (p.warmFrom, p.totalB) = (uint40(block.timestamp), _uint128(total));
        poolOf[round][asset] = p;
        emit RoundActivated(round, asset, total);
    }

    /// @inheritdoc IExitFunding
    function fund(uint256 round, address asset, uint256 amount) external nonReentrant {
        _pool(round, asset);
        _credit(round, asset, IToken(asset).pull(msg.sender, amount));
    }

    /// @notice Counts an account with all it did since the checkpoint. Anyone, in the warm period, and anew after a {carry}.
    /// Who is not entered in time can still claim its entitlement less what it took out, but gets a refund only once the pool can
    /// pay every share in full.
    /// @param proof of the entitlement; not needed for a registered account
    function enter(uint256 round, address asset, address account, bytes calldata proof) external {
        Pool memory p = _activePool(round, asset);
        Leaf storage l = leafOf[round][asset][account];
        if (l.status == Status.REMOVED) revert LeafRemoved(account);
        (uint256 refund, uint256 share, uint256 entitlement) = _count(p, asset, account, proof, true);
        if (p.kind != Kind.NOMINAL) (refund, share) = (0, refund + share);

        // What totalB holds for the account so far.
        uint256 held = l.status == Status.NONE ? entitlement : l.share;
        if (held > p.totalB + share) revert OverAllocated(held, p.totalB + share);
        uint256 totalA = p.totalA + refund - l.refund;
        uint256 totalB = p.totalB + share - held;
        if (!_warming(p) && (p.kind != Kind.NOMINAL || totalA + totalB > p.funded)) revert WindowClosed();

        if (l.status == Status.NONE) l.status = Status.ENTERED;
        (l.refund, l.share) = (_uint128(refund), _uint128(share));
        (p.totalA, p.totalB) = (_uint128(totalA), _uint128(totalB));
        poolOf[round][asset] = p;
        emit Entered(round, asset, account, refund, share);
    }

    /// @notice What the pool pays on each unit of both tranches, in RAY, and what nobody is owed.
    function indexesOf(uint256 round, address asset)
        public
        view
        returns (uint256 indexA, uint256 indexB, uint256 surplus)
    {
        return _indexes(_activePool(round, asset));
    }

    function _indexes(Pool memory p) internal pure returns (uint256 indexA, uint256 indexB, uint256 surplus) {
        return ExitIndex.indexes(p.funded, p.totalA, p.totalB, p.kind == Kind.NOMINAL);
    }

    /// @dev Refund, share and entitlement of an account: net = entitlement + flow + carried; refund is what came in, share the
    /// rest. Without `carriedToo` the share never exceeds the entitlement, which is what totalB holds for who was not entered.
    function _count(Pool memory p, address asset, address account, bytes calldata proof, bool carriedToo)
        internal
        view
        returns (uint256 refund, uint256 share, uint256 entitlement)
    {
        if (p.kind == Kind.LIVE_SHARES) {
            share = IShares(p.ledger).balanceOf(account);
            return (0, share, share);
        }
        (Position memory position, int256 flow) = _position(p, asset, account, proof, carriedToo);
        share = _positive(position.equity + flow + position.carriedIn);
        refund = _positive(flow);
        if (refund > share) refund = share;
        return (refund, share - refund, _positive(position.equity));
    }

    function _position(Pool memory p, address asset, address account, bytes calldata proof, bool carriedToo)
        private
        view
        returns (Position memory position, int256 flow)
    {
        (Kind kind, address ledger, uint256 id) = (p.kind, p.ledger, p.checkpointId);
        address unit = kind == Kind.NOMINAL ? asset : ledger;
        if (carriedToo) position = positionOf[id][unit][account];
        if (!position.known) position = _prove(id, unit, account, proof);
        // A holder of another token has no counters.
        if (kind == Kind.HOLDERS) return (position, 0);
        (int256 inflow, int256 out) = _flow(ledger, unit, account, position);
        return (position, inflow - out);
    }

    function _open(uint256 round, address asset, address ledger, Kind kind, uint256 id) internal {
        Pool storage p = poolOf[round][asset];
        // forge-lint: disable-next-line(unsafe-typecast) one id per hour
        (p.ledger, p.kind, p.checkpointId) = (ledger, kind, uint40(id));
        emit RoundOpened(round, asset, ledger, kind, id);
    }

    function _credit(uint256 round, address asset, uint256 amount) internal {
        if (amount == 0) revert NothingChanges();
        Pool storage p = poolOf[round][asset];
        p.funded = _uint128(p.funded + amount);
        emit Funded(round, asset, msg.sender, amount);
    }

    function _pool(uint256 round, address asset) private view returns (Pool memory p) {
        p = poolOf[round][asset];
        if (p.kind == Kind.NONE) revert NotActive(round, asset);
    }

    function _activePool(uint256 round, address asset) internal view returns (Pool memory p) {
        p = poolOf[round][asset];
        if (p.warmFrom == 0) revert NotActive(round, asset);
    }

    function _warming(Pool memory p) internal view returns (bool) {
        return p.warmFrom == 0 || block.timestamp < p.warmFrom + WARM;
    }
}
