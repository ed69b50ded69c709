"""Events that came below the head, in a pipeline whose `project` is behind: counters are those of a block, or null."""

from dataclasses import replace

from ft.api.collections import views
from ft.api.collections.answers import CollectionStats
from ft.api.http.database import Database
from ft.api.main import Reads
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic, appends
from tests.integration.streams.worker.conftest import StartWorker
from tests.synthetic.chain import Chain

COME = "SELECT count(*) FROM system.partition_head WHERE consumer = %(consumer)s AND position >= %(position)s"


async def test_counters_wait_for_project_to_come_to_what_was_written_late(
    raw: RawTopic, start_worker: StartWorker
) -> None:
    chain = Chain(seed=8, network=NETWORK, logs=12, contracts=5, start=0)
    low, high = appends(chain, 4, lease=0, first=True, finalized=8), appends(chain, 5, lease=0, finalized=8)
    early = {move.contract for block in chain.blocks[:4] for move in block.moves}
    supply: dict[str, int] = {}
    for (contract, _, _), quantity in chain.ownership.held.items():
        supply[contract] = supply.get(contract, 0) + quantity

    async def come(consumer: str, position: int) -> None:
        query = {"consumer": consumer, "position": position}
        await raw.until(lambda: raw.rows(COME, **query) == [(raw.facts.partitions,)], within_s=60)

    async def stats() -> dict[str, CollectionStats]:
        database = Database(raw.config.postgres_as("ft_api"), pool_max=2)
        await database.open()
        try:
            reads = Reads(database, raw.config.topic_prefix)
            found = {contract: await reads.collection(NETWORK, contract) for contract in supply}
        finally:
            await database.close()
        return {c: views.collection_answer(each.row, each.held).stats for c, each in found.items() if each}

    await raw.write(replace(high[0], starts_range=True), *high[1:])
    worker = start_worker("normalize,ledger,publisher,project")
    await come("project", 4)
    assert worker.terminate() == 0
    await raw.write(*low)
    worker = start_worker("normalize,ledger,publisher")
    await come("ledger", 8)
    behind = await stats()
    assert worker.terminate() == 0
    worker = start_worker("normalize,ledger,publisher,project")
    next_seqs = (
        "SELECT count(*) FROM system.partition_owner l JOIN system.partition_owner p USING (partition)"
        " WHERE l.consumer = 'ledger' AND p.consumer = 'project' AND p.next_seq < l.next_seq"
    )
    await raw.until(lambda: raw.rows(next_seqs) == [(0,)], within_s=60)
    level = await stats()
    assert worker.terminate() == 0

    assert early
    for contract, told in behind.items():
        assert (told.supply is None) == (contract in early and told.reason == "block_incomplete")
        assert contract not in early or told.reason in ("block_incomplete", "not_counted")
    assert {contract: told.supply for contract, told in level.items()} == {c: str(n) for c, n in supply.items()}
