"""``faust -A ft worker`` as a process: it shares with another, ends when told to, and dies rather than hang."""

import asyncio
import urllib.request

from tests.integration.normalize.rawtopic import NETWORK, RawTopic, appends, claim, events_of, expected_events
from tests.integration.worker.conftest import StartWorker
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
    text = await asyncio.to_thread(fetch, url)

    assert url.startswith("http://127.0.0.1:")
    assert 'events_processed{agent="normalize"} 40.0' in text
    assert f'normalizer_lag{{network="{NETWORK}",partition="0"}}' in text
    assert "dlq_depth 0.0" in text
    assert worker.said("worker started")
