"""Pages of transfers over reads that need no database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from msgspec.structs import replace

from ft.api.http.heads import HeadRow
from ft.api.http.month_range import RangeNotIndexed
from ft.api.main import build
from ft.api.transfers.routes import TransferReads, narrow
from ft.api.transfers.rows import TransferKey, TransferRow, Transfers, TransfersAsk
from ft.api.transfers.views import kind_of, transfer
from ft.errors import DatabaseError, DatabaseUnavailable
from ft.schemas.families import EVM_ZERO
from ft.schemas.ids import AssetKey

A, B = "0x" + "0a" * 20, "0x" + "0b" * 20
SEVEN = AssetKey(network="polygon", contract=A, token_id="7")
ROW = TransferRow(
    partition=0,
    seq=1,
    network="polygon",
    block_number=1,
    block_hash="0x1",
    block_time=datetime(2024, 5, 1, tzinfo=UTC),
    tx_hash="0x2",
    contract=A,
    topic0="0xdd",
    n=0,
    sub_index=0,
    log_index=0,
    revision=1,
    standard="erc721",
    token_id=str(2**256 - 1),
    from_=A,
    to=B,
    operator=None,
    quantity="1",
    echo=False,
)


@dataclass
class Ledger:
    """Rows in a list, newest first; ``failure`` is raised instead where it is set."""

    rows: list[TransferRow]
    failure: Exception | None = None
    asked: list[TransfersAsk] = field(default_factory=list)

    async def transfers(self, ask: TransfersAsk) -> Transfers:
        self.asked.append(ask)
        if self.failure is not None:
            raise self.failure
        behind = [row for row in self.rows if ask.after is None or _key(row) < ask.after]
        return Transfers(rows=behind[: ask.rows], head=None)

    async def asset_by_uuid(self, uuid: UUID) -> AssetKey | None:
        return None

    async def network_names(self, sought: str) -> Sequence[str]:
        return ("base", "polygon")

    async def head(self, network: str, contract: str | None, consumer: str) -> HeadRow | None:
        return None


def _key(row: TransferRow) -> TransferKey:
    return TransferKey(row.block_number, row.log_index, row.sub_index, row.partition, row.seq)


@contextmanager
def _client(reads: TransferReads) -> Iterator[httpx.AsyncClient]:
    app: Any = build(reads)
    yield httpx.AsyncClient(transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url="http://ft")


async def test_pages_join_without_a_seam() -> None:
    ledger = Ledger([replace(ROW, block_number=number) for number in range(10, 0, -1)])
    seen: list[int] = []
    cursor: str | None = ""

    with _client(ledger) as client:
        while cursor is not None:
            url = f"/api/v1/transfers?network=polygon&limit=4{cursor and '&cursor=' + cursor}"
            body = (await client.get(url)).json()
            seen += [event["block_number"] for event in body["data"]]
            cursor = body["page"]["next_cursor"]

    assert seen == list(range(10, 0, -1))
    assert [ask.rows for ask in ledger.asked] == [5, 5, 5]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (RangeNotIndexed("2024-03"), 503, "range_not_indexed"),
        (DatabaseUnavailable("password=secret"), 503, "database_unavailable"),
        (DatabaseError("password=secret"), 500, "internal_error"),
        (KeyError("password=secret"), 500, "internal_error"),
    ],
)
async def test_a_failure_is_a_problem_that_tells_no_secrets(failure: Exception, status: int, code: str) -> None:
    with _client(Ledger([], failure)) as client:
        answer = await client.get("/api/v1/transfers?network=polygon", headers={"X-Request-ID": "r-1"})

    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, body["status"], body["code"], body["request_id"]) == (status, status, code, "r-1")
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (("polygon", None, None, None), ("polygon", None, None, None)),
        (("polygon", A.upper().replace("X", "x"), None, None), ("polygon", A, None, None)),
        ((None, f"polygon:{A}", None, None), ("polygon", A, None, None)),
        ((None, None, SEVEN, None), ("polygon", A, "7", None)),
        ((None, A, SEVEN, B), ("polygon", A, "7", B)),
        ((None, None, None, f"polygon:{B}"), ("polygon", None, None, B)),
    ],
)
def test_filters_come_to_one_network(filters: tuple[Any, ...], expected: tuple[str | None, ...]) -> None:
    where = narrow(*filters)

    assert (where.network, where.contract, where.token_id, where.account) == expected


@pytest.mark.parametrize(
    ("source", "target", "quantity", "kind"),
    [
        (EVM_ZERO, A, "1", "mint"),
        (A, EVM_ZERO, "3", "burn"),
        (A, B, "1", "transfer"),
        (A, A, "1", "transfer"),
        ("addr_none", A, "1", "mint"),
        (EVM_ZERO, EVM_ZERO, "1", "none"),
        (EVM_ZERO, A, "0", "none"),
        (A, B, "0", "none"),
    ],
)
def test_nobody_on_a_side_makes_the_kind_and_what_moves_nothing_has_none(
    source: str, target: str, quantity: str, kind: str
) -> None:
    assert kind_of(source, target, quantity) == kind


def test_a_transfer_of_a_hash_that_came_twice_has_the_chains_hash_and_an_id_of_its_own() -> None:
    shown = transfer(replace(ROW, tx_hash="0x2~2"), None)

    assert (shown.tx_hash, shown.transfer_id) == ("0x2", f"polygon:0x2~2:{A}:0xdd:0/0")
