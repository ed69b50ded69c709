"""Pure: what transfers are asked for -> the SQL of a page of them, and its parameters.

Only the clauses of the filters that are set stand in the text: each has its own plan, by the narrowest index. Who sent
or received something is asked for on both sides, each by its own index.
"""

from collections.abc import Iterator
from typing import Any, Final

from ft.api.http.cursors import END
from ft.api.transfers.rows import NEWEST, OLDEST, TransfersAsk
from ft.schemas import ids
from ft.sql.queries import load

_PAGE: Final = load("api_transfers")["page"]
_NARROWED: Final = "AND true"
_KINDS: Final = {
    "mint": 't."from" = %(nobody)s AND t."to" <> %(nobody)s AND t.quantity > 0',
    "burn": 't."to" = %(nobody)s AND t."from" <> %(nobody)s AND t.quantity > 0',
    "transfer": 't."from" <> %(nobody)s AND t."to" <> %(nobody)s AND t.quantity > 0',
    "none": '(t.quantity = 0 OR (t."from" = %(nobody)s AND t."to" = %(nobody)s))',
}
_COPIES_MAX: Final = 9
"""Of one transaction hash that comes in several blocks; more than two were never seen."""


def page_of(ask: TransfersAsk) -> str:
    """The query. Parameters: :func:`parameters_of`."""
    if ask.account is None:
        page = _narrowed(ask)
    else:
        sent = _narrowed(ask, 't."from" = %(account)s')
        received = _narrowed(ask, 't."to" = %(account)s', 't."from" <> %(account)s')
        order = _PAGE[_PAGE.index("ORDER BY") :]
        page = f"SELECT t.* FROM (({sent}) UNION ALL ({received})) t {order}"
    return page if ask.newest_first else page.replace(" DESC", "").replace(") < (", ") > (")


def parameters_of(ask: TransfersAsk) -> dict[str, Any]:
    """Every parameter that the query may name."""
    key = ask.after or (NEWEST if ask.newest_first else OLDEST)
    low, high = ask.block_from or 0, END if ask.block_to is None else ask.block_to
    if ask.newest_first:
        high = min(high, key.block_number)  # implied by the key, but this the planner looks up in the index
    else:
        low = max(low, key.block_number)
    return {
        **key._asdict(),
        "network": ask.network,
        "contract": ask.contract,
        "token_id": ask.token_id,
        "account": ask.account,
        "sender": ask.sender,
        "receiver": ask.receiver,
        "nobody": ids.nobody(ask.network),
        "tx_hashes": _hashes(ask.tx_hash),
        "block_from": low,
        "block_to": high,
        "rows": ask.rows,
    }


def _narrowed(ask: TransfersAsk, *sides: str) -> str:
    clauses = " AND ".join([*sides, *_clauses(ask)])
    return _PAGE.replace(_NARROWED, f"AND {clauses}" if clauses else "", 1)


def _clauses(ask: TransfersAsk) -> Iterator[str]:
    if ask.contract is not None:
        yield "t.contract = %(contract)s"
    if ask.token_id is not None:
        yield "t.token_id = %(token_id)s::numeric"
    if ask.sender is not None:
        yield 't."from" = %(sender)s'
    if ask.receiver is not None:
        yield 't."to" = %(receiver)s'
    if ask.tx_hash is not None:
        yield "t.tx_hash = ANY(%(tx_hashes)s::text[])"
    if ask.kind is not None:
        yield _KINDS[ask.kind]


def _hashes(tx_hash: str | None) -> list[str]:
    """As the journal may have them: one that comes in a second block has a number behind it."""
    if tx_hash is None:
        return []
    return [tx_hash, *(f"{tx_hash}{ids.REPEATED}{copy}" for copy in range(2, _COPIES_MAX + 1))]
