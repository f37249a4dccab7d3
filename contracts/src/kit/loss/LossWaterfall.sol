// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "../BoundedCall.sol";
import {Classes} from "../Classes.sol";
import {Lock} from "../Lock.sol";
import {IFailSafe} from "../interfaces/IFailSafe.sol";
import {IFailSafeController} from "../interfaces/IFailSafeController.sol";
import {IDeficitMarket, ILossLayer} from "../interfaces/ILossLayer.sol";
import {IDeficitSource} from "../interfaces/ISensors.sol";

/// @notice Covers the bad debt of a market from an ordered list of layers.
/// @dev Problem: who bears a loss is decided after the fact, by whoever is quickest or has the keys; and one layer that fails,
/// or one wrong price, stops or empties all others.
/// Guarantee: anyone can cover. The order is fixed at deployment and strict: a layer is asked only when every earlier one has
/// nothing left for this market or failed. What a layer bore is measured as the fall of the market's own deficit, so
/// sum of takes + left = deficit, and a layer that fails, lies or touches the wrong market has its call undone.
/// A layer bears at most its daily cap at once; the rest is announced, and anyone can take what was announced in the
/// 24 h that follow 24 h of notice. The council can refuse that rest, once per announcement; daily caps go on.
/// Trust: the market and a second source of the deficit, which must agree; each layer with its own money only; the
/// council with the delay of 21 days that a veto is.
/// Failure modes: prices that are old, disagree or are closed by the guarded contract's mode stop all of it; a layer
/// that cannot pay keeps its money, and the next one pays in its place.
contract LossWaterfall is Lock {
    struct Step {
        ILossLayer layer;
        uint128 dailyCap;
    }

    /// @param amount of the deficit that waits above the daily caps; 0 when the council refused it
    /// @param ripeAt second from which it can be taken; the window is over a day later
    struct Window {
        uint256 amount;
        uint40 ripeAt;
    }

    /// @param ok whether the layer could say what it has, and later whether it paid
    /// @param capped whether it has more than it may bear now
    /// @param take what it may bear now; `over` is the part of it above the daily cap
    struct Share {
        bool ok;
        bool capped;
        uint256 take;
        uint256 over;
    }

    event Covered(bytes32 indexed market, ILossLayer indexed layer, uint256 amount);
    event LayerSkipped(bytes32 indexed market, ILossLayer indexed layer);
    event Announced(bytes32 indexed market, uint256 amount, uint40 ripeAt);
    event Vetoed(bytes32 indexed market, uint256 amount);

    error InvalidConfiguration();
    error PriceUnfit(uint256 amount, uint40 asOf, uint256 referenceAmount, uint40 referenceAsOf);
    error PricesClosed();
    error NothingCovered(bytes32 market, uint256 left);
    error NothingToVeto(bytes32 market);
    error NotCouncil(address caller);
    error NotSelf(address caller);
    error WrongFall(uint256 before, uint256 afterwards, uint256 asked);

    uint40 public constant NOTICE = 1 days;
    uint40 public constant VETO = 20 days;
    uint256 public constant ABSORB_GAS = 1_000_000;
    uint256 private constant MAX_LAYERS = 8;

    IFailSafeController public immutable controller;
    IFailSafe public immutable guarded;
    IDeficitMarket public immutable source;
    IDeficitSource public immutable referenceSource;
    uint40 public immutable maxPriceAge;
    uint16 public immutable maxDeviationBps;

    /// @notice The layers in their order.
    Step[] public steps;
    mapping(uint256 layer => mapping(uint256 day => uint256)) private _spent;
    mapping(bytes32 market => Window) public windowOf;

    /// @param guarded_ contract whose PRICE_UPDATE class tells whether prices are live
    /// @param source_ the market's own figure, by which the effect of every layer is measured
    /// @param reference_ the same figure from other prices
    constructor(
        IFailSafeController controller_,
        IFailSafe guarded_,
        IDeficitMarket source_,
        IDeficitSource reference_,
        uint40 maxPriceAge_,
        uint16 maxDeviationBps_,
        Step[] memory layers_
    ) {
        if (
            address(controller_) == address(0) || address(guarded_) == address(0) || address(source_) == address(0)
                || address(reference_) == address(0) || address(reference_) == address(source_) || maxPriceAge_ == 0
                || maxDeviationBps_ >= 10_000 || layers_.length == 0 || layers_.length > MAX_LAYERS
        ) revert InvalidConfiguration();
        (controller, guarded, source, referenceSource) = (controller_, guarded_, source_, reference_);
        (maxPriceAge, maxDeviationBps) = (maxPriceAge_, maxDeviationBps_);
        for (uint256 i = 0; i < layers_.length; ++i) {
            if (address(layers_[i].layer) == address(0) || layers_[i].dailyCap == 0) revert InvalidConfiguration();
            for (uint256 j = 0; j < i; ++j) {
                if (address(layers_[j].layer) == address(layers_[i].layer)) revert InvalidConfiguration();
            }
            steps.push(layers_[i]);
        }
    }

    /// @notice Covers what the layers may bear now. Anyone.
    function coverDeficit(bytes32 market) external nonReentrant returns (uint256 covered, uint256 left) {
        uint256 amount = deficitOf(market);
        uint256 extra = _extra(market);
        bool spent = amount == 0;
        Share memory share;
        left = amount;
        for (uint256 i = 0; i < steps.length && left != 0 && !share.capped; ++i) {
            share = _share(i, market, left, extra);
            if (share.take != 0 && _draw(i, market, share)) {
                spent = spent || extra != 0;
                (left, extra) = (left - share.take, extra - share.over);
            } else if (!share.ok) {
                share.capped = false;
                emit LayerSkipped(market, steps[i].layer);
            }
        }
        covered = amount - left;
        bool changed = covered != 0 || (spent && windowOf[market].ripeAt != 0);
        if (spent) delete windowOf[market];
        if (share.capped && !_running(market)) {
            changed = true;
            windowOf[market] = Window(left, uint40(block.timestamp) + NOTICE);
            emit Announced(market, left, uint40(block.timestamp) + NOTICE);
        }
        if (!changed) revert NothingCovered(market, left);
    }

    /// @notice Refuses what waits above the daily caps, for {VETO} plus a day or until the deficit is gone. Council.
    function veto(bytes32 market) external {
        if (msg.sender != controller.council()) revert NotCouncil(msg.sender);
        Window storage window = windowOf[market];
        uint256 amount = window.amount;
        if (amount == 0 || !_running(market)) revert NothingToVeto(market);
        (window.amount, window.ripeAt) = (0, uint40(block.timestamp) + VETO);
        emit Vetoed(market, amount);
    }

    /// @notice Has one layer bear `amount`, or nothing at all. This contract only: a call of its own can be undone alone.
    function draw(ILossLayer layer, bytes32 market, uint256 amount) external {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        (uint256 before,) = source.deficit(market);
        layer.absorb(market, amount);
        (uint256 afterwards,) = source.deficit(market);
        if (afterwards + amount != before) revert WrongFall(before, afterwards, amount);
    }

    /// @notice What {coverDeficit} would take from each layer now, unless a layer fails in paying.
    function preview(bytes32 market) external view returns (uint256[] memory takes, uint256 left) {
        takes = new uint256[](steps.length);
        left = deficitOf(market);
        uint256 extra = _extra(market);
        Share memory share;
        for (uint256 i = 0; i < takes.length && left != 0 && !share.capped; ++i) {
            share = _share(i, market, left, extra);
            takes[i] = share.take;
            (left, extra) = (left - share.take, extra - share.over);
        }
    }

    /// @notice Deficit of `market`, if its prices are live, young and confirmed by the second source.
    function deficitOf(bytes32 market) public view returns (uint256 amount) {
        if (!guarded.failsafeOpen(Classes.PRICE_UPDATE)) revert PricesClosed();
        uint40 asOf;
        (amount, asOf) = source.deficit(market);
        (uint256 other, uint40 otherAsOf) = referenceSource.deficit(market);
        uint256 gap = amount > other ? amount - other : other - amount;
        if (_unfit(asOf) || _unfit(otherAsOf) || amount > type(uint128).max || gap * 10_000 > amount * maxDeviationBps)
        {
            revert PriceUnfit(amount, asOf, other, otherAsOf);
        }
    }

    function _unfit(uint40 asOf) private view returns (bool) {
        return asOf > block.timestamp || block.timestamp - asOf > maxPriceAge;
    }

    /// @dev What may be taken beyond the daily caps now.
    function _extra(bytes32 market) private view returns (uint256) {
        return windowOf[market].ripeAt <= block.timestamp && _running(market) ? windowOf[market].amount : 0;
    }

    function _running(bytes32 market) private view returns (bool) {
        return block.timestamp < windowOf[market].ripeAt + NOTICE;
    }

    /// @dev What layer `i` would bear of `left`.
    function _share(uint256 i, bytes32 market, uint256 left, uint256 extra) private view returns (Share memory s) {
        bytes memory question = abi.encodeCall(ILossLayer.available, (market));
        (s.ok, s.take,) = BoundedCall.read(address(steps[i].layer), question, 1);
        uint256 room = steps[i].dailyCap - _spent[i][block.timestamp / 1 days];
        if (s.take > left) s.take = left;
        if (s.take > room + extra) (s.take, s.capped) = (room + extra, true);
        if (s.take > room) s.over = s.take - room;
    }

    function _draw(uint256 i, bytes32 market, Share memory share) private returns (bool) {
        BoundedCall.requireGas(ABSORB_GAS);
        ILossLayer layer = steps[i].layer;
        try this.draw{gas: ABSORB_GAS}(layer, market, share.take) {
            _spent[i][block.timestamp / 1 days] += share.take - share.over;
            emit Covered(market, layer, share.take);
        } catch {
            share.ok = false;
        }
        return share.ok;
    }
}
