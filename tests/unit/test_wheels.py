"""Which packages have no wheel somewhere, and that `make setup` says so before it builds them."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import wheels
from tests.unit.pages import CHECKOUT

LINUX, ARM, MAC = wheels.PLATFORMS


def package(*tags: str, marker: str = "") -> dict[str, Any]:
    files = [{"url": f"https://index.example/ab/thing-1.0-{tag}.whl"} for tag in tags]
    return {"name": "thing", "version": "1.0", "wheels": files, **({"marker": marker} if marker else {})}


@pytest.mark.parametrize(
    ("platform", "minor", "tag"),
    [
        (LINUX, 11, "py3-none-any"),
        (LINUX, 13, "cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64"),
        (ARM, 14, "cp37-abi3-manylinux_2_28_aarch64"),
        (MAC, 12, "cp312-cp312-macosx_11_0_arm64"),
        (MAC, 12, "cp312-cp312-macosx_10_13_universal2"),
    ],
)
def test_a_wheel_that_fits_is_found(platform: wheels.Platform, minor: int, tag: str) -> None:
    assert wheels.lacking([package("cp39-cp39-win32", tag)], platform, minor) == []


@pytest.mark.parametrize(
    ("platform", "minor", "tag"),
    [
        (LINUX, 12, "cp311-cp311-manylinux_2_17_x86_64"),
        (LINUX, 12, "cp312-cp312-manylinux_2_34_x86_64"),
        (LINUX, 12, "cp312-cp312-musllinux_1_2_x86_64"),
        (LINUX, 13, "cp313-cp313t-manylinux_2_17_x86_64"),
        (ARM, 12, "cp312-cp312-manylinux_2_17_x86_64"),
        (MAC, 12, "cp312-cp312-macosx_10_13_x86_64"),
        (MAC, 12, "cp312-cp312-macosx_15_0_arm64"),
    ],
)
def test_a_wheel_of_another_place_is_none(platform: wheels.Platform, minor: int, tag: str) -> None:
    assert wheels.lacking([package(tag)], platform, minor) == ["thing"]


def test_a_package_that_is_not_installed_somewhere_lacks_nothing_there() -> None:
    only_mac = package(marker="sys_platform == 'darwin'")

    assert [wheels.lacking([only_mac], platform, 12) for platform in wheels.PLATFORMS] == [[], [], ["thing"]]


def test_what_lacks_is_told_with_what_it_takes() -> None:
    told = list(wheels.lines([package("cp311-abi3-manylinux_2_17_x86_64", "cp311-abi3-macosx_11_0_arm64")]))

    assert told == [
        f"Linux-aarch64 3.{minor} thing needs a C compiler and Python's headers" for minor in wheels.PYTHONS
    ]


def test_what_is_kept_is_of_the_lock() -> None:
    kept = [line.split(" ")[2] for line in (CHECKOUT / "requirements-built.txt").read_text().splitlines()[1:]]
    locked = re.findall(r"^([a-z0-9-]+)==", (CHECKOUT / "requirements.lock").read_text(), re.MULTILINE)

    assert set(kept) <= set(locked)


@pytest.mark.parametrize(("machine", "says"), [("aarch64", True), ("x86_64", False)])
def test_setup_says_beforehand_what_is_built(tmp_path: Path, machine: str, says: bool) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, tmp_path)
    (tmp_path / "requirements-built.txt").write_text("# head\nLinux-aarch64 3.12 thing needs a C compiler\n")
    commands = {
        "uname": f'[ "$1" = -s ] && echo Linux || echo {machine}',
        "python": '[ "$1" = -c ] && echo 3.12 || echo pip',
    }
    for folder, name in ((tmp_path / "bin", "uname"), (tmp_path / ".venv" / "bin", "python")):
        folder.mkdir(parents=True)
        (folder / name).write_text(f"#!/bin/sh\n{commands[name]}\n")
        (folder / name).chmod(0o755)

    done = subprocess.run(
        ["make", "setup", "PYTHON=python3"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    lines = done.stdout.splitlines()
    told = "thing has no wheel for Linux-aarch64 3.12, pip builds it: needs a C compiler"
    assert (told in lines) is says
    assert "installing the locked packages" in lines
    assert not says or lines.index(told) < lines.index("installing the locked packages")
