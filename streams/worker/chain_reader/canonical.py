"""The rule: which blocks of a network are canonical after each record of its raw log. Pure.

A record is taken in this order:
1. claim: its offset is the lease in force from here on, and whatever had broken the chain is over.
2. A record that needs a lease (an unfinal append, a revert but for replace, a finalize) is ignored under any other
   lease than the one in force, and while the chain is broken.
3. append: of a canonical block, ignored; its parent must be canonical at height - 1, or nothing below was read.
4. revert: of a block that is not canonical, ignored; it must be the highest and unfinal, or the reason is replace.
5. finalize: of a block that is not canonical, ignored; makes the row and its canonical ancestors final.
Anything else does not fit: a dead letter; if it came under a lease, the chain is broken until the next claim.

Everything follows from the log alone, so that whoever reads it again comes to the same chain.
"""

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from ft.schemas.events import RawBlock
from ft.schemas.proofs import PROOFS, apart, is_word, joined, worth

REPLACE: Final = "replace"
"""Reason of a revert that the operator ordered: it may take final rows too."""
REORG: Final = "reorg"
"""Reason of every other revert."""
HEIGHT_MAX: Final = 2**62
"""Nothing grows that high; what states more is not a block."""
_NAME_MAX: Final = 256
_REASONS_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One row of ingest.blocks that is canonical."""

    number: int
    hash: str
    parent: str
    time: int
    final: bool
    proof: str
    raw_offset: int
    digest: str = ""
    reasons: str = ""
    """Why a part of it stands on the provider's word: words with commas between, sorted."""

    def is_proven(self) -> bool:
        """Whether all of it is."""
        return self.proof == "receipts" and not self.reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """A network's head: what every record that follows from a step carries. Heights are -1 where there is none."""

    head_number: int = -1
    head_hash: str = ""
    head_time: int = 0
    safe: int = -1
    finalized: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A source holds the lease from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """A block became canonical."""

    block: Block
    late: bool = False
    """Below the head: it does not move on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A canonical block was appended again."""

    block: Block
    better_proof: bool
    """By its proof, or by the reasons that lower it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """A block is no longer canonical."""

    block: Block
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalized:
    """These rows are final now; possibly none."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A record that changes nothing, as it should."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfPlace:
    """A record that contradicts the log before it: a dead letter."""

    reason: str
    error: str


Outcome: TypeAlias = Claimed | Appended | Repeated | Reverted | Finalized | Ignored | OutOfPlace


