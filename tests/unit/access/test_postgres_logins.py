"""A role's own login of Postgres, and the URL that it makes."""

from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.access.postgres_logins import Login, login_of, url_in_role
from ft.config import Config
from ft.errors import ConfigError

OWNER = "postgresql://ft:0wner@one.example:5432,two.example/ft?sslmode=verify-full"
API = {"FT_POSTGRES_API_USERNAME": "ft_api", "FT_POSTGRES_API_PASSWORD": "s3cret"}


def test_without_a_login_the_owner_takes_the_role() -> None:
    config = Config.from_env({"FT_POSTGRES": OWNER})

    assert config.postgres_as("ft_api") == OWNER + "&options=-c%20role%3Dft_api"


def test_with_a_login_the_owner_does_not_occur() -> None:
    config = Config.from_env({"FT_POSTGRES": OWNER, **API})

    assert config.postgres_as("ft_api") == (
        "postgresql://ft_api:s3cret@one.example:5432,two.example/ft?sslmode=verify-full"
    )
    assert "0wner" in config.postgres_as("ft_writer")
    assert config.environ()["FT_POSTGRES_API_PASSWORD"] == "s3cret"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_password_arrives_as_it_is(password: str) -> None:
    url = url_in_role(OWNER, "ft_api", Login(username="web user", password=password))
    parts = psycopg.conninfo.conninfo_to_dict(url)

    assert (parts["user"], parts["password"], parts["dbname"]) == ("web user", password, "ft")
    assert parts["options"] == "-c role=ft_api"
    assert parts["sslmode"] == "verify-full"


def test_a_half_of_a_login_is_told() -> None:
    with pytest.raises(ConfigError, match=r"FT_POSTGRES_API_USERNAME and .*_PASSWORD: expected both of them or none"):
        Config.from_env({"FT_POSTGRES": OWNER, "FT_POSTGRES_API_USERNAME": "ft_api"})


def test_a_password_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    names = {"FT_POSTGRES_API_USERNAME": "ft_api", "FT_POSTGRES_API_PASSWORD_FILE": str(tmp_path / "password")}

    assert login_of(names, "ft_api") == Login(username="ft_api", password="s3cret")


def test_the_owner_has_no_other_login() -> None:
    assert login_of(API, "ft_migrate") is None


@pytest.mark.parametrize(
    ("said", "role", "told"),
    [
        ("connection refused", "ft_api", "Is it running (`ft status`), and is FT_POSTGRES right?"),
        ('FATAL:  password authentication failed for user "ft"', "", "It refused the login in FT_POSTGRES"),
        ('FATAL:  password authentication failed for user "ft"', "ft_writer", "It refused the login in FT_POSTGRES"),
        ("fe_sendauth: no password supplied", "", "It refused the login in FT_POSTGRES"),
        ('FATAL:  role "web" does not exist', "ft_api", "are FT_POSTGRES_API_USERNAME and FT_POSTGRES_API_PASSWORD"),
        ('FATAL:  password authentication failed for user "ft_api"', "ft_api", "It refused the login 'ft_api': are"),
    ],
)
def test_a_login_that_is_refused_is_told_by_its_settings(said: str, role: str, told: str) -> None:
    found = Config.from_env({"FT_POSTGRES": OWNER, **API}).postgres_remedy(said, role)

    assert told in found
    assert "s3cret" not in found
