"""The registry over TLS with a login, by both of the clients that ft runs."""

from pathlib import Path

import pytest

from ft.config import Config
from ft.streams.kafka.registry import Registry
from ft.streams.kafka.registry_errors import RegistryUnavailable
from ft.streams.kafka.registry_ids import Ids
from tests.certificates import Authority
from tests.integration.access.conftest import at
from tests.integration.access.guarded import PASSWORD, TOKENS, USERNAME, Guarded

NAME = {"FT_SCHEMA_REGISTRY_USERNAME": USERNAME, "FT_SCHEMA_REGISTRY_PASSWORD": PASSWORD}
SCHEMA = '{"type": "record", "name": "Guarded", "fields": []}'


def registered(config: Config, subject: str) -> int:
    """By the one client, and asked for by the other."""
    with Registry(config.schema_registry, config.registry_security) as registry:
        schema_id = registry.register(subject, SCHEMA)
    with Ids(config.schema_registry, config.registry_security) as ids:
        assert [row.id for row in ids.versions(subject)] == [schema_id]
    return schema_id


def test_a_name_and_a_password_let_both_in(config: Config, registry: Guarded, authority: Authority) -> None:
    guarded = at(config, FT_SCHEMA_REGISTRY=registry.url, FT_SCHEMA_REGISTRY_CA=str(authority.file), **NAME)

    assert registered(guarded, f"{config.topic_prefix}name-value") > 0
    assert {words.split()[0] for words in registry.came if words} == {"Basic"}


def test_a_token_that_is_renewed_lets_both_in(
    config: Config, registry: Guarded, authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    settings = {"FT_SCHEMA_REGISTRY_CA": str(authority.file), "FT_SCHEMA_REGISTRY_TOKEN_FILE": str(file)}
    file.write_text(TOKENS[0])
    guarded = at(config, FT_SCHEMA_REGISTRY=registry.url, **settings)
    with Registry(guarded.schema_registry, guarded.registry_security) as asked:
        first = asked.register(f"{config.topic_prefix}token-value", SCHEMA)
        file.write_text(TOKENS[1])
        assert asked.schema(first)["name"] == "Guarded"
    with Ids(guarded.schema_registry, guarded.registry_security) as ids:
        assert ids.versions(f"{config.topic_prefix}token-value")

    assert registry.came.keys() == {f"Bearer {token}" for token in TOKENS}


def test_who_is_not_let_in_is_told_so(
    config: Config, registry: Guarded, authority: Authority, stranger: Authority
) -> None:
    place = {"FT_SCHEMA_REGISTRY": registry.url, "FT_SCHEMA_REGISTRY_CA": str(authority.file)}
    wrong = {**place, **NAME, "FT_SCHEMA_REGISTRY_PASSWORD": "wr0ng"}
    for settings, told in (
        (place, "401.*FT_SCHEMA_REGISTRY_USERNAME"),
        (wrong, "401.*FT_SCHEMA_REGISTRY_USERNAME"),
        ({**place, **NAME, "FT_SCHEMA_REGISTRY_CA": str(stranger.file)}, "CERTIFICATE_VERIFY_FAILED"),
    ):
        shut_out = at(config, **settings)
        with (
            Registry(shut_out.schema_registry, shut_out.registry_security) as asked,
            pytest.raises(RegistryUnavailable, match=told) as by_one,
        ):
            asked.schema(1)
        with (
            Ids(shut_out.schema_registry, shut_out.registry_security) as ids,
            pytest.raises(RegistryUnavailable, match=told) as by_other,
        ):
            ids.versions("any")
        assert "wr0ng" not in f"{by_one.value} {by_other.value}"
