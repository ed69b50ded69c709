"""The public topics, from their first records -> what a subscriber comes to, by the rule of docs/consuming.md.

The subscriber of ``ft verify``: it knows the topics alone, drops repeats, and notices what is missing. It stops where
the publisher stood in the snapshot that it is compared with. An asset lives in one partition, so one partition is read
at a time and handed over: memory is that of the holdings of the largest one, about half a kilobyte each.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import Any, Final, Self, TypeAlias

from ft.config import Config
from ft.errors import MalformedRecord
from ft.schemas import ids
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import HOLDING
from ft.streams.deployment.generations import Generations
from ft.streams.deployment.identity_check import begins
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.bounded_reader import BoundedReader
from ft.streams.kafka.topics import Topics

FINALITY: Final = "finality"
"""The topic whose records go after a day: each says more than those before, so that none that is missing is a loss."""
TOPICS: Final = ("ownership_changed", FINALITY, "reorg_detected", "asset_created")
_RECORDS: Final = 5000

Asset: TypeAlias = tuple[str, str, str]
"""network, contract, token id"""
Row: TypeAlias = tuple[str, str, str, str, str, int, int]
"""network, contract, token id, slot, account, quantity, block number (single holdings; -1: none, or a balance)"""
Problem: TypeAlias = tuple[str, str, str]
"""What, expected, got."""
OnRecords: TypeAlias = Callable[[str, int, int], None]
"""Told how many of how many records of a topic were read."""


@dataclass(slots=True)
class Holdings:
    """What one partition comes to."""

    owners: dict[Asset, tuple[str, int]] = field(default_factory=dict)
    """Single holdings: account, and block number of the event that it stands on (-1: none)."""
    balances: dict[Asset, dict[str, int]] = field(default_factory=dict)
    """They count where nobody holds the asset alone."""

    def follow(self, change: Mapping[str, Any]) -> None:
        """Take one record of ownership_changed: 1. a head; 2. who holds the token alone, if anybody; 3. a balance
        moves."""
        if change["op"] == "finality":
            return
        asset = (intern(change["network"]), intern(change["contract"]), change["token_id"])
        if change["holder"] is not None:
            self.owners[asset] = (intern(change["holder"]), change["holder_block"])
        elif change["holder_before"] is not None:
            self.owners.pop(asset, None)
        if HOLDING[change["standard"]] == "single":
            return
        quantity = int(change["quantity"]) if change["op"] == "apply" else -int(change["quantity"])
        balances = self.balances.setdefault(asset, {})
        for account, delta in ((change["from"], -quantity), (change["to"], quantity)):
            if account not in NO_ACCOUNTS:
                balances[intern(account)] = balances.get(account, 0) + delta

    def rows(self) -> Iterator[Row]:
        """Every holding that counts, those of zero too."""
        for asset, (account, block_number) in self.owners.items():
            yield (*asset, "", account, 1, block_number)
        for asset, balances in self.balances.items():
            if asset in self.owners:
                continue
            for account, quantity in balances.items():
                yield (*asset, account, account, quantity, -1)


@dataclass(slots=True)
class Told:
    """What was read of one topic and partition, and what was wrong."""

    records: int = 0
    """Those that follow each other; repeats are none."""
    strays: int = 0
    """Not the publisher's: what cannot be read, and what follows a record that is long past."""
    last_seq: int = 0
    problems: list[Problem] = field(default_factory=list)


class Subscriber:
    """Reads the four topics. Leave it to disconnect."""

    def __init__(self, config: Config, on_records: OnRecords) -> None:
        self._config = config
        self._on_records = on_records
        self._names = Topics(config.topic_prefix)
        self._schemas = Schemas(config)
        self._generations = Generations.stored(config)
        self._codecs = {topic: self._schemas.reader(topic) for topic in TOPICS}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._schemas.close()

    def read(self, topic: str, cursors: Mapping[int, int], take: Callable[[int, Told, Holdings], None]) -> None:
        """Read each partition up to the seq of ``cursors`` and hand over what came of it.

        Raises BrokerUnavailable, BrokerError.
        """
        with BoundedReader(self._config, self._name(topic), cursors) as whole:
            bounds, begin = whole.bounds(), begins(self._config, self._name(topic))
            total = sum(end - first for first, end in bounds.values())
            done = 0
            for partition, cursor in sorted(cursors.items()):
                holdings, told = Holdings(), Told()
                first, end = bounds[partition]
                if topic != FINALITY and first > (expected := begin.get(partition, 0)):
                    what = self._at(topic, partition)
                    told.problems.append((what, f"records from offset {expected}", f"from offset {first}"))
                if cursor > 0:
                    self._read(whole, topic, partition, (first, end, cursor), told, holdings, done, total)
                if told.last_seq != cursor and (told.records or topic != FINALITY):
                    told.problems.append(
                        (f"{self._at(topic, partition)}, last seq", f"{cursor}, by the publisher", str(told.last_seq))
                    )
                take(partition, told, holdings)
                done += end - first

    def _read(
        self, whole: BoundedReader, topic: str, partition: int, span: tuple[int, int, int], told: Told,
        holdings: Holdings, done: int, total: int,
    ) -> None:  # fmt: skip
        first, end, cursor = span
        for messages in whole.read({partition: first}, {partition: end}, _RECORDS):
            for message in messages:
                self._take(topic, partition, message.offset, message.value, cursor, told, holdings)
            self._on_records(topic, done + messages[-1].offset + 1 - first, total)
            if told.last_seq >= cursor:
                return

    def _take(
        self, topic: str, partition: int, offset: int, value: bytes | None, cursor: int, told: Told, holdings: Holdings
    ) -> None:
        """1. what cannot be read is put aside; 2. dropped: what a restore took back, a repeat, what came after the
        cursor; 3. what follows a record that is past is put aside; 4. where one is missing, it is told, and what is
        here is taken."""
        where = f"{self._at(topic, partition)}, offset {offset}"
        try:
            record = self._codecs[topic].decode(value)
        except MalformedRecord:
            told.strays += 1
            return
        seq, prev_seq = record["seq"], record["prev_seq"]
        row = record["ownership_seq"] if topic == FINALITY else seq
        if self._generations.is_void(record["generation"], partition, row):
            return
        if seq <= told.last_seq or seq > cursor:
            return
        if topic != FINALITY and prev_seq != told.last_seq:
            if prev_seq < told.last_seq:
                told.strays += 1
                return
            told.problems.append(
                (f"{where}, seq {seq}", f"seq {prev_seq} before it", f"nothing between it and seq {told.last_seq}")
            )
        told.last_seq = seq
        told.records += 1
        try:
            if topic == "ownership_changed":
                holdings.follow(record)
            elif topic == "asset_created" and record["uuid"] != str(ids.asset_uuid(record["asset_id"])):
                uuid = str(ids.asset_uuid(record["asset_id"]))
                told.problems.append((f"{where}, {record['asset_id']}", f"uuid {uuid}", record["uuid"]))
        except (KeyError, ValueError) as exc:
            told.problems.append((where, "a record by the schema", f"{type(exc).__name__}: {exc}"))

    def _name(self, topic: str) -> str:
        return str(getattr(self._names, topic))

    def _at(self, topic: str, partition: int) -> str:
        return f"{self._name(topic)}-{partition}"


def counted(topic: str, partition: int, told: Told, expected: int) -> Sequence[Problem]:
    """Whether the topic holds as many records as the journal has rows for it."""
    if told.records == expected:
        return ()
    return ((f"{topic} in partition {partition}", f"{expected:,} records, by the journal", f"{told.records:,}"),)
