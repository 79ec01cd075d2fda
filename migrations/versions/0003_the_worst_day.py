"""What keeps the promises on a bad day: table changes by topic, then every function as it stands now.

The tables change by the pairs of files in sql/0003 (`TOPIC.up.sql`, `TOPIC.down.sql`), in the order of their names.
The functions are the current ones, one a file in migrations/functions. A function whose signature or meaning changes
gets a new name there (`admit_v2`): processes of the release before go on with the old one while this is rolled out.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from service.db.schema.sql_files import make_functions, run_topics

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
    make_functions(FUNCTIONS.glob("*.sql"))


def downgrade() -> None:
    """Drop every function, take the tables back, and make the functions of the version before."""
    before = [path for folder in BEFORE for path in sorted(folder.glob("*.sql")) if path.stem != "tables"]
    for path in (*FUNCTIONS.glob("*.sql"), *before):
        op.execute(f"drop function if exists {path.stem} cascade")
    run_topics(TABLES, "down")
    make_functions(before)
