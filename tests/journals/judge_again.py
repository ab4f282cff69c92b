"""Write every ``expected-verdict.json`` again. The difference is to be reviewed line by line."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from kept import EXPECTED, folders, judged

if __name__ == "__main__":
    for folder in folders():
        (folder / EXPECTED).write_bytes(judged(folder))
