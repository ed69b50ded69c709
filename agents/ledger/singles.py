"""Pure: stretches of the journal -> who holds the single tokens that they name, and what each row led to.

Most tokens only move on: each of their events is later than anything known of the token, and needs no look at what is
stored. The others go through the rule of ``ownership`` one event after the other (*walked*): those that a retraction
touches, those of a block at or below the head that the partition already had, and those that two standards tell of.

An id of a contract that tells of both holdings is with one account as long as a live event of a single standard tells
of it; events of balances move it then too. Where none does, its balances count.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ft.agents.columns import array
from ft.agents.ledger.journal import BALANCES_COUNT, Led, Stretch
from ft.agents.ownership import Arrival, Holding, Position
from ft.agents.ownership import Token as LiveEvents
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import SINGLE

Token: TypeAlias = tuple[str, str, str]
"""network, contract, token id"""
Place: TypeAlias = tuple[int, int]
"""Number of a stretch in the transaction, and of a row in it."""
Latest: TypeAlias = tuple[Position, str, int, str, int, bool, str, int, int]
"""Of a token that only moves on: position, account, time and standard of its last event; since when that account has
it; whether that is so from the token's first event on (then it may have been so before); ``from`` and place (stretch,
row) of the first event. A tuple: one is built for every event."""


@dataclass(slots=True)
class Walked:
    """A token that is walked through its events."""

    live: LiveEvents
    stored: bool = False
    """Whether it has a row, of one holder, before the transaction."""
    since: int | None = None
    """Since when the account has it; None: the journal has to tell."""
    standard: str = ""
    unsure: bool = False
    """Whether ``since`` has to be asked of the journal anew."""
    changed: bool = False
    balances: bool = False
    """Whether balances counted before the transaction, or for a while in it, also if none of their events is left."""
    turned: bool = False
    """It had balances and has one holder, or had one and has balances, if only for a while."""


@dataclass(slots=True)
class Singles:
    """What became of the single tokens in a transaction."""

    latest: dict[Token, Latest] = field(default_factory=dict)
    walked: dict[Token, Walked] = field(default_factory=dict)
    hybrids: Collection[tuple[str, str]] = frozenset()
    led: dict[Place, Led] = field(default_factory=dict)
    """Rows that led to something else than they say."""
    contradictions: dict[Place, str | None] = field(default_factory=dict)
    """Rows that cannot be true as far as is known, and who had the token before; None: no live event tells."""
    below: dict[tuple[str, str], Place] = field(default_factory=dict)
    """(network, contract) of events that came, or went, below the greatest of their token, and the last one's place."""
    disordered: set[Token] = field(default_factory=set)
    """Tokens whose events do not come in the order of the chain, and so have to be walked."""


def retractions(stretches: Iterable[Stretch]) -> dict[Token, int]:
    """How many events of each token are retracted, of any standard, in key order."""
    counted: dict[Token, int] = {}
    for stretch in stretches:
        if stretch.op == "revert":
            for row in moving_rows(stretch):
                token = (stretch.network, stretch.columns.contract[row], stretch.columns.token_id[row])
                counted[token] = counted.get(token, 0) + 1
    return dict(sorted(counted.items()))


def named(stretches: Iterable[Stretch], contracts: frozenset[tuple[str, str]] | None = None) -> set[Token]:
    """The tokens that the stretches move: those of single standards, or (with ``contracts``) all of these contracts."""
    found: set[Token] = set()
    for stretch in stretches:
        c, network = stretch.columns, stretch.network
        for row in moving_rows(stretch):
            if c.standard[row] in SINGLE if contracts is None else (network, c.contract[row]) in contracts:
                found.add((network, c.contract[row], c.token_id[row]))
    return found


def moving_rows(stretch: Stretch) -> Iterator[int]:
    """The rows that move something: no echoes, and no quantity of zero."""
    if stretch.control is not None:
        return
    echo = stretch.columns.echo
    for row, quantity in enumerate(stretch.columns.quantity):
        if quantity != "0" and not (echo and echo[row]):
            yield row


def fold(
    stretches: Sequence[Stretch], walked: Mapping[Token, Walked], hybrids: Collection[tuple[str, str]] = frozenset()
) -> Singles:
    """The rows in order. ``walked``: the tokens to walk, as they were before; they are changed. ``hybrids``: contracts
    (network, contract) of which events of a multi standard move single tokens too."""
    result = Singles(walked=dict(walked), hybrids=hybrids)
    for at, stretch in enumerate(stretches):
        if stretch.control is not None:
            continue
        if walked or stretch.op == "revert" or stretch.columns.echo:
            _fold_slowly(at, stretch, result)
        else:
            _fold(at, stretch, result)
    return result


