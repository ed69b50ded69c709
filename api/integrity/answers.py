"""Integrity as answers say it."""

from typing import Annotated

from msgspec import Meta

from ft.api.integrity.judging import REASONS, Level

Integrity = Annotated[
    Level,
    Meta(
        description="How far the holdings can be trusted; the worst that holds. `nonconserving`: the events "
        "contradict each other though none is missing. `partial_history`: blocks since the contract's creation were "
        "not read, or something in them could not be decoded. `unproven`: something rests on no more than what a "
        "provider said, or on an order that is not the chain's. `integrity_reasons` says why."
    ),
]


Reasons = Annotated[
    list[str],
    Meta(
        description="Why `integrity` is no better: all reasons that hold, sorted; none where it is `proven`. Further "
        "words may come. " + " ".join(f"`{word}`: {meaning}." for word, meaning in REASONS.items())
    ),
]
