"""Pure: the steps of a batch -> what one transaction writes. Knows the five rules of the ledger, no SQL, no clock.

Step by step, in order:
1. a step at or below the partition's position for its network is dropped, before any other rule
2. a run of reverts that ends is announced by one control row, in one partition a network
3. a slice is applied iff its block is absent or reverted here; transactions whose hash is live under another block
   get a name of their own (``repeats``)
4. a slice is reverted iff it is applied with that hash: its rows again, last first, with the next revision
5. head and marks are copied
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple, TypeAlias

from ft.agents.ledger.journal import Stretch, reversed_columns
from ft.agents.ledger.repeats import CopyKey, Hashes, Repeats
from ft.agents.ledger.unsettled import Marks, Unsettled
from ft.agents.ledger.validated_input import (
    AnyInput,
    Append,
    Block,
    Columns,
    Head,
    QuarantinedSlice,
    Refused,
    Revert,
    Watermark,
)
from ft.schemas.ids import control_partition
from ft.schemas.times import TIME_MIN, in_range

NetworkKey: TypeAlias = tuple[int, str]
"""partition, network"""
SliceKey: TypeAlias = tuple[int, str, str]
"""partition, network, block hash"""
EventKey: TypeAlias = tuple[str, str, str, str, int, int]
"""network, tx_hash, contract, topic0, n, sub_index"""

NO_HEAD: Final = Head()
UNFINAL_BLOCKS_MAX: Final = 4096
"""Heights below the head whose transactions are remembered where a network names no final block."""


@dataclass(slots=True, kw_only=True)
class PartitionHead:
    """A row of ``system.partition_head``: how far a partition has read a network."""

    position: int = -1
    head: Head = NO_HEAD
    head_time: int = TIME_MIN
    """Of the head, or the last one that the journal has a month for. Unix seconds."""
    reorg_from: int | None = None
    reorg_to: int | None = None
    reverted_max: int = -1
    """The highest height that was ever reverted: a partition that had nothing there had it for its head."""
    told: Marks = field(default_factory=Marks)
    """The marks of the last head: of nothing that they moved over is there more to say."""
    unsettled: Unsettled = field(default_factory=Unsettled)
    moved: bool = False
    """Rows of its events were written since the last head: in the topic they stand behind it."""

    def unfinal_from(self) -> int:
        """The lowest height whose transactions are remembered."""
        return max(self.head.finalized + 1, self.head.number - UNFINAL_BLOCKS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A row of ``ledger.applied_blocks``."""

    applied: bool
    block: Block
    digest: str
    proof: str
    seq_from: int
    seq_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the ledger holds of the things that a batch names."""

    partition_heads: Mapping[NetworkKey, PartitionHead]
    slices: Mapping[SliceKey, Slice]
    rows: Mapping[SliceKey, tuple[Columns, Sequence[int]]]
    """Events and revisions of the slices that may be reverted."""
    retracted: Mapping[EventKey, int]
    """Highest retracted revision."""
    live: Mapping[NetworkKey, Mapping[bytes, str]]
    """Digest of a transaction's hash -> the unfinal block under which it is live, of networks that are not asked."""
    next_seq: Mapping[int, int]
    claimed: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Partition -> its claim's epoch and times."""
    hashes: Hashes = field(default_factory=Hashes)
    """What the journal says of the batch's transactions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterOf:
    """A record for ``system.dlq``; ``index`` is that of its step."""

    index: int
    refused: Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A slice for ``ingest.quarantine``; ``index`` is that of its step."""

    index: int
    slice: QuarantinedSlice


class NetworkHead(NamedTuple):
    """A head to announce. It is no row of the journal: where it is forgotten, a newer one says more."""

    partition: int
    network: str
    head: Head
    head_time: int
    """As :attr:`PartitionHead.head_time`."""
    position: int
    after: int
    """Seq of the partition's last row before it: of the network nothing lies between that row and this head."""
    claimed: tuple[int, int] = (0, 0)
    """The claim's epoch and times: what was to be announced before the group took the partition away is old by now."""


