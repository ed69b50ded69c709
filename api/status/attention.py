"""Pure: what the database tells of the system -> why an operator is needed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct

from ft.api.status.rows import BacklogRow, FailureRow, FollowerRow
from ft.schemas.domains import SPINE
from ft.schemas.registered import Agreement

_FOLLOWER_SEEN_S: Final = 60.0
"""A follower says that it lives every few seconds."""
_HEAD_AGE_S: Final = 300.0
_HEAD_AGE_BLOCKS: Final = 20

_LOOP: Final = 3
"""Ends by an error within a quarter of an hour that nobody takes for an accident."""
_OTHER: Final = "OtherDeployment"
_ABOUT: Final[Mapping[str, tuple[str, ...]]] = {
    "identity": (_OTHER, "OffsetMismatch"),
    "registry": ("RegistryUnavailable", "NoRegistry", "SchemaError"),
}

Word = Literal[
    "broker",
    "bulk_stalled",
    "consumer_fails",
    "crash_loop",
    "dead_letters",
    "finality_contradicted",
    "findings",
    "head_old",
    "identity",
    "no_follower",
    "no_worker",
    "outbox_blocked",
    "registry",
    "stopped",
    "waiting",
]
WORDS: Final = get_args(Word)


class Reason(Struct, frozen=True, kw_only=True):
    """One thing that an operator should look at."""

    reason: Annotated[
        str,
        Meta(
            description=f"One of {', '.join(f'`{word}`' for word in WORDS)}; further words may come.", examples=[*WORDS]
        ),
    ]
    network: Annotated[str | None, Meta(description="null where it is about no single network")]
    detail: Annotated[str, Meta(description="for people")]


def reasons(
    backlog: BacklogRow,
    followers: Sequence[FollowerRow],
    failures: Sequence[FailureRow],
    *,
    other: str | None = None,
    is_one: bool = False,
    registry: str | None = None,
    errors: bool = False,
) -> list[Reason]:
    """All that hold: of the whole system first, then network by network.

    ``other``: why the database is of another deployment than whoever asks; None: it is of the same. ``is_one``: whoever
    asks has looked, and it is: a process that found another one was set otherwise. ``registry``: what it found amiss
    with the registry; None: nothing, or it has not looked. ``errors``: with what processes said as they ended; it names
    servers, and is not for everybody.
    """
    of_networks = (each for row in followers for each in _of_network(row, failures))
    looked: tuple[tuple[Word, str | None], ...] = (("identity", other), ("registry", registry))
    found = [Reason(reason=word, network=None, detail=detail) for word, detail in looked if detail is not None]
    return [
        *found, *_of_all(backlog), *_of_consumers(failures, errors), *_of_ends(failures, errors, is_one), *of_networks,
    ]  # fmt: skip


def amiss(registry: Agreement | None) -> str | None:
    """What an operator should know of the registry that was asked; None: nothing. It names no server."""
    if registry is None:
        return "it does not answer; what is read is decoded by the schemas that the database keeps"
    if registry.wrong:
        return "what answers is no registry: FT_SCHEMA_REGISTRY is likely wrong"
    lost = f"it has lost {len(registry.lost_ids)} of {registry.ids} schema ids; workers restore them, or `ft migrate`"
    return lost if registry.lost else None


def out_of_place(
    backlog: BacklogRow, failures: Sequence[FailureRow], *, other: str | None, is_one: bool = False
) -> str | None:
    """Why what is read here may not be of one deployment; None: nothing says so.

    A worker looks every few seconds whether log, database and registry belong together, and ends where they do not: as
    long as one lives, they do, whatever another one found that was set otherwise. So does an API that is told a Kafka
    (``is_one``); what it does not look at is where each topic's records begin and end.
    """
    if other is not None or backlog.workers > 0:
        return other
    newest = _newest(row for row in failures if row.role == "worker" and _is_about(row, "identity", is_one))
    return None if newest is None else f"the last worker ended {newest.last_s:.0f} s ago by {newest.kind}"


def _of_all(backlog: BacklogRow) -> list[Reason]:
    missing = [agent for agent in SPINE if agent not in backlog.agents.split(",")]
    nobody = "no worker was seen in the last minute"
    if backlog.workers:
        nobody = f"no worker runs {', '.join(missing)}; those seen in the last minute run {backlog.agents}"
    held = (
        ("no_worker", bool(missing), nobody),
        ("outbox_blocked", backlog.outbox_blocked > 0, f"{backlog.outbox_blocked} partitions wait for `ft dlq replay`"),
        ("dead_letters", int(backlog.dlq_depth) > 0, f"{backlog.dlq_depth} dead letters are open: `ft dlq`"),
        ("findings", backlog.findings > 0, f"{backlog.findings} findings: events contradict each other"),
    )
    return [Reason(reason=word, network=None, detail=detail) for word, holds, detail in held if holds]


def _of_consumers(failures: Sequence[FailureRow], errors: bool) -> Iterator[Reason]:
    """Of consumers that failed lately, and stood still meanwhile."""
    for row in failures:
        if row.role == "consumer" and row.lately:
            detail = f"{row.what} failed {row.lately} times in 15 minutes, by {row.kind} {row.last_s:.0f} s ago"
            told = f"{detail}: {row.error}" if errors else detail
            yield Reason(reason="consumer_fails", network=None, detail=f"{told}; its worker and the others go on")


def _of_ends(failures: Sequence[FailureRow], errors: bool, is_one: bool) -> Iterator[Reason]:
    """Of processes that ended by an error: until it is settled, or for a quarter of an hour."""
    lately: Counter[tuple[str, str]] = Counter()
    for row in failures:
        if row.role == "consumer":
            continue  # it ended no process
        lately[row.role, row.what] += row.lately
        network = row.what if row.role == "ingest" else None
        said = f"{row.role} {row.what} ended by {row.kind} {row.last_s:.0f} s ago{f': {row.error}' if errors else ''}"
        if row.kind == "FinalityContradicted" and not row.settled:
            yield Reason(reason="finality_contradicted", network=network, detail=said)
        for word in _ABOUT:
            if _is_about(row, word, is_one):
                yield Reason(reason=word, network=network, detail=said)
    for (role, what), count in lately.items():
        if count >= _LOOP:
            newest = _newest(row for row in failures if (row.role, row.what) == (role, what))
            assert newest is not None
            yield Reason(
                reason="crash_loop",
                network=what if role == "ingest" else None,
                detail=f"{role} {what} ended {count} times in 15 minutes, by {newest.kind} {newest.last_s:.0f} s ago"
                + (f": {newest.error}" if errors else ""),
            )


def _of_network(row: FollowerRow, failures: Sequence[FailureRow]) -> list[Reason]:
    name = row.network
    alive = row.seen_s is not None and row.seen_s <= _FOLLOWER_SEEN_S
    expected_s = max(_HEAD_AGE_S, _HEAD_AGE_BLOCKS * row.block_time_s)
    old = row.followed and row.head_age_s is not None and row.head_age_s > expected_s
    held = (
        ("no_follower", row.followed and not alive, f"nobody follows {name}{_since(row, failures)}"),
        ("stopped", row.broken, f"records of {name} are ignored until a follower claims it anew"),
        (
            "waiting",
            alive and row.waits_for is not None,
            f"no provider of {name} gives block {row.waits_for}, or proves it, since {_seconds(row.waits_s)}",
        ),
        (
            "head_old",
            old,
            f"the head of {name}: expected younger than {expected_s:.0f} s, got {_seconds(row.head_age_s)}",
        ),
        ("bulk_stalled", row.bulk_stalled, f"nobody fills the bulk backfill of {name}: start it again"),
    )
    return [Reason(reason=word, network=name, detail=detail) for word, holds, detail in held if holds]


def _since(row: FollowerRow, failures: Sequence[FailureRow]) -> str:
    """1. it ended by an error lately; 2. nobody ever followed; 3. it ended in order; 4. it is gone."""
    ends = (each for each in failures if (each.role, each.what) == ("ingest", row.network) and each.lately)
    newest = _newest(each for each in ends if each.of_last_follower)
    if newest is not None:
        return f": the last follower ended by {newest.kind} {_seconds(newest.last_s)} ago"
    if row.seen_s is None:
        return " any more"
    if row.seen_s > 10 * 365 * 86_400:  # what a follower leaves behind
        return ": the last follower was told to stop"
    return f" since {_seconds(row.seen_s)}"


def _is_about(row: FailureRow, word: str, is_one: bool) -> bool:
    """Whether a process ended for that reason lately; who has looked itself (``is_one``) knows better than one that
    found another deployment."""
    return row.kind in _ABOUT[word] and bool(row.lately) and not (is_one and row.kind == _OTHER)


def _newest(failures: Iterable[FailureRow]) -> FailureRow | None:
    return min(failures, key=lambda row: row.last_s, default=None)


def _seconds(age_s: float | None) -> str:
    return "some time" if age_s is None else f"{age_s:.0f} s"
