"""``python -m ft.embedded.lock``: resolve the servers' archives anew and write the committed lock files.

Which versions: those in the constants below. `make lock` runs it; nothing else resolves anything.
"""

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:1.7.36"
REGISTRY = ("io.apicurio", "apicurio-registry-app", "3.3.3", "all", "tar.gz")

_HEAD = """\
# {what}, by Maven coordinates, each with the sha256 of its file.
# Written by `make lock` with jgo; checked before any of it is used.
"""
_FIELDS = ("groupId", "artifactId", "version", "packaging", "classifier", "sha256")


def main() -> None:
    """Download everything into a scratch repository and write both lock files."""
    from jgo.env import EnvironmentBuilder
    from jgo.maven import MavenContext

    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as scratch:
        maven = MavenContext(repo_cache=Path(scratch, "repository"), timeout=60)
        environment = EnvironmentBuilder(context=maven, cache_dir=Path(scratch, "environments")).from_endpoint(KAFKA)
        assert environment.lockfile is not None
        jars = [jar.to_dict() for jar in environment.lockfile.dependencies]
        _write(here / "kafka.lock.toml", "The jars of Apache Kafka and its logging", jars)

        group, artifact, version, classifier, packaging = REGISTRY
        archive = maven.project(group, artifact).at_version(version).artifact(classifier, packaging).resolve()
        values = (group, artifact, version, packaging, classifier, hashlib.sha256(archive.read_bytes()).hexdigest())
        _write(here / "registry.lock.toml", "Apicurio Registry", [dict(zip(_FIELDS, values, strict=True))])


def _write(file: Path, what: str, entries: Iterable[dict[str, object]]) -> None:
    text = _HEAD.format(what=what)
    for entry in entries:
        text += "\n[[dependencies]]\n"
        text += "".join(f'{field} = "{entry[field]}"\n' for field in _FIELDS if entry.get(field))
    file.write_text(text)


if __name__ == "__main__":
    main()
