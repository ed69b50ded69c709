// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import "erc721a/contracts/ERC721A.sol";

/// A drop: the whole first run is minted in the constructor as one ERC-2309 range, later ones by mint().
contract Drop is ERC721A {
    constructor(address to, uint256 quantity) ERC721A("Drop", "DROP") {
        if (quantity > 0) _mintERC2309(to, quantity);
    }

    function mint(address to, uint256 quantity) external {
        _mint(to, quantity);
    }

    function burn(uint256 tokenId) external {
        _burn(tokenId, true);
    }
}
