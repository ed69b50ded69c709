"""A block's events by partition."""

from hypothesis import given
from hypothesis import strategies as st

from ft.agents.decode.events import Events
from ft.agents.normalize import slices
from ft.schemas.codec import Codec
from ft.schemas.events import to_record
from ft.schemas.ids import partition_of
from ft.streams.worker.chain_reader.canonical import Block, Marks
from ft.streams.worker.chain_reader.envelope import Envelope


def events(contracts: list[str]) -> Events:
    made = Events()
    for index, contract in enumerate(contracts):
        made.add((f"tx{index}", contract, "topic"), 0, index, "sender", "erc721", [("1", "a", "b", None, "1")])
    return made


BLOCK = Block(number=2**40, hash="0x" + "b" * 64, parent="", time=2**32, final=False, proof="receipts", raw_offset=1)
ENVELOPE = Envelope(network="n", op="append", position=2**40, partition=3, marks=Marks(), block=BLOCK)
CODEC = Codec("normalized_batch", 1, lambda schema_id: {})


def crowd(sizes: dict[str, int], token_id: int, operator: str | None) -> Events:
    """So many events of each contract."""
    made = Events()
    for contract, size in sizes.items():
        moves = [(str(token_id + n), "0x" + "a" * 40, "0x" + "b" * 40, operator, str(token_id)) for n in range(size)]
        made.add(("0x" + "1" * 64, contract, "0x" + "2" * 64), 7, 2**31 - 1, "0x" + "5" * 40, "erc1155", moves)
    return made


def encoded_size(part: Events) -> int:
    return len(CODEC.encode(to_record(slices.record(ENVELOPE, part, "d" * 32))))


@given(
    st.dictionaries(st.sampled_from([f"0x{n:040x}" for n in range(6)]), st.integers(1, 30), min_size=1),
    st.integers(0, 2**256 - 40),
    st.sampled_from([None, "0x" + "c" * 40]),
    st.integers(4_000, 40_000),
)
def test_what_fits_is_never_larger_and_only_the_largest_contracts_are_left_out(
    sizes: dict[str, int], token_id: int, operator: str | None, bytes_max: int
) -> None:
    whole = crowd(sizes, token_id, operator)

    fit, gone = slices.fitting(whole, bytes_max)

    assert not len(fit) or encoded_size(fit) <= bytes_max
    assert {*fit.contract} | gone.keys() == sizes.keys()
    assert not {*fit.contract} & gone.keys()
    assert all(sizes[left_out] >= sizes[kept] for left_out in gone for kept in fit.contract)
    if encoded_size(whole) + 2048 <= bytes_max:
        assert fit is whole


@given(st.lists(st.sampled_from([f"0x{n}" for n in range(9)]), max_size=40), st.integers(1, 8))
def test_every_event_is_in_its_contracts_partition_in_the_order_of_the_chain(contracts: list[str], count: int) -> None:
    parts = slices.split("n", events(contracts), count)

    assert sorted(index for part in parts.values() for index in part.log_index) == list(range(len(contracts)))
    for partition, part in parts.items():
        assert {partition_of(f"n:{contract}", count) for contract in part.contract} == {partition}
        assert part.log_index == sorted(part.log_index)


def test_equal_content_has_an_equal_digest() -> None:
    assert slices.digest(events(["a", "b"])) == slices.digest(events(["a", "b"]))
    assert slices.digest(events(["a", "b"])) != slices.digest(events(["b", "a"]))
