"""Marked contracts are counted again, in the order of the chain, once their whole history was read."""

import asyncio
from random import Random

import psycopg
import pytest

from ft.agents.ledger.recount import Recounter, Recounting
from ft.config import Config
from ft.errors import DatabaseUnavailable
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import Block, Event, LedgerHarness, Log, account, multi, rows
from tests.integration.agents.ledger.reading import FINDINGS, findings, marked, normalized, read_whole
from tests.integration.agents.ledger.telling import Story, contradicting
from tests.integration.ops.verify.proven import failing, verified

C = account("c")
MINT = Event(tx="mint", target="alice")
SALE = Event(tx="sale", source="alice", target="bob")
SECOND_MINT = Event(tx="again", target="bob")


async def late(config: Config, ledger: LedgerHarness, above: list[Event], below: list[Event]) -> Log:
    """Block 2 is read, and block 1 after it; normalize has not committed the latter."""
    log = Log()
    log.append(Block(2, above))
    log.append(Block(1, below))
    normalized(config, log, (2, 2), position=0)
    await ledger.read(log)
    return log


async def test_a_missing_range_that_is_read_clears_the_mark(
    config: Config, ledger: LedgerHarness, recounter: Recounter
) -> None:
    log = await late(config, ledger, [SALE], [MINT])
    await recounter.round()
    before = marked(config)

    normalized(config, log, late=1)
    await recounter.round()

    assert before == [C]
    assert (findings(config), marked(config)) == ({}, [])


@pytest.mark.parametrize(
    ("above", "below", "found"),
    [
        (SECOND_MINT, MINT, ("minted while held", 2)),
        (Event(tx="on", source="bob", target="x"), MINT, ("from does not hold it", 2)),
        (MINT, SALE, ("moved before it was minted", 1)),
        (multi("over", "alice", "bob", 5), multi("mint", "", "alice", 4), ("negative sum", 2)),
    ],
)
async def test_a_missing_range_that_explains_nothing_is_found(
    config: Config, ledger: LedgerHarness, recounter: Recounter, above: Event, below: Event, found: tuple[str, int]
) -> None:
    log = await late(config, ledger, [above], [below])

    normalized(config, log, late=1)
    await recounter.round()

    assert (findings(config), marked(config)) == ({1: found}, [])


async def test_a_contract_waits_while_its_partition_has_not_read_what_is_covered(
    config: Config, ledger: LedgerHarness, recounter: Recounter
) -> None:
    log = Log()
    log.append(Block(2, [SALE]))
    normalized(config, log, (2, 2))
    await ledger.read(log)
    log.append(Block(1, [MINT]))
    normalized(config, log, late=1)

    more = await recounter.round()
    waiting = findings(config), marked(config)
    await ledger.read(log)
    await recounter.round()

    assert more is False
    assert waiting == ({}, [C])
    assert (findings(config), marked(config)) == ({}, [])


GIVE, BACK = multi("give", "alice", "bob", 5), multi("back", "bob", "alice", 5)


MINTED_LATER = multi("mint", "", "alice", 9)


@pytest.mark.parametrize("events", [[[GIVE], [BACK]], [[GIVE, BACK]], [[GIVE], [MINTED_LATER]]])
@pytest.mark.parametrize("one_by_one", [True, False])
async def test_a_balance_that_was_below_zero_is_found_though_later_events_fill_it(
    config: Config, ledger: LedgerHarness, recounter: Recounter, events: list[list[Event]], one_by_one: bool
) -> None:
    log = Log()
    for number, block in enumerate(events, start=1):
        log.append(Block(number, block))
    normalized(config, log)
    await (ledger.read_one_by_one(log) if one_by_one else ledger.read(log))
    before = set(marked(config)) | {C for _ in findings(config)}

    await recounter.round()

    assert before == {C}
    assert (findings(config), marked(config)) == ({1: ("negative sum", 1)}, [])


