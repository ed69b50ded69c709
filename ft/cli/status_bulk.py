"""What ``ft status`` says of bulk backfills: how far each is, what holds it up, and what to do about it."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ft.cli.said import shown

_SILENT_S: Final = 30
"""After so many seconds without a sign of life nobody fills a job any more; it gives one every 5 s."""
_MONTHS_MAX: Final = 6

Row = tuple[Any, ...]


def bulk_lines(
    jobs: Sequence[Row], months: Sequence[Row], building: Sequence[Row], *, partitions: int
) -> Iterable[str]:
    """Lines from the rows of the queries ``bulk``, ``months`` and ``building``; none where there is no job."""
    for network, first, last, state, next_height, silent_s, error, read in jobs:
        where = f"bulk: {network} {first}-{last}"
        if state == "filling" and silent_s > _SILENT_S:
            yield (
                f"[red]{where}: stopped before block {next_height}, {silent_s} s ago; nothing is announced meanwhile. "
                f"Run `ft ingest {network} --from {first} --to {last} --bulk` again, or close it with --abandon[/]"
            )
        elif state == "filling":
            yield f"{where}: filling, next is block {next_height}"
        elif state == "written":
            yield f"{where}: written; the ledger has read it in {read} of {partitions or '?'} partitions"
        elif error is not None:
            yield f"[red]{where}: {shown(error)}[/]"
        else:
            yield f"{where}: its indexes are built"
    if months:
        named = " ".join(f"{month:%Y-%m}" for (month,) in months[:_MONTHS_MAX])
        more = f" and {len(months) - _MONTHS_MAX} more" if len(months) > _MONTHS_MAX else ""
        yield f"months without indexes: {named}{more} (their histories answer 503 range_not_indexed)"
    for name, phase, percent in building:
        yield f"index {name}: {phase}" + ("" if percent is None else f", {percent} %")
