"""Checks once, at the start, what cannot be set behind a pooler.

Called by cli, before serve and dispatch begin. Changes nothing: the setting belongs to the role, or to the pooler.
"""

from __future__ import annotations

from service.db.engine import HOT_LIMIT, Database, Pooler

# Milliseconds, as PostgreSQL stores it; 0 means no limit.
FOUND = "select current_user as role, setting::int as ms from pg_settings where name = 'statement_timeout'"
MOST = 1000 * HOT_LIMIT


async def advise(database: Database, pooler: Pooler) -> str | None:
    """Return what to set if nothing limits a statement's time, else None. Raises Unavailable."""
    if pooler != "transaction":
        return None
    # Asked through the pooler, since that is how statements come: it may set a limit that the role does not have.
    [row] = await database.pool.fetch(FOUND)
    if 0 < row["ms"] <= MOST:
        return None
    role = '"' + row["role"].replace('"', '""') + '"'
    return (
        f"Behind a pooler the role has to bring its own time limit, and has {row['ms'] or 'no'} ms: "
        f"ALTER ROLE {role} SET statement_timeout = '{HOT_LIMIT:.0f}s', then RECONNECT in the pooler."
    )
