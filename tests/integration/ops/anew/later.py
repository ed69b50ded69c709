"""What comes after: the migration itself, further blocks, and the proof."""

import psycopg

from ft.config import Config
from ft.ops.anew.run import announce_anew
from ft.ops.verify.run import Listener, verify
from ft.schemas.ids import partition_of
from ft.sql.migrate import migrate
from ft.streams.kafka.message import Message
from tests.integration.agents.ledger.harness import NETWORK, TOPIC, Block, Event, LedgerHarness, Log, account
from tests.integration.agents.publish.announcing import name_read
from tests.integration.ops.anew.before import PARTITIONS, rows


def unheard(_: object) -> None:
    """Nobody listens."""


def migrated(config: Config) -> Config:
    """The tables, and everything after them."""
    migrate(config.postgres, config)
    announce_anew(config, unheard)
    return config


def differences(config: Config) -> dict[str, list[str]]:
    """What `ft verify` finds, by check."""
    report = verify(config, wait_s=0.0, listener=Listener(), topics=True)
    return {o.name: [str(difference) for difference in o.differences] for o in report.outcomes if o.count}


async def go_on(config: Config) -> None:
    """Two blocks follow, the upper one in another version: a sale of a token that was taken back before, a burn."""
    name_read(config, TOPIC)
    ((top, position),) = rows(config, "SELECT head_number, position FROM ingest.heads")
    offsets = dict(rows(config, "SELECT partition, next_offset FROM system.partition_owner WHERE consumer = 'ledger'"))
    log = Log(partitions=PARTITIONS, position=position + 1)
    for partition, offset in offsets.items():  # what was read before
        log.records[partition] = [Message(TOPIC, partition, number, None, {}) for number in range(offset)]
    home = partition_of(f"{NETWORK}:{account('c')}", PARTITIONS)
    first = Block(top + 1, [Event(tx="sale2", token=2, source="alice", target="kim")])
    lost = Block(top + 2, [Event(tx="burn2", token=2, source="kim"), Event(tx="move1b", source="bob", target="lea")])
    kept = Block(top + 2, [Event(tx="mint11", token=11, target="lea")], fork="b")
    log.append(first, home)
    log.append(lost, home)
    log.revert(lost)
    log.append(kept, home)
    harness = await LedgerHarness.open(config, owner="going on", partitions=PARTITIONS)
    await harness.read(log)
    await harness.close()
    with psycopg.connect(config.postgres) as conn:
        conn.execute("DELETE FROM ingest.heads")  # its chain is not told here: the ledger alone goes on
        conn.execute("DELETE FROM ingest.coverage")
        conn.execute("DELETE FROM ingest.blocks")
