"""Source, pure: what `ft replace` writes, given what the log has and what the node says. No clock, node or Kafka."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ft.errors import FtError
from ft.schemas.proofs import joined, worth
from ft.streams.ingest.reconcile import Row


class CannotReplace(FtError):
    """These blocks are not replaced: nothing was written, and the message says what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canonical:
    """A block that counts, as normalize has read it."""

    height: int
    hash: str
    parent: str
    final: bool
    proof: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A block as the node has it now."""

    height: int
    hash: str
    parent: str
    proof: str
    logs: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One height."""

    before: Canonical | None
    after: Fetched

    @property
    def kind(self) -> str:
        """What happens there, in words."""
        if self.before is None:
            return f"not in the log, proof {_proof(self.after)}"
        if self.before.hash != self.after.hash:
            return f"another block, proof {_proof(self.before)} -> {_proof(self.after)}"
        if _proof(self.before) == _proof(self.after):
            return f"the same block, read anew, proof {_proof(self.after)}"
        return f"the same block, proof {_proof(self.before)} -> {_proof(self.after)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A correction."""

    changes: tuple[Change, ...]
    """Ascending, one a height."""
    starts_range: bool
    """Nothing is canonical just below."""
    loose: tuple[Canonical, ...] = ()
    """Unfinal blocks above that stand on what is gone, ascending: reverted too, the follower brings others."""

    @property
    def reverts(self) -> tuple[Row, ...]:
        """Newest first."""
        found = [*(change.before for change in self.changes if change.before is not None), *self.loose]
        return tuple(Row(height=b.height, hash=b.hash, parent=b.parent) for b in reversed(found))

    def lines(self) -> Iterator[str]:
        """The changes in words, stretches of one kind in a line."""
        first = 0
        for at, change in enumerate(self.changes, 1):
            if at < len(self.changes) and self.changes[at].kind == change.kind:
                continue
            low, logs = self.changes[first].after.height, sum(c.after.logs for c in self.changes[first:at])
            where = f"block {low}" if at - first == 1 else f"blocks {low} to {change.after.height}"
            yield f"{where}: {change.kind}, {logs:,} logs"
            if change.before is not None and change.before.hash != change.after.hash:
                yield f"    {change.after.height}: {change.before.hash} -> {change.after.hash}"
            first = at
        if self.loose:
            yield (
                f"blocks {self.loose[0].height} to {self.loose[-1].height}: not final, and stand on a block that is "
                "gone: reverted; the follower appends what the node has there"
            )


def check_final(
    network: str, first: int, last: int, canonical: Mapping[int, Canonical], tail: Sequence[Row], finalized: int
) -> None:
    """Only final blocks are replaced. Raises CannotReplace.

    1. not final at the node; 2. not final in the log, or meant to be written by a follower
    """
    if last > finalized:
        raise CannotReplace(
            f"{network}: --to: expected {finalized} or less, which is final at the node, got {last}. What is not final "
            f"is corrected by `ft ingest {network} --follow`."
        )
    anchor = max((row.height for row in tail if row.final), default=-1)
    open_heights = {row.height for row in tail if row.height > anchor} | {
        row.height for row in canonical.values() if not row.final
    }
    if found := sorted(height for height in open_heights if first <= height <= last):
        at_most = f"Replace up to {found[0] - 1} only, or let it" if found[0] > first else "Let it"
        raise CannotReplace(
            f"{network}: block {found[0]} is not final in the log, although it is at the node: expected final blocks "
            f"only. {at_most} become final first: `ft ingest {network} --follow` corrects what is not final by itself."
        )


def plan(
    network: str, canonical: Mapping[int, Canonical], above: Sequence[Canonical], fetched: Sequence[Fetched]
) -> Plan:
    """What replaces the canonical blocks at these heights.

    ``canonical`` holds one more on either side; ``above``: what counts above them and may still change, ascending.

    Raises CannotReplace:
    1. the node's blocks are not each the parent of the next
    2. the block below is not the parent of the first
    3. the last is not the parent of the block above, and that or something above it is final
    4. a block of the log is better proven than the node's
    """
    first, last = fetched[0], fetched[-1]
    for lower, upper in pairwise(fetched):
        if upper.parent != lower.hash:
            raise CannotReplace(
                f"{network}: block {upper.height}: expected parent {lower.hash}, got {upper.parent}: the providers do "
                "not agree on the chain. Name one node that is right by --rpc."
            )
    under, over = canonical.get(first.height - 1), canonical.get(last.height + 1)
    if under is not None and under.hash != first.parent:
        raise CannotReplace(
            f"{network}: block {first.height} of the node stands on {first.parent}, the log has {under.hash} there: "
            f"the chains part further down. Begin lower: --from {under.height} or less."
        )
    loose = above if over is not None and over.parent != last.hash else ()
    if over is not None and over.parent != last.hash and (over.final or any(block.final for block in above)):
        highest = max([over.height, *(block.height for block in above if block.final)])
        raise CannotReplace(
            f"{network}: block {over.height} of the log stands on {over.parent}, the node has {last.hash} there, and "
            f"what is above is final: it would hang in the air. Go on higher: --to {highest} or more."
        )
    changes = tuple(Change(before=canonical.get(block.height), after=block) for block in fetched)
    for change in changes:
        before, after = change.before, change.after
        if before is not None and before.hash == after.hash and _worth(after) < _worth(before):
            raise CannotReplace(
                f"{network}: block {after.height} is in the log with proof {_proof(before)}, the node gives "
                f"{_proof(after)} only. Name a node that has more by --rpc."
            )
    return Plan(changes=changes, starts_range=under is None, loose=tuple(loose))


def _proof(block: Canonical | Fetched) -> str:
    """In words."""
    return f"{block.proof} ({joined(block.reasons)})" if block.reasons else block.proof


def _worth(block: Canonical | Fetched) -> tuple[bool, bool, int, int]:
    return worth(block.proof, block.reasons)
