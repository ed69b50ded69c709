"""The broker's topics: made, compared with what was chosen, measured and deleted. Everything here blocks."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import TopicCollection as Names
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]
from confluent_kafka.cimpl import NewTopic

from ft.config import Config
from ft.errors import BrokerError, BrokerUnavailable, ConfigError
from ft.streams.kafka.admin import REFUSED_S, Admin
from ft.streams.kafka.fresh_topics import once_spread
from ft.streams.kafka.passing import passes
from ft.streams.kafka.topics import Layout, Topics, layout

_TIMEOUT_S: Final = 15.0
_AGAIN_S: Final = 0.5
_SURE_S: Final = 1.0
_AT_ONCE_S: Final = 0.05
"""A topic that was made just now is mostly known by then."""
_NO_ANSWER: Final = {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicIdentity:
    """What offsets belong to: a topic made anew under the same name has another id."""

    cluster_id: str
    topic_id: str


def create_topics(config: Config, networks: Iterable[str], partitions: int) -> list[str]:
    """Make the topics that are missing, with their settings; returns their names.

    Raises ConfigError if one that exists has another number of partitions, BrokerUnavailable if no broker answers.
    """
    topics, admin = Topics(config.topic_prefix, config.generation), Admin(config)
    wanted, existing = layout(topics, networks, partitions), _partition_counts(admin)
    _refuse_other_counts(wanted, existing)
    missing = {name: value for name, value in wanted.items() if name not in existing}
    _create(admin, missing, config.replication)
    if missing:
        _refuse_other_counts(wanted, _once_known(admin, missing))  # another migration may have been quicker
    return sorted(missing)


def verify_topics(config: Config, networks: Iterable[str], partitions: int) -> None:
    """Refuse (ConfigError) missing topics, and topics with another number of partitions than was chosen."""
    wanted = layout(Topics(config.topic_prefix, config.generation), networks, partitions)
    existing = _partition_counts(Admin(config))
    if missing := sorted(set(wanted) - set(existing)):
        raise ConfigError(f"Kafka at {config.kafka} lacks the topics {', '.join(missing)}. Run `ft migrate`.")
    _refuse_other_counts(wanted, existing)


def cluster_id(config: Config, admin: Admin | None = None) -> str:
    """Of the Kafka that the configuration names. Raises BrokerUnavailable, BrokerError. ``admin``: one that is there
    already, here and below."""
    admin = admin or Admin(config)
    try:
        found = admin.result(admin.describe_cluster(request_timeout=_TIMEOUT_S), _TIMEOUT_S)
    except KafkaException as exc:
        raise _translated(config, exc, admin) from exc
    except TimeoutError as exc:
        raise BrokerUnavailable(
            f"Kafka at {config.kafka}: expected its cluster id, got no answer{admin.why()}"
        ) from exc
    return str(found.cluster_id)


def topic_identities(config: Config, names: Iterable[str], admin: Admin | None = None) -> dict[str, TopicIdentity]:
    """Cluster id and topic id of each topic.

    A broker learns of a new topic a moment after the controller has made it: one that is not there is asked for again
    for ten seconds. Raises ConfigError for a topic that does not exist, BrokerUnavailable, BrokerError.
    """
    wanted, admin = sorted(set(names)), admin or Admin(config)
    try:
        return once_spread(lambda: _identities(admin, wanted))
    except KafkaException as exc:
        if exc.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise _translated(config, exc, admin) from exc
        lacks = f"Kafka at {config.kafka} lacks one of {', '.join(wanted)}. Run `ft migrate`."
        raise ConfigError(lacks) from exc
    except TimeoutError as exc:
        raise BrokerUnavailable(
            f"Kafka at {config.kafka}: {', '.join(wanted)}: expected their ids, got no answer{admin.why()}"
        ) from exc


def topic_ids(config: Config, names: Iterable[str], admin: Admin | None = None) -> dict[str, str]:
    """The id of each topic that exists. One that is not there is asked for again for a second: a broker that begins may
    not know it yet. Blocking. Raises as :func:`topic_identities`."""
    wanted, admin = set(names), admin or Admin(config)
    deadline = time.monotonic() + _SURE_S
    while (there := wanted & _partition_counts(admin).keys()) != wanted and time.monotonic() < deadline:
        time.sleep(_AGAIN_S)
    return {name: found.topic_id for name, found in topic_identities(config, there, admin).items()} if there else {}


def _identities(admin: Admin, wanted: list[str]) -> dict[str, TopicIdentity]:
    cluster = admin.result(admin.describe_cluster(request_timeout=_TIMEOUT_S), _TIMEOUT_S)
    found = admin.describe_topics(Names(wanted), request_timeout=_TIMEOUT_S)
    return {
        name: TopicIdentity(cluster_id=str(cluster.cluster_id), topic_id=str(future.result(_TIMEOUT_S).topic_id))
        for name, future in found.items()
    }


def topic_names(config: Config, admin: Admin | None = None) -> list[str]:
    """The names of all topics that the broker has. Raises BrokerUnavailable."""
    return sorted(_partition_counts(admin or Admin(config)))


def partition_counts(config: Config, admin: Admin | None = None) -> dict[str, int]:
    """Topic -> its number of partitions, of all that the broker has. Raises BrokerUnavailable."""
    return _partition_counts(admin or Admin(config))


def delete_topics(config: Config, names: Iterable[str]) -> list[str]:
    """Delete topics with their records; returns those that were there. Raises BrokerUnavailable, BrokerError."""
    wanted, deleted, admin = sorted(names), [], Admin(config)
    if not wanted:
        return []
    for name, future in admin.delete_topics(wanted, operation_timeout=_TIMEOUT_S).items():
        try:
            future.result(_TIMEOUT_S)
            deleted.append(name)
        except KafkaException as exc:
            if exc.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise _translated(config, exc, admin) from exc
    return deleted


def delete_records(config: Config, ends: Mapping[tuple[str, int], int]) -> None:
    """Delete what each topic and partition holds before an offset; what is gone already stays so.

    Raises BrokerUnavailable; BrokerError where Kafka refuses, as for a topic that is compacted. Blocking.
    """
    wanted = [TopicPartition(topic, partition, end) for (topic, partition), end in ends.items() if end > 0]
    if not wanted:
        return
    admin = Admin(config)
    for place, future in admin.delete_records(wanted, request_timeout=_TIMEOUT_S).items():
        what = f"{place.topic}-{place.partition}"
        try:
            first = future.result(_TIMEOUT_S).low_watermark
        except KafkaException as exc:
            raise _translated(
                config, exc, admin, f"{what}: its records before {place.offset} could not be deleted"
            ) from exc
        except TimeoutError as exc:
            raise BrokerUnavailable(
                f"Kafka at {config.kafka}: {what}: no answer to a deletion of records{admin.why()}"
            ) from exc
        if first < place.offset:
            raise BrokerError(f"{what}: expected to begin at offset {place.offset} after a deletion, got {first}")


def delete_group(config: Config, group: str) -> bool:
    """Forget a consumer group's offsets; False where it is unknown, or not empty yet: the broker forgets it later."""
    admin = Admin(config)
    for future in admin.delete_consumer_groups([group], request_timeout=_TIMEOUT_S).values():
        try:
            future.result(_TIMEOUT_S)
        except (KafkaException, TimeoutError):
            return False
    return True


