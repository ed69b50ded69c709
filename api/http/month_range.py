"""Which months of the journal may be read: those with the API's indexes. A month without them would be read whole.

Blocks are asked for by number and months are kept by time: a question about blocks above the bare months must say so in
times too, or Postgres reads those all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct

from ft.api.http.database import Connection, row_of
from ft.errors import FtError
from ft.sql.queries import load

_BARE: Final = load("api_transfers")["bare_months"]
_JOURNAL: Final = "FROM projection.transfers t"
_NAMED_MAX: Final = 12


class RangeNotIndexed(FtError):
    """Months in the asked range have no indexes yet: reading them would take minutes."""


class BareRow(Struct, frozen=True, kw_only=True):
    """Bare months in a range, and the times between the bare months around it; texts, for they may be infinite."""

    months: list[str]
    time_from: str
    time_to: str


@dataclass(frozen=True, slots=True)
class Span:
    """Where a query may look. ``between``: None where every month is indexed, so that the usual plan is kept."""

    between: BareRow | None

    def of(self, query: str) -> str:
        """The query, kept to the months of this span. Raises ValueError for one that does not read the journal."""
        if _JOURNAL not in query:
            raise ValueError(f"expected a query that reads the journal by `{_JOURNAL}`, got: {query}")
        if self.between is None:
            return query
        return query.replace(
            _JOURNAL,
            "FROM (SELECT * FROM projection.transfers WHERE block_time >= %(time_from)s::timestamptz"
            " AND block_time < %(time_to)s::timestamptz) t",
        )

    def with_times(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of such a query."""
        if self.between is None:
            return dict(parameters)
        return {**parameters, "time_from": self.between.time_from, "time_to": self.between.time_to}


async def indexed_span(conn: Connection, network: str, block_from: int | None, block_to: int | None) -> Span:
    """Where blocks of a range (None: open) are found. Raises RangeNotIndexed if some of them lie in bare months."""
    low, high = (-1 if block is None else block for block in (block_from, block_to))
    found = await row_of(conn, _BARE, BareRow, {"network": network, "block_from": low, "block_to": high})
    if found is not None and found.months:
        named = ", ".join(found.months[:_NAMED_MAX])
        raise RangeNotIndexed(f"{len(found.months)} months in this range are not indexed yet: {named}")
    return Span(found)