@dataclass(slots=True, kw_only=True)
class Posting:
    """Everything one transaction writes, and what the cache learns from it."""

    stretches: list[Stretch] = field(default_factory=list)
    late: set[int] = field(default_factory=set)
    """Positions in ``stretches`` of those at or below the head that the partition had, and of retractions below it:
    rows may stand above them."""
    late_seqs: dict[tuple[str, str], int] = field(default_factory=dict)
    """(network, contract) -> seq of its last event that is announced and was taken back, or came at or below a head
    that the partition had at any time: counters that were those of that head, whoever counts, are not without it."""
    partition_heads: dict[NetworkKey, PartitionHead] = field(default_factory=dict)
    heads: list[NetworkHead] = field(default_factory=list)
    """To announce."""
    slices: dict[SliceKey, Slice] = field(default_factory=dict)
    retracted: dict[EventKey, tuple[int, int, int]] = field(default_factory=dict)
    """Event -> revision of the retraction, partition, seq."""
    dead: list[DeadLetterOf] = field(default_factory=list)
    quarantined: list[Quarantine] = field(default_factory=list)
    reverts: list[Revert] = field(default_factory=list)
    copies: dict[CopyKey, bool] = field(default_factory=dict)
    """Of transactions that have been live twice: whether each copy is live now."""
    unfinal: dict[SliceKey, list[bytes]] = field(default_factory=dict)
    """Digests of the transactions of the unfinal slices that were applied, where hashes are not asked for."""
    next_seq: dict[int, int] = field(default_factory=dict)


def post(steps: Iterable[AnyInput], known: Known, partitions: int) -> Posting:
    """What the steps, in order, write on top of what is known. ``partitions``: of the ledger's topics."""
    poster = _Poster(known, partitions)
    for index, step in enumerate(steps):
        poster.take(index, step)
    return poster.posting


def announce(posting: Posting, known: Known, keys: Iterable[NetworkKey]) -> None:
    """Say where each of the keys stands, after everything else of its partition."""
    poster = _Poster(known, 1, posting)
    for key in keys:
        poster.finality(key, poster.partition_head(key))


def event_keys(network: str, columns: Columns) -> list[EventKey]:
    """The natural keys of all events of a slice, in order."""
    c = columns
    return [(network, *key) for key in zip(c.tx_hash, c.contract, c.topic0, c.n, c.sub_index, strict=True)]


