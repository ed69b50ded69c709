"""Who holds a token whatever its contract says: live tokens minted again, spenders in `from`, burns by others.

Each row of the journal says what it led to; a plain model recounts it from all that is live, row after row.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest

from ft.agents.ledger.journal import BALANCES_COUNT
from ft.config import Config
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import SINGLE
from ft.sql.queries import load
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import TIME, Block, Event, Log, account, balances, owners, rows

ROWS = """
    SELECT seq, op, standard, contract, token_id::text, block_number, log_index, sub_index,
           extract(epoch FROM block_time)::bigint, "from", "to", quantity::int, echo,
           holder, holder_before, holder_block, holder_time
    FROM ledger.events WHERE op IN ('apply', 'revert') ORDER BY seq
"""
PEOPLE = ("alice", "bob", "carol", "")


def held(config: Config) -> tuple[Any, ...]:
    """Account, since and block of the one token."""
    (row,) = rows(
        config, "SELECT account, extract(epoch FROM since)::bigint, block_number FROM projection.ownership_view"
    )
    return row


def time_of(number: int) -> int:
    return TIME + 2 * number


def verified(config: Config) -> list[tuple[Any, ...]]:
    """What `ft verify` would find of holdings."""
    values = {"single": sorted(SINGLE), "nobody": sorted(NO_ACCOUNTS), "most": 10}
    return [row for name in ("singles", "multis") for row in rows(config, load("verify")[name], values)]


@dataclass
class Recount:
    """What each row led to, from all that is live before and after it."""

    live: dict[tuple[str, str], dict[tuple[int, int, int], tuple[str, int, bool]]] = field(default_factory=dict)
    given: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """Of each token the `from` of its latest retraction; None: that was of a balance."""

    def take(self, row: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """(holder, holder_before, holder_block, holder_time) after a row that moves something; None: it says nothing,
        as balances do."""
        _, op, standard, contract, token_id, number, log_index, sub_index, time, source, target, quantity, echo = row[
            :13
        ]
        if echo or quantity == 0:
            return None
        token, position = (contract, token_id), (number, log_index, sub_index)
        before = self._holding(token)
        if op == "apply":
            self.live.setdefault(token, {})[position] = (target, time, standard in SINGLE)
        else:
            self.live[token].pop(position, None)
            self.given[token] = source if standard in SINGLE else None
        after = self._holding(token)
        if after is None:
            return None if before is None else (None, before[0], None, None)
        account, block, at = after
        return account, before[0] if before else source, block, at

    def _holding(self, token: tuple[str, str]) -> tuple[str, int, int] | None:
        live, given = self.live.get(token), self.given.get(token)
        if live and any(single for _, _, single in live.values()):
            top = max(live)
            return live[top][0], top[0], live[top][1]
        return None if live or given is None else (given, -1, 0)


def said(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a row says it led to, with what it says of itself where it says nothing."""
    single = row[2] in SINGLE
    if row[13] == BALANCES_COUNT or (not single and row[13] is None):
        return None, row[9] if row[14] is None and single else row[14], None, None
    itself = (row[10], row[9], row[5], row[8])
    return tuple(own if led is None else led for led, own in zip(row[13:17], itself, strict=True))


def check_rows(config: Config) -> int:
    """Every row says what a recount says of it: a row of balances nothing. Returns how many say something."""
    recount, checked = Recount(), 0
    for row in rows(config, ROWS):
        expected = recount.take(row)
        if expected is None:
            assert row[13:17] == (None, None, None, None), row
        else:
            assert said(row) == expected, row
            checked += 1
    return checked


async def test_a_second_mint_that_falls_leaves_the_token_with_the_first_owner(
    config: Config, make_ledger: MakeLedger
) -> None:
    log, ledger = Log(), await make_ledger()
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    again = Block(2, [Event(tx="again", target="bob")])
    log.append(again)
    log.revert(again)
    await ledger.read(log)

    assert held(config) == (account("alice"), time_of(1), 1)
    assert check_rows(config) == 3
    assert verified(config) == []


