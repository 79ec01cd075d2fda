"""How often each rule objected, by client and mode, and what share of all that was suppressed that is.

Called by api.console. From the counts that the alarm round stores; what became of the numbers is
operators.reports.outcomes'.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from service.db.asking import CLOCK, ask
from service.db.engine import Database

# `rule` is empty for all requests that were decided.
COUNTS = f"""
with {CLOCK}
select r.client, r.rule, r.mode, sum(r.count)::int as count
from clock, rule_counts r where r.at > clock.now - $2::interval group by 1, 2, 3 order by 4 desc, 1, 2, 3
"""  # noqa: S608 (ours)


class RuleShare(msgspec.Struct, frozen=True):
    """To how many of a client's requests a rule objected, in a mode; `decided`: of how many."""

    client: str
    rule: str
    mode: str
    count: int
    decided: int


async def read_shares(database: Database, window: timedelta, now: Callable[[], datetime | None]) -> list[RuleShare]:
    """Read the shares of a window that ends now, the most frequent first. Raises Unavailable."""
    rows = await ask(database, COUNTS, now(), window)
    decided = {row["client"]: row["count"] for row in rows if not row["rule"]}
    return [RuleShare(**row, decided=decided.get(row["client"], row["count"])) for row in rows if row["rule"]]
