"""Pure: from which level on a component's lines are written."""

from collections.abc import Mapping
from typing import Final

NUMBERS: Final[Mapping[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# Libraries that tell of their every step. A default of debug, or their own level, lets them speak.
_QUIET: Final = ("aiohttp.access", "aiokafka", "asyncio", "faust", "httpcore", "httpx", "httpx2", "mode", "psycopg")


class Levels:
    """``info,aiokafka=debug``: the default, and the levels of components and of all that is below them by name."""

    def __init__(self, text: str) -> None:
        first, *rest = text.split(",")
        self.default = NUMBERS[first]
        self.named: dict[str, int] = {}
        if self.default > NUMBERS["debug"]:
            self.named = dict.fromkeys(_QUIET, max(self.default, NUMBERS["warning"]))
        self.named |= {name: NUMBERS[level] for name, _, level in (each.partition("=") for each in rest)}
        self._known: dict[str, int] = {}

    def of(self, component: str) -> int:
        """The lowest level, as a number, that the component's lines need."""
        found = self._known.get(component)
        if found is None:
            found = self._known[component] = self._look_up(component)
        return found

    def _look_up(self, component: str) -> int:
        name = component
        while name:
            if name in self.named:
                return self.named[name]
            name = name.rpartition(".")[0]
        return self.default
