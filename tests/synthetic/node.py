"""A node of the synthetic chain, as a process: ``python -m tests.synthetic.node FILE --port N --over-s S``.

It shows the first step at once; SIGUSR1 has it walk through the others, evenly over ``S`` seconds. SIGTERM ends it.
"""

import asyncio
import gzip
import signal
from pathlib import Path

import click
import msgspec

from ft.demo.node import ReplayNode
from ft.demo.recording import Recording


def write(recording: Recording, path: Path) -> None:
    """As a file for the process: quick to write rather than small."""
    path.write_bytes(gzip.compress(msgspec.json.encode(recording), compresslevel=1))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--port", type=int, required=True)
@click.option("--over-s", type=float, required=True)
def serve(file: Path, port: int, over_s: float) -> None:
    """Serve the recording until SIGTERM."""
    recording = msgspec.json.decode(gzip.decompress(file.read_bytes()), type=Recording)
    asyncio.run(_serve(recording, port, over_s / max(1, len(recording.steps) - 1)))


async def _serve(recording: Recording, port: int, pace_s: float) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, begun.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with ReplayNode(recording, port=port) as node:
        walk = asyncio.create_task(_walk(node, begun, pace_s))
        await ended.wait()
        walk.cancel()


async def _walk(node: ReplayNode, begun: asyncio.Event, pace_s: float) -> None:
    """By the clock, so that slow answers do not stretch it."""
    await begun.wait()
    loop = asyncio.get_running_loop()
    due = loop.time()
    while node.advance():
        due += pace_s
        await asyncio.sleep(max(0.0, due - loop.time()))


if __name__ == "__main__":
    serve()
