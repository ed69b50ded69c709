"""Schemas under their ids: whether a registry agrees with what was kept, and the file that carries them."""

import json
from typing import Any

import pytest

from ft.errors import SchemaError
from ft.schemas.registered import Registered, compare, contradictions, file_of, of_file


def schema(name: str = "R", *fields: str, **more: object) -> str:
    return json.dumps(
        {
            "type": "record",
            "name": name,
            "namespace": "x",
            "fields": [{"name": f, "type": "int"} for f in fields],
            **more,
        }
    )


A = Registered(id=4, subject="a-value", version=1, schema=schema("A", "one"))
B = Registered(id=5, subject="b-value", version=1, schema=schema("B"))


def test_docs_white_space_and_the_order_of_keys_are_no_difference() -> None:
    said = json.dumps(dict(reversed(json.loads(A.schema).items())) | {"doc": "another"}, indent=8)

    found = compare("url", [A], {4: said}, {})

    assert (found.ids, found.lost, found.different) == (1, (), ())


def test_an_id_that_is_not_known_is_lost_in_each_of_its_subjects() -> None:
    twin = Registered(id=4, subject="c-value", version=1, schema=A.schema)

    found = compare("url", [A, B, twin], {4: None, 5: B.schema}, {})

    assert found.lost == (A, twin)
    assert (found.lost_ids, found.ids, found.different) == ([4], 2, ())


def test_another_record_under_an_id_is_named_with_both() -> None:
    (found,) = compare("url", [A], {4: B.schema}, {}).different

    assert str(found) == "id 4 of a-value: expected x.A, got x.B"


def test_another_form_of_the_same_record_is_told_by_where_it_differs() -> None:
    (found,) = compare("url", [A], {4: schema("A", "two")}, {}).different

    assert (
        str(found) == "id 4 of a-value: expected x.A, got x.A, which differs at fields[0].name: expected one, got two"
    )


def test_a_schema_that_the_registry_has_under_another_id_is_not_lost() -> None:
    found = compare("url", [A], {4: None}, {A: 9})

    assert found.lost == ()
    assert str(found.different[0]) == "id 4 of a-value: expected x.A, got nothing: that schema is its id 9"


def test_something_under_an_id_that_is_no_schema_is_a_difference() -> None:
    (found,) = compare("url", [A], {4: "message M {}"}, {}).different

    assert found.got == "message M {}"


def test_one_id_with_two_meanings_contradicts_itself() -> None:
    other = Registered(id=4, subject="b-value", version=2, schema=B.schema)

    assert [str(each) for each in contradictions([A, B, other])] == [
        "id 4 of a-value: expected x.A, got x.B of b-value"
    ]
    assert contradictions([A, B]) == []


def test_what_is_exported_is_read_again() -> None:
    assert of_file(file_of("me", [B, A]), "f") == ("me", [A, B])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "got no JSON"),
        ("[]", "got no list of schemas"),
        ('{"schemas": {}}', "got no list of schemas"),
        ({"schemas": [{"id": 1}]}, "got no id, subject, version and schema in entry 0"),
        ({"schemas": [{"id": True, "subject": "s", "version": 1, "schema": A.schema}]}, "in entry 0"),
        ({"schemas": [{"id": 0, "subject": "s", "version": 1, "schema": A.schema}]}, "under an id of 1 to 2147483647"),
        ({"schemas": [{"id": 2**31, "subject": "s", "version": 1, "schema": A.schema}]}, "under an id of 1 to"),
        ({"schemas": [{"id": 1, "subject": "s", "version": 1, "schema": "no schema"}]}, "got no schema under an id"),
    ],
)
def test_a_file_that_is_no_export_is_told_what_was_expected(content: Any, why: str) -> None:
    text = content if isinstance(content, str) else json.dumps(content)

    with pytest.raises(SchemaError, match=why) as caught:
        of_file(text, "ids.json")

    assert str(caught.value).startswith("ids.json: expected a file that `ft schemas export` has written")


def test_a_file_with_two_schemas_for_one_id_is_refused() -> None:
    other = Registered(id=4, subject="b-value", version=2, schema=B.schema)

    with pytest.raises(SchemaError, match=r"with one schema an id: id 4 of a-value: expected x\.A, got x\.B"):
        of_file(file_of("me", [A, other]), "f")
