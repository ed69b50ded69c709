"""What is said where a schema registry does not answer as one (Confluent API)."""

from typing import ClassVar, Final

from ft.errors import ServerError

NOT_FOUND: Final = 404
_SHUT_OUT: Final = (401, 403)
_PASSING: Final = (408, 429)
_SERVER_ERROR: Final = 500
_NOT_IMPLEMENTED: Final = 501
_HTML: Final = ("<!doctype html", "<html")
TOLD_MAX: Final = 300
"""So many characters of an answer are told."""


class RegistryUnavailable(ServerError):
    """The registry gives no answer, for reasons that pass."""

    retryable: ClassVar[bool] = True


class NoRegistry(RegistryUnavailable):
    """What answers at its address is no registry: whoever starts refuses, whatever runs goes on without one."""


def is_nobodys(status: int, code: object) -> bool:
    """Whether an answer other than success is none of a registry's: it has no code of Confluent's API. ``code``: what
    it names as error_code. One that asks for a login, or passes, may be that of a proxy before a registry; that a
    method is not implemented (501) does not pass."""
    if status in (*_SHUT_OUT, *_PASSING) or (status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED):
        return False
    if status == NOT_FOUND:
        return not isinstance(code, int) or code // 100 != NOT_FOUND
    return not isinstance(code, int) or code < 0


def no_registry(url: str, got: object) -> NoRegistry:
    """What is said of an address at which something else answers."""
    return NoRegistry(
        f"schema registry {url} answers, but is no registry: expected Confluent's API, got {got}. FT_SCHEMA_REGISTRY "
        "is likely wrong: it is the address below which /subjects lies (of an Apicurio Registry 3: …/apis/ccompat/v7)."
    )


def in_a_line(status: int, body: str, content_type: str = "") -> str:
    """An answer as messages tell it: without line breaks, and a page of HTML, whose text helps nobody, as that."""
    if "html" in content_type.lower() or body.lstrip().lower().startswith(_HTML):
        return f"{status}, a page of HTML"
    return f"{status} {' '.join(body.split())[:TOLD_MAX]}".strip()


def remedy_of(status: int | None) -> str:
    """What to look at where it answers with this status; None: it does not answer."""
    if status in _SHUT_OUT:
        return (
            "Is the login right (FT_SCHEMA_REGISTRY_USERNAME and FT_SCHEMA_REGISTRY_PASSWORD, or "
            "FT_SCHEMA_REGISTRY_TOKEN)?"
        )
    return "Is it running (`ft status`), and is FT_SCHEMA_REGISTRY right?"
