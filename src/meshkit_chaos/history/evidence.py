"""The evidence of an invocation as a mapping of names to bytes: its log, the journals of its runs, and their sample blocks.

Everything else in a results folder is derived from these, or (logs) judged by nobody. Pure: ``goes_on`` says whether one
state of an invocation holds all of another.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from meshkit_chaos.journal.store import JOURNAL, SAMPLES

LOG: Final = "invocation.jsonl"
_RUN: Final = r"runs/[a-z0-9][a-z0-9-]{0,63}/[0-9]{3,6}"
_NAME: Final = re.compile(rf"{re.escape(LOG)}|{_RUN}/(?:{re.escape(JOURNAL)}|{SAMPLES}/[0-9a-f]{{32}})")

Evidence = Mapping[str, bytes]


def is_evidence(name: str) -> bool:
    """Whether a name inside a results folder is one of evidence. No other name is ever read from a bundle."""
    return _NAME.fullmatch(name) is not None


def goes_on(earlier: Evidence, later: Evidence) -> bool:
    """Whether ``later`` holds everything of ``earlier``, its log and journals perhaps longer."""
    return all(name in later and _continued(name, data, later[name]) for name, data in earlier.items())


def _continued(name: str, earlier: bytes, later: bytes) -> bool:
    """A torn last line is cut off when another writer takes over; all whole ones stay."""
    if name.endswith(".jsonl"):
        return later.startswith(earlier[: earlier.rfind(b"\n") + 1])
    return later == earlier


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()