@pytest.mark.parametrize(("given", "found"), [(7, {1: ("negative sum", 3)}), (5, {})])
@pytest.mark.parametrize("one_by_one", [True, False])
async def test_a_balance_that_gave_too_much_in_a_range_read_late_is_found_though_it_has_more_above(
    config: Config, ledger: LedgerHarness, recounter: Recounter, one_by_one: bool, given: int, found: object
) -> None:
    log = Log()
    log.append(Block(4, [multi("above", "", "alice", 20)]))
    log.append(Block(5, [multi("on", "alice", "bob", 1)]))
    late = log.position
    log.append(Block(1))
    log.append(Block(2, [multi("mint", "", "alice", 5)]))
    log.append(Block(3, [multi("sale", "alice", "bob", given)]))
    normalized(config, log, late=late)
    await (ledger.read_one_by_one(log) if one_by_one else ledger.read(log))
    before = marked(config)

    await recounter.round()

    assert before == [C]
    assert (findings(config), marked(config)) == (found, [])


@pytest.mark.parametrize("one_by_one", [True, False])
async def test_a_balance_that_gave_what_a_replaced_block_brings_no_more_is_found(
    config: Config, ledger: LedgerHarness, recounter: Recounter, one_by_one: bool
) -> None:
    log = Log()
    mint, sale, more = multi("mint", "", "alice", 5), multi("sale", "alice", "bob", 5), multi("more", "", "alice", 5)
    for number, event in enumerate((mint, sale, more), 1):
        log.append(Block(number, [event]))
    log.append(Block(4))
    for number, events in enumerate(([], [sale], [more]), 1):
        log.revert(log.chain[number - 1], reason="replace")
        log.append(Block(number, events, fork="b"))
    normalized(config, log, late=log.position - 1)
    await (ledger.read_one_by_one(log) if one_by_one else ledger.read(log))

    await recounter.round()

    assert (findings(config), marked(config)) == ({1: ("negative sum", 2)}, [])


async def test_a_finding_heals_once_what_was_missing_is_there(
    config: Config, ledger: LedgerHarness, recounter: Recounter
) -> None:
    log = Log()
    log.append(Block(1))
    log.append(Block(2, [multi("sale", "alice", "bob", 3)]))
    await read_whole(config, ledger, log)
    found = findings(config)
    log.revert(log.chain[0], reason="replace")
    log.append(Block(1, [multi("mint", "", "alice", 3)], fork="b"))
    normalized(config, log, late=log.position - 1)
    await ledger.read(log)

    await recounter.round()

    assert found == {1: ("negative sum", 2)}
    assert (findings(config), marked(config)) == ({}, [])


async def test_a_minting_block_that_is_replaced_by_one_without_the_mint_is_found(
    config: Config, ledger: LedgerHarness, recounter: Recounter
) -> None:
    log = Log()
    log.append(Block(1, [MINT]))
    log.append(Block(2, [SALE]))
    await read_whole(config, ledger, log)
    log.revert(log.chain[0], reason="replace")
    log.append(Block(1, fork="b"))
    normalized(config, log, late=log.position - 1)
    await ledger.read(log)

    await recounter.round()

    assert (findings(config), marked(config)) == ({1: ("moved before it was minted", 2)}, [])


async def test_a_finding_that_fell_leaves_those_of_the_token_that_stand(
    config: Config, ledger: LedgerHarness, recounter: Recounter
) -> None:
    log = Log()
    for number, events in enumerate(([MINT], [SECOND_MINT], [Event(tx="third", target="carol")]), 1):
        log.append(Block(number, events))
    await read_whole(config, ledger, log)
    log.revert(log.chain[1], reason="replace")
    log.append(Block(2, fork="b"))
    normalized(config, log, late=log.position - 1)
    await ledger.read(log)

    await recounter.round()

    assert (findings(config), marked(config)) == ({1: ("minted while held", 3)}, [])


