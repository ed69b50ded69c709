"""Start and stop the three servers of a home, side by side, under the home's lock."""

import json
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import psutil

from ft.config import ADDRESSES, Config
from ft.embedded import ports, processes
from ft.embedded.kafka import Kafka
from ft.embedded.places import Places, locked, write_private
from ft.embedded.postgres import REGISTRY, Postgres
from ft.embedded.progress import Progress, Quiet
from ft.embedded.refusals import told
from ft.embedded.registry import Registry, Storage
from ft.errors import FtError, ServerError

Server = Kafka | Postgres | Registry
_STRAY_PATIENCE_S = 30.0
# Which of the ports belong to which server.
_PORTS = {
    "kafka": ("kafka", "kafka_controller"),
    "postgres": ("postgres",),
    "registry": ("registry", "registry_management"),
}
_STOPPING = {
    "kafka": " to write its topics to disk",
    "postgres": " to write its last pages to disk",
    "registry": " to finish its requests",
}


@dataclass(frozen=True)
class Fleet:
    """The embedded servers of one home; those that the environment replaces are in ``external``."""

    places: Places
    kafka: Kafka
    postgres: Postgres
    registry: Registry
    external: frozenset[str]

    @classmethod
    def of(cls, config: Config, chosen: dict[str, int], progress: Progress) -> "Fleet":
        places = Places.of(config)
        kafka = Kafka(places, chosen, config.kafka_jvm, progress)
        postgres = Postgres(places, chosen, progress)
        registry = Registry(places, chosen, progress)
        return cls(places, kafka, postgres, registry, _external(config, places))

    @property
    def servers(self) -> tuple[Server, ...]:
        """In the order in which they are started."""
        return (self.kafka, self.postgres, self.registry)

    @property
    def ours(self) -> tuple[Server, ...]:
        return tuple(server for server in self.servers if server.setting not in self.external)

    def addresses(self, servers: Iterable[Server]) -> dict[str, str]:
        """Setting -> value: where these are, and what is needed to log in."""
        found = {server.setting: server.address for server in servers}
        if self.kafka.setting in found:
            found |= self.kafka.security.environ()
        if self.postgres.setting in found:
            found |= self.postgres.logins()
        return found


def start(config: Config, progress: Progress | None = None) -> Config:
    """Start every embedded server that does not run; return the config with all addresses.

    Safe to call at any time and from several processes. Raises ServerError with the log of what failed; what
    could be started keeps running.
    """
    return start_missing(config, progress)[0]


def start_missing(config: Config, progress: Progress | None = None) -> tuple[Config, list[str]]:
    """As :func:`start`; also returns the names of the servers that this call has started."""
    progress = progress or Quiet()
    places = Places.of(config)
    with told(config), _lock(places, progress):
        with progress.doing("looking which servers run"):
            before = Fleet.of(config, known_ports(places), progress)
            _end_without_login(before, progress)
            missing = frozenset(server.name for server in before.ours if server.process() is None)
            _end_strays([server for server in before.ours if server.name in missing], progress)
        needed = frozenset(port for name in missing for port in _PORTS[name])
        fleet = Fleet.of(config, ports.choose(places, needed, progress.say), progress)
        _release_registry(before, fleet)
        try:
            _start_all(fleet, missing, config, progress)
        finally:
            _write_servers_file(fleet)
    kept = {name: value for name, value in config.addresses.items() if name not in ADDRESSES or name in fleet.external}
    found = replace(config, addresses={**kept, **fleet.addresses(fleet.ours)})
    return found, [server.name for server in fleet.servers if server.name in missing]


def stop(config: Config, progress: Progress | None = None, *, in_order: bool = True) -> list[str]:
    """Stop the embedded servers of this home and wait until they are gone. Returns the names of those that ran.

    ``in_order=False``: at once, without bringing their data into order; only for data that are deleted next.
    """
    progress = progress or Quiet()
    places = Places.of(config)
    if not places.home.exists():
        return []
    with told(config), _lock(places, progress):
        fleet = Fleet.of(config, known_ports(places), progress)
        running = [(server, process) for server in fleet.servers if (process := server.process() or server.stray())]

        def end(server: Server, process: psutil.Process) -> None:
            progress.say(f"stopping {server.name} (pid {process.pid})")
            with progress.doing(f"waiting for {server.name}{_STOPPING[server.name] if in_order else ' to end'}"):
                server.stop(process, in_order=in_order)

        # The registry keeps its schemas in Postgres: it leaves first.
        for names in (("registry", "kafka"), ("postgres",)):
            leaving = [pair for pair in running if pair[0].name in names]
            with _at_once() as pool:
                list(pool.map(lambda pair: end(*pair), leaving))
        places.servers_file.unlink(missing_ok=True)
    return [server.name for server, _ in running]


def remove(config: Config, progress: Progress | None = None) -> list[str]:
    """Stop the servers and delete their data, logs and passwords; downloads stay. Returns the names of those that ran.

    At once: in order, Kafka would first write every partition to disk.
    """
    stopped = stop(config, progress, in_order=False)
    places = Places.of(config)
    with (progress or Quiet()).doing("deleting the servers' data"):
        _delete(places)
    return stopped


