"""Rows of collections and their owners -> answers: pure, but for the clock in ``lag_ms``."""

from typing import Any

from ft.api.collections.answers import Collection, CollectionAnswer, CollectionOwner, CollectionStats, Unwhole
from ft.api.collections.rows import CollectionOwners, CollectionRow, HeldCountersRow, OwnerRow
from ft.api.http.freshness import as_of, finality
from ft.api.integrity.judging import judge
from ft.api.integrity.standing import counted_head, head_of, is_amid_block, is_level


def collection_answer(row: CollectionRow, held: HeldCountersRow | None) -> CollectionAnswer:
    """A collection by ``project``'s counters, or by the ledger's holdings where those are missing."""
    return CollectionAnswer(**_collection_fields(row, held), as_of=as_of(head_of(row), row.network))


def collection(row: CollectionRow) -> Collection:
    """A collection among others, by ``project``'s counters."""
    return Collection(**_collection_fields(row, None))


def _collection_fields(row: CollectionRow, held: HeldCountersRow | None) -> dict[str, Any]:
    integrity, reasons = judge(row)
    return {
        "id": f"{row.network}:{row.contract}",
        "network": row.network,
        "contract": row.contract,
        "standard": held.standard if held else row.standard,
        "name": None,
        "slug": None,
        "image": None,
        "is_stub": True,
        "stats": _held_stats(held, row) if held else _stats(row),
        "market": None,
        "integrity": integrity,
        "integrity_reasons": reasons,
    }


def _stats(row: CollectionRow) -> CollectionStats:
    """``project``'s counters, as final as its own marks say; none amid a block, whose part is in them."""
    head = counted_head(row)
    whole = not is_amid_block(row, row.last_block)
    return CollectionStats(
        owners=row.owners if whole else None,
        assets=row.assets if whole else None,
        supply=row.supply if whole else None,
        transfers=row.transfers if whole else None,
        mints=row.mints if whole else None,
        burns=row.burns if whole else None,
        first_block=row.first_block if whole else None,
        last_block=row.last_block if whole else None,
        finality_status=finality(row.last_block if whole else None, head),
        as_of=None if is_level(row) else as_of(head, row.network),
        reason=None if whole else "block_incomplete",
    )


def _held_stats(held: HeldCountersRow, row: CollectionRow) -> CollectionStats:
    """The ledger's. What `project` alone counts is null before it does; where it is level and nobody holds any, 0."""
    moved_nothing = is_level(row) and not row.held
    events = 0 if moved_nothing else None
    first, last = (row.first_block, row.last_block) if moved_nothing else (held.first_block, held.last_block)
    reason: Unwhole = "not_counted"
    if moved_nothing:
        reason = "nothing_moved" if first is None else None
    return CollectionStats(
        owners=held.owners,
        assets=held.assets,
        supply=held.supply or "0",
        transfers=events,
        mints=events,
        burns=events,
        first_block=first,
        last_block=last,
        finality_status=finality(last, head_of(row)),
        as_of=None,
        reason=reason,
    )


def collection_owner(network: str, row: OwnerRow, found: CollectionOwners) -> CollectionOwner:
    """Rests on what the account still holds, and on what it gave away; where that cannot be told, or no event says so,
    it is pending."""
    untold = found.debits is None or row.block_number < 0
    newest = None if untold else max(row.block_number, (found.debits or {}).get(row.account, row.block_number))
    return CollectionOwner(
        owner=row.account,
        account=f"{network}:{row.account}",
        quantity=row.quantity,
        assets=row.assets,
        finality_status=finality(newest, found.head),
    )
