"""The settings that log in to the schema registry."""

from pathlib import Path

import pytest

from ft.access.registry_security import RegistrySecurity
from ft.errors import ConfigError

BASIC = {"FT_SCHEMA_REGISTRY_USERNAME": "worker", "FT_SCHEMA_REGISTRY_PASSWORD": "s3cret"}
TOKEN = "FT_SCHEMA_REGISTRY_TOKEN"


def test_nothing_set_shows_nothing() -> None:
    assert RegistrySecurity.from_env({"FT_SCHEMA_REGISTRY": "http://registry:8081"}).confluent() == {}


def test_a_name_and_a_password_are_shown() -> None:
    security = RegistrySecurity.from_env(BASIC)

    assert security.confluent() == {"basic.auth.user.info": "worker:s3cret"}
    assert "s3cret" not in repr(security)


def test_a_token_in_a_file_is_read_when_it_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    security = RegistrySecurity.from_env({f"{TOKEN}_FILE": str(file)})
    fields = security.confluent()["bearer.auth.custom.provider.function"]

    assert fields({})["bearer.auth.token"] == security.bearer() == "first"
    file.write_text("second\n")
    assert fields({})["bearer.auth.token"] == security.bearer() == "second"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"FT_SCHEMA_REGISTRY_USERNAME": "worker"}, "expected both of them or none"),
        ({**BASIC, TOKEN: "s3cret"}, f"FT_SCHEMA_REGISTRY_USERNAME and {TOKEN} are set: expected one"),
        ({TOKEN: "s3cret", f"{TOKEN}_FILE": "/no/such"}, "are set: expected one of them"),
        ({f"{TOKEN}_FILE": "/no/such"}, "expected a file that can be read, got /no/such"),
        ({"FT_SCHEMA_REGISTRY": "https://worker:s3cret@registry"}, "expected a URL without name and password"),
        ({"FT_SCHEMA_REGISTRY": "http://registry", "FT_SCHEMA_REGISTRY_CA": "/ca"}, "is no https URL"),
    ],
)
def test_what_cannot_be_used_is_told(given: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        RegistrySecurity.from_env(given)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "nothing of the kind"])
def test_a_file_without_certificates_is_told(content: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"^FT_SCHEMA_REGISTRY_CA: .*ca.pem: expected certificates of authorities"):
        RegistrySecurity.from_env({"FT_SCHEMA_REGISTRY": "https://registry", "FT_SCHEMA_REGISTRY_CA": str(file)})
