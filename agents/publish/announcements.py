"""Pure: one stretch of the journal -> the records that announce it. The publisher sends them as they are.

The records of events are written in Avro here, field by field in the order of their .avsc: fixed texts of a stretch
are written once, which takes a fifth of the time of a general encoder. Every value is ASCII (``steps`` saw to it).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ft.agents.ledger.journal import BALANCES_COUNT, Led, Stretch, last_announced
from ft.agents.ledger.posting import NetworkHead
from ft.agents.ledger.unsettled import Marks
from ft.schemas.codec import Codec
from ft.schemas.events import Finality, OwnershipChanged, ReorgDetected, to_record
from ft.schemas.ids import NO_ACCOUNTS, REPEATED, asset_id, asset_uuid_text, transaction_hash
from ft.schemas.standards import SINGLE

Topic: TypeAlias = Literal["ownership_changed", "finality", "reorg_detected", "asset_created"]
TOPICS: Final[tuple[Topic, ...]] = ("ownership_changed", "finality", "reorg_detected", "asset_created")
_VERSION: Final = "\x02"  # schema_version 1
_SHORT: Final = 1 << 14


@dataclass(slots=True, kw_only=True)
class Cursor:
    """A row of ``system.publish_cursor``: how far a partition is announced, and the last seq of each topic."""

    seq: int = 0
    ownership_changed: int = 0
    finality: int = 0
    reorg_detected: int = 0
    asset_created: int = 0


class Announcement(NamedTuple):
    """One record. ``seq`` is that of its journal row, or a head's own."""

    topic: Topic
    seq: int
    value: bytes


class Announcer:
    """Holds the codecs; what it says follows from the rows, the cursor and the marks alone."""

    def __init__(self, codecs: Mapping[Topic, Codec], generation: int = 0) -> None:
        self._codecs = codecs
        self._generation = generation
        self._generation_text = number(generation)
        self._changed_frame = codecs["ownership_changed"].frame.decode("latin-1")
        self._created_frame = codecs["asset_created"].frame.decode("latin-1")

    def announce(self, stretch: Stretch, cursor: Cursor, marks: Marks) -> Iterator[Announcement]:
        """The records of a stretch, in order; ``cursor`` moves with them. Rows at or below it are left out."""
        if stretch.seq_to <= cursor.seq:
            return
        if stretch.op == "finality":
            yield self._finality(stretch, cursor)
        elif stretch.op == "reorg":
            yield self._reorg(stretch, cursor)
        else:
            yield from self._events(stretch, cursor, marks.status(stretch.block.number))

    def _events(self, stretch: Stretch, cursor: Cursor, status: str) -> Iterator[Announcement]:
        c, op, network, block = stretch.columns, text(stretch.op), stretch.network, stretch.block
        network_text = text(network)
        block_text = number(block.number) + text(block.hash) + number(block.time)
        end = f"{block_text}{text(status)}\x01\x01\x01"  # safe, finalized, position: -1
        last_field = self._generation_text
        created_end = f"{block_text}{text(status)}{last_field}"
        stands = f"\x02{number(block.number)}\x02{number(block.time)}"
        echo, led, last = c.echo, stretch.led, last_announced(stretch) if stretch.ends else -1
        row = -1
        rows = zip(
            range(stretch.seq_from, stretch.seq_from + len(c)), stretch.revision, c.tx_hash, c.contract, c.topic0, c.n,
            c.sub_index, c.log_index, c.standard, c.token_id, c.from_account, c.to_account, c.operator, c.quantity,
            strict=True,
        )  # fmt: skip
        for seq, revision, tx, contract, topic0, n, sub, log, standard, token, source, target, by, quantity in rows:
            row += 1
            if seq <= cursor.seq:
                continue
            cursor.seq = seq
            if echo and echo[row]:
                continue  # the movement is announced by the event that counts
            if (one := led.get(row)) is not None:
                holding = _holding(one, standard, source, target, block.number, block.time)
            elif standard in SINGLE:
                holding = f"\x02{text(target)}\x02{text(source)}{stands}"
            else:
                holding = _NO_HOLDING
            ends = _END if row == last or (one is not None and one.block_end) else _NO_END
            asset = asset_id(network, contract, token) if network[:3] == "ton" else f"{network}:{contract}:{token}"
            event = text(f"{network}:{tx}:{contract}:{topic0}:{n}/{sub}")
            minted, burned = source in NO_ACCOUNTS, target in NO_ACCOUNTS
            if quantity == "0" or (minted and burned):
                kind, minted = "\x08none", False
            else:
                kind = "\x08mint" if minted else "\x08burn" if burned else "\x10transfer"
            now, rev = number(seq), number(revision)
            what = f"{text(contract)}{text(token)}{text(standard)}"
            to_text, quantity_text = text(target), text(quantity)
            tx_text = text(tx if REPEATED not in tx else transaction_hash(tx))
            yield Announcement("ownership_changed", seq, (
                f"{self._changed_frame}{_VERSION}{now}{number(cursor.ownership_changed)}{kind}{op}{rev}{event}"
                f"{text(asset)}{network_text}{what}{text(source)}{to_text}"
                f"{_NO_OPERATOR if by is None else _OPERATOR + text(by)}{quantity_text}{tx_text}{number(n)}"
                f"{number(sub)}{number(log)}{end}{holding}{ends}{last_field}"
            ).encode("latin-1"))  # fmt: skip
            cursor.ownership_changed = seq
            if minted:
                yield Announcement("asset_created", seq, (
                    f"{self._created_frame}{_VERSION}{now}{number(cursor.asset_created)}{op}{rev}{event}"
                    f"{text(asset)}{_uuid(asset)}{network_text}{what}{to_text}{quantity_text}{tx_text}{created_end}"
                ).encode("latin-1"))  # fmt: skip
                cursor.asset_created = seq

    def head(self, at: NetworkHead, ownership_seq: int, seq: int, cursor: Cursor) -> Announcement:
        """The record of a head, once every row of the journal up to ``at.after`` is announced: ``ownership_seq`` is
        that of the last record of ownership_changed among them."""
        head = at.head
        record = Finality(
            seq=seq, prev_seq=cursor.finality, network=at.network, head_number=head.number, head_hash=head.hash,
            head_time=at.head_time, safe=head.safe, finalized=head.finalized, position=at.position,
            generation=self._generation, ownership_seq=ownership_seq,
        )  # fmt: skip
        cursor.finality = seq
        return Announcement("finality", seq, self._codecs["finality"].encode(to_record(record)))

    def _finality(self, stretch: Stretch, cursor: Cursor) -> Announcement:
        """A mark has moved over something that was announced."""
        block, control, seq = stretch.block, stretch.control or {}, stretch.seq_from
        marks: dict[str, Any] = {name: control[name] for name in ("safe", "finalized", "position")}
        change = OwnershipChanged(
            seq=seq, prev_seq=cursor.ownership_changed, kind="finality", op="finality", network=stretch.network,
            block_number=block.number, block_hash=block.hash, block_time=block.time,
            finality_status=Marks(marks["safe"], marks["finalized"]).status(block.number),
            generation=self._generation, **marks,
        )  # fmt: skip
        cursor.ownership_changed = cursor.seq = seq
        return Announcement("ownership_changed", seq, self._codecs["ownership_changed"].encode(to_record(change)))

    def _reorg(self, stretch: Stretch, cursor: Cursor) -> Announcement:
        block, control, seq = stretch.block, stretch.control or {}, stretch.seq_from
        reorg = ReorgDetected(
            seq=seq, prev_seq=cursor.reorg_detected, network=stretch.network, from_block=control["from"],
            to_block=control["to"], depth=control["depth"], ancestor=block.number, ancestor_hash=block.hash,
            time=block.time, generation=self._generation,
        )  # fmt: skip
        cursor.reorg_detected = cursor.seq = seq
        return Announcement("reorg_detected", seq, self._codecs["reorg_detected"].encode(to_record(reorg)))


