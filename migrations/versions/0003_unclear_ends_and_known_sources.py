"""What keeps the promises on a bad day: table changes by topic, then every function as it stands now.

The tables change by the pairs of files in sql/0003 (`TOPIC.up.sql`, `TOPIC.down.sql`), in the order of their names.
The functions are the current ones, one a file in migrations/functions. A function whose signature or meaning changes
gets a new name there (`admit_v3`), and the one that it takes the place of moves here (sql/0003/admit_v2.sql): processes
of the release before go on with that while this is rolled out.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from service.db.schema.sql_files import list_functions, make_functions, run_topics

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MIGRATIONS = Path(__file__).parent.parent
TABLES = MIGRATIONS / "sql" / "0003"
FUNCTIONS = MIGRATIONS / "functions"
BEFORE = (MIGRATIONS / "sql" / "0001", MIGRATIONS / "sql" / "0002")


def upgrade() -> None:
    """Change the tables, then make or replace every function."""
    run_topics(TABLES, "up")
    make_functions([*FUNCTIONS.glob("*.sql"), *list_functions(TABLES)])


def downgrade() -> None:
    """Drop every function, take the tables back, and make the functions of the version before."""
    before = [path for folder in BEFORE for path in list_functions(folder)]
    for path in (*FUNCTIONS.glob("*.sql"), *list_functions(TABLES), *before):
        op.execute(f"drop function if exists {path.stem} cascade")
    run_topics(TABLES, "down")
    make_functions(before)
