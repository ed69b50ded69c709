"""What a request asks with -> canonical ids, keys and bounds. Everything wrong is a Problem 422."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from litestar.params import HeaderParameter, QueryParameter
from msgspec import Struct

from ft.api.http.problems import Problem, invalid
from ft.schemas import ids
from ft.schemas.families import family_of_account
from ft.schemas.ids import AssetKey, InvalidId

LIMIT_MAX: Final = 100
LIMIT_DEFAULT: Final = 50
HEIGHT_MAX: Final = 2**63 - 1
_TEXT_MAX: Final = 256
_SLUG: Final = "[a-z][a-z0-9-]{0,31}"
_TON: Final = "ton(-[a-z0-9-]{1,28})?"
_EVM: Final = f"(?!(ton|solana)[:-]){_SLUG}"
_EVM_ADDRESS: Final = "0[xX][0-9a-fA-F]{40}"
_TON_ADDRESS: Final = "(-1|0):[0-9a-fA-F]{64}|[A-Za-z0-9_+/-]{48}"
_CONTRACT: Final = f"({_EVM}:{_EVM_ADDRESS}|{_TON}:({_TON_ADDRESS}))"
_TOKEN: Final = "(0|[1-9][0-9]{0,76}|1(0[0-9]|1[0-5])[0-9]{75})"
_DAY: Final = "(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = "([01][0-9]|2[0-3]):[0-5][0-9]"
_INSTANT: Final = f"{_DAY}T{_CLOCK}:[0-5][0-9]([.][0-9]{{1,9}})?(Z|[+-]{_CLOCK})"
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+\Z")
_HEIGHT: Final = re.compile(r"[0-9]{1,18}\Z")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\Z")
_HASH: Final = re.compile(r"0[xX][0-9a-fA-F]{64}\Z")
_TIME: Final = re.compile(_INSTANT + r"\Z")
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_NAMED: Final = re.compile(_SLUG + r"\Z")
# What OpenAPI says of texts; the parsers below decide, and say what was expected.
ASSET_TEXT: Final = {
    "pattern": f"^({_EVM}:{_EVM_ADDRESS}:{_TOKEN}|{_TON}:({_TON_ADDRESS})"
    "|[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12})$"
}
COLLECTION_TEXT: Final = {"pattern": f"^{_CONTRACT}$"}
ADDRESS_TEXT: Final = {"pattern": f"^({_CONTRACT}|{_EVM_ADDRESS}|{_TON_ADDRESS})$"}
NETWORK_TEXT: Final = {"pattern": f"^{_SLUG}$"}
TIME_TEXT: Final = {"format": "date-time", "pattern": f"^{_INSTANT}$"}
HASH_TEXT: Final = {"pattern": "^0[xX][0-9a-fA-F]{64}$"}
_CURSOR_TEXT: Final = {"pattern": "^[A-Za-z0-9_-]+={0,2}$", "min_length": 1, "max_length": 1_000}
_MIN_BLOCK_TEXT: Final = {"pattern": f"^{_SLUG}:[0-9]{{1,18}}$"}


def _height(description: str) -> QueryParameter:
    bounds = {"minimum": 0, "maximum": HEIGHT_MAX}
    return QueryParameter(ge=0, le=HEIGHT_MAX, required=False, description=description, schema_extra=bounds)


Limit = Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX, required=False, description="Entries of a page, 1 to 100.")]
CursorText = Annotated[
    str | None,
    QueryParameter(
        name="cursor",
        required=False,
        description="`page.next_cursor` of the page before; never expires.",
        schema_extra=_CURSOR_TEXT,
    ),
]
AtBlock = Annotated[int | None, _height("The state once this block was applied; not beside `at_time`.")]
BlockFrom = Annotated[int | None, _height("The first block, itself included.")]
BlockTo = Annotated[int | None, _height("The last block, itself included.")]
BlockTime = Annotated[
    str | None,
    QueryParameter(required=False, description="Of the block, RFC 3339 with an offset.", schema_extra=TIME_TEXT),
]
Order = Annotated[
    Literal["desc", "asc"], QueryParameter(required=False, description="By chain position; newest first is `desc`.")
]
MinBlockHeader = Annotated[
    str | None,
    HeaderParameter(
        name="X-Min-Block",
        required=False,
        description="`polygon:123`: wait up to 2 s until that block is applied, else answer 409 with the head. One "
        "block, of the network that the request is about.",
        schema_extra=_MIN_BLOCK_TEXT,
    ),
]


class MinBlock(Struct, frozen=True, kw_only=True):
    """A block that an answer must not be older than."""

    network: str
    number: int


def network_in(text: str) -> str | None:
    """The network that an id or an address names before its colon, whatever the rest is worth; None: none."""
    prefix, sep, _ = text[:_TEXT_MAX].partition(":")
    return prefix if sep and _NAMED.match(prefix) else None


def plain(field: str, text: str, expected: str) -> str:
    """Ids are some printable ASCII, not much; anything else is refused before it meets a parser."""
    if not text:
        raise invalid(field, "invalid_id", f"expected {expected}, got ''")
    if len(text) > _TEXT_MAX or not _PRINTABLE.match(text):
        raise invalid(field, "invalid_id", f"expected at most {_TEXT_MAX} printable characters, got {text[:64]!r}")
    return text


def asset_key(text: str, field: str = "asset_id") -> AssetKey | UUID:
    """A natural key in any usual spelling, or the uuid."""
    plain(field, text, "<network>:<contract>:<token_id>, or the asset's uuid")
    if _UUID.match(text):
        return UUID(text)
    try:
        return ids.parse_asset_id(text)
    except InvalidId as exc:
        raise invalid(field, "invalid_id", f"{exc}; or the asset's uuid") from exc


def collection_key(text: str, field: str = "collection_id") -> tuple[str, str]:
    """``<network>:<contract>``."""
    try:
        return ids.parse_collection_id(plain(field, text, "<network>:<contract>"))
    except InvalidId as exc:
        raise invalid(field, "invalid_id", str(exc)) from exc


def network_slug(text: str, field: str = "network") -> str:
    try:
        return ids.network_slug(plain(field, text, "a slug such as polygon"))
    except InvalidId as exc:
        raise invalid(field, "invalid_network", str(exc)) from exc


def address(network: str, text: str, field: str) -> str:
    """An address on a network that is known already."""
    try:
        return ids.address(network, plain(field, text, f"an address on {network}"))
    except InvalidId as exc:
        raise invalid(field, "invalid_address", str(exc)) from exc


def account_on(text: str, network: str | None, field: str = "account") -> tuple[str | None, str]:
    """``<network>:<address>``, or an address, on ``network`` if one is named: (network or None, address)."""
    plain(field, text, "<network>:<address> or an address")
    prefix, sep, rest = text.partition(":")
    if sep and prefix[:1].isalpha():
        named = network_slug(prefix, field)
        if network is not None and network != named:
            where = "network" if field == "account" else field
            what = "it" if field == "contract" else "the account"
            raise invalid(where, "contradiction", f"{what} is on {named}, the query asks for {network}")
        return named, address(named, rest, field)
    if network is not None:
        return network, address(network, text, field)
    return None, _bare(text, field)


def contract_on(text: str, network: str | None, field: str = "contract") -> tuple[str, str]:
    """``<network>:<contract>``, or an address on ``network``: (network, contract)."""
    plain(field, text, "<network>:<contract>, or an address beside network=")
    if text[:1].isalpha() and ":" in text:
        named, contract = collection_key(text, field)
        if network is not None and network != named:
            raise invalid(field, "contradiction", f"it is on {named}, the query asks for {network}")
        return named, contract
    if network is None:
        raise invalid("network", "missing", f"expected network= beside a {field} that does not name one")
    return network, address(network, text, field)


def transaction(network: str, text: str, field: str = "tx_hash") -> str:
    """A transaction's hash on a network that is known already."""
    plain(field, text, "the hash of a transaction")
    if network.startswith("ton"):
        return text
    if not _HASH.match(text):
        raise invalid(field, "invalid_hash", f"expected 0x and 64 hex digits, got {text[:80]!r}")
    return text.lower()


