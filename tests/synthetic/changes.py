"""A random history of one partition as OwnershipChanged records, and a recount of what it comes to.

The history knows mints, transfers, burns, self-transfers, ERC-1155 quantities, a contract that tells of both holdings,
tokens first seen moving, reorgs with events that return in other blocks and at lower positions, and older, final blocks
that arrive at any time, in any order, also while a reorg goes on. Records of kind finality come whenever they like.
What a record of a single token led to is recounted from all that is live, each time.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from random import Random
from typing import Any, Final

from ft.schemas.events import OwnershipChanged
from ft.schemas.families import EVM_ZERO
from ft.schemas.ids import NO_ACCOUNTS, asset_id, asset_uuid, event_id
from ft.schemas.standards import HOLDING

NETWORK: Final = "synthetic"
CONTRACTS: Final = {f"0x{c:040x}": ("erc1155" if c % 3 == 0 else "erc721") for c in range(0xC1, 0xC5)}
HYBRID: Final = f"0x{0xC5:040x}"
"""Some of its events are of ERC-721, some of ERC-1155, and both tell of every id."""
ACCOUNTS: Final = [f"0x{a:040x}" for a in range(0xA1, 0xA6)]
_TIME: Final = 1_704_067_200
_BLOCK_TIME_S: Final = 20_000  # a few blocks a day


@dataclass
class History:
    """Records in the order in which a subscriber reads them: ``records`` whole, ``events`` without kind finality."""

    random: Random
    records: list[OwnershipChanged] = field(default_factory=list)
    old: list[list[OwnershipChanged]] = field(default_factory=list)
    """Final blocks below what is followed, not read yet."""
    live: dict[str, OwnershipChanged] = field(default_factory=dict)
    """Event id -> its last record, for events in force."""
    revisions: Counter[str] = field(default_factory=Counter)
    _owners: dict[tuple[str, str], str] = field(default_factory=dict)
    _chain: list[list[OwnershipChanged]] = field(default_factory=list)
    _pending: list[OwnershipChanged] = field(default_factory=list)
    _serial: int = 0
    _start: int = 0
    _given: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """Token -> the `from` of its latest retraction; None: that was of a balance."""

    @property
    def events(self) -> list[OwnershipChanged]:
        return [record for record in self.records if record.kind != "finality"]

    @property
    def head(self) -> int:
        return self._start + len(self._chain) - 1

    def begin(self, old: int, first: int) -> None:
        """Blocks 1 to ``old`` exist, not read yet, and some more without events up to ``first``, which is followed."""
        self.old = [self.grow(number) for number in range(1, old + 1)]
        self._start = first
        self.follow()

    def grow(self, number: int) -> list[OwnershipChanged]:
        """A block of possible moves; returns its events without announcing them."""
        block = []
        for log_index in range(self.random.randrange(5)):
            event = self._returning() or self.fresh()
            self._owners[(event.contract, event.token_id)] = event.to_account
            block.append(
                replace(
                    event,
                    block_number=number,
                    block_hash=f"0x{self.random.randrange(1 << 64):064x}",
                    block_time=_TIME + number * _BLOCK_TIME_S,
                    log_index=log_index * 2,
                    sub_index=self.random.randrange(2),
                )
            )
        return block

    def append(self, block: list[OwnershipChanged]) -> None:
        """Announce a block; sometimes where the network stands before it."""
        if self.random.random() < 0.1:
            self._say_head()
        for place, event in enumerate(block, start=1):
            self._announce(event, "apply", ends=place == len(block))

    def follow(self) -> None:
        """Grow by one block and announce it."""
        block = self.grow(self.head + 1)
        self.append(block)
        self._chain.append(block)

    def backfill(self) -> None:
        """Announce one of the old blocks, if any is left."""
        if self.old:
            self.append(self.old.pop(self.random.randrange(len(self.old))))

    def undo(self) -> None:
        """Retract some of the youngest followed blocks, newest first; never the lowest, which is final."""
        for _ in range(self.random.randint(0, min(4, len(self._chain) - 1))):
            block = self._chain.pop()
            for place, event in enumerate(reversed(block), start=1):
                self._announce(event, "revert", ends=place == len(block))
                self._owners[(event.contract, event.token_id)] = event.from_account
                if self.random.random() < 0.6:
                    self._pending.append(event)
            if self.random.random() < 0.1:
                self.backfill()

    def _say_head(self) -> None:
        self._put(
            OwnershipChanged(
                seq=0,
                prev_seq=0,
                kind="finality",
                op="finality",
                network=NETWORK,
                block_number=self.head,
                block_hash=f"0x{self.head:064x}",
                block_time=_TIME,
            )
        )

    def _put(self, record: OwnershipChanged) -> OwnershipChanged:
        prev_seq = self.records[-1].seq if self.records else 0
        self.records.append(replace(record, seq=prev_seq + self.random.randint(1, 3), prev_seq=prev_seq))
        return self.records[-1]

    def _announce(self, event: OwnershipChanged, op: str, *, ends: bool) -> None:
        self.revisions[event.event_id] += 1
        before = self.holding(event)
        if op == "apply":
            self.live[event.event_id] = event
        else:
            del self.live[event.event_id]
            if moves(event):
                single = HOLDING[event.standard] == "single"
                self._given[event.contract, event.token_id] = event.from_account if single else None
        after = self.holding(event)
        led: dict[str, Any] = {"block_end": ends}
        if after is not None and moves(event):
            led |= {"holder": after[0], "holder_before": before[0] if before else event.from_account}
            led |= {"holder_block": after[1], "holder_time": after[2]}
        elif before is not None and moves(event):
            led |= {"holder_before": before[0]}
        record = self._put(replace(event, op=op, revision=self.revisions[event.event_id], **led))
        if op == "apply":
            self.live[event.event_id] = record

    def holding(self, event: OwnershipChanged) -> tuple[str, int, int] | None:
        """Account, block number and time of the event that the token's holding stands on, by all that is live; None
        where its balances count, or nobody is known to have it."""
        token = (event.contract, event.token_id)
        live = [e for e in self.live.values() if (e.contract, e.token_id) == token and moves(e)]
        if any(HOLDING[e.standard] == "single" for e in live):
            top = max(live, key=lambda e: (e.block_number, e.log_index, e.sub_index))
            return top.to_account, top.block_number, top.block_time
        account = self._given.get(token)
        return None if live or account is None else (account, -1, 0)

    def _returning(self) -> OwnershipChanged | None:
        """An undone event whose move is possible again, sometimes."""
        while self._pending and self.random.random() < 0.7:
            event = self._pending.pop(self.random.randrange(len(self._pending)))
            owner = self._owners.get((event.contract, event.token_id))
            if HOLDING[event.standard] == "multi" or owner == event.from_account:
                return event
        return None

    def fresh(self) -> OwnershipChanged:
        """A possible move, in no block yet."""
        contract = self.random.choice([*CONTRACTS, HYBRID])
        standard = CONTRACTS.get(contract) or self.random.choice(("erc721", "erc1155"))
        token = str(self.random.randrange(2 if self.random.random() < 0.7 else 8))
        # A token that was never seen moves first as often as it is minted.
        source = self._owners.get((contract, token)) or self.random.choice([EVM_ZERO, *ACCOUNTS])
        if standard == "erc1155":
            source = self.random.choice([EVM_ZERO, *ACCOUNTS])
        target = self.random.choice([EVM_ZERO, *ACCOUNTS])
        if self.random.random() < 0.1:
            source = target = EVM_ZERO  # whoever wants to may tell so
        quantity = "1" if standard == "erc721" else str(self.random.choice((0, 1, 2, 2**256 - 1)))
        self._serial += 1
        tx_hash = f"0x{self._serial:064x}"
        return OwnershipChanged(
            seq=0,
            prev_seq=0,
            kind=_kind(source, target, quantity),
            op="apply",
            network=NETWORK,
            block_number=-1,
            block_hash="",
            block_time=0,
            event_id=event_id(NETWORK, tx_hash, contract, "0xt0", 0, 0),
            asset_id=asset_id(NETWORK, contract, token),
            contract=contract,
            token_id=token,
            standard=standard,
            from_account=source,
            to_account=target,
            quantity=quantity,
            tx_hash=tx_hash,
        )


def moves(event: OwnershipChanged) -> bool:
    """Whether it is a movement at all; an event of quantity 0 is none."""
    return event.quantity != "0"


def _kind(source: str, target: str, quantity: str) -> str:
    if quantity == "0" or source == target == EVM_ZERO:
        return "none"
    return "mint" if source == EVM_ZERO else "burn" if target == EVM_ZERO else "transfer"


def history(random: Random, blocks: int = 14) -> History:
    """Young blocks with reorgs, old ones between them at any time; in the end all were read, and the last is young."""
    made = History(random)
    old = random.randint(0, 5)
    made.begin(old, old + 1)
    for _ in range(blocks):
        while random.random() < 0.3:
            made.backfill()
        made.follow()
        if random.random() < 0.4:
            made.undo()
    while made.old:
        made.backfill()
    made.follow()
    return made


def recount(made: History) -> dict[str, dict[Any, Any]]:
    """The projections' rows from the history alone: visible holdings, then everything counted anew."""
    holdings = _holdings(made)
    visible = {key: row for key, row in holdings.items() if row[1] > 0 and row[0] not in NO_ACCOUNTS}
    assets = sorted({(r.network, r.contract, r.token_id) for r in _counted(made)})
    accounts = Counter((key[0], key[1], account) for key, (account, _) in visible.items())
    return {
        "holdings": visible,
        "cards": {asset: _card(made, asset, visible) for asset in assets},
        "holders": dict(accounts),
        "stats": {c: _stats(made, c, visible, accounts) for c in sorted({asset[:2] for asset in assets})},
        "activity": _activity(made),
        "assets": {asset: _asset(made, asset) for asset in assets},
    }


