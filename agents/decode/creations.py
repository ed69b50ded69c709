"""raw -> normalized, which contracts a block's transactions created: where a full history begins. Pure.

A receipt's contractAddress lies under no root and is never believed by itself: nodes fill it in for plain calls. A
contract was created if its transaction has no receiver and the address follows from sender and nonce. That is proven
where the transactions make the header's transactionsRoot and the sender follows from the signature; else the creation
is kept with the reason why it rests on the provider's word.
"""

from collections.abc import Sequence

from ft.agents.decode import model
from ft.agents.decode.events import CreatedContract
from ft.agents.decode.model import ZERO_ADDRESS, Receipt
from ft.agents.decode.transactions import (
    DEPOSIT,
    NONCED,
    ROOT,
    Transaction,
    created_address,
    sender_of,
    transactions_proof,
)

_NOTHING = frozenset({"", "0x", ZERO_ADDRESS})


def created_in(block: bytes, receipts: Sequence[Receipt]) -> tuple[CreatedContract, ...]:
    """The created contracts of a block, in order. Costs nothing where no receipt names one."""
    claims = [receipt for receipt in receipts if receipt.contract_address and _succeeded(receipt)]
    if not claims:
        return ()
    proof = transactions_proof(block)
    by_hash = {transaction.hash.lower(): transaction for transaction in proof.transactions}
    found = []
    for receipt in claims:
        transaction = by_hash.get(receipt.transaction_hash.lower())
        if transaction is not None and not transaction.to:
            found.append(_creation(receipt, transaction, proof.reason))
    return tuple(each for each in found if each is not None)


def _succeeded(receipt: Receipt) -> bool:
    """Before Byzantium a receipt has no status, and a failed one logs nothing."""
    if (receipt.contract_address or "").lower() in _NOTHING:
        return False
    return not receipt.status or model.long_quantity(receipt.status, "a receipt's status") == 1


def _creation(receipt: Receipt, transaction: Transaction, reason: str) -> CreatedContract | None:
    """The contract, if its address is that of sender and nonce.

    1. the root holds: the sender is who signed, and the stated one only where nobody can be found; the nonce is under
       the root too, but for deposits, which have it in their receipt
    2. else: sender and nonce are what the provider says
    """
    sender = None if reason else sender_of(transaction)
    if sender is None:
        sender, reason = transaction.sender or receipt.sender or "", reason or ROOT
    nonce = transaction.nonce
    if transaction.kind == DEPOSIT and receipt.deposit_receipt_version is not None:
        nonce = receipt.deposit_nonce
    elif transaction.kind not in NONCED:
        reason = reason or ROOT
    try:
        address = created_address(sender, int(nonce or "0x0", 16))
    except ValueError:
        return None
    if address != (receipt.contract_address or "").lower():
        return None
    tx_hash = model.tx_hash(receipt.transaction_hash)
    return CreatedContract(contract=address, tx_hash=tx_hash, reasons=(reason,) if reason else ())
