"""Whether a database, a Kafka and a prefix are of one deployment: every combination of what they may be."""

from dataclasses import replace
from itertools import product

import pytest

from ft.streams.identity import Deployment, Found, OtherDeployment, judge

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
        likely = [name for name in ("FT_POSTGRES", "FT_KAFKA", "FT_TOPIC_PREFIX") if f"{name} is likely" in str(exc)]
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
