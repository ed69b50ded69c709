"""A chain of true and untrue events, told with reorgs, replaced blocks and blocks that are read late; and its model."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from random import Random

from ft.config import Config
from tests.integration.agents.ledger.harness import Block, Event, Log
from tests.integration.agents.ledger.reading import normalized

ACCOUNTS = ("", "alice", "bob", "carol")
STEPS = 30
KEPT = 3
"""The lowest blocks are not undone by a reorg."""


@dataclass
class Story:
    """Tells one step after the other. Blocks are read from the middle of the chain on; what is below comes late."""

    random: Random
    log: Log = field(default_factory=Log)
    late: int = -1
    steps: int = 0
    held: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.below = list(range(1, self.random.randint(2, 6)))
        self.next = len(self.below) + 1
        self.serial = 0

    def tell(self) -> bool:
        """Returns whether the story goes on."""
        self.steps += 1
        drawn = self.random.random()
        if self.steps > STEPS:
            while self.below:
                self._below()
            return False
        if drawn < 0.15 and self.below:
            self._below()
        elif drawn < 0.3:
            self._reorg()
        elif drawn < 0.4:
            self._replace()
        else:
            self._append(self.next)
            self.next += 1
        return True

    def normalized(self, config: Config) -> None:
        """As normalize has committed it: all of it."""
        heights = sorted(block.number for block in self.log.chain)
        ranges: list[tuple[int, int]] = []
        for height in heights:
            if ranges and ranges[-1][1] == height - 1:
                ranges[-1] = (ranges[-1][0], height)
            else:
                ranges.append((height, height))
        normalized(config, self.log, *ranges, late=self.late)

    def _append(self, number: int) -> None:
        self.serial += 1
        events = [self._event(i) for i in range(self.random.randint(0, 4))]
        if self.log.chain and number < self.log.chain[-1].number:
            self.late = self.log.position
        self.log.append(Block(number, events, fork=f"-{self.serial}"))

    def _below(self) -> None:
        self._append(self.below.pop(self.random.randrange(len(self.below))))

    def _reorg(self) -> None:
        for _ in range(self.random.randint(1, 3)):
            if len(self.log.chain) > KEPT and self.log.chain[-1].number == self.next - 1 > len(self.below):
                self.log.revert(self.log.chain[-1])
                self.next -= 1

    def _replace(self) -> None:
        if not self.log.chain:
            return
        block = self.random.choice(self.log.chain)
        self.log.revert(block, reason="replace")
        self.serial += 1
        again = [replace(event, tx=f"{event.tx}r{self.serial}") for event in block.events if self.random.random() < 0.7]
        if self.log.chain and block.number < self.log.chain[-1].number:
            self.late = self.log.position
        self.log.append(Block(block.number, again, fork=f"-{self.serial}"))

    def _event(self, index: int) -> Event:
        tx = f"{self.serial}.{index}"
        if self.random.random() < 0.3:
            source, target = self.random.sample(ACCOUNTS, 2)
            return Event(
                tx=tx, token=100 + self.random.randint(0, 2), source=source, target=target,
                quantity=self.random.randint(0, 3), standard="erc1155",
            )  # fmt: skip
        token = self.random.randint(1, 6)
        source = self.held.get(token, "") if self.random.random() < 0.9 else self.random.choice(ACCOUNTS)
        self.held[token] = self.random.choice(ACCOUNTS)
        return Event(tx=tx, token=token, source=source, target=self.held[token])


def contradicting(chain: list[Block]) -> set[int]:
    """The tokens whose events cannot all be true, one event after the other."""
    held: dict[int, str] = {}
    balances: dict[int, Counter[str]] = defaultdict(Counter)
    found = set()
    for block in sorted(chain, key=lambda one: one.number):
        for event in block.events:
            if event.standard == "erc1155":
                balances[event.token][event.source] -= event.quantity
                balances[event.token][event.target] += event.quantity
                if event.source and balances[event.token][event.source] < 0 < event.quantity:
                    found.add(event.token)
                continue
            if event.source != held.get(event.token, ""):
                found.add(event.token)
            held[event.token] = event.target
    return found
