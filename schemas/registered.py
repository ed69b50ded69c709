"""Pure: the schemas that a registry gave ids out for, as a deployment keeps them, and whether a registry agrees.

A record on Kafka names its schema by an id alone: without the registry that gave it out nobody can read the log, and
with one that says something else for it, nobody reads it right.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from ft.errors import SchemaError
from ft.schemas.meaning import difference, meaning, name_of

_ID_MAX: Final = 2**31 - 1
_TOLD_MAX: Final = 80
_FIELDS: Final = {"id": int, "subject": str, "version": int, "schema": str}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Registered:
    """A version of a subject, and the id that the registry gave out for it."""

    id: int
    subject: str
    version: int
    schema: str
    """Avro, as it was registered."""

    @property
    def record(self) -> str:
        """Full name of the record that it describes."""
        return named(self.schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An id for which a registry says something else than what was kept."""

    id: int
    subject: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"id {self.id} of {self.subject}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a registry says of the ids that were kept."""

    url: str
    ids: int
    """How many were kept."""
    lost: tuple[Registered, ...] = ()
    """Those that it does not know, in any subject."""
    different: tuple[Difference, ...] = ()
    wrong: str = ""
    """What is said of an address at which something else answers than a registry, so that nothing was compared; empty:
    it is a registry."""

    @property
    def lost_ids(self) -> list[int]:
        return sorted({row.id for row in self.lost})


def compare(
    url: str, kept: Sequence[Registered], said: Mapping[int, str | None], elsewhere: Mapping[Registered, int]
) -> Agreement:
    """Whether a registry agrees with what was kept.

    ``said``: id -> the schema that the registry has under it, None: none. ``elsewhere``: of those that it has not, the
    id under which it has the same schema in the same subject. Docs, white space and the order of keys may differ.
    """
    lost, different = [], []
    for row in sorted(kept):
        found = said[row.id]
        if found is not None and not same(row.schema, found):
            got, why = named(found), ""
            if got == row.record:
                why = f", which differs {difference(parsed(found), parsed(row.schema))}"
            different.append(_difference(row, f"{got}{why}"))
        elif found is None and row in elsewhere:
            different.append(_difference(row, f"nothing: that schema is its id {elsewhere[row]}"))
        elif found is None:
            lost.append(row)
    return Agreement(url=url, ids=len({r.id for r in kept}), lost=tuple(lost), different=tuple(different))


def contradictions(rows: Iterable[Registered]) -> list[Difference]:
    """Ids that have two meanings; the first one is what is expected."""
    firsts: dict[int, Registered] = {}
    found = []
    for row in rows:
        first = firsts.setdefault(row.id, row)
        if not same(first.schema, row.schema):
            found.append(_difference(first, f"{row.record} of {row.subject}"))
    return found


def unkept(kept: Iterable[Registered], rows: Iterable[Registered]) -> list[Registered]:
    """Those of ``rows`` whose id and subject are not among what is kept, in their order."""
    places = {(row.id, row.subject) for row in kept}
    return [row for row in rows if (row.id, row.subject) not in places]


def same(one: str, other: str) -> bool:
    """Whether two schemas mean the same to who reads by them."""
    return bool(meaning(parsed(one)) == meaning(parsed(other)))


def named(text: str) -> str:
    """Full name of the record that a schema describes; its beginning, of one that describes none."""
    schema = parsed(text)
    return name_of(schema) if isinstance(schema, dict) and name_of(schema) else text[:_TOLD_MAX]


def parsed(text: str) -> Any:
    """A schema as JSON; a text that is none, as it is: no two of those mean the same unless they are equal."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def file_of(deployment: str, rows: Iterable[Registered]) -> str:
    """The file that `ft schemas export` writes."""
    return json.dumps({"deployment": deployment, "schemas": [asdict(row) for row in sorted(rows)]}, indent=2) + "\n"


def of_file(text: str, name: str) -> tuple[str, list[Registered]]:
    """Deployment and schemas of such a file. Raises SchemaError for another one; ``name``: its own, for the message."""
    wanted = f"{name}: expected a file that `ft schemas export` has written"
    try:
        content = json.loads(text)
    except ValueError as exc:
        raise SchemaError(f"{wanted}, got no JSON: {exc}") from exc
    if not isinstance(content, dict) or not isinstance(content.get("schemas"), list):
        raise SchemaError(f"{wanted}, got no list of schemas")
    rows = [_row(entry, number, wanted) for number, entry in enumerate(content["schemas"])]
    if found := contradictions(rows):
        raise SchemaError(f"{wanted}, with one schema an id: {found[0]}")
    return str(content.get("deployment") or ""), rows


def _row(entry: object, number: int, wanted: str) -> Registered:
    if not isinstance(entry, dict) or any(type(entry.get(name)) is not kind for name, kind in _FIELDS.items()):
        raise SchemaError(f"{wanted}, got no id, subject, version and schema in entry {number}")
    row = Registered(**{name: entry[name] for name in _FIELDS})
    if not 0 < row.id <= _ID_MAX or not isinstance(parsed(row.schema), dict):
        raise SchemaError(f"{wanted}, got no schema under an id of 1 to {_ID_MAX} in entry {number}")
    return row


def _difference(row: Registered, got: str) -> Difference:
    return Difference(id=row.id, subject=row.subject, expected=row.record, got=got)
