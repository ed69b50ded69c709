"""The admin client, and what it is told where it is not let in."""

import logging
import re
from typing import Any, Final

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from ft.config import Config

CLIENTS: Final = logging.getLogger("rdkafka")
"""Where librdkafka's lines go, when whoever has the client polls it."""
_REMEDIES: Final = {
    KafkaError._AUTHENTICATION: "Is the login right (FT_KAFKA_SASL_MECHANISM, FT_KAFKA_USERNAME, FT_KAFKA_PASSWORD)?",
    KafkaError._SSL: "Is FT_KAFKA_CA the authority of its certificate, does that name the address in FT_KAFKA, and "
    "does it ask for a certificate of ours (FT_KAFKA_CERTIFICATE)?",
    KafkaError._TRANSPORT: "Is it running (`ft status`), are FT_KAFKA and FT_KAFKA_SECURITY_PROTOCOL right?",
}
_CLOSED: Final = (
    "Does the broker ask for TLS, or for a login (FT_KAFKA_SECURITY_PROTOCOL), and is FT_KAFKA its address?"
)
_CLOSED_MIN: Final = 3
"""Connections closed within REFUSED_S that are no accident."""
_DISCONNECTED: Final = re.compile(r"Disconnected.*\(after \d{1,3}ms in state \w+\)", re.DOTALL)
"""Soon after it was opened: one that was idle for long is closed, too."""
REFUSED_S: Final = 2.0
"""So long after which a login that is refused is told; whatever else is waited for."""
_BEFORE: Final = (KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._TRANSPORT)
"""Which error says most, where there are several."""


class Admin(AdminClient):
    """A client of the Kafka that the configuration names. Keep it in a name: let go of, it ends what it was asked."""

    def __init__(self, config: Config) -> None:
        # librdkafka holds on to what it calls back: not to this client, whose connections would never end.
        self._heard = heard = Heard()
        settings: dict[str, Any] = {**config.kafka_client, "log_level": 6, "logger": heard, "error_cb": heard}
        super().__init__(settings)

    def __bool__(self) -> bool:
        """There is one. AdminClient has a length, of what it has in hand, and would be none with nothing."""
        return True

    def result(self, future: Any, timeout_s: float) -> Any:
        """What was asked for. Raises KafkaException, TimeoutError; the latter soon where the login is refused."""
        try:
            return future.result(REFUSED_S)
        except TimeoutError:
            if self.is_refused():
                raise
        return future.result(max(0.0, timeout_s - REFUSED_S))

    def is_refused(self) -> bool:
        """Whether a broker answered, and did not let it in, was not who it should be, or kept closing connections."""
        self.poll(0)
        return self._heard.refused

    def why(self) -> str:
        """What it was told while it got no answer, and what to do about it, as the end of a sentence."""
        self.poll(0)
        found = self._heard.errors
        for code in _BEFORE:
            if code in found:
                return f": {found[code]}. {_REMEDIES[code]}"
        if self._heard.closed:
            return f": {self._heard.closed} connections were closed, the last: {self._heard.last}. {_CLOSED}"
        return f". {_REMEDIES[KafkaError._TRANSPORT]}"


class Heard:
    """What librdkafka tells of a client: the last error of each kind, and how often a connection was closed at once,
    which is no error to it. Some of a client's lines are such errors again."""

    def __init__(self) -> None:
        self.errors: dict[int, str] = {}
        self.closed = 0
        self.last = ""
        """What was said of the last connection that was closed."""

    @property
    def refused(self) -> bool:
        """Whether to wait no longer: the next attempt is told the same."""
        known = not self.errors.keys().isdisjoint((KafkaError._AUTHENTICATION, KafkaError._SSL))
        return known or self.closed >= _CLOSED_MIN

    def __call__(self, error: Any) -> None:
        """As ``error_cb``. Under TLS 1.3 a broker asks for our certificate when the handshake is over here: librdkafka
        then speaks of a connection that failed."""
        text = str(error.str())
        self.errors[KafkaError._SSL if "SSL routines" in text else error.code()] = text

    def log(self, level: int, form: str, *words: object) -> None:
        """As ``logger``."""
        if level >= logging.WARNING:
            CLIENTS.log(level, form, *words)
        elif match := _DISCONNECTED.search(form % words):
            self.closed += 1
            self.last = match[0]
