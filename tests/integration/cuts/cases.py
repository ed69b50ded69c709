"""One hop's story again and again, its connection cut at another place each time: every one ends in the same state."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.integration.crash.dying import World
from tests.integration.crash.life import Life, living
from tests.integration.cuts.postgres import Cut, Wire

FENCE = "SELECT epoch, next_offset, next_seq, owner"
"""How a writer asks what became of a commit."""


async def told(world: World, folder: Path) -> Any:
    """The story, once: the state that it ends in."""
    world.begin()
    life = Life(folder)
    with world.troubles(), living(lambda: life):
        assert await life.run(lambda: world.live(life))
        assert life.failures == []
        return world.state()


async def cut_at_each(world: World, wire: Wire, cuts: Iterable[Cut], folder: Path) -> None:
    """The story with each cut; none may be missed, and none may change anything."""
    expected = await told(world, folder / "uncut")
    for number, cut in enumerate(cuts):
        wire.said.clear()
        wire.cut = cut
        found = await told(world, folder / str(number))
        assert cut.done, f"{cut}: it never came"
        differing = {key: (expected[key], found.get(key)) for key in expected if found.get(key) != expected[key]}
        assert not differing, f"{cut}: {str(differing)[:3000]}"
        if cut.at == "COMMIT" and cut.application in ("ft normalize", "ft ledger", "ft project"):
            said = [text for text in wire.first_words_after_the_cut() if text not in ("", "BEGIN")]
            assert FENCE in said[0], f"{cut}: expected the fence to be asked first, got {said[0]}"
