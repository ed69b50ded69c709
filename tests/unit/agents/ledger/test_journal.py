"""Stretches of the journal and their COPY text."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ft.agents.ledger.journal import (
    COLUMNS,
    LED_COLUMNS,
    Led,
    Stretch,
    copy_text,
    last_announced,
    month_of,
    reversed_columns,
)
from ft.agents.ledger.validated_input import Block, Columns

BLOCK = Block(7, "0xb7", 1_704_067_200)
EVENTS = Columns(
    tx_hash=["0x1", "0x2"],
    tx_from=["0xf", "0xf"],
    contract=["0xc", "0xc"],
    topic0=["0xt", "0xt"],
    n=[0, 1],
    sub_index=[0, 2],
    log_index=[4, 5],
    standard=["erc721", "erc1155"],
    token_id=["1", str(2**256 - 1)],
    from_account=["a", ""],
    to_account=["b", "c"],
    operator=[None, "op"],
    quantity=["1", "9"],
)


def stretch() -> Stretch:
    return Stretch(
        partition=3, seq_from=11, network="polygon", block=BLOCK, op="apply", columns=EVENTS, revision=[1, 3]
    )


def lines(*stretches: Stretch) -> list[dict[str, str]]:
    """Of stretches that say all themselves."""
    plain, led = copy_text(stretches)
    assert led == b""
    return read(plain, COLUMNS)


def read(text: bytes, names: Sequence[str]) -> list[dict[str, str]]:
    rows = text.decode().split("\n")
    assert rows.pop() == ""
    return [dict(zip(names, row.split("\t"), strict=True)) for row in rows]


def test_a_row_holds_its_event_and_what_its_block_shares() -> None:
    first, second = lines(stretch())

    shared = {
        "partition": "3", "network": "polygon", "block_number": "7", "block_hash": "0xb7",
        "block_time": "2024-01-01T00:00:00+00:00", "op": "apply", "control": "\\N", "topic0": "0xt", "tx_from": "0xf",
        "contract": "0xc",
    }  # fmt: skip
    assert first == shared | {
        "tx_hash": "0x1", "n": "0", "sub_index": "0", "log_index": "4", "revision": "1", "standard": "erc721",
        "token_id": "1", '"from"': "a", '"to"': "b", "operator": "\\N", "quantity": "1", "seq": "11",
    }  # fmt: skip
    assert second == shared | {
        "tx_hash": "0x2", "n": "1", "sub_index": "2", "log_index": "5", "revision": "3", "standard": "erc1155",
        "token_id": str(2**256 - 1), '"from"': "", '"to"': "c", "operator": "op", "quantity": "9", "seq": "12",
    }  # fmt: skip


def test_a_control_row_has_the_same_columns_and_its_own_json() -> None:
    control = {"safe": 5, "finalized": 4, "position": 99}
    row = replace(stretch(), op="finality", control=control)

    (line,) = lines(row)

    assert json.loads(line["control"]) == control
    assert (line["seq"], line["op"], line["log_index"], line["token_id"], line["tx_hash"]) == (
        "11", "finality", "-1", "\\N", "",
    )  # fmt: skip


def test_stretches_follow_each_other_and_an_empty_one_is_nothing() -> None:
    none = reversed_columns(replace(EVENTS, **{name: [] for name in Columns.__slots__}))
    empty = replace(stretch(), columns=none, revision=[])

    assert copy_text([empty]) == (b"", b"")
    seqs = [line["seq"] for line in lines(stretch(), empty, replace(stretch(), seq_from=13))]
    assert seqs == ["11", "12", "13", "14"]


def test_rows_that_led_to_something_else_say_so_in_a_text_of_their_own() -> None:
    led = replace(stretch(), led={1: Led(holder="d", holder_before="e", holder_block=-1, holder_time=0)})

    plain, text = copy_text([stretch(), led])

    assert len(read(plain, COLUMNS)) == 2
    first, second = read(text, LED_COLUMNS)
    names = ("seq", "holder", "holder_before", "holder_block", "holder_time", "block_end", "echo")
    assert [first[name] for name in names] == ["11", "\\N", "\\N", "\\N", "\\N", "\\N", "f"]
    assert [second[name] for name in names] == ["12", "d", "e", "-1", "0", "\\N", "f"]


def test_the_last_row_that_is_announced_ends_the_block_though_an_echo_follows() -> None:
    echoed = replace(stretch(), columns=replace(EVENTS, echo=[False, True]))

    _, text = copy_text([echoed])

    assert [(row["block_end"], row["echo"]) for row in read(text, LED_COLUMNS)] == [("t", "f"), ("\\N", "t")]
    assert last_announced(echoed) == 0


def test_the_end_of_a_piece_that_was_read_back_ends_no_block() -> None:
    piece = replace(stretch(), columns=replace(EVENTS, echo=[False, True]), ends=False)

    _, text = copy_text([piece])

    assert [row["block_end"] for row in read(text, LED_COLUMNS)] == ["\\N", "\\N"]


def test_a_stretch_knows_its_last_seq() -> None:
    assert stretch().seq_to == 12


def test_events_are_undone_last_first() -> None:
    turned = reversed_columns(EVENTS)

    assert (turned.tx_hash, turned.quantity) == (("0x2", "0x1"), ("9", "1"))


@pytest.mark.parametrize(
    ("time", "month"), [(1_704_067_199, (2023, 12)), (1_704_067_200, (2024, 1)), (1_230_768_000, (2009, 1))]
)
def test_months_are_utc(time: int, month: tuple[int, int]) -> None:
    assert month_of(time) == month