def _holdings(made: History) -> dict[Any, tuple[str, int]]:
    """Of each asset its one holder, or the balances that count."""
    rows: dict[Any, tuple[str, int]] = {}
    for record in made.events:
        asset = (record.network, record.contract, record.token_id)
        if (one := made.holding(record)) is not None:
            rows[(*asset, "")] = (one[0], 1)
    alone = {key[:3] for key in rows}
    return rows | {key: row for key, row in _sums(made).items() if key[:3] not in alone}


def _counted(made: History) -> list[OwnershipChanged]:
    """The events that moved something: others are counted nowhere."""
    return [record for record in made.events if record.kind != "none"]


def _sums(made: History) -> dict[Any, tuple[str, int]]:
    sums: Counter[tuple[str, str, str, str]] = Counter()
    for event in made.live.values():
        if HOLDING[event.standard] == "multi":
            asset = (event.network, event.contract, event.token_id)
            sums[(*asset, event.from_account)] -= int(event.quantity)
            sums[(*asset, event.to_account)] += int(event.quantity)
    return {key: (key[3], quantity) for key, quantity in sums.items()}


def _card(made: History, asset: tuple[str, ...], visible: dict[Any, tuple[str, int]]) -> tuple[Any, ...]:
    records = [r for r in _counted(made) if (r.network, r.contract, r.token_id) == asset]
    held = [quantity for key, (_, quantity) in visible.items() if key[:3] == asset]
    live = [e for e in made.live.values() if e.kind != "none" and (e.network, e.contract, e.token_id) == asset]
    last_block, last_time = max(r.block_number for r in records), max(r.block_time for r in records)
    return (records[-1].standard, sum(held), len(held), len(live), last_block, last_time, records[-1].seq)


