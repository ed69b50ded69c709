"""The URL of a node, which no message shows: a key is often part of it."""

from collections.abc import Mapping
from typing import Final

from ft.environment import PORT_MAX, names_a_host
from ft.errors import ConfigError

PREFIX: Final = "FT_RPC_"
"""What the environment variables begin with that name a network's nodes."""
_SCHEMES: Final = ("http://", "https://", "ws://", "wss://")


def node_url(url: str, where: str) -> str:
    """The URL. Raises ConfigError, which does not show it (keys are in it), where it is none of a node."""
    if not url.startswith(_SCHEMES) or any(character.isspace() for character in url):
        raise ConfigError(
            f"{where}: expected a URL that begins with {', '.join(_SCHEMES)} and has no blanks, "
            f"got {len(url)} characters that are none"
        )
    if not names_a_host(url):
        raise ConfigError(
            f"{where}: expected a URL with a host, and a port of at most {PORT_MAX} or none, got {len(url)} characters "
            "in which they cannot be read"
        )
    return url


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Variable -> its text, of all that name nodes. Raises ConfigError."""
    found = {name: text.strip() for name, text in environ.items() if name.startswith(PREFIX) and text.strip()}
    for name, text in found.items():
        split(text, name)
    return found


def split(text: str, where: str) -> tuple[str, ...]:
    """URLs with commas or blanks between them. Raises ConfigError."""
    return tuple(node_url(url, where) for url in text.replace(",", " ").split())
