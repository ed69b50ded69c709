"""Apache Kafka, KRaft, one node that is broker and controller: the log."""

import base64
import os
import shlex
import shutil
import subprocess
import uuid
from functools import cached_property
from pathlib import Path

import psutil

from ft.access.kafka_security import KafkaSecurity
from ft.embedded import archives, processes
from ft.embedded.java import StartupCache, java
from ft.embedded.places import Places, private_folder, secret, write_private
from ft.embedded.ports import answers
from ft.embedded.progress import Progress
from ft.errors import ServerError

MESSAGE_BYTES_MAX = 64 << 20
_REQUEST_BYTES_MAX = 100 << 20
_PATIENCE_S = 90.0
# A first stop also writes the start-up cache.
_STOP_PATIENCE_S = 90.0

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
{listeners}
controller.listener.names=CONTROLLER
log.dirs={data}
message.max.bytes={message_bytes_max}
replica.fetch.max.bytes={message_bytes_max}
fetch.max.bytes={fetch_bytes_max}
socket.request.max.bytes={fetch_bytes_max}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
num.network.threads=2
num.io.threads=4
"""
_LISTENERS = """\
listeners=SASL_PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=SASL_PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
inter.broker.listener.name=SASL_PLAINTEXT
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={jaas}
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={jaas}"""
_JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="{user}" password="{password}" user_{user}="{password}";'
)
_USER = "ft"


class Kafka:
    """The embedded broker of one home. Its data are one cluster, formatted at the first start."""

    name = "kafka"
    setting = "FT_KAFKA"

    def __init__(self, places: Places, ports: dict[str, int], jvm_options: str, progress: Progress) -> None:
        self._places = places
        self._ports = ports
        self._jvm_options = shlex.split(jvm_options)
        self._progress = progress
        self._archives = archives.locked_archives(Path(__file__).with_name("kafka.lock.toml"))
        self._folder = places.data(self.name)
        self._properties = self._folder / "server.properties"
        self.version = self._archives[0].version
        self.log = places.log(self.name)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._ports['kafka']}"

    @property
    def security(self) -> KafkaSecurity:
        """The login that it asks for: whoever else works on the machine is not let in."""
        password = secret(private_folder(self._places.home / "secrets") / "kafka")
        return KafkaSecurity(protocol="SASL_PLAINTEXT", mechanism="PLAIN", username=_USER, password=password)

    @property
    def asks_for_login(self) -> bool:
        """Whether the one that runs, or ran last, does; those of earlier versions did not."""
        return not self._properties.exists() or "user_ft" in self._properties.read_text()

    def process(self) -> psutil.Process | None:
        return processes.find((*self._words, f"-D{self._places.mark}"), os.geteuid())

    def stray(self) -> psutil.Process | None:
        """Called when :meth:`process` is None: one of an earlier home at this path."""
        return processes.find(self._words, os.geteuid())

    def start(self) -> None:
        """Start it and return once it takes requests. Raises ServerError."""
        process = self.process() or self._spawn()
        processes.await_answer(self._takes_requests, process, name="Kafka", log=self.log, patience_s=_PATIENCE_S)

    def stop(self, process: psutil.Process, *, in_order: bool = True) -> None:
        self._cache.end(process, in_order=in_order, patience_s=_STOP_PATIENCE_S)

    @property
    def _words(self) -> tuple[str, str]:
        return ("kafka.Kafka", str(self._properties))

    def _spawn(self) -> psutil.Process:
        classpath = self._classpath
        data = private_folder(self._folder) / "data"
        values = {
            "controller_port": self._ports["kafka_controller"],
            "listeners": self.listeners(),
            "data": data,
            "message_bytes_max": MESSAGE_BYTES_MAX,
            "fetch_bytes_max": _REQUEST_BYTES_MAX,
        }
        write_private(self._properties, _PROPERTIES.format(**values))
        self._format(classpath, data)
        return processes.spawn(
            [*self._java(), *self._cache.options(), f"-D{self._places.mark}", *self._words],
            log=self.log,
            cwd=self._folder,
            env={"CLASSPATH": classpath},
        )

    def listeners(self) -> str:
        """Lines of its properties: where it listens, and what it asks for there."""
        security = self.security
        jaas = _JAAS.format(user=security.username, password=security.password)
        return _LISTENERS.format(port=self._ports["kafka"], controller_port=self._ports["kafka_controller"], jaas=jaas)

    def _format(self, classpath: str, data: Path) -> None:
        formatted = self._folder / "formatted"
        if formatted.exists():
            return
        # Nothing was ever served from a folder without the mark: what is there broke off half-way.
        shutil.rmtree(data, ignore_errors=True)
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)
        self._progress.say("formatting Kafka's storage")
        done = subprocess.run(
            [*self._java(), "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._properties)],
            env={**os.environ, "CLASSPATH": classpath},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerError(f"Kafka's storage under {data} cannot be formatted:\n{done.stdout}{done.stderr}".rstrip())
        write_private(formatted, cluster_id)

    def _java(self) -> list[str]:
        scratch = private_folder(self._folder / "tmp")
        logging = ["-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"]
        return [str(java()), *self._jvm_options, f"-Djava.io.tmpdir={scratch}", *logging]

    @cached_property
    def _classpath(self) -> str:
        folder = self._places.cache / f"kafka-{self.version}"
        return os.pathsep.join(str(jar) for jar in archives.jars(self._archives, folder, self._places, self._progress))

    @property
    def _cache(self) -> StartupCache:
        sums = tuple(archive.sha256 for archive in self._archives)
        return StartupCache(self._places, self.name, (*self._jvm_options, *sums))

    def _takes_requests(self) -> bool:
        if not answers(self._ports["kafka"]):
            return False
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        # A broker listens before it has joined its own cluster; topics can be created once it lists itself.
        try:
            admin = AdminClient({"bootstrap.servers": self.address, **self.security.librdkafka(), "log_level": 0})
            return bool(admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return False
