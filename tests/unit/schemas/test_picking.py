"""Fields that are picked are those that the general reader reads, whatever the bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.errors import MalformedRecord
from ft.schemas.codec import Codec, parsed
from ft.schemas.events import OwnershipChanged, to_record
from ft.schemas.picking import picker

CODEC = Codec("ownership_changed", 7, lambda _: parsed("ownership_changed"))
FIELDS = tuple(field["name"] for field in parsed("ownership_changed")["fields"])
LONGS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-200, 200))
TEXTS = st.text(max_size=80)
RECORDS = st.builds(
    OwnershipChanged,
    seq=LONGS, prev_seq=LONGS, kind=TEXTS, op=TEXTS, network=TEXTS, block_number=LONGS, block_hash=TEXTS,
    block_time=LONGS, operator=st.none() | TEXTS, quantity=TEXTS, log_index=st.integers(-(2**31), 2**31 - 1),
    holder=st.none() | TEXTS, holder_block=st.none() | LONGS, block_end=st.none() | st.booleans(),
)  # fmt: skip


def general(value: bytes) -> tuple[Any, ...] | str:
    try:
        record = CODEC.decode(value)
    except MalformedRecord as exc:
        return str(exc)
    return tuple(record[name] for name in FIELDS)


def picked(value: bytes) -> tuple[Any, ...] | str:
    try:
        return CODEC.pick(value, FIELDS)
    except MalformedRecord as exc:
        return str(exc)


@given(RECORDS)
def test_what_is_picked_is_what_is_read(record: OwnershipChanged) -> None:
    value = CODEC.encode(to_record(record))

    assert picked(value) == general(value) == tuple(to_record(record)[name] for name in FIELDS)


@given(RECORDS, st.integers(0, 500), st.binary(max_size=12), st.integers(0, 12))
def test_bytes_that_are_bent_are_picked_or_refused_as_they_are_read(
    record: OwnershipChanged, at: int, put: bytes, gone: int
) -> None:
    value = CODEC.encode(to_record(record))
    at %= len(value)
    bent = value[:at] + put + value[at + gone :]

    assert picked(bent) == general(bent)


def test_the_records_that_are_read_most_are_picked() -> None:
    """Not by the general reader: that would take twice the time, and nobody would see."""
    assert picker(parsed("ownership_changed"), ("seq",)) is not None


@pytest.mark.parametrize("kind", [{"type": "array", "items": "string"}, ["null", "string", "long"], "bytes"])
def test_a_schema_with_another_type_is_the_general_readers(kind: Any) -> None:
    assert picker({"fields": [{"name": "a", "type": kind}]}, ("a",)) is None
