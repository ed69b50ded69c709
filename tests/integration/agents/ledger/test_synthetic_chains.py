"""Random chains with reorgs, read in one transaction or in many, give the model's ownership."""

from contextlib import suppress
from random import Random

import psycopg
import pytest

from ft.config import Config
from ft.errors import Fenced
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import CODEC, LedgerHarness, Log, rows
from tests.integration.agents.ledger.synthetic_feed import JOURNAL, OWNERSHIP, Feed, check
from tests.synthetic.chain import Chain


def feed(seed: int, steps: int = 25) -> Feed:
    made = Feed(Chain(seed=seed, contracts=8, accounts=12, logs=12), Log(partitions=3))
    made.live(seed, steps)
    return made


@pytest.mark.parametrize("seed", range(4))
async def test_one_batch_or_many_or_one_record_at_a_time_leave_the_same_rows(
    config: Config, make_ledger: MakeLedger, seed: int
) -> None:
    made, left = feed(seed), []
    for way in ("one batch", "batches", "records"):
        ledger = await make_ledger(owner=way, partitions=3, batch_events_max=40 if way == "batches" else 5_000)
        if way == "records":
            await ledger.read_one_by_one(made.log)
        elif way == "batches":
            for until in range(7, max(map(len, made.log.records.values())) + 7, 7):
                await ledger.read(made.log, until)
        else:
            await ledger.read(made.log)

        check(config, made.chain)
        left.append((rows(config, OWNERSHIP), rows(config, JOURNAL)))
        await ledger.close()
        _empty(config)
    assert left[0] == left[1] == left[2]


@pytest.mark.parametrize("seed", range(10, 14))
async def test_crashes_repeats_and_changes_of_owner_leave_what_one_quiet_run_leaves(
    config: Config, make_ledger: MakeLedger, seed: int
) -> None:
    made, random = feed(seed), Random(seed)
    workers: list[LedgerHarness] = []
    ends = dict.fromkeys(made.log.records, 0)
    while any(ends[p] < len(made.log.records[p]) for p in ends):
        if not workers or random.random() < 0.4:
            workers.append(await make_ledger(owner=f"w{len(workers)}", partitions=3))
        worker = random.choice(workers[-2:])
        partition = random.choice(list(ends))
        ends[partition] += random.randint(1, 9)
        with suppress(Fenced):  # a zombie is refused; what it left must be nothing
            await worker.read(_until(made.log, ends))
    last = await make_ledger(owner="last", partitions=3)
    await last.read(made.log)

    check(config, made.chain)


@pytest.mark.parametrize("seed", range(5, 8))
async def test_a_backfill_below_a_reorg_changes_nothing_above_it(
    config: Config, make_ledger: MakeLedger, seed: int
) -> None:
    chain = Chain(seed=seed, contracts=4, accounts=6, logs=10)
    early, late = Feed(chain, Log()), Feed(chain, Log())
    for _ in range(10):
        early.grow()
    for _ in range(6):
        late.grow()
    late.undo(4)
    for _ in range(3):
        late.grow()
    log = Log()
    for position, message in enumerate([*late.log.records[0], *early.log.records[0]]):
        log.put(CODEC.encode({**CODEC.decode(message.value), "position": position}))
    ledger = await make_ledger()

    await ledger.read(log)

    check(config, chain)


def _until(log: Log, ends: dict[int, int]) -> Log:
    return Log(partitions=log.partitions, records={p: records[: ends[p]] for p, records in log.records.items()})


def _empty(config: Config) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            "TRUNCATE ledger.events, ledger.applied_blocks, ledger.retracted, market.ownership_current,"
            " system.partition_owner, system.partition_head, ingest.quarantine, system.dlq"
        )
