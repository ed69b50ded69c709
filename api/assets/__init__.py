"""One NFT, who holds it, and all that happened to it."""
