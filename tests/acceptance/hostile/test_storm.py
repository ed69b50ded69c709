"""After everything hostile that a topic may hold: what was put aside, why, and that nothing else was touched."""

import subprocess
import sys
from typing import Final

import httpx
import pytest

from ft.children import FT
from ft.schemas.events import DeadLetter, from_record
from tests.acceptance.hostile.conftest import Storm
from tests.acceptance.hostile.lane import GOOD, NETWORK
from tests.acceptance.hostile.normalized_storm import CONTRACT, ELSEWHERE
from tests.acceptance.hostile.raw_storm import COINS, LATE, MAX, SHARED
from tests.topic_ends import read_all
from tests.unit.agents.decode.building import ALICE

pytestmark = pytest.mark.timeout(400)
LETTERS: Final = """
SELECT partition, "offset", reason, error FROM system.dlq WHERE consumer = %(consumer)s ORDER BY 1, 2
"""
HOLES: Final = """
SELECT raw_offset, contract, error FROM ingest.quarantine WHERE network = %(network)s AND state = 'open' ORDER BY 1
"""


def letters(storm: Storm, consumer: str) -> dict[tuple[int, int], tuple[str, str]]:
    rows = storm.pipeline.sql(LETTERS, consumer=consumer)
    return {(partition, offset): (reason, error) for partition, offset, reason, error in rows}


def test_the_worker_never_ended(storm: Storm) -> None:
    assert all(worker.running for worker in storm.pipeline.workers)


def test_every_good_block_was_applied(storm: Storm) -> None:
    held = (
        "SELECT token_id::bigint FROM projection.ownership_view WHERE contract = %(c)s AND account = %(a)s ORDER BY 1"
    )

    assert [row[0] for row in storm.pipeline.sql(held, c=GOOD, a=ALICE)] == storm.lane.good


def test_every_raw_record_that_is_none_is_a_dead_letter_with_its_reason(storm: Storm) -> None:
    expected = {(0, offset): hostile.reason for offset, hostile in storm.raw.items() if hostile.reason}

    found = letters(storm, "normalize")

    assert {place: reason for place, (reason, _) in found.items()} == expected
    for _, error in found.values():
        assert "expected" in error or "fit" in error or "that the registry knows" in error, error
        assert len(error) <= 1000


def test_every_block_that_lies_leaves_its_holes_and_no_others(storm: Storm) -> None:
    expected = [(at, contract, error) for at, hostile in storm.raw.items() for contract, error in hostile.holes]

    found = storm.pipeline.sql(HOLES, network=NETWORK)

    assert [(at, contract) for at, contract, _ in found] == [(at, contract) for at, contract, _ in expected]
    for (at, _, error), (_, _, said) in zip(found, expected, strict=True):
        assert said in error, f"{storm.raw[at].what}: {error}"


def test_blocks_that_lie_are_canonical_all_the_same(storm: Storm) -> None:
    heights = storm.pipeline.sql("SELECT number FROM ingest.blocks WHERE state = 'canonical' ORDER BY 1")

    assert [number for (number,) in heights] == list(range(1, storm.lane.height + 1))


def test_nine_times_the_largest_quantity_is_held_and_told(storm: Storm) -> None:
    answer = storm.pipeline.get(f"assets/{NETWORK}:{COINS}:1")

    assert answer["ownership"]["quantity"] == str(9 * MAX)


def test_logs_are_taken_in_the_order_of_their_receipts_whatever_index_they_say(storm: Storm) -> None:
    owner = "SELECT account FROM projection.ownership_view WHERE contract = %(contract)s"

    assert storm.pipeline.sql(owner, contract=LATE) == [(ALICE,)]


def test_one_array_may_be_ids_and_values_at_once(storm: Storm) -> None:
    held = "SELECT token_id::int, quantity::int FROM projection.ownership_view WHERE contract = %(c)s ORDER BY 1"

    assert storm.pipeline.sql(held, c=SHARED) == [(5, 5), (6, 6), (99, 1)]


def test_what_normalize_did_not_write_is_a_dead_letter_or_a_hole(storm: Storm) -> None:
    expected = {(partition, at): each.letter for partition, at, each in storm.normalized if each.letter}
    holes = sorted(each.hole for partition, _, each in storm.normalized if each.hole)

    found = letters(storm, "ledger")
    put_aside = storm.pipeline.sql("SELECT reason FROM ingest.quarantine WHERE network = %(n)s", n=ELSEWHERE)

    assert {place: reason for place, (reason, _) in found.items()} == expected
    assert sorted(reason for (reason,) in put_aside) == holes
    assert storm.pipeline.sql("SELECT count(*) FROM ledger.events WHERE contract = %(c)s", c=CONTRACT) == [(0,)]


def test_what_the_publisher_did_not_write_is_a_dead_letter(storm: Storm) -> None:
    expected = {(partition, at): each.letter for partition, at, each in storm.owned if each.letter}

    found = letters(storm, "project")

    assert {place: reason for place, (reason, _) in found.items()} == expected
    assert storm.pipeline.sql("SELECT count(*) FROM projection.holdings WHERE contract = %(c)s", c=CONTRACT) == [(0,)]


def test_the_depth_is_told_by_metrics_and_by_the_command(storm: Storm) -> None:
    [(depth,)] = storm.pipeline.sql("SELECT count(*) FROM system.dlq WHERE state = 'open'")
    [(url,)] = storm.pipeline.sql("SELECT metrics_url FROM system.workers")

    storm.pipeline.until(lambda: f"\ndlq_depth {float(depth)}" in httpx.get(url).text, f"dlq_depth {depth}")
    listed = subprocess.run(
        [sys.executable, *FT, "dlq", "list", "--limit", str(depth)],
        env=storm.pipeline.environ(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert listed.returncode == 0, listed.stderr
    assert len(listed.stdout.splitlines()) == depth + 1


def test_every_dead_letter_of_normalize_is_announced_and_no_larger_than_it_must(storm: Storm) -> None:
    topic = storm.topics.dead_letter
    codec = storm.codec("dead_letter", topic)
    records = [from_record(DeadLetter, codec.decode(m.value)) for m in read_all(storm.pipeline.config, topic)]

    assert {(r.offset, r.reason) for r in records} == {
        (offset, reason) for (_, offset), (reason, _) in letters(storm, "normalize").items()
    }
    assert max(len(record.error) for record in records) <= 1200


def test_everything_is_still_proved(storm: Storm) -> None:
    storm.pipeline.verify()
