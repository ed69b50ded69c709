"""Pure: stretches of the journal -> the ownership rows that they change, netted and in key order.

Single holdings: the latest event of each token wins; tokens that were touched by a retraction, or given back by one,
go through the rule of ``ownership`` event by event. Multi holdings: one sum and one latest incoming event an account.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final, NamedTuple, TypeAlias

from ft.agents.columns import array
from ft.agents.ledger.journal import Stretch
from ft.agents.ownership import NO_FLOOR, NOWHERE, Holding, Move, Position, apply, floor_after, movements, retract
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import HOLDING

Token: TypeAlias = tuple[str, str, str]
"""network, contract, token id"""
Account: TypeAlias = tuple[str, str, str, str]
"""network, contract, token id, account"""
SINGLE: Final = frozenset(standard for standard, holding in HOLDING.items() if holding == "single")

NOT_UNDONE: Final[Set[Position]] = frozenset()


class Latest(NamedTuple):
    """The latest of a token's events in a transaction."""

    position: Position
    account: str
    time: int
    standard: str


@dataclass(slots=True)
class Net:
    """What a transaction changes in one account's balance of a token."""

    standard: str
    quantity: int = 0
    position: Position = NOWHERE
    since: int | None = None
    undone: Set[Position] = NOT_UNDONE
    """Positions of the incoming events that were retracted: a row that stands on one asks the journal."""

    def incoming(self, position: Position, time: int, standard: str) -> None:
        if position >= self.position:
            self.position, self.since, self.standard = position, time, standard


def singles(stretches: Iterable[Stretch]) -> dict[Token, Latest]:
    """The latest applied event of each single token, in key order."""
    latest: dict[Token, Latest] = {}
    for stretch in stretches:
        if stretch.op == "apply":
            _fold_singles(stretch, latest)
    return dict(sorted(latest.items()))


def tokens(stretches: Iterable[Stretch]) -> set[Token]:
    """The single tokens that the stretches name."""
    return {token for stretch in stretches for token, _ in _single_moves(stretch)}


def floor_over(stretch: Stretch, floor: int) -> int:
    """The floor after the stretch; one without rows is announced to nobody, and changes none."""
    return floor_after(floor, stretch.op, stretch.block.number) if len(stretch) else floor


def walk(
    stretches: Iterable[Stretch],
    wanted: Collection[Token],
    held: Mapping[Token, Holding],
    floors: Mapping[tuple[int, str], int],
) -> dict[Token, tuple[Holding, str]]:
    """The wanted tokens' holdings after all their events, in record order, and the standard; changed ones only.

    ``stretches`` with the control rows among them; ``floors``: by partition and network, before the first stretch.
    """
    after: dict[Token, Holding | None] = {token: held.get(token) for token in wanted}
    standards: dict[Token, str] = {}
    now = dict(floors)
    for stretch in stretches:
        key = (stretch.partition, stretch.network)
        floor = now[key] = floor_over(stretch, now.get(key, NO_FLOOR))
        for token, (move, standard) in _single_moves(stretch):
            if token in after:
                before = after[token]
                after[token] = apply(before, move, floor) if stretch.op == "apply" else retract(before, move)
                standards[token] = standard
    return {
        token: (holding, standards[token])
        for token, holding in sorted(after.items())
        if holding is not None and holding is not held.get(token)
    }


def multis(stretches: Iterable[Stretch]) -> dict[Account, Net]:
    """The change of each multi balance, in key order."""
    nets: dict[Account, Net] = {}
    for stretch in stretches:
        if stretch.control is None and not SINGLE.issuperset(stretch.columns.standard):
            _fold_multis(stretch, nets)
    return dict(sorted(nets.items()))


