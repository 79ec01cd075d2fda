"""Leaner calls: the functions that callers wait for lock and look up less.

No table changes. The functions in sql/0007 are those that processes of revision 0006 call, and that have been replaced
since: they stay while a new version is rolled out, and after the way back.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from pathlib import Path

from service.db.schema.sql_files import list_functions, make_functions

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MIGRATIONS = Path(__file__).parent.parent
REPLACED = MIGRATIONS / "sql" / "0007"
FUNCTIONS = MIGRATIONS / "functions"


def upgrade() -> None:
    """Make or replace every function, and those that have been replaced since the revision before."""
    make_functions([*list_functions(REPLACED), *FUNCTIONS.glob("*.sql")])


def downgrade() -> None:
    """Leave the functions: what a release before calls has a name of its own, and still stands."""
