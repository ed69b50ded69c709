"""How the servers of a home are, without touching them."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from ft.config import Config
from ft.embedded.lifecycle import Fleet, known_ports
from ft.embedded.places import Places
from ft.embedded.ports import answers
from ft.embedded.progress import Quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """One server. ``state``: running | starting (lives, does not answer) | stopped | external (not ours)."""

    name: str
    state: str
    address: str
    """Without the password; empty where none is known."""
    pid: int | None
    version: str
    data: Path | None
    """Where its data stand, which `ft down --delete-data` deletes; None: not ours, or none yet."""
    memory_bytes: int | None
    """Resident memory of the process and its children."""
    log: Path | None


def describe(config: Config) -> list[ServerStatus]:
    """The three servers in the order kafka, postgres, registry."""
    places = Places.of(config)
    ports = known_ports(places)
    fleet = Fleet.of(config, ports, Quiet())
    found = []
    for server in fleet.servers:
        if server.setting in fleet.external:
            found.append(_external(server.name, config.addresses[server.setting]))
            continue
        process = server.process()
        up = process is not None and answers(ports[server.name])
        found.append(
            ServerStatus(
                name=server.name,
                state="stopped" if process is None else "running" if up else "starting",
                address="" if process is None else without_password(server.address),
                pid=None if process is None else process.pid,
                version=server.version,
                data=_data(places, server.name),
                memory_bytes=None if process is None else _memory(process),
                log=server.log,
            )
        )
    return found


def _data(places: Places, name: str) -> Path | None:
    """Followed to where it is: as root, Postgres' stand outside of the home."""
    folder = places.data(name)
    return folder.resolve() if folder.exists() else None


def without_password(address: str) -> str:
    """The address as it may be shown."""
    parts = urlsplit(address)
    if not parts.password:
        return address
    return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()


def _external(name: str, address: str) -> ServerStatus:
    shown = without_password(address)
    return ServerStatus(
        name=name, state="external", address=shown, pid=None, version="", data=None, memory_bytes=None, log=None
    )


def _memory(process: psutil.Process) -> int | None:
    try:
        processes = (process, *process.children(recursive=True))
        # Postgres' processes share most of their memory: `pss`, where the system tells it, counts each page once.
        return sum(getattr(each.memory_full_info(), "pss", each.memory_info().rss) for each in processes)
    except psutil.Error:
        return None
