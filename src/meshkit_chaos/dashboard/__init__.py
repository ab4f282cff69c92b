"""All runs as pages: outcomes, trends, readiness. The same pages are served and exported; nothing here writes to a history."""
