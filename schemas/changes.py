"""ownership_changed, its bytes -> what ``project`` takes from them, or why it cannot."""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from ft.errors import MalformedRecord
from ft.schemas.codec import Codec
from ft.schemas.events import SCHEMA_VERSION, OwnershipChanged
from ft.schemas.standards import HOLDING, SINGLE
from ft.schemas.times import TIME_END

FINALITY: Final = "finality"
"""Kind of the records that are no events."""
KINDS: Final = ("transfer", "mint", "burn")
NONE: Final = "none"
"""Kind of events that moved nothing: they are counted nowhere."""
_KNOWN: Final = frozenset({*KINDS, NONE, FINALITY})
SIGN: Final = {"apply": 1, "revert": -1}
MALFORMED: Final = "malformed_record"
"""Reason of a dead letter whose seq nobody knows (project.sql asks for it by name)."""
TEXT_MAX: Final = 256  # characters, as the ledger's
_BIGINT_FITS: Final = 2**62  # and so does a little more
_INT_MAX: Final = 2**31 - 1


class Change(NamedTuple):
    """The fields of :class:`OwnershipChanged` that ``project`` reads: a third of what the whole one costs."""

    schema_version: int
    seq: int
    prev_seq: int
    kind: str
    op: str
    network: str
    contract: str
    token_id: str
    standard: str
    from_account: str
    to_account: str
    quantity: str
    sub_index: int
    log_index: int
    block_number: int
    block_hash: str
    block_time: int
    safe: int
    finalized: int
    position: int
    holder: str | None
    holder_before: str | None
    holder_block: int | None
    block_end: bool | None
    finality_status: str
    generation: int


AnyChange: TypeAlias = Change | OwnershipChanged
_FIELDS: Final = tuple({"from_account": "from", "to_account": "to"}.get(name, name) for name in Change._fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A record that cannot be projected; it becomes a dead letter and the others go on."""

    reason: str
    error: str
    network: str = ""
    seq: int | None = None
    """None: unknown, so what the next record says of its predecessor cannot be checked."""


def read(codec: Codec, value: bytes | None) -> tuple[Change | Refused, int]:
    """What a record says, and its ``prev_seq`` (-1 where that cannot be read)."""
    try:
        change = Change._make(codec.pick(value, _FIELDS))
    except MalformedRecord as exc:
        return Refused(reason=MALFORMED, error=str(exc)), -1
    return refusal_of(change) or change, change.prev_seq


def refusal_of(change: AnyChange) -> Refused | None:
    """Why a record cannot be projected, or None. An unknown word is put aside, not guessed.

    1. a schema version, kind, op or standard that this code does not know
    2. a number, time or text that the tables could not hold
    """

    def refused(reason: str, expected: str, got: object) -> Refused:
        network = change.network if are_texts((change.network,)) else ""
        error = f"expected {expected}, got {got!r:.{TEXT_MAX}}"
        return Refused(reason=reason, error=error, network=network, seq=change.seq)

    if not 0 < change.seq <= _BIGINT_FITS:
        error = f"seq: expected a position in the journal, got {change.seq}"
        return Refused(reason=MALFORMED, error=error, network=change.network if are_texts((change.network,)) else "")
    if change.schema_version != SCHEMA_VERSION:
        return refused("unknown_schema_version", str(SCHEMA_VERSION), change.schema_version)
    if change.kind not in _KNOWN:
        return refused("unknown_kind", "mint, transfer, burn, none or finality", change.kind)
    holder = change.holder or ""
    texts = (change.network, change.contract, change.from_account, change.to_account, change.block_hash, holder)
    if not are_texts(texts) or not change.network:
        return refused("unfit_value", f"texts of at most {TEXT_MAX} characters", texts)
    if not 0 <= change.block_time < TIME_END:
        return refused("unfit_value", "a block time before 2100, in unix seconds", change.block_time)
    heights = (change.block_number, change.position, change.safe, change.finalized)
    if min(heights) < -1 or max(heights) > _BIGINT_FITS:
        return refused("unfit_value", "block number, position, safe and finalized of at least -1", heights)
    if change.kind == FINALITY:
        return None
    if not 0 <= change.log_index <= _INT_MAX or not 0 <= change.sub_index <= _INT_MAX:
        got = (change.log_index, change.sub_index)
        return refused("unfit_value", f"log_index and sub_index from 0 to {_INT_MAX}", got)
    if change.op not in SIGN:
        return refused("unknown_op", "apply or revert", change.op)
    if change.standard not in HOLDING:
        return refused("unknown_standard", ", ".join(HOLDING), change.standard)
    if not -1 <= (change.holder_block or 0) <= _BIGINT_FITS:
        return refused("unfit_value", "holder_block of at least -1", change.holder_block)
    if not _is_uint(change.token_id) or not _is_uint(change.quantity):
        return refused("unfit_value", "token id and quantity as decimal numbers", (change.token_id, change.quantity))
    ends = change.op == "revert" and change.holder_before is not None  # balances count from now on
    if change.holder is None and change.standard in SINGLE and not ends:
        return refused("no_holder", f"the holder of a token of standard {change.standard}", change.holder)
    return None


def are_texts(texts: tuple[str, ...]) -> bool:
    """Whether the tables can hold them: none has a NUL, or is too long."""
    joined = "".join(texts)  # looked at once: mostly all of them together are short enough
    return "\0" not in joined and (len(joined) <= TEXT_MAX or max(map(len, texts)) <= TEXT_MAX)


def _is_uint(text: str) -> bool:
    return len(text) <= 78 and text.isascii() and text.isdecimal() and (text[0] != "0" or text == "0")
