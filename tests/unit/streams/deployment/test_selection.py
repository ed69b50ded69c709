"""Which selections of agents may run beside each other."""

import pytest

from ft.streams.deployment.selection import Living, overlapping

ALL = "ledger,normalize,project,publisher"


@pytest.mark.parametrize(
    ("mine", "theirs", "overlaps"),
    [
        (ALL, ALL, False),
        (ALL, "project", True),
        ("project", ALL, True),
        ("normalize", "project", False),
        ("ledger,normalize", "normalize,project", True),
        ("ledger,publisher", "ledger,publisher", False),
    ],
)
def test_workers_of_equal_selections_and_of_disjoint_ones_may_run_together(
    mine: str, theirs: str, overlaps: bool
) -> None:
    other = Living("host:1:2", theirs, 1.0, 2.0)

    assert overlapping(frozenset(mine.split(",")), [other]) == ([other] if overlaps else [])
