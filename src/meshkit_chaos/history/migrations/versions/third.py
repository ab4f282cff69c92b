"""Which faults bit in each run, for what was never exercised. What was taken in before says nothing until a rebuild.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("runs", sa.Column("faults", sa.Text(), nullable=False, server_default="[]"))
