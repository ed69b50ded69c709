"""Which contracts are listed at a place of the raw log."""

from ft.agents.normalize.contracts import NO_CONTRACTS, contracts_of

A, B, C = ("0x" + letter * 40 for letter in "abc")


def test_a_contract_is_listed_from_its_offset_on() -> None:
    contracts = contracts_of([(A, "id_in_data", 0), (B, "all_in_data", 10)], next_offset=50)

    assert [set(contracts.at(offset).layouts) for offset in (0, 9, 10, 60)] == [{A}, {A}, {A, B}, {A, B}]
    assert contracts.fresh == ()


def test_one_that_nobody_has_read_is_listed_from_the_next_record_on() -> None:
    contracts = contracts_of([(A, "id_in_data", 0), (C, "cryptopunks", None)], next_offset=50)

    assert set(contracts.at(49).layouts) == {A}
    assert set(contracts.at(50).layouts) == {A, C}
    assert contracts.at(49).topics == frozenset()
    assert contracts.at(50).topics
    assert contracts.fresh == (C,)


def test_nothing_is_listed_of_a_network_without_such_contracts() -> None:
    assert contracts_of([], next_offset=7).at(7) == NO_CONTRACTS.at(7)
    assert NO_CONTRACTS.at(7).layouts == {}
