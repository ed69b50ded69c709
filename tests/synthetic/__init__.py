"""A seeded synthetic chain, written as raw block records, and a plain model of who owns what on it."""
