"""The five reorg scenarios that every network must pass, at the ledger."""

import pytest

from ft.config import Config
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import (
    NETWORK,
    Block,
    Event,
    LedgerHarness,
    Log,
    account,
    balances,
    journal,
    live_events,
    owners,
    rows,
    tx,
)

C, M = account("c"), account("m")


def minted(log: Log, number: int = 1) -> Block:
    block = Block(number, [Event(tx="mint", target="alice")])
    log.append(block)
    return block


async def test_a_transfer_that_is_reverted_and_never_comes_back_leaves_the_token_with_its_sender(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log()
    minted(log)
    log.append(lost := Block(2, [Event(tx="move", source="alice", target="bob")]))
    log.revert(lost)
    log.append(Block(2, [Event(tx="else", token=2, target="bob")], fork="b"))

    await ledger.read(log)

    assert owners(config) == {(C, 1): (account("alice"), 1), (C, 2): (account("bob"), 1)}
    assert [(op, revision) for op, _, hash_, revision in journal(config) if hash_ == tx("move")] == [
        ("apply", 1),
        ("revert", 2),
    ]
    assert rows(config, "SELECT block_number, control FROM ledger.events WHERE op = 'reorg'") == [
        (1, {"from": 2, "to": 2, "depth": 1})
    ]


async def test_a_re_included_transfer_keeps_its_id_and_gets_the_next_revision(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log()
    minted(log)
    log.append(lost := Block(2, [Event(tx="move", source="alice", target="bob", log_index=7)]))
    log.revert(lost)
    log.append(Block(2, [Event(tx="else", token=2, target="bob")], fork="b"))
    log.append(Block(3, [Event(tx="move", source="alice", target="bob", log_index=3)], fork="b"))

    await ledger.read(log)

    assert owners(config)[C, 1] == (account("bob"), 1)
    moves = [row for row in live_events(config) if row[0] == tx("move")]
    assert moves == [(tx("move"), 3, 3, 3)]
    assert rows(
        config,
        "SELECT revision, is_reverted FROM ledger.normalized_event_keys WHERE source_event_id LIKE %(id)s ORDER BY seq",
        {"id": f"{NETWORK}:{tx('move')}:%"},
    ) == [(1, True), (3, False)]


async def test_a_transfer_re_included_lower_than_before_still_gives_the_token_to_its_receiver(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log()
    minted(log)
    log.append(low := Block(2))
    log.append(high := Block(3, [Event(tx="move", source="alice", target="bob", log_index=9)]))
    log.revert(high)
    log.revert(low)
    log.append(Block(2, [Event(tx="move", source="alice", target="bob", log_index=1)], fork="b"))

    await ledger.read(log)

    assert owners(config)[C, 1] == (account("bob"), 1)


async def test_a_deep_reorg_with_a_batch_partly_re_included_and_a_log_from_another_contract(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log()
    minted(log)
    batch = [
        Event(tx="batch", token=token, target="carol", quantity=5, standard="erc1155", contract="m", sub_index=token)
        for token in range(3)
    ]
    lost = [
        Block(2, [Event(tx="m1", source="alice", target="bob"), Event(tx="m2", source="bob", target="carol")]),
        Block(3, batch),
        Block(
            4,
            [Event(tx="m3", source="carol", target="dave"), Event(tx="run", token=9, target="eve", contract="old")],
        ),
    ]
    for block in lost:
        log.append(block)
    for block in reversed(lost):
        log.revert(block)
    again = [Event(tx="m1", source="alice", target="bob"), Event(tx="m3", source="bob", target="dave")]
    log.append(Block(2, again, fork="b"))
    log.append(Block(3, [*batch[:1], Event(tx="run", token=9, target="eve", contract="new")], fork="b"))

    await ledger.read(log)

    assert balances(config) == {
        (C, 1, account("dave")): 1, (M, 0, account("carol")): 5, (account("new"), 9, account("eve")): 1,
    }  # fmt: skip
    assert [row[0] for row in live_events(config)] == [tx(name) for name in ("mint", "m1", "m3", "batch", "run")]
    reorgs = rows(config, "SELECT control FROM ledger.events WHERE op = 'reorg'")
    assert reorgs == [({"from": 4, "to": 2, "depth": 3},)]


async def test_a_reverted_mint_hides_the_asset(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(Block(1))
    log.append(lost := Block(2, [Event(tx="mint", target="alice"), Event(tx="on", source="alice", target="bob")]))
    log.revert(lost)

    await ledger.read(log)

    assert owners(config) == {}
    assert rows(config, "SELECT sum(delta) FROM ledger.normalized_event_deltas GROUP BY account") == [(0,), (0,)]


async def test_a_reorg_in_a_reorg_with_a_worker_killed_in_between_and_repeats_equals_a_rebuild(
    config: Config, make_ledger: MakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    minted(log)
    first = [
        Block(2, [Event(tx="a", source="alice", target="bob")]),
        Block(3, [Event(tx="b", source="bob", target="carol")]),
    ]
    second = [
        Block(2, [Event(tx="b2", source="alice", target="carol")], "x"),
        Block(3, [Event(tx="a", source="carol", target="alice")], "x"),
    ]
    third = Block(3, [Event(tx="end", source="carol", target="dave")], "y")
    for block in first:
        log.append(block)
    log.revert(first[1])
    log.revert(first[0])
    log.append(second[0])
    log.append(second[1])
    log.revert(second[1])
    log.append(third)
    # What a normalizer sends again after it was killed between producing and committing: the same positions.
    for message in list(log.records[0])[3:7]:
        log.put(message.value)
    dying = await make_ledger(owner="dying")
    await dying.read(log, until=4)
    with monkeypatch.context() as patch:
        patch.setattr(dying.ledger, "_learn", _kill)
        with pytest.raises(KeyboardInterrupt):
            await dying.read(log, until=6)

    survivor = await make_ledger(owner="survivor")
    await survivor.read(log)

    assert owners(config) == {(C, 1): (account("dave"), 1)}
    rebuilt = [("apply", 1), ("apply", 2), ("apply", 3), ("revert", 3), ("revert", 2), ("apply", 2), ("apply", 3),
               ("revert", 3), ("apply", 3)]  # fmt: skip
    assert [row[:2] for row in journal(config)] == rebuilt


def _kill(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("at_once", [True, False], ids=["in one batch", "record by record"])
async def test_a_backfill_does_not_take_on_what_a_reorg_gave_back_to_an_earlier_owner(
    config: Config, ledger: LedgerHarness, *, at_once: bool
) -> None:
    log = Log()
    log.append(Block(12, [Event(tx="back", source="carol", target="bob")]))
    log.append(lost := Block(14, [Event(tx="lost", source="bob", target="dave")]))
    log.revert(lost)
    log.append(Block(2, [Event(tx="mint", target="bob")]))
    log.append(Block(4, [Event(tx="once", source="bob", target="carol")]))

    await (ledger.read(log) if at_once else ledger.read_one_by_one(log))

    assert owners(config) == {(C, 1): (account("bob"), 1)}


async def test_a_block_is_reverted_once(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    minted(log)
    log.append(lost := Block(2, [Event(tx="move", source="alice", target="bob")]))
    log.revert(lost)
    log.revert(lost)
    log.revert(Block(2, fork="never seen"))

    await ledger.read_one_by_one(log)

    assert [row[:2] for row in journal(config)] == [("apply", 1), ("apply", 2), ("revert", 2)]
    assert owners(config) == {(C, 1): (account("alice"), 1)}


async def test_replace_reverts_are_no_reorg(config: Config, ledger: LedgerHarness) -> None:
    log = Log(finalized=5)
    log.append(block := Block(1, [Event(tx="mint", target="alice")]))
    log.revert(block, reason="replace")
    log.append(Block(1, [Event(tx="mint", target="alice")]))

    await ledger.read(log)

    assert rows(config, "SELECT count(*) FROM ledger.events WHERE op = 'reorg'") == [(0,)]
    assert owners(config) == {(C, 1): (account("alice"), 1)}
    assert [row[3] for row in journal(config)] == [1, 2, 3]


async def test_a_reorg_is_announced_in_one_partition_only(config: Config, make_ledger: MakeLedger) -> None:
    ledger = await make_ledger(partitions=4)
    log = Log(partitions=4)
    lost = Block(2, [Event(tx="move", source="alice", target="bob")])
    for partition in range(4):
        log.position = 1
        log.append(lost, partition)
    log.position = 2
    log.revert(lost)
    for partition in range(4):
        log.watermark(partition)

    await ledger.read(log)

    assert rows(config, "SELECT count(*) FROM ledger.events WHERE op = 'reorg'") == [(1,)]
    assert rows(config, "SELECT count(*) FROM ledger.events WHERE op = 'revert'") == [(4,)]


async def test_a_run_of_reverts_that_is_read_in_pieces_is_one_reorg(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    lost = [Block(number, [Event(tx=f"t{number}", token=number, target="alice")]) for number in (1, 2, 3, 4)]
    for block in lost:
        log.append(block)
    for block in reversed(lost[1:]):
        log.revert(block)
    log.watermark()

    await ledger.read_one_by_one(log)

    found = rows(config, "SELECT block_number, block_hash, control FROM ledger.events WHERE op = 'reorg'")
    assert found == [(1, lost[0].hash, {"from": 4, "to": 2, "depth": 3})]


async def test_the_balance_of_a_retracted_multi_event_stands_on_the_one_before(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log()
    for number, quantity in ((1, 3), (2, 4)):
        event = Event(tx=f"t{number}", target="carol", quantity=quantity, standard="erc1155", contract="m")
        log.append(Block(number, [event]))
    log.revert(log.chain[-1])

    await ledger.read(log)

    found = rows(config, "SELECT quantity, block_number, since = to_timestamp(%(at)s) FROM market.ownership_current",
                 {"at": Block(1).time})  # fmt: skip
    assert found == [(3, 1, True)]