def _delete(places: Places) -> None:
    data = places.data("postgres")
    if data.is_symlink():
        elsewhere = data.readlink()
        shutil.rmtree(elsewhere, ignore_errors=True)
        shutil.rmtree(elsewhere.with_suffix(".old"), ignore_errors=True)
        data.unlink()
    for folder in ("kafka", "postgres", "registry", "logs", "run", "secrets"):
        shutil.rmtree(places.home / folder, ignore_errors=True)


def _end_strays(servers: list[Server], progress: Progress) -> None:
    """Who deletes a home without `ft down` leaves servers behind that nobody can reach any more."""
    for server in servers:
        if stray := server.stray():
            progress.say(f"ending {server.name} (pid {stray.pid}) of an earlier home that was deleted")
            processes.end(stray, how=signal.SIGKILL, patience_s=_STRAY_PATIENCE_S)


def _end_without_login(fleet: Fleet, progress: Progress) -> None:
    """A Kafka of an earlier version that still runs lets everybody in: it is started again, with a login."""
    kafka = fleet.kafka
    if kafka in fleet.ours and not kafka.asks_for_login and (process := kafka.process()):
        progress.say(f"restarting kafka (pid {process.pid}): it asks for no login yet")
        kafka.stop(process)


def _release_registry(before: Fleet, fleet: Fleet) -> None:
    """A registry that runs knows its Postgres by port: if that moved, it has to be started again."""
    process = fleet.registry.process()
    if process is not None and before.postgres.address != fleet.postgres.address:
        fleet.registry.stop(process)


def _start_all(fleet: Fleet, missing: frozenset[str], config: Config, progress: Progress) -> None:
    """Side by side; the registry waits for its Postgres. One that runs is only asked whether it answers."""

    def begin(server: Server, go: Callable[[], None]) -> None:
        if server.setting in fleet.external:
            return
        if server.name in missing:
            progress.say(f"starting {server.name} {server.version}")
        with progress.doing(f"waiting for {server.name} to answer"):
            go()
        if server.name in missing:
            progress.say(f"{server.name} answers")

    def begin_registry() -> None:
        if fleet.registry.setting not in fleet.external:
            fleet.registry.fetch()
        postgres.result()
        begin(fleet.registry, lambda: fleet.registry.start(_storage(fleet, config)))

    with _at_once() as pool:
        kafka = pool.submit(begin, fleet.kafka, fleet.kafka.start)
        postgres = pool.submit(begin, fleet.postgres, fleet.postgres.start)
        registry = pool.submit(begin_registry)
    failures = {id(exc): exc for future in (kafka, postgres, registry) if (exc := future.exception())}
    for failure in failures.values():
        if not isinstance(failure, FtError):
            raise failure
    if failures:
        raise ServerError("\n".join(str(failure) for failure in failures.values()))


@contextmanager
def _at_once() -> Iterator[ThreadPoolExecutor]:
    """Threads that are waited for, unless this process is told to end meanwhile: servers take their time."""
    pool = ThreadPoolExecutor()
    try:
        yield pool
        pool.shutdown()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _storage(fleet: Fleet, config: Config) -> Storage:
    if fleet.postgres.setting in fleet.external:
        return Storage.inside(config.postgres)
    return Storage.at(fleet.postgres.url(REGISTRY, REGISTRY))


def _external(config: Config, places: Places) -> frozenset[str]:
    """The settings that name somebody else's server: not the addresses that an earlier `ft env` printed of ours."""
    return frozenset(
        name for name in ADDRESSES if config.addresses.get(name) not in (None, *own_addresses(places, name))
    )


def own_addresses(places: Places, name: str) -> tuple[str, ...]:
    """The addresses under which our server was announced, now or before."""
    file = places.run / "announced.json"
    try:
        return tuple(json.loads(file.read_text()).get(name, ()))
    except FileNotFoundError:
        return ()


def known_ports(places: Places) -> dict[str, int]:
    """The remembered port of every name, 0 where none was chosen yet."""
    return dict.fromkeys(ports.NAMES, 0) | ports.remembered(places)


def _write_servers_file(fleet: Fleet) -> None:
    running = [(server, process) for server in fleet.ours if (process := server.process())]
    announced = {s.setting: sorted({*own_addresses(fleet.places, s.setting), s.address}) for s in fleet.servers}
    write_private(fleet.places.run / "announced.json", json.dumps(announced, indent=2))
    stored: dict[str, object] = dict(fleet.addresses(server for server, _ in running))
    stored["pids"] = {server.name: process.pid for server, process in running}
    write_private(fleet.places.servers_file, json.dumps(stored, indent=2))


@contextmanager
def _lock(places: Places, progress: Progress) -> Iterator[None]:
    places.create()
    held = locked(
        places.run / "lock", progress.say, f"another `ft up` or `ft down` is at work in {places.home}: waiting"
    )
    with ExitStack() as stack:
        with progress.doing("waiting for the other command"):
            stack.enter_context(held)
        yield
