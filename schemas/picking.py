"""Some fields of a flat Avro record, read by code that is made for its schema: half the time of a general reader.

Only for what is read most, in exactly the schema that this code knows: every other writer's schema, and bytes that are
not as they should be, are the general reader's, so that both always come to the same. Pure.

Avro's binary encoding: https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

Pick: TypeAlias = Callable[[bytes, int], tuple[Any, ...]]
"""Bytes, and where the body begins -> the fields. Raises ValueError or IndexError for a body that does not fit."""
_LONG_BYTES_MAX: Final = 9
"""Of a number that is read here; one byte more may be too large."""
_NUMBER: Final = (
    "n = b[i]; i += 1",
    "if n > 127:",
    "    m = b[i]; i += 1",  # most that take more than one byte take two
    "    if m < 128: n = n & 127 | m << 7",
    "    else: n, i = more(b, i, n & 127 | (m & 127) << 7)",
)
_READ: Final[Mapping[str, Sequence[str]]] = {
    "int": (*_NUMBER, "{v} = n >> 1 if not n & 1 else ~(n >> 1)"),
    "string": (
        *_NUMBER,
        "if n & 1: raise ValueError('a length below 0')",
        "j = i + (n >> 1); {v} = str(b[i:j], 'utf-8'); i = j",
    ),
    "boolean": ("if (n := b[i]) > 1: raise ValueError('no boolean')", "{v} = n == 1; i += 1"),
}
"""What reads one of this type at ``i`` of ``b`` into ``{v}``."""


def picker(schema: Mapping[str, Any], fields: Sequence[str]) -> Pick | None:
    """Code that reads ``fields`` of a record of this schema, in this order; None where it has a type that is not a
    number, a text, a boolean or one of them that may be null."""
    names = {field["name"]: f"v{at}" for at, field in enumerate(schema["fields"])}
    lines = ["def pick(b, i):"]
    for field in schema["fields"]:
        read = _lines(field["type"], names[field["name"]])
        if read is None:
            return None
        lines += [f"    {line}" for line in read]
    lines.append("    if i != len(b): raise ValueError('bytes are missing or left')")
    lines.append(f"    return ({', '.join(names[field] for field in fields)},)")
    made: dict[str, Any] = {"more": _more}
    exec("\n".join(lines), made)
    pick: Pick = made["pick"]
    return pick


def _lines(kind: Any, value: str) -> list[str] | None:
    if isinstance(kind, list):
        inner = _lines(kind[1], value) if len(kind) == 2 and kind[0] == "null" and isinstance(kind[1], str) else None
        if inner is None:
            return None
        head = ["n = b[i]; i += 1", f"if n == 0: {value} = None", "elif n != 2: raise ValueError('no such branch')"]
        return [*head, "else:", *(f"    {line}" for line in inner)]
    found = _READ.get("int" if kind == "long" else kind) if isinstance(kind, str) else None
    return None if found is None else [line.format(v=value) for line in found]


def _more(b: bytes, i: int, n: int) -> tuple[int, int]:
    """The rest of a number whose first two bytes are in ``n``, and where it ends."""
    for shift in range(14, 7 * _LONG_BYTES_MAX, 7):
        byte = b[i]
        i += 1
        n |= (byte & 127) << shift
        if byte < 128:
            return n, i
    raise ValueError("a number of too many bytes")
