"""Kafka's bytes -> the driver's records, also where a header's name is no text.

Brokers take any bytes for the name of a header, aiokafka decodes it as UTF-8 and raises: one such record would stop
every worker that reads its partition, for ever. Batches are read by the driver as before; one that it cannot read is
read again with the names spelt as far as they can be.
"""

from collections.abc import Iterator
from typing import Any, Final, cast

from aiokafka.consumer import fetcher  # type: ignore[import-untyped]
from aiokafka.record.default_records import _DefaultRecordBatchPy  # type: ignore[import-untyped]
from aiokafka.record.memory_records import _MemoryRecordsPy  # type: ignore[import-untyped]

_FORMAT: Final = 2
"""Version of the record format that has headers."""


def install() -> None:
    """Have every consumer of this process read like that. Safe to call again."""
    fetcher.MemoryRecords = Records


class Records(_MemoryRecordsPy):
    """What a fetch brought: Python here costs a batch, not a record."""

    def next_batch(self) -> Any:
        data = self._next_slice
        batch = super().next_batch()
        return batch if batch is None or batch.magic < _FORMAT else Batch(batch, data)


class Batch:
    """The driver's batch, and its bytes."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            batch = cast("Any", _DefaultRecordBatchPy(self._data))
            batch._maybe_uncompress()
            batch._buffer = _Loose(batch._buffer)
            return iter(list(batch))


class _Loose(bytearray):
    """Bytes whose slices can always be decoded."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Text(found) if isinstance(at, slice) else found


class _Text(bytes):
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")
