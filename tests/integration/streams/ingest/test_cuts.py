"""A source whose connections are cut: to Postgres in the middle of a COMMIT, to the broker before its reply."""

import pytest

from tests.devnet.faulty_node import FaultyNode
from tests.integration.cuts.kafka import cutting_acknowledgements
from tests.integration.cuts.postgres import Cut, cutting
from tests.integration.streams.ingest.conftest import Lab, at_step
from tests.integration.waiting import until

LAST = 79
CURSORS = "SELECT job, next_height FROM system.sync_cursors ORDER BY 1"
CUTS = [
    Cut("ft ingest", "COMMIT", "unsent", nth=4),
    Cut("ft ingest", "COMMIT", "unanswered", nth=4),
    Cut("ft ingest", "INSERT INTO ingest.tail", "unanswered"),
    Cut("ft ingest", "INSERT INTO ingest.leases", "unsent"),
    Cut("ft ingest", "system.sync_cursors", "unanswered"),
]


@pytest.mark.parametrize("cut", CUTS, ids=str)
async def test_tail_and_cursor_are_as_if_the_connection_had_lasted(lab: Lab, node: FaultyNode, cut: Cut) -> None:
    at_step(node, 51)
    with cutting(lab.config) as (lab.config, wire):
        wire.cut = cut
        await lab.range(30, 52, node.url)
        at_step(node, 52)
        await lab.range(30, 52, node.url)
        at_step(node, LAST)
        await lab.range(70, None, node.url)

        assert cut.done
        chain = lab.chain()
        assert chain.misfits == []
        assert chain.canonical == {
            height: found
            for height, found in node.view.canonical.items()
            if (height <= 52 and height >= 30) or height >= 70
        }
        assert max(lab.tail()) == node.view.head
        assert lab.sql(CURSORS)[-1][1] == node.view.head + 1


async def test_a_follower_whose_acknowledgements_are_lost_writes_each_block_once(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)
    direct = lab.config
    with cutting_acknowledgements(lab.config) as (lab.config, acknowledgements):
        acknowledgements.every = 2
        follower = await lab.follow(60, node.url)
        wanted = {height: found for height, found in node.view.canonical.items() if height >= 60}
        await until(lambda: lab.chain().canonical == wanted, "the log has the chain")
        await follower.stop()
        lab.config = direct

    appended = [record["height"] for _, record in lab.records() if record["op"] == "append"]
    assert appended == sorted(set(appended))
    assert acknowledgements.cut >= 2
    assert lab.chain().misfits == []
