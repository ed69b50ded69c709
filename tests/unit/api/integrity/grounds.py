"""What nothing speaks against."""

from ft.api.integrity.rows import GroundsRow

PROVEN = GroundsRow(
    contradicted=False,
    contract_contradicts=False,
    gapless=True,
    quarantined=False,
    not_listed=False,
    out_of_order=False,
    implicit=False,
    reasons="receipts,",
    created_reasons="",
)
