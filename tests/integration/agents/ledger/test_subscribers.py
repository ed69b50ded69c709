"""The ledger's rows, and what a subscriber makes of the journal alone: always the same, and the chain's in the end.

Ranges are read below a follower while reorgs come and go: block by block, in any order, amid the reverts.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from ft.agents.project.projection import Holding, Slot, events_of, fold
from ft.config import Config
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import SINGLE
from ft.sql.queries import load
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import CODEC, Block, Event, Log, account, owners, rows
from tests.integration.agents.ledger.synthetic_feed import Feed, check
from tests.integration.ops.verify.proven import announced, journal
from tests.synthetic.chain import Chain

PARTITIONS = 2
EARLY = 8
HEAD = ("head_number", "head_hash", "head_time", "safe", "finalized")
SINGLES = (
    "SELECT network, contract, token_id::text, slot, account, quantity::int, block_number"
    " FROM market.ownership_current WHERE slot = ''"
)


@dataclass
class Subscriber:
    """Project's rule on the journal as it is announced, read on from where it was."""

    holdings: dict[Slot, Holding] = field(default_factory=dict)
    seqs: dict[int, int] = field(default_factory=dict)

    def read(self, config: Config) -> None:
        for partition in range(PARTITIONS):
            found = journal(config, partition, self.seqs.get(partition, 0))
            self.holdings |= fold(events_of(announced(found)), self.holdings).holdings
            if found:
                self.seqs[partition] = found[-1]["seq"]

    def singles(self) -> dict[Slot, Holding]:
        return {slot: holding for slot, holding in self.holdings.items() if slot[3] == ""}


def backfilled_below(chain: Chain, seed: int) -> Log:
    """A follower's records with reorgs, and the older blocks' between them, with the follower's head."""
    early, late = Feed(chain, Log(partitions=PARTITIONS)), Feed(chain, Log(partitions=PARTITIONS))
    for _ in range(EARLY):
        early.grow()
    late.grow()
    late.live(seed, steps=20, kept=EARLY + 1)
    late.grow()
    below, above, random = _steps(early.log), _steps(late.log), Random(seed)
    log, head = Log(partitions=PARTITIONS), dict.fromkeys(HEAD, -1) | {"head_hash": "", "head_time": 0}
    while below or above:
        if below and (not above or random.random() < len(below) / len(above)):
            step = [record | head for record in below.pop(random.randrange(len(below)))]
        else:
            step = above.pop(0)
            head = {name: step[0][name] for name in HEAD}
        for record in step:
            log.put(CODEC.encode(record | {"position": log.position}), record["partition"])
        log.position += 1
    return log


def _steps(log: Log) -> list[list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for messages in log.records.values():
        for message in messages:
            assert message.value is not None
            record = dict(CODEC.decode(message.value))
            found.setdefault(record["position"], []).append(record)
    return [found[position] for position in sorted(found)]


def singles(config: Config) -> dict[Slot, Holding]:
    return {tuple(r[:4]): Holding(*r[4:]) for r in rows(config, SINGLES)}


@pytest.mark.parametrize("seed", range(20, 26))
async def test_a_subscriber_has_the_ledgers_rows_at_every_moment_and_the_chains_in_the_end(
    config: Config, make_ledger: MakeLedger, seed: int
) -> None:
    chain = Chain(seed=seed, contracts=4, accounts=5, logs=8)
    log, subscriber, random = backfilled_below(chain, seed), Subscriber(), Random(seed)
    longest, until, number = max(map(len, log.records.values())), 0, 0
    ledger = await make_ledger(owner="w0", partitions=PARTITIONS)
    while until < longest:
        if random.random() < 0.3:  # who takes over knows only what is in Postgres
            number += 1
            await ledger.close()
            ledger = await make_ledger(owner=f"w{number}", partitions=PARTITIONS)
        until += random.randint(1, 12)
        await ledger.read(log, until)
        subscriber.read(config)
        assert subscriber.singles() == singles(config)

    check(config, chain)
    nobody = sorted(NO_ACCOUNTS)
    assert rows(config, load("verify")["singles"], {"single": sorted(SINGLE), "nobody": nobody, "most": 10}) == []


@pytest.mark.parametrize("way", ["at once", "one by one", "by another process each"])
async def test_what_came_back_lower_is_taken_on_although_the_lowest_blocks_undone_had_no_events_here(
    config: Config, make_ledger: MakeLedger, way: str
) -> None:
    log, subscriber = Log(partitions=PARTITIONS), Subscriber()
    lost = Block(4, [Event(tx="move", source="alice", target="bob")])
    for block in (Block(1, [Event(tx="mint", target="alice")]), Block(2), Block(3)):
        log.append(block)
    log.append(lost)
    log.revert(lost)
    log.revert(Block(3))
    log.append(Block(0))  # a range that is read meanwhile
    log.revert(Block(2))
    log.append(Block(2, [Event(tx="move", source="alice", target="bob")], fork="b"))

    for end in [len(log.records[0])] if way == "at once" else range(1, len(log.records[0]) + 1):
        ledger = await make_ledger(
            owner=f"w{end}" if way == "by another process each" else "one", partitions=PARTITIONS
        )
        await ledger.read(log, end)
        await ledger.close()

    subscriber.read(config)
    assert owners(config) == {(account("c"), 1): (account("bob"), 1)}
    assert subscriber.singles() == singles(config)
