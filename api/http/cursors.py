"""Opaque, stateless, versioned keyset cursors, bound to the filters that they were made with."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from msgspec import DecodeError, Meta, Struct, ValidationError, convert, json

from ft.api.http.problems import FieldError, Problem

K = TypeVar("K")
_VERSION: Final = 1
_LENGTH_MAX: Final = 1_000
END: Final = 2**63 - 1
"""Behind every number that a key may have."""
Bigint = Annotated[int, Meta(ge=-1, le=END)]
PlainText = Annotated[str, Meta(pattern=r"^[\x21-\x7e]*\Z", max_length=256)]
TokenText = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,77})\Z")]


class AccountKey(NamedTuple):
    """Behind one account of a list of accounts."""

    account: PlainText


class TokenKey(NamedTuple):
    """Behind one asset of a collection."""

    token_id: TokenText


class NetworkKey(NamedTuple):
    """Behind one network of a list of networks."""

    network: PlainText


class _Cursor(Struct, frozen=True, array_like=False):
    v: int
    f: str
    k: list[Any]


def digest(*filters: object) -> str:
    """What a page was asked for, but for its limit and its cursor."""
    return blake2b(json.encode([None if each is None else str(each) for each in filters]), digest_size=8).hexdigest()


def encode(filters: str, key: tuple[Any, ...]) -> str:
    """The cursor of the page behind ``key``."""
    raw = json.encode(_Cursor(v=_VERSION, f=filters, k=list(key)))
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str, filters: str, kind: type[K]) -> K:
    """The key in ``text``, a tuple of type ``kind``. Raises Problem 400: invalid_cursor, cursor_filter_mismatch."""
    try:
        if len(text) > _LENGTH_MAX or not text.isascii():
            raise _invalid()
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        cursor = json.decode(raw, type=_Cursor)
        if cursor.v != _VERSION:
            raise _invalid()
        if cursor.f != filters:
            raise _refused("cursor_filter_mismatch", "the cursor belongs to a page with other filters")
        return convert(cursor.k, type=kind, strict=True)
    except (binascii.Error, DecodeError, ValidationError, UnicodeDecodeError, ValueError) as exc:
        raise _invalid() from exc


def _invalid() -> Problem:
    return _refused("invalid_cursor", "expected a cursor as a page's next_cursor gave it")


def _refused(code: str, detail: str) -> Problem:
    return Problem(400, code, detail, errors=(FieldError(field="cursor", code=code, message=detail),))
