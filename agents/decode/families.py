"""raw -> normalized, one raw block read by its network's family. Pure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ft.agents.decode.events import DecodedBlock
from ft.agents.decode.evm import decode_block
from ft.agents.decode.legacy import NOTHING_LISTED, Listed
from ft.errors import ConfigError, MalformedRecord
from ft.schemas.events import RawBlock
from ft.schemas.times import in_range

_EVM_PARTS: Final = ("block", "receipts", "logs", "state_sync", "outside")
"""What is read; parts by other names are for others."""


def _evm(record: RawBlock, listed: Listed) -> DecodedBlock:
    read = [part for part in record.parts if part.name in _EVM_PARTS]
    parts = {part.name: part.bytes for part in read}
    if odd := [part.encoding for part in read if part.encoding != "json"]:
        raise MalformedRecord(f"parts: expected json, got {odd[0][:80]!r}")
    if len(read) != len(parts) or "block" not in parts or ("receipts" in parts) == ("logs" in parts):
        got = ", ".join(part.name for part in read) or "none of them"
        raise MalformedRecord(f"parts: expected block and either receipts or logs, each once, got {got[:200]}")
    return decode_block(
        record.network,
        parts["block"],
        receipts=parts.get("receipts"),
        logs=parts.get("logs"),
        state_sync=parts.get("state_sync"),
        outside=parts.get("outside"),
        listed=listed,
    )


FAMILIES: Final[Mapping[str, Callable[[RawBlock, Listed], DecodedBlock]]] = MappingProxyType({"evm": _evm})
"""Family -> its decoder."""


def decoder(network: str, family: str) -> Callable[[RawBlock, Listed], DecodedBlock]:
    """The decoder of a network. Raises ConfigError for a family that has none."""
    found = FAMILIES.get(family)
    if found is None:
        raise ConfigError(f"network {network}: family: expected one of {', '.join(FAMILIES)}, got {family!r}")
    return found


def decode(record: RawBlock, family: str, listed: Listed = NOTHING_LISTED) -> DecodedBlock:
    """Read the block that an append carries. ``listed``: the network's contracts that are older than the standards.

    Raises MalformedRecord if it is not the block that the envelope names, or has events at a time that the journal has
    no month for; a block without events may have any (block 0 has none).
    """
    decoded = decoder(record.network, family)(record, listed)
    found = (decoded.number, decoded.hash, decoded.parent_hash, decoded.time)
    stated = (record.height, record.hash, record.parent_hash, record.time)
    if found != stated:
        raise MalformedRecord(f"block: expected number, hash, parent and time {stated} of the envelope, got {found}")
    if not in_range(decoded.time) and (len(decoded.events) or decoded.quarantined):
        raise MalformedRecord(f"block time: expected 2009 to 2099 of a block with events, got {decoded.time}")
    return decoded
