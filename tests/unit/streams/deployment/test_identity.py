"""Whether a database, a Kafka, a prefix and a registry are of one deployment: every combination of what they may be."""

import json
import re
from dataclasses import replace
from itertools import product

import pytest

from ft.schemas.registered import Registered, compare, contradictions
from ft.streams.deployment.identity import Ahead, Deployment, Found, OtherDeployment, judge, lost_topics, require_same

ME = Deployment(id="me", topic_prefix="p.", cluster_id="mine")
ANOTHER = Deployment(id="another", topic_prefix="p.", cluster_id="mine")
DATABASES = {
    "right": ME,
    "other": ANOTHER,
    "older": ME,
    "empty": None,
    "other prefix": Deployment(id="me", topic_prefix="q.", cluster_id="mine"),
    "other Kafka": Deployment(id="me", topic_prefix="p.", cluster_id="theirs"),
}
SETTINGS = ("FT_POSTGRES", "FT_KAFKA", "FT_TOPIC_PREFIX", "FT_SCHEMA_REGISTRY")
TOPICS = {
    "right": ME,
    "other": ANOTHER,
    "older": ME,
    "empty": None,
}


def of_epoch(deployment: Deployment | None, epoch: int) -> Deployment | None:
    return None if deployment is None else replace(deployment, epoch=epoch)


def found(database: str, topic: str, *, announced: bool = True) -> Found:
    stored = of_epoch(DATABASES[database], 1 if database == "older" else 2)
    told = of_epoch(TOPICS[topic], 1 if topic == "older" else 2)
    return Found(
        prefix="p.", cluster_id="mine", stored=stored, told=told, announced=announced, normalized="p.ledger.normalized"
    )


def verdict(what: Found) -> str:
    try:
        return judge(what)
    except OtherDeployment as exc:
        likely = [name for name in SETTINGS if f"{name} is likely" in str(exc)]
        likely += ["older database"] if "database is likely an older state" in str(exc) else []
        likely += ["Kafka's data"] if "Kafka has likely lost" in str(exc) or "Kafka likely holds" in str(exc) else []
        (one,) = likely
        return one


EXPECTED = {
    ("right", "right"): "one",
    ("right", "other"): "FT_POSTGRES",
    ("right", "older"): "Kafka's data",
    ("right", "empty"): "Kafka's data",
    ("other", "right"): "FT_POSTGRES",
    ("other", "other"): "one",
    ("other", "older"): "FT_POSTGRES",
    ("other", "empty"): "Kafka's data",
    ("older", "right"): "older database",
    ("older", "other"): "FT_POSTGRES",
    ("older", "older"): "one",
    ("older", "empty"): "Kafka's data",
    ("empty", "right"): "FT_POSTGRES",
    ("empty", "other"): "FT_POSTGRES",
    ("empty", "older"): "FT_POSTGRES",
    ("empty", "empty"): "new",
}


@pytest.mark.parametrize(("database", "topic"), list(product(DATABASES, TOPICS)))
def test_each_combination_is_one_or_says_what_is_likely_wrong(database: str, topic: str) -> None:
    expected = {"other prefix": "FT_TOPIC_PREFIX", "other Kafka": "FT_KAFKA"}.get(database) or EXPECTED[database, topic]

    assert verdict(found(database, topic)) == expected


def test_a_journal_that_ends_before_what_was_announced_is_an_older_state() -> None:
    ahead = replace(found("right", "right"), ahead=Ahead(partition=3, offset=10, seq=50, journal_end=40))

    with pytest.raises(OtherDeployment, match=r"changed-3: expected .* ends at 40, got row 50 at offset 10.*as-it-st"):
        judge(ahead)


def test_a_migration_that_was_cut_off_before_its_topic_said_so_goes_on() -> None:
    assert verdict(found("right", "empty", announced=False)) == "unsaid"


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("p.ledger.normalized", "new"),
        (None, "new"),
        ("q.ledger.normalized", "FT_TOPIC_PREFIX"),
        ("ledger.normalized", "FT_TOPIC_PREFIX"),
    ],
)
def test_a_database_of_an_earlier_version_tells_its_prefix_by_what_its_ledger_has_read(
    read: str | None, expected: str
) -> None:
    what = Found(
        prefix="p.", cluster_id="mine", stored=None, told=None, ledger_topic=read, normalized="p.ledger.normalized"
    )

    assert verdict(what) == expected


def test_no_advice_destroys_anything() -> None:
    said = []
    for database, topic in product(DATABASES, TOPICS):
        try:
            judge(found(database, topic))
        except OtherDeployment as exc:
            said.append(str(exc))

    assert len(said) > 10
    assert not any(word in text for text in said for word in ("delete every", "delete the", "drop"))
    assert all("expected" in text and "Nothing was changed" in text for text in said)