def _fold(at: int, stretch: Stretch, result: Singles) -> None:
    """Tokens that only move on, in a slice without echoes."""
    c, network, number, time, latest = (
        stretch.columns, stretch.network, stretch.block.number, stretch.block.time, result.latest,
    )  # fmt: skip
    row = -1
    for contract, token_id, standard, source, target, log_index, sub_index in zip(
        c.contract, c.token_id, c.standard, c.from_account, c.to_account, c.log_index, c.sub_index, strict=True
    ):
        row += 1
        if standard not in SINGLE:
            continue
        token, position = (network, contract, token_id), (number, log_index, sub_index)
        before = latest.get(token)
        if before is None:
            latest[token] = (position, target, time, standard, time, True, source, at, row)
        else:
            _move_on(token, before, position, source, target, time, standard, (at, row), result)


def _fold_slowly(at: int, stretch: Stretch, result: Singles) -> None:
    """The same with tokens that are walked among them."""
    c, network, number, time = stretch.columns, stretch.network, stretch.block.number, stretch.block.time
    for row in moving_rows(stretch):
        token, position = (network, c.contract[row], c.token_id[row]), (number, c.log_index[row], c.sub_index[row])
        standard, source, target = c.standard[row], c.from_account[row], c.to_account[row]
        if standard not in SINGLE and token[:2] not in result.hybrids:
            continue
        if (one := result.walked.get(token)) is not None:
            _walk(one, stretch, (at, row), position, standard, source, target, result)
        elif standard in SINGLE:
            before = result.latest.get(token)
            if before is None:
                result.latest[token] = (position, target, time, standard, time, True, source, at, row)
            else:
                _move_on(token, before, position, source, target, time, standard, (at, row), result)


def _move_on(
    token: Token, before: Latest, position: Position, source: str, target: str, time: int, standard: str, place: Place,
    result: Singles,
) -> None:  # fmt: skip
    """A further event of a token that only moves on."""
    if position <= before[0]:
        result.disordered.add(token)
        return
    account, stays = before[1], target == before[1]
    if source != account:
        result.led[place] = Led(holder_before=account)
        if contradicts(account, source):
            result.contradictions[place] = account
    since = before[4] if stays else time
    result.latest[token] = (position, target, time, standard, since, stays and before[5], *before[6:])


def _walk(
    one: Walked, stretch: Stretch, place: Place, position: Position, standard: str, source: str, target: str,
    result: Singles,
) -> None:  # fmt: skip
    """An event of a token that is walked.

    1. it goes, or comes; 2. balances count, before and after it; 3. one account holds the token; 4. one did, and
    balances count from now on.
    """
    single, time, contract = standard in SINGLE, stretch.block.time, stretch.columns.contract[place[1]]
    before, latest = one.live.holding, one.live.latest
    one.balances = one.balances or one.live.has_balances
    if single and one.balances:
        one.turned = one.unsure = True
    if stretch.op == "revert":  # 1
        one.live.retract(position, source if single else None)
    else:
        one.live.apply(Arrival(position, target, time, single))
    after = one.live.holding
    if before is None and after is None:  # 2
        return
    one.changed = one.changed or after != before
    if stretch.op == "revert":
        one.unsure = True
        if before is not None and position < before.position:
            result.below[stretch.network, contract] = place
    elif after is not None:
        _arrive(one, stretch, place, position, source, target, latest, after, result)
    if after is None:  # 4
        one.turned, one.since = True, None
        assert before is not None
        said = None if single and before.account == source else before.account
        result.led[place] = Led(holder=BALANCES_COUNT if single else None, holder_before=said)
        return
    one.standard = standard  # 3
    led = _led(before, after, position, time, source, target, always=not single)
    if led is not None:
        result.led[place] = led


def _arrive(
    one: Walked, stretch: Stretch, place: Place, position: Position, source: str, target: str,
    before: Holding | None, after: Holding, result: Singles,
) -> None:  # fmt: skip
    """An event of a token that one account holds after it: 1. the latest; 2. one older than what is known.

    ``before``: by the greatest of the events before it, whatever their standards.
    """
    time = stretch.block.time
    if after.position == position:  # 1
        stays = before is not None and before.account == target and not before.implicit
        one.since = one.since if stays else time
        held = None if before is None or before.implicit else before.account
        if contradicts(held, source) or stretch.columns.quantity[place[1]] != "1":
            result.contradictions[place] = held
    else:  # 2
        one.unsure = one.unsure or target == after.account or one.since is None or time >= one.since
        result.below[stretch.network, stretch.columns.contract[place[1]]] = place


