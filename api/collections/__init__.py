"""A contract, its assets, its owners."""
