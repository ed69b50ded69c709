"""Why an operator is needed: every word has its case, and what is well has none."""

from typing import Any

import pytest
from msgspec.structs import replace

from ft.api.attention import WORDS, reasons
from ft.api.found import Status
from ft.api.rows import BacklogRow, FollowerRow

BACKLOG = BacklogRow(outbox_unpublished="0", outbox_blocked=0, dlq_depth="0", findings=0, months_unindexed=0, workers=1)
FOLLOWED = FollowerRow(
    network="polygon",
    followed=True,
    broken=False,
    waits_for=None,
    block_time_s=2.0,
    seen_s=1.0,
    waits_s=None,
    head_age_s=4.0,
    bulk_stalled=False,
)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bulk_stalled": ({}, {"bulk_stalled": True}),
    "dead_letters": ({"dlq_depth": "1"}, {}),
    "findings": ({"findings": 1}, {}),
    "head_old": ({}, {"head_age_s": 301.0}),
    "no_follower": ({}, {"seen_s": None}),
    "no_worker": ({"workers": 0}, {}),
    "outbox_blocked": ({"outbox_blocked": 1}, {}),
    "stopped": ({}, {"broken": True}),
    "waiting": ({}, {"waits_for": 5, "waits_s": 9.0}),
}


def told(backlog: dict[str, Any], follower: dict[str, Any]) -> list[str]:
    found = Status(
        chains=[],
        partitions=[],
        backlog=replace(BACKLOG, **backlog),
        heads=[],
        followers=[replace(FOLLOWED, **follower)],
    )
    return [each.reason for each in reasons(found)]


@pytest.mark.parametrize("word", WORDS)
def test_every_word_holds_in_its_own_case(word: str) -> None:
    assert told(*CASES[word]) == [word]


@pytest.mark.parametrize(
    "follower",
    [
        {},
        {"block_time_s": 600.0, "head_age_s": 11_999.0},
        {"followed": False, "seen_s": None, "head_age_s": 1e9},
        {"followed": False, "seen_s": None, "head_age_s": None},
    ],
)
def test_what_is_well_or_was_never_followed_needs_nobody(follower: dict[str, Any]) -> None:
    assert told({}, follower) == []


def test_a_follower_that_is_gone_waits_for_nothing() -> None:
    assert told({}, {"seen_s": 120.0, "waits_for": 5}) == ["no_follower"]
