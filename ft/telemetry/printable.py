"""Pure: text from elsewhere, shown. A terminal obeys what it is sent; of names, paths and messages that came from
outside, whatever is not printable is written out."""

from collections.abc import Iterable


def printable(text: object) -> str:
    """One line without control characters: each is shown as Python writes it (``\\x1b``)."""
    shown = str(text)
    return shown if shown.isprintable() else "".join(map(_shown, shown))


def printable_lines(text: object) -> str:
    """The same of a text of several lines, which stays one."""
    shown = str(text)
    return shown if shown.isprintable() else "\n".join(map(printable, shown.split("\n")))


def printable_json(text: str) -> str:
    """JSON on one line in which strings hold what they held: what is left of unprintable characters is escaped."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _shown(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in _pairs(units))


def _pairs(units: bytes) -> Iterable[tuple[int, int]]:
    return zip(units[::2], units[1::2], strict=True)
