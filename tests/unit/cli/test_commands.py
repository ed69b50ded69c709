"""The command line imports what a command needs, and says errors in one message."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ft.access.node_urls import node_url
from ft.config import Config
from ft.errors import ConfigError


def _ft(home: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FT_")}
    return subprocess.run(
        [sys.executable, "-c", "from ft.cli import main; main()", *words],
        env={**inherited, "FT_HOME": str(home), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", [["--help"], ["up", "--help"], ["status", "--help"]])
def test_help_imports_neither_faust_nor_litestar(words: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from ft.cli import commands\n"
        f"commands({words!r}, standalone_mode=False)\n"
        "print(sorted({'faust', 'litestar', 'confluent_kafka', 'psycopg'} & set(sys.modules)), file=sys.stderr)"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert ran.stderr.strip() == "[]"
    assert "Usage" in ran.stdout


def test_every_command_has_a_line_of_help(tmp_path: Path) -> None:
    lines = _ft(tmp_path, "--help").stdout.partition("Commands:\n")[2].splitlines()

    assert {"up", "down", "status", "env"} <= {line.split()[0] for line in lines}
    assert all(len(line.split()) > 1 for line in lines)


def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    ran = _ft(tmp_path, "no-such-command")

    assert ran.returncode == 2
    assert "No such command 'no-such-command'" in ran.stderr


def test_env_without_servers_names_the_remedy(tmp_path: Path) -> None:
    ran = _ft(tmp_path / "home", "env")

    assert ran.returncode == 1
    assert ran.stderr.startswith("ft: FT_KAFKA is not set")
    assert "Run `ft up`" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "home").exists()


def test_env_quotes_for_the_shell(tmp_path: Path) -> None:
    stored = {"FT_KAFKA": "k:1", "FT_POSTGRES": "postgresql://u:a$b'c@h/d", "FT_SCHEMA_REGISTRY": "http://r"}
    (tmp_path / "servers.json").write_text(json.dumps(stored))

    lines = _ft(tmp_path, "env").stdout
    shell = subprocess.run(
        ["sh", "-c", f'{lines}printf "%s\\n" "$FT_KAFKA" "$FT_POSTGRES" "$FT_SCHEMA_REGISTRY"'],
        capture_output=True,
        text=True,
        check=True,
    )

    assert shell.stdout.splitlines() == list(stored.values())


def test_status_and_down_before_any_start_make_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"

    assert _ft(home, "status").stdout.count("stopped") == 3
    assert _ft(home, "down").stdout == "nothing was running\n"
    assert not home.exists()


@pytest.mark.parametrize(
    ("url", "got"),
    [
        ("garbage", "7 characters that do not begin with postgresql://"),
        ("host=127.0.0.1 dbname=ft", "24 characters that do not begin with postgresql://"),
        ("mysql://ft:secret@127.0.0.1/ft", "30 characters that do not begin with postgresql://"),
        ("postgresql://ft:secret@127.0.0.1:port/ft", "the port 'port'"),
        ("postgresql://ft:secret@127.0.0.1:99999/ft", "the port '99999'"),
        ("postgresql://ft:secret?@127.0.0.1/ft", "a port that is no number, or a password with / ? # in it"),
        ("postgresql://ft:sec%ret@127.0.0.1/ft", "one that libpq cannot read: [ without ], or % / ? # @"),
        ("postgresql://ft:secret@[::1/ft", "one that libpq cannot read: [ without ], or % / ? # @"),
        ("postgresql://ft:secret@127.0.0.1/ft?sslmod=verify-full", "the option 'sslmod', which libpq does not have"),
    ],
)
def test_a_database_address_that_is_none_is_refused_by_status_without_being_shown(
    url: str, got: str, tmp_path: Path
) -> None:
    ran = _ft(tmp_path, "status", FT_POSTGRES=url, FT_KAFKA="127.0.0.1:1", FT_SCHEMA_REGISTRY="http://127.0.0.1:1")

    assert ran.returncode == 1
    assert ran.stderr.startswith(
        "ft: FT_POSTGRES: expected a Postgres URL (postgresql://user:password@host:port/database)"
    )
    assert f"got {got}" in ran.stderr
    assert "Set it to one, or unset it" in ran.stderr
    assert "secret" not in ran.stderr + ran.stdout
    assert "sec%ret" not in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ft:p%40ss:w@127.0.0.1:5432/ft?sslmode=disable",
        "postgres://one:5432,two:5433/ft",
        "postgresql://[::1]:5432/ft",
        "postgresql:///ft?host=/var/run/postgresql",
        "postgresql://ft@localhost/ft",
    ],
)
def test_every_usual_address_of_a_database_is_taken(url: str) -> None:
    assert Config.from_env({"FT_POSTGRES": url, "FT_HOME": "/nowhere"}).postgres == url


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("FT_METRICS_PORT", "99999", "FT_METRICS_PORT: expected a whole number of 0 to 65535, got '99999'"),
        ("FT_METRICS_PORT", "²", "FT_METRICS_PORT: expected a whole number of 0 to 65535, got '²'"),
        ("FT_RPC_POLYGON", "http://u:secret@h:99999/k3y", "FT_RPC_POLYGON: expected a URL with a host, and a port of"),
        ("FT_RPC_POLYGON", "http://[bad/k3y", "FT_RPC_POLYGON: expected a URL with a host, and a port of at most"),
        ("FT_RPC_POLYGON", "https:///k3y", "FT_RPC_POLYGON: expected a URL with a host, and a port of at most 65535"),
        ("FT_SCHEMA_REGISTRY", "http://[bad", "FT_SCHEMA_REGISTRY: expected an http or https URL"),
        ("FT_SCHEMA_REGISTRY", "http://u:secret@h:99999", "FT_SCHEMA_REGISTRY: expected an http or https URL"),
        ("FT_SCHEMA_REGISTRY", "registry:8081", "FT_SCHEMA_REGISTRY: expected an http or https URL"),
        ("FT_KAFKA", "one:9092, two:99999", r"FT_KAFKA: expected the bootstrap servers .*, got 'two:99999'"),
        ("FT_KAFKA", "http://one", "FT_KAFKA: expected the bootstrap servers .*, got 'http://one'"),
        ("FT_KAFKA_TOKEN_URL", "https://[bad", "FT_KAFKA_TOKEN_URL: expected an http or https URL, got 12 characters"),
    ],
)
def test_a_port_or_an_address_that_there_cannot_be_is_refused_by_its_setting(name: str, text: str, told: str) -> None:
    oauth = dict.fromkeys(("FT_KAFKA_CLIENT_ID", "FT_KAFKA_CLIENT_SECRET"), "x")
    oauth |= {"FT_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "FT_KAFKA_SASL_MECHANISM": "OAUTHBEARER"}
    with pytest.raises(ConfigError, match=told) as caught:
        Config.from_env({**(oauth if "TOKEN" in name else {}), "FT_HOME": "/nowhere", name: text})

    assert "secret" not in str(caught.value)
    assert "k3y" not in str(caught.value)


@pytest.mark.parametrize("servers", ["one:9092, two:9092", "one", "[::1]:9092", "::1", "127.0.0.1:1,"])
def test_every_usual_address_of_brokers_is_taken(servers: str) -> None:
    assert Config.from_env({"FT_KAFKA": servers, "FT_HOME": "/nowhere"}).kafka == servers


def test_a_typed_option_that_is_no_url_is_told_by_the_option() -> None:
    with pytest.raises(ConfigError, match=r"^--rpc: expected a URL with a host") as caught:
        node_url("http://[bad/k3y", "--rpc")

    assert "k3y" not in str(caught.value)