async def test_a_mark_that_comes_while_it_counts_stands(
    config: Config, ledger: LedgerHarness, recounter: Recounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await late(config, ledger, [SALE], [MINT])
    normalized(config, log, late=1)
    log.append(Block(3, [Event(tx="on", token=2, source="x", target="y")]))
    _meanwhile(recounter, monkeypatch, ledger.read(log))  # normalize has not committed block 3 yet

    await recounter.round()

    assert (findings(config), marked(config)) == ({}, [C])


async def test_a_contradiction_that_comes_while_it_counts_is_kept(
    config: Config, ledger: LedgerHarness, recounter: Recounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await late(config, ledger, [SALE], [MINT])
    normalized(config, log, late=1)
    rows(
        config,
        "INSERT INTO system.findings VALUES ('synthetic', %(c)s, 1, 'nonconserving', '{}') RETURNING 1",
        {"c": C},
    )
    log.append(Block(3, [SECOND_MINT]))
    normalized(config, log, late=1)
    _meanwhile(recounter, monkeypatch, ledger.read(log))

    await recounter.round()

    assert findings(config) == {1: ("minted while held", 3)}


async def test_a_contradiction_whose_block_falls_while_it_counts_is_not_written(
    config: Config, ledger: LedgerHarness, recounter: Recounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await late(config, ledger, [SECOND_MINT], [MINT])
    normalized(config, log, late=1)
    log.revert(log.chain[-1])
    _meanwhile(recounter, monkeypatch, ledger.read(log))

    await recounter.round()

    assert findings(config) == {}


def _meanwhile(recounter: Recounter, monkeypatch: pytest.MonkeyPatch, happens: object) -> None:
    """Between what it has read and what it writes."""
    look = recounter._look

    async def looking(*arguments: object) -> object:
        seen = await look(*arguments)  # type: ignore[arg-type]
        await happens  # type: ignore[misc]
        return seen

    monkeypatch.setattr(recounter, "_look", looking)


async def test_since_when_a_token_is_held_is_set_right(
    config: Config, ledger: LedgerHarness, recounter: Recounter
) -> None:
    log = await late(config, ledger, [SALE], [MINT])
    normalized(config, log, late=1)
    since = "SELECT extract(epoch FROM since)::bigint FROM market.ownership_current"
    rows(config, "UPDATE market.ownership_current SET since = '2020-01-01Z' RETURNING 1")

    await recounter.round()

    assert rows(config, since) == [(Block(2).time,)]


async def test_months_without_indexes_are_waited_for(
    config: Config, ledger: LedgerHarness, recounter: Recounter
) -> None:
    log = await late(config, ledger, [SALE], [MINT])
    normalized(config, log, late=1)
    rows(config, "UPDATE ledger.months SET indexed = false RETURNING 1")
    await recounter.round()
    waiting = marked(config)
    rows(config, "UPDATE ledger.months SET indexed = true RETURNING 1")

    await recounter.round()

    assert (waiting, marked(config)) == ([C], [])


async def test_one_worker_counts_and_another_goes_on_when_it_is_killed(
    config: Config, ledger: LedgerHarness, recounter: Recounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await late(config, ledger, [SALE], [MINT])
    normalized(config, log, late=1)
    other = Recounter(config)

    async def killed(*_: object) -> int:
        await recounter.round()
        with psycopg.connect(config.postgres, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ft recount'"
                " AND datname = current_database() AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"
            )
        raise DatabaseUnavailable("killed")

    monkeypatch.setattr(other, "_write", killed)
    with pytest.raises(DatabaseUnavailable):
        await other.round()
    waiting = marked(config)

    await recounter.round()

    assert (waiting, marked(config)) == ([C], [])


async def test_the_service_clears_marks_within_seconds_and_ends_with_the_worker(
    config: Config, ledger: LedgerHarness
) -> None:
    log = await late(config, ledger, [SALE], [MINT])
    service = Recounting(config)
    await service.start()
    normalized(config, log, late=1)

    for _ in range(300):
        if not marked(config):
            break
        await asyncio.sleep(0.1)
    await service.stop()

    assert (findings(config), marked(config)) == ({}, [])


@pytest.mark.parametrize("seed", range(4))
async def test_findings_are_those_of_a_model_that_counts_from_scratch(
    config: Config, make_ledger: MakeLedger, recounter: Recounter, seed: int
) -> None:
    """Random events, true and untrue; reorgs, replaced blocks and ranges read late; batches of any size."""
    story, ledger, random = Story(Random(seed)), await make_ledger(), Random(seed)
    at = 0
    while story.tell():
        if random.random() < 0.4:
            read = random.randint(0, len(story.log.records.get(0, [])))
            if random.random() < 0.7:
                story.normalized(config)
            await ledger.read(story.log, until=max(at, read))
            at = max(at, read)
        if random.random() < 0.2:
            await recounter.round()
    story.normalized(config)
    await ledger.read(story.log)
    while await recounter.round():
        pass

    expected = contradicting(story.log.chain)
    assert (set(findings(config)), marked(config)) == (expected, [])
    kept = rows(config, FINDINGS)
    report = verified(config)
    assert ({int(found.token_id) for found in report.findings}, report.healed) == (expected, 0)
    assert rows(config, FINDINGS) == kept
    assert failing(report).keys() & {"singles", "multis"} == set()
