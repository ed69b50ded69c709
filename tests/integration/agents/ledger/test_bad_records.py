"""Whatever comes in, the partition goes on: a dead letter, or a hole in coverage, in the same transaction."""

from dataclasses import replace
from typing import Any

import pytest

from ft.config import Config
from ft.schemas.events import to_record
from tests.integration.agents.ledger.harness import (
    CODEC,
    Block,
    Event,
    LedgerHarness,
    Log,
    account,
    journal,
    owners,
    rows,
    say_hashes_repeat,
    tx,
)

HOLES = "SELECT block_number, contract, reason, state FROM ingest.quarantine ORDER BY id"
DEAD = 'SELECT "offset", reason, state FROM system.dlq ORDER BY id'


def good(log: Log, number: int) -> None:
    log.append(Block(number, [Event(tx=f"good{number}", token=number, target="alice")]))


def changed(log: Log, **fields: Any) -> bytes:
    """A good record of a block with one event, changed."""
    record = log.append(Block(7, [Event(tx="bad", token=7, target="alice")]))
    log.records[0].pop()
    return CODEC.encode({**to_record(record), **fields})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"op": "rewind"}, "unknown_op"),
        ({"standard": ["erc9999"]}, "unknown_standard"),
        ({"quantity": ["1", "2"]}, "unequal_columns"),
        ({"partition": 3}, "wrong_partition"),
        ({"position": -1}, "bad_position"),
        ({"network": "Not A Slug"}, "bad_network"),
        ({"block_hash": "\0"}, "bad_text"),
        ({"digest": "é"}, "bad_text"),
        ({"block_number": -1}, "no_block"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_record_that_breaks_the_rules_is_a_dead_letter_and_the_partition_goes_on(
    config: Config, ledger: LedgerHarness, fields: dict[str, Any], reason: str
) -> None:
    log = Log()
    good(log, 1)
    log.put(changed(log, **fields))
    good(log, 8)

    await ledger.read(log)

    assert rows(config, DEAD) == [(1, reason, "open")]
    assert [row[1] for row in journal(config)] == [1, 8]


@pytest.mark.parametrize("value", [None, b"", b"\x00\x00\x00\x00\x01junk", b"not avro at all"])
async def test_an_undecodable_record_is_a_dead_letter_with_its_bytes(
    config: Config, ledger: LedgerHarness, value: bytes | None
) -> None:
    log = Log()
    log.put(value)
    good(log, 1)

    await ledger.read(log)

    assert rows(config, DEAD) == [(0, "unreadable", "open")]
    assert rows(config, "SELECT payload FROM system.dlq") == [(value or b"",)]
    assert [row[1] for row in journal(config)] == [1]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"token_id": ["seven"]}, "bad_value"),
        ({"token_id": ["007"]}, "bad_value"),
        ({"token_id": [""]}, "bad_value"),
        ({"token_id": ["-1"]}, "bad_value"),
        ({"token_id": ["٧"]}, "bad_value"),
        ({"quantity": ["1" * 79]}, "bad_value"),
        ({"quantity": ["1\n2"]}, "bad_value"),
        ({"from": ["a\tb"]}, "bad_value"),
        ({"to": ["\\N"]}, "bad_value"),
        ({"contract": ["x" * 257]}, "bad_value"),
        ({"operator": ['"']}, "bad_value"),
        ({"topic0": ["\0"]}, "bad_value"),
        ({"block_time": 5_000_000_000}, "bad_time"),
        ({"block_time": 0}, "bad_time"),
        ({"block_time": -(2**62)}, "bad_time"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_slice_with_an_impossible_value_is_a_hole_and_the_partition_goes_on(
    config: Config, ledger: LedgerHarness, fields: dict[str, Any], reason: str
) -> None:
    log = Log()
    good(log, 1)
    log.put(changed(log, **fields))
    good(log, 8)

    await ledger.read(log)

    ((number, _, found, state),) = rows(config, HOLES)
    assert (number, found, state) == (7, reason, "open")
    assert [row[1] for row in journal(config)] == [1, 8]
    assert rows(config, "SELECT head_number FROM system.partition_head") == [(8,)]


async def test_events_that_occur_twice_in_a_slice_are_a_hole(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(Block(1, [Event(tx="twice", target="alice"), Event(tx="twice", target="alice")]))

    await ledger.read(log)

    assert rows(config, HOLES) == [(1, account("c"), "repeated_event", "open")]


async def test_a_reverted_block_closes_its_holes_and_its_corrected_slice_comes_in(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log(finalized=10)
    bad = Block(7, [Event(tx="bad", token=7, target="alice")])
    log.append(bad, token_id=["seven"])
    log.revert(bad, reason="replace")
    log.append(bad)

    await ledger.read(log)

    assert rows(config, HOLES) == [(7, account("c"), "bad_value", "reverted")]
    assert owners(config) == {(account("c"), 7): (account("alice"), 1)}


async def test_nine_transfers_of_the_greatest_quantity_to_one_account_are_summed(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log()
    for number in range(1, 10):
        event = Event(tx=f"t{number}", target="whale", quantity=2**256 - 1, standard="erc1155", contract="m")
        log.append(Block(number, [event]))

    await ledger.read_one_by_one(log)

    assert rows(config, "SELECT quantity FROM market.ownership_current") == [(9 * (2**256 - 1),)]


async def test_nothing_outside_can_put_a_number_behind_a_transactions_hash(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log()
    forged = Event(tx="forged", target="alice")
    log.append(Block(1, [forged]), tx_hash=[f"{tx('forged')}~2"])

    await ledger.read(log)

    assert rows(config, HOLES) == [(1, account("c"), "bad_value", "open")]
    assert journal(config) == []


async def test_a_final_blocks_transactions_are_not_remembered(config: Config, ledger: LedgerHarness) -> None:
    say_hashes_repeat(config, False)
    log = Log(finalized=100)
    for number in (1, 2):
        log.append(Block(number, [Event(tx=f"t{number}", token=number, target="alice")]))

    await ledger.read(log)

    assert not any(ledger.ledger._cache.live(ledger.claims).values())


async def test_a_head_outside_of_the_journals_time_does_not_stop_the_partition(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log()
    good(log, 1)
    record = log.append(Block(2, [Event(tx="next", token=2, target="alice")]))
    log.records[0].pop()
    log.send(replace(record, head_time=2**62))

    await ledger.read(log)

    assert [row[1] for row in journal(config)] == [1, 2]
    assert rows(config, "SELECT head_number, head_time = to_timestamp(%(t)s) FROM system.partition_head",
                {"t": Block(1).time}) == [(2, True)]  # fmt: skip


async def test_months_are_made_as_blocks_need_them(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    for number, time in enumerate((1_230_768_000, 1_704_067_200, 4_102_444_799)):
        log.append(Block(number, [Event(tx=f"t{number}", token=number, target="alice")]), block_time=time)

    await ledger.read(log)

    months = [f"{row[0]:%Y-%m}" for row in rows(config, "SELECT month FROM ledger.months ORDER BY month")]
    assert months == ["2009-01", "2024-01", "2099-12"]
    assert len(journal(config)) == 3
