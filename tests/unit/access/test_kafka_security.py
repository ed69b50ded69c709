"""The settings that log in to Kafka, and what each client makes of them."""

import json
import ssl
from pathlib import Path

import faust
import pytest
from aiokafka.abc import AbstractTokenProvider  # type: ignore[import-untyped]
from confluent_kafka import Producer
from faust.auth import OAuthCredentials
from faust.types.auth import AuthProtocol
from hypothesis import given
from hypothesis import strategies as st

from ft.access.kafka_security import MECHANISMS, PROTOCOLS, KafkaSecurity
from ft.config import Config
from ft.errors import ConfigError
from ft.streams.worker.credentials import credentials
from tests.certificates import Authority, Certified

SCRAM = {
    "FT_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "FT_KAFKA_SASL_MECHANISM": "scram-sha-512",
    "FT_KAFKA_USERNAME": "worker",
    "FT_KAFKA_PASSWORD": "s3cret",
}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_nothing_set_is_a_plain_connection_without_a_login() -> None:
    security = KafkaSecurity.from_env({})

    assert security.librdkafka() == {}
    assert credentials(security) is None
    assert security.environ() == {}


def test_a_name_and_a_password_are_shown_over_tls_by_every_client() -> None:
    security = KafkaSecurity.from_env(SCRAM)
    shown = credentials(security)

    assert security.librdkafka() == {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": "probe",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "worker",
        "sasl.password": "s3cret",
    }
    assert isinstance(shown, faust.SASLCredentials)
    assert shown.protocol is AuthProtocol.SASL_SSL
    assert (shown.mechanism.value, shown.username, shown.password) == ("SCRAM-SHA-512", "worker", "s3cret")
    assert shown.ssl_context is not None
    assert shown.ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert shown.ssl_context.check_hostname


def test_a_certificate_is_shown_by_every_client(authority: Authority) -> None:
    mine = authority.certify("worker")
    security = KafkaSecurity.from_env(
        {
            "FT_KAFKA_SECURITY_PROTOCOL": "SSL",
            "FT_KAFKA_CA": str(authority.file),
            "FT_KAFKA_CERTIFICATE": str(mine.certificate),
            "FT_KAFKA_KEY": str(mine.encrypted_key),
            "FT_KAFKA_KEY_PASSWORD": mine.password,
        }
    )

    assert security.librdkafka()["ssl.certificate.location"] == str(mine.certificate)
    assert security.librdkafka()["ssl.key.password"] == mine.password
    shown = credentials(security)
    assert isinstance(shown, faust.SSLCredentials)
    assert shown.protocol is AuthProtocol.SSL
    assert "ft tests" in str(shown.context.get_ca_certs())


