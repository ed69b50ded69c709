"""What of an Avro schema means something to those who read by it: all but docs, white space and the order of keys.

Aliases and defaults count: a reader resolves names and missing fields by them.
"""

from typing import Any, Final

_TOLD_MAX: Final = 120


def meaning(schema: Any) -> Any:
    """The schema without its docs; two that mean the same are equal."""
    if isinstance(schema, dict):
        return {
            key: value if key in ("default", "symbols", "aliases") else meaning(value)
            for key, value in schema.items()
            if key != "doc"
        }
    if isinstance(schema, list):
        return [meaning(part) for part in schema]
    return schema


def difference(kept: Any, wanted: Any, at: str = "") -> str:
    """Where two schemas first mean something else, for a message."""
    kept, wanted = meaning(kept), meaning(wanted)
    if isinstance(kept, dict) and isinstance(wanted, dict):
        for key in sorted(kept.keys() | wanted.keys()):
            if kept.get(key) != wanted.get(key):
                return difference(kept.get(key), wanted.get(key), f"{at}.{key}" if at else key)
    if isinstance(kept, list) and isinstance(wanted, list) and len(kept) == len(wanted):
        for number, (mine, theirs) in enumerate(zip(kept, wanted, strict=True)):
            if mine != theirs:
                return difference(mine, theirs, f"{at}[{number}]")
    return f"at {at or 'its top'}: expected {str(wanted)[:_TOLD_MAX]}, got {str(kept)[:_TOLD_MAX]}"


def name_of(schema: Any) -> str:
    """Its full name."""
    return ".".join(part for part in (schema.get("namespace", ""), schema.get("name", "")) if part)
