"""Small histories are built by the tests of the gate, and histories on disk by those of history."""

from __future__ import annotations

import sys
from pathlib import Path

for neighbour in ("gate", "history", "run"):
    sys.path.insert(0, str(Path(__file__).parents[1] / neighbour))
