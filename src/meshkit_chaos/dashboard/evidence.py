"""What several threads need before they may read records: types that are built, and a turn.

msgspec builds what it knows of a type when that is first read, and not safely in two threads at once. So the types that pages
read are built before there are threads, and evidence is unpacked and judged by one thread at a time, which also bounds the
memory that it takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from threading import Lock
from typing import Any, Final

import msgspec

from meshkit_chaos.campaign.log import Line
from meshkit_chaos.campaign.results import Results
from meshkit_chaos.dashboard.sources import Evidence
from meshkit_chaos.deliver.action import Action, Receipt
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.gate.log import LogEntry
from meshkit_chaos.history.logs import About
from meshkit_chaos.journal import events as ev
from meshkit_chaos.slo.codec import convert

_PATIENCE: Final = 30.0
_READ: Final[tuple[Any, ...]] = (ev.AnyEvent, Line, LogEntry, Action, Receipt, About)


def build_types() -> None:
    """Build what is known of each type that pages read."""
    for wanted in _READ:
        with contextlib.suppress(msgspec.ValidationError):  # nothing is none of them, but now they are known
            convert({}, wanted)


def one_at_a_time(evidence: Evidence) -> Evidence:
    """The same evidence, opened for one reader at a time. Raises HistoryProblem where others take too long."""
    turn = Lock()

    @contextlib.contextmanager
    def opened(invocation: str) -> Iterator[Results | None]:
        if not turn.acquire(timeout=_PATIENCE):
            raise HistoryProblem("the evidence is being read by others", hint="try again in a while")
        try:
            with evidence(invocation) as results:
                yield results
        finally:
            turn.release()

    return opened
