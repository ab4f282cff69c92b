"""The database itself notes which invocation changed: no writer can forget it, and who remembers answers reads only that.

An invocation comes and goes with its results in one transaction, so its own row tells of both. What people say of a run changes
results and runs that are there.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("change", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("invocation", sa.Text(), nullable=False),
        sa.Column("xact", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("change"),
    )
    op.create_index("ix_changes_xact", "changes", ["xact"], unique=False)
    for statement in _IN_SQLITE if op.get_context().dialect.name == "sqlite" else _IN_POSTGRES:
        op.execute(statement)


_IN_SQLITE = (
    """CREATE TRIGGER note_invocation_added AFTER INSERT ON invocations
    BEGIN INSERT INTO changes (invocation) VALUES (NEW.invocation); END""",
    """CREATE TRIGGER note_invocation_changed AFTER UPDATE ON invocations
    BEGIN INSERT INTO changes (invocation) VALUES (NEW.invocation); END""",
    """CREATE TRIGGER note_invocation_gone AFTER DELETE ON invocations
    BEGIN INSERT INTO changes (invocation) VALUES (OLD.invocation); END""",
    """CREATE TRIGGER note_result_changed AFTER UPDATE ON results
    BEGIN INSERT INTO changes (invocation) VALUES (NEW.invocation); END""",
    """CREATE TRIGGER note_run_changed AFTER UPDATE ON runs
    BEGIN INSERT INTO changes (invocation) SELECT invocation FROM results WHERE result = NEW.result; END""",
)

_IN_POSTGRES = (
    """CREATE FUNCTION note_change(named text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO changes (invocation, xact) VALUES (named, CAST(CAST(pg_current_xact_id() AS text) AS bigint)) $$""",
    """CREATE FUNCTION note_own_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN PERFORM note_change(OLD.invocation); ELSE PERFORM note_change(NEW.invocation); END IF;
        RETURN NULL;
    END $$""",
    """CREATE FUNCTION note_change_of_run() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM note_change(invocation) FROM results WHERE result = NEW.result; RETURN NULL; END $$""",
    """CREATE TRIGGER note_invocation AFTER INSERT OR UPDATE OR DELETE ON invocations
    FOR EACH ROW EXECUTE FUNCTION note_own_change()""",
    "CREATE TRIGGER note_result AFTER UPDATE ON results FOR EACH ROW EXECUTE FUNCTION note_own_change()",
    "CREATE TRIGGER note_run AFTER UPDATE ON runs FOR EACH ROW EXECUTE FUNCTION note_change_of_run()",
)
"""``xact`` tells which snapshots see a change: numbers of a sequence are not in the order of commits."""