def _bare(text: str, field: str) -> str:
    family = family_of_account(text)
    if family is None:
        raise invalid(field, "invalid_address", f"expected <network>:<address> or an address, got {text!r}")
    found = family.canonical(text)
    if found is None:
        raise invalid(field, "invalid_address", f"expected {family.expected}, got {text!r}")
    return found


def min_block(text: str | None) -> MinBlock | None:
    """``<network>:<number>`` of the header X-Min-Block."""
    if text is None:
        return None
    network, _, number = text.partition(":")
    if not _HEIGHT.match(number):
        raise invalid("X-Min-Block", "invalid_block", f"expected one <network>:<block number>, got {text[:64]!r}")
    return MinBlock(network=network_slug(network, "X-Min-Block"), number=int(number))


def instant(text: str, field: str) -> datetime:
    """An RFC 3339 time with its offset; in UTC, at most the first or the last moment that a year of four digits has."""
    try:
        if not _TIME.match(text):
            raise ValueError(text)
        at = datetime.fromisoformat(text)
        try:
            return at.astimezone(UTC)
        except OverflowError:
            return _FIRST if at.year == 1 else _LAST
    except ValueError as exc:
        expected = "expected RFC 3339 such as 2024-05-01T00:00:00Z"
        raise invalid(field, "invalid_time", f"{expected}, got {text[:64]!r}") from exc


def require_order(block_from: int | None, block_to: int | None) -> None:
    """A range of blocks that ends before it begins has nothing in it, which is hardly what was meant."""
    if block_from is not None and block_to is not None and block_from > block_to:
        raise _wrong_way_round("block", str(block_from), str(block_to))


def instants(time_from: str | None, time_to: str | None) -> tuple[datetime | None, datetime | None]:
    """A range of times, both inclusive, of which either may be open; the same of one that ends before it begins."""
    since = instant(time_from, "time_from") if time_from is not None else None
    until = instant(time_to, "time_to") if time_to is not None else None
    if since is not None and until is not None and since > until:
        raise _wrong_way_round("time", repr(time_from), repr(time_to))
    return since, until


def _wrong_way_round(what: str, start: str, end: str) -> Problem:
    first, last = f"{what}_from", f"{what}_to"
    return invalid(first, "contradiction", f"expected {first} up to {last}, got {first} {start} and {last} {end}")


def is_any(if_none_match: str) -> bool:
    """Whether a header If-None-Match is `*`: whatever there is, but not what there is not."""
    return if_none_match.strip() == "*"


def matches(if_none_match: str | None, etag: str) -> bool:
    """Weak comparison of RFC 9110, 13.1.2."""
    if if_none_match is None:
        return False
    if is_any(if_none_match):
        return True
    tags: Sequence[str] = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag.removeprefix("W/") in tags