@pytest.mark.parametrize("one_by_one", [False, True], ids=["at once", "one by one"])
async def test_a_burn_that_names_a_spender_leaves_the_holder_when_it_falls(
    config: Config, make_ledger: MakeLedger, one_by_one: bool
) -> None:
    log, ledger = Log(), await make_ledger()
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    burn = Block(2, [Event(tx="burn", source="spender")])
    log.append(burn)
    log.revert(burn)
    await (ledger.read_one_by_one(log) if one_by_one else ledger.read(log))

    assert held(config) == (account("alice"), time_of(1), 1)
    assert check_rows(config) == 3


async def test_a_token_whose_only_events_fell_is_implicitly_with_whom_the_last_retraction_names(
    config: Config, make_ledger: MakeLedger
) -> None:
    log, ledger = Log(), await make_ledger()
    moved = Block(5, [Event(tx="move", source="alice", target="bob")])
    log.append(moved)
    log.revert(moved)
    await ledger.read(log)
    implicit = rows(config, "SELECT account, implicit, since, block_number FROM market.ownership_current")
    log.append(Block(3, [Event(tx="older", source="carol", target="dora")]))
    await ledger.read(log)

    assert implicit == [(account("alice"), True, None, -1)]
    assert held(config) == (account("dora"), time_of(3), 3)
    assert check_rows(config) == 3
    assert verified(config) == []


async def test_moving_a_token_to_oneself_is_no_acquisition(config: Config, make_ledger: MakeLedger) -> None:
    log, ledger = Log(), await make_ledger()
    for number, source, target in ((1, "", "alice"), (2, "alice", "alice"), (3, "alice", "alice")):
        log.append(Block(number, [Event(tx=f"t{number}", source=source, target=target)]))
        await ledger.read(log)

    assert held(config) == (account("alice"), time_of(1), 3)
    assert verified(config) == []


async def test_an_older_event_that_is_read_late_tells_since_when(config: Config, make_ledger: MakeLedger) -> None:
    log, ledger = Log(), await make_ledger()
    log.append(Block(9, [Event(tx="t9", source="alice", target="alice")]))
    await ledger.read(log)
    for number, source, target, since in ((4, "", "alice", 4), (6, "bob", "alice", 4), (5, "alice", "bob", 6)):
        log.append(Block(number, [Event(tx=f"t{number}", source=source, target=target)]))
        await ledger.read(log)
        assert held(config) == (account("alice"), time_of(since), 9)

    assert check_rows(config) == 4
    assert verified(config) == []


async def test_an_erc1155_balance_stands_on_its_newest_event_in_or_out(config: Config, make_ledger: MakeLedger) -> None:
    log, ledger = Log(), await make_ledger()
    multi: dict[str, Any] = {"standard": "erc1155"}
    log.append(Block(1, [Event(tx="in", target="alice", quantity=10, **multi)]))
    out = Block(2, [Event(tx="out", source="alice", target="bob", quantity=4, **multi)])
    log.append(out)
    log.append(Block(3, [Event(tx="none", source="carol", target="alice", quantity=0, **multi)]))
    await ledger.read(log)
    query = "SELECT quantity::int, extract(epoch FROM since)::bigint, block_number FROM projection.ownership_view"
    mine = f"{query} WHERE account = '{account('alice')}'"
    given = rows(config, mine)
    log.revert(Block(3, [Event(tx="none", source="carol", target="alice", quantity=0, **multi)]))
    log.revert(out)
    await ledger.read(log)

    assert given == [(6, time_of(1), 2)]
    assert rows(config, mine) == [(10, time_of(1), 1)]
    assert balances(config) == {(account("c"), 1, account("alice")): 10}


def twofold(tx: str, source: str, target: str, token: int = 1) -> list[Event]:
    """A movement told by an ERC-721 event and an ERC-1155 event, the echo first."""
    return [
        Event(tx=tx, source=source, target=target, token=token, standard="erc1155"),
        Event(tx=tx, source=source, target=target, token=token),
    ]


ECHO: dict[str, Any] = {"echo": [True, False]}


async def test_a_movement_told_by_two_events_counts_once(config: Config, make_ledger: MakeLedger) -> None:
    log, ledger = Log(), await make_ledger()
    log.append(Block(1, twofold("mint", "", "alice")), **ECHO)
    log.append(Block(2, twofold("move", "alice", "bob")), **ECHO)
    await ledger.read(log)

    assert balances(config) == {(account("c"), 1, account("bob")): 1}
    assert rows(config, "SELECT sum(delta)::int FROM ledger.normalized_event_deltas") == [(1,)]
    assert check_rows(config) == 2
    assert verified(config) == []


