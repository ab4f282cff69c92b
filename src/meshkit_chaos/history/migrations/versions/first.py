"""The first schema.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _invocations()
    _leases()
    _marks()
    _pruned()
    _artifacts()
    _results()
    _subjects()
    _runs()
    _objectives()


def _invocations() -> None:
    op.create_table(
        "invocations",
        sa.Column("invocation", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("file_digest", sa.Text(), nullable=False),
        sa.Column("announced", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("invocation"),
    )
    op.create_index("ix_invocations_at", "invocations", ["at"], unique=False)


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _marks() -> None:
    op.create_table(
        "marks",
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("mark"),
    )
    op.create_index("ix_marks_run", "marks", ["run"], unique=False)


def _pruned() -> None:
    op.create_table(
        "pruned",
        sa.Column("invocation", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("invocation"),
    )


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("invocation", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["invocation"], ["invocations.invocation"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("invocation", "name"),
    )
    op.create_index("ix_artifacts_digest", "artifacts", ["digest"], unique=False)


def _results() -> None:
    op.create_table(
        "results",
        sa.Column("result", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("invocation", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("scenario", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("environment_class", sa.Text(), nullable=False),
        sa.Column("flaky", sa.Boolean(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("modules", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("objectives", sa.Text(), nullable=False),
        sa.Column("invalidated", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["invocation"], ["invocations.invocation"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("result"),
        sa.UniqueConstraint("invocation", "scenario", name="uq_results_invocation_scenario"),
    )
    op.create_index("ix_results_at", "results", ["at", "invocation"], unique=False)
    op.create_index("ix_results_verdict", "results", ["scenario", "verdict", "at", "invocation"], unique=False)
    op.create_index(
        "ix_results_class", "results", ["scenario", "environment_class", "verdict", "at", "invocation"], unique=False
    )
    op.create_index("ix_results_scenario_at", "results", ["scenario", "at", "invocation"], unique=False)


def _subjects() -> None:
    op.create_table(
        "subjects",
        sa.Column("invocation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["invocation"], ["invocations.invocation"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("invocation", "key"),
    )
    op.create_index("ix_subjects_key_value", "subjects", ["key", "value", "invocation"], unique=False)


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("result", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("environment_class", sa.Text(), nullable=False),
        sa.Column("plan_digest", sa.Text(), nullable=False),
        sa.Column("journal_digest", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("binaries", sa.Text(), nullable=False),
        sa.Column("executables", sa.Text(), nullable=False),
        sa.Column("invalidated", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["result"], ["results.result"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run"),
    )
    op.create_index("ix_runs_result", "runs", ["result"], unique=False)


def _objectives() -> None:
    op.create_table(
        "objectives",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("informational", sa.Boolean(), nullable=False),
        sa.Column("lo", sa.BigInteger(), nullable=True),
        sa.Column("hi", sa.BigInteger(), nullable=True),
        sa.Column("limit", sa.BigInteger(), nullable=True),
        sa.Column("resolution", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["runs.run"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "position"),
    )
