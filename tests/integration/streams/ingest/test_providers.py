"""A follower at the head with three providers, one slow, one failing, one that lies: the log has the chain, no more."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from ft.demo.recording import Recording
from ft.streams.sources.evm import marks, source
from tests.devnet.faulty_node import Faults, FaultyNode
from tests.devnet.lies import blind, failures, lies
from tests.integration.streams.ingest.conftest import Lab, at_step
from tests.integration.waiting import until


async def test_a_follower_goes_on_at_the_head_whatever_two_of_three_providers_do(
    lab: Lab, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fault after the other, through reorgs; the third provider is honest all the time."""
    monkeypatch.setattr("ft.streams.sources.evm.rpc.ANSWER_BYTES_MAX", 2 << 20)
    monkeypatch.setattr(source, "UNTRUSTED_S", 0.5)  # so that each of them is believed again, and asked
    monkeypatch.setattr(source, "PATIENCE_S", 1.0)
    async with AsyncExitStack() as stack:
        wrong, failing, good = [await stack.enter_async_context(at_step(FaultyNode(recording), 10)) for _ in range(3)]
        failing.faults.delay_s = 0.1
        follower = await lab.follow(0, wrong.url, failing.url, good.url)
        await until(lambda: agrees(lab, good), "the log has the chain that all agree on")

        for name, fault in (lies() | failures() | blind()).items():
            wrong.faults = fault
            failing.faults.http_status = 0 if failing.faults.http_status else 503
            for node in (wrong, failing, good):
                node.advance(4)
            await until(lambda: agrees(lab, good), f"step {good.view.step}, beside a provider that {name}", 40.0)
        assert good.done or good.view.step > 60
        await follower.stop()

    chain = lab.chain()
    assert chain.misfits == []
    assert not [height for height in chain.final if height > good.view.finalized]
    assert chain.reverted > 0
    for _, record in lab.records():
        if record["op"] == "append":
            known = good._chain.find(good.view, record["hash"])
            assert known is not None
            assert {p["name"]: p["bytes"] for p in record["parts"]} == {
                "block": known.with_transactions,
                "receipts": known.receipts,
            }


@pytest.mark.parametrize("healthy", [1, 2], ids=["beside one", "beside two"])
@pytest.mark.parametrize("forked_at", [51, 62], ids=["four deep", "two deep"])
async def test_a_provider_that_stays_on_a_branch_that_fell_holds_nobody_though_it_is_preferred(
    lab: Lab, recording: Recording, monkeypatch: pytest.MonkeyPatch, forked_at: int, healthy: int
) -> None:
    """It stands still with the branch that the log has; the others go on until what fell would be final."""
    monkeypatch.setattr(marks, "_STUCK_S", 1.0)
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(at_step(FaultyNode(recording), forked_at)) for _ in range(healthy + 1)]
        forked, *others = nodes
        follower = await lab.follow(0, *(node.url for node in nodes))
        await until(lambda: agrees(lab, forked), "the log has the branch that falls")
        fell = dict(forked.view.canonical)

        while not others[0].done:
            for node in others:
                node.advance(3)
            await until(lambda: agrees(lab, others[0]), f"step {others[0].view.step}, beside {forked.view.step}", 20.0)
        await follower.stop()

    chain = lab.chain()
    assert chain.misfits == []
    assert fell != {height: others[0].view.canonical.get(height) for height in fell}, "its branch did not fall"


async def test_a_block_that_most_deny_does_not_become_final_though_the_preferred_provider_has_it(
    lab: Lab, recording: Recording
) -> None:
    """Its branch is the longest for now, so that none of the others' blocks comes to be asked for."""
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(at_step(FaultyNode(recording), step)) for step in (51, 53, 53)]
        forked, one, two = nodes
        top, parts = max(forked.view.canonical), 49
        for other in (one, two):
            other.faults = Faults(behind=max(other.view.canonical) - top + 1, finalized=parts - 1)
        follower = await lab.follow(0, *(node.url for node in nodes))
        await until(lambda: agrees(lab, forked), "the log has the longest branch")

        for node in nodes:
            node.faults.finalized = parts + 1
        await until(lambda: lab.chain().canonical.get(parts) == one.view.canonical[parts], "the log has what most have")
        await until(lambda: parts in lab.chain().final, "it is final")
        await follower.stop()

    chain = lab.chain()
    assert chain.misfits == []
    assert chain.canonical[parts] == one.view.canonical[parts] != forked.view.canonical[parts]


def agrees(lab: Lab, node: FaultyNode) -> bool:
    return lab.chain().canonical == dict(node.view.canonical)


