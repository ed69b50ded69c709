"""Somebody else's reader, by the examples of docs/consuming.md, with a state of its own that it can go back to."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from ft.schemas.events import OwnershipChanged, from_record
from tests.acceptance.faults.accounting import Sums
from tests.acceptance.faults.world import PARTITIONS, World
from tests.synthetic.chain import Chain
from tests.unit.pages import examples

PAGE = "consuming.md"


@dataclass(kw_only=True)
class Reader(Sums):
    """What it has, and how far it has read of each partition."""

    seen: dict[int, tuple[int, int]] = field(default_factory=dict)
    deployment: dict[str, Any] = field(default_factory=lambda: {"epoch": 0, "generations": []})
    taken: dict[int, list[OwnershipChanged]] = field(default_factory=dict)
    """What it has of each partition, in order: from that it can go back."""

    def start(self, world: World) -> None:
        """Learn which generations hold."""
        topic = world.topics.deployment
        self.deployment = world.codec_of("deployment", topic).decode(world.read(topic, 0)[-1])

    def read(self, world: World) -> None:
        """Every partition from its first record, as one does whose group is gone. Raises what the example raises."""
        topic, is_new = world.topics.ownership_changed, examples(PAGE)["is_new"]
        codec = world.codec_of("ownership_changed", topic)
        for partition in range(PARTITIONS):
            for value in world.read(topic, partition):
                record = codec.decode(value)
                if is_new(self.seen, self.deployment, partition, record):
                    self._take(partition, from_record(OwnershipChanged, record))

    def take_back(self) -> int:
        """Its own state to the last seq of each partition that holds; how many records that undoes."""
        holds_to, before = examples(PAGE)["holds_to"], self.taken
        self.balances.clear()
        self.seen, self.taken = {}, {}
        for partition, changes in before.items():
            for change in changes:
                if change.seq <= holds_to(self.deployment, change.generation, partition):
                    self.seen[partition] = (change.generation, change.seq)
                    self._take(partition, change)
        return sum(map(len, before.values())) - sum(map(len, self.taken.values()))

    def _take(self, partition: int, change: OwnershipChanged) -> None:
        self.taken.setdefault(partition, []).append(change)
        self.move(change)


def require_held(world: World, chain: Chain, *readers: Reader) -> None:
    """Each starts, reads on, and comes to what the chain says."""
    for reader in readers:
        reader.start(world)
        reader.read(world)
        assert reader.held == chain.ownership.held


def require_taken_back(world: World, chain: Chain, reader: Reader, said: str = "take it back to") -> None:
    """It has got further than what holds, and is told; takes that back, reads on, and comes to what the chain says."""
    reader.start(world)
    with pytest.raises(examples(PAGE)["Restored"], match=said):
        reader.read(world)
    assert reader.take_back() > 0
    require_held(world, chain, reader)
