"""The fault catalogue: every kind by its name.

The kinds themselves stand in ``processes`` and ``network``, each described once, in terms of levers.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from meshkit_chaos.faults.fault import Fault
from meshkit_chaos.faults.network import NETWORK_FAULTS
from meshkit_chaos.faults.processes import PROCESS_FAULTS

CATALOGUE: Final[Mapping[str, Fault]] = MappingProxyType({fault.kind: fault for fault in (*PROCESS_FAULTS, *NETWORK_FAULTS)})


def nearest(kind: str) -> str | None:
    """The known kind that looks most like ``kind``, if any does."""
    found = difflib.get_close_matches(kind, CATALOGUE, n=1, cutoff=0.5)
    return found[0] if found else None
