"""Identity, which never changes once written: addresses, asset ids, event ids, uuids, partitions."""

import re
from dataclasses import dataclass
from hashlib import sha1
from typing import Final
from uuid import UUID, uuid5
from zlib import crc32

from ft.errors import FtError
from ft.schemas.families import EVM_ZERO, TON_NONE, family_of

NAMESPACE: Final = UUID("d4196ad2-edae-5ba2-9135-602be39edbc4")
"""uuid5 of the DNS namespace and ``ft.supply``."""
_NAMESPACE_BYTES: Final = NAMESPACE.bytes
_VARIANTS: Final = {f"{digit:x}": f"{digit & 3 | 8:x}" for digit in range(16)}

NO_ACCOUNTS: Final = frozenset({EVM_ZERO, "", TON_NONE})
"""Accounts that hold nothing: what leaves them is minted, what goes to them is burned."""

REPEATED: Final = "~"
"""Stands in an event's id between the hash of a transaction and a number, where the hash is live in two blocks."""

_SLUG = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")
_TOKEN_ID = re.compile(r"(0|[1-9][0-9]{0,77})\Z")
_UINT256_END: Final = 2**256


class InvalidId(FtError):
    """A network, address, asset id or token id is not written in any form that ft knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetKey:
    """An asset: TON items have their own address as ``contract`` and the token id ``0``."""

    network: str
    contract: str
    token_id: str

    def __str__(self) -> str:
        return asset_id(self.network, self.contract, self.token_id)


def nobody(network: str) -> str:
    """The account of that network that holds nothing, as its events name it."""
    return family_of(network).nobody


def network_slug(text: str) -> str:
    """Return ``text`` if it is a slug (lower-case letters, digits, dashes). Raises InvalidId."""
    if not _SLUG.match(text):
        raise InvalidId(f"network: expected a slug such as polygon, got {text!r}")
    return text


def address(network: str, text: str) -> str:
    """Canonical form of an account or contract address on ``network``, by its family. Raises InvalidId."""
    family = family_of(network)
    found = family.canonical(text)
    if found is None:
        raise InvalidId(f"address on {network}: expected {family.expected}, got {text!r}")
    return found


def token_id(text: str) -> str:
    """Return ``text`` if it is a decimal uint256. Raises InvalidId."""
    if not _TOKEN_ID.match(text) or int(text) >= _UINT256_END:
        raise InvalidId(f"token id: expected a decimal number below 2^256, got {text!r}")
    return text


def asset_id(network: str, contract: str, token: str) -> str:
    """The natural key: ``<network>:<contract>:<token_id>``, or ``ton:<item address>``."""
    return f"{network}:{contract}:{token}" if family_of(network).has_token_ids else f"{network}:{contract}"


def parse_asset_id(text: str) -> AssetKey:
    """Read a natural key in any usual spelling. Raises InvalidId."""
    network, _, rest = text.partition(":")
    network_slug(network)
    if not family_of(network).has_token_ids:
        return AssetKey(network=network, contract=address(network, rest), token_id="0")
    contract, sep, token = rest.partition(":")
    if not sep:
        raise InvalidId(f"asset id: expected <network>:<contract>:<token_id>, got {text!r}")
    return AssetKey(network=network, contract=address(network, contract), token_id=token_id(token))


def parse_collection_id(text: str) -> tuple[str, str]:
    """Read ``<network>:<contract>``; returns (network, contract). Raises InvalidId."""
    network, sep, contract = text.partition(":")
    if not sep:
        raise InvalidId(f"collection id: expected <network>:<contract>, got {text!r}")
    return network_slug(network), address(network, contract)


def asset_uuid(natural_key: str) -> UUID:
    """uuid5 of the asset's natural key."""
    return uuid5(NAMESPACE, natural_key)


def asset_uuid_text(natural_key: str) -> str:
    """:func:`asset_uuid` as text, in a third of the time: RFC 9562, 5.5."""
    digits = sha1(_NAMESPACE_BYTES + natural_key.encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def source_event_id(network: str, tx_hash: str, contract: str, topic0: str, n: int) -> str:
    """EVM: ``network:tx_hash:contract:topic0:n``; n counts the transaction's logs of that contract and topic0."""
    return f"{network}:{tx_hash}:{contract}:{topic0}:{n}"


def event_id(network: str, tx_hash: str, contract: str, topic0: str, n: int, sub_index: int) -> str:
    """Natural key of a normalized event: ``<source_event_id>/<sub_index>``."""
    return f"{network}:{tx_hash}:{contract}:{topic0}:{n}/{sub_index}"


def transaction_hash(name: str) -> str:
    """A transaction's hash as its chain knows it: without the number that event ids may have behind it."""
    return name.partition(REPEATED)[0]


def event_uuid(natural_key: str) -> UUID:
    """uuid5 of ``<source_event_id>/<sub_index>``."""
    return uuid5(NAMESPACE, natural_key)


def partition_of(route_key: str, partitions: int) -> int:
    """``crc32(route key) % partitions``. EVM route key: ``network:contract``; TON: ``ton:<item address>``."""
    return crc32(route_key.encode()) % partitions


def control_partition(network: str, partitions: int) -> int:
    """The one partition that announces a network's reorgs."""
    return partition_of(network, partitions)
