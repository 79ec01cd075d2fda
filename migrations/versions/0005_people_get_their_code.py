"""People get their code: what device events carry, what captchas said, repeats, and what rules stop.

The tables change by the pairs of files in sql/0005 (`TOPIC.up.sql`, `TOPIC.down.sql`), in the order of their names. The
other files there are the functions of 0004 that have changed or gone since: the way back makes them again, because the
ones of now need the tables of now.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from pathlib import Path

from service.db.schema.sql_files import list_functions, make_functions, run_topics

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MIGRATIONS = Path(__file__).parent.parent
TABLES = MIGRATIONS / "sql" / "0005"
FUNCTIONS = MIGRATIONS / "functions"


def upgrade() -> None:
    """Change the tables, then make or replace every function."""
    run_topics(TABLES, "up")
    make_functions(FUNCTIONS.glob("*.sql"))


def downgrade() -> None:
    """Make the functions of 0004 again, and take the tables back."""
    make_functions(list_functions(TABLES))
    run_topics(TABLES, "down")