def _stats(made: History, collection: tuple[str, ...], visible: dict[Any, Any], accounts: Any) -> tuple[Any, ...]:
    records = [r for r in _counted(made) if (r.network, r.contract) == collection]
    kinds = Counter(e.kind for e in made.live.values() if (e.network, e.contract) == collection)
    held = {key: quantity for key, (_, quantity) in visible.items() if key[:2] == collection}
    return (
        sum(1 for key in accounts if key[:2] == collection),
        len({key[:3] for key in held}),
        sum(held.values()),
        *(kinds["transfer"], kinds["mint"], kinds["burn"]),
        records[-1].standard,
        min(r.block_number for r in records),
        max(r.block_number for r in records),
        records[-1].seq,
    )


def _activity(made: History) -> dict[Any, tuple[int, ...]]:
    counted: dict[tuple[str, str, date], Counter[str]] = {}
    for event in (e for e in made.live.values() if e.kind != "none"):
        day = datetime.fromtimestamp(event.block_time, UTC).date()
        counted.setdefault((event.network, event.contract, day), Counter())[event.kind] += 1
    return {key: (kinds["transfer"], kinds["mint"], kinds["burn"]) for key, kinds in counted.items()}


def _asset(made: History, asset: tuple[str, str, str]) -> tuple[Any, ...]:
    told = [r for r in _counted(made) if (r.network, r.contract, r.token_id) == asset]
    return (asset_uuid(asset_id(*asset)), told[0].standard, min(r.block_time for r in told))
