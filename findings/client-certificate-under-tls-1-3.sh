#!/usr/bin/env bash
# confluent-kafka 2.16.0 (librdkafka): a client without a certificate, and a server that wants one (mutual TLS).
# Under TLS 1.2 the error that reaches `error_cb` has the code _SSL (-181). Under TLS 1.3 it has _TRANSPORT (-195), that of
# a server that is away: there the handshake is over on the client's side before the server says what it lacks, and the
# alert comes with the first bytes that are read. Whoever tells a refused login from a server that is away by the code
# alone is wrong for every broker of today; the text still has "SSL routines" and "certificate required".
#
# Seen: TLS 1.2: -181; TLS 1.3: -195 "Receive failed: ... SSL routines::tlsv13 alert certificate required".
# The server is Python's own ssl module: it needs to get no further than the handshake.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.0 trustme==1.2.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import socket
import ssl
import threading
import time

import confluent_kafka
import trustme
from confluent_kafka import KafkaError

authority = trustme.CA()
authority.cert_pem.write_to_path("ca.pem")
certificate = authority.issue_cert("127.0.0.1")


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        try:
            context.wrap_socket(plain, server_side=True).close()
        except OSError:
            plain.close()


def heard(version: ssl.TLSVersion) -> list[tuple[int, str]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    certificate.configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    errors: list[tuple[int, str]] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener, context), daemon=True).start()
        client = confluent_kafka.Producer({
            "bootstrap.servers": f"127.0.0.1:{listener.getsockname()[1]}", "security.protocol": "SSL",
            "ssl.ca.location": "ca.pem", "log_level": 0, "error_cb": lambda error: errors.append((error.code(), error.str())),
        })
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not any("SSL" in text for _, text in errors):
            client.poll(0.2)
    return [(code, text) for code, text in errors if "SSL" in text]


old, new = heard(ssl.TLSVersion.TLSv1_2), heard(ssl.TLSVersion.TLSv1_3)
print(f"confluent-kafka {confluent_kafka.__version__}, {ssl.OPENSSL_VERSION}")
print(f"TLS 1.2: {old[0]}\nTLS 1.3: {new[0]}")
assert old[0][0] == KafkaError._SSL, old
assert new[0][0] == KafkaError._TRANSPORT and "certificate required" in new[0][1], new
PYTHON
