"""Operators' statements: one round trip each, with the same time limit as others, on connections of their own.

Used by operators, and by what clients and cli look up for them. Keeps no state.
"""

from __future__ import annotations

from typing import Any

from service.db import faults
from service.db.engine import Database

# The time of an operators' statement, $1: null is the database's own.
CLOCK = "clock as materialized (select coalesce($1::timestamptz, clock_timestamp()) as now)"
# The largest id of a row that operators name by a number.
LARGEST_ID = 2**31 - 1


async def ask(database: Database, statement: str, *values: object) -> list[dict[str, Any]]:
    """Run a statement; return its rows. Raises what Pool.fetch raises."""
    return [dict(row) for row in await database.operator_pool.fetch(statement, *values)]


async def ask_at_length(database: Database, limit: float, statement: str, *values: object) -> list[dict[str, Any]]:
    """Run a statement that may take so many seconds, on a connection of its own. For what nobody waits for over HTTP.

    Raises Unavailable.
    """
    try:
        async with database.operator_pool.acquire() as line, line.transaction(readonly=True):
            await line.execute(f"set local statement_timeout = '{limit:.0f}s'")
            return [dict(row) for row in await line.fetch(statement, *values, timeout=limit + 1)]
    except Exception as error:
        raise faults.classify(error).error from error
