"""The demo on a live node: what it asks of the node, and what it says of what came."""

import pytest
from aiohttp import web

from ft.demo import live
from ft.errors import FtError
from tests.unit.streams.sources.nodes import serving

KEY = "v2/k3yOfAProvider"


async def test_a_node_that_is_away_is_named_by_its_host_alone() -> None:
    with pytest.raises(FtError, match=r"^127\.0\.0\.1:1: expected an answer") as caught:
        await live._head(f"http://user:s3cret@127.0.0.1:1/{KEY}")

    assert "s3cret" not in str(caught.value)
    assert "k3y" not in str(caught.value)


async def test_a_node_that_has_nothing_there_is_named_by_its_host_alone() -> None:
    async with serving(lambda _: web.Response(status=404, text=f"no such page: /{KEY}")) as url:
        with pytest.raises(FtError, match="got HTTP 404") as caught:
            await live._head(f"{url}/{KEY}")

    assert "k3y" not in str(caught.value)


@pytest.mark.parametrize("answer", [{"result": None}, {"result": 7}, {"error": {"code": -1, "message": f"no {KEY}"}}])
async def test_what_is_no_block_number_is_told_without_the_key(answer: dict[str, object]) -> None:
    async with serving(lambda call: {"id": call["id"], **answer}) as url:
        with pytest.raises(FtError, match="expected a block number for eth_blockNumber, got") as caught:
            await live._head(f"{url}/{KEY}")

    assert "k3y" not in str(caught.value)


async def test_owners_are_compared_where_the_contract_answers() -> None:
    owner = "0x" + "ab" * 20
    answers: dict[str, dict[str, object]] = {
        "0xa": {"result": "0x" + "0" * 24 + "ab" * 20},
        "0xb": {"error": {"code": 3, "message": "reverted"}},
    }
    sample = [("0xa", "1", owner), ("0xa", "2", "0x" + "cd" * 20), ("0xb", "1", owner)]
    async with serving(lambda call: {"id": call["id"], **answers[call["params"][0]["to"]]}) as url:
        found = await live._ask_owners(url, 7, sample)

    assert found == (1, 2)


@pytest.mark.parametrize(
    ("moved", "sampled", "asked", "told"),
    [
        (False, 0, 0, "no NFT moved in blocks 5 to 24"),
        (True, 0, 0, "no ERC-721 token has an owner"),
        (True, 3, 0, "the node answered no eth_call"),
        (True, 3, 2, "at block 24: 1 of 2 agree"),
    ],
)
def test_what_is_said_is_what_came(moved: bool, sampled: int, asked: int, told: str) -> None:
    assert told in live._outcome(5, 24, moved=moved, sampled=sampled, asked=asked, agreed=1)
