"""What a pooler keeps us from setting ourselves, looked at once at the start.

Called by cli before serve and dispatch begin. Changes nothing: it belongs to the role, or to the pooler.
"""

from __future__ import annotations

from service.db.engine import HOT_LIMIT, Database, Pooler

# Milliseconds, as PostgreSQL keeps it; 0 is none.
FOUND = "select current_user as role, setting::int as ms from pg_settings where name = 'statement_timeout'"
MOST = 1000 * HOT_LIMIT


async def advise(database: Database, pooler: Pooler) -> str | None:
    """Say what to set where nothing ends a statement that has run for too long. Raises Unavailable."""
    if pooler != "transaction":
        return None
    [row] = await database.pool.fetch(FOUND)
    if 0 < row["ms"] <= MOST:
        return None
    role = '"' + row["role"].replace('"', '""') + '"'
    return (
        f"Behind a pooler the role has to bring its own time limit, and has {row['ms'] or 'no'} ms: "
        f"ALTER ROLE {role} SET statement_timeout = '{HOT_LIMIT:.0f}s', then RECONNECT in the pooler."
    )
