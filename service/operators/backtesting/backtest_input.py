"""Recorded decisions, read page by page, so that memory does not grow with their number.

Called by `verify-gateway policy backtest`. Reads only; test clients and decoys are left out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from service.db.asking import ask
from service.db.engine import Database
from service.operators.backtesting.backtest import RecordedSend
from service.vault import first_id

PAGE = 500
# There was no gateway earlier than this, and dates soon end.
FURTHEST = timedelta(days=3650)
# Walked by the key, which sorts by time, in both tables from where the page begins: else each page would read one of
# them whole.
READ = """
select s.verification_id as id, s.ordinal, c.name as client, s.decision::text as decision,
       is_real(s) and s.state in ('sent', 'in_doubt') as sent,
       v.status = 'verified' as verified
from sends s join verifications v on v.id = s.verification_id join clients c on c.id = v.client_id
where (s.verification_id, s.ordinal) > ($1, $2::int) and v.id >= $1
  and s.decision is not null and v.deliver and not v.test
order by s.verification_id, s.ordinal limit $3
"""
FIRST = "select verification_id as id from sends where verification_id > $1 order by verification_id limit 1"


class Page(NamedTuple):
    """Some decisions, and the share of all that has been read so far, 0 to 1."""

    rows: list[RecordedSend]
    share: float


async def read_decisions(database: Database, since: timedelta | None) -> AsyncIterator[Page]:
    """Read all decisions, oldest first; `since`: how far back to begin. Raises Unavailable."""
    now = datetime.now(UTC)
    last, ordinal = first_id(now - min(since, FURTHEST)) if since else UUID(int=0), 0
    oldest = await ask(database, FIRST, last)
    begin, end = _moment(oldest[0]["id"]) if oldest else 0, now.timestamp() * 1000
    while rows := await ask(database, READ, last, ordinal, PAGE):
        last, ordinal = rows[-1]["id"], rows[-1]["ordinal"]
        share = (_moment(last) - begin) / max(1.0, end - begin)
        yield Page([RecordedSend(row["client"], row["decision"], row["sent"], row["verified"]) for row in rows], share)


def _moment(row: UUID) -> int:
    """Return when an id was made, in ms."""
    return int(row) >> 80
