"""The login of ``KafkaSecurity`` (ft/access) in Faust's words, for its own consumers and producers."""

import ssl

import faust
from aiokafka.abc import AbstractTokenProvider  # type: ignore[import-untyped]
from faust.auth import OAuthCredentials

from ft.access import certificates
from ft.access.kafka_security import KafkaSecurity
from ft.access.oauth import Tokens


class _Provider(AbstractTokenProvider):
    """aiokafka asks for a token whenever it opens a connection."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def token(self) -> str:
        return await self._tokens.token()


def credentials(security: KafkaSecurity) -> faust.SASLCredentials | faust.SSLCredentials | OAuthCredentials | None:
    """None for plain connections without a login. Raises ConfigError for certificates that cannot be used."""
    context = _context(security) if security.is_encrypted else None
    if security.mechanism == "OAUTHBEARER":
        return OAuthCredentials(oauth_cb=_Provider(security.tokens), ssl_context=context)
    if security.mechanism:
        return faust.SASLCredentials(
            username=security.username,
            password=security.password,
            mechanism=security.mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


def _context(security: KafkaSecurity) -> ssl.SSLContext:
    context = certificates.context(security.ca, "FT_KAFKA_CA")
    if security.certificate is not None and security.key is not None:
        certificates.load_pair(context, security.certificate, security.key, security.key_password, prefix="FT_KAFKA")
    return context
