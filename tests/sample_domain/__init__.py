"""A domain on one screen: counts what each account received, and announces every tenth as a milestone.

Events that a reorg takes back are uncounted; a milestone that was announced and is not reached any more is announced
as taken back.
"""

from collections import Counter
from collections.abc import Sequence

from ft.schemas.changes import SIGN, Change
from ft.schemas.domains import Check, Domain
from ft.streams.worker.subscriber import Subscriber, Tx

EVERY = 10
REACHED = "sample.milestone_reached"
SCHEMA = {
    "type": "record",
    "name": "MilestoneReached",
    "namespace": "ft",
    "fields": [
        {"name": "seq", "type": "long"},
        {"name": "prev_seq", "type": "long"},
        {"name": "op", "type": "string"},
        {"name": "network", "type": "string"},
        {"name": "account", "type": "string"},
        {"name": "received", "type": "long"},
    ],
}
TABLES = """
    CREATE TABLE sample.received (network text, account text, n bigint NOT NULL, PRIMARY KEY (network, account));
    CREATE VIEW sample.milestones AS SELECT network, account, n / 10 AS reached FROM sample.received WHERE n >= 10;
"""
ADD = """
    INSERT INTO sample.received AS r SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[])
    ON CONFLICT (network, account) DO UPDATE SET n = r.n + excluded.n
    RETURNING network, account, n
"""
DIFFER = """
    WITH told AS (
        SELECT network, "to" AS account, sum(CASE op WHEN 'apply' THEN 1 ELSE -1 END) AS n
        FROM ledger.events e
        JOIN system.partition_owner o
          ON o.consumer = 'sample' AND o.topic = %(changed)s AND o.partition = e.partition AND e.seq < o.next_seq
        WHERE op IN ('apply', 'revert') AND NOT echo GROUP BY 1, 2
    )
    SELECT concat_ws(':', network, account), coalesce(told.n, 0)::text, coalesce(r.n, 0)::text
    FROM told FULL JOIN sample.received r USING (network, account)
    WHERE coalesce(told.n, 0) <> coalesce(r.n, 0) AND account <> ''
"""


class Received(Subscriber[Change]):
    """ownership_changed -> sample.received, and milestones."""

    consumer = "sample"

    def check(self, record: Change) -> str | None:
        return None if record.to_account else "expected an account that receives, got none"

    async def apply(self, tx: Tx, records: Sequence[Change]) -> None:
        """Each account is moved once a transaction, accounts in one order for all who write them."""
        got = Counter[tuple[str, str]]()
        for record in records:
            got[record.network, record.to_account] += SIGN[record.op]
        moved = sorted(key for key, n in got.items() if n)
        columns = [[key[0] for key in moved], [key[1] for key in moved], [got[key] for key in moved]]
        for network, account, n in await (await tx.execute(ADD, columns)).fetchall():
            before = n - got[network, account]
            for reached in range(before // EVERY, n // EVERY, 1 if n > before else -1):
                op, at = ("apply", reached + 1) if n > before else ("revert", reached)
                said = {"op": op, "network": network, "account": account, "received": at * EVERY}
                tx.announce(REACHED, f"{network}:{account}", said)


DOMAIN = Domain(
    name="sample",
    subscribers=(Received,),
    announces={REACHED: SCHEMA},
    migrations={"0001": TABLES},
    tables=("received",),
    views=("milestones",),
    checks=(
        Check(
            name="received",
            claim="{0:,} accounts received as often as the journal says",
            count="SELECT count(*) FROM sample.received",
            query=DIFFER,
        ),
    ),
)
