#!/usr/bin/env bash
# confluent-kafka 2.16.0, SASL OAUTHBEARER with `oauth_cb`: a callback that raises, as one does whose token endpoint is
# away. The constructor of a client (AdminClient, Producer) does not raise it: it waits ten seconds and then raises
# SASL_AUTHENTICATION_FAILED, "OAuth token not set within 10 seconds timeout". What the callback raised is neither its
# text nor its cause, so nobody learns why there is no token. It is asked again only when the ten seconds are over: a
# callback that fails once, and would work the next moment, ends the client all the same. Get the token yourself before
# the client is made, and raise your own error.
#
# Seen, of both clients: 10.0 s, whether the callback fails always or once; its exception is nowhere in the error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.0
"$folder/venv/bin/python" - <<'PYTHON'
import time

import confluent_kafka
from confluent_kafka.admin import AdminClient

for kind in (AdminClient, confluent_kafka.Producer):
    for fails in ("always", "once"):
        asked: list[float] = []

        def token(_: str) -> tuple[str, float]:
            asked.append(time.monotonic() - began)
            if fails == "always" or len(asked) == 1:
                raise ConnectionError("the token endpoint is away")
            return "a token", time.time() + 3600

        began, error = time.monotonic(), None
        try:
            kind({
                "bootstrap.servers": "127.0.0.1:9", "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "OAUTHBEARER", "oauth_cb": token, "log_level": 0,
            })
        except Exception as exc:
            error = exc
        took_s = time.monotonic() - began
        told = f"{kind.__name__} {confluent_kafka.__version__}, fails {fails}: after {took_s:.1f} s"
        print(f"{told}, asked at {[round(at, 1) for at in asked]} s: {error!r}")
        assert error is not None and "OAuth token not set within 10 seconds" in str(error), error
        assert "endpoint" not in str(error) and error.__cause__ is None and error.__context__ is None
        assert 9 < took_s < 15 and not [at for at in asked if 0.5 < at < 9]
PYTHON
