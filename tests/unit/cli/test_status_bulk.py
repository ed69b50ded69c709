"""What ft status says of bulk backfills, from rows as Postgres gives them."""

from datetime import date

import pytest

from ft.cli.status_bulk import bulk_lines

JOB = ("polygon", 5, 90)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("filling", 17, 3, None, 0), "bulk: polygon 5-90: filling, next is block 17"),
        (("written", 91, 3, None, 5), "bulk: polygon 5-90: written; the ledger has read it in 5 of 8 partitions"),
        (("indexing", 91, 900, None, 8), "bulk: polygon 5-90: its indexes are built"),
        (("indexing", 91, 900, "not yours [x]", 8), r"[red]bulk: polygon 5-90: not yours \[x][/]"),
    ],
)
def test_a_job_says_how_far_it_is(row: tuple[object, ...], said: str) -> None:
    assert list(bulk_lines([(*JOB, *row)], [], [], partitions=8)) == [said]


def test_a_job_that_nobody_fills_says_what_to_do() -> None:
    (line,) = bulk_lines([(*JOB, "filling", 17, 40, None, 0)], [], [], partitions=8)

    assert "stopped before block 17, 40 s ago; nothing is announced meanwhile" in line
    assert "`ft ingest polygon --from 5 --to 90 --bulk` again, or close it with --abandon" in line


def test_bare_months_and_the_index_that_is_built_are_named() -> None:
    months = [(date(2021, month, 1),) for month in range(1, 9)]

    said = list(bulk_lines([], months, [("events_202101_tx", "building index", 40), ("", "initializing", None)],
                           partitions=8))  # fmt: skip

    bare = (
        "months without indexes: 2021-01 2021-02 2021-03 2021-04 2021-05 2021-06 and 2 more "
        "(their histories answer 503 range_not_indexed)"
    )
    assert said == [
        bare,
        "index events_202101_tx: building index, 40 %",
        "index : initializing",
    ]
