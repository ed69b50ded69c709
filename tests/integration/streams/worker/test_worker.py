"""``faust -A ft worker`` as a process: it shares with another, ends when told to, and dies rather than hang."""

import asyncio
import random
import signal
import time
import urllib.request
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg

from ft.schemas.events import RawPart
from ft.streams.deployment.provision import prepare
from tests.integration.agents.normalize.rawtopic import (
    NETWORK,
    RawTopic,
    appends,
    claim,
    events_of,
    expected_events,
    revert,
)
from tests.integration.streams.worker.conftest import StartWorker
from tests.synthetic.chain import Chain


def chain_of(seed: int = 1) -> Chain:
    return Chain(seed=seed, network=NETWORK, logs=8, contracts=12)


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


async def test_a_worker_normalizes_and_ends_in_order(raw: RawTopic, start_worker: StartWorker) -> None:
    chain = chain_of()
    await raw.write(claim(), *appends(chain, 5, lease=0, first=True))

    worker = start_worker()
    await raw.until(lambda: raw.next_offset() == 6)
    code = worker.terminate()

    assert code == 0
    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert raw.rows("SELECT count(*) FROM system.workers") == [(0,)]


async def test_two_workers_on_one_machine_share_the_topics(raw: RawTopic, start_worker: StartWorker) -> None:
    first = start_worker()
    second = start_worker()
    owners = "SELECT count(DISTINCT owner) FROM system.partition_owner WHERE consumer = 'normalize'"
    await raw.until(lambda: raw.rows(owners) == [(2,)])
    chain = chain_of()
    await raw.write(claim(), *appends(chain, 5, lease=0, first=True))

    await raw.until(lambda: raw.next_offset() == 6)

    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert first.terminate() == 0
    assert second.terminate() == 0


async def test_a_killed_worker_is_replaced_and_nothing_is_lost(raw: RawTopic, start_worker: StartWorker) -> None:
    chain = chain_of()
    await raw.write(claim(), *appends(chain, 5, lease=0, first=True))
    first = start_worker()
    await raw.until(lambda: raw.next_offset() == 6)

    first.kill()
    await raw.write(*appends(chain, 5, lease=0))
    start_worker()
    await raw.until(lambda: raw.next_offset() == 11)

    assert events_of(raw.read_once()) == expected_events(chain.blocks)


async def test_metrics_are_served_by_their_names(raw: RawTopic, start_worker: StartWorker) -> None:
    chain = chain_of()
    await raw.write(claim(), *appends(chain, 5, lease=0, first=True))

    worker = start_worker()
    await raw.until(lambda: raw.rows("SELECT count(*) FROM system.workers") == [(1,)])
    await raw.until(lambda: raw.next_offset() == 6)
    [(url,)] = raw.rows("SELECT metrics_url FROM system.workers")
    await raw.until(lambda: f'normalizer_lag{{network="{NETWORK}",partition="0"}} 0.0' in fetch(url))
    text = await asyncio.to_thread(fetch, url)

    assert url.startswith("http://127.0.0.1:")
    assert 'events_processed{agent="normalize"} 40.0' in text
    assert "dlq_depth 0.0" in text
    assert worker.said("worker started")


async def test_a_stopped_worker_that_wakes_up_writes_nothing_and_exits(
    raw: RawTopic, start_worker: StartWorker
) -> None:
    chain = chain_of()
    await raw.write(claim(), *appends(chain, 3, lease=0, first=True))
    first = start_worker()
    await raw.until(lambda: raw.next_offset() == 4)

    first.process.send_signal(signal.SIGSTOP)
    await raw.write(*appends(chain, 3, lease=0))
    second = start_worker()
    await raw.until(lambda: raw.next_offset() == 7)
    first.process.send_signal(signal.SIGCONT)
    await raw.write(*appends(chain, 3, lease=0))
    await raw.until(lambda: raw.next_offset() == 10)

    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert second.terminate() == 0


async def test_a_network_that_is_added_is_picked_up_without_a_restart(raw: RawTopic, start_worker: StartWorker) -> None:
    worker = start_worker()
    await raw.until(lambda: worker.said("worker started"))
    file = raw.config.networks_file
    assert file is not None
    file.write_text(file.read_text() + "[later]\nchain_id = 4243\n")
    await asyncio.to_thread(prepare, raw.config)
    later = RawTopic(raw.config, raw.facts, network="later")
    chain = Chain(seed=5, network="later", logs=8, contracts=12)

    await later.write(replace(claim(), network="later"))
    await later.write(*[replace(r, network="later") for r in appends(chain, 3, lease=0, first=True)])

    await later.until(lambda: later.next_offset() == 4)
    assert worker.process.poll() is None


