"""What an event is called, what a retraction is, what is final, what is proven."""

from typing import Final

from tests.mutations.mutation import (
    CANONICAL,
    EVM,
    LEDGER_FINALITY,
    LEDGER_FINDINGS,
    LEDGER_HOLDERS,
    LEDGER_RECOUNT,
    LEDGER_REORGS,
    NORMALIZE_ALL,
    POSTING,
    PROJECTION,
    PUBLISHER,
    REPEATED_HASHES,
    REPEATS,
    Mutation,
)

_DOWN = "            block = below if below is not None and below.hash == block.parent else None\n"

MUTATIONS: Final = (
    Mutation(
        name="a-card-for-what-never-moved",
        path="agents/project/projection.py",
        old=" in in_order({slot[:3] for slot in _shifted(folded.holdings, stored)} & uncounted.keys()):\n",
        new=" in uncounted:\n",
        tests=(PROJECTION,),
    ),
    Mutation(
        name="log-index-as-ordinal",
        path="agents/decode/evm.py",
        old="            n = counts.get(source, 0)\n",
        new="            n = log_index\n",
        tests=(EVM,),
    ),
    Mutation(
        name="ordinal-in-the-whole-transaction",
        path="agents/decode/evm.py",
        old="            n = counts.get(source, 0)\n            counts[source] = n + 1\n",
        new='            n = counts.get((tx_hash, "", ""), 0)\n            counts[tx_hash, "", ""] = n + 1\n',
        tests=(EVM,),
    ),
    Mutation(
        name="ordinal-of-the-contract-alone",
        path="agents/decode/evm.py",
        old="            n = counts.get(source, 0)\n            counts[source] = n + 1\n",
        new='            n = counts.get((tx_hash, contract, ""), 0)\n'
        '            counts[tx_hash, contract, ""] = n + 1\n',
        tests=(EVM,),
    ),
    Mutation(
        name="sub-index-from-one",
        path="agents/decode/events.py",
        old="self.sub_index.extend(range(count))",
        new="self.sub_index.extend(range(1, count + 1))",
        tests=(EVM, "tests/unit/decode/test_erc1155.py"),
    ),
    Mutation(
        name="receipts-root-unchecked",
        path="streams/sources/evm/proof.py",
        old='    if computed != expected:\n        raise ProofError(f"{name_of(block)}: expected receiptsRoot',
        new='    if not computed:\n        raise ProofError(f"{name_of(block)}: expected receiptsRoot',
        tests=("tests/unit/sources/test_proof.py",),
    ),
    Mutation(
        name="bloom-superset-called-proven",
        path="streams/sources/evm/ladder.py",
        old="            reasons = (*block.reasons, BLOOM_SUPERSET) if missing else block.reasons\n",
        new="            reasons = block.reasons\n",
        tests=("tests/unit/sources/test_fewer_logs.py",),
    ),
    Mutation(
        name="late-empty-list-believed",
        path="streams/sources/evm/ladder.py",
        old="        return not is_empty or await self._receipts_hold_no_logs()\n",
        new="        return True\n",
        tests=("tests/unit/sources/test_ladder.py", "tests/unit/sources/test_fewer_logs.py"),
    ),
    Mutation(
        name="fewer-logs-believed-at-once",
        path="streams/sources/evm/standing.py",
        old="        return same > 1 or now - answer.since >= self._stands_s\n",
        new="        return same > 0\n",
        tests=("tests/unit/sources/test_fewer_logs.py",),
    ),
    Mutation(
        name="answers-stand-one-after-the-other",
        path="streams/sources/evm/source.py",
        old="                await self._listening.listen(at, last, self._chunk())\n",
        new="",
        tests=("tests/unit/sources/test_ahead.py",),
    ),
    Mutation(
        name="a-final-block-from-the-first-provider",
        path="streams/sources/evm/asking.py",
        old="    return *_worth([block]), block.logs\n",
        new="    return _worth([block])\n",
        tests=("tests/unit/sources/test_fewer_logs.py",),
    ),
    Mutation(
        name="log-index-believed-by-the-source",
        path="streams/sources/evm/proof.py",
        old="    _check_repeats(block, logs)\n",
        new="    if [log.log_index for log in logs] != [hex(at) for at in range(len(logs))]:\n"
        '        raise ProofError("out of order")\n',
        tests=("tests/unit/sources/test_proof.py",),
    ),
    Mutation(
        name="outside-receipt-beside-the-typed-one",
        path="streams/sources/evm/statesync.py",
        old="    if outside and not is_possible(network, block):\n",
        new="    if outside and not network.state_sync:\n",
        tests=("tests/unit/sources/test_state_sync.py",),
    ),
    Mutation(
        name="coverage-forgets-the-reasons",
        path="agents/normalize/coverage.py",
        old="        return (self.proof, self.reasons) == (proof, reasons)\n",
        new="        return self.proof == proof\n",
        tests=("tests/unit/agents/test_normalize_slices.py", NORMALIZE_ALL),
    ),
    Mutation(
        name="a-retraction-keeps-the-revision",
        path="agents/ledger/posting.py",
        old="            revision=[r + 1 for r in reversed(revisions)],\n",
        new="            revision=list(reversed(revisions)),\n",
        tests=(POSTING, LEDGER_REORGS),
    ),
    Mutation(
        name="a-return-keeps-the-revision",
        path="agents/ledger/posting.py",
        old="(mine[event][0] if event in mine else known.get(event, 0)) + 1",
        new="(mine[event][0] if event in mine else known.get(event, 1))",
        tests=(POSTING, LEDGER_REORGS),
    ),
    Mutation(
        name="a-hash-that-is-live-keeps-its-name",
        path="agents/ledger/repeats.py",
        old="            if copy > _FIRST:\n",
        new="            if copy > 99:\n",
        tests=(REPEATS, REPEATED_HASHES),
    ),
    Mutation(
        name="a-freed-number-is-never-taken-again",
        path="agents/ledger/repeats.py",
        old="        elif found.free:\n",
        new="        elif found.free and not found.plain:\n",
        tests=(REPEATS, REPEATED_HASHES),
    ),
    Mutation(
        name="hashes-repeat-only-where-a-network-says-so",
        path="agents/ledger/cache.py",
        old="return self._repeating.get(network, True)",
        new="return self._repeating.get(network, False)",
        tests=(REPEATED_HASHES,),
    ),
    Mutation(
        name="a-retracted-transaction-counts-as-live",
        path="sql/ledger.sql",
        old="ledger.normalized_events e\n    WHERE e.network = %(network)s AND e.tx_hash = k.tx_hash",
        new="ledger.events e\n    WHERE e.op = 'apply' AND e.network = %(network)s AND e.tx_hash = k.tx_hash",
        tests=(REPEATED_HASHES, LEDGER_REORGS),
    ),
    Mutation(
        name="subscribers-are-told-a-hash-with-a-number",
        path="agents/publish/announcements.py",
        old="text(tx if REPEATED not in tx else transaction_hash(tx))",
        new="text(tx)",
        tests=("tests/unit/agents/test_publish_announcements.py",),
    ),
    Mutation(
        name="a-revert-deletes-journal-rows",
        path="agents/ledger/writes.py",
        old="    await _put_slices(conn, posting)\n",
        new="    for (partition, _, _), gone in posting.slices.items():\n"
        "        if not gone.applied:\n"
        "            await conn.execute(\n"
        '                "DELETE FROM ledger.events WHERE partition = %s AND seq BETWEEN %s AND %s",\n'
        "                (partition, gone.seq_from, gone.seq_to),\n"
        "            )\n"
        "    await _put_slices(conn, posting)\n",
        tests=(LEDGER_REORGS,),
    ),
    Mutation(
        name="a-revert-writes-no-rows",
        path="agents/ledger/posting.py",
        old="        self._write(stretch)\n        self.posting.slices[key] = replace(before, applied=False)\n",
        new="        self.posting.slices[key] = replace(before, applied=False)\n",
        tests=(POSTING, LEDGER_REORGS),
    ),
    Mutation(
        name="a-revert-deletes-blocks",
        path="sql/normalize.sql",
        old="ON CONFLICT (network, number, hash) DO UPDATE SET state = 'reverted';",
        new="ON CONFLICT DO NOTHING;\nDELETE FROM ingest.blocks b WHERE b.state = 'reverted';",
        tests=(NORMALIZE_ALL,),
    ),
    Mutation(
        name="a-revert-deletes-the-block",
        path="agents/normalize/harvest.py",
        old="        self.reverted[key] = block\n",
        new="",
        tests=(NORMALIZE_ALL,),
    ),
    Mutation(
        name="finality-goes-down-by-height",
        path="agents/normalize/canonical.py",
        old=_DOWN,
        new="            block = below\n",
        tests=(CANONICAL,),
    ),
    Mutation(
        name="finality-of-all-below",
        path="agents/normalize/canonical.py",
        old="        self.rows.update({row.number: row for row in made_final})\n",
        new="        made_final = [\n"
        "            replace(row, final=True)\n"
        "            for height, row in sorted(self.rows.items(), reverse=True)\n"
        "            if height <= record.height and not row.final\n"
        "        ]\n"
        "        self.rows.update({row.number: row for row in made_final})\n",
        tests=(CANONICAL,),
    ),
    Mutation(
        name="finality-of-whatever-is-at-that-height",
        path="agents/normalize/canonical.py",
        old='return Ignored(reason=f"finalize of {record.height}: {record.hash!r:.100} is not canonical")\n',
        new="block = block or next(iter(self.rows.values()), None)\n",
        tests=(CANONICAL,),
    ),
    Mutation(
        name="finality-as-the-record-states-it",
        path="agents/normalize/canonical.py",
        old="            self.finalized = max(self.finalized, block.number)\n        elif",
        new="            self.finalized = max(self.finalized, record.finalized)\n        elif",
        tests=(CANONICAL,),
    ),
    Mutation(
        name="finality-never-falls-in-the-ledger",
        path="agents/ledger/posting.py",
        old="        standing.head = step.head\n",
        new="        standing.head = step.head._replace(finalized=max(step.head.finalized, standing.head.finalized))\n",
        tests=(POSTING, LEDGER_FINALITY),
    ),
    Mutation(
        name="finality-of-the-network-at-publishing",
        path="sql/publish.sql",
        old="SELECT partition, network, safe, finalized\nFROM system.partition_head\n",
        new="SELECT partition, network, max(safe) OVER (), max(finalized) OVER ()\nFROM system.partition_head\n",
        tests=(PUBLISHER,),
    ),
    Mutation(
        name="the-furthest-partition-speaks",
        path="api/freshness.py",
        old="    return min(heads, key=lambda head: head.position)\n",
        new="    return max(heads, key=lambda head: head.position)\n",
        tests=("tests/unit/api/test_freshness.py",),
    ),
    Mutation(
        name="a-finding-outlives-its-block",
        path="agents/ledger/findings.py",
        old="        doubtful |= await _fall(conn, reverts)\n",
        new="        doubtful |= set()\n",
        tests=(LEDGER_FINDINGS,),
    ),
    Mutation(
        name="a-contradiction-of-what-was-not-read",
        path="agents/ledger/findings.py",
        old="if histories[one.token[:2]] == (True, True)]",
        new="if histories[one.token[:2]] is not None]",
        tests=(LEDGER_FINDINGS,),
    ),
    Mutation(
        name="events-below-others-mark-nothing",
        path="agents/ledger/findings.py",
        old="    doubtful = singles.below.keys() | owned.turned\n",
        new="    doubtful = set() | owned.turned\n",
        tests=(LEDGER_FINDINGS,),
    ),
    Mutation(
        name="a-balance-that-came-back-never-fell",
        path="agents/ledger/owners.py",
        old="        if is_below or net.dips(before)\n",
        new="        if is_below\n",
        tests=(LEDGER_RECOUNT,),
    ),
    Mutation(
        name="a-balance-below-zero-in-the-end-alone",
        path="sql/findings.sql",
        old="account HAVING min(balance) < 0",
        new="account HAVING sum(quantity) < 0",
        tests=(LEDGER_RECOUNT,),
    ),
    Mutation(
        name="an-id-is-told-twice-only-within-a-transaction",
        path="agents/ledger/kinds.py",
        old="    result.hybrids = frozenset(hybrids)\n",
        new="    both = {(s.network, c) for s in stretches if s.columns.echo for c in s.columns.contract}\n"
        "    result.hybrids = frozenset(hybrids & both)\n",
        tests=(LEDGER_HOLDERS,),
    ),
    Mutation(
        name="an-id-has-one-holder-for-ever",
        path="agents/ownership.py",
        old="        return bool(self._live) and not self._told\n",
        new="        return bool(self._live) and not self._told and self._given is None\n",
        tests=(LEDGER_HOLDERS,),
    ),
    Mutation(
        name="from-nobody-to-nobody-leaves-the-counters",
        path="agents/project/projection.py",
        old="            if change.kind == NONE:\n                uncounted[asset] = change.standard\n",
        new="",
        tests=(PROJECTION,),
    ),
    Mutation(
        name="balances-go-and-nobody-counts-it",
        path="agents/project/projection.py",
        old="                _cover(asset, balances.get(asset, ()), stored, folded.holdings, covered=True)\n"
        "                uncounted[asset] = change.standard\n",
        new="                _cover(asset, balances.get(asset, ()), stored, folded.holdings, covered=True)\n",
        tests=(PROJECTION,),
    ),
    Mutation(
        name="a-holder-who-falls-takes-the-balances-along",
        path="agents/project/projection.py",
        old="            _cover(asset, balances.get(asset, ()), stored, folded.holdings, covered=False)\n",
        new="",
        tests=(PROJECTION,),
    ),
    Mutation(
        name="an-older-single-event-is-not-looked-for",
        path="agents/ledger/owners.py",
        old="    asked = [(token, False) for token in most] + [(token, True) for token in most if token in mixed]\n",
        new="    asked = [(token, False) for token in most]\n",
        tests=(LEDGER_HOLDERS,),
    ),
    Mutation(
        name="a-recount-deletes-what-came-meanwhile",
        path="sql/findings.sql",
        old="      AND f.xmin::text = s.version\n",
        new="",
        tests=(LEDGER_RECOUNT,),
    ),
    Mutation(
        name="a-holder-whom-no-event-names-is-proven",
        path="api/integrity.py",
        old='        "implicit": grounds.implicit,\n',
        new='        "implicit": False,\n',
        tests=("tests/unit/api/test_integrity.py",),
    ),
    Mutation(
        name="what-a-final-block-stands-on-is-not-final",
        path="agents/normalize/canonical.py",
        old="            or (child is not None and child.final and child.parent == record.hash),\n",
        new="            or (child is not None and child.parent == record.hash and not record.hash),\n",
        tests=("tests/unit/agents/test_canonical.py",),
    ),
    Mutation(
        name="a-network-that-comes-amid-a-rebalance-is-forgotten",
        path="streams/app.py",
        old="        if not self.rebalancing and not wanted <= conductor._topic_name_index.keys():\n",
        new="        if self.rebalancing and not wanted <= conductor._topic_name_index.keys():\n",
        tests=("tests/integration/worker/test_worker.py",),
    ),
)
