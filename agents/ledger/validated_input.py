"""Pure: a normalized record -> the step it asks of the ledger, or why it is refused.

Nothing that comes from outside may stop a partition: whatever Postgres would choke on is found here.
1. a record that breaks the rules of its topic is refused whole (a dead letter)
2. a slice with a value that no journal row can hold, or with an impossible time, is quarantined whole
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from ft.errors import FtError
from ft.schemas.events import SCHEMA_VERSION
from ft.schemas.families import Family, family_of
from ft.schemas.ids import REPEATED, network_slug
from ft.schemas.standards import HOLDING
from ft.schemas.times import in_range

PROOFS: Final = ("receipts", "logs", "none")
_TEXT_MAX: Final = 256  # characters: several of them must fit into one index entry of 2,700 bytes
_DIGITS_MAX: Final = 78
_TEXTS: Final = ("tx_hash", "tx_from", "contract", "topic0", "from", "to")
_NUMBERS: Final = ("token_id", "quantity")
_COLUMNS: Final = (*_TEXTS, *_NUMBERS, "n", "sub_index", "log_index", "standard", "operator")
_HEIGHT_MAX: Final = 2**62
"""Of heights, offsets and marks: what is above is none, and a little more would not fit into Postgres."""
_INT_MAX: Final = 2**31 - 1


class Head(NamedTuple):
    """A network's head after a step, as the record says it: heights are -1 and time 0 where unknown."""

    number: int = -1
    hash: str = ""
    time: int = 0
    safe: int = -1
    finalized: int = -1


