"""The projections' arithmetic against a recount from nothing."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft.agents.project.projection import (
    Asset,
    Before,
    Holding,
    Net,
    NewAsset,
    Seen,
    Slot,
    changed_rows,
    events_of,
    fold,
    net,
    touched,
    turning,
)
from ft.schemas.events import OwnershipChanged
from ft.schemas.families import EVM_ZERO
from tests.synthetic.changes import ACCOUNTS, CONTRACTS, history, recount


@dataclass
class Card:
    """A row of projection.asset_cards."""

    standard: str
    supply: int = 0
    owners: int = 0
    transfers: int = 0
    last_block: int = -1
    last_time: int = 0
    version: int = 0


@dataclass
class Tables:
    """The stored rows, written as the SQL writes them."""

    holdings: dict[Slot, Holding] = field(default_factory=dict)
    cards: dict[Asset, Card] = field(default_factory=dict)
    holders: dict[tuple[str, str, str], int] = field(default_factory=dict)
    stats: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    days: dict[tuple[str, str, int], list[int]] = field(default_factory=dict)
    assets: dict[Asset, NewAsset] = field(default_factory=dict)

    def project(self, records: list[OwnershipChanged]) -> None:
        """One batch, seeing of the stored rows only what the rule asks for."""
        changes = events_of(records)
        slots = touched(changes)
        stored = {slot: self.holdings[slot] for slot in slots if slot in self.holdings}
        balances: dict[Asset, list[Slot]] = {}
        for asset in turning(changes, slots, stored):
            if found := [slot for slot in self.holdings if slot[:3] == asset and slot[3]]:
                balances[asset] = found
                stored |= {slot: self.holdings[slot] for slot in found}
        folded = fold(changes, stored, balances)
        gained = net(folded.holdings, stored)
        cards = {asset: self._move_card(asset, seen, gained) for asset, seen in folded.assets.items()}
        holders = {key: self.holders.get(key, 0) + difference for key, difference in gained.accounts.items()}
        changed = changed_rows(folded, gained, cards, holders)
        self.holdings |= folded.holdings
        self.holders |= holders
        for collection, row in changed.stats.items():
            self._add_stats(collection, [row.owners, row.assets, row.supply, *row.seen.counts], row.seen)
        for day, counts in folded.days.items():
            before = self.days.get(day, [0, 0, 0])
            self.days[day] = [a + b for a, b in zip(before, counts, strict=True)]
        assert not set(self.assets) & set(changed.assets)
        self.assets |= changed.assets
        for asset, time in changed.seen_earlier.items():
            known = self.assets[asset]
            self.assets[asset] = replace(known, first_seen=min(known.first_seen, time))

    def _move_card(self, asset: Asset, seen: Seen, gained: Net) -> Before:
        before = self.cards.get(asset)
        card = self.cards.setdefault(asset, Card(seen.standard))
        told = Before(None, None) if before is None else Before(before.owners, before.last_time)
        if seen.version > card.version:
            card.standard, card.version = seen.standard, seen.version
        card.supply += gained.supply.get(asset, 0)
        card.owners += gained.owners.get(asset, 0)
        card.transfers += sum(seen.counts)
        card.last_block, card.last_time = max(card.last_block, seen.last_block), max(card.last_time, seen.last_time)
        return told

    def _add_stats(self, collection: tuple[str, str], differences: list[int], seen: Any) -> None:
        before = self.stats.get(collection, [0] * 6 + ["", seen.first_block, seen.last_block, 0])
        sums = [a + b for a, b in zip(before, differences, strict=False)]
        first, last = min(before[7], seen.first_block), max(before[8], seen.last_block)
        standard, version = (seen.standard, seen.version) if seen.version > before[9] else (before[6], before[9])
        self.stats[collection] = [*sums, standard, first, last, version]

    def rows(self) -> dict[str, dict[Any, Any]]:
        """As the recount writes them."""
        epoch = date(1970, 1, 1)
        return {
            "holdings": {k: (h.account, h.quantity) for k, h in self.holdings.items() if h.visible},
            "cards": {
                k: (c.standard, c.supply, c.owners, c.transfers, c.last_block, c.last_time, c.version)
                for k, c in self.cards.items()
            },
            "holders": {k: n for k, n in self.holders.items() if n},
            "stats": {k: tuple(row) for k, row in self.stats.items()},
            "activity": {(*k[:2], epoch + timedelta(days=k[2])): tuple(n) for k, n in self.days.items() if any(n)},
            "assets": {k: (UUID(a.uuid), a.standard, a.first_seen) for k, a in self.assets.items()},
        }


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_any_history_in_any_batches_gives_what_a_recount_gives(seed: int, batch_size_max: int) -> None:
    made = history(Random(seed))
    batches = Random(seed + 1)
    tables, records = Tables(), list(made.records)

    while records:
        size = batches.randint(1, batch_size_max)
        tables.project(records[:size])
        records = records[size:]

    assert tables.rows() == recount(made)


SINGLE = next(contract for contract, standard in CONTRACTS.items() if standard == "erc721")
MULTI = next(contract for contract, standard in CONTRACTS.items() if standard == "erc1155")
A, B, C = ACCOUNTS[:3]


def change(seq: int, *, source: str, target: str, op: str = "apply", **fields: Any) -> OwnershipChanged:
    values: dict[str, Any] = {"contract": SINGLE, "standard": "erc721", "block_number": seq, "quantity": "1"}
    values |= {"kind": "transfer"} | fields
    if values["standard"] == "erc721":
        values = {"holder": target, "holder_block": values["block_number"]} | values
    return OwnershipChanged(
        seq=seq,
        prev_seq=seq - 1,
        op=op,
        network="synthetic",
        block_hash="0xb",
        block_time=1_700_000_000 + values["block_number"],
        token_id="1",
        from_account=source,
        to_account=target,
        log_index=0,
        **values,
    )


def test_the_holder_that_a_record_names_is_taken_at_its_word() -> None:
    tables = Tables()
    tables.project([change(1, source=A, target=B)])

    tables.project([change(2, source=A, target=B, op="revert", block_number=1, holder=C, holder_block=-1)])

    assert tables.holdings == {("synthetic", SINGLE, "1", ""): Holding(C, 1, -1)}
    assert tables.holders == {("synthetic", SINGLE, C): 1, ("synthetic", SINGLE, B): 0}
    assert tables.stats[("synthetic", SINGLE)][:6] == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("size", [1, 3], ids=["record by record", "at once"])
def test_an_asset_that_turns_out_to_have_one_holder_has_no_balances_any_more(size: int) -> None:
    multi: dict[str, Any] = {"contract": MULTI, "standard": "erc1155"}
    records = [
        change(1, source=A, target=B, **multi),
        change(2, source=C, target=A, contract=MULTI, block_number=1, holder=B, holder_block=1),
        change(3, source=B, target=C, **multi, holder=C, holder_block=3),
    ]
    tables = Tables()

    for start in range(0, len(records), size):
        tables.project(records[start : start + size])

    assert tables.rows()["holdings"] == {("synthetic", MULTI, "1", ""): (C, 1)}
    assert {key: n for key, n in tables.holders.items() if n} == {("synthetic", MULTI, C): 1}
    assert tables.cards[("synthetic", MULTI, "1")].owners == 1


@pytest.mark.parametrize("size", [1, 2, 3, 6], ids=lambda size: f"{size} at once")
def test_an_id_that_nothing_is_left_of_may_have_balances_and_one_holder_again(size: int) -> None:
    multi: dict[str, Any] = {"contract": MULTI, "standard": "erc1155"}
    records = [
        change(1, source=EVM_ZERO, target=A, contract=MULTI, kind="mint"),
        change(
            2, source=EVM_ZERO, target=A, contract=MULTI, kind="mint", op="revert", holder=EVM_ZERO, holder_block=-1
        ),
        change(3, source=EVM_ZERO, target=B, kind="mint", quantity="10", **multi),
        change(4, source=B, target=C, quantity="4", **multi),
    ]
    balances, one = Tables(), Tables()

    for tables, told in ((balances, records), (one, [*records, change(5, source=C, target=A, contract=MULTI)])):
        for start in range(0, len(told), size):
            tables.project(told[start : start + size])

    asset = ("synthetic", MULTI, "1")
    assert balances.rows()["holdings"] == {(*asset, B): (B, 6), (*asset, C): (C, 4)}
    assert (balances.cards[asset].supply, balances.cards[asset].owners) == (10, 2)
    assert one.rows()["holdings"] == {(*asset, ""): (A, 1)}
    assert (one.cards[asset].supply, one.cards[asset].owners) == (1, 1)


@pytest.mark.parametrize("size", [1, 2], ids=["record by record", "at once"])
def test_an_event_from_nobody_to_nobody_that_names_a_holder_takes_the_balances_away(size: int) -> None:
    records = [
        change(1, source=EVM_ZERO, target=B, kind="mint", contract=MULTI, standard="erc1155"),
        change(2, source=EVM_ZERO, target=EVM_ZERO, kind="none", contract=MULTI, holder_block=2),
    ]
    tables = Tables()

    for start in range(0, 2, size):
        tables.project(records[start : start + size])

    assert tables.rows()["holdings"] == {}
    assert {key: n for key, n in tables.holders.items() if n} == {}
    assert tables.stats[("synthetic", MULTI)][:6] == [0, 0, 0, 0, 1, 0]


def test_what_moved_nothing_is_counted_nowhere() -> None:
    tables = Tables()

    tables.project(
        [change(1, source=EVM_ZERO, target=B, contract=MULTI, standard="erc1155", quantity="0", kind="none")]
    )

    assert (tables.cards, tables.stats, tables.days, tables.assets, tables.holdings) == ({}, {}, {}, {}, {})


@pytest.mark.parametrize("size", [1, 2, 3], ids=lambda size: f"{size} at once")
@pytest.mark.parametrize("first", ["erc1155", "erc721"])
def test_an_id_of_which_nothing_ever_moved_is_known_to_nobody_whatever_is_retracted(first: str, size: int) -> None:
    """No card, no stub, no counter: not after the ERC-721 event is gone, and not after balances count again."""
    nobody: dict[str, Any] = {"source": EVM_ZERO, "target": EVM_ZERO, "contract": MULTI, "kind": "none"}
    multi = change(1 if first == "erc1155" else 3, standard="erc1155", **nobody)
    one: dict[str, Any] = {**nobody, "block_number": 3}
    records = [
        change(2, holder=EVM_ZERO, holder_block=3, **one),
        change(4, op="revert", holder_before=EVM_ZERO, **{**one, "holder": None}),
    ]
    records = [multi, *records] if first == "erc1155" else [records[0], multi, records[1]]
    tables = Tables()

    for start in range(0, len(records), size):
        tables.project(records[start : start + size])

    assert (tables.cards, tables.stats, tables.days, tables.assets) == ({}, {}, {}, {})
    assert tables.rows()["holdings"] == tables.rows()["holders"] == {}


@pytest.mark.parametrize("size", [1, 2, 3, 4], ids=lambda size: f"{size} at once")
def test_a_token_that_went_from_nobody_to_nobody_counts_for_nobody_until_that_is_undone(size: int) -> None:
    nothing: dict[str, Any] = {"source": EVM_ZERO, "target": EVM_ZERO, "kind": "none", "block_number": 3}
    records = [
        change(1, source=EVM_ZERO, target=B, kind="mint", block_number=2),
        change(2, **nothing),
        change(3, **nothing),
        change(4, **nothing, op="revert"),
        change(5, **nothing, op="revert", holder=B, holder_block=2),
    ]
    told, undone, asset = Tables(), Tables(), ("synthetic", SINGLE, "1")

    for tables, end in ((told, 3), (undone, 5)):
        for start in range(0, end, size):
            tables.project(records[start : min(start + size, end)])

    assert told.stats[asset[:2]] == [0, 0, 0, 0, 1, 0, "erc721", 2, 2, 1]
    assert (told.cards[asset].supply, told.cards[asset].owners, told.rows()["holders"]) == (0, 0, {})
    assert undone.stats[asset[:2]] == [1, 1, 1, 0, 1, 0, "erc721", 2, 2, 1]
    assert undone.cards[asset] == Card("erc721", 1, 1, 1, 2, 1_700_000_002, 1)
    assert undone.rows()["holders"] == {("synthetic", SINGLE, B): 1}


def test_a_negative_sum_counts_for_nobody() -> None:
    tables = Tables()

    tables.project([change(1, source=A, target=B, contract=MULTI, standard="erc1155", quantity="5")])

    assert tables.holdings[("synthetic", MULTI, "1", A)].quantity == -5
    assert tables.holders == {("synthetic", MULTI, B): 1}
    assert tables.cards[("synthetic", MULTI, "1")].supply == 5


def test_an_older_block_that_comes_later_lowers_the_first_seen_time_only() -> None:
    tables = Tables()
    tables.project([change(1, source=B, target=C, block_number=9)])

    tables.project([change(2, source=A, target=B, block_number=3, holder=C, holder_block=9)])

    asset = ("synthetic", SINGLE, "1")
    assert tables.assets[asset].first_seen == 1_700_000_003
    assert (tables.cards[asset].last_block, tables.holders) == (9, {("synthetic", SINGLE, C): 1})
