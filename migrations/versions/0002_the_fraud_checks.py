"""What the fraud checks need: histories of sends, device events bound to who used them, graded blocks, alerts.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql" / "0002"
FUNCTIONS = (
    "faded", "without", "place", "extract_ages", "weigh", "resolve", "credit", "refund",
    "first_id", "watch_traffic", "ring_alerts", "strike", "forget",
)  # fmt: skip


def upgrade() -> None:
    """Make the tables, then the functions."""
    for statement in (SQL / "tables.sql").read_text().split(";\n"):
        if statement.strip():
            op.execute(statement)
    for name in FUNCTIONS:
        op.get_bind().exec_driver_sql((SQL / f"{name}.sql").read_text())


def downgrade() -> None:
    """Drop them."""
    for name in reversed(FUNCTIONS):
        op.execute(f"drop function if exists {name} cascade")
    for column in ("weighed", "weighed_at", "country", "booked", "price", "booked_on"):
        op.execute(f"alter table sends drop {column}")
    for table in ("ledger", "lookups", "alerts", "traffic", "rounds", "audits", "blocks", "device_events", "histories"):
        op.drop_table(table)
