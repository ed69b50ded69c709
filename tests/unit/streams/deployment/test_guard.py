"""What a guard believes at once, and what it looks at again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ft.config import Config
from ft.streams.deployment import guard as guard_module
from ft.streams.deployment.comparing import Same
from ft.streams.deployment.guard import Guard
from ft.streams.deployment.identity import BELIEVED, Deployment, OtherDeployment

ME = Deployment(id="me", topic_prefix="p.", cluster_id="mine", epoch=1)
RESTORED = replace(ME, epoch=2)


class Database:
    """Names one deployment, and answers nothing else."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, named: Deployment | None) -> None:
        self.named = named
        self.is_one = True
        monkeypatch.setattr(guard_module, "looking", self._looking)
        monkeypatch.setattr(guard_module, "named_deployment", lambda conn: self.named)
        monkeypatch.setattr(Same, "look", self._compare)

    @contextmanager
    def _looking(self, config: Config) -> Iterator[None]:
        yield None

    def _compare(self, *_: object) -> None:
        if not self.is_one:
            raise OtherDeployment("not of one")


def guard(home: Path) -> Guard:
    return Guard(Config(home=home, cache=home, addresses={}))


def test_another_epoch_than_the_process_began_in_ends_it_at_the_first_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Database(monkeypatch, RESTORED)
    forgotten = guard(tmp_path)
    forgotten.begin(ME)

    with pytest.raises(OtherDeployment, match=r"began in epoch 1 .* got epoch 2 .*: start it again"):
        forgotten.look()


def test_who_was_not_told_what_it_began_in_goes_by_its_first_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(monkeypatch, ME)
    ingesting = guard(tmp_path)
    ingesting.look()
    database.named = RESTORED

    with pytest.raises(OtherDeployment, match="start it again"):
        ingesting.look()


def test_a_database_that_names_none_is_looked_at_again_before_that_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(monkeypatch, None)
    database.is_one = False
    worker = guard(tmp_path)
    worker.begin(ME)

    for _ in range(BELIEVED - 1):
        worker.look()
    with pytest.raises(OtherDeployment, match="not of one"):
        worker.look()


def test_a_deployment_that_gets_its_name_while_a_process_runs_is_the_one_it_began_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(monkeypatch, None)
    worker = guard(tmp_path)
    worker.begin(None)
    database.named = replace(ME, epoch=0)

    worker.look()
