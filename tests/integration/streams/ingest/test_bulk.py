"""ft ingest --bulk, up to the raw log: the job's row, what is refused, what an interrupted one leaves behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from ft.stopping import Stopped
from ft.streams.ingest import bulk
from ft.streams.ingest.bulk import Bulk, BulkJobs, BulkRefused, Job, JobGone
from tests.devnet.faulty_node import FaultyNode
from tests.integration.streams.ingest.conftest import Lab, at_step
from tests.integration.waiting import until

LAST = 79
"""Head 82, finalized 74."""
ROWS = """
    SELECT "from", "to", state, raw_end, abandoned,
           extract(epoch FROM from_time)::bigint, extract(epoch FROM to_time)::bigint
    FROM ingest.bulk ORDER BY id
"""


@asynccontextmanager
async def bulk_of(lab: Lab, url: str, **changes: object) -> AsyncIterator[Bulk]:
    async with lab.job(url, network=replace(lab.network, **changes)) as job:  # type: ignore[arg-type]
        jobs = BulkJobs(lab.config, "devnet")
        yield Bulk(job._network, job._source, job._raw, job._tail, jobs, job._stopping)


async def run(lab: Lab, node: FaultyNode, first: int | None, last: int | None) -> Job:
    async with bulk_of(lab, node.url) as job:
        return await job.run(first, last)


def heights(lab: Lab) -> list[int]:
    return [record["height"] for _, record in lab.records()]


async def test_final_blocks_are_appended_and_the_job_says_up_to_which_offset_and_time(
    lab: Lab, node: FaultyNode
) -> None:
    at_step(node, LAST)

    await run(lab, node, 10, 40)

    records = lab.records()
    assert [record["height"] for _, record in records] == list(range(10, 41))
    assert {(record["op"], record["lease"]) for _, record in records} == {("append", 0)}
    times = {record["height"]: record["time"] for _, record in records}
    assert lab.sql(ROWS) == [(10, 40, "written", records[-1][0], False, times[10], times[40])]
    assert lab.chain().misfits == []


async def test_without_an_end_it_goes_to_the_highest_final_block_below_the_tail(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)
    lab.sql("INSERT INTO ingest.tail (network, height, hash, parent) VALUES ('devnet', 60, '0x', '0x')")

    async with bulk_of(lab, node.url, start_block=50) as job:
        done = await job.run(None, None)

    assert (done.first, done.last) == (50, 59)
    assert heights(lab) == list(range(50, 60))


@pytest.mark.parametrize(("first", "last"), [(70, 75), (75, 82), (82, None)])
async def test_what_is_not_final_is_refused_before_a_job_is_opened(
    lab: Lab, node: FaultyNode, first: int, last: int | None
) -> None:
    at_step(node, LAST)

    with pytest.raises(
        BulkRefused, match=r"expected --from and --to up to 74, got .* --follow. brings what lies above"
    ):
        await run(lab, node, first, last)

    assert (lab.sql(ROWS), lab.messages()) == ([], [])


async def test_a_job_that_was_stopped_stays_open_and_the_same_command_finishes_it(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)
    node.faults.delay_s = 0.2
    async with bulk_of(lab, node.url, batch_max=2) as job:
        running = asyncio.create_task(job.run(10, None))
        await until(lambda: bool(lab.messages()), "something was written")
        job._stopping.stop()
        with pytest.raises(Stopped):
            await running
    node.faults.delay_s = 0
    left = lab.sql(ROWS)

    done = await run(lab, node, 10, None)

    assert [row[:4] for row in left] == [(10, 74, "filling", None)]
    assert (done.resumed, done.first, done.last) == (True, 10, 74)
    assert heights(lab) == list(range(10, 75))
    assert [row[:4] for row in lab.sql(ROWS)] == [(10, 74, "written", 64)]


async def test_a_job_whose_end_was_not_noted_appends_nothing_again(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)
    await run(lab, node, 10, 20)
    lab.sql("UPDATE ingest.bulk SET state = 'filling', raw_end = NULL")

    await run(lab, node, 10, 20)

    assert heights(lab) == list(range(10, 21))
    assert [row[2:4] for row in lab.sql(ROWS)] == [("written", 10)]


async def test_the_same_range_later_is_a_job_of_its_own(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)
    await run(lab, node, 10, 20)

    done = await run(lab, node, 10, 20)

    assert not done.resumed
    assert heights(lab) == [*range(10, 21), *range(10, 21)]
    assert lab.chain().misfits == []


async def test_an_abandoned_job_ends_where_the_log_ends_and_its_process_is_told(
    lab: Lab, node: FaultyNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(node, LAST)
    node.faults.delay_s = 0.1
    monkeypatch.setattr(bulk, "SEEN_S", 0.05)
    async with bulk_of(lab, node.url, batch_max=2) as job:
        running = asyncio.create_task(job.run(10, 60))
        await until(lambda: bool(lab.messages()), "something was written")
        node.faults.delay_s = 1.0  # so that it cannot come to its end meanwhile

        other = await BulkJobs(lab.config, "devnet").abandon(11, None)
        closed = await BulkJobs(lab.config, "devnet").abandon(10, None)
        node.faults.delay_s = 0

        with pytest.raises(JobGone):
            await running
    assert (other, [(job.first, job.last) for job in closed]) == ([], [(10, 60)])
    ((_, _, state, raw_end, abandoned, _, _),) = lab.sql(ROWS)
    assert (state, abandoned) == ("written", True)
    assert 0 <= raw_end <= lab.messages()[-1].offset


async def test_somebody_who_fills_a_job_is_seen(lab: Lab, node: FaultyNode, monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(node, LAST)
    monkeypatch.setattr(bulk, "SEEN_S", 0.05)
    job = await BulkJobs(lab.config, "devnet").open(1, 2, 1, 2)
    lab.sql("UPDATE ingest.bulk SET seen_at = 'epoch'")

    async with BulkJobs(lab.config, "devnet").alive(job):
        await until(lambda: lab.sql("SELECT seen_at > 'epoch' FROM ingest.bulk") == [(True,)], "a sign of life")
