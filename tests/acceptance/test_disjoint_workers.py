"""Workers that share out the agents instead of the partitions: each partition of each consumer is served."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ft.children import WORKER, Child, start
from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.supervisor import Supervisor
from tests.acceptance.faults.world import PARTITIONS, World
from tests.acceptance.hostile.lives import raw_log

pytestmark = pytest.mark.timeout(300)
SELECTIONS = (frozenset({"normalize", "ledger", "publisher"}), frozenset({"project"}))
_HELD = """
    SELECT consumer, count(DISTINCT partition), array_agg(DISTINCT owner) FROM system.partition_owner o
    JOIN system.workers w ON w.worker = o.owner
    WHERE string_to_array(w.agents, ',') && ARRAY[replace(consumer, 'heads', 'project')]
    GROUP BY consumer
"""


@pytest.fixture
def apart(world: World) -> Iterator[list[Child]]:
    config = replace(world.config, log_format="json")
    started = [start(replace(config, agents=agents), f"worker-{min(agents)}", WORKER) for agents in SELECTIONS]
    yield started
    for child in started:
        child.stop()


def test_disjoint_selections_that_cover_all_agents_serve_every_partition_of_each(
    world: World, apart: list[Child]
) -> None:
    log = raw_log(20)
    workers = Supervisor(world.config, workers={child.log.stem: child for child in apart}, exits_max=0)
    world.write(world.encoded(log.records))

    with world.connect() as conn:
        workers.until(lambda: world.caught_up(conn), "everything to come through", 120)
        held = {row[0]: (row[1], row[2]) for row in conn.execute(_HELD).fetchall()}

    assert {consumer: count for consumer, (count, _) in held.items()} == {
        "normalize": 1, "ledger": PARTITIONS, "project": PARTITIONS, "heads": PARTITIONS
    }  # fmt: skip
    owners = {consumer: tuple(of) for consumer, (_, of) in held.items()}
    assert owners["normalize"] == owners["ledger"] != owners["project"] == owners["heads"]
    assert len(set(owners.values())) == 2
    require_exactly_once(world, log.chain)