@pytest.mark.parametrize("late", [False, True], ids=["in order", "the mint is read late"])
async def test_an_id_of_which_only_one_event_comes_later_is_moved_by_it_in_the_holding_it_has(
    config: Config, make_ledger: MakeLedger, late: bool
) -> None:
    log, ledger = Log(), await make_ledger()
    mint = Block(1, twofold("mint", "", "alice"))
    if not late:
        log.append(mint, **ECHO)
        await ledger.read(log)
    log.append(Block(2, [Event(tx="one", source="alice", target="bob", standard="erc1155")]))
    log.append(Block(3, [Event(tx="coins", token=7, target="carol", quantity=50, standard="erc1155")]))
    await ledger.read(log)
    if late:
        log.append(mint, **ECHO)
        await ledger.read(log)

    assert balances(config) == {(account("c"), 1, account("bob")): 1, (account("c"), 7, account("carol")): 50}
    assert owners(config)[account("c"), 1] == (account("bob"), 1)
    assert verified(config) == []


@pytest.mark.parametrize("one_by_one", [False, True], ids=["at once", "one by one"])
@pytest.mark.parametrize("first", ["erc721", "erc1155"])
async def test_an_id_told_by_events_of_two_standards_in_transactions_of_their_own_has_one_holder(
    config: Config, make_ledger: MakeLedger, first: str, one_by_one: bool
) -> None:
    log, ledger = Log(), await make_ledger()
    second = "erc1155" if first == "erc721" else "erc721"
    log.append(Block(1, [Event(tx="mint", target="alice", standard=first)]))
    log.append(Block(2, [Event(tx="move", source="alice", target="bob", standard=second)]))
    log.append(Block(3, [Event(tx="again", source="bob", target="carol", standard=first)]))
    await (ledger.read_one_by_one(log) if one_by_one else ledger.read(log))

    assert balances(config) == {(account("c"), 1, account("carol")): 1}
    assert owners(config)[account("c"), 1] == (account("carol"), 1)
    assert rows(config, "SELECT token_id::int FROM system.findings") == []
    assert check_rows(config) == (3 if first == "erc721" else 2)
    assert verified(config) == []


async def test_another_worker_knows_that_a_contract_tells_of_both_holdings(
    config: Config, make_ledger: MakeLedger
) -> None:
    log, ledger = Log(), await make_ledger()
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    await ledger.read(log)
    await ledger.close()
    ledger = await make_ledger(owner="other")
    log.append(Block(2, [Event(tx="move", source="alice", target="bob", standard="erc1155")]))
    await ledger.read(log)

    assert balances(config) == {(account("c"), 1, account("bob")): 1}
    assert verified(config) == []


@pytest.mark.parametrize("one_by_one", [False, True], ids=["at once", "one by one"])
@pytest.mark.parametrize("spender", [False, True], ids=["from its holder", "from somebody else"])
@pytest.mark.parametrize("bare", [False, True], ids=["indexed", "in months without indexes"])
async def test_an_erc721_event_that_falls_leaves_the_balances_that_an_id_had(
    config: Config, make_ledger: MakeLedger, one_by_one: bool, spender: bool, bare: bool
) -> None:
    if bare:
        rows_written(config, {"network": "synthetic", "from": time_of(1), "to": time_of(1000)})
    log, ledger = Log(), await make_ledger()
    multi: dict[str, Any] = {"standard": "erc1155"}
    log.append(Block(1, [Event(tx="coins", target="alice", quantity=10, **multi)]))
    log.append(Block(2, [Event(tx="some", source="alice", target="bob", quantity=4, **multi)]))
    alone = Block(3, [Event(tx="one", source="spender" if spender else "alice", target="carol")])
    log.append(alone)
    await (ledger.read_one_by_one(log) if one_by_one else ledger.read(log))
    with_one = balances(config)
    log.revert(alone)
    log.append(Block(3, [Event(tx="more", source="bob", target="dora", quantity=1, **multi)], fork="b"))
    await (ledger.read_one_by_one(log) if one_by_one else ledger.read(log))

    assert with_one == {(account("c"), 1, account("carol")): 1}
    assert balances(config) == {
        (account("c"), 1, account("alice")): 6,
        (account("c"), 1, account("bob")): 3,
        (account("c"), 1, account("dora")): 1,
    }
    query = "SELECT account, extract(epoch FROM since)::bigint, block_number FROM projection.ownership_view"
    stands = rows(config, query)
    assert bare or set(stands) == {
        (account("alice"), time_of(1), 2), (account("bob"), time_of(2), 3), (account("dora"), time_of(3), 3)
    }  # fmt: skip
    assert rows(config, "SELECT token_id::int FROM system.findings") == []
    assert check_rows(config) == 2
    assert verified(config) == []


