"""Postgres -> rows: a type of row a query, beside the resource that asks. Numbers of 256 bits are decimal strings."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from msgspec import Struct, structs
from psycopg import AsyncCursor

from ft.errors import DatabaseError

R = TypeVar("R", bound=Struct)


@cache
def of(kind: type[R]) -> Callable[[AsyncCursor[Any]], Callable[[Sequence[Any]], R]]:
    """A psycopg row factory for ``kind``. A field with a default may lack its column; other columns are left out."""
    fields = structs.fields(kind)

    def factory(cursor: AsyncCursor[Any]) -> Callable[[Sequence[Any]], R]:
        columns = {column.name: place for place, column in enumerate(cursor.description or ())}
        try:
            places = [
                (field.name, columns[field.name.rstrip("_")])
                for field in fields
                if field.required or field.name in columns
            ]
        except KeyError as exc:
            if not columns:
                return lambda values: kind()
            raise DatabaseError(f"{kind.__name__}: expected column {exc}, got {', '.join(columns)}") from exc
        return lambda values: kind(**{name: values[place] for name, place in places})

    return factory
