"""How fast the machine is while a run is at work: a fixed piece of work, done again and again beside it.

Shared machines change their pace by a third from minute to minute. CPU time alone then says more of the neighbours than
of the build; divided by what the same loop took meanwhile, two builds can be compared.
"""

import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean
from typing import Final

_PAUSE_S: Final = 0.2
_ENDS_S: Final = 10.0
_STEPS: Final = 12_000
_WORDS: Final = {number: str(number) for number in range(2_000)}
_NUMBERS: Final = list(range(200_000))


@dataclass
class Pace:
    """``loop_ms``: CPU milliseconds that the loop took, in the mean; 0 before the run's end."""

    loop_ms: float = 0.0


@contextmanager
def paced() -> Iterator[Pace]:
    """The pace of what runs inside, in a process of its own that takes a hundredth of a core; known afterwards."""
    pace = Pace()
    command = [sys.executable, "-m", "tests.bench.pace"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as loop:
        try:
            yield pace
        except BaseException:
            loop.kill()
            raise
        out, _ = loop.communicate(b"\n", timeout=_ENDS_S)  # the end of its input ends it
    pace.loop_ms = float(out)


def _loop() -> float:
    """CPU seconds of one."""
    began = time.thread_time()
    total = sum(len(_WORDS[step % len(_WORDS)]) for step in range(_STEPS)) + sum(_NUMBERS[::7])
    assert total > 0
    return time.thread_time() - began


def main() -> None:
    """Loop until there is something to read, then say what a loop took, in milliseconds."""
    took = [_loop()]
    while not select.select([sys.stdin], [], [], _PAUSE_S)[0]:
        took.append(_loop())
    print(fmean(took) * 1e3)


if __name__ == "__main__":
    main()
