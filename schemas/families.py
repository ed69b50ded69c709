"""Network families: how each writes its addresses, and what follows from that for ids. Pure.

A family has its entry here, its source in ``ft.streams.sources.families`` and its decoder in
``ft.agents.decode.families``; nothing else asks which family a network is of.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tonsdk.utils import Address as TonAddress
from tonsdk.utils import InvalidAddressError

EVM_ZERO: Final = "0x" + "0" * 40
TON_NONE: Final = "addr_none"
_EVM: Final = re.compile(r"0[xX][0-9a-fA-F]{40}\Z")
_BASE58: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}\Z")
_EVM_LENGTH: Final = len(EVM_ZERO)
_HEX: Final = b"0123456789abcdef"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family of networks."""

    name: str
    """As ``family`` of a network says it."""
    nobody: str
    """The account that holds nothing, as its events name it."""
    expected: str
    """How its addresses are written, for messages."""
    canonical: Callable[[str], str | None]
    """The one form of an address that ft keeps; None: it is no address of this family."""
    begins: str
    """What an address begins with that no other family's does; empty: nothing."""
    are_canonical: Callable[[Sequence[str]], bool] | None = None
    """Whether all of a column are in that form, quickly; None: it is not looked at where the ledger applies."""
    has_token_ids: bool = True
    """False: every item is a contract of its own, and its token id is 0."""


def _evm(text: str) -> str | None:
    return text.lower() if _EVM.match(text) else None


def _are_evm(column: Sequence[str]) -> bool:
    """All of a column of texts, whatever their number."""
    text = "".join(column)
    if not text.isascii() or set(map(len, column)) - {_EVM_LENGTH}:
        return False
    joined = text.encode()
    return (
        joined[::_EVM_LENGTH] == b"0" * len(column)
        and joined[1::_EVM_LENGTH] == b"x" * len(column)
        and joined.translate(None, _HEX) == b"x" * len(column)
    )


def _ton(text: str) -> str | None:
    """Raw ``wc:hex`` in lower case, from raw, bounceable or url-safe forms."""
    if text == TON_NONE:
        return text
    try:
        parsed = TonAddress(text)
    except (InvalidAddressError, ValueError, TypeError, IndexError):
        return None
    return str(parsed.to_string(is_user_friendly=False)).lower()


def _solana(text: str) -> str | None:
    """Unchanged: base58 is case-sensitive."""
    return text if _BASE58.match(text) else None


FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {
        family.name: family
        for family in (
            Family(
                name="evm", nobody=EVM_ZERO, expected="0x and 40 hex digits", canonical=_evm, begins="0x",
                are_canonical=_are_evm,
            ),
            Family(
                name="ton", nobody=TON_NONE, expected="wc:hex or the 48-character form", canonical=_ton, begins="",
                has_token_ids=False,
            ),
            Family(name="solana", nobody="", expected="base58", canonical=_solana, begins=""),
        )
    }
)  # fmt: skip


def family_of(network: str) -> Family:
    """The family of a network, by its slug: what is called ton or solana is of that, everything else is EVM's."""
    return FAMILIES.get(network.split("-", 1)[0], FAMILIES["evm"])


def family_of_account(account: str) -> Family | None:
    """The family of an address that names no network, in any spelling; None: of none."""
    for family in FAMILIES.values():
        if family.begins and account[: len(family.begins)].lower() == family.begins:
            return family
    return next((family for family in FAMILIES.values() if family.canonical(account) is not None), None)
