"""Whatever goes wrong -> one RFC 9457 problem document; never a traceback."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from msgspec import Struct, json

from ft.api.http.database import NotMigrated, TooSlow
from ft.api.http.freshness import AsOf
from ft.api.http.middleware import current_request_id, refuse
from ft.api.http.month_range import RangeNotIndexed
from ft.api.http.slots import Overloaded
from ft.errors import DatabaseUnavailable
from ft.telemetry.outage import DATABASE
from ft.telemetry.sampling import Seldom

MEDIA_TYPE: Final = "application/problem+json"
PENDING: Final = {"X-Data-Status": "pending"}
_RETRY_AFTER_S: Final = 2
_log = structlog.get_logger("ft.api")
_unusable = Seldom(_log)


class FieldError(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with one field of the request."""

    field: str
    code: str
    message: str


class ProblemDetails(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every error answers, as application/problem+json."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError]
    as_of: AsOf | None = None


class Problem(Exception):
    """An answer that is an error. ``code`` is stable and for programs, ``detail`` for people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        headers: dict[str, str] | None = None,
        as_of: AsOf | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.as_of = as_of


def invalid(field: str, code: str, message: str) -> Problem:
    """422: one field of the request cannot be read."""
    return Problem(422, "invalid_request", message, errors=(FieldError(field=field, code=code, message=message),))


def listed(errors: Sequence[FieldError]) -> str:
    """Several errors as one detail."""
    return "; ".join(f"{error.field}: {error.message}" for error in errors)


def not_found(code: str, detail: str, at: AsOf) -> Problem:
    """404 for what the ledger has not seen by the block ``at``; it may come with the next one."""
    return Problem(404, code, detail, headers=dict(PENDING), as_of=at)


def document(problem: Problem) -> bytes:
    """The body of the answer."""
    return json.encode(
        ProblemDetails(
            type=f"urn:ft:problem:{problem.code}",
            title=HTTPStatus(problem.status).phrase,
            status=problem.status,
            detail=problem.detail,
            code=problem.code,
            request_id=current_request_id(),
            errors=list(problem.errors),
            as_of=problem.as_of,
        )
    )


def answer(_: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    """Litestar's handler for every exception."""
    problem = problem_of(exc)
    return Response(
        document(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={**problem.headers, "Cache-Control": "no-store"},
    )


def problem_of(exc: Exception) -> Problem:
    """The cases, in this order: ours, the database, the framework's, and whatever nobody foresaw."""
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, RangeNotIndexed):
        return Problem(503, "range_not_indexed", str(exc), headers={"Retry-After": "60"})
    if isinstance(exc, DatabaseUnavailable):
        return _unavailable(exc)
    if isinstance(exc, ValidationException):
        return _validation(exc)
    if isinstance(exc, NotFoundException):
        return Problem(404, "route_not_found", "no such path; /schema lists what there is")
    if isinstance(exc, MethodNotAllowedException):
        return Problem(405, "method_not_allowed", "this path does not take that method", headers=exc.headers)
    if isinstance(exc, HTTPException) and exc.status_code < 500:
        code = HTTPStatus(exc.status_code).phrase.lower().replace(" ", "_")
        return Problem(exc.status_code, code, exc.detail, headers=exc.headers)
    _log.error("request failed", exc_info=exc)
    return Problem(500, "internal_error", "something failed that should not; the request id finds it in the log")


def _unavailable(exc: DatabaseUnavailable) -> Problem:
    headers = {"Retry-After": str(_RETRY_AFTER_S)}
    if isinstance(exc, Overloaded):
        refuse(exc)
        return Problem(503, "overloaded", "more is asked than can be answered; ask less at once", headers=headers)
    if not isinstance(exc, TooSlow | NotMigrated):
        DATABASE.away(exc)
        refuse(exc)
        return Problem(503, "database_unavailable", "the database does not answer; try again", headers=headers)
    _unusable.warning("database unavailable", error=str(exc))
    if isinstance(exc, TooSlow):
        return Problem(503, "query_timeout", "the question took too long to answer; ask for less", headers=headers)
    return Problem(
        503, "not_migrated", "the database is not ready: `ft status` says which command helps", headers=headers
    )


def _validation(exc: ValidationException) -> Problem:
    extra = exc.extra if isinstance(exc.extra, list) else []
    errors = tuple(
        FieldError(field=str(entry.get("key", "")), code="invalid_value", message=str(entry.get("message", "")))
        for entry in extra
        if isinstance(entry, dict)
    )
    return Problem(422, "invalid_request", listed(errors) or exc.detail, errors=errors)