def _led(
    before: Holding | None, after: Holding, position: Position, time: int, source: str, target: str, *, always: bool
) -> Led | None:
    """What a row led to, where it does not say so itself. ``always``: it is of a standard that says nothing of it."""
    led = Led(
        holder=after.account if always or after.account != target else None,
        holder_before=None if before is None or before.account == source else before.account,
        holder_block=None if after.position[0] == position[0] else after.position[0],
        holder_time=None if after.time == time else after.time,
    )
    return None if led == Led() else led


def contradicts(held: str | None, source: str) -> bool:
    """Whether a token cannot leave ``source``. ``held``: who has it by its last live event; None: there is none."""
    if source in NO_ACCOUNTS:
        return held is not None and held not in NO_ACCOUNTS
    return held != source


def compare_first(result: Singles, latest: Iterable[Latest], held: Iterable[tuple[Any, ...]]) -> None:
    """``held``: who had each token of ``latest`` before, in its order, and whether implicitly; None: nothing was
    known of it."""
    for (_, _, _, _, _, _, source, at, row), (account, implicit) in zip(latest, held, strict=True):
        if account is None:
            if source not in NO_ACCOUNTS:
                result.contradictions[at, row] = None
        elif account != source or implicit:
            place, told = (at, row), None if implicit else account
            if account != source:
                result.led[place] = replace(result.led.get(place, Led()), holder_before=account)
            if contradicts(told, source):
                result.contradictions[place] = told


def with_led(stretches: Sequence[Stretch], led: Mapping[Place, Led]) -> list[Stretch]:
    """The stretches, each with what its rows led to."""
    if not led:
        return list(stretches)
    by_stretch: dict[int, dict[int, Led]] = {}
    for (at, row), one in led.items():
        by_stretch.setdefault(at, {})[row] = one
    return [replace(s, led=by_stretch[at]) if at in by_stretch else s for at, s in enumerate(stretches)]


def latest_rows(latest: Mapping[Token, Latest]) -> dict[str, Any]:
    """Parameters of the query ``single_latest``, one array a column."""
    positions, accounts, times, standards, since, *_ = zip(*latest.values(), strict=True)
    return {
        **token_arrays(list(latest)),
        "account": array(accounts),
        "since": _numbers(since),
        "event_time": _numbers(times),
        **position_arrays(positions),
        "standard": array(standards),
    }


def walked_rows(walked: Mapping[Token, Walked]) -> dict[str, Any]:
    """Parameters of the query ``single_walked``, one array a column, of tokens that somebody holds."""
    holdings = [holding for one in walked.values() if (holding := one.live.holding) is not None]
    since = [None if h.implicit else one.since for h, one in zip(holdings, walked.values(), strict=True)]
    return {
        **token_arrays(list(walked)),
        "account": array([holding.account for holding in holdings]),
        "since": nullable(since),
        "event_time": nullable([None if holding.implicit else holding.time for holding in holdings]),
        **position_arrays([holding.position for holding in holdings]),
        "standard": array([one.standard for one in walked.values()]),
        "implicit": booleans([holding.implicit for holding in holdings]),
    }


def token_arrays(keys: Sequence[Token]) -> dict[str, str]:
    """Parameters that name tokens, one array a column."""
    return {
        "network": array([key[0] for key in keys]),
        "contract": array([key[1] for key in keys]),
        "token_id": array([key[2] for key in keys]),
    }


def position_arrays(positions: Sequence[Position]) -> dict[str, str]:
    """Parameters that name positions, one array a column."""
    return {
        "block_number": _numbers([position[0] for position in positions]),
        "log_index": _numbers([position[1] for position in positions]),
        "sub_index": _numbers([position[2] for position in positions]),
    }


def nullable(values: Iterable[int | None]) -> str:
    """A Postgres array literal of numbers; None is null."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def booleans(values: Iterable[bool]) -> str:
    """A Postgres array literal of booleans."""
    return "{" + ",".join("t" if value else "f" for value in values) + "}"


def _numbers(values: Iterable[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"
