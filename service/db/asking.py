"""Statements of operators and the command line: one round trip each, as short as the hot ones, on lines of their own.

Called by operators.verifications and operators.blocks. Keeps nothing between two of them.
"""

from __future__ import annotations

from typing import Any

from service.db.engine import Database


async def ask(database: Database, statement: str, *values: object) -> list[dict[str, Any]]:
    """Run a statement; return its rows by column. Raises as Lines.fetch."""
    return [dict(row) for row in await database.desk.fetch(statement, *values)]
