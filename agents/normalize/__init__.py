"""raw -> normalized: the fold of a raw log, block by block."""
