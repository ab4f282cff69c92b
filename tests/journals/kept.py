"""Records that are kept for ever, one folder each, and how one is judged."""

from __future__ import annotations

from pathlib import Path

from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.store import JOURNAL
from meshkit_chaos.judge import judge
from meshkit_chaos.slo.codec import encode_pretty

EXPECTED = "expected-verdict.json"
HERE = Path(__file__).parent


def folders() -> list[Path]:
    """Every kept record."""
    return sorted(path.parent for path in HERE.glob(f"*/{JOURNAL}"))


def judged(folder: Path) -> bytes:
    """The verdict's bytes."""
    return encode_pretty(judge(read_record(folder)))
