"""``python -m tests.wheels FILE``: which locked packages have no wheel, on which platform and Python.

FILE is a lock in the form of pylock.toml, which names every wheel; `make lock` resolves it and keeps what this prints
in requirements-built.txt, and `make setup` tells beforehand what of it concerns this machine.
"""

import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

PYTHONS: Final = (11, 12, 13, 14)
_GLIBC: Final = 28
"""2.28: Debian 10, RHEL 8 and whatever is newer."""
_MACOS: Final = (14, 0)

NOTES: Final[Mapping[str, str]] = {
    "faust-streaming": "with a C compiler and Python's headers its C parts are compiled; else it runs as pure Python",
}
_NEEDS: Final = "needs a C compiler and Python's headers"
_HEAD: Final = """\
# Locked packages without a wheel: pip builds them. Platform, Python, package, what that takes. Written by `make lock`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Where ft is installed; ``name`` is what `uname -sm` says there, with a dash."""

    name: str
    wheels: tuple[str, ...]
    """Platform tags that it takes."""
    markers: Mapping[str, str]

    def tags(self, minor: int) -> set[Tag]:
        """What a wheel may be of, under Python 3.``minor``."""
        version = (3, minor)
        return {
            *cpython_tags(version, platforms=self.wheels),
            *compatible_tags(version, f"cp3{minor}", self.wheels),
        }

    def environment(self, minor: int) -> dict[str, str]:
        """What markers are asked of."""
        python = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.0"}
        return {"implementation_name": "cpython", "os_name": "posix", **self.markers, **python}


def _linux(machine: str) -> Platform:
    wheels = (*(f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC, 4, -1)), f"manylinux2014_{machine}")
    markers = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": machine}
    return Platform(name=f"Linux-{machine}", wheels=wheels, markers=markers)


_DARWIN: Final = {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"}
PLATFORMS: Final = (
    _linux("x86_64"),
    _linux("aarch64"),
    Platform(name="Darwin-arm64", wheels=tuple(mac_platforms(_MACOS, "arm64")), markers=_DARWIN),
)


def lacking(packages: Sequence[Mapping[str, Any]], platform: Platform, minor: int) -> list[str]:
    """Names of those that are installed there and have no wheel for it."""
    environment, tags = platform.environment(minor), platform.tags(minor)
    wanted = [each for each in packages if "marker" not in each or Marker(each["marker"]).evaluate(environment)]
    return [
        str(each["name"])
        for each in wanted
        if not any(parse_wheel_filename(wheel)[3] & tags for wheel in _wheels(each))
    ]


def lines(packages: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """One a platform, Python and package."""
    for platform in PLATFORMS:
        for minor in PYTHONS:
            for name in lacking(packages, platform, minor):
                yield f"{platform.name} 3.{minor} {name} {NOTES.get(name, _NEEDS)}"


def _wheels(package: Mapping[str, Any]) -> Iterable[str]:
    for wheel in package.get("wheels", ()):
        yield wheel.get("name") or wheel["url"].rpartition("/")[2]


def main(file: str) -> None:
    """Print the lines; on stderr too, for whoever made the lock."""
    packages = tomllib.loads(Path(file).read_text())["packages"]
    found = list(lines(packages))
    print(_HEAD + "".join(f"{line}\n" for line in found), end="")
    print("every locked package has a wheel" if not found else "no wheel:", *found, sep="\n  ", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
