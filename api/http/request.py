"""A request's query and headers -> what is wrong with them, before a handler reads them.

What a path takes is what its handler's signature says, which is also what OpenAPI lists. The cases, in this order: a
parameter that is missing, one that the path does not take, one that is there twice, a number that is none, a word that
is not its own; and a header of the path that is there twice, unless it is a list, which may stand in several lines.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin

from litestar import Request
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, QueryParameter
from msgspec import Struct

from ft.api.http.problems import FieldError, Problem, listed

_WHOLE: Final = re.compile(r"(0|[1-9][0-9]{0,18})\Z")
_SHOWN_MAX: Final = 64
_LISTS: Final = (b"if-none-match",)
"""Headers that are lists: a framework would read one of their lines (RFC 9110, 5.3)."""


class Taken(Struct, frozen=True, kw_only=True):
    """What one parameter takes: whole numbers from ``low`` to ``high``, or some words; else any text."""

    low: int | None = None
    high: int = 0
    words: tuple[str, ...] = ()
    needed: bool = False


async def require_readable(request: Request[Any, Any, Any]) -> None:
    """Litestar's hook before every handler. Raises Problem 422 naming every parameter that is wrong."""
    scope = request.scope
    if scope["method"] != "GET":
        return
    handler = scope["route_handler"]
    scope["headers"] = joined(scope["headers"])
    found = repeated(headers_of(handler), [name for name, _ in scope["headers"]])
    taken = taken_by(handler)
    if scope.get("query_string") or any(each.needed for each in taken.values()):
        found += wrong(taken, [*request.query_params.multi_items()])
    if found:
        raise Problem(422, "invalid_request", listed(found), errors=tuple(found))


def wrong(taken: Mapping[str, Taken], sent: Sequence[tuple[str, str]]) -> list[FieldError]:
    """What is wrong with each parameter that was sent, by name."""
    values: dict[str, list[str]] = {}
    for name, value in sent:
        values.setdefault(name, []).append(value)
    missing = [_missing(name) for name, each in taken.items() if each.needed and name not in values]
    found = [_wrong_with(taken, name, each) for name, each in sorted(values.items())]
    return [*missing, *(error for error in found if error is not None)]


def repeated(taken: Mapping[bytes, str], sent: Sequence[bytes]) -> list[FieldError]:
    """The headers of a path that were sent more than once: a framework would read one of them."""
    counts = ((name, sent.count(line)) for line, name in taken.items())
    return [_repeated(name, count) for name, count in counts if count > 1]


def _repeated(name: str, count: int) -> FieldError:
    return FieldError(field=name, code="repeated_parameter", message=f"expected one value, got {count}")


def _missing(name: str) -> FieldError:
    return FieldError(field=name, code="missing", message=f"expected a {name}, as {name}=")


def _wrong_with(taken: Mapping[str, Taken], name: str, values: list[str]) -> FieldError | None:
    shown = name[:_SHOWN_MAX]
    if name not in taken:
        expected = f"a parameter of this path ({', '.join(taken)})" if taken else "no parameter"
        return FieldError(field=shown, code="unknown_parameter", message=f"expected {expected}, got {shown!r}")
    if len(values) > 1:
        return _repeated(shown, len(values))
    one, value = taken[name], values[0]
    got = repr(value[:_SHOWN_MAX])
    if one.low is not None and not (_WHOLE.match(value) and one.low <= int(value) <= one.high):
        message = f"expected a whole number from {one.low} to {one.high}, got {got}"
        return FieldError(field=shown, code="invalid_value", message=message)
    if one.words and value not in one.words:
        return FieldError(field=shown, code="invalid_value", message=f"expected {_one_of(one.words)}, got {got}")
    return None


def _one_of(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def joined(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The same with one line for each list."""
    sent = list(headers)
    lists = {name: [value for each, value in sent if each == name] for name in _LISTS}
    kept = [pair for pair in sent if pair[0] not in _LISTS]
    return [*kept, *((name, b", ".join(lines)) for name, lines in lists.items() if lines)]


@cache
def headers_of(handler: BaseRouteHandler) -> Mapping[bytes, str]:
    """The headers that a handler reads, by their name in a request: lower case."""
    parameters = (each.kwarg_definition for each in handler.parsed_fn_signature.parameters.values())
    names = (each.name for each in parameters if isinstance(each, HeaderParameter) and each.name)
    return {name.lower().encode(): name for name in names}


@cache
def taken_by(handler: BaseRouteHandler) -> Mapping[str, Taken]:
    """Every query parameter of a handler, by the name that a request gives it."""
    parameters = handler.parsed_fn_signature.parameters.values()
    return {
        each.kwarg_definition.name or each.name: _taken(each.annotation, each.kwarg_definition)
        for each in parameters
        if isinstance(each.kwarg_definition, QueryParameter)
    }


def _taken(annotation: Any, parameter: QueryParameter) -> Taken:
    for each in (annotation, *get_args(annotation)):  # by itself, or where there may be none
        if get_origin(each) is Literal:
            return Taken(words=get_args(each))
    if annotation is int or int in get_args(annotation):
        assert parameter.ge is not None
        assert parameter.le is not None
        return Taken(low=int(parameter.ge), high=int(parameter.le))
    return Taken(needed=parameter.required is not False)