async def test_a_network_that_is_added_amid_a_rebalance_is_picked_up_after_it(
    raw: RawTopic, start_worker: StartWorker
) -> None:
    """One worker stands still, so that the rebalance for the first network lasts until its session is over."""
    worker = start_worker(FT_SESSION_TIMEOUT_S="8")
    other = start_worker(FT_SESSION_TIMEOUT_S="8")
    await raw.until(lambda: raw.rows("SELECT count(*) FROM system.workers") == [(2,)])
    other.process.send_signal(signal.SIGSTOP)
    file = raw.config.networks_file
    assert file is not None
    for number, slug in enumerate(("later", "latest"), 1):
        file.write_text(file.read_text() + f"[{slug}]\nchain_id = {4242 + number}\n")
        await asyncio.to_thread(prepare, raw.config)
        await raw.until(lambda slug=slug: any(said["network"] == slug for said in worker.said("network added")))
    latest = RawTopic(raw.config, raw.facts, network="latest")
    chain = Chain(seed=5, network="latest", logs=8, contracts=12)
    await latest.write(replace(claim(), network="latest"))
    await latest.write(*[replace(r, network="latest") for r in appends(chain, 3, lease=0, first=True)])

    await latest.until(lambda: latest.next_offset() == 4, 60)
    assert worker.process.poll() is None


async def test_a_worker_without_progress_exits(raw: RawTopic, start_worker: StartWorker) -> None:
    worker = start_worker(FT_WATCHDOG_S="4")
    await raw.until(lambda: raw.rows("SELECT count(*) FROM system.workers") == [(1,)])
    with psycopg.connect(raw.config.postgres) as conn:
        conn.execute("LOCK TABLE ingest.heads IN ACCESS EXCLUSIVE MODE")
        await raw.write(claim(), *appends(chain_of(), 3, lease=0, first=True))

        code = await asyncio.to_thread(worker.wait, 60.0)

    assert code == 1
    assert worker.said("worker exits")[0]["kind"] in ("Stalled", "DatabaseUnavailable")


async def test_offsets_of_another_log_are_refused(raw: RawTopic, start_worker: StartWorker) -> None:
    with psycopg.connect(raw.config.postgres) as conn:
        conn.execute(
            "INSERT INTO system.partition_owner (consumer, topic, partition, next_offset, cluster_id, topic_id)"
            " VALUES ('normalize', %s, 0, 5, 'elsewhere', 'elsewhere')",
            (raw.topic,),
        )

    worker = start_worker()
    code = await asyncio.to_thread(worker.wait, 30.0)

    assert code == 1
    [said] = worker.said("worker exits")
    assert said["kind"] == "OtherDeployment"
    assert f"all but {raw.topic} (there is another one of that name)" in said["error"]
    assert "FT_KAFKA" in said["error"]


async def test_a_database_without_tables_is_refused_with_the_remedy(raw: RawTopic, start_worker: StartWorker) -> None:
    address = urlsplit(raw.config.postgres)._replace(path="/postgres").geturl()

    worker = start_worker(FT_POSTGRES=address)
    code = await asyncio.to_thread(worker.wait, 30.0)

    assert code == 1
    assert "ft migrate" in worker.said("worker exits")[0]["error"]


async def test_unreachable_servers_are_named(raw: RawTopic, start_worker: StartWorker) -> None:
    worker = start_worker(FT_POSTGRES="postgresql://ft:x@127.0.0.1:9/ft")
    code = await asyncio.to_thread(worker.wait, 30.0)

    assert code == 1
    assert "Postgres" in worker.said("worker exits")[0]["error"]


async def test_a_record_larger_than_a_fetch_is_read(raw: RawTopic, start_worker: StartWorker) -> None:
    chain = chain_of()
    [large] = appends(chain, 1, lease=0, first=True)
    noise = random.Random(1).randbytes(15_000_000).hex().encode()  # so that compression does not make it small
    padding = RawPart(name="later", encoding="json", bytes=b'"' + noise + b'"')
    worker = start_worker()

    await raw.write(claim(), replace(large, parts=[*large.parts, padding]), *appends(chain, 2, lease=0))
    await raw.until(lambda: raw.next_offset() == 4)

    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert worker.process.poll() is None


async def test_sigterm_ends_a_worker_within_seconds(raw: RawTopic, start_worker: StartWorker) -> None:
    worker = start_worker("normalize,ledger,publisher,project")
    await raw.until(lambda: raw.rows("SELECT count(*) FROM system.workers") == [(1,)])
    began = time.monotonic()

    code = await asyncio.to_thread(worker.terminate)

    assert code == 0
    assert time.monotonic() - began < 8
    print("took", time.monotonic() - began)


async def test_killed_workers_and_reorgs_leave_what_the_log_says(raw: RawTopic, start_worker: StartWorker) -> None:
    chain = chain_of(seed=9)
    await raw.write(claim(), *appends(chain, 10, lease=0, first=True))
    for depth in (2, 5, 1):
        before = raw.next_offset()
        worker = start_worker()
        undone = chain.undo(depth)
        await raw.write(*[revert(block, 0) for block in undone], *appends(chain, depth + 20, lease=0))
        await raw.until(lambda before=before: raw.next_offset() > before)
        worker.kill()

    worker = start_worker()
    await raw.until(lambda: raw.next_offset() == 11 + 2 * (2 + 5 + 1) + 60)

    canonical = "SELECT number, hash FROM ingest.blocks WHERE state = 'canonical' ORDER BY 1"
    assert raw.rows(canonical) == [(block.number, block.hash) for block in chain.blocks]
    assert raw.rows('SELECT "from", "to" FROM ingest.coverage') == [(1, len(chain.blocks))]
    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert raw.rows("SELECT count(*) FROM system.dlq") == [(0,)]
