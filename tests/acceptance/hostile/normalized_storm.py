"""What a partition of ``ledger.normalized`` may hold beside what normalize writes: each with what becomes of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from ft.agents.decode.topics import TRANSFER
from ft.config import Config
from ft.schemas.codec import Codec
from ft.schemas.events import NormalizedBatch, to_record
from tests.acceptance.hostile.garbage import frames, with_wider_numbers
from tests.acceptance.hostile.lane import GENESIS_TIME, NETWORK, digest
from tests.unit.agents.decode.building import ALICE, SENDER, ZERO

ELSEWHERE: Final = "elsewhere"
"""A network of which nobody else writes: its positions are free."""
CONTRACT: Final = "0x" + "ee" * 20
LONG: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Hostile:
    """One record: the reason of its dead letter, or of the hole that it leaves; neither where it changes nothing."""

    what: str
    value: bytes | None
    letter: str = ""
    hole: str = ""


def records(config: Config, codec: Codec, partition: int, height: int) -> Iterator[Hostile]:
    """``height``: of the network's head. All of it says that ALICE mints CONTRACT's token 1."""
    good = NormalizedBatch(
        network=ELSEWHERE, op="append", position=0, partition=partition,
        block_number=1, block_hash=digest("elsewhere"), block_time=GENESIS_TIME, proof="receipts", digest="d",
        tx_hash=[digest("tx")], tx_from=[SENDER], contract=[CONTRACT], topic0=[TRANSFER], n=[0], sub_index=[0],
        log_index=[0], standard=["erc721"], token_id=["1"], from_account=[ZERO], to_account=[ALICE],
        operator=[None], quantity=["1"],
    )  # fmt: skip
    for what, value in frames(config, codec, codec.encode(to_record(good))):
        yield Hostile(what, value, letter="unreadable")
    for what, letter, changed in _refused(partition):
        yield Hostile(what, codec.encode(to_record(replace(good, **changed))), letter=letter)
    for number, (what, hole, changed) in enumerate(_holes()):
        block: dict[str, Any] = {
            "position": number,
            "block_number": number,
            "block_hash": digest(f"hole {number} of {partition}"),
        }
        yield Hostile(what, codec.encode(to_record(replace(good, **block | changed))), hole=hole)
    wide = to_record(replace(good, position=1000, block_number=1000, block_hash=digest(f"wide {partition}")))
    for name in ("n", "sub_index", "log_index"):
        wide |= {"position": wide["position"] + 1, "block_hash": digest(f"{name} {partition}"), name: [2**31]}
        yield Hostile(f"{name} beyond int32", with_wider_numbers(codec, wide, name), hole="bad_value")
        wide[name] = [0]
    backwards = replace(good, network=NETWORK, block_number=height, block_hash=digest("backwards"))
    yield Hostile("a position that goes backwards", codec.encode(to_record(backwards)))
    gone = replace(good, op="revert", position=2000, block_hash=digest("nobody's"))
    yield Hostile("a revert of what is not here", codec.encode(to_record(gone)))


def _refused(partition: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    yield "a later schema version", "unknown_schema_version", {"schema_version": 2}
    yield "an op from the future", "unknown_op", {"op": "explode"}
    yield "an op of a megabyte", "unknown_op", {"op": "\0" * 1_000_000}
    yield "a standard from the future", "unknown_standard", {"standard": ["erc9999"]}
    yield "a proof from the future", "unknown_proof", {"proof": "zk"}
    yield "another partition's", "wrong_partition", {"partition": partition + 1}
    yield "a negative position", "bad_position", {"position": -1}
    yield "a position beyond any", "bad_position", {"position": LONG}
    yield "no network", "bad_network", {"network": ""}
    yield "a network of a megabyte", "bad_network", {"network": "\0" * 1_000_000}
    yield "a head beyond any", "bad_head", {"head_number": LONG}
    yield "a head below none", "bad_head", {"head_number": -LONG}
    yield "a finalized height beyond any", "bad_head", {"finalized": LONG, "op": "watermark"}
    yield "a safe height beyond any", "bad_head", {"safe": LONG, "op": "revert"}
    yield "a block beyond any", "no_block", {"block_number": LONG}
    yield "a negative block", "no_block", {"block_number": -1, "op": "revert"}
    yield "a block without a hash", "no_block", {"block_hash": ""}
    yield "a hash with NUL", "bad_text", {"block_hash": "0x\0"}
    yield "a hash of a megabyte", "bad_text", {"head_hash": "0" * 1_000_000}
    yield "columns of unequal length", "unequal_columns", {"token_id": ["1", "2"]}
    yield "a reason with a line break", "bad_text", {"op": "revert", "reason": "a\nb"}


def _holes() -> Iterator[tuple[str, str, dict[str, Any]]]:
    yield "block time 0", "bad_time", {"block_time": 0}
    yield "block time beyond any", "bad_time", {"block_time": LONG}
    yield "a block time before all", "bad_time", {"block_time": -LONG}
    yield "a token id with a leading zero", "bad_value", {"token_id": ["01"]}
    yield "a token id of 79 digits", "bad_value", {"token_id": ["1" * 79]}
    yield "a token id in other digits", "bad_value", {"token_id": ["\u0663"]}
    yield "a negative quantity", "bad_value", {"quantity": ["-1"]}
    yield "a quantity with an exponent", "bad_value", {"quantity": ["1e9"]}
    yield "no quantity", "bad_value", {"quantity": [""]}
    yield "NUL in a text", "bad_value", {"tx_hash": ["\0"]}
    yield "a tab in a text", "bad_value", {"topic0": ["\t"]}
    yield "a megabyte in a text", "bad_value", {"tx_hash": ["0" * 1_000_000]}
    yield "a negative log index", "bad_value", {"log_index": [-1]}
    yield "an address in capitals", "bad_address", {"contract": ["0x" + "EE" * 20]}
    yield "a short address", "bad_address", {"to_account": ["0x1"]}
    yield "an address of another family", "bad_address", {"from_account": ["0:" + "0" * 64]}
    yield "an operator in the wrong form", "bad_address", {"operator": ["0x" + "g" * 40]}
    twice = {name: 2 * [value] for name, value in _COLUMNS.items()}
    yield "an event that is there twice", "repeated_event", twice


_COLUMNS: Final[dict[str, Any]] = {
    "tx_hash": digest("tx"), "tx_from": SENDER, "contract": CONTRACT, "topic0": TRANSFER, "n": 0, "sub_index": 0,
    "log_index": 0, "standard": "erc721", "token_id": "1", "from_account": ZERO, "to_account": ALICE,
    "operator": None, "quantity": "1",
}  # fmt: skip