def test_a_token_is_asked_for_when_a_client_connects(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a-token\n")
    security = KafkaSecurity.from_env(
        {
            "FT_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "FT_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "FT_KAFKA_TOKEN_FILE": str(file),
        }
    )
    shown = credentials(security)

    assert security.librdkafka()["oauth_cb"]("")[0] == "a-token"
    assert isinstance(shown, OAuthCredentials)
    assert isinstance(shown.oauth_cb, AbstractTokenProvider)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_librdkafka_knows_every_protocol_and_mechanism(protocol: str, mechanism: str, tmp_path: Path) -> None:
    """A producer is made, and refuses what it does not know; it never connects."""
    token = tmp_path / "token"
    token.write_text("a-token")
    made = KafkaSecurity(
        protocol=protocol, mechanism=mechanism if "SASL" in protocol else "", username="u", password="p",
        token_file=token,
    )  # fmt: skip
    settings = made.librdkafka()
    settings.pop("oauth_cb", None)

    Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0, **settings})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"FT_KAFKA_SECURITY_PROTOCOL": "TLS"}, "expected one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL, got 'TLS'"),
        ({**SCRAM, "FT_KAFKA_SASL_MECHANISM": "GSSAPI"}, "expected one of PLAIN, SCRAM-SHA-256"),
        ({"FT_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "FT_KAFKA_SASL_MECHANISM is not set"),
        ({**SCRAM, "FT_KAFKA_PASSWORD": ""}, "FT_KAFKA_PASSWORD is not set: expected it, as .* is SASL_SSL, "),
        (
            {**SCRAM, "FT_KAFKA_SECURITY_PROTOCOL": ""},
            "FT_KAFKA_PASSWORD, .*USERNAME: expected nothing, as .*PLAINTEXT",
        ),
        ({"FT_KAFKA_SECURITY_PROTOCOL": "SSL", "FT_KAFKA_KEY": "/k"}, "FT_KAFKA_CERTIFICATE is not set"),
        ({"FT_KAFKA_SECURITY_PROTOCOL": "SSL", "FT_KAFKA_CA": "/no/such"}, "FT_KAFKA_CA: expected a file that can be"),
        ({"FT_KAFKA_CA": "/no/such"}, "FT_KAFKA_CA: expected nothing"),
        ({**SCRAM, "FT_KAFKA_PASSWORD_FILE": "/p"}, "FT_KAFKA_PASSWORD and FT_KAFKA_PASSWORD_FILE are both set"),
        ({**SCRAM, "FT_KAFKA_PASSWORD": "", "FT_KAFKA_PASSWORD_FILE": "/no/such"}, "/no/such cannot be read"),
        (
            {"FT_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "FT_KAFKA_SASL_MECHANISM": "OAUTHBEARER"},
            "FT_KAFKA_TOKEN_URL or FT_KAFKA_TOKEN_FILE is not set",
        ),
    ],
)
def test_what_cannot_be_used_is_told(given: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        KafkaSecurity.from_env(given)

    assert "s3cret" not in str(caught.value)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from a file\n")
    given = {**SCRAM, "FT_KAFKA_PASSWORD_FILE": str(file)}
    del given["FT_KAFKA_PASSWORD"]

    assert KafkaSecurity.from_env(given).password == "from a file"


def _spoilt(name: str, mine: Certified, other: Certified, none: Path) -> dict[str, str]:
    """Settings of mTLS, one of them wrong."""
    changes: dict[str, dict[str, Path | str]] = {
        "no authority": {"CA": none},
        "no certificate": {"CERTIFICATE": none},
        "no key": {"KEY": none},
        "swapped": {"CERTIFICATE": mine.key, "KEY": mine.certificate},
        "of another": {"KEY": other.key},
        "no password": {"KEY": mine.encrypted_key},
        "wrong password": {"KEY": mine.encrypted_key, "KEY_PASSWORD": "s3cret"},
        "too long a password": {"KEY": mine.encrypted_key, "KEY_PASSWORD": "s3cret" * 400},
    }
    right = {"CERTIFICATE": mine.certificate, "KEY": mine.key}
    return {
        "FT_KAFKA_SECURITY_PROTOCOL": "SSL",
        **{f"FT_KAFKA_{setting}": str(value) for setting, value in {**right, **changes[name]}.items()},
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no authority", "^FT_KAFKA_CA: .*none.pem: expected certificates of authorities in PEM"),
        ("no certificate", "^FT_KAFKA_CERTIFICATE: .*none.pem: expected a certificate in PEM"),
        ("no key", "^FT_KAFKA_KEY: .*none.pem: expected the certificate's private key in PEM"),
        ("swapped", "^FT_KAFKA_CERTIFICATE: .*mine.key: expected a certificate in PEM"),
        ("of another", "^FT_KAFKA_CERTIFICATE, FT_KAFKA_KEY: .*mine.crt and .*other.key: .* the key of another one"),
        ("no password", "^FT_KAFKA_KEY_PASSWORD: .*mine.encrypted.key .* is encrypted with, got none"),
        ("wrong password", "^FT_KAFKA_KEY_PASSWORD: .* got one that does not open it"),
        ("too long a password", "^FT_KAFKA_KEY_PASSWORD: .* got one that does not open it"),
    ],
)
@pytest.mark.parametrize("content", ["", "nothing of the kind"])
def test_a_certificate_that_cannot_be_used_is_told_before_anything_connects(
    name: str, told: str, content: str, tmp_path: Path, authority: Authority
) -> None:
    none = tmp_path / "none.pem"
    none.write_text(content)
    given = _spoilt(name, authority.certify("mine"), authority.certify("other"), none)
    with pytest.raises(ConfigError, match=told) as caught:
        Config.from_env(given)

    assert "s3cret" not in str(caught.value)


def test_secrets_are_not_shown_by_their_settings() -> None:
    config = Config.from_env({**SCRAM, "FT_KAFKA": "k:9", "FT_RPC_POLYGON": "https://node.example/k3y"})

    assert "s3cret" not in repr(config.kafka_security)
    assert "s3cret" not in repr(config)
    assert "k3y" not in repr(config)


@given(st.fixed_dictionaries({}, optional={name: st.sampled_from(["x", ""]) for name in SCRAM}))
def test_another_process_reads_what_this_one_did(names: dict[str, str]) -> None:
    """Whatever subset is set: it is refused, or it goes through the environment unchanged."""
    chosen = {name: text and SCRAM[name] for name, text in names.items()}
    try:
        security = KafkaSecurity.from_env(chosen)
    except ConfigError:
        return

    assert KafkaSecurity.from_env(security.environ()) == security


def test_the_login_of_the_embedded_servers_is_not_shown_to_others(tmp_path: Path) -> None:
    stored = {
        "FT_KAFKA": "127.0.0.1:1",
        "FT_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "FT_KAFKA_SASL_MECHANISM": "PLAIN",
        "FT_KAFKA_USERNAME": "ft",
        "FT_KAFKA_PASSWORD": "ours",
    }
    (tmp_path / "servers.json").write_text(json.dumps(stored))
    home = {"FT_HOME": str(tmp_path)}

    assert Config.from_env(home).kafka_security.password == "ours"
    assert Config.from_env({**home, "FT_KAFKA": "127.0.0.1:1"}).kafka_security.password == "ours"
    (tmp_path / "password").write_text("from a file")
    in_a_file = {**home, "FT_KAFKA_PASSWORD_FILE": str(tmp_path / "password")}
    assert Config.from_env(in_a_file).kafka_security.password == "from a file"
    assert Config.from_env({**home, "FT_KAFKA": "theirs:9092"}).kafka_security == KafkaSecurity()
