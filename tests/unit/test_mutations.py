"""The list of errors that the suite must see still fits the tree."""

import ast
from collections import Counter

import pytest

from tests.mutations.all import MUTATIONS
from tests.mutations.mutation import CHECKOUT, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_still_fits_the_tree(mutation: Mutation) -> None:
    text = (CHECKOUT / mutation.path).read_text()

    mutated = mutation.mutated(text)

    assert mutated != text
    if mutation.path.endswith(".py"):
        ast.parse(mutated)
    assert [test for test in mutation.tests if not (CHECKOUT / test).is_file()] == []


def test_each_mutation_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(mutation.name for mutation in MUTATIONS).items() if count > 1] == []


def test_a_mutation_whose_text_is_gone_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="expected its text once, found it 0 times"):
        MUTATIONS[0].mutated("")
