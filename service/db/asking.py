"""Statements of operators and the command line: one round trip each, on the lines of the hot ones, so as short.

Called by verification.oversight and fraud.blocks. A database that does not answer is Unavailable, nothing else.
"""

from __future__ import annotations

from typing import Any

from service.db.batch import HOPELESS
from service.db.engine import LOST, Database
from service.errors import Unavailable


async def ask(database: Database, statement: str, *values: object) -> list[dict[str, Any]]:
    """Run a statement; return its rows by column. Raises Unavailable, and what else asyncpg raises."""
    try:
        return [dict(row) for row in await database.pool.fetch(statement, *values)]
    except (*HOPELESS, *LOST) as error:
        reason = f"the database did not answer: {type(error).__name__}"
        raise Unavailable(reason, retry_after=2) from error
