// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// Emits any log it is asked for: what odd or hostile contracts say.
contract Emitter {
    function emitLog(bytes32[] calldata topics, bytes calldata body) external {
        bytes memory data = body;
        uint256 count = topics.length;
        require(count <= 4, "more than four topics");
        bytes32[4] memory t;
        for (uint256 i = 0; i < count; i++) t[i] = topics[i];
        assembly {
            let p := add(data, 32)
            let n := mload(data)
            switch count
            case 0 { log0(p, n) }
            case 1 { log1(p, n, mload(t)) }
            case 2 { log2(p, n, mload(t), mload(add(t, 32))) }
            case 3 { log3(p, n, mload(t), mload(add(t, 32)), mload(add(t, 64))) }
            default { log4(p, n, mload(t), mload(add(t, 32)), mload(add(t, 64)), mload(add(t, 96))) }
        }
    }
}
