"""Why an operator is needed: every word has its case, and what is well has none."""

from typing import Any

import pytest
from msgspec.structs import replace

from ft.api.status.attention import WORDS, out_of_place, reasons
from ft.api.status.rows import BacklogRow, FailureRow, FollowerRow

BACKLOG = BacklogRow(
    outbox_unpublished="0", outbox_blocked=0, dlq_depth="0", findings=0, months_unindexed=0, workers=1,
    agents="ledger,normalize,project,publisher",
)  # fmt: skip
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
FAILED = FailureRow(
    role="worker", what="ledger", kind="Stalled", error="at db.internal", lately=1, settled=False, last_s=5.0
)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bulk_stalled": ({}, {"bulk_stalled": True}),
    "dead_letters": ({"dlq_depth": "1"}, {}),
    "findings": ({"findings": 1}, {}),
    "head_old": ({}, {"head_age_s": 301.0}),
    "no_follower": ({}, {"seen_s": None}),
    "no_worker": ({"workers": 0, "agents": ""}, {}),
    "outbox_blocked": ({"outbox_blocked": 1}, {}),
    "stopped": ({}, {"broken": True}),
    "waiting": ({}, {"waits_for": 5, "waits_s": 9.0}),
}


ENDS: dict[str, list[dict[str, Any]]] = {
    "consumer_fails": [{"role": "consumer", "what": "sample", "kind": "SchemaError", "lately": 9}],
    "crash_loop": [{"lately": 2}, {"kind": "DatabaseUnavailable", "last_s": 1.0}],
    "finality_contradicted": [{"role": "ingest", "what": "polygon", "kind": "FinalityContradicted", "lately": 0}],
    "identity": [{"kind": "OffsetMismatch"}],
    "registry": [{"kind": "RegistryUnavailable"}],
}


def told(backlog: dict[str, Any], follower: dict[str, Any], *ends: dict[str, Any]) -> list[str]:
    failures = [replace(FAILED, **end) for end in ends]
    found = reasons(replace(BACKLOG, **backlog), [replace(FOLLOWED, **follower)], failures)
    assert "db.internal" not in str(found)
    return [each.reason for each in found]


@pytest.mark.parametrize("word", [word for word in WORDS if word != "broker"])
def test_every_word_that_a_database_tells_holds_in_its_own_case(word: str) -> None:
    backlog, follower = CASES.get(word, ({}, {}))

    assert told(backlog, follower, *ENDS.get(word, [])) == [word]


@pytest.mark.parametrize(
    "end",
    [
        {"lately": 2},
        {"kind": "OtherDeployment", "lately": 0},
        {"role": "ingest", "what": "polygon", "kind": "FinalityContradicted", "settled": True},
    ],
)
def test_an_end_that_was_an_accident_or_is_settled_needs_nobody(end: dict[str, Any]) -> None:
    assert told({}, {}, end) == []


def test_a_database_of_another_deployment_needs_somebody_and_is_not_ready() -> None:
    found = reasons(BACKLOG, [FOLLOWED], [], other="another prefix")

    assert [(each.reason, each.detail) for each in found] == [("identity", "another prefix")]
    assert out_of_place(BACKLOG, [], other="another prefix") == "another prefix"


@pytest.mark.parametrize(
    ("workers", "end", "ready"),
    [
        (1, {"kind": "OtherDeployment"}, True),  # another one is at work, and looked since
        (0, {"kind": "OtherDeployment"}, False),
        (0, {"kind": "OffsetMismatch"}, False),
        (0, {"kind": "OtherDeployment", "lately": 0}, True),
        (0, {"kind": "OtherDeployment", "role": "ingest"}, True),
        (0, {"kind": "RegistryUnavailable"}, True),
    ],
)
def test_what_the_last_worker_found_out_of_place_is_not_ready(workers: int, end: dict[str, Any], ready: bool) -> None:
    found = out_of_place(replace(BACKLOG, workers=workers), [replace(FAILED, **end)], other=None)

    assert (found is None) == ready


def test_what_is_amiss_with_the_registry_is_said_of_no_network() -> None:
    found = reasons(BACKLOG, [FOLLOWED], [], registry="it does not answer")

    assert [(each.reason, each.network, each.detail) for each in found] == [("registry", None, "it does not answer")]


@pytest.mark.parametrize(("kind", "said"), [("OtherDeployment", []), ("OffsetMismatch", ["identity"])])
def test_who_has_looked_itself_needs_no_word_of_a_worker_that_was_set_otherwise(kind: str, said: list[str]) -> None:
    ends = [replace(FAILED, kind=kind)]

    found = [each.reason for each in reasons(BACKLOG, [FOLLOWED], ends, is_one=True)]
    why = out_of_place(replace(BACKLOG, workers=0), ends, other=None, is_one=True)

    assert found == said
    assert (why is not None) == bool(said)


def test_an_agent_that_no_worker_runs_is_named_though_others_run() -> None:
    alone = replace(BACKLOG, agents="normalize,project")

    (found,) = reasons(alone, [FOLLOWED], [])

    assert found.reason == "no_worker"
    assert found.detail == "no worker runs ledger, publisher; those seen in the last minute run normalize,project"


def test_an_operator_is_told_the_error_and_the_newest_of_a_loop() -> None:
    loop = [replace(FAILED, lately=3, last_s=9.0), replace(FAILED, kind="SchemaError", last_s=2.0)]

    found = {each.reason: each.detail for each in reasons(BACKLOG, [FOLLOWED], loop, errors=True)}

    assert found["registry"].endswith(": at db.internal")
    assert found["crash_loop"] == "worker ledger ended 4 times in 15 minutes, by SchemaError 2 s ago: at db.internal"


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


@pytest.mark.parametrize(
    ("seen_s", "said"),
    [
        (120.0, "nobody follows polygon since 120 s"),
        (1.7e9, "nobody follows polygon: the last follower was told to stop"),
        (None, "nobody follows polygon any more"),
    ],
)
def test_one_that_was_told_to_stop_is_told_from_one_that_is_gone(seen_s: float | None, said: str) -> None:
    (found,) = reasons(BACKLOG, [replace(FOLLOWED, seen_s=seen_s)], [])

    assert found.detail == said


def test_a_follower_that_ended_by_an_error_was_not_told_to_stop() -> None:
    ended = replace(FAILED, role="ingest", what="polygon", kind="BrokerError", last_s=7.0, of_last_follower=True)

    (found,) = reasons(BACKLOG, [replace(FOLLOWED, seen_s=1.7e9)], [ended])

    assert found.detail == "nobody follows polygon: the last follower ended by BrokerError 7 s ago"


def test_an_error_of_an_earlier_follower_is_not_the_reason_that_nobody_follows() -> None:
    before = replace(FAILED, role="ingest", what="polygon", kind="BrokerError", last_s=400.0)

    (found,) = reasons(BACKLOG, [replace(FOLLOWED, seen_s=1.7e9)], [before])

    assert found.detail == "nobody follows polygon: the last follower was told to stop"
