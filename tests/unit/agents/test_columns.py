"""Array literals, as Postgres reads them."""

from uuid import UUID

from ft.agents.columns import array, columns


def test_every_value_is_quoted() -> None:
    assert array(["a", 2**256, True, UUID(int=0)]) == (
        f'{{"a","{2**256}","True","00000000-0000-0000-0000-000000000000"}}'
    )


def test_quotes_and_backslashes_stay_inside_their_element() -> None:
    assert array(['a","b', "c\\", "{d}"]) == '{"a\\",\\"b","c\\\\","{d}"}'


def test_no_values_are_an_empty_array() -> None:
    assert array([]) == "{}"


def test_an_empty_text_is_not_an_empty_array() -> None:
    assert array([""]) == '{""}'


def test_rows_become_one_array_a_column() -> None:
    assert columns(("a", "b"), [(1, "x"), (2, "y")]) == {"a": '{"1","2"}', "b": '{"x","y"}'}


def test_without_rows_there_is_nothing_to_write() -> None:
    assert columns(("a",), []) == {}