def _holding(led: Led, standard: str, source: str, target: str, block: int, time: int) -> str:
    """The four fields of what a row led to, where it does not say all of it itself."""
    before = source if led.holder_before is None else led.holder_before
    if led.holder == BALANCES_COUNT or (standard not in SINGLE and led.holder is None):
        had_one = standard in SINGLE or led.holder_before is not None
        return f"\x00\x02{text(before)}\x00\x00" if had_one else _NO_HOLDING
    holder = target if led.holder is None else led.holder
    number_of = block if led.holder_block is None else led.holder_block
    time_of = time if led.holder_time is None else led.holder_time
    return f"\x02{text(holder)}\x02{text(before)}\x02{number(number_of)}\x02{number(time_of)}"


def number(value: int) -> str:
    """An Avro int or long, as latin-1 text."""
    zigzag = value << 1 if value >= 0 else (-value << 1) - 1
    if zigzag < _SHORT:
        return _NUMBERS[zigzag]
    return _LOW[zigzag & (_SHORT - 1)] + _rest(zigzag >> 14)


def text(value: str) -> str:
    """An Avro string of ASCII characters, as latin-1 text."""
    return _NUMBERS[len(value) << 1] + value


def _varint(value: int) -> str:
    out = []
    while value > 0x7F:
        out.append(chr(value & 0x7F | 0x80))
        value >>= 7
    return "".join(out) + chr(value)


@lru_cache(maxsize=4096)
def _rest(value: int) -> str:
    return _varint(value)


@lru_cache(maxsize=65536)
def _uuid(asset: str) -> str:
    return text(asset_uuid_text(asset))


_NUMBERS: Final = [_varint(value) for value in range(_SHORT)]
_LOW: Final = [chr(value & 0x7F | 0x80) + chr(value >> 7 | 0x80) for value in range(_SHORT)]
_NO_OPERATOR: Final = "\x00"
_OPERATOR: Final = "\x02"
_NO_HOLDING: Final = "\x00\x00\x00\x00"
_END: Final = "\x02\x01"
_NO_END: Final = "\x02\x00"
