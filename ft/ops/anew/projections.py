"""In the transaction of step 3: what ``project`` keeps, counted from the journal at once.

The records that will be announced anew are of rows that these tables hold already: ``project`` drops them by seq, as
every subscriber does that has them. So nobody who asks the API meanwhile is told of half a history.
"""

from collections.abc import Callable
from typing import Any, Final

from ft.agents.columns import columns
from ft.ops.anew.state import Connection
from ft.schemas.ids import NO_ACCOUNTS, asset_id, asset_uuid_text
from ft.schemas.standards import SINGLE
from ft.sql.queries import LIVE, load

_TABLES: Final = {
    "holdings": "projection.holdings",
    "cards": "projection.asset_cards",
    "holders": "projection.collection_holders",
    "stats": "projection.collection_stats",
    "activity": "projection.collection_activity",
    "heads": "system.partition_head",
}
"""Name in the queries -> table, in the order in which they follow from each other."""
_ASSETS: Final = ("network", "contract", "token_id", "uuid", "standard", "first_seen")
_ROWS_AT_ONCE: Final = 5_000


def count_projections(conn: Connection, told: Callable[[str], None]) -> None:
    """Write every table of ``project`` anew, in the open transaction; readers see the old ones until it is committed.

    1. each table from the journal and the ledger's holdings; 2. the catalog, whose rows keep their place: stubs of
    what never moved go, those that are missing come.
    """
    sql = load("anew_projections", LIVE)
    values = {"single": sorted(SINGLE), "nobody": sorted(NO_ACCOUNTS)}
    for name, table in _TABLES.items():  # 1
        told(f"projections: {name}")
        conn.execute(sql[f"forget_{name}"])
        conn.execute(sql[f"put_{name}"], values)
        conn.execute(f"ANALYZE {table}".encode())  # the next one joins it, and must not take it for small
    told("projections: assets")  # 2
    conn.execute(sql["forget_assets"])
    conn.execute(sql["date_assets"], values)
    _name_assets(conn, values)


def _name_assets(conn: Connection, values: dict[str, Any]) -> None:
    with conn.cursor(name="unnamed_assets") as cursor:
        cursor.execute(load("anew_projections", LIVE)["unnamed_assets"], values)
        while found := cursor.fetchmany(_ROWS_AT_ONCE):
            rows = [
                (
                    network,
                    contract,
                    token_id,
                    asset_uuid_text(asset_id(network, contract, token_id)),
                    standard,
                    first_seen,
                )
                for network, contract, token_id, standard, first_seen in found
            ]
            conn.execute(load("project", LIVE)["add_assets"], columns(_ASSETS, rows))
