"""Queries are kept to the months that may be read, or refused."""

import pytest

from ft.api.http.month_range import BareRow, Span

BETWEEN = BareRow(months=[], time_from="-infinity", time_to="2024-02-01")


def test_a_query_of_the_journal_is_kept_to_the_months_of_the_span() -> None:
    query = "SELECT * FROM projection.transfers t WHERE t.network = %(network)s"

    assert Span(None).of(query) == query
    assert "block_time < %(time_to)s" in Span(BETWEEN).of(query)


@pytest.mark.parametrize("span", [Span(None), Span(BETWEEN)])
def test_a_query_that_cannot_be_kept_to_months_is_refused(span: Span) -> None:
    with pytest.raises(ValueError, match="expected a query that reads the journal"):
        span.of("SELECT * FROM projection.transfers AS t")
