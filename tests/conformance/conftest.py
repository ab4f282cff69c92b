"""Documents and meshes of other rooms' tests serve here too."""

from __future__ import annotations

import sys
from pathlib import Path

for room in ("run", "environments"):
    sys.path.insert(0, str(Path(__file__).parents[1] / room))
