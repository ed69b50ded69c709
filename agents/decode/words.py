"""raw -> normalized, one log's words: fixed-layout events are sliced, dynamic arrays are bounds-checked.

Nothing here makes work in proportion to a number that the data merely states.
"""

from binascii import unhexlify
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ft.agents.decode.model import Log, show

Movement = tuple[str, str, str, str | None, str]
"""What moved: token id (decimal), from, to, operator or None, quantity (decimal). A tuple: built for each event."""

_PAD = bytes(12)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The log carries an NFT topic but not that event's layout; ``reason`` says what was expected and what came."""

    reason: str


class Ignored(Enum):
    """The log is no NFT movement at all."""

    IGNORED = 0


IGNORED = Ignored.IGNORED

Outcome = Sequence[Movement] | Mismatch | Ignored
"""What a decoder makes of one log; an empty sequence is a well-formed log that moved nothing."""


class LayoutError(ValueError):
    """A log's words are not what its event says; every decoder turns it into a Mismatch."""


def indexed_words(log: Log, count: int) -> bytes:
    """The ``count`` indexed words after topic0, 32 bytes each. Raises LayoutError."""
    topics = log.topics
    if len(topics) != count + 1:
        raise LayoutError(f"expected {count + 1} topics, got {len(topics)}")
    text = ""
    for topic in topics[1:]:
        if len(topic) != 66 or topic[:2] not in ("0x", "0X"):
            raise LayoutError(f"expected a topic of 32 bytes, got {show(topic)}")
        text += topic[2:]
    try:
        return unhexlify(text)
    except ValueError as exc:
        raise LayoutError(f"expected topics in hex: {exc}") from exc


def data_bytes(log: Log) -> bytes:
    """The log's data; null, nothing and 0x are empty. Raises LayoutError."""
    text = log.data
    if not text or text == "0x":
        return b""
    if text[:2] not in ("0x", "0X"):
        raise LayoutError(f"expected data that starts with 0x, got {show(text)}")
    try:
        return unhexlify(text[2:])
    except ValueError as exc:
        raise LayoutError(f"expected data in hex: {exc}") from exc


def data_words(log: Log, count: int) -> bytes:
    """The data of an event whose ``count`` unindexed arguments are all one word. Raises LayoutError."""
    data = data_bytes(log)
    if len(data) != 32 * count:
        raise LayoutError(f"expected {32 * count} bytes of data, got {len(data)}")
    return data


def account(words: bytes, position: int) -> str:
    """The address in word ``position``, lower-case hex. Raises LayoutError if its upper 12 bytes are not zero."""
    start = 32 * position
    if words[start : start + 12] != _PAD:
        word = words[start : start + 32].hex()
        raise LayoutError(f"expected an address (12 zero bytes first) in word {position}, got 0x{word}")
    return "0x" + words[start + 12 : start + 32].hex()


def number(words: bytes, position: int) -> int:
    """The uint256 in word ``position``."""
    return int.from_bytes(words[32 * position : 32 * position + 32], "big")


def uint_array(data: bytes, position: int, name: str, count_max: int) -> list[int]:
    """The uint256[] whose ABI offset stands in word ``position``: any offset inside the data, at most ``count_max``.

    Raises LayoutError.
    """
    size = len(data)
    if size < 32 * position + 32:
        raise LayoutError(f"expected an offset of {name} in word {position}, got {size} bytes of data")
    start = number(data, position) + 32
    if start > size:
        raise LayoutError(f"expected {name} inside {size} bytes of data, got the offset {start - 32:#x}")
    count = int.from_bytes(data[start - 32 : start], "big")
    if count > (size - start) // 32:
        raise LayoutError(f"expected {name} inside {size} bytes of data, got a stated length of {count:#x}")
    if count > count_max:
        raise LayoutError(f"expected at most {count_max} {name} more in batches of this block, got {count}")
    return [int.from_bytes(data[at : at + 32], "big") for at in range(start, start + 32 * count, 32)]
