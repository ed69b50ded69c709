"""Three providers, the preferred one of which is wrong: what comes out is what the honest ones have."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from ft.demo.recording import Recording, load_recording
from ft.streams.sources import Marks
from ft.streams.sources.evm import marks
from ft.streams.sources.evm.marks import Told, agreed
from ft.streams.sources.evm.provider import Provider, WrongChain, in_order
from ft.streams.sources.evm.rpc import ProviderFailed, RpcClient
from ft.streams.sources.limits import Breaker, TokenBucket
from tests.devnet.faulty_node import Faults, FaultyNode
from tests.devnet.lies import blind, failures, lies
from tests.unit.streams.sources.nodes import serving, source

LAST = 79
"""Head 82, finalized 74, safe 78."""
ALL = lies() | failures() | blind()


@pytest.fixture(scope="module")
def recording() -> Recording:
    return load_recording()


@dataclass
class Three:
    """The first is asked first."""

    wrong: FaultyNode
    slow: FaultyNode
    good: FaultyNode

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(node.url for node in (self.wrong, self.slow, self.good))

    @property
    def named(self) -> str:
        """The wrong one, in logs and records."""
        return self.wrong.url.removeprefix("http://")


@pytest.fixture
async def three(recording: Recording) -> AsyncIterator[Three]:
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(FaultyNode(recording, step=LAST)) for _ in range(3)]
        nodes[1].faults.delay_s = 0.15
        yield Three(*nodes)


@pytest.mark.parametrize("fault", ALL)
async def test_nothing_of_a_wrong_provider_comes_out(
    three: Three, fault: str, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.streams.sources.evm.rpc.ANSWER_BYTES_MAX", 2 << 20)
    truth = three.good.view
    async with source("devnet", *three.urls, timeout_s=1.0) as evm:
        three.wrong.faults = ALL[fault]
        with capture_logs() as said:
            marks = await evm.marks()
            again = await evm.marks()
            blocks = [block async for block in evm.blocks(60, 82)]
            hashes = await evm.hashes([70, 82], dict(truth.canonical))

    assert {block.height: block.hash for block in blocks} == {h: truth.canonical[h] for h in range(60, 83)}
    assert {block.proof for block in blocks} == {"receipts"}
    for block in blocks:
        found = three.good._chain.find(truth, hex(block.height))
        assert found is not None
        assert {part.name: part.bytes for part in block.parts} == {
            "block": found.with_transactions,
            "receipts": found.receipts,
        }
    assert hashes == {height: truth.canonical[height] for height in (70, 82)}
    assert again.finalized <= 74
    assert again.safe <= 78
    if "ahead" not in fault:
        assert (marks.head, again.head) == (82, 82)
    complaints = [line for line in said if line.get("provider") == three.named]
    if fault in lies() | failures():
        assert complaints
        assert all(line["network"] == "devnet" for line in complaints)
    if fault in lies():
        about = [line for line in complaints if line["event"] == "provider is not believed"]
        assert len(about) == 1
        assert "expected" in about[0]["error"]


@pytest.mark.parametrize("fault", lies() | failures())
async def test_a_wrong_provider_is_asked_a_few_times_and_then_left_alone(
    recording: Recording, three: Three, fault: str, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.streams.sources.evm.rpc.ANSWER_BYTES_MAX", 2 << 20)
    three.slow.faults.delay_s = 0
    async with source("devnet", *three.urls, timeout_s=0.5, batch_max=4) as evm:
        three.wrong.faults = ALL[fault]
        assert len([block async for block in evm.blocks(0, 40)]) == 41
        before = sum(three.wrong.calls.values())
        for first in range(0, 80, 8):
            assert len([block async for block in evm.blocks(first, first + 7)]) == 8
        after = sum(three.wrong.calls.values())

    assert after == before


async def test_a_node_that_comes_back_as_one_of_another_chain_is_not_used(recording: Recording, quick: None) -> None:
    async with FaultyNode(recording, step=LAST) as wrong, FaultyNode(recording, step=LAST) as good:
        wrong.faults.http_status = 503
        async with source("devnet", wrong.url, good.url) as evm:
            assert (await evm.marks()).head == 82
            wrong.faults = Faults(chain_id=5)
            with capture_logs() as said:
                blocks = [block async for block in evm.blocks(0, 40)]

    assert {block.provider for block in blocks} == {good.url.removeprefix("http://")}
    assert any("expected a node of devnet (chain id 31337), got chain id 5" in str(line.get("error")) for line in said)


@pytest.mark.parametrize("batch_max", [1, 20])
async def test_a_node_that_changes_its_chain_after_the_start_gives_nothing(
    recording: Recording, batch_max: int
) -> None:
    async with FaultyNode(recording, step=LAST) as node:
        with_clock = [1_000.0]
        async with aiohttp.ClientSession() as session:
            clock = lambda: with_clock[0]  # noqa: E731
            provider = Provider(
                client=RpcClient(node.url, session, batch_max=batch_max),
                bucket=TokenBucket(0, clock),
                breaker=Breaker(clock),
                trust=Breaker(clock, failures_max=1),
                chain_id=31337,
                clock=clock,
            )
            await provider.of_chain([("eth_blockNumber", [])])
            node.faults.chain_id = 5
            with_clock[0] += 10
            with pytest.raises(WrongChain, match="got chain id 5"):
                await provider.of_chain([("eth_blockNumber", [])])


async def test_no_key_of_an_address_is_in_a_message_even_if_the_node_repeats_it() -> None:
    page = "<p>POST /v3/0123456789abcdef?token=s3cr3t-t0ken by bob:passw0rd was refused</p>"
    async with serving(lambda _: web.Response(text=page, status=403)) as url, aiohttp.ClientSession() as session:
        with_key = url.replace("://", "://bob:passw0rd@") + "/v3/0123456789abcdef?token=s3cr3t-t0ken"
        with pytest.raises(ProviderFailed) as caught:
            await RpcClient(with_key, session).call("eth_a")

    said = str(caught.value)
    assert url.removeprefix("http://") in said
    assert "***" in said
    assert not [secret for secret in ("0123456789abcdef", "s3cr3t", "passw0rd") if secret in said]


async def test_an_answer_without_end_is_cut_off() -> None:
    sent = 0

    async def serve(_: object) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(requests[-1])
        while True:
            await response.write(b" " * 65536)
            sent += 65536

    requests: list[web.Request] = []
    app = web.Application()

    async def keep(request: web.Request) -> web.StreamResponse:
        requests.append(request)
        return await serve(request)

    app.router.add_post("/", keep)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        client = RpcClient(f"http://127.0.0.1:{runner.addresses[0][1]}", session)
        client.answer_bytes_max = 1 << 20
        with pytest.raises(ProviderFailed, match="at most 1048576 bytes"):
            await client.call("eth_a")
    await runner.cleanup()

    assert sent < 64 << 20


def told(head: int, finalized: int, *, moved_at: float = 100.0) -> Told:
    return Told(provider="p", marks=Marks(head=head, safe=finalized, finalized=finalized), at=100.0, moved_at=moved_at)


@pytest.mark.parametrize(
    ("several", "expected"),
    [
        ([told(82, 74)], (82, 74)),
        ([told(82, 74), told(82, 80)], (82, 74)),
        ([told(82, 74), told(10**12, 10**12)], (10**12, 74)),
        ([told(82, 74), told(82, 74), told(82, 3)], (82, 74)),
        ([told(82, 74), told(82, 74), told(90, 90)], (90, 74)),
        ([told(82, 74), told(40, 32, moved_at=10.0)], (82, 74)),
        ([told(10**12, 10**12, moved_at=10.0), told(82, 74)], (82, 74)),
    ],
    ids=["one", "lower of two", "far ahead", "finality of the middle", "ahead", "stands still", "far and still"],
)
def test_what_several_providers_come_to(several: list[Told], expected: tuple[int, int]) -> None:
    marks = agreed(several, stuck_s=30.0)

    assert (marks.head, marks.finalized) == expected


async def test_a_slow_provider_is_asked_after_a_quick_one() -> None:
    now = [0.0]

    async with aiohttp.ClientSession() as session:

        def provider() -> Provider:
            clock = lambda: now[0]  # noqa: E731
            client = RpcClient("http://node.invalid", session)
            return Provider(client, TokenBucket(0, clock), Breaker(clock), Breaker(clock), clock=clock)

        slow, quick = provider(), provider()
        for each, seconds in ((slow, 5.0), (quick, 0.2)):
            with each._timed():
                now[0] += seconds
        order = in_order([slow, quick])
        now[0] += 120
        later = in_order([slow, quick])

    assert order == [quick, slow]
    assert later == [slow, quick], "what was slow a while ago is tried again"


async def test_a_fork_that_one_provider_is_on_is_not_believed_against_two(recording: Recording) -> None:
    before, after = 51, 52
    async with AsyncExitStack() as stack:
        forked, one, two = [
            await stack.enter_async_context(FaultyNode(recording, step=step)) for step in (before, after, after)
        ]
        height = max(h for h in forked.view.canonical if forked.view.canonical[h] != one.view.canonical.get(h))
        async with source("devnet", forked.url, one.url, two.url) as evm:
            hashes = await evm.hashes([height], {height: one.view.canonical[height]})
            again = [block async for block in evm.blocks(height, height)]

    assert hashes == {height: one.view.canonical[height]}
    assert [block.hash for block in again] == [one.view.canonical[height]], "who was outvoted is asked last"


@pytest.mark.parametrize("fault", [Faults(), Faults(delay_s=30.0)], ids=["all quick", "one slow"])
async def test_where_everyone_is_asked_the_first_that_agrees_to_its_own_branch_is_outvoted(
    recording: Recording, fault: Faults
) -> None:
    before, after = 51, 52
    async with AsyncExitStack() as stack:
        forked, one, two, slow = [
            await stack.enter_async_context(FaultyNode(recording, step=step)) for step in (before, after, after, after)
        ]
        height = max(h for h in forked.view.canonical if forked.view.canonical[h] != one.view.canonical.get(h))
        expected = {height: forked.view.canonical[height]}
        async with source("devnet", forked.url, one.url, two.url, slow.url) as evm:
            alone = await evm.hashes([height], expected)
            slow.faults = fault
            async with asyncio.timeout(10):
                together = await evm.hashes([height], expected, everyone=True)

    assert alone == expected
    assert together == {height: one.view.canonical[height]}


async def test_one_whose_head_stands_still_is_asked_last(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "_STUCK_S", 0.001)
    monkeypatch.setattr(marks, "_STUCK_BLOCKS", 0)
    async with FaultyNode(recording, step=51) as still, FaultyNode(recording, step=51) as moving:
        height = max(still.view.canonical)
        async with source("devnet", still.url, moving.url) as evm:
            await evm.marks()
            before = await evm.hashes([height])
            moving.advance(2)
            await evm.marks()
            with capture_logs() as said:
                await evm.marks()
            after = await evm.hashes([height])

    assert before == {height: still.view.canonical[height]}
    assert after == {height: moving.view.canonical[height]} != before
    assert said == [], "it is told once"
