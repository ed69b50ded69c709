"""What only the owner may read is so from the first moment."""

import os
from pathlib import Path

from ft.embedded.places import Places, secret, write_private
from ft.embedded.registry import Storage
from ft.embedded.status import without_password


def test_folders_and_secrets_are_the_owners_alone(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        places = Places(tmp_path / "home", tmp_path / "cache")
        places.create()
        word = secret(places.home / "password")
    finally:
        os.umask(previous)

    assert {folder.stat().st_mode & 0o777 for folder in (places.home, places.run, places.cache)} == {0o700}
    assert (places.home / "password").stat().st_mode & 0o777 == 0o600
    assert len(word) == 48


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    assert secret(tmp_path / "password") == secret(tmp_path / "password")


def test_writing_again_leaves_nothing_else_behind(tmp_path: Path) -> None:
    write_private(tmp_path / "file", "one")
    write_private(tmp_path / "file", "two")

    assert (tmp_path / "file").read_text() == "two"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_homes_have_keys_of_their_own(tmp_path: Path) -> None:
    assert Places(tmp_path / "a", tmp_path).key != Places(tmp_path / "b", tmp_path).key


def test_an_address_is_shown_without_its_password() -> None:
    assert without_password("postgresql://ft:hush@h:1/ft") == "postgresql://ft:***@h:1/ft"
    assert without_password("127.0.0.1:9092") == "127.0.0.1:9092"


def test_the_registry_gets_its_database_as_jdbc_wants_it() -> None:
    storage = Storage.at("postgresql://ft:p%40ss@h:1/db?sslmode=require")

    assert storage == Storage("jdbc:postgresql://h:1/db?sslmode=require", "ft", "p@ss")
