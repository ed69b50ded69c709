"""The replaying node answers as the recorded node did, step by step; the faulty one misbehaves as told."""

import gzip
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from ft.demo import Recording, load_recording
from ft.demo.node import ReplayNode, replaying
from ft.demo.recording import RecordingError
from tests.devnet.faulty_node import Faults, FaultyNode
from tests.devnet.node import wait_until


class Client:
    """Asks a node over HTTP."""

    def __init__(self, node: ReplayNode) -> None:
        self.node = node

    async def post(self, body: bytes) -> tuple[int, bytes]:
        async with aiohttp.ClientSession() as session, session.post(self.node.url, data=body) as response:
            return response.status, await response.read()

    async def full(self, method: str, *params: Any) -> dict[str, Any]:
        _, text = await self.post(msgspec.json.encode({"id": 7, "method": method, "params": params}))
        return dict(msgspec.json.decode(text))

    async def __call__(self, method: str, *params: Any) -> Any:
        return (await self.full(method, *params))["result"]

    async def error(self, method: str, *params: Any) -> int:
        return int((await self.full(method, *params))["error"]["code"])


@pytest.fixture(scope="module")
def recording() -> Recording:
    return load_recording()


async def test_the_first_step_is_served_until_it_is_advanced(recording: Recording) -> None:
    async with ReplayNode(recording) as node:
        ask = Client(node)

        assert await ask("eth_chainId") == hex(31337)
        assert await ask("eth_blockNumber") == "0x0"
        assert await ask("eth_getBlockByNumber", "0x1", True) is None
        assert await ask("web3_clientVersion") == "ft-replay"
        assert node.advance()
        assert await ask("eth_blockNumber") == "0x1"
        assert (await ask("eth_getBlockByNumber", "0x1", True))["number"] == "0x1"


async def test_blocks_and_receipts_are_the_recorded_bytes(recording: Recording) -> None:
    async with ReplayNode(recording, step=len(recording.steps) - 1) as node:
        block_hash = node.view.canonical[node.view.head]
        call = b'{"jsonrpc":"2.0","id":"x","method":"%s","params":["%s",true]}'

        _, block = await Client(node).post(call % (b"eth_getBlockByHash", block_hash.encode()))
        _, receipts = await Client(node).post(call % (b"eth_getBlockReceipts", block_hash.encode()))

    recorded = recording.blocks[block_hash]
    assert block == b'{"jsonrpc":"2.0","id":"x","result":' + bytes(recorded.block) + b"}"
    assert receipts == b'{"jsonrpc":"2.0","id":"x","result":' + bytes(recorded.receipts) + b"}"


async def test_a_block_without_its_transactions_holds_their_hashes(recording: Recording) -> None:
    async with ReplayNode(recording, step=len(recording.steps) - 1) as node:
        ask = Client(node)
        full = await ask("eth_getBlockByNumber", "latest", True)

        short = await ask("eth_getBlockByNumber", "latest", False)

    assert short == full | {"transactions": [tx["hash"] for tx in full["transactions"]]}
    assert list(short) == list(full)


async def test_receipts_are_the_same_by_number_tag_hash_and_one_by_one(recording: Recording) -> None:
    async with ReplayNode(recording, step=len(recording.steps) - 1) as node:
        ask, head = Client(node), node.view.head
        receipts = await ask("eth_getBlockReceipts", "latest")

        assert receipts
        assert await ask("eth_getBlockReceipts", hex(head)) == receipts
        assert await ask("eth_getBlockReceipts", {"blockHash": node.view.canonical[head]}) == receipts
        assert [await ask("eth_getTransactionReceipt", each["transactionHash"]) for each in receipts] == receipts


async def test_tags_name_the_marks_of_the_step(recording: Recording) -> None:
    async with ReplayNode(recording, step=60) as node:
        ask, step = Client(node), recording.steps[60]

        numbers = [
            (await ask("eth_getBlockByNumber", tag, False))["number"]
            for tag in ("latest", "safe", "finalized", "earliest")
        ]

    assert numbers == [hex(step.head), hex(step.safe), hex(step.finalized), "0x0"]


