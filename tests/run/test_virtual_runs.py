"""Whole runs in virtual time."""

from __future__ import annotations

from pathlib import Path

from virtual_runs import run_virtual


def test_a_killed_leader_is_replaced(tmp_path: Path) -> None:
    """A run of a mesh that behaves comes to a pass, with every fact in its place."""
    ran = run_virtual(tmp_path / "run")
    assert ran.verdict.verdict == "pass", [finding for finding in ran.verdict.findings if finding.verdict != "pass"]
