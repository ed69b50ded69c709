"""What one transaction of the ledger does to the ownership rows, and reads for it.

1. finds the tokens that have to be walked, and reads their rows and as many of their live events as retractions reach
2. folds the stretches (``singles``: pure), and writes who has each token; who had it before comes back from there. Who
   turns out to have one holder has its balances put aside, and the other way round
3. after the journal is written: since when, of those that nothing else tells of; balances, netted and in key order
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ft.agents.columns import columns as arrays
from ft.agents.columns import in_order
from ft.agents.ledger.balances import stand
from ft.agents.ledger.journal import Stretch
from ft.agents.ledger.kinds import Contract, Kinds
from ft.agents.ledger.multis import Account, Net, multi_rows, multis
from ft.agents.ledger.posting import Posting
from ft.agents.ledger.singles import (
    Singles,
    Token,
    Walked,
    booleans,
    compare_first,
    fold,
    latest_rows,
    named,
    retractions,
    token_arrays,
    walked_rows,
    with_led,
)
from ft.agents.ownership import Arrival
from ft.agents.ownership import Token as LiveEvents
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import SINGLE
from ft.sql.queries import load
from ft.sql.session import Connection


class BareMonths(Exception):
    """Tokens whose live events lie in months without indexes: those are read outside of the transaction."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        super().__init__(tokens)
        self.tokens = tokens


class Disordered(Exception):
    """A row stands above events that are later than all that the partition knew: every token has to be walked."""


@dataclass(slots=True, kw_only=True)
class Owned:
    """What became of the rows."""

    stretches: list[Stretch]
    """The posting's, with what each row led to."""
    singles: Singles
    kinds: Kinds
    turned: set[Contract] = field(default_factory=set)
    """Contracts of tokens that had balances and have one holder from now on, or the other way round."""
    uncovered: list[Account] = field(default_factory=list)
    """Balances that count again."""
    negative: list[Account] = field(default_factory=list)
    """Balances that are below zero, or were before or on the way."""
    late: Collection[int] = ()
    """Those of the stretches at or below the head that the partition had."""
    below: set[Contract] = field(default_factory=set)
    """Contracts of balances of which an event came, or went, below another one, or may have."""


async def hold(
    conn: Connection, posting: Posting, *, kinds: Kinds, bare: Mapping[Token, Sequence[Arrival]], walk_all: bool
) -> Owned:
    """Steps 1 and 2. ``bare``: live events of tokens in months without indexes, as far as they were asked for.

    Raises BareMonths, Disordered.
    """
    stretches = posting.stretches
    walked = await _walked(conn, posting, kinds.hybrids, bare, walk_all=walk_all)
    singles = fold(stretches, walked, kinds.hybrids)
    if singles.disordered:
        raise Disordered
    await _put_latest(conn, singles)
    uncovered = await _put_walked(conn, singles.walked)
    turned = {token[:2] for token, one in walked.items() if one.turned}
    led = with_led(stretches, singles.led)
    return Owned(
        stretches=led, singles=singles, kinds=kinds, turned=turned, uncovered=uncovered,
        late=range(len(led)) if walk_all else posting.late,
    )  # fmt: skip


async def settle(conn: Connection, owned: Owned) -> None:
    """Step 3."""
    unsure = [
        token
        for token, one in sorted(owned.singles.walked.items())
        if one.unsure and (now := one.live.holding) and not now.implicit and now.account not in NO_ACCOUNTS
    ]
    if unsure:
        await _run(conn, "single_since", token_arrays(unsure), prepare=False)
    await _put_multis(conn, owned)


async def scan_bare(conn: Connection, tokens: Sequence[Token], until: Any) -> dict[Token, list[Arrival]]:
    """The live events of tokens before ``until``, where no index helps; an empty list for one that has none."""
    found: dict[Token, list[Arrival]] = {token: [] for token in tokens}
    cursor = await conn.execute(load("ledger")["scan_live"], {**token_arrays(tokens), "until": until})
    async for row in cursor:
        found[row[0], row[1], row[2]].append(_arrival(row[3:]))
    return found


async def _walked(
    conn: Connection, posting: Posting, hybrids: frozenset[Contract], bare: Mapping[Token, Sequence[Arrival]], *,
    walk_all: bool,
) -> dict[Token, Walked]:  # fmt: skip
    """The tokens that have to be walked, as they are before the transaction."""
    stretches = posting.stretches
    undone = retractions(stretches)
    late = stretches if walk_all else [stretches[at] for at in sorted(posting.late)]
    asked = named(s for s in stretches if s.op == "revert") | named(late)
    mixed = named(stretches, hybrids) if hybrids else set()
    if not asked and not mixed:
        return {}
    rows = await _rows(conn, sorted(asked | mixed))
    single = asked | (mixed & (rows.keys() | named(stretches)))
    most = {token: undone[token] + 1 for token in undone if token in single}
    # What moves an id of both kinds, that nobody has alone yet, are the events of balances before.
    most |= {token: undone.get(token, 0) + 1 for token in sorted((single & mixed) - rows.keys())}
    live = await _live(conn, most, mixed, bare)
    return {token: _walk_from(rows.get(token), live.get(token)) for token in sorted(single)}


def _walk_from(row: tuple[Any, ...] | None, live: Sequence[Arrival] | None) -> Walked:
    """A token as its row has it, or as its live events do."""
    if row is None:
        return Walked(LiveEvents(live or ()), unsure=live is not None, changed=live is not None)
    account, block, log_index, sub_index, time, since, standard, implicit = row[3:]
    given = account if implicit else None
    if live is None:
        live = () if implicit else (Arrival((block, log_index, sub_index), account, time),)
    return Walked(LiveEvents(live, given), stored=True, since=since, standard=standard)


