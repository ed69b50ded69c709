"""A real chain node beside the pipeline that reads it, and what each of the two says of the same tokens."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ft.demo.recording import Recording
from tests.acceptance.pipeline import Pipeline
from tests.devnet.contracts import Contract, Devnet, Erc721, Erc721A, Erc1155
from tests.devnet.node import CHAIN_ID, Address, Anvil, TxHash

TRANSFERS = {
    "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",  # Transfer
    "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62",  # TransferSingle
    "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb",  # TransferBatch
}


@dataclass(frozen=True, slots=True)
class LiveChain:
    """One network of a pipeline, and the node it is read from."""

    pipeline: Pipeline
    network: str
    node: Anvil
    devnet: Devnet

    def asset(self, contract: Contract, token: int) -> str:
        """The asset's natural key."""
        return f"{self.network}:{contract.address}:{token}"

    def owner(self, contract: Contract, token: int) -> str | None:
        """Its owner as the API says; None if nobody holds it."""
        answer = self.pipeline.ask(f"assets/{self.asset(contract, token)}")
        if answer.status_code == 404:
            return None
        ownership = answer.json()["ownership"]
        return None if ownership is None else str(ownership["holder"])

    def balances(self, contract: Contract, token: int) -> dict[str, int]:
        """Its holders as the API says, and how much each has."""
        path = f"assets/{self.asset(contract, token)}/owners"
        if self.pipeline.ask(path).status_code == 404:
            return {}
        return {entry["owner"]: int(entry["quantity"]) for entry in self.pipeline.all(path)}

    def history(self, contract: Contract, token: int) -> list[dict[str, Any]]:
        """What happened to it as the API says, oldest first."""
        if self.pipeline.ask(f"assets/{self.asset(contract, token)}").status_code == 404:
            return []
        return self.pipeline.all(f"assets/{self.asset(contract, token)}/history", order="asc")

    def kinds(self, contract: Contract, token: int) -> list[tuple[str, str, str]]:
        """Kind, sender and receiver of each event of its history."""
        return [(each["kind"], each["from"], each["to"]) for each in self.history(contract, token)]

    def transfers(self, tx: TxHash) -> list[dict[str, Any]]:
        """The transaction's movements, as /transfers lists them."""
        return [each for each in self.pipeline.all("transfers", network=self.network) if each["tx_hash"] == tx]

    def caught_up(self) -> None:
        """Return once the node's head has come through to the projections."""
        head = self.node.block("latest")["hash"]
        self.pipeline.until(lambda: self._heads() == {head}, f"{self.network}: the node's head in every partition")
        self.pipeline.caught_up(self.network)

    def _heads(self) -> set[str]:
        statement = "SELECT head_hash FROM system.partition_head WHERE consumer = 'ledger' AND network = %(network)s"
        return {row[0] for row in self.pipeline.sql(statement, network=self.network)}

    def agrees(
        self,
        *contracts: Erc721 | Erc721A | Erc1155,
        tokens: Iterable[int] = range(12),
    ) -> None:
        """The pipeline says what the contracts say, and lists the events that are in the node's chain, no others."""
        self.caught_up()
        for contract in contracts:
            for token in tokens:
                if isinstance(contract, Erc1155):
                    said = contract.balances_of(self.devnet.accounts, token)
                    assert self.balances(contract, token) == said, (contract, token)
                else:
                    assert self.owner(contract, token) == contract.owner_of(token), (contract, token)
            listed = self.pipeline.all("transfers", contract=f"{self.network}:{contract.address}")
            assert {(each["block_hash"], each["log_index"]) for each in listed} == self._logs(contract.address)
            ids = [each["transfer_id"] for each in listed]
            assert len(ids) == len(set(ids))

    def _logs(self, address: Address) -> set[tuple[str, int]]:
        wanted = {"fromBlock": "0x0", "toBlock": "latest", "address": address, "topics": [sorted(TRANSFERS)]}
        logs = self.node.rpc("eth_getLogs", wanted)
        return {(log["blockHash"], int(log["logIndex"], 16)) for log in logs if log["data"] != EMPTY_BATCH}

    def served_later(self) -> Recording:
        """The node's chain up to now, for a replaying node; all of it final."""
        heights = range(self.node.head() + 1)
        rpc = self.node.rpc_text
        blocks = [(rpc("eth_getBlockByNumber", hex(n), True), rpc("eth_getBlockReceipts", hex(n))) for n in heights]
        return Recording.from_blocks(CHAIN_ID, blocks)


EMPTY_BATCH = "0x" + "".join(f"{word:064x}" for word in (64, 96, 0, 0))
