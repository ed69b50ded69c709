"""source -> raw: a network's blocks into its raw log, and the operator's corrections of it."""
