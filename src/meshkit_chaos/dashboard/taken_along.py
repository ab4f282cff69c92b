"""The evidence and the logs of an export's newest runs as files beside its pages, so that nobody need ask a server for them.

Takes the same number of runs as those that are drawn. What was altered or is gone is left out: the page of its run says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.downloads import Download
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.model import OverviewReader

FOLDER: Final = "evidence/"


def evidence_files(
    reader: OverviewReader, download: Callable[[str], Download | None], *, drawn: int
) -> Iterator[tuple[str, bytes]]:
    """The path inside the export and the bytes of each."""
    left = drawn
    for invocation in reader.invocations():
        if left <= 0:
            return
        found = reader.invocation(invocation.invocation)
        left -= sum(len(one.runs) for one in found[1]) if found is not None else 0
        for path in (paths.evidence(invocation.invocation, here=""), paths.logs(invocation.invocation, here="")):
            with contextlib.suppress(HistoryProblem):
                if path and (file := download(path.removeprefix(FOLDER))) is not None:
                    yield path, file.data
