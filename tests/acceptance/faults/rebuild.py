"""The same raw records, read by a deployment that nothing happens to: what it comes to must be the same."""

import time
from typing import Any, Final

from ft import children
from ft.config import Config
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, World

REBUILD_S: Final = 300.0
FACTS: Final = {
    "live events": """
        SELECT tx_hash, contract, topic0, n, sub_index, block_hash, log_index, revision FROM ledger.normalized_events
        ORDER BY 1, 2, 3, 4, 5""",
    "ownership": """
        SELECT contract, token_id::text, account, quantity::text, since FROM projection.ownership_view
        ORDER BY 1, 2, 3""",
    "holdings of project": """
        SELECT contract, token_id::text, account, quantity::text FROM projection.holdings WHERE quantity > 0
        ORDER BY 1, 2, 3""",
    "statistics": """
        SELECT contract, owners, assets, supply::text, transfers, mints, burns FROM projection.collection_stats
        ORDER BY 1""",
    "blocks": "SELECT number, hash, parent FROM ingest.blocks WHERE state = 'canonical' ORDER BY 1",
}


def facts(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """What a deployment says, apart from when it came to say so."""
    with world.connect() as conn:
        return {name: conn.execute(query.encode()).fetchall() for name, query in FACTS.items()}


def require_rebuilt(world: World) -> None:
    """``ft rebuild ledger`` finds a second ledger of the same raw log equal to the one that is served."""
    child = children.start(world.config, "rebuild", (*children.FT, "rebuild", "ledger", "--network", NETWORK))
    began = time.monotonic()
    code = child.wait(REBUILD_S)
    print(f"ft rebuild ledger: exit {code} after {time.monotonic() - began:.1f} s")
    assert code == 0, child.log_end()


def rebuilt(raw: list[bytes], config: Config) -> World:
    """A fresh deployment that has read the same raw records; to be closed."""
    world = World(config)
    world.write(raw)
    with supervised(config, ("rebuilder",)) as workers, world.connect() as conn:
        workers.until(lambda: world.caught_up(conn), "the raw log to be read again", REBUILD_S)
        assert workers.exits == []
    return world


def require_equal(world: World, other: World) -> None:
    """Raises AssertionError naming what differs, and one row of it."""
    mine, others = facts(world), facts(other)
    for name, rows in mine.items():
        different = sorted(set(map(str, rows)) ^ set(map(str, others[name])))
        assert rows == others[name], f"{name}: {len(different)} rows differ, e.g. {different[:2]}"
    assert mine["live events"]
