"""ft up, down, status and env: what they leave behind, whoever dies meanwhile."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ft import embedded, postgres_programs
from ft.config import ADDRESSES, Config
from ft.embedded import ports, processes
from ft.embedded.places import Places
from ft.embedded.postgres import Postgres
from ft.embedded.progress import Quiet
from ft.errors import ServerError
from ft.sql.migrate import migrate
from tests.deployments import fresh_database
from tests.integration.embedded.conftest import Ft

NAMES = ["kafka", "postgres", "registry"]
LOGINS = [f"FT_KAFKA_{of}" for of in ("PASSWORD", "SASL_MECHANISM", "SECURITY_PROTOCOL", "USERNAME")]
LOGINS += [f"FT_POSTGRES_{role}_{of}" for role in ("API", "WRITER") for of in ("PASSWORD", "USERNAME")]


def _states(config: Config) -> dict[str, str]:
    return {server.name: server.state for server in embedded.describe(config)}


def _pids(config: Config) -> dict[str, int]:
    return {server.name: server.pid for server in embedded.describe(config) if server.pid}


def _finish(process: "subprocess.Popen[str]") -> str:
    """What a command printed on stdout; it must have succeeded."""
    return _told(process)[0]


def _told(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """What a command printed on stdout and on stderr; it must have succeeded."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out, err


def _lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and processes.is_alive(psutil.Process(pid))


