"""How far the journal of an earlier version is: a setting in Postgres, which moves with what it tells of."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

import psycopg

from ft.sql.queries import LIVE, load

Connection: TypeAlias = psycopg.Connection[Any]
Step: TypeAlias = Literal["journal", "holdings", "topics"]
SQL: Final = "anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The step in hand. ``partition``: the one that it is at; ``after``: the last token of it that is done."""

    step: Step
    partition: int = 0
    after: tuple[str, str, str] = ("", "", "-1")
    """network, contract, token id: before all tokens."""


def state_of(conn: Connection) -> State | None:
    """None: nothing is left to do."""
    row = conn.execute(load(SQL, LIVE)["state"]).fetchone()
    if row is None:
        return None
    stored = json.loads(row[0])
    return State(**{**stored, "after": tuple(stored["after"])} if "after" in stored else stored)


def put(conn: Connection, state: State) -> None:
    """In the transaction of what it tells of."""
    conn.execute(load(SQL, LIVE)["put_state"], {"value": json.dumps(asdict(state))})