@pytest.mark.parametrize("one_by_one", [False, True], ids=["at once", "one by one"])
async def test_an_id_whose_only_pair_fell_has_balances_where_the_block_that_counts_tells_of_them(
    config: Config, make_ledger: MakeLedger, one_by_one: bool
) -> None:
    log, ledger = Log(), await make_ledger()
    gone = Block(1, twofold("mint", "", "alice"))
    log.append(gone, **ECHO)
    log.revert(gone)
    log.append(Block(1, [Event(tx="coins", target="bob", quantity=10, standard="erc1155")], fork="b"))
    log.append(Block(2, [Event(tx="some", source="bob", target="carol", quantity=4, standard="erc1155")]))
    await (ledger.read_one_by_one(log) if one_by_one else ledger.read(log))

    assert balances(config) == {(account("c"), 1, account("bob")): 6, (account("c"), 1, account("carol")): 4}
    assert rows(config, "SELECT token_id::int FROM system.findings") == []
    assert check_rows(config) == 3
    assert verified(config) == []

    log.append(Block(3, [Event(tx="one", source="carol", target="dora")]))
    await ledger.read(log)

    assert balances(config) == {(account("c"), 1, account("dora")): 1}
    assert verified(config) == []


@pytest.mark.parametrize("one_by_one", [False, True], ids=["at once", "one by one"])
@pytest.mark.parametrize("first", ["erc721", "erc1155"])
async def test_an_id_changes_its_holding_where_a_reorg_takes_all_of_the_one_and_brings_the_other(
    config: Config, make_ledger: MakeLedger, first: str, one_by_one: bool
) -> None:
    log, ledger = Log(), await make_ledger()
    told = {
        "erc721": ([Event(tx="one", target="bob")], [("bob", 1)]),
        "erc1155": (
            [
                Event(tx="coins", target="alice", quantity=7, standard="erc1155"),
                Event(tx="some", source="alice", target="carol", quantity=2, standard="erc1155", log_index=1),
            ],
            [("alice", 5), ("carol", 2)],
        ),
    }
    second = "erc1155" if first == "erc721" else "erc721"
    for fork, standard in enumerate((first, second, first, second)):
        block = Block(2, told[standard][0], fork=f"f{fork}")
        log.append(block)
        await (ledger.read_one_by_one(log) if one_by_one else ledger.read(log))

        expected = {(account("c"), 1, account(who)): quantity for who, quantity in told[standard][1]}
        assert balances(config) == expected
        assert verified(config) == []
        log.revert(block)


async def test_the_retraction_of_what_only_one_event_told_gives_the_token_to_the_one_before(
    config: Config, make_ledger: MakeLedger
) -> None:
    log, ledger = Log(), await make_ledger()
    log.append(Block(1, twofold("mint", "", "alice")), **ECHO)
    moved = Block(2, [Event(tx="one", source="alice", target="bob", standard="erc1155")])
    log.append(moved)
    log.revert(moved)
    await ledger.read_one_by_one(log)

    assert balances(config) == {(account("c"), 1, account("alice")): 1}
    assert check_rows(config) == 3
    assert verified(config) == []


@pytest.mark.parametrize("built", [False, True], ids=["bare", "bare months, then indexed ones"])
async def test_retractions_find_holders_in_months_without_indexes(
    config: Config, make_ledger: MakeLedger, built: bool
) -> None:
    february = 31 * 43_200
    values = {"network": "synthetic", "from": time_of(1), "to": time_of(1000)}
    rows_written(config, values)
    log, ledger = Log(finalized=10), await make_ledger()
    log.append(Block(1, [Event(tx="mint", target="alice"), Event(tx="other", token=2, target="bob")]))
    fork = february if built else 20
    gone = Block(fork, [Event(tx="burn", source="spender"), Event(tx="new", token=3, source="dora", target="alice")])
    log.append(gone)
    log.revert(gone)
    await ledger.read(log)

    assert rows(config, "SELECT month::text FROM ledger.months WHERE NOT indexed") == [("2024-01-01",)]
    assert owners(config) == {
        (account("c"), 1): (account("alice"), 1),
        (account("c"), 2): (account("bob"), 1),
        (account("c"), 3): (account("dora"), 1),
    }
    assert check_rows(config) == 6


