"""Rows of transfers -> answers: pure, but for the clock in ``lag_ms``."""

from ft.api.http.freshness import as_of, finality
from ft.api.http.heads import HeadRow
from ft.api.http.pages import Page, page
from ft.api.transfers.answers import Kind, Transfer
from ft.api.transfers.rows import TransferKey, TransferRow, Transfers
from ft.schemas import ids


def transfers_page(found: Transfers, limit: int, filters: str, network: str) -> Page[Transfer]:
    """A page of transfers; one head speaks for all of it."""
    return page(
        found.rows,
        limit,
        filters,
        lambda row: TransferKey(row.block_number, row.log_index, row.sub_index, row.partition, row.seq),
        lambda row: transfer(row, found.head),
        as_of(found.head, network),
    )


def transfer(row: TransferRow, head: HeadRow | None) -> Transfer:
    return Transfer(
        transfer_id=ids.event_id(row.network, row.tx_hash, row.contract, row.topic0, row.n, row.sub_index),
        revision=row.revision,
        asset_id=ids.asset_id(row.network, row.contract, row.token_id),
        network=row.network,
        contract=row.contract,
        token_id=row.token_id,
        standard=row.standard,
        kind=kind_of(row.from_, row.to, row.quantity),
        from_=row.from_,
        to=row.to,
        quantity=row.quantity,
        echo=row.echo,
        operator=row.operator,
        tx_hash=ids.transaction_hash(row.tx_hash),
        log_n=row.n,
        sub_index=row.sub_index,
        log_index=row.log_index,
        block_number=row.block_number,
        block_hash=row.block_hash,
        block_time=row.block_time,
        finality_status=finality(row.block_number, head),
        status="live",
    )


def kind_of(from_account: str, to_account: str, quantity: str) -> Kind:
    """Nothing moves, or from nobody to nobody: none. From nobody: mint. To nobody: burn. Else: transfer."""
    minted, burned = from_account in ids.NO_ACCOUNTS, to_account in ids.NO_ACCOUNTS
    if quantity == "0" or (minted and burned):
        return "none"
    if minted:
        return "mint"
    return "burn" if burned else "transfer"
