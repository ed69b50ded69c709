"""All agents in one worker, as `faust -A ft worker` runs them: raw records in, owners out."""

from tests.integration.normalize.rawtopic import NETWORK, RawTopic, appends, claim, revert
from tests.integration.worker.conftest import StartWorker
from tests.synthetic.chain import Chain

HELD = """
SELECT contract, token_id::bigint, account, quantity::bigint FROM projection.ownership_view WHERE network = %(network)s
"""
ALL = "normalize,ledger,publisher,project"


async def test_owners_follow_a_reorg_through_every_agent(raw: RawTopic, start_worker: StartWorker) -> None:
    chain = Chain(seed=3, network=NETWORK, logs=20, contracts=12)
    records = [claim(), *appends(chain, 6, lease=0, first=True)]
    undone = chain.undo(3)
    await raw.write(*records, *[revert(block, 0) for block in undone], *appends(chain, 4, lease=0))

    worker = start_worker(ALL)

    def owners_fit() -> bool:
        return {row[:3]: row[3] for row in raw.rows(HELD, network=NETWORK)} == dict(chain.ownership.held)

    await raw.until(owners_fit, within_s=60)
    projected = "SELECT min(position) FROM system.partition_head WHERE consumer = 'project'"
    await raw.until(lambda: (raw.rows(projected)[0][0] or 0) >= 13, within_s=30)
    code = worker.terminate()

    assert code == 0
    assert raw.rows("SELECT count(*) FROM system.dlq") == [(0,)]
