"""One movement told by two events counts once: by the kind that ranks higher, whatever comes first."""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.agents.decode.echoes import echoes_of
from ft.agents.decode.events import Events
from ft.agents.decode.topics import (
    CONSECUTIVE_TRANSFER,
    ERC721_TRANSFER,
    TRANSFER,
    TRANSFER_BATCH,
    TRANSFER_SINGLE,
)
from ft.agents.normalize.slices import digest, split
from tests.unit.agents.decode.building import ALICE, BOB, CAROL, ZERO, Json, decode_logs, log

OTHER = "0x" + "22" * 20


def erc721(token_id: int, source: str = ALICE, target: str = BOB, **changed: Any) -> Json:
    return log(TRANSFER, [source, target, token_id], **changed)


def single(token_id: int, quantity: int = 1, source: str = ALICE, target: str = BOB, **changed: Any) -> Json:
    return log(TRANSFER_SINGLE, [CAROL, source, target], [token_id, quantity], **changed)


def batch(*token_ids: int) -> Json:
    count = len(token_ids)
    words: list[int | str] = [64, 96 + 32 * count, count, *token_ids, count, *[1] * count]
    return log(TRANSFER_BATCH, [CAROL, ALICE, BOB], words)


def erc404(token_id: int) -> Json:
    return log(ERC721_TRANSFER, [ALICE, BOB, token_id])


def range_of(first: int, last: int) -> Json:
    return log(CONSECUTIVE_TRANSFER, [first, ALICE, BOB], [last])


@pytest.mark.parametrize(
    ("logs", "echo"),
    [
        ([erc721(1), single(1)], [False, True]),
        ([single(1), erc721(1)], [True, False]),
        ([erc721(1), batch(1)], [False, True]),
        ([erc404(1), erc721(1)], [False, True]),
        ([erc721(1), erc404(1)], [True, False]),
        ([erc721(2), range_of(1, 3)], [False, False, True, False]),
        ([erc404(1), erc721(1), single(1)], [False, True, True]),
    ],
)
def test_the_higher_kind_counts_whatever_the_order(logs: list[Json], echo: list[bool]) -> None:
    assert decode_logs(logs).events.echo == echo


@pytest.mark.parametrize(
    "logs",
    [
        [erc721(1), single(2)],
        [erc721(1), single(1, 2)],
        [erc721(1), single(1, target=CAROL)],
        [erc721(1), single(1, source=ZERO)],
        [erc721(1), single(1, address=OTHER)],
        [single(1), batch(1)],
        [erc721(1), erc721(1)],
        [single(1)],
    ],
)
def test_other_movements_are_no_echo(logs: list[Json]) -> None:
    assert decode_logs(logs).events.echo == []


def test_each_telling_has_one_echo() -> None:
    assert decode_logs([single(1), single(1), erc721(1)]).events.echo == [True, False, False]


def test_a_contract_of_mixed_ids_has_echoes_of_its_unique_ones_only() -> None:
    assert decode_logs([erc721(1), single(1), single(500, 7), single(501)]).events.echo == [False, True, False, False]


def test_a_slice_without_the_echoes_has_none() -> None:
    events = decode_logs([erc721(1), single(1), *(single(3, address=f"0x{at:040x}") for at in range(1, 30))]).events

    parts = split("polygon", events, 8)

    echoing = [part.echo for part in parts.values() if part.echo]
    assert sum(map(sum, echoing)) == 1
    assert all(len(part.echo) in (0, len(part)) for part in parts.values())
    assert len(echoing) == 1 < len(parts)


def test_the_digest_of_a_slice_is_that_without_echoes() -> None:
    events = decode_logs([erc721(1), single(1)]).events
    before = digest(events)

    events.echo = []

    assert digest(events) == before


KIND = {0: ("erc404", ERC721_TRANSFER), 1: ("erc721", TRANSFER), 2: ("erc721", CONSECUTIVE_TRANSFER)}
KIND |= {3: ("erc1155", TRANSFER_SINGLE), 4: ("erc1155", TRANSFER_BATCH), 5: ("legacy721", TRANSFER)}
ROW = st.tuples(
    st.sampled_from(sorted(KIND)),
    st.sampled_from(["0xa", "0xb"]),
    st.sampled_from(["t1", "t2"]),
    st.sampled_from(["1", "2"]),
    st.sampled_from([("f", "g"), ("g", "f")]),
    st.sampled_from(["1", "1", "2"]),
)


def model(rows: list[Any]) -> list[bool]:
    """By the words of the rule: of each movement, the telling of rank r is an echo where a higher rank has its n-th."""
    tellings: dict[Any, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for at, (kind, contract, tx, token, ends, quantity) in enumerate(rows):
        if quantity == "1" and kind != 5:
            tellings[contract, tx, token, ends][min(kind, 3)].append(at)
    echo = [False] * len(rows)
    for told in tellings.values():
        for rank, places in told.items():
            for n, at in enumerate(places):
                echo[at] = any(n < len(others) for higher, others in told.items() if higher < rank)
    return echo if any(echo) else []


@given(st.lists(ROW, max_size=14))
def test_the_echoes_are_those_of_a_plain_model(rows: list[Any]) -> None:
    events = Events()
    for at, (kind, contract, tx, token, (source, target), quantity) in enumerate(rows):
        standard, topic0 = KIND[kind]
        events.add((tx, contract, topic0), 0, at, ZERO, standard, [(token, source, target, None, quantity)])

    assert echoes_of(events) == model(rows)
