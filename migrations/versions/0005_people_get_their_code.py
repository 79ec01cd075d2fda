"""People get their code: what device events carry, what captchas said, repeats, and what rules stop.

The tables change by the pairs of files in sql/0005 (`TOPIC.up.sql`, `TOPIC.down.sql`), in the order of their names.
The way back leaves the functions: what a release before calls has a name of its own, and still stands.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from pathlib import Path

from service.db.schema.sql_files import make_functions, run_topics

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
    """Take the tables back."""
    run_topics(TABLES, "down")
