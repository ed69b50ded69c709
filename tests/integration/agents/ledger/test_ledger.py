"""Slices into the journal and the ownership rows."""

from ft.config import Config
from tests.integration.agents.ledger.harness import Block, Event, LedgerHarness, Log, account, journal, owners, rows, tx


async def test_a_mint_and_a_transfer_give_the_token_to_the_last_receiver(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    log.append(Block(2, [Event(tx="move", source="alice", target="bob")]))

    await ledger.read(log)

    assert owners(config) == {(account("c"), 1): (account("bob"), 1)}
    assert journal(config) == [("apply", 1, tx("mint"), 1), ("apply", 2, tx("move"), 1)]


async def test_an_older_block_that_arrives_later_changes_no_owner(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(Block(2, [Event(tx="move", source="alice", target="bob")]))
    log.append(Block(1, [Event(tx="mint", target="alice")]))

    await ledger.read(log)

    assert owners(config) == {(account("c"), 1): (account("bob"), 1)}


async def test_a_reverted_transfer_gives_the_token_back(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    log.append(moved := Block(2, [Event(tx="move", source="alice", target="bob")]))
    log.revert(moved)

    await ledger.read(log)

    assert owners(config) == {(account("c"), 1): (account("alice"), 1)}
    assert journal(config) == [("apply", 1, tx("mint"), 1), ("apply", 2, tx("move"), 1), ("revert", 2, tx("move"), 2)]
    assert rows(config, "SELECT since = to_timestamp(1704067202) FROM projection.ownership_view") == [(True,)]


async def test_of_each_contract_the_last_event_below_the_head_is_written_down(
    config: Config, ledger: LedgerHarness
) -> None:
    late_seqs = "SELECT contract, late_seq FROM projection.late_events"
    log = Log()
    log.append(Block(3, [Event(tx="one", target="alice"), Event(tx="two", target="alice", contract="d")]))
    await ledger.read(log)
    on_top = rows(config, late_seqs)

    log.append(Block(1, [Event(tx="old", token=2, target="alice"), Event(tx="older", token=3, target="bob")]))
    await ledger.read(log)
    below = rows(config, late_seqs)
    log.append(Block(4, [Event(tx="new", token=4, target="bob")]))
    await ledger.read(log)

    assert on_top == []
    assert below == rows(config, late_seqs) == [(account("c"), 4)]
