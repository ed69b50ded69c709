"""What several providers say of one block, and which of it is believed."""

from typing import Final

from tests.mutations.mutation import Mutation

_KEEPING_UP: Final = ("tests/unit/streams/sources/test_keeping_up.py",)
_OUTSIDE: Final = ("tests/unit/streams/sources/test_outside_receipts.py",)
_PROVIDERS: Final = ("tests/integration/streams/ingest/test_providers.py",)
_ODD: Final = ("tests/integration/streams/ingest/test_odd_nodes.py",)

MUTATIONS: Final = (
    Mutation(
        name="what-one-provider-was-asked-all-were",
        path="streams/sources/evm/ahead.py",
        old="        return [height for height in behind if height not in told]\n",
        new="        return [height for height in behind if not any(height in each for each in self._told.values())]\n",
        tests=_KEEPING_UP,
    ),
    Mutation(
        name="the-first-provider-stands-for-all",
        path="streams/sources/evm/asking.py",
        old="            for provider, blocks in said.items():\n"
        "                self._note(provider, blocks, every[provider].fewer)\n",
        new="            for provider, blocks in list(said.items())[:1]:\n"
        "                self._note(provider, blocks, every[provider].fewer)\n",
        tests=_KEEPING_UP,
    ),
    Mutation(
        name="another-answer-begins-to-stand-anew-each-time",
        path="streams/sources/evm/standing.py",
        old="        answers.setdefault((provider, digest), _Answer(logs, now, now)).last = now\n",
        new="        for key in [key for key in answers if key[0] == provider and key[1] != digest]:\n"
        "            del answers[key]\n"
        "        answers.setdefault((provider, digest), _Answer(logs, now, now)).last = now\n",
        tests=("tests/unit/streams/sources/test_fewer_logs.py",),
    ),
    Mutation(
        name="a-fuller-list-that-comes-later-is-left",
        path="streams/ingest/follower.py",
        old="is_fuller = now == before and block.logs > row.logs >= 0\n",
        new="is_fuller = False\n",
        tests=_ODD,
    ),
    Mutation(
        name="logs-outside-of-the-receipts-are-not-looked-for",
        path="streams/sources/evm/ladder.py",
        old="return await self._with_outside(block, inside, unmade) if unmade else block\n",
        new="return block\n",
        tests=_OUTSIDE,
    ),
    Mutation(
        name="a-short-list-tells-of-logs-outside",
        path="streams/sources/evm/outside.py",
        old="    if digest_of(told) != digest_of(own):\n",
        new="    if len(told) > len(own):\n",
        tests=_OUTSIDE,
    ),
    Mutation(
        name="a-filter-that-holds-more-than-receipts-is-proven",
        path="streams/sources/evm/ladder.py",
        old="        return replace(block, reasons=(*block.reasons, BLOOM_SUPERSET)) if unmade else block\n",
        new="        return block\n",
        tests=_OUTSIDE,
    ),
    Mutation(
        name="logs-outside-take-their-own-hash",
        path="agents/decode/model.py",
        old="    return [_named(log, block_hash) for log in parse(",
        new="    return [_named(log, log.transaction_hash or block_hash) for log in parse(",
        tests=("tests/unit/agents/decode/test_positions.py",),
    ),
    Mutation(
        name="the-last-of-two-headers-is-read",
        path="api/http/request.py",
        old="for name, count in counts if count > 1]",
        new="for name, count in counts if count > 2]",
        tests=("tests/unit/api/http/test_request.py",),
    ),
    Mutation(
        name="a-follower-tells-a-block-of-long-ago",
        path="streams/ingest/follower.py",
        old="        self._progress.next_height = landed[-1].height + 1\n",
        new="",
        tests=("tests/integration/streams/ingest/test_follow.py",),
    ),
    Mutation(
        name="what-limits-is-asked-of-the-whole-run",
        path="streams/ingest/limiting.py",
        old="spent = {what: s - before.get(what, 0.0) for",
        new="spent = {what: s for",
        tests=("tests/unit/streams/ingest/test_limiting.py",),
    ),
    Mutation(
        name="a-block-that-does-not-fit-asks-the-first-provider-alone",
        path="streams/ingest/follower.py",
        old="                plan = await self._plan(everyone=True)\n",
        new="                plan = await self._plan()\n",
        tests=_PROVIDERS,
    ),
    Mutation(
        name="what-becomes-final-is-asked-of-the-first-provider-alone",
        path="streams/ingest/follower.py",
        old="self._ask_hashes(ends, everyone=True)",
        new="self._ask_hashes(ends)",
        tests=_PROVIDERS,
    ),
    Mutation(
        name="everyone-is-asked-and-the-first-believed",
        path="streams/sources/evm/source.py",
        old="            if disputed := [*denied, *parted]:\n",
        new="            if disputed := [*denied, *parted[:0]]:\n",
        tests=("tests/unit/streams/sources/test_faulty_providers.py",),
    ),
    Mutation(
        name="one-that-stands-still-is-asked-first",
        path="streams/sources/evm/provider.py",
        old="provider.trust.wait_s() > 0, provider.left_out, behind, slow\n",
        new="provider.trust.wait_s() > 0, False, behind, slow\n",
        tests=("tests/unit/streams/sources/test_faulty_providers.py",),
    ),
)
