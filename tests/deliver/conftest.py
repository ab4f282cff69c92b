"""Decisions are built by the tests of the gate, histories are opened by those of history, whole runs by those of the run."""

from __future__ import annotations

import sys
from pathlib import Path

for room in ("gate", "history", "run"):
    sys.path.insert(0, str(Path(__file__).parents[1] / room))
sys.path.append(str(Path(__file__).parents[2] / "docs"))