def plain_array(values: Iterable[int | None]) -> str:
    """A Postgres array literal of numbers; None is null."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def single_rows(latest: Mapping[Token, Latest]) -> dict[str, Any]:
    """Parameters of the query ``single_latest``, one array a column."""
    found = list(latest.values())
    return {
        **_key_arrays(list(latest)),
        "account": array([row.account for row in found]),
        "since": plain_array([row.time for row in found]),
        **_position_arrays([row.position for row in found]),
        "standard": array([row.standard for row in found]),
    }


def walked_rows(walked: Mapping[Token, tuple[Holding, str]]) -> dict[str, Any]:
    """Parameters of the query ``single_walked``, one array a column."""
    found = [holding for holding, _ in walked.values()]
    return {
        **_key_arrays(list(walked)),
        "account": array([holding.account for holding in found]),
        "since": plain_array([holding.since for holding in found]),
        **_position_arrays([holding.position for holding in found]),
        "standard": array([standard for _, standard in walked.values()]),
        "returned": "{" + ",".join("t" if holding.returned else "f" for holding in found) + "}",
    }


def multi_rows(nets: Mapping[Account, Net]) -> dict[str, Any]:
    """Parameters of the query ``multi_net``, one array a column."""
    found = list(nets.values())
    return {
        **_key_arrays([key[:3] for key in nets]),
        "account": array([key[3] for key in nets]),
        "quantity": plain_array([net.quantity for net in found]),
        "since": plain_array([net.since for net in found]),
        **_position_arrays([net.position for net in found]),
        "standard": array([net.standard for net in found]),
    }


def token_arrays(keys: Sequence[Token]) -> dict[str, str]:
    """Parameters that name tokens, one array a column."""
    return _key_arrays(keys)


def _key_arrays(keys: Sequence[Token]) -> dict[str, str]:
    return {
        "network": array([key[0] for key in keys]),
        "contract": array([key[1] for key in keys]),
        "token_id": array([key[2] for key in keys]),
    }


def _position_arrays(positions: Sequence[Position]) -> dict[str, str]:
    return {
        "block_number": plain_array([position[0] for position in positions]),
        "log_index": plain_array([position[1] for position in positions]),
        "sub_index": plain_array([position[2] for position in positions]),
    }


def _fold_singles(stretch: Stretch, latest: dict[Token, Latest]) -> None:
    c, network, number, time = stretch.columns, stretch.network, stretch.block.number, stretch.block.time
    found = map(
        Latest._make,
        zip(zip(repeat(number), c.log_index, c.sub_index), c.to_account, repeat(time), c.standard),
    )
    for token, late in zip(zip(repeat(network), c.contract, c.token_id), found, strict=False):
        if late[3] in SINGLE:
            before = latest.get(token)
            if before is None or late[0] > before[0]:
                latest[token] = late


def _single_moves(stretch: Stretch) -> Iterator[tuple[Token, tuple[Move, str]]]:
    c, block = stretch.columns, stretch.block
    for i, standard in enumerate(c.standard):
        if standard in SINGLE:
            move = Move(
                from_account=c.from_account[i],
                to_account=c.to_account[i],
                position=(block.number, c.log_index[i], c.sub_index[i]),
                time=block.time,
            )
            yield (stretch.network, c.contract[i], c.token_id[i]), (move, standard)


def _fold_multis(stretch: Stretch, nets: dict[Account, Net]) -> None:
    c, network, op = stretch.columns, stretch.network, stretch.op
    number, _, time = stretch.block
    rows = zip(
        c.standard, c.contract, c.token_id, c.from_account, c.to_account, c.quantity, c.log_index, c.sub_index,
        strict=True,
    )  # fmt: skip
    for standard, contract, token_id, from_account, to_account, quantity, log_index, sub_index in rows:
        if standard in SINGLE:
            continue
        for account, change in movements(from_account, to_account, int(quantity), op):
            _net(nets, (network, contract, token_id, account), standard).quantity += change
        if to_account in NO_ACCOUNTS:
            continue
        net, position = _net(nets, (network, contract, token_id, to_account), standard), (number, log_index, sub_index)
        if op == "apply":
            net.incoming(position, time, standard)
        else:
            net.undone = {*net.undone, position}


def _net(nets: dict[Account, Net], key: Account, standard: str) -> Net:
    net = nets.get(key)
    if net is None:
        net = nets[key] = Net(standard)
    return net
