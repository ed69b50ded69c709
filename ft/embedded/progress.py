"""What `ft up` shows while it works: nothing, plain lines, or bars on a terminal."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Protocol

Count = Callable[[int], None]
_LINE_EVERY_S = 5.0
_WORTH_A_LINE_BYTES = 20 << 20


class Progress(Protocol):
    """Both methods may be called from several threads."""

    def say(self, text: str) -> None:
        """One line about what happens."""

    def download(self, name: str, total_bytes: int) -> AbstractContextManager[Count]:
        """A running download: the returned function is called with the number of bytes of each piece."""


class Quiet:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def download(self, name: str, total_bytes: int) -> Iterator[Count]:
        """Nothing."""
        yield lambda _: None


class Lines:
    """Plain lines; a large download says every few seconds how far it is."""

    def __init__(self, out: IO[str] | None = None) -> None:
        self._out = sys.stderr if out is None else out
        self._writing = threading.Lock()

    def say(self, text: str) -> None:
        with self._writing:
            print(text, file=self._out, flush=True)

    @contextmanager
    def download(self, name: str, total_bytes: int) -> Iterator[Count]:
        received, said_at = 0, time.monotonic()

        def count(piece_bytes: int) -> None:
            nonlocal received, said_at
            received += piece_bytes
            if total_bytes >= _WORTH_A_LINE_BYTES and time.monotonic() - said_at >= _LINE_EVERY_S:
                said_at = time.monotonic()
                self.say(f"  {name}: {received >> 20} of {total_bytes >> 20} MiB")

        yield count


class Bars:
    """A bar a running download, lines above them. Use it as a context manager."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._bars = RichProgress(*columns, console=Console(stderr=True), transient=True)

    def __enter__(self) -> "Bars":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)

    @contextmanager
    def download(self, name: str, total_bytes: int) -> Iterator[Count]:
        task = self._bars.add_task(name, total=total_bytes)
        try:
            yield lambda piece_bytes: self._bars.advance(task, piece_bytes)
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
