"""Pages of a totally ordered list, and the words that every answer uses."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct

from ft.api.http import cursors
from ft.api.http.freshness import AsOf

T = TypeVar("T")
R = TypeVar("R")
A = TypeVar("A")
Later = Annotated[dict[str, Any] | None, Meta(description="null until this domain exists")]
Decimal = Annotated[str, Meta(description="decimal, up to 78 digits and more where it is a sum", examples=["1"])]


class PageInfo(Struct, frozen=True, kw_only=True):
    """Where a page stands."""

    next_cursor: Annotated[str | None, Meta(description="for the next page; null on the last one")]
    has_more: bool
    limit: int


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """Some entries of a totally ordered list, the place to go on from, and the block they are the state of."""

    data: list[T]
    page: PageInfo
    as_of: AsOf


def page(
    rows: Sequence[R], limit: int, filters: str, key: Callable[[R], tuple[Any, ...]], show: Callable[[R], A], at: AsOf
) -> Page[A]:
    """A page of ``limit`` entries out of one row more, if there is one."""
    more = len(rows) > limit
    shown = rows[:limit]
    return listed([show(row) for row in shown], limit, cursors.encode(filters, key(shown[-1])) if more else None, at)


def listed(data: list[A], limit: int, next_cursor: str | None, at: AsOf) -> Page[A]:
    """A page whose rows are cut already."""
    info = PageInfo(next_cursor=next_cursor, has_more=next_cursor is not None, limit=limit)
    return Page(data=data, page=info, as_of=at)
