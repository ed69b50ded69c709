"""What the fault runs found, as one table: printed at the end, and written to the file that --summary names."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.acceptance.faults.recovery import Recovery


@dataclass
class Summary:
    """Rows of (what, figures), in the order in which they were found."""

    rows: list[tuple[str, str]] = field(default_factory=list)

    def add(self, what: str, figures: object) -> None:
        self.rows.append((what, str(figures)))

    def recoveries(self, kind: str, seen: Sequence[Recovery]) -> None:
        """One row a kind of fault."""
        back = [each.back_s for each in seen if each.back_s is not None]
        whole = [each.all_s for each in seen if each.all_s is not None]
        self.add(f"  {kind}", f"{len(seen)}; at work again {spread(back)}; every partition {spread(whole)}")

    def table(self) -> str:
        wide = max((len(what) for what, _ in self.rows), default=0)
        return "\n".join(f"{what.ljust(wide)}  {figures}" for what, figures in self.rows)


def spread(seconds: Sequence[float]) -> str:
    """Median and greatest."""
    return f"median {median(seconds):.1f} s, at most {max(seconds):.1f} s" if seconds else "-"


def by_depth(depths: Sequence[int]) -> str:
    """How many reorgs there were of which depth."""
    bounds = (1, 4, 8, 16, 32, 64)
    counts = Counter(next((bound for bound in bounds if depth <= bound), bounds[-1]) for depth in depths)
    names = {bound: f"{low + 1}-{bound}" for low, bound in zip((0, *bounds), bounds, strict=False)} | {1: "1"}
    return f"{len(depths)}; " + ", ".join(f"{names[bound]}: {counts[bound]}" for bound in bounds if counts[bound])
