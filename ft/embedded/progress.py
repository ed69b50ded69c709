"""What `ft up`, `ft down` and `ft demo` show while they work: nothing, plain lines, or bars on a terminal."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Final, Protocol

Count = Callable[[int], None]
Now = Callable[[str], None]
SILENCE_S: Final = 2.0
"""Nothing is said for longer while something is being done."""
_WORTH_A_LINE_BYTES = 20 << 20


class Progress(Protocol):
    """All methods may be called from several threads."""

    def say(self, text: str) -> None:
        """One line about what happens."""

    def doing(self, what: str) -> AbstractContextManager[Now]:
        """Something that may take long: shown while it does. The returned function changes the words."""

    def download(self, name: str, total_bytes: int) -> AbstractContextManager[Count]:
        """A running download: the returned function is called with the number of bytes of each piece."""


class Quiet:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def doing(self, what: str) -> Iterator[Now]:
        """Nothing."""
        yield lambda _: None

    @contextmanager
    def download(self, name: str, total_bytes: int) -> Iterator[Count]:
        """Nothing."""
        yield lambda _: None


class Lines:
    """Plain lines; after two seconds without one, what is being done and for how long."""

    def __init__(self, out: IO[str] | None = None) -> None:
        self._out = sys.stderr if out is None else out
        self._writing = threading.Lock()
        self._said_at = time.monotonic()
        self._doing: dict[object, tuple[str, float]] = {}

    def say(self, text: str) -> None:
        with self._writing:
            self._print(text)

    @contextmanager
    def doing(self, what: str) -> Iterator[Now]:
        key, began, over = object(), time.monotonic(), threading.Event()

        def now(words: str) -> None:
            with self._writing:
                self._doing[key] = (words, began)

        now(what)
        teller = threading.Thread(target=self._tell, args=(over,), daemon=True)
        teller.start()
        try:
            yield now
        finally:
            with self._writing:
                del self._doing[key]
            over.set()
            teller.join()

    @contextmanager
    def download(self, name: str, total_bytes: int) -> Iterator[Count]:
        received, said_at = 0, time.monotonic()

        def count(piece_bytes: int) -> None:
            nonlocal received, said_at
            received += piece_bytes
            if total_bytes >= _WORTH_A_LINE_BYTES and time.monotonic() - said_at >= SILENCE_S:
                said_at = time.monotonic()
                self.say(f"  {name}: {received >> 20} of {total_bytes >> 20} MiB")

        with self.doing(name):
            yield count

    def _tell(self, over: threading.Event) -> None:
        while not over.wait(max(0.01, self._said_at + SILENCE_S - time.monotonic())):
            with self._writing:
                now = time.monotonic()
                if self._doing and now - self._said_at >= SILENCE_S:
                    self._print(
                        "  " + ", ".join(f"{what}: {now - began:.0f} s" for what, began in self._doing.values())
                    )

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)
        self._said_at = time.monotonic()


class Bars:
    """A bar for whatever is running, lines above them. Use it as a context manager."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        words, of = TextColumn("  {task.description}", markup=False), TextColumn("{task.fields[of]}")
        columns = (words, BarColumn(bar_width=20), of, TimeElapsedColumn())
        console = Console(stderr=True)
        self._bars = RichProgress(*columns, console=console, transient=True, redirect_stdout=False)

    def __enter__(self) -> "Bars":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)

    @contextmanager
    def doing(self, what: str) -> Iterator[Now]:
        task = self._bars.add_task(what, total=None, of="")
        try:
            yield lambda words: self._bars.update(task, description=words)
        finally:
            self._bars.remove_task(task)

    @contextmanager
    def download(self, name: str, total_bytes: int) -> Iterator[Count]:
        task, received = self._bars.add_task(name, total=total_bytes, of=""), 0

        def count(piece_bytes: int) -> None:
            nonlocal received
            received += piece_bytes
            of = f"{received >> 20} of {total_bytes >> 20} MiB"
            self._bars.update(task, completed=received, of=of)

        try:
            yield count
        finally:
            self._bars.remove_task(task)


@contextmanager
def shown() -> Iterator[Progress]:
    """Bars on a terminal, else plain lines; on stderr either way."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    with Bars() as bars:
        yield bars
