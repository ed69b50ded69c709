"""What a raw topic may hold: each with the reason for which it, or what is in it, is put aside."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from ft.agents.decode.topics import CONSECUTIVE_TRANSFER, TRANSFER, TRANSFER_BATCH
from ft.schemas.events import RawBlock
from tests.acceptance.hostile.lane import Lane, digest, mint, of, part, receipts, single
from tests.unit.agents.decode.building import ALICE, BOB, SENDER, ZERO, Json, log

MAX: Final = 2**256 - 1
COINS: Final = "0x" + "c0" * 20
LATE: Final = "0x" + "1a" * 20
SHARED: Final = "0x" + "5a" * 20
UTF16: Final = '"\\ud800"'


@dataclass(frozen=True, slots=True)
class Hostile:
    """One record. ``holes``: what its block leaves in quarantine, (contract, a part of the error) of each."""

    what: str
    value: RawBlock | bytes | None
    holes: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    """Of its dead letter, where the record is refused whole."""


UNREAD_INDEX = f"0x{0xBEE:040x}"


def blocks(lane: Lane) -> Iterator[Hostile]:
    """Blocks that are part of the chain, whatever they say."""
    sums = [single(COINS, 1, MAX, index) for index in range(9)]
    yield Hostile("nine transfers of 2^256-1 to one account", lane.block(receipts(sums)))
    swapped = [of(LATE, log(TRANSFER, [ALICE, BOB, 1]), 7), of(LATE, log(TRANSFER, [ZERO, ALICE, 1]), 3)]
    yield Hostile("logs out of order", lane.block(receipts(swapped)))
    yield Hostile("two arrays that are one", lane.block(receipts([of(SHARED, batch(0x40, 0x40, 2, 5, 6))])))
    for number, index in enumerate((hex(2**40), "0x" + "f" * 10**6)):
        placed = mint(UNREAD_INDEX, number) | {"logIndex": index}
        yield Hostile("a log index beyond any, which nobody reads in receipts", lane.block(receipts([placed])))
    later = lane.block(receipts([mint(SHARED, 99)]))
    odd = [part("traces", b"\xff", encoding="boc"), part("traces", b"", encoding="later")]
    yield Hostile("parts that are for others", replace(later, parts=[*later.parts, *odd]))
    for number, (what, built, error) in enumerate(_odd_logs()):
        contract = f"0x{0xBAD000 + number:040x}"
        yield Hostile(what, lane.block(receipts([of(contract, built)])), ((contract, error),))
    for what, parts, error in _odd_parts(lane):
        yield Hostile(what, lane.block(parts=parts), (("", error),))
    for at, time in enumerate((0, 1_230_767_999, 4_102_444_800, 2**62)):
        late = lane.block(receipts([mint(SHARED, 300 + at)]), time=time)
        yield Hostile(f"an event at block time {time}", late, (("", "block time: expected 2009 to 2099"),))
        yield Hostile(f"no event at block time {time}", lane.block(time=time))
    yield Hostile(
        "a negative block time", lane.block(time=-(2**63), parts=[lane_header(lane), _none()]), (("", "got"),)
    )


def batch(ids_at: int, values_at: int, *words: int | str) -> Json:
    return log(TRANSFER_BATCH, [SENDER, ZERO, ALICE], [ids_at, values_at, *words])


def lane_header(lane: Lane) -> Any:
    """Of the next block."""
    lane.height += 1
    try:
        return lane.header()
    finally:
        lane.height -= 1


def _none() -> Any:
    return part("receipts", b"[]")


def _odd_logs() -> Iterator[tuple[str, Json, str]]:
    """Logs of NFT events that are not laid out as such: holes of their contract alone."""
    ids = log(CONSECUTIVE_TRANSFER, [0, ZERO, ALICE], [2**255 - 1])
    yield "a range of 2^255 ids", ids, f"at most 10000 ids, got {2**255}"
    yield "a range that ends before it begins", log(CONSECUTIVE_TRANSFER, [5, ZERO, ALICE], [4]), "expected toTokenId"
    yield "unequal arrays", batch(0x40, 0xA0, 2, 5, 6, 1, 7), "expected as many values as ids (2), got 1"
    yield "an offset outside", batch(0x40, MAX, 1, 5), f"got the offset {MAX:#x}"
    yield "a stated length of 2^256-1", batch(0x40, 0x40, MAX, 5), f"got a stated length of {MAX:#x}"
    yield "no offsets at all", log(TRANSFER_BATCH, [SENDER, ZERO, ALICE]), "got 0 bytes of data"
    yield "an address with dirt above it", log(TRANSFER, [ZERO, MAX, 1]), "expected an address (12 zero bytes first)"
    yield "data that is no hex", log(TRANSFER_BATCH, [SENDER, ZERO, ALICE], "0xzz"), "expected data in hex"
    yield "data where there is none", log(TRANSFER, [ZERO, ALICE, 1], [1]), "expected 0 bytes of data, got 32"
    short = mint(COINS, 1)
    yield "a short topic", short | {"topics": [*short["topics"][:3], "0x01"]}, "expected a topic of 32 bytes"
    yield "a topic with NUL", short | {"topics": [*short["topics"][:3], "0x" + "\0" * 64]}, "expected topics in hex"


def _odd_parts(lane: Lane) -> Iterator[tuple[str, list[Any], str]]:
    """Parts that are not what a node says: holes of the whole block. Yielded before their height is taken."""
    deep = b"[" * 500_000
    good = mint(COINS, 1)
    for what, changed, error in (
        ("an address in the wrong form", {"address": "0x1"}, "expected a log's address as 0x and 20 bytes of hex"),
        ("an address with NUL", {"address": "0x" + "\0" * 40}, "expected a log's address"),
        ("a transaction nobody sent", {"transactionHash": digest("nobody")}, "expected the sender of"),
        ("a transaction hash in the wrong form", {"transactionHash": "0x" + "é" * 32}, "a transaction's hash"),
    ):
        yield what, [lane_header(lane), part("receipts", receipts([good | changed]))], error
    for what, parts, error in (
        ("receipts that are no JSON", [lane_header(lane), part("receipts", b"\xff\xfe")], "list of receipts"),
        ("receipts 500,000 arrays deep", [lane_header(lane), part("receipts", deep)], "list of receipts"),
        ("depth in what is skipped", [lane_header(lane), part("receipts", b'[{"x":' + deep)], "recursion"),
        ("half a surrogate", [lane_header(lane), part("receipts", f"[{{{UTF16}:1}}]".encode())], "list of receipts"),
        ("no receipts", [lane_header(lane)], "each once, got block"),
        (
            "receipts and logs",
            [lane_header(lane), _none(), part("logs", b"[]")],
            "each once, got block, receipts, logs",
        ),
        ("receipts twice", [lane_header(lane), _none(), _none()], "each once, got block, receipts, receipts"),
        ("receipts in another encoding", [lane_header(lane), part("receipts", b"", encoding="boc")], "got 'boc'"),
        ("no parts", [], "got none of them"),
    ):
        yield what, parts, error
    yield "another block's header", [part("block", Lane(height=3).header().bytes), _none()], "of the envelope, got"
    huge = json.loads(lane_header(lane).bytes) | {"number": "0x" + "f" * 10**6}
    yield "a height of a million digits", [part("block", json.dumps(huge).encode()), _none()], "a block's number"
    depth = b'[{"logs":' + deep
    yield "deep state-sync", [lane_header(lane), _none(), part("state_sync", depth)], "state-sync"


def refused(lane: Lane, good: RawBlock) -> Iterator[Hostile]:
    """Records that are readable and contradict the log, or what this version knows. They leave no block behind."""

    def at(**changed: Any) -> RawBlock:
        """Of the height that is next."""
        known: dict[str, Any] = {"height": lane.height + 1, "hash": digest("stray"), "finalized": 2**40}
        return replace(good, **known | {"parent_hash": digest(f"{lane.network}{lane.height}")} | changed)

    yield Hostile("a later schema version", at(schema_version=2), reason="unknown_schema_version")
    yield Hostile("an op from the future", at(op="checkpoint"), reason="unknown_op")
    yield Hostile("an op of a megabyte", at(op="\0" * 1_000_000), reason="unknown_op")
    yield Hostile("a proof from the future", at(proof="zk"), reason="unknown_proof")
    yield Hostile("another network's block", at(network="elsewhere"), reason="other_network")
    yield Hostile("a network of a megabyte", at(network="\0" * 1_000_000), reason="other_network")
    yield Hostile("a height beyond any", at(height=2**63 - 1, finalized=2**63 - 1), reason="no_block")
    yield Hostile("a negative height", at(height=-(2**63), finalized=0), reason="no_block")
    yield Hostile("no hash", at(hash=""), reason="no_block")
    yield Hostile("a hash with NUL", at(hash="0x\0"), reason="no_block")
    yield Hostile("a hash of a megabyte", at(hash="0" * 1_000_000), reason="no_block")
    yield Hostile("a parent that is none", at(parent_hash=digest("nobody")), reason="no_parent")
    yield Hostile("another block at a height", at(height=2, finalized=2), reason="height_taken")
    yield Hostile("a lease nobody has", at(finalized=-1, lease=2**62))
    yield Hostile("a revert of nothing", at(op="revert", lease=-1))
    yield Hostile("a finalize of nothing", at(op="finalize", lease=-1, height=2**63 - 1))
    yield Hostile("a replace of nothing", at(op="revert", reason="replace", height=-1))
    yield Hostile("the same block again", good)
