"""Which of Kafka's errors pass, so that the same may be asked again."""

from typing import Any, Final

from confluent_kafka import KafkaError

_PASSING: Final = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.NOT_CONTROLLER,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.LISTENER_NOT_FOUND,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.THROTTLING_QUOTA_EXCEEDED,
}


def passes(error: Any) -> bool:
    """Whether what Kafka answered is an error that passes, so that the same may be asked again.

    Brokers' answers by the protocol's own table (https://kafka.apache.org/protocol#protocol_error_codes), without those
    that a missing topic is told by; librdkafka says so of its own errors (codes below 0), and of transactions.
    """
    return bool(error.code() < 0 or error.code() in _PASSING or error.retriable())