class Block(NamedTuple):
    """``time`` in unix seconds."""

    number: int
    hash: str
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The events of a slice or of a stretch of the journal, one list a field, all of one length."""

    tx_hash: Sequence[str]
    tx_from: Sequence[str]
    contract: Sequence[str]
    topic0: Sequence[str]
    n: Sequence[int]
    sub_index: Sequence[int]
    log_index: Sequence[int]
    standard: Sequence[str]
    token_id: Sequence[str]
    from_account: Sequence[str]
    to_account: Sequence[str]
    operator: Sequence[str | None]
    quantity: Sequence[str]
    echo: Sequence[bool] = ()
    """Whether another event of the transaction tells the same movement, which then counts; empty: none does."""

    def __len__(self) -> int:
        return len(self.tx_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatedInput:
    """What every readable record says."""

    network: str
    position: int
    partition: int
    head: Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Append(ValidatedInput):
    block: Block
    proof: str
    digest: str
    columns: Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Revert(ValidatedInput):
    block: Block
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark(ValidatedInput):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedSlice(ValidatedInput):
    """An append whose slice goes to ``ingest.quarantine`` instead of the journal; the network's head moves on."""

    block: Block
    contract: str
    reason: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A record that goes to ``system.dlq``, and changes nothing else."""

    network: str
    reason: str
    error: str


AnyInput: TypeAlias = Append | Revert | Watermark | QuarantinedSlice | Refused


def read(record: Mapping[str, Any], partition: int) -> AnyInput:
    """The step of a decoded ``NormalizedBatch`` that was read from ``partition``."""
    try:
        network = network_slug(record["network"])
    except FtError as exc:
        return Refused(network="", reason="bad_network", error=str(exc)[:500])
    broken = _broken_rule(record, partition)
    if broken is not None:
        return Refused(network=network, reason=broken[0], error=broken[1][:500])
    head = Head(record["head_number"], record["head_hash"], record["head_time"], record["safe"], record["finalized"])
    position, op = record["position"], record["op"]
    if op == "watermark":
        return Watermark(network=network, position=position, partition=partition, head=head)
    block = Block(record["block_number"], record["block_hash"], record["block_time"])
    if op == "revert":
        reason = record["reason"]
        return Revert(network=network, position=position, partition=partition, head=head, block=block, reason=reason)
    columns = _columns(record)
    quarantined = _quarantine_reason(columns, block, family_of(network))
    if quarantined is not None:
        return QuarantinedSlice(
            network=network,
            position=position,
            partition=partition,
            head=head,
            block=block,
            contract=_only(columns.contract),
            reason=quarantined[0],
            error=quarantined[1][:500],
        )
    return Append(
        network=network,
        position=position,
        partition=partition,
        head=head,
        block=block,
        proof=record["proof"],
        digest=record["digest"],
        columns=columns,
    )


def _broken_rule(record: Mapping[str, Any], partition: int) -> tuple[str, str] | None:
    op, position, version = record["op"], record["position"], record["schema_version"]
    if version != SCHEMA_VERSION:
        return "unknown_schema_version", f"schema_version: expected {SCHEMA_VERSION}, got {version}: update this worker"
    if op not in ("append", "revert", "watermark"):
        return "unknown_op", f"op: expected append, revert or watermark, got {op!r}"
    if record["partition"] != partition:
        return "wrong_partition", f"partition: expected {partition}, where it was read, got {record['partition']}"
    if not 0 <= position <= _HEIGHT_MAX:
        return "bad_position", f"position: expected an offset, got {position}"
    marks = (record["head_number"], record["safe"], record["finalized"])
    if not all(-1 <= mark <= _HEIGHT_MAX for mark in marks):
        return "bad_head", f"head_number, safe, finalized: expected heights, or -1, got {marks}"
    texts = [record[name] for name in ("block_hash", "head_hash", "proof", "digest", "reason")]
    if not _clean(texts):
        return "bad_text", f"block_hash, head_hash, proof, digest, reason: expected short plain text, got {texts!r}"
    if op == "watermark":
        return None
    if not 0 <= record["block_number"] <= _HEIGHT_MAX or not record["block_hash"]:
        got = f"{record['block_number']}, {record['block_hash']!r}"
        return "no_block", f"{op}: expected the block's number and hash, got {got}"
    if op == "revert":
        return None
    if record["proof"] not in PROOFS:
        return "unknown_proof", f"proof: expected one of {', '.join(PROOFS)}, got {record['proof']!r}"
    lengths = {name: len(record[name]) for name in _COLUMNS}
    if len(set(lengths.values())) != 1:
        return "unequal_columns", f"columns: expected one length, got {lengths}"
    if len(record["echo"]) not in (0, lengths["n"]):
        return "unequal_columns", f"echo: expected nothing or {lengths['n']} values, got {len(record['echo'])}"
    if unknown := sorted(set(record["standard"]) - HOLDING.keys()):
        return "unknown_standard", f"standard: expected one of {', '.join(HOLDING)}, got {unknown!r}"
    return None


def _columns(record: Mapping[str, Any]) -> Columns:
    return Columns(
        tx_hash=record["tx_hash"],
        tx_from=record["tx_from"],
        contract=record["contract"],
        topic0=record["topic0"],
        n=record["n"],
        sub_index=record["sub_index"],
        log_index=record["log_index"],
        standard=record["standard"],
        token_id=record["token_id"],
        from_account=record["from"],
        to_account=record["to"],
        operator=record["operator"],
        quantity=record["quantity"],
        echo=record["echo"],
    )


def _quarantine_reason(columns: Columns, block: Block, family: Family) -> tuple[str, str] | None:
    if not in_range(block.time):
        return "bad_time", f"block time: expected 2009 to 2099, got {block.time} (unix seconds)"
    if not len(columns):
        return None
    for name in _NUMBERS:
        if not _decimal(getattr(columns, name)):
            return "bad_value", f"{name}: expected decimal numbers of at most {_DIGITS_MAX} digits"
    positions = (columns.n, columns.sub_index, columns.log_index)
    if not all(min(column) >= 0 and max(column) <= _INT_MAX for column in positions):
        return "bad_value", f"n, sub_index, log_index: expected 0 to {_INT_MAX}"
    operators = [operator for operator in columns.operator if operator is not None]
    accounts = [*columns.tx_from, *columns.contract, *columns.from_account, *columns.to_account, *operators]
    canonical = family.are_canonical is not None and family.are_canonical(accounts)  # and clean, then
    if not _clean([*columns.tx_hash, *columns.topic0, *(() if canonical else accounts)]):
        return "bad_value", f"{', '.join(_TEXTS)}, operator: expected plain text of at most {_TEXT_MAX} characters"
    if REPEATED in "".join(columns.tx_hash):
        return "bad_value", f"tx_hash: expected hashes without {REPEATED!r}, which is put behind those that come twice"
    if family.are_canonical is not None and not canonical:
        return "bad_address", f"tx_from, contract, from, to, operator: expected {family.expected} in lower case"
    ids = set(zip(columns.tx_hash, columns.contract, columns.topic0, columns.n, columns.sub_index, strict=True))
    if len(ids) != len(columns):
        return "repeated_event", f"event ids: expected {len(columns)} different ones in the slice, got {len(ids)}"
    return None


def _decimal(column: Sequence[str]) -> bool:
    """All are digits, none is empty or has a leading zero: one number has one spelling."""
    lines = "\n".join(["", *column, ""])
    digits = lines.replace("\n", "")
    return (
        digits.isascii()
        and digits.isdigit()
        and len(lines) - len(digits) == len(column) + 1
        and "\n\n" not in lines
        and lines.count("\n0") == column.count("0")
        and max(map(len, column)) <= _DIGITS_MAX
    )


def _clean(texts: Sequence[str]) -> bool:
    """Plain ASCII without what COPY and array literals give a meaning to, short enough for an index."""
    joined = "".join(texts)
    if not joined.isascii() or (texts and max(map(len, texts)) > _TEXT_MAX):
        return False
    return not any(char in joined for char in '\t\n\r\\"\0')


def _only(contracts: Sequence[str]) -> str:
    """The one contract of a slice; '' where there are several, or it is not fit to be stored."""
    return contracts[0] if len(set(contracts)) == 1 and _clean(contracts[:1]) else ""
