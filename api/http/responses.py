"""What is the same in many answers: validators, caching, and the errors that OpenAPI lists."""

from typing import Any, Final, TypeVar

from litestar import Response
from litestar.openapi import ResponseSpec

from ft.api.http.cursors import digest
from ft.api.http.parameters import matches
from ft.api.http.problems import MEDIA_TYPE, ProblemDetails

T = TypeVar("T")
# Not immutable: `ft replace` corrects final blocks, and what was told of them.
FINAL: Final = {"Cache-Control": "public, max-age=3600"}
_REVALIDATE: Final = "no-cache"
_SHAPE: Final = "2"


def _spec(description: str) -> ResponseSpec:
    return ResponseSpec(ProblemDetails, description=description, media_type=MEDIA_TYPE, generate_examples=False)


REFUSED: Final = {422: _spec("Something in the request cannot be read, or is not taken; `errors` names it.")}
"""Of a path that takes nothing."""
OF_ALL: Final = {
    409: _spec("The block of `X-Min-Block` is not reached; `as_of` is the head."),
    **REFUSED,
    503: _spec("The database is away, `overloaded` or `range_not_indexed`; `Retry-After`."),
}
"""Of an answer about every network: there is nothing that it could not find."""
_ERRORS: Final = {404: _spec("Not seen (yet): `X-Data-Status: pending`."), **OF_ALL}
_CURSOR: Final = {400: _spec("`invalid_cursor`, or `cursor_filter_mismatch`: the cursor is of other filters.")}
READY: Final = _spec(
    "Not ready: the database is away, not migrated or of another deployment, or `overloaded`; `Retry-After`."
)
CONDITIONAL: Final = {304: ResponseSpec(None, description="Unchanged since that `ETag`."), **_ERRORS}
PAGED: Final = {**_CURSOR, **_ERRORS}
PAGED_OF_ALL: Final = {**_CURSOR, **OF_ALL}


def conditional(answer: T, etag: str) -> Response[T]:
    """200 with its validator."""
    return Response(answer, headers={"ETag": etag, "Cache-Control": _REVALIDATE})


def not_modified(if_none_match: str, etag: str) -> Response[Any] | None:
    """304 without a body if the client's copy is that of ``etag``, else None."""
    if not matches(if_none_match, etag):
        return None
    return Response(None, status_code=304, headers={"ETag": etag, "Cache-Control": _REVALIDATE})


def etag_of(version: str, *what: object) -> str:
    """The validator of ``what`` in that version: another thing's never fits, though one version is that of many."""
    # Weak: lag_ms differs from one answer to the next of the same state.
    return f'W/"{_SHAPE}-{digest(*what)}-{version}"'
