"""How well a block is proven: the words of ``proof`` and ``reasons``, and which of two is worth more. Pure."""

import re
from collections.abc import Iterable
from typing import Final

PROOFS: Final = {"none": 0, "logs": 1, "receipts": 2}
"""Proof -> how much it proves."""
HEADER: Final = "header"
"""The header does not make its hash: whatever it states stands on the provider's word, the block's time too."""
BLOOM_SUPERSET: Final = "bloom_superset"
"""The header's filter holds more than the logs make: a log that is missing would look the same."""
OUTSIDE_RECEIPTS: Final = "outside_receipts"
"""Logs of no transaction lie outside of receiptsRoot: what they say stands on the provider's word and the filter."""
STATE_SYNC: Final = "state_sync"
"""Polygon's state sync outside of receiptsRoot: those logs stand on the provider's word."""
STATE_SYNC_MISSING: Final = "state_sync_missing"
"""The block lists Polygon's state-sync transaction, and no provider has its receipt: logs are missing."""
AS_GOOD_AS_ANY: Final = frozenset({STATE_SYNC, OUTSIDE_RECEIPTS})
"""Reasons that the chain gives: no other provider proves more, now or later."""
_WORD: Final = re.compile(r"[a-z][a-z_]{0,39}\Z")


def worth(proof: str, reasons: Iterable[str]) -> tuple[bool, bool, int, int]:
    """What is greater is better proven: 1. nothing is missing, 2. the header makes its hash, 3. the proof, 4. the
    fewer reasons, of which logs outside of the receipts are none: who tells of them is worth no less than who does not.
    """
    words = set(reasons) - {OUTSIDE_RECEIPTS}
    return STATE_SYNC_MISSING not in words, HEADER not in words, PROOFS.get(proof, -1), -len(words)


def joined(reasons: Iterable[str]) -> str:
    """Reasons as a column holds them: sorted, each once, with commas between; '' for none."""
    return ",".join(sorted(set(reasons)))


def apart(column: str) -> tuple[str, ...]:
    """What :func:`joined` made into one."""
    return tuple(column.split(",")) if column else ()


def is_word(text: str) -> bool:
    """Whether this can be a reason, of this version or of a later one."""
    return _WORD.match(text) is not None
