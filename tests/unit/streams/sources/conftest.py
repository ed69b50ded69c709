"""Waiting is what these tests must not do."""

import pytest


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off without the waiting."""
    monkeypatch.setattr("ft.streams.sources.evm.providers.backoff_s", lambda attempt, **_: 0.01)
