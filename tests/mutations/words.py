"""What processes say of themselves: lines, ends, and what an operator is called for."""

from typing import Final

from tests.mutations.mutation import Mutation

_LOG: Final = ("tests/unit/telemetry/test_log.py",)
_OUTAGE: Final = ("tests/unit/telemetry/test_outage.py",)
_ATTENTION: Final = ("tests/unit/api/status/test_attention.py",)

MUTATIONS: Final = (
    Mutation(
        name="a-terminal-obeys-a-name",
        path="ft/telemetry/log.py",
        old="        shown = {printable(name): _shown(value) for name, value in entry.items()}\n",
        new="        shown = {name: _shown(value) for name, value in entry.items()}\n",
        tests=_LOG,
    ),
    Mutation(
        name="a-terminal-obeys-json",
        path="ft/telemetry/log.py",
        old="    return printable_json(text)\n",
        new="    return text\n",
        tests=_LOG,
    ),
    Mutation(
        name="a-thread-prints-its-traceback",
        path="ft/telemetry/takeover.py",
        old="        threading.excepthook = _threading_excepthook(lines)\n",
        new="",
        tests=_LOG,
    ),
    Mutation(
        name="errors-are-left-out",
        path="ft/telemetry/log.py",
        old="        if level < _ALWAYS:\n",
        new="        if level <= _ALWAYS:\n",
        tests=_LOG,
    ),
    Mutation(
        name="an-outage-is-told-at-every-attempt",
        path="ft/telemetry/outage.py",
        old="            elif now - self._said_at >= _AGAIN_S:\n",
        new="            else:\n",
        tests=_OUTAGE,
    ),
    Mutation(
        name="the-api-tells-what-processes-said",
        path="api/status/attention.py",
        old="{f': {row.error}' if errors else ''}",
        new="{f': {row.error}'}",
        tests=_ATTENTION,
    ),
    Mutation(
        name="a-settled-contradiction-calls-an-operator",
        path="api/status/attention.py",
        old='        if row.kind == "FinalityContradicted" and not row.settled:\n',
        new='        if row.kind == "FinalityContradicted":\n',
        tests=_ATTENTION,
    ),
    Mutation(
        name="ctrl-c-of-a-worker-is-a-success",
        path="streams/worker/process.py",
        old="    return INTERRUPTED if app.told_by == signal.SIGINT else 0\n",
        new="    return 0\n",
        tests=("tests/unit/streams/worker/test_process.py",),
    ),
    Mutation(
        name="the-chains-part-where-they-were-looked-at-last",
        path="streams/ingest/parting.py",
        old="        parted = min(denied, default=parted)\n",
        new="        parted = low\n",
        tests=("tests/unit/streams/ingest/test_parting.py",),
    ),
)
