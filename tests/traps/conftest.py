"""The traps are shown on whole runs: what builds them lies in the tests of the run and of the environments."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / room) for room in ("run", "environments")]
