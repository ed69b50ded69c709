"""What ft status says of ranges that were read before a contract was listed."""

from ft.cli.status_contracts import contract_lines


def test_a_range_is_named_with_what_it_misses_and_what_to_do() -> None:
    (line,) = contract_lines([("ethereum", 5, 90, ["Axie Infinity", "0xab"])])

    assert "ethereum 5-90 was read before these were listed: Axie Infinity, 0xab." in line
    assert "`ft replace ethereum --from 5 --to 90`" in line


def test_a_long_list_is_cut() -> None:
    (line,) = contract_lines([("ethereum", 5, 90, list("abcdefg"))])

    assert "a, b, c, d and 3 more." in line


def test_nothing_is_said_where_nothing_is_missing() -> None:
    assert list(contract_lines([])) == []
