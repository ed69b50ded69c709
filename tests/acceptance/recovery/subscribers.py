"""Somebody else's reader, by the examples of docs/consuming.md, with a state of its own that it can go back to."""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from ft.schemas.events import OwnershipChanged, from_record
from tests.acceptance.faults.world import PARTITIONS, World
from tests.synthetic.model import ZERO, Holding
from tests.unit.pages import examples

PAGE = "consuming.md"


@dataclass
class Reader:
    """What it has, and how far it has read of each partition."""

    balances: Counter[Holding] = field(default_factory=Counter)
    seen: dict[int, tuple[int, int]] = field(default_factory=dict)
    deployment: dict[str, Any] = field(default_factory=lambda: {"epoch": 0, "generations": []})

    def copy(self) -> "Reader":
        """A backup of its own."""
        return deepcopy(self)

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
                if is_new(self.seen, self.deployment, partition, record) and record["kind"] != "finality":
                    self._move(from_record(OwnershipChanged, record))

    @property
    def held(self) -> dict[Holding, int]:
        return {key: quantity for key, quantity in self.balances.items() if quantity > 0 and key[2] != ZERO}

    def _move(self, change: OwnershipChanged) -> None:
        quantity = int(change.quantity) * (1 if change.op == "apply" else -1)
        token = (change.contract, int(change.token_id))
        self.balances[(*token, change.from_account)] -= quantity
        self.balances[(*token, change.to_account)] += quantity
