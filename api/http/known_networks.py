"""Networks that a request names: one that the database does not know is told at once, for nothing of it will come."""

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

from ft.api.http.parameters import network_in
from ft.api.http.problems import FieldError, Problem

_NAMED_MAX: Final = 12


class NetworkRow(Struct, frozen=True, kw_only=True):
    """A configured network."""

    network: str
    family: str
    chain_id: int | None
    start_block: int
    confirmed: str
    finalized: str


class NetworkReads(Protocol):
    """What the name of a network asks the database."""

    async def network_names(self, sought: str) -> Sequence[str]: ...


async def require_named(reads: NetworkReads, **texts: str | None) -> None:
    """:func:`require_known` of the network that each id or address names, by field, before the rest of it is read: the
    network decides how an address is written."""
    for field, text in texts.items():
        if text is not None and (named := network_in(text)) is not None:
            await require_known(reads, named, field)


async def require_known(reads: NetworkReads, network: str, field: str) -> None:
    """Raises Problem `unknown_network`: 404 for what is asked about, 422 for a block in a header."""
    names = await reads.network_names(network)
    if network in names:
        return
    listed = ", ".join(names[:_NAMED_MAX]) + (", ..." if len(names) > _NAMED_MAX else "")
    detail = f"expected a configured network ({listed}), got {network!r}"
    errors = (FieldError(field=field, code="unknown_network", message=detail),)
    if field == "X-Min-Block":
        raise Problem(422, "unknown_network", detail, errors=errors)
    raise Problem(404, "unknown_network", detail, errors=errors)
