"""Golden tickets: ``UPDATE_GOLDEN=1 pytest tests/deliver`` writes them anew; look at the difference before it is committed."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden" / "tickets"


def check_golden(name: str, text: str) -> None:
    """Compare with the golden file, or write it when ``UPDATE_GOLDEN=1`` is set."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    assert text == expected, f"{path} is not current; run with UPDATE_GOLDEN=1 and look at the difference"