async def test_a_reorg_changes_the_chain_and_leaves_the_undone_block_to_be_asked_by_hash(recording: Recording) -> None:
    reorg = recording.expected.reorgs[1]
    before = next(at for at, step in enumerate(recording.steps) if step.head == reorg.from_block)
    async with ReplayNode(recording, step=before) as node:
        ask, height = Client(node), hex(reorg.to_block)
        undone = await ask("eth_getBlockByNumber", height, True)
        tx = undone["transactions"][0]["hash"]
        assert await ask("eth_getTransactionReceipt", tx)

        node.advance()

        instead = await ask("eth_getBlockByNumber", height, True)
        assert instead["hash"] != undone["hash"]
        assert instead["parentHash"] == undone["parentHash"] == reorg.ancestor_hash
        assert await ask("eth_getBlockByHash", undone["hash"], True) == undone
        assert tx in recording.expected.gone
        assert await ask("eth_getTransactionReceipt", tx) is None


async def test_logs_by_hash_by_range_and_from_receipts_are_the_same(recording: Recording) -> None:
    async with ReplayNode(recording, step=len(recording.steps) - 1) as node:
        ask, heights = Client(node), (8, 9, 10)
        receipts = [receipt for at in heights for receipt in await ask("eth_getBlockReceipts", hex(at))]
        logs = [log for receipt in receipts for log in receipt["logs"]]

        by_hash = [log for at in heights for log in await ask("eth_getLogs", {"blockHash": node.view.canonical[at]})]
        by_range = await ask("eth_getLogs", {"fromBlock": "0x8", "toBlock": "0xa"})

        assert logs == by_hash == by_range


async def test_logs_are_filtered_by_address_and_topics(recording: Recording) -> None:
    async with ReplayNode(recording, step=len(recording.steps) - 1) as node:
        ask, every = Client(node), {"fromBlock": "earliest", "toBlock": "latest"}
        logs = await ask("eth_getLogs", every)
        apes = recording.contracts["apes"].address
        wanted = next(log for log in logs if log["address"] == apes and len(log["topics"]) == 4)
        topic0, topic2 = wanted["topics"][0], wanted["topics"][2]

        found = await ask(
            "eth_getLogs", {**every, "address": [apes.upper(), "0x00"], "topics": [[topic0], None, topic2]}
        )

    assert wanted in found
    assert found == [log for log in logs if log["address"] == apes and log["topics"][0:3:2] == [topic0, topic2]]


async def test_a_batch_is_answered_in_order_with_its_ids(recording: Recording) -> None:
    async with ReplayNode(recording) as node:
        calls = [{"id": 2, "method": "eth_chainId"}, {"id": 1, "method": "eth_call", "params": []}]

        _, text = await Client(node).post(msgspec.json.encode(calls))

    first, second = msgspec.json.decode(text)
    assert (first["id"], first["result"]) == (2, hex(31337))
    assert (second["id"], second["error"]["code"]) == (1, -32601)


async def test_bad_requests_get_the_errors_a_node_gives(recording: Recording) -> None:
    async with ReplayNode(recording, step=20) as node:
        ask = Client(node)

        assert await ask.error("eth_getBlockByNumber", "soon", True) == -32602
        assert await ask.error("eth_getBlockByNumber") == -32602
        assert await ask.error("eth_getBlockReceipts", 5) == -32602
        assert await ask.error("eth_getLogs", {"blockHash": "0x" + "ab" * 32}) == -32000
        assert await ask.error("eth_getLogs", {"fromBlock": "0x5", "toBlock": "0x4"}) == -32602
        assert b"-32600" in (await ask.post(b"hello"))[1]


async def test_with_a_pace_it_walks_to_the_last_step(recording: Recording) -> None:
    with replaying(ReplayNode(recording, pace_s=0.001)) as node:
        wait_until(lambda: node.done, "the last step")

        assert await Client(node)("eth_blockNumber") == hex(recording.steps[-1].head)
        assert not node.advance()


async def test_many_steps_at_once_give_the_view_of_going_one_by_one(recording: Recording) -> None:
    slowly, at_once = ReplayNode(recording), ReplayNode(recording)
    while slowly.advance():
        pass

    at_once.advance(10_000)

    assert at_once.view == slowly.view


def test_a_step_that_does_not_exist_is_refused(recording: Recording) -> None:
    with pytest.raises(RecordingError, match="expected a step from 0 to"):
        ReplayNode(recording, step=len(recording.steps))


