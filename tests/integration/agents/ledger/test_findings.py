"""Contradictions at the ledger: found in the transaction that brings them, and gone with their block."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ft.config import Config
from tests.integration.agents.ledger.harness import NETWORK, Block, Event, LedgerHarness, Log, account, multi, rows
from tests.integration.agents.ledger.reading import FINDINGS, findings, marked, normalized, read_whole
from tests.integration.agents.ledger.synthetic_feed import Feed
from tests.synthetic.chain import Chain

C = account("c")
ALICE, BOB, CAROL = account("alice"), account("bob"), account("carol")
MINT = Event(tx="mint", target="alice")
SECOND_MINT = Event(tx="again", target="bob")


def told(*slices: Sequence[Event]) -> Log:
    log = Log()
    for number, events in enumerate(slices, 1):
        log.append(Block(number, events))
    return log


async def test_a_second_mint_of_a_live_token_is_found_with_the_block_that_brings_it(
    config: Config, ledger: LedgerHarness
) -> None:
    log = told([MINT], [SECOND_MINT])

    await read_whole(config, ledger, log)

    ((token, detail, number, block_hash),) = rows(config, FINDINGS)
    assert (token, number, block_hash) == (1, 2, Block(2).hash)
    assert detail == {"reason": "minted while held", "holder": ALICE, "from": "0x" + "0" * 40, "to": BOB}
    assert marked(config) == []


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([[MINT], [Event(tx="spent", source="spender", target="bob")]], "from does not hold it"),
        ([[MINT], [Event(tx="burn", source="alice")], [Event(tx="on", source="alice", target="bob")]],
         "from does not hold it"),
        ([[Event(tx="first", source="alice", target="bob")]], "moved before it was minted"),
        ([[Event(tx="first", source="alice")]], "moved before it was minted"),
        ([[multi("give", "alice", "bob", 5)], [multi("back", "bob", "alice", 2)]], "negative sum"),
        ([[multi("mint", "", "alice", 5), multi("burn", "alice", "", 6)]], "negative sum"),
    ],
)  # fmt: skip
async def test_what_cannot_be_true_is_found(
    config: Config, ledger: LedgerHarness, events: list[list[Event]], reason: str
) -> None:
    log = told(*events)

    await read_whole(config, ledger, log)

    assert [found for found, _ in findings(config).values()] == [reason]
    assert marked(config) == []


@pytest.mark.parametrize("one_by_one", [True, False])
async def test_a_coin_that_takes_its_amounts_for_ids_is_found_wherever_an_amount_moves_unminted(
    config: Config, ledger: LedgerHarness, one_by_one: bool
) -> None:
    log = told(
        [Event(tx="mint", token=500, target="alice")],
        [Event(tx="one", token=70, source="alice", target="bob")],
        [
            Event(tx="two", token=70, source="alice", target="carol"),
            Event(tx="all", token=500, source="bob", target="x"),
        ],
    )
    normalized(config, log)

    await (ledger.read_one_by_one(log) if one_by_one else ledger.read(log))

    assert findings(config) == {70: ("moved before it was minted", 2), 500: ("from does not hold it", 3)}


async def test_a_balance_below_zero_names_its_accounts_and_falls_with_the_block_that_brought_it_there(
    config: Config, ledger: LedgerHarness
) -> None:
    log = told(
        [multi("mint", "", "alice", 4)],
        [multi("over", "alice", "bob", 5)],
        [multi("more", "alice", "bob", 2), multi("other", "", "carol", 1, token=2)],
    )

    await read_whole(config, ledger, log)

    ((token, detail, number, _),) = rows(config, FINDINGS)
    assert (token, number) == (1, 2)
    assert detail == {"reason": "negative sum", "sums": [{"account": ALICE, "quantity": "-3"}]}


async def test_sound_chains_with_reorgs_leave_neither_findings_nor_marks(config: Config, ledger: LedgerHarness) -> None:
    feed = Feed(Chain(seed=5, network=NETWORK, contracts=6, accounts=30, logs=10), Log())
    feed.live(seed=6, steps=30)
    feed.log.chain = [Block(block.number) for block in feed.chain.blocks]
    normalized(config, feed.log)

    await ledger.read_one_by_one(feed.log)

    assert (findings(config), marked(config)) == ({}, [])


async def test_a_contract_that_tells_each_movement_twice_leaves_neither_findings_nor_marks(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log()
    for number, (source, target) in enumerate((("", "alice"), ("alice", "bob"), ("bob", "carol")), 1):
        moved = [Event(tx=f"t{number}", token=token, source=source, target=target) for token in (1, 2)]
        fresh = Event(tx=f"n{number}", token=10 + number, target="alice")
        told_twice = [one for event in (*moved, fresh) for one in (event, replace(event, standard="erc1155"))]
        log.append(Block(number, told_twice), echo=[False, True] * 3)
    normalized(config, log)

    await ledger.read_one_by_one(log)

    assert (findings(config), marked(config)) == ({}, [])


async def test_without_the_whole_history_a_contradiction_is_only_a_mark(config: Config, ledger: LedgerHarness) -> None:
    log = told([MINT], [SECOND_MINT])
    normalized(config, log, (2, 2))

    await ledger.read(log)

    assert (findings(config), marked(config)) == ({}, [C])


@pytest.mark.parametrize(
    "hole",
    [
        "UPDATE ingest.coverage SET reasons = 'bloom_superset,state_sync_missing'",
        (
            "INSERT INTO ingest.quarantine (network, block_number, block_hash, reason, error, payload, raw_offset)"
            " VALUES ('synthetic', 1, '0x', 'r', 'e', '', 0)"
        ),
        "UPDATE ref.networks SET start_block = 0",
        f"INSERT INTO ingest.undecoded (network, contract, heights) VALUES ('synthetic', '{C}', '{{[1,2)}}')",
    ],
)
async def test_what_may_lack_an_event_is_no_whole_history(config: Config, ledger: LedgerHarness, hole: str) -> None:
    log = told([MINT], [SECOND_MINT])
    normalized(config, log)
    rows(config, hole + " RETURNING 1")

    await ledger.read(log)

    assert (findings(config), marked(config)) == ({}, [C])


async def test_a_history_is_whole_from_the_block_that_created_the_contract(
    config: Config, ledger: LedgerHarness
) -> None:
    log = told([], [MINT], [SECOND_MINT])
    normalized(config, log, (2, 3))
    rows(config, f"INSERT INTO ingest.created VALUES ('{NETWORK}', '{C}', 2, '0x', '0x') RETURNING 1")

    await ledger.read(log)

    assert findings(config) == {1: ("minted while held", 3)}


async def test_a_stretch_that_proves_less_is_read_all_the_same(config: Config, ledger: LedgerHarness) -> None:
    log = told([MINT], [SECOND_MINT])
    normalized(config, log, reasons="bloom_superset")

    await ledger.read(log)

    assert findings(config) == {1: ("minted while held", 2)}


async def test_what_normalize_has_not_committed_yet_is_marked(config: Config, ledger: LedgerHarness) -> None:
    log = told([MINT], [SECOND_MINT])
    normalized(config, log, (1, 1), position=0)

    await ledger.read(log)

    assert (findings(config), marked(config)) == ({}, [C])


async def test_a_block_below_that_normalize_has_read_and_the_ledger_has_not_may_explain_everything(
    config: Config, ledger: LedgerHarness
) -> None:
    log = told([MINT])
    log.append(Block(3, [Event(tx="on", source="bob", target="carol")]))
    log.append(Block(2, [Event(tx="sale", source="alice", target="bob")]))
    normalized(config, log, late=log.position - 1)

    await ledger.read(log, until=2)
    early = findings(config), marked(config)
    await ledger.read(log)

    assert early == ({}, [C])
    assert (findings(config), marked(config)) == ({}, [C])


async def test_a_range_below_marks_the_contracts_that_have_events_above(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(
        Block(5, [Event(tx="on", source="alice", target="bob"), Event(tx="m", token=7, target="x", contract="d")])
    )
    log.append(Block(2, [MINT, Event(tx="n", token=8, target="x", contract="d")]))
    log.append(Block(3, [multi("early", "", "alice", 3, token=9), Event(tx="e", target="y", contract="e")]))
    normalized(config, log, (2, 3), (5, 5), late=log.position - 1)

    await ledger.read_one_by_one(log)

    assert marked(config) == [C]


async def test_a_balance_is_marked_where_an_event_comes_below_the_one_it_stands_on(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log()
    log.append(Block(5, [multi("above", "", "alice", 20), multi("other", "", "alice", 1, token=2)]))
    log.append(Block(2, [multi("mint", "", "bob", 5), replace(multi("x", "", "alice", 3), contract="d")]))
    normalized(config, log, (2, 2), (5, 5), late=1)
    await ledger.read_one_by_one(log)
    early = marked(config)
    log.append(Block(3, [multi("sale", "alice", "bob", 7)]))
    normalized(config, log, (2, 3), (5, 5), late=2)

    await ledger.read_one_by_one(log)

    assert (early, marked(config)) == ([], [C])


async def test_a_balance_is_marked_where_an_event_is_taken_from_below_the_one_it_stands_on(
    config: Config, ledger: LedgerHarness
) -> None:
    log = told([multi("mint", "", "alice", 5)], [multi("sale", "alice", "bob", 5)], [multi("more", "", "alice", 5)])
    await read_whole(config, ledger, log)
    log.revert(log.chain[0], reason="replace")

    await read_whole(config, ledger, log)

    assert marked(config) == [C]


@pytest.mark.parametrize("one_by_one", [True, False])
async def test_balances_of_a_branch_that_takes_the_place_of_another_are_not_marked(
    config: Config, ledger: LedgerHarness, one_by_one: bool
) -> None:
    log = told([multi("mint", "", "alice", 9)], [multi("one", "alice", "bob", 2)], [multi("two", "alice", "bob", 3)])
    for block in reversed(log.chain[1:]):
        log.revert(block)
    for number in (2, 3, 4):
        log.append(Block(number, [multi(f"b{number}", "alice", "bob", 1)], fork="b"))
    normalized(config, log)

    await (ledger.read_one_by_one(log) if one_by_one else ledger.read(log))

    assert marked(config) == []


async def test_a_finding_falls_with_its_block(config: Config, ledger: LedgerHarness) -> None:
    log = told([MINT], [SECOND_MINT])
    await read_whole(config, ledger, log)
    found = findings(config)
    log.revert(log.chain[-1])
    log.append(Block(2, [Event(tx="sale", source="alice", target="bob")], fork="b"))

    await read_whole(config, ledger, log)

    assert found == {1: ("minted while held", 2)}
    assert findings(config) == {}


async def test_the_same_contradiction_on_another_branch_is_found_again(config: Config, ledger: LedgerHarness) -> None:
    log = told([MINT], [SECOND_MINT])
    await read_whole(config, ledger, log)
    log.revert(log.chain[-1])
    log.append(Block(2, fork="b"))
    log.append(Block(3, [SECOND_MINT], fork="b"))

    await read_whole(config, ledger, log)

    assert findings(config) == {1: ("minted while held", 3)}


async def test_a_token_of_an_unknown_past_is_found_again_after_its_only_event_was_retracted(
    config: Config, ledger: LedgerHarness
) -> None:
    log = told([], [Event(tx="on", source="alice", target="bob")])
    await read_whole(config, ledger, log)
    log.revert(log.chain[-1])
    normalized(config, log)
    await ledger.read(log)
    between = findings(config)
    log.append(Block(2, [Event(tx="on", source="alice", target="bob")], fork="b"))

    await read_whole(config, ledger, log)

    assert between == {}
    assert findings(config) == {1: ("moved before it was minted", 2)}


async def test_a_block_that_stands_keeps_its_finding_when_a_later_one_falls(
    config: Config, ledger: LedgerHarness
) -> None:
    log = told([MINT], [SECOND_MINT], [Event(tx="third", target="carol")])
    await read_whole(config, ledger, log)
    log.revert(log.chain[-1])

    await read_whole(config, ledger, log)

    assert findings(config) == {1: ("minted while held", 2)}


async def test_a_retraction_alone_brings_no_contradiction(config: Config, ledger: LedgerHarness) -> None:
    log = told([multi("mint", "", "alice", 4)], [multi("sale", "alice", "bob", 3)])
    await read_whole(config, ledger, log)
    log.revert(log.chain[0], reason="replace")

    await read_whole(config, ledger, log)

    assert (findings(config), marked(config)) == ({}, [C])


async def test_a_minting_block_that_is_taken_from_below_a_sale_marks_the_contract(
    config: Config, ledger: LedgerHarness
) -> None:
    log = told([MINT], [Event(tx="sale", source="alice", target="bob")])
    await read_whole(config, ledger, log)
    log.revert(log.chain[0], reason="replace")
    log.append(Block(1, fork="b"))

    await read_whole(config, ledger, log)

    assert marked(config) == [C]
