"""raw -> normalized, a block's events by partition: what one NormalizedBatch carries. Pure."""

from collections import Counter
from dataclasses import fields
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final

from ft.agents.decode.events import Events
from ft.schemas.events import NormalizedBatch
from ft.schemas.ids import partition_of
from ft.streams.worker.chain_reader.envelope import Envelope, largest

COLUMNS: Final = tuple(column.name for column in fields(Events) if column.name != "echo")
"""The columns that every slice has in full, and that its digest is of."""
_CONTRACT: Final = COLUMNS.index("contract")
_NUMBERS: Final = frozenset({"n", "sub_index", "log_index"})
_TEXTS: Final = frozenset(COLUMNS) - _NUMBERS - {"operator"}
_EVENT_BYTES_MAX: Final = 560
_ENVELOPE_BYTES_MAX: Final = 2048
_VARINT_ENDS: Final = (64, 8192, 1_048_576, 134_217_728)
_VALUES: Final = "\x1f"
_END: Final = "\x1e"
_ROUTES_MAX: Final = 16_384


def split(network: str, events: Events, partitions: int) -> dict[int, Events]:
    """The events of each partition that has any, in the order of the chain."""
    route = {contract: _route(network, contract, partitions) for contract in set(events.contract)}
    if len(used := sorted(set(route.values()))) <= 1:
        return {used[0]: events} if used else {}
    rows: dict[int, list[int]] = {partition: [] for partition in used}
    for row, contract in enumerate(events.contract):
        rows[route[contract]].append(row)
    return {partition: _pick(events, picked) for partition, picked in rows.items()}


@lru_cache(maxsize=_ROUTES_MAX)
def _route(network: str, contract: str, partitions: int) -> int:
    return partition_of(f"{network}:{contract}", partitions)


def _pick(events: Events, rows: list[int]) -> Events:
    echo = [events.echo[row] for row in rows] if events.echo else []
    if not any(echo):
        echo = []
    if len(rows) < 2:  # itemgetter would not give a tuple
        return Events(**{name: [getattr(events, name)[row] for row in rows] for name in COLUMNS}, echo=echo)
    pick = itemgetter(*rows)
    return Events(**{name: list(pick(getattr(events, name))) for name in COLUMNS}, echo=echo)


def fitting(events: Events, bytes_max: int) -> tuple[Events, dict[str, int]]:
    """The events without those of the contracts that make their record too large, largest first; and how many bytes
    each of those contracts takes. Nothing is encoded to find out: that would be the memory to be saved."""
    if len(events) * _EVENT_BYTES_MAX + _ENVELOPE_BYTES_MAX <= bytes_max:
        return events, {}
    sizes = Counter[str]()
    for row in zip(*(getattr(events, name) for name in COLUMNS), strict=True):
        sizes[row[_CONTRACT]] += sum(map(_size, row)) + 1
    gone = largest(sizes, bytes_max - _ENVELOPE_BYTES_MAX)
    if not gone:
        return events, {}
    return _pick(events, [row for row, contract in enumerate(events.contract) if contract not in gone]), gone


def _size(value: str | int | None) -> int:
    """Bytes of a field in Avro; an operator that is there takes one more."""
    if value is None:
        return 1
    if isinstance(value, int):
        return 1 + sum(value >= end for end in _VARINT_ENDS)
    return len(value) + (1 if len(value) < _VARINT_ENDS[0] else 2)


def digest(events: Events) -> str:
    """blake2b-16 of the columns, hex: equal for equal content, whatever proved it."""
    columns = []
    for name in COLUMNS:
        column = getattr(events, name)
        texts = map(str, column) if name in _NUMBERS else column if name in _TEXTS else [v or "" for v in column]
        columns.append(_VALUES.join(texts))
    return blake2b(_END.join([*columns, ""]).encode(), digest_size=16).hexdigest()


def record(envelope: Envelope, events: Events | None, content: str) -> NormalizedBatch:
    """A block's slice for one partition with its digest, or a control record.

    append: the slice; revert: whatever the partition holds of the block is retracted; watermark: nothing for this
    partition up to the position, this is where the network's head stands.
    """
    columns: dict[str, Any] = {}
    if events is not None:
        columns = {name: getattr(events, name) for name in COLUMNS} | {"echo": events.echo, "digest": content}
    return NormalizedBatch(**envelope.fields(), **columns)