def end_of(config: Config, topic: str, partition: int) -> int:
    """The offset that the partition's next record will have. Raises BrokerUnavailable, BrokerError."""
    return ends_of(config, [(topic, partition)])[topic, partition]


def ends_of(
    config: Config, partitions: Iterable[tuple[str, int]], admin: Admin | None = None
) -> dict[tuple[str, int], int]:
    """The same of several, by topic and partition. Blocking."""
    admin, latest = admin or Admin(config), OffsetSpec.latest()  # type: ignore[no-untyped-call]
    wanted = {TopicPartition(topic, partition): latest for topic, partition in partitions}
    asked = admin.list_offsets(wanted, request_timeout=_TIMEOUT_S)
    try:
        found = {(at.topic, at.partition): future.result(_TIMEOUT_S) for at, future in asked.items()}
    except KafkaException as exc:
        raise _translated(config, exc, admin) from exc
    except TimeoutError as exc:
        names = ", ".join(sorted({at.topic for at in wanted}))
        raise BrokerUnavailable(
            f"Kafka at {config.kafka}: {names}: expected its end, got no answer{admin.why()}"
        ) from exc
    return {place: int(offset.offset) for place, offset in found.items()}


def _partition_counts(admin: Admin) -> dict[str, int]:
    try:
        metadata = _metadata(admin)
    except KafkaException as exc:
        why = admin.why()  # what it said of its attempts goes to the log, too
        raise BrokerUnavailable(
            f"Kafka: expected a broker to answer within {_TIMEOUT_S:.0f} s, got: {exc.args[0].str()}{why}"
        ) from exc
    return {name: len(topic.partitions) for name, topic in metadata.topics.items() if topic.error is None}


