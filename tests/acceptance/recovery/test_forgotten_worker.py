"""A worker that stands still through a restore, and then wakes up."""

import json
import re
import signal

import pytest

from tests.acceptance.faults.accounting import require_exactly_once, subscribe
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import World
from tests.acceptance.hostile.lives import more, raw_log
from tests.acceptance.recovery.commands import forget_processes, ft

pytestmark = pytest.mark.timeout(400)
_HELD = "SELECT count(*) FROM system.partition_owner WHERE owner <> ''"
_REFUSED = re.compile(r"this process began in epoch 0 of .* got epoch 1 of .*: start it again\.")


def test_a_worker_that_stood_still_through_a_restore_is_refused_and_announces_nothing_more(world: World) -> None:
    log = raw_log(20)
    with supervised(world.config, ("forgotten",)) as workers, world.connect() as conn:
        world.write(world.encoded(log.records))
        workers.until(lambda: world.caught_up(conn), "the records to come through", 120)
        held = world.number(_HELD)
        forgotten = workers.workers["forgotten"]
        forgotten.kill(signal.SIGSTOP)
        del workers.workers["forgotten"]
        try:
            forget_processes(world.config)
            assert "generation 1" in ft(world.config, "restore", "--as-it-stands")
            workers.start("restored")
            workers.until(lambda: world.number(_HELD) >= held, "the other one to hold all partitions", 120)

            forgotten.kill(signal.SIGCONT)
            code = forgotten.wait(60)
        finally:
            forgotten.kill(signal.SIGKILL)
        before = more(log)
        world.write(world.encoded(log.records[before:]))
        workers.until(lambda: world.caught_up(conn), "what came after the restore", 120)

    (line,) = [line for line in forgotten.log.read_text().splitlines() if '"worker exits"' in line]
    assert code == 1
    assert _REFUSED.search(json.loads(line)["error"])
    assert workers.exits == []
    require_exactly_once(world, log.chain)
    assert subscribe(world).generations.present == 1
