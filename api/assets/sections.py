"""Sections of an asset's answer: what a domain beside the ledger knows of some assets; one query, one field a domain.

An asset is put together from the ledger's part and one section a domain, joined by keys in the same snapshot, so that
no domain edits another's SELECT. A section stands in its domain's folder, beside the shape of its field; ``SECTIONS``
in main.py lists them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ft.api.assets.rows import AssetRow
from ft.api.http.database import Connection, rows_of
from ft.schemas.ids import AssetKey

FIELDS: Final = ("market", "rarity", "spam", "trust", "metadata")
"""Fields of an asset that a section may fill; null where none does, or where it knows nothing of the asset."""


class SectionRow(Struct, frozen=True, kw_only=True):
    """What every section's row has; its own columns are fields of a subclass."""

    place: int
    """Of the key that it is of, from 1."""
    version: str
    """Moves with whatever can change what is shown."""


R = TypeVar("R", bound=SectionRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section(Generic[R]):
    """``query`` takes the arrays ``networks``, ``contracts`` and ``token_ids`` and returns at most one row an asset,
    with the columns of ``row``; ``show`` makes the field's value of it."""

    field: str
    query: str
    row: type[R]
    show: Callable[[R], object]


async def with_sections(conn: Connection, rows: Sequence[AssetRow], sections: Sequence[Section[Any]]) -> list[AssetRow]:
    """The same rows with what each section knows of them; their versions move with those of the sections."""
    if not sections:
        return list(rows)
    shown: list[dict[str, object]] = [{} for _ in rows]
    versions = [[row.version] for row in rows]
    parameters = _arrays([AssetKey(network=row.network, contract=row.contract, token_id=row.token_id) for row in rows])
    for section in sections:
        for found in await rows_of(conn, section.query, section.row, parameters):
            shown[found.place - 1][section.field] = section.show(found)
            versions[found.place - 1].append(f"{section.field}{found.version}")
    return [
        replace(row, sections=fields, version="-".join(version))
        for row, fields, version in zip(rows, shown, versions, strict=True)
    ]


async def versions_of(conn: Connection, key: AssetKey, sections: Sequence[Section[Any]]) -> list[str]:
    """What :func:`with_sections` adds to the version of one asset."""
    parameters = _arrays([key])
    return [
        f"{section.field}{found.version}"
        for section in sections
        for found in await rows_of(conn, section.query, section.row, parameters)
    ]


def _arrays(keys: Sequence[AssetKey]) -> dict[str, list[str]]:
    return {
        "networks": [key.network for key in keys],
        "contracts": [key.contract for key in keys],
        "token_ids": [key.token_id for key in keys],
    }
