"""What ``ft status`` says of contracts older than the standards: which ranges were read before one was listed."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ft.cli.said import shown

_NAMED_MAX: Final = 4

Row = tuple[Any, ...]


def contract_lines(rows: Sequence[Row]) -> Iterable[str]:
    """Lines from the rows of the query ``undecoded``; none where every listed contract was read from the start."""
    for network, first, last, names in rows:
        named = ", ".join(shown(name) for name in names[:_NAMED_MAX])
        more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
        yield (
            f"[red]{network} {first}-{last} was read before these were listed: {named}{more}. Their movements in it "
            f"are missing until `ft replace {network} --from {first} --to {last}`[/]"
        )
