"""Golden files: ``UPDATE_GOLDEN=1 pytest tests/report`` writes them anew; look at the difference before it is committed."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check(name: str, made: bytes | str, *, folder: Path = FOLDER) -> None:
    """Compare with the golden file, or write it when ``UPDATE_GOLDEN=1`` is set."""
    data = made.encode() if isinstance(made, str) else made
    path = folder / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    expected = path.read_bytes() if path.exists() else b""
    assert data == expected, f"{path} is not current; run with UPDATE_GOLDEN=1 and look at the difference"
