"""Certificates and keys in files: looked at before anything connects, for clients that tell of a bad one in words of
their own, late, and without the setting."""

import ssl
from pathlib import Path

from ft.errors import ConfigError


def require_authorities(file: Path, name: str) -> None:
    """Raises ConfigError for a file without a certificate in PEM. ``name``: the setting that names it."""
    _load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), file, name, "certificates of authorities")


def require_pair(certificate: Path, key: Path, password: str, *, prefix: str) -> None:
    """Raises ConfigError for files that are not a certificate and its private key. ``prefix``: of their settings."""
    load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, key, password, prefix=prefix)


def context(ca: Path | None, name: str) -> ssl.SSLContext:
    """Of a client that trusts the authorities in ``ca``, else the system's. Raises ConfigError."""
    if ca is None:
        return ssl.create_default_context()
    require_authorities(ca, name)
    return ssl.create_default_context(cafile=ca)


def load_pair(made: ssl.SSLContext, certificate: Path, key: Path, password: str, *, prefix: str) -> None:
    """Have a context show a certificate. Raises ConfigError, which says which file is wrong:

    1. the certificate's, where there is none in it: the key, say
    2. both, where each is what it should be and they do not belong together
    3. the key's, which is encrypted with another password, or with one and none is set
    4. the key's, where there is none in it
    """
    apart = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load_authorities(apart, certificate, f"{prefix}_CERTIFICATE", "a certificate")  # 1
    try:
        made.load_cert_chain(certificate, key, lambda: password)
    except (OSError, ValueError) as exc:
        if getattr(exc, "reason", "") == "KEY_VALUES_MISMATCH":  # 2
            raise ConfigError(
                f"{prefix}_CERTIFICATE, {prefix}_KEY: {certificate} and {key}: expected a certificate and its own "
                "private key, got the key of another one"
            ) from exc
        if b"ENCRYPTED" in key.read_bytes():  # 3
            got = "one that does not open it" if password else "none"
            raise ConfigError(
                f"{prefix}_KEY_PASSWORD: expected what {key} ({prefix}_KEY) is encrypted with, got {got}"
            ) from exc
        raise ConfigError(  # 4
            f"{prefix}_KEY: {key}: expected the certificate's private key in PEM, got a file that OpenSSL cannot read "
            f"({exc})"
        ) from exc


def _load_authorities(made: ssl.SSLContext, file: Path, name: str, expected: str) -> None:
    try:
        made.load_verify_locations(file)
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"{name}: {file}: expected {expected} in PEM, got a file that OpenSSL cannot read ({exc})"
        ) from exc