class _Poster:
    def __init__(self, known: Known, partitions: int, posting: Posting | None = None) -> None:
        self.known = known
        self.partitions = partitions
        self.posting = posting or Posting(next_seq=dict(known.next_seq))
        self.repeats = Repeats(known.hashes, known.live, self.posting.copies)

    def take(self, index: int, step: AnyInput) -> None:
        if isinstance(step, Refused):
            self.posting.dead.append(DeadLetterOf(index=index, refused=step))
            return
        key = (step.partition, step.network)
        partition_head = self.partition_head(key)
        if step.position <= partition_head.position:
            return
        if partition_head.reorg_from is not None and not _continues(step, partition_head):
            self._end_reorg(key, partition_head)
        match step:
            case Append():
                self._apply(step, partition_head)
            case QuarantinedSlice():
                self.posting.quarantined.append(Quarantine(index=index, slice=step))
            case Revert():
                self._revert(step, partition_head)
            case Watermark():
                pass
        before, after = partition_head.head, step.head
        if after.safe < before.safe or after.finalized < before.finalized:  # events may have been announced by those
            told = partition_head.told
            partition_head.told = Marks(max(told.safe, before.safe), max(told.finalized, before.finalized))
        partition_head.position = step.position
        partition_head.head = step.head
        if in_range(step.head.time):
            partition_head.head_time = step.head.time

    def partition_head(self, key: NetworkKey) -> PartitionHead:
        """The posting's own copy of where the partition stands."""
        mine = self.posting.partition_heads.get(key)
        if mine is None:
            known = self.known.partition_heads.get(key) or PartitionHead()
            mine = self.posting.partition_heads[key] = replace(known, unsettled=known.unsettled.copy())
        return mine

    def finality(self, key: NetworkKey, partition_head: PartitionHead) -> None:
        """Where the network stands in this partition; with a row where a mark moves over what was announced."""
        head = partition_head.head
        marks = Marks(head.safe, head.finalized)
        if partition_head.unsettled.passed(partition_head.told, marks):
            control = {"safe": head.safe, "finalized": head.finalized, "position": partition_head.position}
            self._control(key, "finality", partition_head, control)
        partition_head.unsettled.settle(partition_head.told, marks)
        partition_head.told, partition_head.moved = marks, False
        partition, network = key
        claimed, after = self.known.claimed.get(partition, (0, 0)), self._seq(partition) - 1
        self.posting.heads.append(
            NetworkHead(partition, network, head, partition_head.head_time, partition_head.position, after, claimed)
        )

    def _control(
        self,
        key: NetworkKey,
        op: Literal["finality", "reorg"],
        partition_head: PartitionHead,
        control: Mapping[str, int],
    ) -> None:
        partition, network = key
        self._write(
            Stretch(
                partition=partition,
                seq_from=self._seq(partition),
                network=network,
                block=Block(partition_head.head.number, partition_head.head.hash, partition_head.head_time),
                op=op,
                control=control,
            )
        )

    def _apply(self, step: Append, partition_head: PartitionHead) -> None:
        key = (step.partition, step.network, step.block.hash)
        before = self._slice(key)
        if before is not None and before.applied:
            return
        columns, digests = self.repeats.named(step)
        stretch = Stretch(
            partition=step.partition,
            seq_from=self._seq(step.partition),
            network=step.network,
            block=step.block,
            op="apply",
            columns=columns,
            revision=self._revisions(step.network, columns, partition_head),
        )
        if len(columns) and step.block.number > step.head.finalized:
            partition_head.unsettled.applied(step.block.number)
        if step.block.number <= partition_head.head.number:
            self.posting.late.add(len(self.posting.stretches))
        if step.block.number <= max(partition_head.head.number, partition_head.reverted_max):
            self._note_late(stretch)
        self._write(stretch)
        partition_head.moved = True
        self.posting.slices[key] = Slice(
            applied=True,
            block=step.block,
            digest=step.digest,
            proof=step.proof,
            seq_from=stretch.seq_from,
            seq_to=stretch.seq_to,
        )
        if digests:
            self.posting.unfinal[key] = digests

    def _revert(self, step: Revert, partition_head: PartitionHead) -> None:
        key = (step.partition, step.network, step.block.hash)
        self.posting.reverts.append(step)
        partition_head.reverted_max = max(partition_head.reverted_max, step.block.number)
        if step.reason != "replace" and step.partition == control_partition(step.network, self.partitions):
            partition_head.reorg_to = step.block.number
            if partition_head.reorg_from is None:
                partition_head.reorg_from = step.block.number
        before = self._slice(key)
        if before is None or not before.applied:
            return
        columns, revisions = self.known.rows[key]
        stretch = Stretch(
            partition=step.partition,
            seq_from=self._seq(step.partition),
            network=step.network,
            block=before.block,
            op="revert",
            columns=reversed_columns(columns),
            revision=[r + 1 for r in reversed(revisions)],
        )
        if before.block.number < partition_head.head.number:
            self.posting.late.add(len(self.posting.stretches))
        self._note_late(stretch)
        self._write(stretch)
        partition_head.moved = True
        partition_head.unsettled.reverted(before.block.number)
        self.posting.slices[key] = replace(before, applied=False)
        for offset, event in enumerate(event_keys(step.network, stretch.columns)):
            self.posting.retracted[event] = (stretch.revision[offset], step.partition, stretch.seq_from + offset)
        self.repeats.retract(key[:2], columns.tx_hash)

    def _end_reorg(self, key: NetworkKey, partition_head: PartitionHead) -> None:
        """The head after the last revert is the ancestor."""
        high, low = partition_head.reorg_from, partition_head.reorg_to
        assert high is not None
        assert low is not None
        self._control(key, "reorg", partition_head, {"from": high, "to": low, "depth": high - low + 1})
        partition_head.reorg_from = partition_head.reorg_to = None

    def _revisions(self, network: str, columns: Columns, partition_head: PartitionHead) -> Sequence[int]:
        if partition_head.reverted_max < 0:
            return [1] * len(columns)
        known, mine = self.known.retracted, self.posting.retracted
        return [
            (mine[event][0] if event in mine else known.get(event, 0)) + 1 for event in event_keys(network, columns)
        ]

    def _slice(self, key: SliceKey) -> Slice | None:
        return self.posting.slices.get(key) or self.known.slices.get(key)

    def _seq(self, partition: int) -> int:
        return self.posting.next_seq[partition]

    def _note_late(self, stretch: Stretch) -> None:
        echo = stretch.columns.echo
        for row, contract in enumerate(stretch.columns.contract):
            if not (echo and echo[row]):  # it is not announced
                self.posting.late_seqs[stretch.network, contract] = stretch.seq_from + row

    def _write(self, stretch: Stretch) -> None:
        self.posting.stretches.append(stretch)
        self.posting.next_seq[stretch.partition] += len(stretch)


def _continues(step: AnyInput, partition_head: PartitionHead) -> bool:
    """The step reverts the block just below those of the run: anything else is not of the same reorg."""
    if not isinstance(step, Revert) or step.reason == "replace" or partition_head.reorg_to is None:
        return False
    return step.block.number == partition_head.reorg_to - 1