async def _rows(conn: Connection, tokens: Sequence[Token]) -> dict[Token, tuple[Any, ...]]:
    rows = await _run(conn, "single_held", token_arrays(tokens), prepare=False)
    return {(row[0], row[1], row[2]): row for row in rows}


async def _live(
    conn: Connection, most: Mapping[Token, int], mixed: Collection[Token], bare: Mapping[Token, Sequence[Arrival]]
) -> dict[Token, list[Arrival]]:
    """The greatest live events of tokens, as many as ``most`` says; of ``mixed`` ids also as many of those that say
    that one account holds them. Raises BareMonths."""
    if not most:
        return {}
    asked = [(token, False) for token in most] + [(token, True) for token in most if token in mixed]
    values = {
        **token_arrays([token for token, _ in asked]),
        "most": "{" + ",".join(str(most[token]) for token, _ in asked) + "}",
        "told": booleans([told for _, told in asked]),
        "single": sorted(SINGLE),
    }
    found: dict[tuple[Token, bool], list[Arrival]] = {key: [] for key in asked}
    for row in await _run(conn, "single_live", values, prepare=False):
        found[(row[0], row[1], row[2]), row[3]].append(_arrival(row[4:]))
    short = sorted({token for (token, _), events in found.items() if len(events) < most[token]})
    missing = [token for token in short if token not in bare]
    if missing and (await _run(conn, "bare_until", {}))[0][0] is not None:
        raise BareMonths(short)
    return {token: [*found[token, False], *found.get((token, True), ()), *bare.get(token, ())] for token in most}


def _arrival(row: Sequence[Any]) -> Arrival:
    return Arrival((row[0], row[1], row[2]), row[3], row[4], row[5] in SINGLE)


async def _put_walked(conn: Connection, walked: Mapping[Token, Walked]) -> list[Account]:
    """Who has the tokens that were walked. Returns the balances of those that nobody has alone any more."""
    changed = {
        token: one
        for token, one in sorted(walked.items())
        if (one.changed or one.unsure) and one.live.holding is not None
    }
    if changed:
        await _run(conn, "single_walked", walked_rows(changed))
    if covered := [token for token, one in changed.items() if one.turned]:
        await _run(conn, "cover", token_arrays(covered), prepare=False)
    gone = [token for token, one in sorted(walked.items()) if one.stored and one.live.holding is None]
    if not gone:
        return []
    return [(row[0], row[1], row[2], row[3]) for row in await _run(conn, "uncover", token_arrays(gone), prepare=False)]


async def _put_latest(conn: Connection, singles: Singles) -> None:
    """In two statements: where the account has the token from the first event on, it may have had it before."""
    tokens = in_order(singles.latest)
    for joins in (True, False):
        latest = {token: one for token in tokens if (one := singles.latest[token])[5] is joins}
        if latest:
            held = await _run(conn, "single_latest", latest_rows(latest) | {"joins": joins})
            if len(held) != len(latest):
                raise Disordered
            compare_first(singles, latest.values(), held)


async def _put_multis(conn: Connection, owned: Owned) -> None:
    nets = multis(owned.stretches, owned.late)
    walked, hybrids = owned.singles.walked, owned.kinds.hybrids
    if hybrids:
        alone = {t for t, one in walked.items() if t[:2] in hybrids and one.live.holding is not None}
        if covered := {account: net for account, net in nets.items() if account[:3] in alone}:
            await _run(conn, "covered_net", multi_rows(covered))
            nets = {account: net for account, net in nets.items() if account not in covered}
    if nets:
        were = await _run(conn, "multi_net", multi_rows(nets))
        for (account, net), (is_negative, before, *stood) in zip(nets.items(), were, strict=True):
            if is_negative or net.dips(before):
                owned.negative.append(account)
            if net.is_below(stood):
                owned.below.add(account[:2])
    unsure = set(owned.uncovered) | await _stand_on_undone(conn, nets)
    if unsure:
        owned.below |= await stand(conn, sorted(unsure))


async def _stand_on_undone(conn: Connection, nets: Mapping[Account, Net]) -> set[Account]:
    """Balances whose rows say what a retracted event had said."""
    undone = {account: net for account, net in nets.items() if net.undone}
    if not undone:
        return set()
    stands = await _run(conn, "multi_positions", _accounts(undone), prepare=False)
    return {
        account
        for row in stands
        if undone[account := (row[0], row[1], row[2], row[3])].stands_on_undone((row[4], row[5], row[6]), row[7])
    }


def partitions_of(stretches: Iterable[Stretch]) -> dict[Contract, int]:
    """Where each contract of the stretches lives."""
    return {(s.network, contract): s.partition for s in stretches for contract in set(s.columns.contract)}


def _accounts(accounts: Iterable[Account]) -> dict[str, str]:
    return arrays(("network", "contract", "token_id", "account"), list(accounts))


async def _run(
    conn: Connection, query: str, values: Mapping[str, Any], *, prepare: bool = True
) -> list[tuple[Any, ...]]:
    """``prepare=False`` for look-ups: their plans must know how large the tables are by now."""
    cursor = await conn.execute(load("ledger")[query], values, prepare=prepare)
    return await cursor.fetchall() if cursor.description else []
