"""The real registry behind TLS and a login: Apicurio knows users only with an identity server."""

import base64
import ssl
from collections import Counter
from typing import Final

from tests.certificates import Certified
from tests.integration.streams.between import Between

USERNAME: Final = "worker"
PASSWORD: Final = "päss:word"
TOKENS: Final = ("token-1", "token-2")


class Guarded(Between):
    """Passes on what shows the name and the password, or one of the tokens. ``came``: requests by what they showed."""

    def __init__(self, registry: str, server: Certified) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.certificate, server.key)
        super().__init__(registry, context)
        words = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        self._known = {f"Basic {words}", *(f"Bearer {token}" for token in TOKENS)}
        self.came: Counter[str | None] = Counter()

    def lets_in(self, authorization: str | None) -> bool:
        self.came[authorization] += 1
        return authorization in self._known
