"""Topics are made by a broker that is ready for it; one that is not yet is waited for."""

from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from ft.config import Config
from ft.errors import BrokerError, BrokerUnavailable
from ft.streams.kafka.admin import Admin
from ft.streams.kafka.topic_admin import create_topics

_FENCED = "Unable to replicate the partition 1 time(s): All brokers are currently fenced"
_TOO_FEW = (
    "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only "
    "1 broker(s) are registered."
)


@pytest.fixture
def broker(config: Config, monkeypatch: pytest.MonkeyPatch) -> "_Broker":
    broker = _Broker()
    monkeypatch.setattr(Admin, "create_topics", broker.create_topics)
    monkeypatch.setattr("ft.streams.kafka.topic_admin._partition_counts", broker.partition_counts)
    monkeypatch.setattr("ft.streams.kafka.topic_admin._AGAIN_S", 0.0)
    return broker


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(home=tmp_path, cache=tmp_path, addresses={"FT_KAFKA": "127.0.0.1:1"})


def test_a_broker_that_is_fenced_for_a_moment_is_asked_again_for_what_it_has_not_made(
    broker: "_Broker", config: Config
) -> None:
    broker.refusals = [_FENCED, _FENCED]

    made = create_topics(config, ["ethereum"], 2)

    assert len(broker.asked) == 3
    assert broker.asked[0] == sorted(made)
    assert broker.asked[1] == broker.asked[2] == [made[0]]


def test_topics_are_made_once_the_broker_knows_them(broker: "_Broker", config: Config) -> None:
    broker.looks_until_known = 3

    create_topics(config, ["ethereum"], 2)

    assert broker.looks_until_known < 0


def test_a_broker_that_does_not_hear_of_its_topics_is_told(
    broker: "_Broker", config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.streams.kafka.topic_admin._TIMEOUT_S", 0.0)
    broker.looks_until_known = 3

    with pytest.raises(BrokerUnavailable, match=r"one does not: .*ethereum"):
        create_topics(config, ["ethereum"], 2)


def test_too_few_brokers_are_told_at_once(broker: "_Broker", config: Config) -> None:
    broker.refusals = [_TOO_FEW]

    with pytest.raises(BrokerError, match="only 1 broker"):
        create_topics(config, ["ethereum"], 2)

    assert len(broker.asked) == 1


def test_a_broker_that_stays_fenced_is_told_in_the_end(
    broker: "_Broker", config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.streams.kafka.topic_admin._TIMEOUT_S", 0.0)
    broker.refusals = [_FENCED]

    with pytest.raises(BrokerError, match="All brokers are currently fenced"):
        create_topics(config, ["ethereum"], 2)


class _Broker:
    """Answers as Apache Kafka 4 does: the first topic of each request is refused as long as there are refusals."""

    def __init__(self) -> None:
        self.refusals: list[str] = []
        self.asked: list[list[str]] = []
        self.looks_until_known = 0
        self._made: dict[str, int] = {}

    def create_topics(self, new: Iterable[Any], **_: Any) -> dict[str, "Future[None]"]:
        counts = {topic.topic: topic.num_partitions for topic in new}
        names = sorted(counts)
        self.asked.append(names)
        answers = {name: Future[None]() for name in names}
        for name, answer in answers.items():
            if self.refusals and name == names[0]:
                error = KafkaError(KafkaError.INVALID_REPLICATION_FACTOR, self.refusals.pop(0))
                answer.set_exception(KafkaException(error))
            else:
                answer.set_result(None)
                self._made[name] = counts[name]
        return answers

    def partition_counts(self, _: Admin) -> dict[str, int]:
        if not self._made:
            return {}
        self.looks_until_known -= 1
        return self._made if self.looks_until_known < 0 else {}