def rows_written(config: Config, values: Mapping[str, Any]) -> None:
    """A bulk job, so that January is made without indexes."""
    rows(
        config,
        'INSERT INTO ingest.bulk (network, "from", "to", from_time, to_time) VALUES'
        " (%(network)s, 1, 1000, to_timestamp(%(from)s), to_timestamp(%(to)s)) RETURNING id",
        values,
    )


@dataclass
class Oddities:
    """Random blocks of a contract that does what it likes, followed with reorgs, read late, replaced."""

    random: Random
    coins: float = 0.25
    """The share of events of balances."""
    log: Log = field(default_factory=Log)
    followed: list[tuple[Block, dict[str, Any]]] = field(default_factory=list)
    serial: Counter[str] = field(default_factory=Counter)

    def block(self, number: int) -> tuple[Block, dict[str, Any]]:
        events: list[Event] = []
        for _ in range(self.random.randrange(4)):
            events += self.events()
        self.serial["block"] += 1
        echo = [event.quantity == -1 for event in events]
        fixed = [replace(event, quantity=1) if is_echo else event for event, is_echo in zip(events, echo, strict=True)]
        placed = [replace(event, log_index=i) for i, event in enumerate(fixed)]
        return Block(number, placed, fork=f"f{self.serial['block']}"), {"echo": echo if any(echo) else []}

    def events(self) -> list[Event]:
        """One movement of one of three tokens; quantity -1 stands for an echo."""
        self.serial["tx"] += 1
        source, target = self.random.choice(PEOPLE), self.random.choice(PEOPLE)
        token = self.random.choice((0, 1, 2, 100 + self.serial["tx"] // 8))  # some that reorgs take away whole
        event = Event(tx=f"t{self.serial['tx']}", token=token, source=source, target=target)
        how = self.random.random()
        multi = replace(event, standard="erc1155", quantity=self.random.choice((0, 1, 1, 5)))
        if how < self.coins:
            return [replace(multi, token=9 if self.random.random() < 0.5 else event.token)]
        if how < self.coins + (1 - self.coins) * 2 / 3:
            return [event]
        return [event, replace(multi, quantity=-1)][:: self.random.choice((1, -1))]

    def step(self, old: list[int]) -> None:
        how = self.random.random()
        if how < 0.25 and old:
            block, fields = self.block(old.pop(self.random.randrange(len(old))))
            self.log.append(block, **fields)
        elif how < 0.45 and self.followed:
            for _ in range(min(len(self.followed), self.random.randint(1, 4))):
                self.log.revert(self.followed.pop()[0])
        elif how < 0.55 and self.followed:
            at = self.random.randrange(len(self.followed))
            self.log.revert(self.followed[at][0], reason="replace")
            self.put(at)
        else:
            self.followed.append((Block(-1), {}))
            self.put(len(self.followed) - 1)

    def put(self, at: int) -> None:
        self.followed[at] = self.block(100 + at)
        self.log.append(self.followed[at][0], **self.followed[at][1])


@pytest.mark.parametrize("coins", [0.25, 0.75], ids=["few balances", "many balances"])
@pytest.mark.parametrize("seed", range(12))
async def test_whatever_a_contract_says_each_row_leads_to_what_a_recount_says(
    config: Config, make_ledger: MakeLedger, seed: int, coins: float
) -> None:
    made, ledger = Oddities(Random(seed), coins), await make_ledger()
    old = list(range(1, 40))
    for number in range(25):
        for _ in range(made.random.randint(1, 4)):
            made.step(old)
        await ledger.read(made.log)
        if made.random.random() < 0.2:
            await ledger.close()
            ledger = await make_ledger(owner=f"w{number}")

    assert verified(config) == []
    assert check_rows(config) > 20
