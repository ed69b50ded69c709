"""Why an operator is needed, as ``ft status`` says it: in the words of ``/api/v1/status``, and what asking tells."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import psycopg

from ft.api.http.rows import of
from ft.api.status.attention import Reason, Word, amiss, reasons
from ft.api.status.rows import BacklogRow, FailureRow, FollowerRow
from ft.cli.said import shown
from ft.config import Config
from ft.errors import BrokerError, FtError
from ft.sql.queries import LIVE, load
from ft.streams.deployment.comparing import look
from ft.streams.deployment.identity import judge
from ft.streams.kafka.registry_errors import RegistryUnavailable

R = TypeVar("R")
_TIMEOUT_S: Final = 5.0


def attention_lines(config: Config) -> Iterator[str]:
    """A line a reason; nothing where nobody is needed. Raises psycopg.Error."""
    said: set[tuple[str, str | None]] = set()
    now = list(asked(config))
    is_one = not any(each.reason in ("identity", "broker") for each in now)
    for each in (*now, *told(config, is_one=is_one)):
        if (each.reason, each.network) not in said:
            said.add((each.reason, each.network))
            about = f" {shown(each.network)}" if each.network else ""
            yield f"[red]attention: {each.reason}{about}: {shown(each.detail)}[/]"


def told(config: Config, *, is_one: bool = False) -> list[Reason]:
    """What the database tells. ``is_one``: whether it is of one deployment with Kafka and the registry, as asked."""
    sql = load("api_status", LIVE)
    with psycopg.connect(config.postgres_as("ft_writer"), connect_timeout=int(_TIMEOUT_S)) as conn:
        (backlog,) = _rows(conn, sql["backlog"], BacklogRow)
        followers = _rows(conn, sql["followers"], FollowerRow)
        failures = _rows(conn, sql["failures"], FailureRow)
        return reasons(backlog, followers, failures, is_one=is_one, errors=True)


def asked(config: Config) -> Iterable[Reason]:
    """What the database's own Kafka and registry say now."""
    try:
        found = look(config)
    except RegistryUnavailable as exc:
        yield _reason("registry", str(exc))
        return
    except FtError as exc:
        yield _reason("broker" if isinstance(exc, BrokerError) else "identity", str(exc))
        return
    registry = found.registry
    try:
        judge(found)
    except FtError as exc:
        yield _reason("registry" if registry is not None and registry.different else "identity", str(exc))
        return
    if registry is not None and registry.wrong:
        yield _reason("registry", registry.wrong)
    elif (detail := amiss(registry)) is not None:
        yield _reason("registry", detail if registry is None else f"{registry.url}: {detail}")


def _reason(word: Word, detail: str) -> Reason:
    return Reason(reason=word, network=None, detail=detail)


def _rows(conn: psycopg.Connection[Any], query: str, kind: type[R]) -> Sequence[R]:
    factory: Any = of(kind)  # type: ignore[arg-type]
    with conn.cursor(row_factory=factory) as cursor:
        return cursor.execute(query.encode()).fetchall()
