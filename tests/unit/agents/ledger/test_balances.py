"""What a balance stands on, by the newest events of its account: taken only where no older one can say otherwise."""

import pytest

from ft.agents.ledger.balances import Side, Stands, near

NONE = Side(None, whole=True, lowest=None)


def side(found: int | None, *, lowest: int, whole: bool = False) -> Side:
    """``found``: block of the balance's newest."""
    return Side(None if found is None else [found, 2, 0], whole, lowest)


@pytest.mark.parametrize(
    ("came", "went", "expected"),
    [
        (NONE, NONE, Stands(-1, -1, -1, -1)),
        (side(7, lowest=3), NONE, Stands(70, 7, 2, 0)),
        (side(7, lowest=7, whole=True), side(9, lowest=9, whole=True), Stands(70, 9, 2, 0)),
        (NONE, side(9, lowest=4), Stands(-1, 9, 2, 0)),
        (side(7, lowest=3), side(None, lowest=6), Stands(70, 7, 2, 0)),
    ],
)
def test_what_lies_above_all_that_was_not_looked_at_is_taken(came: Side, went: Side, expected: Stands) -> None:
    assert near(came, 70 if came.found else None, went) == expected


@pytest.mark.parametrize(
    ("came", "went"),
    [
        (side(None, lowest=3), NONE),
        (side(7, lowest=7), NONE),
        (side(7, lowest=3), side(None, lowest=7)),
        (side(None, lowest=3), side(9, lowest=4)),
        (NONE, side(None, lowest=3)),
        (NONE, side(4, lowest=4)),
    ],
)
def test_where_an_older_event_may_be_the_balances_newest_it_is_asked_for(came: Side, went: Side) -> None:
    assert near(came, 70 if came.found else None, went) is None
