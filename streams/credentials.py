"""The login of :class:`ft.kafka_security.KafkaSecurity` in Faust's words, for its own consumers and producers."""

import ssl

import faust
from aiokafka.abc import AbstractTokenProvider  # type: ignore[import-untyped]
from faust.auth import OAuthCredentials

from ft.errors import ConfigError
from ft.kafka_security import KafkaSecurity
from ft.oauth import Tokens


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
    try:
        context = ssl.create_default_context(cafile=security.ca)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(
            f"FT_KAFKA_CA: {security.ca}: expected certificates of authorities in PEM, got a file that OpenSSL cannot "
            f"read ({exc})"
        ) from exc
    if security.certificate is not None:
        try:
            context.load_cert_chain(security.certificate, security.key, lambda: security.key_password)
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(
                f"FT_KAFKA_CERTIFICATE, FT_KAFKA_KEY: {security.certificate} and {security.key}: expected a "
                f"certificate and its private key in PEM (FT_KAFKA_KEY_PASSWORD where it is encrypted), got: {exc}"
            ) from exc
    return context
