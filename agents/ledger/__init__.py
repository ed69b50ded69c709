"""normalized -> journal and ownership: one Postgres transaction a batch."""
