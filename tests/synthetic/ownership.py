"""Ownership in Postgres, beside the model."""

from typing import Any

import psycopg

from tests.synthetic.model import Holding, Ownership

_HELD = """
    SELECT contract, token_id::text, account, quantity::text FROM projection.ownership_view WHERE network = %s
"""


def held(conn: psycopg.Connection[Any], network: str) -> dict[Holding, int]:
    """What ``projection.ownership_view`` says everybody holds."""
    rows = conn.execute(_HELD, (network,)).fetchall()
    return {(contract, int(token), account): int(quantity) for contract, token, account, quantity in rows}


def differences(conn: psycopg.Connection[Any], network: str, model: Ownership) -> list[str]:
    """One line a holding that is not what the model says; empty where all is equal."""
    want, have = model.held, held(conn, network)
    return [
        f"{contract} {token} of {account}: expected {want.get(key, 0)}, got {have.get(key, 0)}"
        for key in sorted(want.keys() | have.keys())
        if want.get(key, 0) != have.get(key, 0)
        for contract, token, account in [key]
    ]