@dataclass(slots=True, kw_only=True)
class Chain:
    """What the fold of one network's raw log knows.

    ``rows`` holds canonical rows by height: at least the highest, the highest final, every unfinal one with all above
    the lowest of them, and those that the coming record names (see :func:`wanted`). More change nothing.
    """

    claim_offset: int = -1
    broken: bool = False
    safe: int = -1
    position: int = -1
    """Offset of the last record taken."""
    late_position: int = -1
    """Offset of the last block that came below the head; -1: none did."""
    rows: dict[int, Block] = field(default_factory=dict)
    head: int = -1
    finalized: int = -1
    lowest_unfinal: int | None = None

    def copy(self) -> "Chain":
        """A chain that can be taken further without changing this one."""
        return replace(self, rows=dict(self.rows))

    def load(self, blocks: list[Block]) -> None:
        """Take rows that are known from before. Raises nothing; a height that is here already is kept."""
        for block in blocks:
            self.rows.setdefault(block.number, block)
        self._survey()

    def marks(self) -> Marks:
        head = self.rows.get(self.head)
        if head is None:
            return Marks()
        return Marks(
            head_number=head.number,
            head_hash=head.hash,
            head_time=head.time,
            safe=self.safe,
            finalized=self.finalized,
        )

    def trim(self) -> None:
        """Forget the rows that no coming record needs unless it names them."""
        floor = self.lowest_unfinal if self.lowest_unfinal is not None else self.head
        keep = {self.head, self.finalized}
        self.rows = {height: row for height, row in self.rows.items() if height >= floor or height in keep}

    def step(self, record: RawBlock, offset: int) -> Outcome:
        """Take the next record of the log."""
        self.position = offset
        if record.op == "claim":
            self.claim_offset, self.broken = offset, False
            return Claimed()
        leased = needs_lease(record)
        if leased and record.lease != self.claim_offset:
            return Ignored(reason=f"lease {record.lease} is not in force: {self.claim_offset} is")
        if leased and self.broken:
            return Ignored(reason="the chain is broken until the next claim")
        outcome = self._take(record, offset)
        if isinstance(outcome, OutOfPlace) and (leased or 0 < record.lease == self.claim_offset):
            self.broken = True
        return outcome

    def _take(self, record: RawBlock, offset: int) -> Outcome:
        if record.op == "append":
            return self._append(record, offset)
        if record.op == "revert":
            return self._revert(record)
        if record.op == "finalize":
            return self._finalize(record)
        return OutOfPlace(
            reason="unknown_op", error=f"op: expected claim, append, revert or finalize, got {record.op!r:.100}"
        )

    def _append(self, record: RawBlock, offset: int) -> Outcome:
        known = self.rows.get(record.height)
        if not 0 <= record.height <= HEIGHT_MAX or not _is_name(record.hash) or not _is_name(record.parent_hash):
            return OutOfPlace(
                reason="no_block",
                error=f"append: expected a height, a hash and a parent, got {record.height}, {record.hash!r:.100}, "
                f"{record.parent_hash!r:.100}",
            )
        if record.proof not in PROOFS:
            return OutOfPlace(
                reason="unknown_proof", error=f"append: proof: expected {', '.join(PROOFS)}, got {record.proof!r:.100}"
            )
        if len(record.reasons) > _REASONS_MAX or not all(map(is_word, record.reasons)):
            return OutOfPlace(
                reason="unknown_reasons",
                error=f"append: reasons: expected at most {_REASONS_MAX} lower-case words, got {record.reasons!r:.100}",
            )
        if known is not None and known.hash == record.hash:
            better = worth(record.proof, record.reasons) > worth(known.proof, apart(known.reasons))
            return Repeated(block=known, better_proof=better)
        if known is not None:
            return OutOfPlace(
                reason="height_taken",
                error=f"append of {record.height}: expected {known.hash}, which is canonical, got {record.hash}",
            )
        parent = self.rows.get(record.height - 1)
        if not record.starts_range and (parent is None or parent.hash != record.parent_hash):
            found = "no block" if parent is None else parent.hash
            return OutOfPlace(
                reason="no_parent",
                error=f"append of {record.height}: expected its parent {record.parent_hash} canonical, got {found}",
            )
        child = self.rows.get(record.height + 1)
        block = Block(
            number=record.height,
            hash=record.hash,
            parent=record.parent_hash,
            time=record.time,
            # What a final block stands on is final, whatever the record knew of it.
            final=record.height <= record.finalized
            or (child is not None and child.final and child.parent == record.hash),
            proof=record.proof,
            raw_offset=offset,
            reasons=joined(record.reasons),
        )
        self.rows[block.number] = block
        late = block.number < self.head
        if late:
            self.late_position = offset
        self.head = max(self.head, block.number)
        if block.final:
            self.finalized = max(self.finalized, block.number)
        elif self.lowest_unfinal is None or block.number < self.lowest_unfinal:
            self.lowest_unfinal = block.number
        self._mark_safe(record.safe)
        return Appended(block=block, late=late)

    def _revert(self, record: RawBlock) -> Outcome:
        block = self.rows.get(record.height)
        if block is None or block.hash != record.hash:
            return Ignored(reason=f"revert of {record.height}: {record.hash!r:.100} is not canonical")
        if record.reason != REPLACE and (block.final or block.number != self.head):
            state = "final" if block.final else f"below the head {self.head}"
            return OutOfPlace(
                reason="not_the_tip",
                error=f"revert of {record.height} {block.hash}: expected the highest block, unfinal; it is {state}",
            )
        del self.rows[block.number]
        self._survey()
        self.safe = max(min(self.safe, self.head), self.finalized)
        return Reverted(block=block, reason=REPLACE if record.reason == REPLACE else REORG)

    def _finalize(self, record: RawBlock) -> Outcome:
        block = self.rows.get(record.height)
        if block is None or block.hash != record.hash:
            return Ignored(reason=f"finalize of {record.height}: {record.hash!r:.100} is not canonical")
        made_final: list[Block] = []
        lowest = self.lowest_unfinal
        while lowest is not None and block is not None and block.number >= lowest:
            if not block.final:
                made_final.append(replace(block, final=True))
            below = self.rows.get(block.number - 1)
            block = below if below is not None and below.hash == block.parent else None
        self.rows.update({row.number: row for row in made_final})
        if made_final:
            self.finalized = max(self.finalized, made_final[0].number)
            self.lowest_unfinal = min((h for h, row in self.rows.items() if not row.final), default=None)
        self._mark_safe(record.safe)
        return Finalized(blocks=tuple(made_final))

    def note(self, block: Block) -> None:
        """Put a canonical row that says more of itself (its digest, a better proof) than the one that is here."""
        self.rows[block.number] = block

    def _mark_safe(self, stated: int) -> None:
        """The record's mark, if it states one, between the final and the highest row."""
        safe = self.safe if stated < 0 else stated
        self.safe = max(min(safe, self.head), self.finalized)

    def _survey(self) -> None:
        self.head = max(self.rows, default=-1)
        self.finalized = max((height for height, row in self.rows.items() if row.final), default=-1)
        self.lowest_unfinal = min((height for height, row in self.rows.items() if not row.final), default=None)


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _NAME_MAX and text.isascii() and text.isprintable()


def needs_lease(record: RawBlock) -> bool:
    """Whether the record may be written by the holder of the lease only."""
    if record.op == "append":
        return record.finalized < record.height
    if record.op == "revert":
        return record.reason != REPLACE
    return record.op == "finalize"


def wanted(record: RawBlock) -> tuple[int, ...]:
    """Heights whose canonical rows :meth:`Chain.step` looks at for this record."""
    if record.op == "append":
        return (record.height - 1, record.height, record.height + 1)
    if record.op in ("revert", "finalize"):
        return (record.height,)
    return ()