@dataclass
class Pusher:
    """A WebSocket endpoint that announces what the test says."""

    url: str = ""
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    subscribed: int = 0
    refuse: bool = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.refuse:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_json()
        await socket.send_json({"jsonrpc": "2.0", "id": 1, "result": "0x1"})
        self.subscribed += 1
        self.sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    async def announce(self, height: int) -> None:
        head = {"number": hex(height), "hash": "0x" + "00" * 32}
        await self.send({"jsonrpc": "2.0", "method": "eth_subscription", "params": {"result": head}})

    async def send(self, message: Any) -> None:
        for socket in self.sockets:
            if not socket.closed:
                await (socket.send_str(message) if isinstance(message, str) else socket.send_json(message))

    async def drop(self) -> None:
        while self.sockets:
            await self.sockets.pop().close()


@pytest.fixture
async def pusher() -> Any:
    made = Pusher()
    app = web.Application()
    app.router.add_get("/", made.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await made.drop()
    await runner.cleanup()


async def test_an_announced_head_is_fetched_without_waiting_for_the_poll(
    lab: Lab, node: FaultyNode, pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The poll is far away here, so that only an announcement brings a block; also one that comes before the node
    has the block, and one after the connection was lost."""
    monkeypatch.setattr("ft.streams.ingest.jobs.POLL_S", (600.0, 600.0))
    monkeypatch.setattr("ft.streams.sources.evm.heads.backoff_s", lambda _: 0.05)
    at_step(node, 10)
    follower = await lab.follow(0, node.url, pusher.url)
    await until(lambda: agrees(lab, node) and pusher.subscribed == 1, "the log has the chain")

    node.advance(2)
    await pusher.announce(node.view.head)
    await until(lambda: agrees(lab, node), "the announced block")
    before = node.calls["eth_blockNumber"]
    early = node._chain.view_at(node.view.step + 2).head
    await pusher.announce(early)
    await until(lambda: node.calls["eth_blockNumber"] >= before + 3, "a look or two in vain")
    node.advance(2)
    await until(lambda: agrees(lab, node), "the block that was announced before the node had it")
    await pusher.drop()
    await until(lambda: pusher.subscribed == 2, "another connection")
    node.advance(2)
    await pusher.announce(node.view.head)
    await until(lambda: agrees(lab, node), "the block announced over the new connection")
    await follower.stop()

    assert lab.chain().misfits == []


@pytest.mark.parametrize("trouble", ["silent", "garbage", "gone", "a head that nobody has"])
async def test_the_poll_goes_on_whatever_the_feed_does(
    lab: Lab, node: FaultyNode, pusher: Pusher, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.streams.sources.evm.heads.SILENT_S", 0.5)
    monkeypatch.setattr("ft.streams.sources.evm.heads.backoff_s", lambda _: 0.05)
    at_step(node, 10)
    follower = await lab.follow(0, node.url, pusher.url)
    await until(lambda: agrees(lab, node) and pusher.subscribed > 0, "the log has the chain")

    if trouble == "garbage":
        for message in ("no json", "[]", {"method": "eth_subscription"}, "\x00" * 100, "{", "}", "1"):
            await pusher.send(message)
    elif trouble == "gone":
        pusher.refuse = True
        await pusher.drop()
    elif trouble == "a head that nobody has":
        await pusher.announce(10**9)
    node.advance(5)
    await until(lambda: agrees(lab, node), "the blocks that only the poll could find")

    if trouble in ("silent", "garbage"):
        await until(lambda: pusher.subscribed > 1, "a connection that brings nothing is made anew")
    asked = node.calls["eth_blockNumber"]
    await asyncio.sleep(1.0)
    assert node.calls["eth_blockNumber"] - asked < 40, "and nobody is asked without end"
    await follower.stop()


async def test_a_flood_of_announcements_is_not_a_flood_of_questions(lab: Lab, node: FaultyNode, pusher: Pusher) -> None:
    at_step(node, 10)
    follower = await lab.follow(0, node.url, pusher.url)
    await until(lambda: agrees(lab, node) and pusher.subscribed == 1, "the log has the chain")
    asked = node.calls["eth_blockNumber"]

    for height in range(2_000):
        await pusher.announce(height)
    await until(lambda: node.calls["eth_blockNumber"] > asked, "a look")
    node.advance(1)
    await until(lambda: agrees(lab, node), "the next block")
    await follower.stop()

    assert node.calls["eth_blockNumber"] - asked < 1_000
    assert Faults() == node.faults