def _metadata(admin: Admin) -> Any:
    """Of all topics. A login that is refused is not waited for: it would be refused again."""
    try:
        return admin.list_topics(timeout=REFUSED_S)
    except KafkaException:
        if admin.is_refused():
            raise
    return admin.list_topics(timeout=_TIMEOUT_S - REFUSED_S)


def _refuse_other_counts(wanted: Layout, existing: dict[str, int]) -> None:
    for name, (count, _) in wanted.items():
        if existing.get(name, count) != count:
            raise ConfigError(
                f"topic {name}: expected {count} partitions (chosen at the first `ft migrate`), got {existing[name]}. "
                "Partitions decide where an asset's history lives: use the broker this database was filled from, "
                "or a new FT_TOPIC_PREFIX and database and a rebuild from raw."
            )


def _create(admin: Admin, missing: Layout, replication: int) -> None:
    """Brokers that are fenced are waited for: they begin, or were too slow to tell the controller that they live."""
    deadline = time.monotonic() + _TIMEOUT_S
    while missing:
        new = [NewTopic(name, count, replication, config=settings) for name, (count, settings) in missing.items()]
        fenced: list[str] = []
        for name, future in admin.create_topics(new, operation_timeout=_TIMEOUT_S).items():
            try:
                future.result(_TIMEOUT_S)
            except KafkaException as exc:
                error = exc.args[0]
                if _is_fenced(error) and time.monotonic() < deadline:
                    fenced.append(name)
                elif error.code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another migration was quicker
                    raise BrokerError(f"topic {name} could not be created: {error.str()}") from exc
        missing = {name: missing[name] for name in fenced}
        if missing:
            time.sleep(_AGAIN_S)


def _once_known(admin: Admin, names: Iterable[str]) -> dict[str, int]:
    """The partitions of every topic there is, these among them. The controller has made them; a broker that is busy
    hears of it a little later, and until then has no such topic. Raises BrokerUnavailable."""
    deadline = time.monotonic() + _TIMEOUT_S
    while unknown := set(names) - (counts := _partition_counts(admin)).keys():
        if time.monotonic() > deadline:
            raise BrokerUnavailable(
                "Kafka: expected every broker to know the topics made just now, after "
                f"{_TIMEOUT_S:.0f} s one does not: "
                f"{', '.join(sorted(unknown))}. Run it again."
            )
        time.sleep(_AT_ONCE_S)
    return counts


def _is_fenced(error: Any) -> bool:
    """Apache Kafka has no code of its own for it; too few brokers for the replication wanted have the same one."""
    return bool(error.code() == KafkaError.INVALID_REPLICATION_FACTOR and "fenced" in error.str())


def _translated(config: Config, exc: KafkaException, admin: Admin, what: str = "") -> BrokerError:
    error: Any = exc.args[0]
    kind = BrokerUnavailable if passes(error) else BrokerError
    why = admin.why() if error.code() in _NO_ANSWER else ""
    return kind(f"Kafka at {config.kafka}: {what}{': ' if what else ''}{error.str()}{why}")
