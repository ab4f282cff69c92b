"""What alembic runs: takes the open connection that ``history.database`` hands in, and migrates inside its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
