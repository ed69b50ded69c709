"""What subscribers of ``ownership_changed`` keep, and what a recount of the history says that it must be."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg

from ft.agents.project.hop import Project
from ft.config import Config
from ft.schemas.changes import SIGN, Change
from ft.schemas.codec import Codec
from ft.sql.migrate import migrate
from ft.streams.worker.announcing import Announcements
from ft.streams.worker.subscriber import Subscriber
from tests import sample_domain
from tests.integration.agents.project.subscribing import tables
from tests.synthetic.changes import History, recount


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """One subscriber."""

    subscriber: type[Subscriber[Change]]
    prepare: Callable[[Config], None]
    announces: Callable[[Config], Announcements]
    kept: Callable[[str], Any]
    """From the database's URL."""
    expected: Callable[[History], Any]

    def __str__(self) -> str:
        return self.subscriber.consumer


def _with_sample(config: Config) -> None:
    """As `ft migrate` does where FT_DOMAINS names it; the tests' fixture has declared it."""
    migrate(config.postgres, replace(config, domains=(sample_domain.__name__,)))
    with psycopg.connect(config.postgres_as("ft_writer"), autocommit=True) as conn:
        conn.execute("SELECT system.turn_outbox(current_date + n, current_date - 7) FROM generate_series(-1, 1) AS n")


def _sample_announces(config: Config) -> Announcements:
    codec = Codec(sample_domain.REACHED, 1, lambda _: json.loads("{}"))
    return Announcements({sample_domain.REACHED: codec}, config.partitions)


def _sample_kept(url: str) -> Any:
    """What each account received, and the milestones that stand, by what was announced."""
    codec, standing = Codec(sample_domain.REACHED, 1, lambda _: json.loads("{}")), Counter[tuple[str, int]]()
    with psycopg.connect(url) as conn:
        received = conn.execute("SELECT account, n FROM sample.received WHERE n <> 0").fetchall()
        rows = conn.execute("SELECT partition, seq, value FROM system.outbox ORDER BY 1, 2").fetchall()
    for before, (partition, seq, value) in zip([(-1, 0, b""), *rows], rows, strict=False):
        assert seq == (before[1] + 1 if before[0] == partition else 1), "numbers of the outbox have no gap"
        record = codec.decode(value)
        standing[record["account"], record["received"]] += SIGN[record["op"]]
    return dict(received), {key for key, n in standing.items() if n}


def _sample_expected(made: History) -> Any:
    received = Counter(event.to_account for event in made.live.values())
    every = sample_domain.EVERY
    return dict(received), {(account, n) for account, all_ in received.items() for n in range(every, all_ + 1, every)}


KEEPING: Final = (
    Keeping(
        subscriber=Project, prepare=lambda _: None, announces=lambda _: Announcements(), kept=tables, expected=recount
    ),
    Keeping(
        subscriber=sample_domain.Received, prepare=_with_sample, announces=_sample_announces, kept=_sample_kept,
        expected=_sample_expected,
    ),
)  # fmt: skip
