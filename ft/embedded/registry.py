"""Apicurio Registry, stored in Postgres, with the Confluent API: the schemas of what Kafka carries."""

import http.client
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import psutil

from ft.embedded import archives, processes
from ft.embedded.java import StartupCache, java
from ft.embedded.places import Places, private_folder
from ft.embedded.progress import Progress
from ft.errors import ServerError

API = "/apis/ccompat/v7"
_SCHEMA = "registry"
_PATIENCE_S = 120.0
_STOP_PATIENCE_S = 90.0
_JVM_OPTIONS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True)
class Storage:
    """The database that holds the schemas, as JDBC wants it."""

    jdbc_url: str
    user: str
    password: str

    @classmethod
    def at(cls, url: str) -> "Storage":
        """A database made for the registry."""
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        host = parts.netloc.rpartition("@")[2]
        return cls(
            f"jdbc:postgresql://{host}{parts.path}{query}", unquote(parts.username or ""), unquote(parts.password or "")
        )

    @classmethod
    def inside(cls, url: str) -> "Storage":
        """A schema of its own in a database that others use too. Raises ServerError if it cannot be made."""
        import psycopg

        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
                connection.execute("CREATE SCHEMA IF NOT EXISTS registry")
        except psycopg.Error as exc:
            raise ServerError(f"FT_POSTGRES: the registry's schema cannot be made there: {exc}") from exc
        parts = urlsplit(url)
        query = [*parse_qsl(parts.query), ("currentSchema", _SCHEMA)]
        return cls.at(parts._replace(query=urlencode(query)).geturl())


class Registry:
    """The embedded schema registry of one home."""

    name = "registry"
    setting = "FT_SCHEMA_REGISTRY"

    def __init__(self, places: Places, ports: dict[str, int], progress: Progress) -> None:
        self._places = places
        self._ports = ports
        self._progress = progress
        (self._archive,) = archives.locked_archives(Path(__file__).with_name("registry.lock.toml"))
        self._folder = places.data(self.name)
        self.version = self._archive.version
        self.log = places.log(self.name)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._ports['registry']}{API}"

    def process(self) -> psutil.Process | None:
        return processes.find((*self._words, f"-D{self._places.mark}"), os.geteuid())

    def stray(self) -> psutil.Process | None:
        """Called when :meth:`process` is None: one of an earlier home at this path."""
        return processes.find(self._words, os.geteuid())

    def fetch(self) -> Path:
        """The unpacked program; the download can go on while Postgres starts."""
        return archives.unpacked(self._archive, self._places, self._progress)

    def start(self, storage: Storage) -> None:
        """Start it and return once it answers. Raises ServerError."""
        process = self.process() or self._spawn(storage)
        processes.await_answer(self._answers, process, name="The schema registry", log=self.log, patience_s=_PATIENCE_S)

    def stop(self, process: psutil.Process, *, in_order: bool = True) -> None:
        self._cache.end(process, in_order=in_order, patience_s=_STOP_PATIENCE_S)

    def _spawn(self, storage: Storage) -> psutil.Process:
        program = self.fetch()
        scratch = private_folder(self._folder) / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        private_folder(scratch)
        settings = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": self._ports["registry"],
            "quarkus.management.host": "127.0.0.1",
            "quarkus.management.port": self._ports["registry_management"],
            "java.io.tmpdir": scratch,
        }
        command = [str(java()), *_JVM_OPTIONS, *self._cache.options(), f"-D{self._places.mark}"]
        command += [f"-D{name}={value}" for name, value in settings.items()]
        return processes.spawn(
            [*command, *self._words, str(program / "quarkus-run.jar")],
            log=self.log,
            cwd=program,
            env={
                "APICURIO_STORAGE_KIND": "sql",
                "APICURIO_STORAGE_SQL_KIND": "postgresql",
                "APICURIO_DATASOURCE_URL": storage.jdbc_url,
                "APICURIO_DATASOURCE_USERNAME": storage.user,
                "APICURIO_DATASOURCE_PASSWORD": storage.password,
            },
        )

    @property
    def _words(self) -> tuple[str, str]:
        return (f"-Dft.registry={self._folder}", "-jar")

    @property
    def _cache(self) -> StartupCache:
        return StartupCache(self._places, self.name, (*_JVM_OPTIONS, self._archive.sha256))

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports["registry"], timeout=5)
        try:
            connection.request("GET", f"{API}/subjects")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
