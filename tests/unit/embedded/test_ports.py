"""Ports are chosen once and kept, unless a stranger sits on one."""

import socket
import threading
from pathlib import Path

import pytest

from ft.embedded import ports
from ft.embedded.places import Places
from ft.errors import ServerError

ALL = frozenset(ports.NAMES)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "home", tmp_path / "cache")
    places.create()
    return places


def test_ports_are_remembered(places: Places) -> None:
    first = ports.choose(places, ALL, print)

    assert ports.choose(places, ALL, print) == first == ports.remembered(places)
    assert len(set(first.values())) == len(ports.NAMES)


def test_a_port_taken_by_a_stranger_is_replaced_and_said(places: Places) -> None:
    said: list[str] = []
    first = ports.choose(places, ALL, said.append)

    with socket.create_server(("127.0.0.1", first["kafka"])):
        second = ports.choose(places, ALL, said.append)

    assert second["kafka"] != first["kafka"]
    assert {name: second[name] for name in ALL - {"kafka"}} == {name: first[name] for name in ALL - {"kafka"}}
    assert said == [f"port {first['kafka']} (kafka) is taken by another program: using {second['kafka']} from now on"]


def test_the_port_of_a_running_server_is_kept(places: Places) -> None:
    first = ports.choose(places, ALL, print)

    with socket.create_server(("127.0.0.1", first["kafka"])):
        assert ports.choose(places, ALL - {"kafka"}, print) == first


def test_a_broken_file_of_ports_names_the_remedy(places: Places) -> None:
    (places.run / "ports.json").write_text("[")

    with pytest.raises(ServerError, match=r"ports\.json cannot be read .* Delete it"):
        ports.remembered(places)


def test_a_port_that_gets_free_in_a_moment_is_kept(places: Places) -> None:
    said: list[str] = []
    first = ports.choose(places, ALL, said.append)
    leaving = socket.create_server(("127.0.0.1", first["registry"]))
    threading.Timer(0.2, leaving.close).start()

    assert ports.choose(places, ALL, said.append) == first
    assert said == []
