"""Blocks as large as a record may be, and small ones that state large numbers: memory and work stay in bounds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from ft.agents.decode.erc1155 import BLOCK_ENTRIES_MAX
from ft.agents.decode.topics import CONSECUTIVE_TRANSFER, TRANSFER_BATCH
from ft.schemas.events import DeadLetter, RawBlock, from_record, to_record
from ft.schemas.ids import partition_of
from ft.streams.kafka.topics import RECORD_BYTES_MAX
from ft.streams.worker.chain_reader.sender import LETTER_BYTES_MAX, SLICE_BYTES_MAX
from tests.acceptance.conftest import pipeline_of
from tests.acceptance.hostile.conftest import Storm
from tests.acceptance.hostile.lane import GOOD, NETWORK, mint, of, part, receipts
from tests.topic_ends import read_all
from tests.unit.agents.decode.building import ALICE, SENDER, ZERO, Json, log

pytestmark = pytest.mark.timeout(500)
SEED: Final = 20260107
RANGES: Final = 15_000
RANGED: Final = "0x" + "2309".rjust(40, "0")
CROWD: Final = "0x" + "1155".rjust(40, "0")
BROAD: Final = "0x" + "32".rjust(40, "0")
CROWD_ENTRIES: Final = 1_000_000
BROAD_ENTRIES: Final = 80_000
RSS_MAX: Final = 1_500 << 20
"""Of a worker that is given several records of 64 MB in a row, each of which it holds a few times over."""
HOLES: Final = "SELECT contract, reason, count(*), min(error) FROM ingest.quarantine GROUP BY 1, 2 ORDER BY 1, 2"


def filler(size: int) -> Json:
    """A log of somebody else, of this many characters that hardly compress."""
    noise = Random(SEED).randbytes(size // 2).hex()
    return of(CROWD, log("0x" + "77" * 32, [], "0x" + noise), index=9)


def batch_of(entries: int, *, shared: bool) -> Json:
    """A batch of entries of 77 digits; ``shared``: ids and values are one array."""
    words = "".join(f"{10**76 + number:064x}" for number in range(entries))
    count = f"{entries:064x}"
    at = 64 if shared else 96 + 32 * entries
    values = "" if shared else count + f"{1:064x}" * entries
    data = f"0x{64:064x}{at:064x}{count}{words}{values}"
    return log(TRANSFER_BATCH, [SENDER, ZERO, ALICE], data)


def beside(contract: str, partitions: int) -> str:
    """Another contract of the same partition."""
    wanted = partition_of(f"{NETWORK}:{contract}", partitions)
    return next(
        other
        for number in range(1, 10_000)
        if partition_of(f"{NETWORK}:{(other := f'0x{number:040x}')}", partitions) == wanted
    )


def written(storm: Storm, logs: Sequence[Json]) -> RawBlock:
    block = storm.lane.block(receipts(logs))
    storm.write(block)
    storm.mints(1)
    return block


@pytest.fixture(scope="module")
def flood(servers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory, long: bool) -> Iterator[Storm]:
    """All of it one after the other, good blocks between."""
    with pipeline_of(servers, tmp_path_factory.mktemp("flood"), (NETWORK,)) as pipeline:
        pipeline.start()
        storm, large = Storm(pipeline), 6 if long else 1
        storm.mints(2)
        ranges = [log(CONSECUTIVE_TRANSFER, [0, ZERO, ALICE], [10_000]) for _ in range(RANGES)]
        written(storm, [of(RANGED, each, index) for index, each in enumerate(ranges)])
        written(storm, [of(CROWD, batch_of(CROWD_ENTRIES, shared=True))])
        broad = of(BROAD, batch_of(BROAD_ENTRIES, shared=False))
        written(storm, [broad, mint(beside(BROAD, pipeline.config.partitions), 7, index=1)])
        for number in range(large):
            written(storm, [mint(GOOD, 1_000 + number), filler(60_000_000)])
        _too_large_to_repeat(storm)
        storm.mints(2)
        storm.lane.good += range(1_000, 1_000 + large)
        pipeline.until(lambda: _good(storm) == len(storm.lane.good), "the blocks around", timeout_s=200)
        storm.caught_up()
        yield storm
        storm.schemas.close()


def _too_large_to_repeat(storm: Storm) -> None:
    """A block of 60 MB that is none, and a record of 60 MB that says nothing."""
    noise = Random(SEED).randbytes(30_000_000).hex().encode()
    storm.lane.height += 1
    header = storm.lane.header()
    storm.lane.height -= 1
    storm.write(storm.lane.block(parts=[header, part("receipts", b'["' + noise)]))
    value = storm.codec("raw_block", storm.topics.raw(NETWORK)).encode(to_record(storm.lane.block()))
    storm.lane.height -= 1
    storm.write(value + noise)


def _good(storm: Storm) -> int:
    [(count,)] = storm.pipeline.sql("SELECT count(*) FROM ledger.events WHERE contract = %(c)s", c=GOOD)
    return int(count)


def test_the_worker_stays_and_its_memory_is_bounded(flood: Storm) -> None:
    [worker] = flood.pipeline.workers
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    peak, now = (int(status.split(f"{name}:")[1].split()[0]) << 10 for name in ("VmHWM", "VmRSS"))

    print(f"worker: at most {peak >> 20} MiB, {now >> 20} MiB after all")
    assert worker.running
    assert peak < RSS_MAX


def test_ranges_that_are_too_long_are_holes_each_and_cost_no_more(flood: Storm) -> None:
    [(_, reason, count, error)] = [row for row in flood.pipeline.sql(HOLES) if row[0] == RANGED]

    assert (reason, count) == ("mismatch", RANGES)
    assert "expected a range of at most 10000 ids, got 10001" in error


def test_a_batch_of_a_million_is_a_hole(flood: Storm) -> None:
    [(_, reason, count, error)] = [row for row in flood.pipeline.sql(HOLES) if row[0] == CROWD]

    assert (reason, count) == ("mismatch", 1)
    assert f"expected at most {BLOCK_ENTRIES_MAX} ids more in batches of this block, got {CROWD_ENTRIES}" in error


def test_only_the_contract_that_makes_a_slice_too_large_is_left_out(flood: Storm) -> None:
    [(_, reason, count, error)] = [row for row in flood.pipeline.sql(HOLES) if row[0] == BROAD]
    other = beside(BROAD, flood.pipeline.config.partitions)
    owner = "SELECT account FROM projection.ownership_view WHERE contract = %(c)s"

    assert (reason, count) == ("slice_too_large", 1)
    assert f"expected at most {SLICE_BYTES_MAX} bytes" in error
    assert flood.pipeline.sql(owner, c=other) == [(ALICE,)]


def test_a_block_that_is_none_is_a_hole_that_keeps_it_whole(flood: Storm) -> None:
    size = "SELECT octet_length(payload), reason FROM ingest.quarantine WHERE contract = ''"

    [(length, reason)] = flood.pipeline.sql(size)

    assert reason == "malformed"
    assert 60_000_000 < length <= RECORD_BYTES_MAX


def test_a_record_that_says_nothing_is_a_letter_that_names_its_place(flood: Storm) -> None:
    topic, config = flood.topics.dead_letter, flood.pipeline.config
    codec = flood.codec("dead_letter", topic)

    letters = [from_record(DeadLetter, codec.decode(message.value)) for message in read_all(config, topic)]
    [letter] = {each.offset: each for each in letters}.values()  # a batch that is tried again tells it again
    [(at, length)] = flood.pipeline.sql('SELECT "offset", octet_length(payload) FROM system.dlq')

    assert (letter.offset, letter.payload) == (at, b"")
    assert f"{length} bytes stand in {letter.topic} at offset {at}" in letter.error
    assert length > LETTER_BYTES_MAX


def test_every_good_block_was_applied_and_all_is_proved(flood: Storm) -> None:
    assert _good(flood) == len(flood.lane.good)
    flood.pipeline.verify()


def test_the_log_tells_of_a_block_in_one_line(flood: Storm) -> None:
    [worker] = flood.pipeline.workers
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in worker.log.read_text().splitlines() if '"quarantined"' in line
    ]

    entries = {line["offset"]: line["entries"] for line in lines}  # a batch that is tried again tells it again
    assert sorted(entries.values()) == [1, 1, 1, RANGES]
    assert {line["network"] for line in lines} == {NETWORK}
    assert all(line["block"] > 0 and line["offset"] > 0 and line["partition"] == 0 for line in lines)
