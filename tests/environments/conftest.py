"""Whole runs are built by the tests of the run; a disk that can be filled belongs to the lab."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / room) for room in ("run", "lab")]
