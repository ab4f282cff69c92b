"""Chaos automation for service meshes: scenarios in YAML, verdicts with evidence, rollback that survives ``kill -9``."""

__version__ = "0.1.0"
