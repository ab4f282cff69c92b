"""Whole runs are built by the tests of the run, results with logs by those of history."""

from __future__ import annotations

import sys
from pathlib import Path

for neighbour in ("history", "run"):
    sys.path.insert(0, str(Path(__file__).parents[1] / neighbour))
