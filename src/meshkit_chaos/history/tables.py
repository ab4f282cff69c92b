"""The tables of the index, in SQLAlchemy Core. One schema for SQLite and PostgreSQL; ``migrations`` makes it.

Instants and spans are whole nanoseconds. What is only ever read whole (tags, binaries, joined objectives) is JSON text; what is
searched for has a column and an index. A result is one scenario in one invocation; its runs and their objectives hang on it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, Table, Text, UniqueConstraint

HEAD: Final = "0004"
"""The newest migration: a database that says so needs none, and alembic is not imported."""

metadata: Final = MetaData()

invocations: Final = Table(
    "invocations",
    metadata,
    Column("invocation", Text, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("file_digest", Text, nullable=False),
    Column("announced", Text, nullable=False),
    Column("bundle", Text, nullable=False),
)

subjects: Final = Table(
    "subjects",
    metadata,
    Column("invocation", Text, ForeignKey("invocations.invocation", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Index("ix_subjects_key_value", "key", "value", "invocation"),
)

results: Final = Table(
    "results",
    metadata,
    Column("result", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("invocation", Text, ForeignKey("invocations.invocation", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("scenario", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("environment", Text, nullable=False),
    Column("environment_class", Text, nullable=False),
    Column("flaky", Boolean, nullable=False),
    Column("severity", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("modules", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("objectives", Text, nullable=False),
    Column("invalidated", Boolean, nullable=False),
    UniqueConstraint("invocation", "scenario", name="uq_results_invocation_scenario"),
    Index("ix_results_scenario_at", "scenario", "at", "invocation"),
    Index("ix_results_verdict", "scenario", "verdict", "at", "invocation"),
    Index("ix_results_class", "scenario", "environment_class", "verdict", "at", "invocation"),
    Index("ix_results_at", "at", "invocation"),
)

runs: Final = Table(
    "runs",
    metadata,
    Column("run", Text, primary_key=True),
    Column("result", BigInteger, ForeignKey("results.result", ondelete="CASCADE"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=False),
    Column("environment_class", Text, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("journal_digest", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("tool", Text, nullable=False),
    Column("binaries", Text, nullable=False),
    Column("executables", Text, nullable=False),
    Column("faults", Text, nullable=False, server_default="[]"),
    Column("invalidated", Text, nullable=False),
)

objectives: Final = Table(
    "objectives",
    metadata,
    Column("run", Text, ForeignKey("runs.run", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("indicator", Text, nullable=False),
    Column("informational", Boolean, nullable=False),
    Column("lo", BigInteger),
    Column("hi", BigInteger),
    Column("limit", BigInteger),
    Column("resolution", BigInteger),
)

artifacts: Final = Table(
    "artifacts",
    metadata,
    Column("invocation", Text, ForeignKey("invocations.invocation", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
)

marks: Final = Table(
    "marks",
    metadata,
    Column("mark", Text, primary_key=True),
    Column("run", Text, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("counts", Boolean, nullable=False),
)

pruned: Final = Table(
    "pruned",
    metadata,
    Column("invocation", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

leases: Final = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("key", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("occasion", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_at", BigInteger),
    Column("settled_at", BigInteger),
    Column("error", Text, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("claimed_until", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Index("ix_outbox_due", "state", "not_before", "position"),
    Index("ix_outbox_thread", "channel", "thread", "position"),
)
"""Actions and what became of them. ``position`` grows with the order of deciding. ``worker`` is at it until ``claimed_until``;
afterwards that is when the last attempt surely had ended. ``revision`` counts the changes of a row.
"""

rates: Final = Table(
    "rates",
    metadata,
    Column("bucket", Text, primary_key=True),
    Column("tokens", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("closed_until", BigInteger, nullable=False),
)
"""What was sent where of late (``tokens``), for all workers. ``closed_until``: the channel itself asked for a pause."""

changes: Final = Table(
    "changes",
    metadata,
    Column("change", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("invocation", Text, nullable=False),
    Column("xact", BigInteger, index=True),
)
"""Which invocation was added, changed or thrown away, written by triggers. ``xact``: PostgreSQL's number of the transaction."""
