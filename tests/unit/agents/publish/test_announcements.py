"""A journal row and the records that announce it: what is written by hand is what the schema says."""

from dataclasses import replace
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.agents.ledger.journal import BALANCES_COUNT, Led, Stretch
from ft.agents.ledger.posting import NetworkHead
from ft.agents.ledger.unsettled import Marks
from ft.agents.ledger.validated_input import Block, Columns, Head
from ft.agents.publish.announcements import TOPICS, Announcement, Announcer, Cursor, Topic, number
from ft.schemas.codec import Codec
from ft.schemas.events import AssetCreated, OwnershipChanged, to_record
from ft.schemas.families import EVM_ZERO
from ft.schemas.ids import asset_id, asset_uuid, event_id, transaction_hash


def no_other(schema_id: int) -> NoReturn:
    raise AssertionError(schema_id)


CODECS: dict[Topic, Codec] = {name: Codec(name, at, no_other) for at, name in enumerate(TOPICS, 70_000)}
GENERATION = 3
ANNOUNCER = Announcer(CODECS, GENERATION)
texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=256)
accounts = st.sampled_from([EVM_ZERO, "addr_none", "", "0xa", "0xb"]) | texts
ints = st.integers(-(2**31), 2**31 - 1)


@st.composite
def stretches(draw: st.DrawFn) -> Stretch:
    count = draw(st.integers(1, 4))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=count, max_size=count))

    columns = Columns(
        tx_hash=column(texts), tx_from=column(texts), contract=column(texts), topic0=column(texts), n=column(ints),
        sub_index=column(ints), log_index=column(ints), standard=column(st.sampled_from(["erc721", "erc1155"])),
        token_id=column(st.integers(0, 2**256 - 1).map(str)), from_account=column(accounts),
        to_account=column(accounts), operator=column(st.none() | texts),
        quantity=column(st.integers(0, 2**256 - 1).map(str)),
    )  # fmt: skip
    block = Block(draw(st.integers(0, 2**62)), draw(texts), draw(st.integers(0, 2**40)))
    echo = draw(st.just(()) | st.lists(st.booleans(), min_size=count, max_size=count))
    columns = replace(columns, echo=echo)
    leds = st.builds(
        Led, holder=st.none() | st.just(BALANCES_COUNT) | accounts, holder_before=st.none() | accounts,
        holder_block=st.none() | ints, holder_time=st.none() | ints, block_end=st.none() | st.just(True),
    )  # fmt: skip
    return Stretch(
        led=draw(st.dictionaries(st.integers(0, count - 1), leds)), ends=draw(st.booleans()),
        partition=0, seq_from=draw(st.integers(1, 2**62)), network=draw(st.sampled_from(["polygon", "ton"])),
        block=block, op=draw(st.sampled_from(["apply", "revert"])), columns=columns,
        revision=column(st.integers(1, 99)),
    )  # fmt: skip


@given(stretches(), st.integers(0, 2**62), st.integers(0, 2**62))
def test_the_bytes_written_by_hand_are_those_of_the_codec(stretch: Stretch, changed: int, created: int) -> None:
    cursor = Cursor(ownership_changed=changed, asset_created=created)
    status = Marks(safe=50, finalized=20).status(stretch.block.number)

    announced = list(ANNOUNCER.announce(stretch, cursor, Marks(safe=50, finalized=20)))

    assert announced == expected(stretch, changed, created, status)
    assert cursor.seq == stretch.seq_to


def expected(stretch: Stretch, changed: int, created: int, status: str) -> list[Announcement]:
    c, found = stretch.columns, []
    for i in announced_rows(stretch):
        seq, event = stretch.seq_from + i, event_id(
            stretch.network, c.tx_hash[i], c.contract[i], c.topic0[i], c.n[i], c.sub_index[i]
        )  # fmt: skip
        asset = asset_id(stretch.network, c.contract[i], c.token_id[i])
        nobody = (EVM_ZERO, "addr_none", "")
        mint, burn = c.from_account[i] in nobody, c.to_account[i] in nobody
        shared: dict[str, Any] = {
            "seq": seq, "op": stretch.op, "revision": stretch.revision[i], "event_id": event, "asset_id": asset,
            "network": stretch.network, "contract": c.contract[i], "token_id": c.token_id[i], "standard": c.standard[i],
            "to_account": c.to_account[i], "quantity": c.quantity[i], "tx_hash": transaction_hash(c.tx_hash[i]),
            "block_number": stretch.block.number, "block_hash": stretch.block.hash, "block_time": stretch.block.time,
            "finality_status": status, "generation": GENERATION,
        }  # fmt: skip
        change = OwnershipChanged(
            prev_seq=changed, kind=kind_of(mint, burn, c.quantity[i]), **led_to(stretch, i),
            from_account=c.from_account[i], operator=c.operator[i], log_n=c.n[i], sub_index=c.sub_index[i],
            log_index=c.log_index[i], **shared,
        )  # fmt: skip
        found.append(Announcement("ownership_changed", seq, CODECS["ownership_changed"].encode(to_record(change))))
        changed = seq
        if change.kind == "mint":
            asset_created = AssetCreated(prev_seq=created, uuid=str(asset_uuid(asset)), **shared)
            found.append(Announcement("asset_created", seq, CODECS["asset_created"].encode(to_record(asset_created))))
            created = seq
    return found


