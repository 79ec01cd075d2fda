"""Everything the first version needs: the tables, then the functions of the hot paths.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql" / "0001"
# One function a file, in the order in which they call one another.
FUNCTIONS = (
    "hold_subjects",
    "count_hits",
    "budget_left",
    "lifts_of",
    "attempts_left",
    "guess_in_flight",
    "effective_status",
    "sends_of",
    "tidy_at",
    "admit",
    "press",
    "reserve_guess",
    "close_if_ended",
    "settle_guess",
    "claim",
    "record",
    "delivery_rank",
    "apply_webhooks",
)
TABLES = (
    "idempotency_keys",
    "webhook_events",
    "guesses",
    "sends",
    "verifications",
    "counters",
    "exemptions",
    "api_keys",
    "clients",
)


def upgrade() -> None:
    """Make the tables, then the functions."""
    for statement in (SQL / "tables.sql").read_text().split(";\n"):
        if statement.strip():
            op.execute(statement)
    for name in FUNCTIONS:
        op.get_bind().exec_driver_sql((SQL / f"{name}.sql").read_text())


def downgrade() -> None:
    """Drop them; the functions that take a table's row go with it."""
    for name in reversed(FUNCTIONS):
        op.execute(f"drop function if exists {name} cascade")
    for table in TABLES:
        op.drop_table(table)
