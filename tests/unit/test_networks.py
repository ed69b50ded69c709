"""What a network's configuration says of its finality, its contracts and its transactions' hashes."""

from pathlib import Path

import pytest

from ft.contracts import LAYOUTS
from ft.errors import ConfigError
from ft.networks import Mark, Network, load_networks

AXIES = "0xf5b0a3efb8e8e4c201e2a935f110eaaf3ffecb8d"
MINE = "0x" + "Ab" * 20


def load(tmp_path: Path, text: str) -> dict[str, Network]:
    file = tmp_path / "networks.toml"
    file.write_text(text)
    return load_networks(file)


def test_the_shipped_contracts_are_many_and_each_names_its_source() -> None:
    shipped = load_networks()["ethereum"].contracts

    assert len(shipped) >= 20
    assert [address for address, each in shipped.items() if not each.name or not each.source] == []
    assert shipped[AXIES].layout == "id_in_data"
    assert {each.layout for each in shipped.values()} <= LAYOUTS.keys()


def test_a_network_of_the_same_chain_has_the_shipped_contracts_too(tmp_path: Path) -> None:
    networks = load(tmp_path, f'[mine]\nchain_id = 1\n[mine.contracts]\n"{MINE}" = "id_in_topic"\n')

    assert networks["mine"].contracts.keys() == networks["ethereum"].contracts.keys() | {MINE.lower()}


def test_an_entry_of_the_file_stands_above_the_shipped_one(tmp_path: Path) -> None:
    table = f'[ethereum]\nchain_id = 1\n[ethereum.contracts]\n"{AXIES}" = {{ layout = "none", source = "mine" }}\n'

    assert load(tmp_path, table)["ethereum"].contracts[AXIES].layout == "none"


@pytest.mark.parametrize("chain", ["chain_id = 5\n", ""])
def test_a_network_of_another_chain_has_none_of_them(tmp_path: Path, chain: str) -> None:
    assert load(tmp_path, f"[mine]\n{chain}")["mine"].contracts == {}


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (f'"{MINE}" = "id_in_mind"', "layout: expected one of all_in_data, id_in_data"),
        (f'"{MINE}" = {{ name = "Mine" }}', "layout: expected one of all_in_data, id_in_data.*got None"),
        (f'"{MINE}" = 7', "expected a layout, or a table with one, got 7"),
        (f'"{MINE}" = {{ layout = "none", note = "x" }}', "expected the keys layout, name, source, got note"),
        (f'"{MINE}" = {{ layout = "none", name = 7 }}', "name: expected text, got 7"),
        (
            f'"{MINE}" = "none"\n"{MINE.lower()}" = "id_in_data"',
            "expected each address once.*two spellings",
        ),
        ('"0x12" = "none"', "expected an address of 0x and 40 hex digits, got '0x12'"),
    ],
)
def test_an_entry_that_is_none_is_refused_with_its_place(tmp_path: Path, entry: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=rf"network 'mine': contracts.*{complaint}"):
        load(tmp_path, f"[mine]\n[mine.contracts]\n{entry}\n")


@pytest.mark.parametrize(
    "setting", ["logs_window = 0", "batch_max = 0", "block_time_s = 0", "block_time_s = nan", "block_time_s = inf"]
)
def test_what_must_be_above_zero_is_refused_where_it_is_not(tmp_path: Path, setting: str) -> None:
    name, _, value = setting.partition(" = ")

    with pytest.raises(ConfigError, match=rf"network 'mine': {name}: expected a number above 0, got {value}"):
        load(tmp_path, f"[mine]\n{setting}\n")


def test_contracts_that_are_no_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="contracts: expected a table of addresses"):
        load(tmp_path, "[mine]\ncontracts = [1]\n")


def test_hashes_may_come_twice_unless_a_network_says_that_they_do_not(tmp_path: Path) -> None:
    networks = load(tmp_path, "[mine]\n[yours]\ntransaction_hashes_repeat = false\n")

    assert (networks["mine"].transaction_hashes_repeat, networks["yours"].transaction_hashes_repeat) == (True, False)
    built_in = {slug for slug, each in load_networks().items() if each.transaction_hashes_repeat}
    assert built_in == {"optimism", "cronos"}


@pytest.mark.parametrize(
    ("finality", "depths"),
    [
        ("confirmed = 20\nfinalized = 10", "finalized, which is 10 blocks below the head, got 20"),
        ("confirmed = 65", "which is 64 blocks below the head, got 65"),
        ("confirmed_depth = 20\nfinalized_depth = 10", "which is 10 blocks below the head, got 20"),
        ("confirmed_depth = 20\nfinalized = 10", "which is 10 blocks below the head, got 20"),
    ],
)
def test_confirmed_deeper_than_finalized_is_refused_with_the_remedy(tmp_path: Path, finality: str, depths: str) -> None:
    with pytest.raises(ConfigError, match=rf"network 'mine': finality: .*{depths}: lower confirmed .* or raise final"):
        load(tmp_path, f"[mine]\n[mine.finality]\n{finality}\n")


def test_confirmed_may_be_as_deep_as_finalized(tmp_path: Path) -> None:
    mine = load(tmp_path, "[mine]\n[mine.finality]\nconfirmed = 10\nfinalized = 10\n")["mine"]

    assert mine.confirmed == mine.finalized == Mark(tag=None, depth=10)


def test_the_depth_that_confirmed_has_by_default_is_no_deeper_than_finalized(tmp_path: Path) -> None:
    mine = load(tmp_path, "[mine]\n[mine.finality]\nfinalized = 1\n")["mine"]

    assert mine.confirmed == Mark(tag="safe", depth=1)
