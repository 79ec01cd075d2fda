"""${message.rstrip(".")}.

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}

The version before this one goes on serving while this runs and after: add, fill, and drop only what no
running version reads. An index on a large table: in `with op.get_context().autocommit_block():`, with
`postgresql_concurrently=True`, as the only thing that its migration does.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Go there."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Come back."""
    ${downgrades if downgrades else "pass"}
