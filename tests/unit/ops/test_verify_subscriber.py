"""The subscriber of ft verify: the public rule, on random histories with reorgs and older blocks at any time."""

from random import Random

import pytest

from ft.ops.verify.subscriber import Holdings
from ft.schemas.events import to_record
from ft.schemas.ids import NO_ACCOUNTS
from tests.synthetic.changes import history, recount


@pytest.mark.parametrize("seed", range(40))
def test_records_come_to_what_a_recount_gives(seed: int) -> None:
    made, holdings = history(Random(seed)), Holdings()

    for record in made.records:
        holdings.follow(to_record(record))

    visible = {row[:4]: (row[4], row[5]) for row in holdings.rows() if row[5] > 0 and row[4] not in NO_ACCOUNTS}
    assert visible == recount(made)["holdings"], f"seed {seed}"
