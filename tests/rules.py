"""Whether a rule of deploy/alerts.yml fires, given what processes told of themselves.

No engine runs here: of PromQL it knows what the rules that are asked for say, and refuses anything else.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeAlias

import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

Labels: TypeAlias = frozenset[tuple[str, str]]
Scrape: TypeAlias = tuple[dict[str, str], str]
"""The labels that Prometheus gives a target, and what the target told."""

_RULES: Final = Path(__file__).resolve().parent.parent / "deploy" / "alerts.yml"
_SELECTOR: Final = r'(?P<metric>\w+)(?:\{(?P<label>\w+)(?P<is>=~|!=|=)"(?P<pattern>[^"]*)"\})?'
_PART: Final = re.compile(
    rf"max by \((?P<by>[\w, ]+)\) \((?P<changes>changes\()?{_SELECTOR}(?:\[15m\]\))?\) > (?P<limit>\d+)\s*"
)


def firing(alert: str, scrapes: Sequence[Scrape]) -> list[dict[str, str]]:
    """The labels of what fires, of scrapes within a quarter of an hour, the newest last."""
    groups = yaml.safe_load(_RULES.read_text())["groups"]
    (rule,) = (rule for group in groups for rule in group["rules"] if rule["alert"] == alert)
    assert "for" not in rule, f"{alert}: the time that it has to hold is not looked at here"
    found = []
    for part in re.split(r"\bor\b", rule["expr"]):
        told = _PART.fullmatch(part.strip())
        assert told is not None, f"{alert}: an expression that tests/rules.py does not know: {part}"
        found += _over(told, [_samples(told, scrape) for scrape in scrapes])
    return found


def _over(told: re.Match[str], series: Sequence[dict[Labels, float]]) -> list[dict[str, str]]:
    by, best = [name.strip() for name in told["by"].split(",")], dict[Labels, float]()
    for labels in {labels for scrape in series for labels in scrape}:
        values = [scrape[labels] for scrape in series if labels in scrape]
        if told["changes"]:
            value = float(sum(one != other for one, other in pairwise(values)))
        elif labels in series[-1]:
            value = values[-1]
        else:
            continue
        key = frozenset((name, of) for name, of in labels if name in by)
        best[key] = max(value, best.get(key, value))
    return [dict(labels) for labels, value in best.items() if value > int(told["limit"])]


def _samples(told: re.Match[str], scrape: Scrape) -> dict[Labels, float]:
    target, text = scrape
    return {
        frozenset({**sample.labels, **target}.items()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == told["metric"] and _is_selected(told, {**sample.labels, **target})
    }


def _is_selected(told: re.Match[str], labels: dict[str, str]) -> bool:
    if told["label"] is None:
        return True
    value, pattern = labels.get(told["label"], ""), told["pattern"]
    if told["is"] == "=~":
        return re.fullmatch(pattern, value) is not None
    return (value == pattern) == (told["is"] == "=")
