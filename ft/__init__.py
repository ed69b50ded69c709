"""ft: who owns an NFT, since when, and how sure it is. ``faust -A ft worker`` finds ``ft.app`` here."""

from ft.early import listen

listen()

from typing import TYPE_CHECKING, Any  # noqa: E402

if TYPE_CHECKING:
    from ft.agents.pipeline import app as app

__all__ = ["app"]


def __getattr__(name: str) -> Any:
    # Lazy: importing ft.api or ft.schemas must not start Faust.
    if name == "app":
        try:
            from ft.agents.pipeline import app
        except KeyboardInterrupt:
            raise SystemExit(130) from None  # amid seconds of imports

        return app
    raise AttributeError(f"module 'ft' has no attribute {name!r}")
