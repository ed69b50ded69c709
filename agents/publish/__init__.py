"""The journal -> the ledger's topics, in order."""
