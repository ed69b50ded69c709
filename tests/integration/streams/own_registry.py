"""A registry for tests that lose one: Apicurio, started by what `ft up` starts it by, with a database of its own."""

from contextlib import ExitStack
from pathlib import Path

import psycopg

from ft.config import Config
from ft.embedded import ports
from ft.embedded.places import Places
from ft.embedded.progress import Quiet
from ft.embedded.registry import Registry, Storage
from tests.deployments import download_cache, fresh_database

_KEPT = ["apicurio", "config"]
"""Tables that stay: the version of the store, and how the registry is set."""


class OwnRegistry:
    """Start it, and stop it."""

    def __init__(self, folder: Path, admin: str) -> None:
        """``admin``: URL of a database whose login may create others."""
        places = Places.of(Config(home=folder, cache=download_cache(), addresses={}))
        places.create()
        chosen = ports.choose(places, frozenset({"registry", "registry_management"}), lambda _: None)
        self._server = Registry(places, chosen, Quiet())
        self._admin = admin
        self._store = ""
        self._stack = ExitStack()
        self.url = self._server.address

    def start(self) -> None:
        """With an empty store."""
        self._store = self._stack.enter_context(fresh_database(self._admin))
        self.go_on()

    def stop(self) -> None:
        """Its store stays."""
        process = self._server.process()
        if process is not None:
            self._server.stop(process, in_order=False)

    def go_on(self) -> None:
        """With the store it had."""
        self._server.start(Storage.at(self._store))

    def remove(self) -> None:
        """Stop it; its store is lost."""
        self.stop()
        self._stack.close()

    def lose(self) -> None:
        """Its data are lost, and it is started anew."""
        self.remove()
        self.start()

    def empty(self) -> None:
        """As one that lost its data and was started anew, quicker: its store is emptied while it runs."""
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(%s)"
        with psycopg.connect(self._store, autocommit=True) as conn:
            tables = [row[0] for row in conn.execute(query, (_KEPT,)).fetchall()]
            conn.execute(f"TRUNCATE {', '.join(tables)} CASCADE".encode())
