"""Whose topics those are that a reset would delete, and a restore go on with: proven before anything is, or refused.

1. the database names a deployment, and the topics are its own by all that everybody compares (``streams.identity``)
2. the database is empty, and the topic names a deployment of this very Kafka: it is lost, or FT_POSTGRES is wrong
3. no worker reads them: one that does has another database
"""

import time
from dataclasses import replace
from typing import Final

from ft.config import Config
from ft.errors import ConfigError
from ft.ops.rebuild.progress import Report
from ft.ops.recovery.session import WITHOUT_DATABASE, Connection
from ft.sql.queries import LIVE, load
from ft.streams.deployment.comparing import look
from ft.streams.deployment.identity import Deployment, Found, OtherDeployment, judge
from ft.streams.kafka.groups import readers
from ft.streams.kafka.raw_beginnings import cut_short, in_words
from ft.streams.kafka.topics import Topics

_SPARE_S: Final = 5.0
_AGAIN_S: Final = 2.0


def require_own(config: Config, *, any_topics: bool) -> None:
    """Case 1. ``any_topics``: whether there are any to be deleted. Raises OtherDeployment."""
    found = replace(look(config), registry=None, lost=())  # its ids, and what is gone, say nothing of whose they are
    if not any_topics:
        found = replace(found, announced=False)  # they went with the rest
    if judge(found) == "unsaid" and any_topics:
        raise OtherDeployment(
            f"the database is that of {found.stored}, and there are topics under FT_TOPIC_PREFIX "
            f"{config.topic_prefix!r}: expected {Topics(config.topic_prefix).deployment} to say whose they are, got "
            "nothing. `ft migrate` goes on with a first migration that was cut off. Nothing was changed."
        )


def told_by_topics(config: Config) -> tuple[Found, Deployment | None]:
    """Case 2: of whom the topics are; None: nobody says so. Raises OtherDeployment."""
    found = look(config)
    if found.told is None:
        judge(found)  # one that cannot be read is told of
        return found, None
    if (found.told.cluster_id, found.told.topic_prefix) != (found.cluster_id, config.topic_prefix):
        raise OtherDeployment(
            f"the topics under FT_TOPIC_PREFIX {config.topic_prefix!r} say that they are those of {found.told}: "
            f"expected that prefix and that Kafka, got cluster {found.cluster_id}. They are likely a copy of that "
            "deployment's topics, and FT_KAFKA is wrong: whose they are is not proven, so they stay. Nothing was "
            "changed."
        )
    return found, found.told


def require_nobody_reads(config: Config, report: Report | None = None) -> None:
    """Case 3. One that has ended without a word is waited for as long as its group does; None: nobody is. Raises
    ConfigError."""
    deadline = time.monotonic() + (0.0 if report is None else config.session_timeout_s + _SPARE_S)
    while found := readers(config):
        if report is not None and time.monotonic() < deadline:
            report(f"waiting for Kafka to forget {', '.join(found)}, unless it runs")
            time.sleep(_AGAIN_S)
            continue
        raise ConfigError(
            f"workers read the topics under FT_TOPIC_PREFIX {config.topic_prefix!r}, and this database knows none of "
            f"them: {', '.join(found)}. They have another database, so FT_POSTGRES is likely wrong: point it at theirs "
            "(`export FT_POSTGRES=…`); or stop them. Kafka forgets one that was killed once its session is over. "
            "Nothing was changed."
        )


def require_whole_raw(config: Config, networks: set[str], there: set[str], conn: Connection | None) -> None:
    """What is to be read again is there from its first record. ``conn``: of a database that has read it. Raises
    ConfigError."""
    cut = cut_short(config, networks)
    read = dict(conn.execute(load("recovery", LIVE)["raw_offsets"]).fetchall()) if conn is not None else {}
    gone = sorted(name for name, offset in read.items() if offset > 0 and name not in there)
    if not cut and not gone:
        return
    began = f"but {in_words(cut)}" if cut else "got some"
    anew = "`ft reset` without --keep" if conn is not None else "`ft migrate` under another FT_TOPIC_PREFIX"
    lacking = f" without {', '.join(gone)}" if gone else ""
    raise ConfigError(
        f"--keep raw reads the raw topics again from their first records: expected each to begin at offset 0, {began}"
        f"{lacking}. What stood there was deleted, or lost with an earlier Kafka, and is in the journal alone: keep "
        "the database as it is. Where Kafka lacks records that are still to be read, point FT_KAFKA at an empty "
        f"cluster and `ft reannounce`; where the database is lost, `ft restore --from DIR`; {anew} "
        "begins anew, and `ft ingest` reads the chain again. Nothing was changed."
    )


def without_database(told: Deployment) -> str:
    """What is said where only the raw topics could be kept."""
    return (
        f"the database names no deployment, and the topics are those of {told}: expected its database, by which it can "
        f"be emptied. {WITHOUT_DATABASE} Nothing was changed."
    )
