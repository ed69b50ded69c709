"""A reader of the raw log, written from the rules alone: what is canonical, and what did not fit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Chain:
    """The canonical chain after some records. ``misfits``: what a normalizer would dead-letter."""

    claim: int = -1
    broken: bool = False
    canonical: dict[int, str] = field(default_factory=dict)
    final: set[int] = field(default_factory=set)
    parents: dict[str, str] = field(default_factory=dict)
    misfits: list[str] = field(default_factory=list)
    ignored: int = 0
    reverted: int = 0
    appended: int = 0

    def read(self, records: Iterable[tuple[int, Mapping[str, Any]]]) -> "Chain":
        for offset, record in records:
            self._read(offset, record)
        return self

    def _read(self, offset: int, record: Mapping[str, Any]) -> None:
        op, height = record["op"], record["height"]
        if op == "claim":
            self.claim, self.broken = offset, False
            return
        final = op == "append" and record["finalized"] >= height
        if not final and (record["lease"] < self.claim or self.broken):
            self.ignored += 1
            return
        fits = getattr(self, f"_{op}")(record, height, final)
        if not fits:
            self.misfits.append(f"{offset}: {op} {height} {record['hash'][:10]}")
            self.broken = self.broken or not final

    def _append(self, record: Mapping[str, Any], height: int, final: bool) -> bool:
        block_hash = record["hash"]
        if height in self.canonical:
            if self.canonical[height] != block_hash:
                return False
            self.ignored += 1
        else:
            below = self.canonical.get(height - 1)
            if not final and below != record["parent_hash"] and not (record["starts_range"] and below is None):
                return False
            self.canonical[height] = block_hash
            self.parents[block_hash] = record["parent_hash"]
            self.appended += 1
        if final:
            self.final.add(height)
        return True

    def _revert(self, record: Mapping[str, Any], height: int, final: bool) -> bool:
        if self.canonical.get(height) != record["hash"]:
            self.ignored += 1
            return True
        if height in self.final or height != max(self.canonical):
            return False
        del self.canonical[height]
        self.reverted += 1
        return True

    def _finalize(self, record: Mapping[str, Any], height: int, final: bool) -> bool:
        if self.canonical.get(height) != record["hash"]:
            self.ignored += 1
            return True
        at, expected = height, record["hash"]
        while self.canonical.get(at) == expected:
            self.final.add(at)
            expected, at = self.parents[expected], at - 1
        return True
