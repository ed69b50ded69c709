"""Pure: how far holdings can be trusted, and every reason why it is no more."""

from typing import Final, Literal, TypeAlias

from ft.api.integrity.rows import GroundsRow

Level: TypeAlias = Literal["proven", "unproven", "partial_history", "nonconserving"]

REASONS: Final = {
    "contradiction": "its events contradict each other",
    "blocks_missing": "blocks since the contract's creation were not read",
    "quarantine": "something in those blocks could not be decoded",
    "not_listed": "those blocks were read before the contract was listed as one that is older than the standards",
    "state_sync_missing": "a block lists a state sync whose receipt no provider has",
    "contract_contradicts": "events of another token of the contract contradict each other",
    "implicit": "no event in force names the holder: a reorg took the last one away, and its sender is taken for the "
    "holder",
    "order": "events were applied out of the chain's order and not recounted yet",
    "logs": "some blocks were checked against their logs bloom only",
    "none": "some blocks were not checked at all",
    "header": "the header of some block does not make its hash",
    "bloom_superset": "some block's logs bloom holds more than its logs make",
    "outside_receipts": "logs of no transaction lie outside of the receipts root of some block",
    "state_sync": "the state sync of some block lies outside of its receipts root",
    "transactions_root": "the transaction that created the contract is not proven by its block",
    "transaction_type": "the creation's block has a transaction of a type without a known encoding",
}
"""Every reason that is known, the worst first. Another word, of a later version, makes an answer unproven."""

CONTRADICTING: Final = frozenset({"contradiction"})
MISSING: Final = frozenset({"blocks_missing", "quarantine", "not_listed", "state_sync_missing"})

_PROVEN: Final = frozenset({"", "receipts"})


def judge(grounds: GroundsRow) -> tuple[Level, list[str]]:
    """The worst that holds, and all reasons that hold, sorted: those of lesser weight too, for they are to be mended.

    1. nonconserving: the asset's own events (a collection: any token's) contradict each other
    2. partial_history: blocks of its span were not read, or are quarantined, or were read before the contract was
    listed, or lack a state sync that they announce
    3. unproven: a stretch of the span, or the creation that it begins with, is no more than what a provider said;
       events were applied out of the chain's order and not recounted yet; another token's events contradict; nothing
       but a retraction names a holder
    4. proven: none of it
    """
    reasons = reasons_of(grounds)
    if reasons & CONTRADICTING:
        return "nonconserving", sorted(reasons)
    if reasons & MISSING:
        return "partial_history", sorted(reasons)
    return ("unproven" if reasons else "proven"), sorted(reasons)


def reasons_of(grounds: GroundsRow) -> frozenset[str]:
    """Every reason that holds. A stretch's proof is a reason unless it is `receipts`."""
    told = frozenset(f"{grounds.reasons},{grounds.created_reasons}".split(",")) - _PROVEN
    found = {
        "contradiction": grounds.contradicted,
        "contract_contradicts": grounds.contract_contradicts,
        "blocks_missing": not grounds.gapless,
        "quarantine": grounds.quarantined,
        "not_listed": grounds.not_listed,
        "order": grounds.out_of_order,
        "implicit": grounds.implicit,
    }
    return told | {word for word, holds in found.items() if holds}
