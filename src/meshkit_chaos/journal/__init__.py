"""The record of a run: facts, append-only, right at every line. Everything else is derived from it."""
