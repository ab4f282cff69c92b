"""What alembic runs: takes the open connection that ``history.database`` hands in, and migrates inside its transaction.

Imported by anybody else it does nothing.
"""

from alembic import context


def migrate() -> None:
    """Bring the database to the revision that was asked for."""
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


if hasattr(context, "config"):
    migrate()
