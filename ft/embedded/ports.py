"""Loopback ports: chosen once for a home, remembered, and replaced when a stranger has taken one."""

import json
import random
import socket
import time

from ft.embedded.places import Places, Say, write_private
from ft.errors import ServerError

NAMES = ("kafka", "kafka_controller", "postgres", "registry", "registry_management")
# Below the range from which Linux and macOS give ports to outgoing connections: nothing drifts onto ours.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 200
_GRACE_S = 1.0


def remembered(places: Places) -> dict[str, int]:
    """The ports chosen at earlier starts; empty before the first one."""
    file = places.run / "ports.json"
    try:
        stored = json.loads(file.read_text())
        return {name: int(stored[name]) for name in NAMES if name in stored}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as exc:
        raise ServerError(f"{file} cannot be read ({exc}): expected a JSON object of ports. Delete it.") from exc


def choose(places: Places, needed: frozenset[str], say: Say) -> dict[str, int]:
    """A port for every name; those ``needed`` now are free at this moment, the others are as remembered."""
    known = remembered(places)
    chosen = dict(known)
    for name in NAMES:
        if name in known and (name not in needed or _gets_free(known[name])):
            continue
        chosen[name] = _free_port(set(chosen.values()))
        if name in known:
            say(f"port {known[name]} ({name}) is taken by another program: using {chosen[name]} from now on")
    if chosen != known:
        write_private(places.run / "ports.json", json.dumps(chosen, indent=2))
    return chosen


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _gets_free(port: int) -> bool:
    # The kernel may hold a killed server's port for a moment longer than the server.
    deadline = time.monotonic() + _GRACE_S
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def answers(port: int) -> bool:
    """Whether something accepts connections on the loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _free_port(taken: set[int]) -> int:
    for _ in range(_TRIES):
        port = random.randrange(_LOWEST, _HIGHEST)
        if port not in taken and is_free(port):
            return port
    raise ServerError(f"no free port found between {_LOWEST} and {_HIGHEST} in {_TRIES} tries on 127.0.0.1.")