async def test_recorded_mainnet_blocks_are_served_as_a_chain(fixtures: Path) -> None:
    folders = [fixtures / "evm" / "ethereum" / number for number in ("17173049", "17173050")]
    pairs = [
        (
            gzip.decompress((folder / "block.json.gz").read_bytes()),
            gzip.decompress((folder / "receipts.json.gz").read_bytes()),
        )
        for folder in folders
    ]
    async with ReplayNode(Recording.from_blocks(1, pairs, step_per_block=True)) as node:
        ask = Client(node)

        assert await ask("eth_chainId") == "0x1"
        assert await ask("eth_getBlockByNumber", "finalized", True) == msgspec.json.decode(pairs[0][0])
        assert await ask("eth_getBlockByNumber", hex(17173050), True) is None
        node.advance()
        assert await ask("eth_getBlockReceipts", hex(17173050)) == msgspec.json.decode(pairs[1][1])


async def test_each_fault_shows_and_goes_when_it_is_switched_off(recording: Recording) -> None:
    async with FaultyNode(recording, step=len(recording.steps) - 1) as node:
        ask = Client(node)
        well = await ask("eth_getBlockReceipts", "latest")

        node.faults = Faults(without={"eth_getBlockReceipts"}, without_tags={"safe"}, chain_id=5)
        assert await ask.error("eth_getBlockReceipts", "latest") == -32601
        assert await ask.error("eth_getBlockByNumber", "safe", False) == -32602
        assert await ask("eth_chainId") == "0x5"
        node.faults = Faults(rpc_error=(-32005, "limit exceeded"))
        assert await ask.error("eth_blockNumber") == -32005
        node.faults = Faults(failures_left=1)
        assert (await ask.post(b'{"method":"eth_chainId"}'))[0] == 503
        assert (await ask.post(b'{"method":"eth_chainId"}'))[0] == 200
        node.faults = Faults(http_status=429)
        assert (await ask.post(b'{"method":"eth_chainId"}'))[0] == 429
        node.faults = Faults(without_batches=True)
        assert msgspec.json.decode((await ask.post(b'[{"method":"eth_chainId"}]'))[1])["error"]["code"] == -32600
        assert await ask("eth_chainId") == hex(31337)
        node.faults = Faults(garbage=True)
        assert (await ask.post(b'{"method":"eth_chainId"}'))[1].startswith(b"<html>")
        node.faults = Faults()
        assert await ask("eth_getBlockReceipts", "latest") == well
        assert node.calls["eth_getBlockReceipts"] == 3


async def test_a_dropped_log_is_missing_from_receipts_and_logs_and_nothing_else(recording: Recording) -> None:
    async with FaultyNode(recording, step=len(recording.steps) - 1) as node:
        ask, block = Client(node), {"blockHash": node.view.canonical[node.view.head]}
        logs = await ask("eth_getLogs", block)

        node.faults.dropped_log = 1
        spoilt = await ask("eth_getBlockReceipts", block)

        assert await ask("eth_getLogs", block) == logs[:1] + logs[2:]
        assert [log for receipt in spoilt for log in receipt["logs"]] == logs[:1] + logs[2:]


async def test_a_log_with_fewer_topics_than_the_filter_has_places_is_not_found(recording: Recording) -> None:
    async with ReplayNode(recording, step=len(recording.steps) - 1) as node:
        ask, every = Client(node), {"fromBlock": "earliest", "toBlock": "latest"}
        logs = await ask("eth_getLogs", every)

        found = await ask("eth_getLogs", {**every, "topics": [None, None, None, None]})

    assert {len(log["topics"]) for log in logs} >= {3, 4}
    assert found == [log for log in logs if len(log["topics"]) == 4]


async def test_a_head_that_falls_back_takes_the_blocks_above_it_away(recording: Recording) -> None:
    fallen = msgspec.structs.replace(recording.steps[10], head=5, chain={})
    shorter = msgspec.structs.replace(recording, steps=[*recording.steps[:11], fallen])
    async with ReplayNode(shorter, step=10) as node:
        ask = Client(node)
        above = await ask("eth_getBlockByNumber", "0x6", False)

        node.advance()

        assert await ask("eth_blockNumber") == "0x5"
        assert await ask("eth_getBlockByNumber", "0x6", False) is None
        assert await ask("eth_getBlockByHash", above["hash"], False) == above