def announced_rows(stretch: Stretch) -> list[int]:
    echo = stretch.columns.echo
    return [row for row in range(len(stretch)) if not (echo and echo[row])]


def kind_of(mint: bool, burn: bool, quantity: str) -> str:
    if quantity == "0" or (mint and burn):
        return "none"
    return "mint" if mint else "burn" if burn else "transfer"


def led_to(stretch: Stretch, row: int) -> dict[str, Any]:
    """What the row led to: what is said beside it, else what it says itself."""
    c, led, rows = stretch.columns, stretch.led.get(row, Led()), announced_rows(stretch)
    ends: dict[str, Any] = {"block_end": led.block_end or (stretch.ends and row == rows[-1])}
    before = c.from_account[row] if led.holder_before is None else led.holder_before
    if c.standard[row] == "erc1155" and led.holder is None:
        return ends | {"holder_before": led.holder_before}
    if led.holder == BALANCES_COUNT:
        known = c.standard[row] != "erc1155" or led.holder_before is not None
        return ends | {"holder_before": before if known else None}
    return ends | {
        "holder": c.to_account[row] if led.holder is None else led.holder,
        "holder_before": before,
        "holder_block": stretch.block.number if led.holder_block is None else led.holder_block,
        "holder_time": stretch.block.time if led.holder_time is None else led.holder_time,
    }


def test_a_hash_that_came_twice_is_told_as_the_chain_has_it_and_its_event_by_an_id_of_its_own() -> None:
    columns = Columns(
        tx_hash=["0xab~2"], tx_from=["0xa"], contract=["0xc"], topic0=["0xt"], n=[0], sub_index=[0], log_index=[0],
        standard=["erc1155"], token_id=["1"], from_account=[EVM_ZERO], to_account=["0xa"], operator=[None],
        quantity=["1"],
    )  # fmt: skip
    stretch = Stretch(
        partition=0, seq_from=1, network="cronos", block=Block(1, "0xb", 0), op="apply", columns=columns, revision=[1]
    )

    told = [CODECS[record.topic].decode(record.value) for record in ANNOUNCER.announce(stretch, Cursor(), Marks())]

    assert [(record["tx_hash"], record["event_id"]) for record in told] == [("0xab", "cronos:0xab~2:0xc:0xt:0/0")] * 2


@given(stretches(), st.integers(0, 5))
def test_rows_at_or_below_the_cursor_are_left_out(stretch: Stretch, announced: int) -> None:
    cursor = Cursor(seq=stretch.seq_from - 1 + announced)

    seqs = {record.seq for record in ANNOUNCER.announce(stretch, cursor, Marks())}

    assert seqs == {stretch.seq_from + row for row in announced_rows(stretch) if row >= announced}


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_are_avros_zigzag(value: int) -> None:
    from io import BytesIO

    import fastavro

    out = BytesIO()
    fastavro.schemaless_writer(out, {"type": "long"}, value)

    assert number(value).encode("latin-1") == out.getvalue()


def control(op: Any, **values: int) -> Stretch:
    return Stretch(partition=0, seq_from=9, network="polygon", block=Block(40, "0xh", 5), op=op, control=values)


def test_a_finality_row_goes_to_the_subscribers_of_the_events() -> None:
    row = control("finality", safe=38, finalized=30, position=77)

    (only,) = ANNOUNCER.announce(row, cursor := Cursor(finality=3, ownership_changed=8), Marks())

    change = CODECS["ownership_changed"].decode(only.value)
    assert (only.topic, change["prev_seq"], change["kind"], change["block_number"], change["finalized"]) == (
        "ownership_changed", 8, "finality", 40, 30,
    )  # fmt: skip
    assert (cursor.seq, cursor.ownership_changed, cursor.finality) == (9, 9, 3)


def test_a_head_says_after_which_record_of_the_events_it_stands() -> None:
    at = NetworkHead(0, "polygon", Head(40, "0xh", 5, 38, 30), 5, 77, after=9)

    only = ANNOUNCER.head(at, 8, 12, cursor := Cursor(seq=9, finality=3, ownership_changed=8))

    assert only.topic == "finality"
    assert CODECS["finality"].decode(only.value) == {
        "schema_version": 1, "seq": 12, "prev_seq": 3, "network": "polygon", "head_number": 40, "head_hash": "0xh",
        "head_time": 5, "safe": 38, "finalized": 30, "position": 77, "generation": GENERATION, "ownership_seq": 8,
    }  # fmt: skip
    assert (cursor.seq, cursor.finality) == (9, 12)


def test_a_reorg_row_names_its_ancestor() -> None:
    (only,) = ANNOUNCER.announce(control("reorg", **{"from": 45, "to": 41, "depth": 5}), Cursor(), Marks())

    reorg = CODECS["reorg_detected"].decode(only.value)
    assert (reorg["from"], reorg["to"], reorg["depth"], reorg["ancestor"], reorg["ancestor_hash"]) == (
        45, 41, 5, 40, "0xh",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("height", "status"), [(30, "finalized"), (31, "confirmed"), (38, "confirmed"), (39, "pending")]
)
def test_finality_is_that_of_the_partition_at_publishing(height: int, status: str) -> None:
    assert Marks(safe=38, finalized=30).status(height) == status


def test_a_stretch_that_is_announced_says_nothing() -> None:
    row = control("finality", safe=1, finalized=1, position=1)

    assert list(ANNOUNCER.announce(replace(row, seq_from=4), Cursor(seq=4), Marks())) == []
