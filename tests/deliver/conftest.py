"""Histories are opened by the tests of history, whole runs by those of the run."""

from __future__ import annotations

import sys
from pathlib import Path

for room in ("history", "run"):
    sys.path.insert(0, str(Path(__file__).parents[1] / room))
