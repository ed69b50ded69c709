"""A raw log -> a domain's own topic: what a domain writes to read blocks, and how the kit reads for it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, ClassVar, TypeAlias

import msgspec

from ft.schemas.chain_batch import batch_schema
from ft.schemas.codec import Codec
from ft.schemas.domains import state_schema
from ft.schemas.events import SCHEMA_VERSION, RawBlock
from ft.schemas.ids import partition_of
from ft.streams.kafka.topics import Topics
from ft.streams.worker.chain_reader.envelope import Envelope, largest
from ft.streams.worker.chain_reader.reader import Decoded, QuarantinedLog, Reading

Event: TypeAlias = Mapping[str, Any]
"""One event, by the field's name."""
_ENVELOPE_BYTES_MAX = 4_096


class ChainReader:
    """What a domain makes of the blocks of raw logs. One instance a network and worker.

    Its topic carries, in the order of the log and each with the raw offset as its position, a block's events for a
    partition (op append), that a block does not count any more (revert), and that there is nothing up to a position
    (watermark). Records may be repeated: a reader drops a position that is not greater than the last.
    """

    consumer: ClassVar[str]
    """Its name in ``system.partition_owner``, metrics and logs; it never changes."""
    topic: ClassVar[str]
    """Without prefix, beginning with the domain's name."""
    families: ClassVar[Sequence[str]] = ("evm",)
    """Of the networks that it reads."""
    fields: ClassVar[Sequence[Mapping[str, Any]]]
    """The fields of an event in Avro."""

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Of its topic's records: the envelope of ledger.normalized, and the events."""
        name = "".join(word.capitalize() for word in cls.topic.replace(".", "_").split("_"))
        return batch_schema(name, cls.fields)

    def decode(self, record: RawBlock, family: str) -> Iterable[Event | QuarantinedLog]:
        """A block's events in the order of the chain; a :class:`QuarantinedLog` for a log that is the domain's and
        cannot be read. Pure: the same record gives the same events. Large blocks are read in a thread.

        Raises MalformedRecord for a block that cannot be read: it is quarantined whole, and the log goes on.
        """
        raise NotImplementedError

    def route(self, network: str, event: Event) -> str:
        """The key by which the event's partition is found: events with the same key stay in their order."""
        raise NotImplementedError


class _Rows:
    """:class:`ChainReader`'s events, a list of them for each partition."""

    def __init__(self, reader: ChainReader, network: str, family: str, codec: Codec) -> None:
        self._reader = reader
        self._network = network
        self._family = family
        self._codec = codec

    def decode(self, record: RawBlock, offset: int, partitions: int) -> Decoded[list[Event]]:
        slices: dict[int, list[Event]] = {}
        quarantined: list[QuarantinedLog] = []
        for each in self._reader.decode(record, self._family):
            if isinstance(each, QuarantinedLog):
                quarantined.append(each)
            else:
                slices.setdefault(partition_of(self._key(each), partitions), []).append(each)
        return Decoded(slices=slices, quarantined=quarantined)

    def digest(self, part: list[Event]) -> str:
        return blake2b(msgspec.json.encode(part, order="deterministic"), digest_size=16).hexdigest()

    def fitting(self, part: list[Event], bytes_max: int) -> tuple[list[Event], Mapping[str, int]]:
        sizes = [len(msgspec.json.encode(event)) for event in part]
        if sum(sizes) + _ENVELOPE_BYTES_MAX <= bytes_max:
            return part, {}
        keys, of_key = list(map(self._key, part)), Counter[str]()
        for key, size in zip(keys, sizes, strict=True):
            of_key[key] += size
        gone = largest(of_key, bytes_max - _ENVELOPE_BYTES_MAX)
        return [event for event, key in zip(part, keys, strict=True) if key not in gone], gone

    def encode(self, envelope: Envelope, part: list[Event] | None, digest: str) -> bytes:
        own = {"schema_version": SCHEMA_VERSION, "digest": digest, "events": part or []}
        return self._codec.encode(envelope.fields() | own)

    def _key(self, event: Event) -> str:
        return self._reader.route(self._network, event)


def reading_for(reader: type[ChainReader], topics: Topics, slug: str, family: str, codec: Codec) -> Reading[Any]:
    """The reading of one network. ``codec``: of the reader's topic."""
    return Reading(
        consumer=reader.consumer, network=slug, raw_topic=topics.raw(slug), topic=f"{topics.own}{reader.topic}",
        events=_Rows(reader(), slug, family, codec), schema=state_schema(reader.consumer),
    )  # fmt: skip
