"""`ft dlq` where the broker has refused a row of the journal, and its partition waits."""

import asyncio
import secrets
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ft.cli.dlq import command
from ft.config import Config
from ft.ops import dlq
from ft.streams.kafka.topics import Topics
from tests.integration.agents.ledger.harness import Block, Event, Log, rows
from tests.integration.agents.publish.limits import limit
from tests.integration.agents.publish.test_publisher import MakeOutlet, Outlet, make_outlet

__all__ = ["make_outlet"]
STATES = 'SELECT "offset", state FROM system.dlq ORDER BY id'
BLOCKED = "SELECT blocked IS NOT NULL FROM system.publish_cursor"


async def blocked(make_outlet: MakeOutlet) -> Outlet:
    """A running publisher whose topic refuses the second of three rows."""
    outlet: Outlet = await make_outlet()
    log = Log()
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    noise: dict[str, Any] = {name: [secrets.token_urlsafe(180)] for name in ("tx_hash", "topic0")}
    log.append(Block(2, [Event(tx="big")]), **noise)
    log.append(Block(3, [Event(tx="move", source="alice", target="bob")]))
    limit(outlet.config, Topics(outlet.config.topic_prefix).ownership_changed, 500)
    await outlet.harness.read(log)
    await outlet.publisher.start()
    async with asyncio.timeout(30):
        while rows(outlet.config, BLOCKED) != [(True,)]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return outlet


async def ft(config: Config, *words: str) -> Result:
    """`ft dlq` beside the running publisher."""
    return await asyncio.to_thread(CliRunner().invoke, command, words, env=config.environ())


async def test_a_mended_topic_goes_on_from_the_refused_row(make_outlet: MakeOutlet) -> None:
    outlet = await blocked(make_outlet)
    listed = await ft(outlet.config, "list")
    limit(outlet.config, Topics(outlet.config.topic_prefix).ownership_changed, 1_000_000)

    replayed = await ft(outlet.config, "replay", "1")

    assert "publisher" in listed.output
    assert "ownership_changed-0@2" in listed.output
    assert (replayed.exit_code, replayed.output) == (0, "1: partition 0, seq 2: announced\n")
    assert rows(outlet.config, STATES) == [(2, "replayed")]
    async with asyncio.timeout(10):
        while rows(outlet.config, "SELECT seq FROM system.publish_cursor") != [(3,)]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert [change["seq"] for change in outlet.read("ownership_changed")] == [1, 2, 3]


async def test_a_row_that_is_refused_again_is_open_again(make_outlet: MakeOutlet) -> None:
    outlet = await blocked(make_outlet)

    replayed = await ft(outlet.config, "replay", "--consumer", "publisher")

    assert replayed.exit_code == 1
    assert "1: stays open: partition 0, seq 2: the broker refused it again" in replayed.output
    assert rows(outlet.config, STATES) == [(2, "open")]
    assert rows(outlet.config, BLOCKED) == [(True,)]


async def test_a_replay_without_a_worker_frees_the_partition_and_says_that_nobody_announced(
    make_outlet: MakeOutlet,
) -> None:
    outlet = await blocked(make_outlet)
    await outlet.publisher.stop()

    with dlq.connect(outlet.config) as conn:
        said = dlq.replay(outlet.config, conn, dlq.letter(conn, 1), wait_s=0.3)

    assert "not announced within" in said
    assert "Does a worker run the publisher" in said
    assert rows(outlet.config, BLOCKED) == [(False,)]


async def test_the_letter_of_a_waiting_partition_is_not_dropped(make_outlet: MakeOutlet) -> None:
    outlet = await blocked(make_outlet)

    dropped = await ft(outlet.config, "drop", "1")

    assert dropped.exit_code == 1
    assert "would wait for ever" in dropped.output
    assert rows(outlet.config, STATES) == [(2, "open")]


async def test_an_old_letter_frees_no_partition_that_waits_for_another_row(make_outlet: MakeOutlet) -> None:
    outlet = await blocked(make_outlet)
    await outlet.publisher.stop()
    with dlq.connect(outlet.config) as conn:
        old = conn.execute(
            'INSERT INTO system.dlq (consumer, topic, partition, "offset", reason, error, payload)'
            " VALUES ('publisher', 'ledger.ownership_changed', 0, 1, 'refused', 'old', '') RETURNING id"
        ).fetchone()
        assert old is not None

        said = dlq.replay(outlet.config, conn, dlq.letter(conn, old[0]))

    assert said == "partition 0, seq 1: announced"
    assert rows(outlet.config, BLOCKED) == [(True,)]


async def test_what_cannot_be_decoded_is_shown_as_bytes(make_outlet: MakeOutlet) -> None:
    outlet = await blocked(make_outlet)

    shown = await ft(outlet.config, "show", "1")

    assert shown.exit_code == 0, shown.output
    assert "journal seq" in shown.output
    assert "refused" in shown.output
    payload = rows(outlet.config, "SELECT payload FROM system.dlq")[0][0]
    assert payload[:256].hex(" ", 4) in shown.output
    assert f"… and {len(payload) - 256:,} bytes more" in shown.output


async def test_an_unknown_letter_names_where_to_look(make_outlet: MakeOutlet) -> None:
    outlet = await make_outlet()

    with dlq.connect(outlet.config) as conn, pytest.raises(dlq.NoSuchLetter, match="see `ft dlq list --all`"):
        dlq.letter(conn, 7)
