"""Which of Kafka's errors pass, so that the same is asked again."""

import pytest
from confluent_kafka import KafkaError

from ft.streams.kafka.passing import passes


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._PARTITION_EOF,
    ],
)
def test_a_broker_that_changes_its_role_or_is_away_passes(code: int) -> None:
    assert passes(KafkaError(code))


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    ],
)
def test_a_refusal_does_not_pass(code: int) -> None:
    assert not passes(KafkaError(code))
