"""`python -m tests.mutations [name ...]`: each mutation in a copy of the tree, and the tests that must see it.

1. without any mutation the tests named are green
2. with each of them, one of its tests turns red
Exit code 0 if that is so. Servers are those that the environment names, else embedded ones, started once.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from ft import embedded
from ft.cli.ending import at_once
from ft.config import ADDRESSES, SERVERS, Config
from tests.deployments import download_cache
from tests.mutations.all import MUTATIONS
from tests.mutations.mutation import CHECKOUT, Mutation

RUN_S: Final = 900.0
"""The tests of one mutation, at most."""
WHOLE_S: Final = 5400.0
"""Those of all of them, one after another, at most."""


class Copy:
    """The tree, elsewhere: what git knows or would take, as it is on the disk now."""

    def __init__(self, root: Path, addresses: Mapping[str, str]) -> None:
        self.root = root
        self._env = {**os.environ, **addresses, "PYTHONPATH": str(root), "FT_CACHE": str(download_cache())}
        self._env.setdefault("FT_FIXTURES", str(CHECKOUT.parent / "shared" / "fixtures"))
        self._written_s = int(time.time())
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=CHECKOUT, check=True, capture_output=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.decode().split("\0")):
            source, target = CHECKOUT / name, root / name
            if source.is_symlink() or source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)

    def pytest(self, tests: Sequence[str], *, stop: bool) -> tuple[int, str]:
        """Exit code and output. ``stop``: at the first failure, as one mutation's tests are run."""
        patience_s = RUN_S if stop else WHOLE_S
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=line"]
        try:
            done = subprocess.run(
                [*command, *(["-x"] if stop else []), *tests],
                cwd=self.root, env=self._env, capture_output=True, text=True, timeout=patience_s,
            )  # fmt: skip
        except subprocess.TimeoutExpired as exc:
            return -1, f"no end within {patience_s:.0f} s: {(exc.stdout or b'')[-500:]!r}"
        return done.returncode, done.stdout + done.stderr

    @contextmanager
    def with_error(self, mutation: Mutation) -> Iterator[None]:
        """The mutation is in the copy."""
        path = self.root / mutation.path
        text = path.read_text()
        self._write(path, mutation.mutated(text))
        try:
            yield
        finally:
            self._write(path, text)

    def _write(self, path: Path, text: str) -> None:
        """Each time a second later: Python sees by the second whether a file is newer than its compiled form."""
        path.write_text(text)
        self._written_s += 1
        os.utime(path, (self._written_s, self._written_s))


def main(names: Sequence[str]) -> int:
    chosen = [mutation for mutation in MUTATIONS if not names or mutation.name in names]
    if unknown := set(names) - {mutation.name for mutation in MUTATIONS}:
        print(f"expected names of mutations, got {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="ft-mutations-") as folder, _servers(Path(folder) / "home") as addresses:
        copy = Copy(Path(folder) / "tree", addresses)
        sound = _is_green(copy, sorted({test for mutation in chosen for test in mutation.tests}))
        missed = [mutation.name for mutation in chosen if not _is_caught(copy, mutation)]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} mutations caught" + ("; not: " if missed else ""), *missed)
    return 0 if sound and not missed else 1


def _is_green(copy: Copy, tests: Sequence[str]) -> bool:
    began = time.monotonic()
    code, output = copy.pytest(tests, stop=False)
    print(f"{'no mutation':48} {'green' if code == 0 else 'RED'}  {time.monotonic() - began:5.0f} s", flush=True)
    if code != 0:
        print(output[-3000:], file=sys.stderr)
    return code == 0


def _is_caught(copy: Copy, mutation: Mutation) -> bool:
    began = time.monotonic()
    with copy.with_error(mutation):
        code, output = copy.pytest(mutation.tests, stop=True)
    found = re.search(r"^FAILED (.+?)(?: - |$)", output, re.MULTILINE)
    caught = code == 1 and found is not None
    by = found.group(1) if found and caught else f"NOTHING (pytest: {code})"
    print(f"{mutation.name:48} {by}  {time.monotonic() - began:5.0f} s", flush=True)
    if not caught and code != 0:
        print(output[-2000:], file=sys.stderr)
    return caught


@contextmanager
def _servers(home: Path) -> Iterator[Mapping[str, str]]:
    named = {name: os.environ[name] for name in SERVERS if os.environ.get(name)}
    if all(name in named for name in ADDRESSES):
        yield named
        return
    config = replace(Config.from_env({**named, "FT_HOME": str(home)}), cache=download_cache())
    try:
        yield embedded.start(config).addresses
    finally:
        embedded.remove(config)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="of mutations; default all")
    try:
        sys.exit(main(parser.parse_args().names))
    except KeyboardInterrupt:  # the copy and the servers are gone by now
        at_once()
