"""Every way to log in to Kafka, by each of the clients that ft runs, and what is said where one is not let in."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # type: ignore[import-untyped]
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from ft.access.kafka_security import KafkaSecurity
from ft.config import Config
from ft.errors import BrokerUnavailable
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import cluster_id, create_topics, end_of
from ft.streams.kafka.topics import Topics
from ft.streams.worker.credentials import credentials
from tests.certificates import Authority
from tests.integration.access.broker import PASSWORD, USER, StrictKafka
from tests.integration.access.conftest import at
from tests.tokens import jwt

WAYS = ["mtls", "mtls with an encrypted key", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]

Enter = Callable[[str], Config]


@pytest.fixture
def enter(config: Config, kafka: StrictKafka, authority: Authority, tmp_path: Path) -> Enter:
    """The configuration that logs in there in one way."""

    def made(way: str) -> Config:
        if way.startswith("mtls"):
            mine = authority.certify("worker")
            encrypted = "encrypted" in way
            login = KafkaSecurity(
                protocol="SSL", ca=authority.file, certificate=mine.certificate,
                key=mine.encrypted_key if encrypted else mine.key, key_password=mine.password if encrypted else "",
            )  # fmt: skip
        elif way == "OAUTHBEARER":
            file = tmp_path / "token"
            file.write_text(jwt(sub=USER, iat=time.time() - 1, exp=time.time() + 3600))
            login = KafkaSecurity(protocol="SASL_SSL", ca=authority.file, mechanism=way, token_file=file)
        else:
            login = KafkaSecurity(
                protocol="SASL_SSL", ca=authority.file, mechanism=way, username=USER, password=PASSWORD
            )
        address = kafka.ssl if way.startswith("mtls") else kafka.sasl_ssl
        return at(config, FT_KAFKA=address, **login.environ())

    return made


@pytest.mark.parametrize("way", WAYS)
async def test_every_client_is_let_in(enter: Enter, way: str) -> None:
    config = enter(way)
    topic = Topics(config.topic_prefix).ownership_changed

    create_topics(config, [], 1)  # the admin client
    producer = Producer(config)
    producer.send(topic, 0, b"by librdkafka")
    await producer.flush_acknowledged(20)
    login = credentials_to_aiokafka_auth(credentials(config.kafka_security))
    async with AIOKafkaProducer(bootstrap_servers=config.kafka, **login) as other:
        await other.send_and_wait(topic, b"by aiokafka", partition=0)
    async with AIOKafkaConsumer(topic, bootstrap_servers=config.kafka, auto_offset_reset="earliest", **login) as reader:
        heard = [(await asyncio.wait_for(reader.getone(), 20)).value for _ in range(2)]

    assert heard == [b"by librdkafka", b"by aiokafka"]
    assert end_of(config, topic, 0) == 2


def wrong_password(config: Config, kafka: StrictKafka, authority: Authority, _: Authority) -> Config:
    login = KafkaSecurity(
        protocol="SASL_SSL", ca=authority.file, mechanism="SCRAM-SHA-512", username=USER, password="wr0ng"
    )
    return at(config, FT_KAFKA=kafka.sasl_ssl, **login.environ())


def other_authority(config: Config, kafka: StrictKafka, _: Authority, stranger: Authority) -> Config:
    login = KafkaSecurity(protocol="SASL_SSL", ca=stranger.file, mechanism="PLAIN", username=USER, password=PASSWORD)
    return at(config, FT_KAFKA=kafka.sasl_ssl, **login.environ())


def other_name(config: Config, kafka: StrictKafka, authority: Authority, _: Authority) -> Config:
    """The same server under an address that its certificate does not name."""
    port = kafka.sasl_ssl.rpartition(":")[2]
    login = KafkaSecurity(protocol="SASL_SSL", ca=authority.file, mechanism="PLAIN", username=USER, password=PASSWORD)
    return at(config, FT_KAFKA=f"localhost:{port}", **login.environ())


def no_certificate(config: Config, kafka: StrictKafka, authority: Authority, _: Authority) -> Config:
    return at(config, FT_KAFKA=kafka.ssl, **KafkaSecurity(protocol="SSL", ca=authority.file).environ())


def no_token(config: Config, kafka: StrictKafka, authority: Authority, _: Authority) -> Config:
    login = KafkaSecurity(
        protocol="SASL_SSL", ca=authority.file, mechanism="OAUTHBEARER", token_url="http://127.0.0.1:9/token",
        client_id="worker", client_secret="wr0ng",
    )  # fmt: skip
    return at(config, FT_KAFKA=kafka.sasl_ssl, **login.environ())


def no_login(config: Config, kafka: StrictKafka, _: Authority, __: Authority) -> Config:
    return at(config, FT_KAFKA=kafka.sasl_ssl)


@pytest.mark.parametrize(
    ("shut_out", "told"),
    [
        (wrong_password, "Authentication failed.*FT_KAFKA_USERNAME"),
        (other_authority, "certificate verify failed.*FT_KAFKA_CA"),
        (other_name, "certificate verify failed.*FT_KAFKA"),
        (no_certificate, "FT_KAFKA_CERTIFICATE"),
        (no_token, "Kafka's token from 127.0.0.1:9"),
        (no_login, "connections were closed.*Does the broker ask for TLS.*FT_KAFKA_SECURITY_PROTOCOL"),
    ],
)
def test_who_is_not_let_in_is_told_why(
    shut_out: Callable[..., Config],
    told: str,
    config: Config,
    kafka: StrictKafka,
    authority: Authority,
    stranger: Authority,
) -> None:
    refused = shut_out(config, kafka, authority, stranger)

    began = time.monotonic()
    with pytest.raises(BrokerUnavailable, match=told) as caught:
        cluster_id(refused)

    assert time.monotonic() - began < 8
    assert "wr0ng" not in str(caught.value)
