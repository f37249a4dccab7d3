// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Mode} from "../../../src/kit/Types.sol";
import {FailSafeProxy, IPointable} from "../../../src/kit/rollback/FailSafeProxy.sol";
import {GuardedStub, GuardedV2, RollbackWorld} from "./RollbackWorld.sol";

/// @notice The proxy by itself, with this test as its registry where it matters.
contract FailSafeProxyTest is RollbackWorld {
    bytes32 private constant IMPLEMENTATION_SLOT = bytes32(uint256(keccak256("eip1967.proxy.implementation")) - 1);
    bytes32 private constant ADMIN_SLOT = bytes32(uint256(keccak256("eip1967.proxy.admin")) - 1);

    GuardedStub private own;
    GuardedStub private code;

    function setUp() public override {
        super.setUp();
        code = new GuardedStub();
        own = GuardedStub(payable(address(new FailSafeProxy(address(code), abi.encodeCall(GuardedStub.add, (7))))));
    }

    function test_SlotsAreThoseThatExplorersRead() public view {
        eq(uint256(vm.load(address(own), IMPLEMENTATION_SLOT)), uint160(address(code)), "implementation slot");
        eq(uint256(vm.load(address(own), ADMIN_SLOT)), uint160(address(this)), "admin slot");
    }

    function test_ConstructorCallRunsInTheProxy() public view {
        eq(own.total(), 7, "proxy's storage");
        eq(code.total(), 0, "implementation's storage");
    }

    function test_ConstructorCallThatRevertsBubbles() public {
        vm.expectRevert(abi.encodeWithSelector(GuardedStub.Refused.selector, 9));
        new FailSafeProxy(address(code), abi.encodeCall(GuardedStub.refuse, (9)));
    }

    function test_ForwardsValueAndAnswer() public {
        vm.deal(address(this), 5);
        eq(own.add{value: 3}(1), 8, "answer");
        (bool ok,) = address(own).call{value: 2}("");
        yes(ok, "plain transfer");
        eq(address(own).balance, 5, "balance");
    }

    function test_ForwardsRevertData() public {
        vm.expectRevert(abi.encodeWithSelector(GuardedStub.Refused.selector, 42));
        own.refuse(42);
    }

    function testFuzz_ForwardsBytesUnchanged(bytes calldata data) public view {
        eq(uint256(keccak256(own.echo(data))), uint256(keccak256(data)), "echo");
    }

    function test_OrderOfARegistryMoves() public {
        GuardedV2 next = new GuardedV2();
        IPointable(address(own)).failsafePointTo(address(next));
        eq(own.version(), 2, "version");
        eq(own.total(), 7, "storage stays");
    }

    /// @dev The contract behind the proxy may have a function with the order's selector: everybody but the registry reaches it.
    function test_OrderOfAnybodyElseIsForwarded() public {
        vm.prank(address(0xBEEF));
        yes(keccak256(bytes(own.failsafePointTo(address(1)))) == keccak256("mine"), "forwarded");
        eq(uint256(vm.load(address(own), IMPLEMENTATION_SLOT)), uint160(address(code)), "nothing moved");
    }

    function test_RegistryReachesEveryOtherFunction() public {
        own.put(Mode.WATCH, 0);
        eq(own.version(), 1, "version");
    }
}
