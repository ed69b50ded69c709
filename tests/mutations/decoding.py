"""What a node says that no root proves, and movements told twice."""

from typing import Final

from tests.mutations.mutation import Mutation

_DECODE: Final = "tests/unit/agents/decode"

MUTATIONS: Final = (
    Mutation(
        name="no-echo-rule",
        path="agents/decode/echoes.py",
        old="    return _marked(events, mixed) if mixed else []\n",
        new="    return []\n",
        tests=(f"{_DECODE}/test_echoes.py",),
    ),
    Mutation(
        name="the-first-telling-counts",
        path="agents/decode/echoes.py",
        old="any(told[key][higher] > n for higher in range(rank))",
        new="rank and any(told[key][higher] > n for higher in range(rank))"
        " and row > min(at for at, other, _, _ in places if other == key)",
        tests=(f"{_DECODE}/test_echoes.py",),
    ),
    Mutation(
        name="log-index-believed",
        path="agents/decode/parts.py",
        old="    keys = [(place, 0 if place in unplaced else index) for place, index",
        new="    keys = [(0 * place, 0 if place in unplaced else index) for place, index",
        tests=(f"{_DECODE}/test_positions.py",),
    ),
    Mutation(
        name="state-sync-told-twice-counts-twice",
        path="agents/decode/statesync.py",
        old="        return [*without(main, pseudo), *typed], []\n",
        new="        return [*main, *typed, *outside], []\n",
        tests=(f"{_DECODE}/test_statesync.py",),
    ),
    Mutation(
        name="contract-address-believed",
        path="agents/decode/creations.py",
        old='    if address != (receipt.contract_address or "").lower():\n        return None\n',
        new='    address = (receipt.contract_address or "").lower()\n',
        tests=(f"{_DECODE}/test_creations.py",),
    ),
    Mutation(
        name="creations-of-calls",
        path="agents/decode/creations.py",
        old="        if transaction is not None and not transaction.to:\n",
        new="        if transaction is not None:\n",
        tests=(f"{_DECODE}/test_creations.py",),
    ),
    Mutation(
        name="transactions-root-unchecked",
        path="agents/decode/transactions.py",
        old='    return "" if computed == root else ROOT\n',
        new='    return "" if computed else ROOT\n',
        tests=(f"{_DECODE}/test_transactions.py", f"{_DECODE}/test_creations.py"),
    ),
    Mutation(
        name="stated-sender-believed",
        path="agents/decode/creations.py",
        old="    sender = None if reason else sender_of(transaction)\n",
        new="    sender = transaction.sender\n",
        tests=(f"{_DECODE}/test_creations.py",),
    ),
    Mutation(
        name="a-listed-contract-is-read-from-the-start",
        path="agents/normalize/contracts.py",
        old="if start <= since}",
        new="}",
        tests=("tests/unit/agents/normalize/test_contracts.py",),
    ),
)