def _kill(pid: int) -> None:
    process = psutil.Process(pid)
    process.kill()
    deadline = time.monotonic() + 20
    while _lives(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _write_everywhere(config: Config) -> None:
    """One record in the log, one row in the database, one schema in the registry."""
    admin = AdminClient(config.kafka_client)
    for created in admin.create_topics([NewTopic("kept", 1)]).values():
        created.result(20)
    producer = Producer({**config.kafka_client, "acks": "all"})
    producer.produce("kept", b"a record", partition=0)
    assert producer.flush(20) == 0
    with psycopg.connect(config.postgres) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'a row' AS what")
    body = json.dumps({"schema": '"string"'}).encode()
    _registry(config, "/subjects/kept/versions", body)


def _read_everywhere(config: Config) -> tuple[bytes | None, str, list[object]]:
    consumer = Consumer({**config.kafka_client, "group.id": "reader", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition("kept", 0, 0)])
        message = consumer.poll(20)
        assert message is not None
        record = message.value()
    finally:
        consumer.close()
    with psycopg.connect(config.postgres) as connection:
        row = connection.execute("SELECT what FROM kept").fetchone()
    assert row is not None
    return record, row[0], _registry(config, "/subjects/kept/versions")


KEPT = (b"a record", "a row", [1])


def _registry(config: Config, path: str, body: bytes | None = None) -> list[object]:
    request = urllib.request.Request(config.schema_registry + path, data=body)
    request.add_header("Content-Type", "application/vnd.schemaregistry.v1+json")
    with urllib.request.urlopen(request, timeout=20) as answer:
        found: list[object] = json.load(answer)
    return found


@pytest.fixture(scope="session")
def filled(home: Config) -> Config:
    """The home, once something was written to each server."""
    _write_everywhere(embedded.start(home))
    return home


def test_up_status_env_down_tell_the_same_story(home: Config, ft: Ft) -> None:
    assert "started" in _finish(ft("up")) or _states(home)["kafka"] == "running"
    assert _finish(ft("up")).startswith("already running\n")

    env = dict(line.removeprefix("export ").split("=", 1) for line in _finish(ft("env")).splitlines())
    stored = json.loads((home.home / "servers.json").read_text())
    status = _finish(ft("status")).splitlines()

    assert list(env) == [*ADDRESSES, *LOGINS]
    assert {name: stored[name] for name in env} == env
    assert stored["pids"] == _pids(home)
    assert [line.split()[:2] for line in status[1:4]] == [[name, "running"] for name in NAMES]
    assert str(home.home / "logs" / "kafka.log") in status[1]
    assert str((home.home / "postgres").resolve()) in status[2]

    out, err = _told(ft("down"))
    stopping = [line for line in err.splitlines() if line.startswith("stopping")]

    assert out == "stopped kafka, postgres, registry\n"
    assert set(stopping) == {f"stopping {name} (pid {pid})" for name, pid in stored["pids"].items()}
    assert "postgres" in stopping[-1]
    assert _states(home) == dict.fromkeys(NAMES, "stopped")
    assert not (home.home / "servers.json").exists()
    assert not any(_lives(pid) for pid in stored["pids"].values())


def test_nothing_listens_beyond_loopback(running: Config) -> None:
    listening = {
        (name, connection.laddr.ip)
        for name, pid in _pids(running).items()
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
        for connection in process.net_connections("all")
        if connection.status == psutil.CONN_LISTEN
    }

    assert {name for name, _ in listening} == set(NAMES)
    assert {ip.removeprefix("::ffff:") for _, ip in listening} == {"127.0.0.1"}


def test_only_the_owner_reads_the_home(running: Config) -> None:
    places = Places.of(running)
    folders = {path for path in places.home.iterdir() if path.is_dir()}

    assert {path.name for path in folders} >= {"kafka", "postgres", "registry", "logs", "run", "secrets"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    assert stat.S_IMODE(places.home.stat().st_mode) == 0o700
    for file in (
        places.servers_file,
        places.run / "announced.json",
        *(places.home / "secrets").iterdir(),
        *(places.home / "logs").iterdir(),
    ):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_postgres_wants_the_password(running: Config) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(running.postgres.replace("ft:", "ft:x", 1), connect_timeout=5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for Postgres")
def test_root_runs_postgres_as_somebody_without_rights(running: Config) -> None:
    data = running.home / "postgres"
    uid = psutil.Process(_pids(running)["postgres"]).uids().real

    assert uid != 0
    assert data.is_symlink()
    assert data.stat().st_uid == uid
    assert running.home.stat().st_mode & 0o777 == 0o700
    assert running.home.stat().st_uid == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_server_comes_back_with_its_data(name: str, filled: Config) -> None:
    config = embedded.start(filled)
    before = _pids(config)
    _kill(before[name])
    assert _states(config)[name] == "stopped"

    config = embedded.start(filled)

    after = _pids(config)
    assert after.pop(name) != before.pop(name)
    assert after == before
    assert _read_everywhere(config) == KEPT


def test_all_killed_at_once_come_back_with_their_data(filled: Config) -> None:
    for pid in _pids(embedded.start(filled)).values():
        _kill(pid)

    assert _read_everywhere(embedded.start(filled)) == KEPT


def test_an_up_that_is_killed_leaves_nothing_in_the_way(filled: Config, ft: Ft) -> None:
    embedded.stop(filled)
    starting = ft("up")
    assert starting.stderr is not None
    for line in starting.stderr:
        if line.startswith("starting kafka"):
            break
    starting.send_signal(signal.SIGKILL)
    starting.communicate(timeout=20)

    config = embedded.start(filled)

    assert _read_everywhere(config) == KEPT
    assert json.loads((config.home / "servers.json").read_text())["pids"] == _pids(config)


def test_two_ups_at_once_start_one_set(filled: Config, ft: Ft) -> None:
    embedded.stop(filled)

    said = sorted(_finish(process).partition("\n")[0] for process in (ft("up"), ft("up")))

    assert set(said) <= {"already running", "started kafka, postgres, registry"}
    mine = [p.pid for p in psutil.process_iter() if _mentions(p, f"{filled.home}/")]
    assert sorted(mine) == sorted(pid for name, pid in _pids(filled).items() if name != "postgres")
    assert _states(filled) == dict.fromkeys(NAMES, "running")


def _mentions(process: psutil.Process, text: str) -> bool:
    try:
        return any(text in word for word in process.cmdline())
    except psutil.Error:
        return False


@pytest.fixture
def strangers(filled: Config) -> Iterator[list[str]]:
    """Every port of the stopped home is taken by somebody else."""
    embedded.stop(filled)
    taken = [socket.create_server(("127.0.0.1", port)) for port in ports.remembered(Places.of(filled)).values()]
    yield [f"127.0.0.1:{stranger.getsockname()[1]}" for stranger in taken]
    for stranger in taken:
        stranger.close()


def test_ports_that_strangers_took_are_replaced_and_said(filled: Config, strangers: list[str], ft: Ft) -> None:
    process = ft("up")
    _, said = process.communicate(timeout=120)
    config = embedded.start(filled)

    assert process.returncode == 0, said
    assert said.count("is taken by another program: using") == len(ports.NAMES)
    assert config.kafka not in strangers
    assert _read_everywhere(config) == KEPT


def test_a_second_home_runs_beside_with_only_what_the_environment_does_not_name(
    running: Config, new_home: Callable[..., Config]
) -> None:
    before = _pids(running)
    named = {"FT_KAFKA": running.kafka, "FT_POSTGRES": running.postgres}
    second = new_home(**named)

    started = embedded.start(second)

    assert {name: started.addresses[name] for name in named} == named
    assert _states(started) == {"kafka": "external", "postgres": "external", "registry": "running"}
    _registry(started, "/subjects/second/versions", json.dumps({"schema": '"int"'}).encode())
    assert _registry(started, "/subjects") == ["second"]
    assert embedded.stop(second) == ["registry"]
    assert _pids(running) == before


def test_our_own_addresses_in_the_environment_are_not_somebody_elses(running: Config) -> None:
    embedded.stop(running)

    again = embedded.start(replace(running, addresses=dict(running.addresses)))

    assert again.addresses == running.addresses
    assert _states(again) == dict.fromkeys(NAMES, "running")


def test_deleting_the_data_leaves_no_trace(new_home: Callable[..., Config], running: Config) -> None:
    kafka_and_registry = {"FT_KAFKA": running.kafka, "FT_SCHEMA_REGISTRY": running.schema_registry}
    third = new_home(**kafka_and_registry)
    embedded.start(third)
    data = (third.home / "postgres").resolve()
    assert data.exists()

    embedded.remove(third)

    assert not data.exists()
    assert [path for path in third.home.iterdir() if path.name != "cache"] == []


def test_a_server_that_cannot_start_shows_its_log(new_home: Callable[..., Config], running: Config) -> None:
    named = {"FT_POSTGRES": running.postgres, "FT_SCHEMA_REGISTRY": running.schema_registry}
    broken = replace(new_home(**named), kafka_jvm="-Xmx256m -XX:NoSuchOption")

    with pytest.raises(ServerError, match="NoSuchOption"):
        embedded.start(broken)


def test_a_home_deleted_under_its_servers_begins_anew(new_home: Callable[..., Config]) -> None:
    home = new_home()
    first = embedded.start(home)
    pids = _pids(first)
    _write_everywhere(first)
    shutil.rmtree(first.home)

    second = embedded.start(home)

    assert not any(_lives(pid) for pid in pids.values())
    assert _registry(second, "/subjects") == []
    with psycopg.connect(second.postgres) as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
    assert AdminClient(second.kafka_client).list_topics(timeout=20).topics.keys() <= {"__consumer_offsets"}


def test_a_home_of_an_earlier_version_gets_its_logins(running: Config) -> None:
    """Its Kafka let everybody in, and its roles had no logins: Kafka is started anew, and the roles get theirs."""
    places = Places.of(running)
    postgres = Postgres(places, ports.remembered(places), Quiet())
    properties = places.data("kafka") / "server.properties"
    with psycopg.connect(postgres.url("postgres", "ft"), autocommit=True) as admin:
        admin.execute("ALTER ROLE ft_api NOLOGIN")
        admin.execute("GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC")
    postgres.set_up_mark.unlink()
    properties.write_text(properties.read_text().replace("user_ft", "user_before"))
    before = _pids(running)

    again = embedded.start(running)

    assert {name for name, pid in _pids(again).items() if pid != before[name]} == {"kafka"}
    assert AdminClient(again.kafka_client).list_topics(timeout=20).brokers
    with psycopg.connect(again.postgres_as("ft_api"), autocommit=True) as conn:
        assert conn.execute("SELECT session_user").fetchone() == ("ft_api",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT lo_create(0)")


def test_a_dump_of_a_deployment_is_put_back_by_pg_restore_as_the_login_that_owns_it(
    running: Config, tmp_path: Path
) -> None:
    """Also in a home of an earlier version, whose extensions had comments that only a superuser may make."""
    places = Places.of(running)
    postgres = Postgres(places, ports.remembered(places), Quiet())
    for database in ("template1", "ft"):
        with psycopg.connect(postgres.url("postgres", database), autocommit=True) as admin:
            admin.execute("COMMENT ON EXTENSION vector IS 'vector data type'")
    postgres.set_up_mark.unlink()
    again, dump = embedded.start(running), str(tmp_path / "dump")

    with fresh_database(again.postgres) as source, fresh_database(again.postgres) as target:
        migrate(source, replace(again, addresses={**again.addresses, "FT_POSTGRES": source}))
        postgres_programs.run("pg_dump", source, ["--format=custom", f"--file={dump}"])
        postgres_programs.run("pg_restore", target, ["--exit-on-error", dump])

        counted = "SELECT count(*) FROM pg_class WHERE relnamespace = ANY('{ledger,projection,system}'::regnamespace[])"
        with psycopg.connect(source) as before, psycopg.connect(target) as after:
            assert after.execute(counted).fetchone() == before.execute(counted).fetchone()
    with psycopg.connect(again.postgres) as ours:
        described = "SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'vector'"
        assert ours.execute(described).fetchone() == (None,)


def test_vectors_are_there_for_the_role_without_rights(running: Config) -> None:
    with psycopg.connect(running.postgres) as connection:
        assert connection.execute("SELECT '[3,4]'::vector <-> '[0,0]'").fetchone() == (5.0,)


def test_a_record_of_64_mib_passes(filled: Config) -> None:
    config = embedded.start(filled)
    size = 63 << 20
    limits = {"message.max.bytes": 64 << 20, "compression.type": "none"}
    producer = Producer({**config.kafka_client, **limits})
    failures: list[object] = []
    producer.produce("kept", bytes(size), partition=0, on_delivery=lambda error, _: failures.append(error))

    assert producer.flush(60) == 0
    assert failures == [None]
