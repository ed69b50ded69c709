"""Pure: what the database tells of the system -> why an operator is needed."""

from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct

from ft.api.found import Status
from ft.api.rows import BacklogRow, FollowerRow

_FOLLOWER_SEEN_S: Final = 60.0
"""A follower says that it lives every few seconds."""
_HEAD_AGE_S: Final = 300.0
_HEAD_AGE_BLOCKS: Final = 20

Word = Literal[
    "bulk_stalled",
    "dead_letters",
    "findings",
    "head_old",
    "no_follower",
    "no_worker",
    "outbox_blocked",
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


def reasons(found: Status) -> list[Reason]:
    """All that hold: of the whole system first, then network by network."""
    return [*_of_all(found.backlog), *(each for row in found.followers for each in _of_network(row))]


def _of_all(backlog: BacklogRow) -> list[Reason]:
    held = (
        ("no_worker", backlog.workers == 0, "no worker was seen in the last minute"),
        ("outbox_blocked", backlog.outbox_blocked > 0, f"{backlog.outbox_blocked} partitions wait for `ft dlq replay`"),
        ("dead_letters", int(backlog.dlq_depth) > 0, f"{backlog.dlq_depth} dead letters are open: `ft dlq`"),
        ("findings", backlog.findings > 0, f"{backlog.findings} findings: events contradict each other"),
    )
    return [Reason(reason=word, network=None, detail=detail) for word, holds, detail in held if holds]


def _of_network(row: FollowerRow) -> list[Reason]:
    name = row.network
    alive = row.seen_s is not None and row.seen_s <= _FOLLOWER_SEEN_S
    expected_s = max(_HEAD_AGE_S, _HEAD_AGE_BLOCKS * row.block_time_s)
    old = row.followed and row.head_age_s is not None and row.head_age_s > expected_s
    held = (
        ("no_follower", row.followed and not alive, f"nobody follows {name} since {_seconds(row.seen_s)}"),
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


def _seconds(age_s: float | None) -> str:
    # A follower that was told to stop leaves a time of long ago.
    return "some time" if age_s is None or age_s > 10 * 365 * 86_400 else f"{age_s:.0f} s"
