"""Batches as a broker gives them, with header names that are text and such that are none."""

from typing import Any

import pytest
from aiokafka.record.default_records import (  # type: ignore[import-untyped]
    DefaultRecordBatch,
    DefaultRecordBatchBuilder,
    _DefaultRecordBatchBuilderPy,
)

from ft.streams.worker.headers import Records

GZIP, NONE = 1, 0


class NoText(str):
    """A name that a client of another language wrote."""

    def encode(self, *_: Any) -> bytes:
        return b"\xff\xfe"


def batch(builder: Any, names: list[str], compression: int) -> bytes:
    made = builder(2, compression, False, -1, -1, -1, 1 << 20)
    for offset, name in enumerate(names):
        made.append(offset, offset, b"key", b"value %d" % offset, [(name, b"x"), ("after", None)])
    return bytes(made.build())


def read(data: bytes) -> list[tuple[Any, ...]]:
    records, found = Records(data), []
    while records.has_next():
        found += [(r.offset, r.key, r.value, r.headers) for r in records.next_batch()]
    return found


@pytest.mark.parametrize("compression", [NONE, GZIP])
def test_a_header_name_that_is_no_text_is_spelt_and_the_records_around_it_are_read(compression: int) -> None:
    data = batch(_DefaultRecordBatchBuilderPy, ["a", NoText("b"), "c"], compression)
    with pytest.raises(UnicodeDecodeError):
        list(DefaultRecordBatch(data))

    found = read(data + batch(DefaultRecordBatchBuilder, ["d"], compression))

    names = [headers[0][0] for _, _, _, headers in found]
    assert names == ["a", "\\xff\\xfe", "c", "d"]
    assert [(offset, value) for offset, _, value, _ in found] == [(n, b"value %d" % n) for n in (0, 1, 2)] + [
        (0, b"value 0")
    ]
    assert all(type(value) is bytes and headers[1] == ("after", None) for _, _, value, headers in found)


@pytest.mark.parametrize("compression", [NONE, GZIP])
def test_ordinary_batches_are_read_as_the_driver_reads_them(compression: int) -> None:
    data = batch(DefaultRecordBatchBuilder, ["a", "é", ""], compression)

    found = read(data)

    assert found == [(r.offset, r.key, r.value, r.headers) for r in DefaultRecordBatch(data)]