STATES = ("right", "other", "older", "empty")
GONE = Deployment(id="given up", topic_prefix="o.", cluster_id="mine")
THEIRS = Deployment(id="a stranger's", topic_prefix="p.", cluster_id="theirs")
SECOND = Deployment(id="another", topic_prefix="q.", cluster_id="mine")
PREFIXES = {"right": "p.", "other": "q.", "older": "o.", "empty": ""}
KAFKAS = {
    "right": ("mine", 2, (ME, SECOND, GONE)),
    "other": ("theirs", 2, (THEIRS,)),
    "older": ("mine", 1, (ME, SECOND, GONE)),
    "empty": ("mine", 0, ()),
}
"""Cluster id, epoch, and the deployments whose topics are there."""
STORED = {"right": (ME, 2), "other": (SECOND, 2), "older": (ME, 1), "empty": (None, 0)}
"""What the database names, and its epoch."""
ONE, TWO = (json.dumps({"type": "record", "name": name, "fields": []}) for name in ("One", "Two"))
KEPT = [
    Registered(id=1, subject="p.one-value", version=1, schema=ONE),
    Registered(id=2, subject="p.two-value", version=1, schema=TWO),
]
REGISTRIES = {"right": {1: ONE, 2: TWO}, "other": {1: TWO, 2: ONE}, "older": {1: ONE}, "empty": {}}
"""Id -> schema."""

PREFIX, DATA = "FT_TOPIC_PREFIX", "Kafka's data"
WITHOUT_REGISTRY = {
    # prefix, Kafka: with a database that is right, other, older, empty
    ("right", "right"): ("one", PREFIX, "older database", "FT_POSTGRES"),
    ("right", "other"): ("FT_KAFKA", PREFIX, "FT_KAFKA", "FT_POSTGRES"),
    ("right", "older"): (DATA, PREFIX, "one", "FT_POSTGRES"),
    ("right", "empty"): (DATA, PREFIX, DATA, "new"),
    ("other", "right"): (PREFIX, "one", PREFIX, "FT_POSTGRES"),
    ("other", "other"): (PREFIX, "FT_KAFKA", PREFIX, "new"),
    ("other", "older"): (PREFIX, DATA, PREFIX, "FT_POSTGRES"),
    ("other", "empty"): (PREFIX, DATA, PREFIX, "new"),
    ("older", "right"): (PREFIX, PREFIX, PREFIX, "FT_POSTGRES"),
    ("older", "other"): (PREFIX, PREFIX, PREFIX, "new"),
    ("older", "older"): (PREFIX, PREFIX, PREFIX, "FT_POSTGRES"),
    ("older", "empty"): (PREFIX, PREFIX, PREFIX, "new"),
    ("empty", "right"): (PREFIX, PREFIX, PREFIX, "new"),
    ("empty", "other"): (PREFIX, PREFIX, PREFIX, "new"),
    ("empty", "older"): (PREFIX, PREFIX, PREFIX, "new"),
    ("empty", "empty"): (PREFIX, PREFIX, PREFIX, "new"),
}
WITH_REGISTRY = {"right": "one", "other": "FT_SCHEMA_REGISTRY", "older": "restore", "empty": "restore"}
"""What becomes of those that are one."""


def pointed_at(prefix: str, kafka: str, database: str, registry: str) -> Found:
    cluster, epoch, there = KAFKAS[kafka]
    stored, stored_epoch = STORED[database]
    told = next((each for each in there if each.topic_prefix == PREFIXES[prefix]), None)
    kept, schemas = (KEPT if stored is not None else []), REGISTRIES[registry]
    return Found(
        prefix=PREFIXES[prefix],
        cluster_id=cluster,
        stored=of_epoch(stored, stored_epoch),
        announced=True,
        told=of_epoch(told, epoch),
        normalized=f"{PREFIXES[prefix]}ledger.normalized",
        registry=compare("http://registry", kept, {row.id: schemas.get(row.id) for row in kept}, {}),
    )


@pytest.mark.parametrize(("prefix", "kafka", "database", "registry"), list(product(STATES, repeat=4)))
def test_prefix_kafka_database_and_registry_each_right_other_older_or_empty(
    prefix: str, kafka: str, database: str, registry: str
) -> None:
    alone = WITHOUT_REGISTRY[prefix, kafka][STATES.index(database)]
    expected = WITH_REGISTRY[registry] if alone == "one" else alone

    assert verdict(pointed_at(prefix, kafka, database, registry)) == expected


def test_each_refusal_says_what_it_found_and_expected_and_names_a_command() -> None:
    said = []
    for states in product(STATES, repeat=4):
        try:
            judge(pointed_at(*states))
        except OtherDeployment as exc:
            said.append(str(exc))

    assert len(said) > 100
    assert all("expected" in text and "Nothing was changed" in text for text in said)
    assert all(re.search(r"`(export FT_[A-Z_]+=|ft )[^`]*`", text) for text in said)
    assert not any(word in text for text in said for word in ("delete the", "delete every", "drop"))


