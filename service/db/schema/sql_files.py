"""How a migration runs the files of SQL that stand beside it.

Called by migrations/versions/0003 and later. Never decides which files: a migration names its own folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from alembic import op


def run_topics(folder: Path, direction: str) -> None:
    """Change the tables by the files `TOPIC.up.sql` or `TOPIC.down.sql` of a folder; back is the opposite order."""
    for path in sorted(folder.glob(f"*.{direction}.sql"), reverse=direction == "down"):
        for statement in path.read_text().split(";\n"):
            if statement.strip():
                op.execute(statement)


def make_functions(paths: Iterable[Path]) -> None:
    """Create or replace functions, one a file, in whatever order they come."""
    # Functions call one another: their bodies are looked at when they run.
    op.execute("set local check_function_bodies = off")
    for path in paths:
        op.get_bind().exec_driver_sql(path.read_text())
