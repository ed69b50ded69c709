"""Work on Postgres is done again after errors that pass, and only then."""

import psycopg
import pytest

from ft.errors import DatabaseError, DatabaseUnavailable
from ft.sql.session import again


class Work:
    """Raises the errors in their order, then returns how often it was done."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.done = 0

    async def __call__(self) -> int:
        self.done += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.done


async def test_passing_errors_are_told_and_the_work_is_done_again() -> None:
    told: list[tuple[int, str]] = []
    work = Work(psycopg.OperationalError("lost"), DatabaseUnavailable("away"))

    assert await again(work, (0.0, 0.0), lambda attempt, error: told.append((attempt, str(error)))) == 3
    assert told == [(0, "Postgres gave up a transaction: lost"), (1, "away")]


async def test_after_the_last_pause_the_error_is_raised() -> None:
    work = Work(*[DatabaseUnavailable("away")] * 9)

    with pytest.raises(DatabaseUnavailable):
        await again(work, (0.0, 0.0))

    assert work.done == 3


@pytest.mark.parametrize("error", [psycopg.DataError("refused"), DatabaseError("refused")])
async def test_other_errors_are_raised_at_once_as_ours(error: Exception) -> None:
    work = Work(error)

    with pytest.raises(DatabaseError, match="refused"):
        await again(work, (0.0, 0.0))

    assert work.done == 1
