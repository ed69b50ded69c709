"""Postgres: the migrator, and named queries in .sql files."""