def test_a_registry_that_does_not_answer_says_nothing_about_identity() -> None:
    assert verdict(replace(pointed_at("right", "right", "right", "right"), registry=None)) == "one"


def test_a_registry_that_says_something_else_is_named_with_id_subject_and_both_schemas() -> None:
    with pytest.raises(OtherDeployment, match=r"id 1 of p\.one-value: expected One, got Two; id 2 of p\.two-value"):
        judge(pointed_at("right", "right", "right", "other"))


def test_a_topic_that_says_something_else_than_the_database_for_an_id_is_refused() -> None:
    one, two = KEPT
    found = contradictions([one, two, replace(one, schema=TWO)])
    what = replace(pointed_at("right", "right", "right", "right"), contradicted=tuple(found))

    assert verdict(what) == "older database"


def test_a_migration_that_was_cut_off_restores_a_registry_too() -> None:
    cut_off = replace(pointed_at("right", "empty", "right", "empty"), announced=False)

    assert verdict(cut_off) == "restore"
    assert verdict(replace(cut_off, registry=None)) == "unsaid"


RAW, NORMALIZED, CHANGED = "p.chain.base.raw", "p.ledger.normalized", "p.ledger.ownership_changed"
READ = [(RAW, "r1"), (NORMALIZED, "n1"), (CHANGED, "c1")]
THERE = dict(READ)
ANEW, EMPTY_KAFKA, RAW_AGAIN = (
    "`ft reannounce` makes the ledger's",
    "point FT_KAFKA at an empty",
    "`ft reset --keep raw`",
)


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize(
    ("lost", "advice"),
    [
        ({RAW}, {EMPTY_KAFKA}),
        ({NORMALIZED}, {RAW_AGAIN, EMPTY_KAFKA}),
        ({CHANGED}, {ANEW}),
        ({RAW, CHANGED}, {EMPTY_KAFKA}),
        ({NORMALIZED, CHANGED}, {RAW_AGAIN, EMPTY_KAFKA}),
        ({RAW, NORMALIZED, CHANGED}, {EMPTY_KAFKA}),
    ],
)
def test_a_topic_that_was_read_and_is_gone_or_another_one_is_named_with_the_command_that_gets_out(
    lost: set[str], advice: set[str], replaced: bool
) -> None:
    there = {
        name: f"{topic_id}2" if name in lost else topic_id for name, topic_id in READ if replaced or name not in lost
    }
    what = replace(found("right", "right"), lost=lost_topics("p.", READ, there))

    with pytest.raises(OtherDeployment, match="Kafka has likely lost its data in part") as refused:
        judge(what)

    said = str(refused.value)
    assert {name for name in THERE if name in said} == lost
    assert ("there is another one of that name" in said) == replaced
    assert {each for each in (ANEW, EMPTY_KAFKA, RAW_AGAIN) if each in said} == advice


def test_topics_that_are_there_and_those_that_nobody_has_read_are_not_lost() -> None:
    assert lost_topics("p.", READ, THERE) == ()
    assert lost_topics("p.", [], THERE) == ()


@pytest.mark.parametrize(("database", "topic"), [(d, t) for (d, t), verdict in EXPECTED.items() if verdict != "one"])
def test_of_topics_that_are_not_proven_to_be_the_databases_none_is_said_to_be_lost(database: str, topic: str) -> None:
    lost = lost_topics("p.", READ, {})

    assert verdict(replace(found(database, topic), lost=lost)) == EXPECTED[database, topic]


@pytest.mark.parametrize(
    ("began", "now"),
    [
        (replace(ME, epoch=1), replace(ME, epoch=2)),
        (replace(ME, epoch=2), replace(ME, epoch=1)),
        (ME, ANOTHER),
        (ME, None),
        (None, replace(ME, epoch=1)),
    ],
)
def test_a_process_of_another_deployment_or_epoch_is_told_both_and_to_start_again(
    began: Deployment | None, now: Deployment | None
) -> None:
    with pytest.raises(OtherDeployment) as refused:
        require_same(began, now)

    said = str(refused.value)
    assert f"epoch {began.epoch if began else 0}" in said
    assert f"got {f'epoch {now.epoch}' if now else 'none'}" in said
    assert "start it again" in said
    assert not refused.value.retryable


@pytest.mark.parametrize(("began", "now"), [(ME, ME), (None, None), (None, ME)])
def test_a_process_goes_on_in_the_deployment_that_it_began_in_also_where_that_got_its_name_since(
    began: Deployment | None, now: Deployment | None
) -> None:
    require_same(began, now)


@pytest.mark.parametrize("database", ["right", "empty"])
def test_a_topic_none_of_whose_records_can_be_read_is_not_taken_for_an_empty_one(database: str) -> None:
    garbled = replace(pointed_at("right", "empty", database, "right"), unreadable=True)

    assert verdict(garbled) == "FT_SCHEMA_REGISTRY"
