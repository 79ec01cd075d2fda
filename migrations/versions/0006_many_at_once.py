"""Many at once: sends are weighed and resolved, and guesses reserved and settled, a batch at a time.

No table changes. The functions in sql/0006 are those that processes of revision 0005 call, and that have been replaced
since: they stay while a new version is rolled out, and after the way back.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from pathlib import Path

from service.db.schema.sql_files import list_functions, make_functions

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MIGRATIONS = Path(__file__).parent.parent
REPLACED = MIGRATIONS / "sql" / "0006"
FUNCTIONS = MIGRATIONS / "functions"


def upgrade() -> None:
    """Make or replace every function, and those that have been replaced since the revision before."""
    make_functions([*list_functions(REPLACED), *FUNCTIONS.glob("*.sql")])


def downgrade() -> None:
    """Leave the functions: what a release before calls has a name of its own, and still stands."""
