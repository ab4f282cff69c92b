"""One module for each change of the schema; ``history.tables.HEAD`` names the newest."""
