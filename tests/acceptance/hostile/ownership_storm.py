"""What a partition of ``ledger.ownership_changed`` may hold beside what the publisher writes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from ft.config import Config
from ft.schemas.codec import Codec
from ft.schemas.events import OwnershipChanged, to_record
from tests.acceptance.hostile.garbage import frames, with_wider_numbers
from tests.acceptance.hostile.lane import GENESIS_TIME, digest
from tests.acceptance.hostile.normalized_storm import CONTRACT, ELSEWHERE, LONG, Hostile
from tests.unit.agents.decode.building import ALICE, ZERO

MALFORMED: Final = "malformed_record"


def records(config: Config, codec: Codec, last_seq: int) -> Iterator[Hostile]:
    """``last_seq``: of the last record read. All of it says that ALICE mints CONTRACT's token 1."""
    good = OwnershipChanged(
        seq=last_seq, prev_seq=max(0, last_seq - 1), kind="mint", op="apply", network=ELSEWHERE, block_number=1,
        block_hash=digest("elsewhere"), block_time=GENESIS_TIME, event_id="e", asset_id="a", contract=CONTRACT,
        token_id="1", standard="erc721", from_account=ZERO, to_account=ALICE, quantity="1", tx_hash=digest("tx"),
        log_index=0, holder=ALICE, holder_before=ZERO, holder_block=1, holder_time=GENESIS_TIME, block_end=True,
    )  # fmt: skip
    for what, value in frames(config, codec, codec.encode(to_record(good))):
        yield Hostile(what, value, letter=MALFORMED)
    for what, letter, changed in _refused():
        yield Hostile(what, codec.encode(to_record(replace(good, **changed))), letter=letter)
    wide = to_record(good) | {"log_index": 2**40}
    yield Hostile("a log index beyond int32", with_wider_numbers(codec, wide, "log_index"), "unfit_value")
    yield Hostile("a record that was read before", codec.encode(to_record(good)))
    if last_seq > 1:
        ahead = replace(good, seq=2**61, prev_seq=last_seq - 1)
        yield Hostile("a seq far ahead that follows nothing", codec.encode(to_record(ahead)), letter="out_of_order")


def _refused() -> Iterator[tuple[str, str, dict[str, Any]]]:
    yield "no seq", MALFORMED, {"seq": 0}
    yield "a negative seq", MALFORMED, {"seq": -LONG}
    yield "a seq beyond any", MALFORMED, {"seq": LONG}
    yield "a later schema version", "unknown_schema_version", {"schema_version": 2}
    yield "a kind from the future", "unknown_kind", {"kind": "fractionalised"}
    yield "an op from the future", "unknown_op", {"op": "amend"}
    yield "a standard from the future", "unknown_standard", {"standard": "erc9999"}
    yield "a network with NUL", "unfit_value", {"network": "\0"}
    yield "a contract of a megabyte", "unfit_value", {"contract": "0" * 1_000_000}
    yield "a block time before 1970", "unfit_value", {"block_time": -1}
    yield "a block time beyond any", "unfit_value", {"block_time": LONG}
    yield "a block beyond any", "unfit_value", {"block_number": LONG}
    yield "a block below none", "unfit_value", {"block_number": -LONG}
    yield "a position beyond any", "unfit_value", {"kind": "finality", "position": LONG}
    yield "a finalized height beyond any", "unfit_value", {"kind": "finality", "finalized": LONG}
    yield "a negative log index", "unfit_value", {"log_index": -5}
    yield "a token id with a leading zero", "unfit_value", {"token_id": "01"}
    yield "a token id of 79 digits", "unfit_value", {"token_id": "1" * 79}
    yield "a quantity that is no number", "unfit_value", {"quantity": "NaN"}
    yield "a negative quantity", "unfit_value", {"quantity": "-1"}
