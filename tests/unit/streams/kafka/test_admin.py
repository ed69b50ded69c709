"""What an admin client says of a broker that does not let it in: in one message, soon."""

import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from socket import create_server, socket

import pytest

from ft.config import Config
from ft.streams.kafka.admin import Admin
from tests.certificates import Authority
from tests.unit.pages import CHECKOUT

_ASK = """
from ft.config import Config
from ft.errors import FtError
from ft.streams.kafka.topic_admin import cluster_id
from ft.telemetry import log
from ft.telemetry.takeover import tell_end

config = Config.from_env()
log.configure(config)
try:
    cluster_id(config)
except FtError as exc:
    tell_end(exc)
"""


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[str]:
    """The address of somebody who speaks TLS, and nothing of Kafka's."""
    server = Authority(tmp_path).certify("broker", ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    with create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_speak, args=(listening, context), daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def _speak(listening: socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            taken = listening.accept()[0]
        except OSError:
            return
        with taken, suppress(OSError):
            context.wrap_socket(taken, server_side=True).close()


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        ("PLAINTEXT", r"\d+ connections were closed, the last: Disconnected.*Does the broker ask for TLS"),
        ("SSL", "certificate verify failed.*Is FT_KAFKA_CA the authority"),
    ],
)
def test_one_message_soon_is_all_that_is_said(protocol: str, told: str, tls: str, tmp_path: Path) -> None:
    settings = {"FT_HOME": str(tmp_path), "FT_KAFKA": tls, "FT_KAFKA_SECURITY_PROTOCOL": protocol}
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", _ASK],
        env={"PYTHONPATH": str(CHECKOUT), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert time.monotonic() - began < 10
    (said,) = ran.stderr.splitlines()
    assert said.startswith(f"ft: Kafka at {tls}: expected its cluster id, got no answer: ")
    assert re.search(told, said)


def test_a_client_with_nothing_in_hand_is_one(tmp_path: Path) -> None:
    admin = Admin(Config(home=tmp_path, cache=tmp_path, addresses={"FT_KAFKA": "127.0.0.1:1"}))
    admin.poll(0.1)

    assert admin
