"""Between any two commits of normalize and the ledger, what is called proven is what the chain says."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from ft.config import Config
from ft.schemas.events import RawBlock
from tests.integration.agents.ledger.harness import LedgerHarness, Log
from tests.integration.agents.normalize.conftest import Normalizer
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic, appends, claim, open_raw, revert
from tests.synthetic.chain import Chain

Shown = dict[tuple[str, str], tuple[str, str]]
"""(contract, token id) -> integrity, holder"""


class Pipeline:
    """normalize and ledger, each going on when it is told to, and the API beside them."""

    def __init__(self, raw: RawTopic, normalizer: Normalizer, ledger: LedgerHarness, client: httpx.AsyncClient) -> None:
        self.raw = raw
        self.normalizer = normalizer
        self._ledger = ledger
        self._client = client
        self._log = Log(partitions=raw.facts.partitions)
        self._taken = dict.fromkeys(range(raw.facts.partitions), 0)

    async def normalize(self, *records: RawBlock) -> None:
        """Write them and take them, and tell every partition how far that is."""
        await self.raw.write(*records)
        await self.normalizer.run()
        chain, sender = await self.normalizer.hop._chain(self.normalizer.claims.get("normalize", self.raw.topic, 0))  # type: ignore[arg-type]
        sender.tell(chain.position, chain.marks())
        await sender.acknowledged()

    async def ledger_steps(self) -> AsyncIterator[None]:
        """The ledger reads what is there, a record of one partition after the other."""
        for partition, records in self.raw.normalized().items():
            for sent in records[self._taken[partition] :]:
                self._log.send(sent.batch)
                self._taken[partition] += 1
                await self._ledger.read(self._log)
                yield

    async def shown(self, chain: Chain) -> Shown:
        """Every asset of the chain's contracts that the API lists."""
        found: Shown = {}
        for contract in sorted({move.contract for block in chain.blocks for move in block.moves}):
            url = f"/api/v1/collections/{NETWORK}:{contract}/assets?limit=100"
            for asset in (await self._client.get(url)).json().get("data", []):
                holder = (asset["ownership"] or {}).get("holder", "")
                found[contract, asset["token_id"]] = (asset["integrity"], holder)
        return found


@pytest.fixture
def raw(config: Config, tmp_path: Path) -> Iterator[RawTopic]:
    with open_raw(config, tmp_path, partitions=2) as opened:
        yield opened


@pytest.fixture
async def pipeline(raw: RawTopic, client: httpx.AsyncClient) -> AsyncIterator[Pipeline]:
    normalizer = Normalizer(raw, "one")
    await normalizer.take_over()
    ledger = await LedgerHarness.open(raw.config, partitions=raw.facts.partitions)
    yield Pipeline(raw, normalizer, ledger, client)
    await normalizer.hop.stop()
    await ledger.close()


def held(chain: Chain) -> dict[tuple[str, str], str]:
    """Who has each asset alone; '' where several have some."""
    found: dict[tuple[str, str], list[str]] = {}
    for contract, token, account in chain.ownership.held:
        found.setdefault((contract, str(token)), []).append(account)
    return {asset: accounts[0] if len(accounts) == 1 else "" for asset, accounts in found.items()}


def without_a_log(record: RawBlock) -> RawBlock:
    """The block as a provider tells it that leaves its last log out: the filter holds more than that."""
    parts = {part.name: part for part in record.parts}
    receipts: list[Any] = json.loads(parts["receipts"].bytes)
    next(receipt for receipt in reversed(receipts) if receipt["logs"])["logs"].pop()
    parts["receipts"] = replace(parts["receipts"], bytes=json.dumps(receipts).encode())
    return replace(record, parts=list(parts.values()), proof="logs", reasons=["bloom_superset"])


async def test_what_came_below_the_head_is_proven_where_it_is_applied(pipeline: Pipeline) -> None:
    chain = Chain(seed=5, network=NETWORK, logs=6, contracts=4, accounts=6, start=0)
    records = appends(chain, 8, lease=0, finalized=7)
    true = held(chain)

    await pipeline.normalize(replace(records[5], starts_range=True), *records[6:])
    async for _ in pipeline.ledger_steps():
        pass
    await pipeline.normalize(replace(records[0], starts_range=True), *records[1:5])
    shown = [await pipeline.shown(chain)]
    async for _ in pipeline.ledger_steps():
        shown.append(await pipeline.shown(chain))

    for each in shown:
        told = {asset: holder for asset, (integrity, holder) in each.items() if integrity == "proven"}
        assert told.items() <= true.items()
    assert {integrity for integrity, _ in shown[0].values()} == {"partial_history"}
    assert {asset: holder for asset, (_, holder) in shown[-1].items()} == true
    assert {integrity for integrity, _ in shown[-1].values()} <= {"proven", "unproven"}  # until it is recounted


async def test_a_block_that_came_again_with_more_is_proven_where_it_is_applied(pipeline: Pipeline) -> None:
    chain = Chain(seed=6, network=NETWORK, logs=6, contracts=4, accounts=6, start=0)
    records = appends(chain, 5, lease=0, first=True)
    true, proven = held(chain), []

    await pipeline.normalize(claim(), *records[:3], without_a_log(records[3]), records[4])
    async for _ in pipeline.ledger_steps():
        pass
    undone = [revert(block, 0) for block in reversed(chain.blocks[3:])]
    shown = [await pipeline.shown(chain)]
    for part in (undone[:1], undone[1:], records[3:4], records[4:]):
        await pipeline.normalize(*part)
        shown.append(await pipeline.shown(chain))
    missed = {integrity for integrity, _ in shown[-1].values()}
    async for _ in pipeline.ledger_steps():
        shown.append(await pipeline.shown(chain))
        told = {asset for asset, (integrity, _) in shown[-1].items() if integrity == "proven"}
        proven.append(len(told))

    assert {integrity for integrity, _ in shown[0].values()} == {"unproven"}
    assert all(integrity != "proven" for each in shown[:5] for integrity, _ in each.values())
    assert missed == {"partial_history"}
    assert proven[0] == 0
    assert shown[-1] == {asset: ("proven", holder) for asset, holder in true.items()}
