"""Recorded mainnet blocks as a node serves them, and the NFT events that an independent decoder found in them."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from ft.demo.recording import Recording

CHAIN_IDS: Final = {"ethereum": 1, "polygon": 137}
CRYPTO_KITTIES: Final = "0x06012c8cf97bead5deae237070f9587f8e7a266d"
"""Older than ERC-721: nothing in its Transfer is indexed."""
STANDARDS: Final = {"erc721": "erc721", "erc1155_single": "erc1155", "erc1155_batch": "erc1155"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedBlock:
    """One block of a network: the node's answers, and the reference decode where there is one."""

    network: str
    number: int
    block: bytes
    receipts: bytes
    reference: list[dict[str, Any]] | None = None
    by_transaction: bool = False
    """Recorded from a node that answered receipts one by one only."""


def recorded_blocks(fixtures: Path) -> Iterator[RecordedBlock]:
    """Every recorded mainnet block."""
    for network in CHAIN_IDS:
        for folder in sorted((fixtures / "evm" / network).iterdir(), key=lambda each: int(each.name)):
            known = folder / "reference_nft_events.json.gz"
            yield RecordedBlock(
                network=network,
                number=int(folder.name),
                block=_result(folder / "block.json.gz"),
                receipts=_result(folder / "receipts.json.gz"),
                reference=json.loads(_read(known))["transfers"] if known.is_file() else None,
            )
    for path in sorted((fixtures / "evm" / "polygon-etl").glob("*/web3_response.eth_getBlockByNumber_0x*_true.json")):
        block = _result(path)
        fields = json.loads(block)
        receipts = [
            json.loads(_result(path.with_name(f"web3_response.eth_getTransactionReceipt_{tx['hash']}.json")))
            for tx in fields["transactions"]
        ]
        yield RecordedBlock(
            network="polygon",
            number=int(fields["number"], 16),
            block=block,
            receipts=json.dumps(receipts).encode(),
            by_transaction=True,
        )


def recording(blocks: list[RecordedBlock]) -> Recording:
    """One network's blocks, as one node serves them."""
    (chain_id,) = {CHAIN_IDS[each.network] for each in blocks}
    return Recording.from_blocks(chain_id, [(each.block, each.receipts) for each in blocks])


def devnet(fixtures: Path) -> tuple[Recording, dict[str, Any]]:
    """The recorded devnet, whole, and the document it came in."""
    document = json.loads(_read(fixtures / "evm" / "devnet" / "recording.json.gz"))
    pairs = zip(document["blocks"], document["receipts"], strict=True)
    blocks = [(json.dumps(block).encode(), json.dumps(receipts).encode()) for block, receipts in pairs]
    return Recording.from_blocks(document["chainId"], blocks), document


def moves(transfers: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The API's entries, in the reference's terms, in the order of the chain."""
    words = ("tx_hash", "log_index", "contract", "standard", "sub_index", "operator", "from", "to", "token_id")
    return sorted(tuple(each[word] for word in (*words, "quantity")) for each in transfers)


def reference_moves(reference: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The reference's entries, the same way."""
    words = ("item", "operator", "frm", "to", "token_id", "amount")
    return sorted(
        (each["tx"], each["log_index"], each["contract"], STANDARDS[each["kind"]], *(each[word] for word in words))
        for each in reference
    )


def nft_logs(block: RecordedBlock) -> set[tuple[str, int]]:
    """Contract and log index of the logs that are NFT transfers by their shape alone."""
    found = set()
    for receipt in json.loads(block.receipts):
        for log in receipt["logs"]:
            topics = log["topics"]
            if not topics or topics[0][:10] not in ("0xddf252ad", "0xc3d58168", "0x4a39dc06"):
                continue
            if len(topics) == 4 or log["address"].lower() == CRYPTO_KITTIES:
                found.add((log["address"].lower(), int(log["logIndex"], 16)))
    return found


def _result(path: Path) -> bytes:
    text = _read(path)
    fields = msgspec.json.decode(text)
    if isinstance(fields, dict) and "result" in fields:
        return bytes(msgspec.json.decode(text, type=dict[str, msgspec.Raw])["result"])
    return text


def _read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
