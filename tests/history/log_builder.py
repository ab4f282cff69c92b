"""Results with logs: a run of the simulator whose journal tells of collected logs, and their files beside it.

``with_logs`` gives the evidence and writes nothing; ``logged`` is a whole results folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from history_builder import JOURNAL, Evidence, evidence_of, written

from meshkit_chaos.slo.codec import encode

RUN = JOURNAL.removesuffix("/journal.jsonl")


def with_logs(files: Mapping[str, bytes], evidence: Evidence | None = None, *, leaked: str = "", run: str = RUN) -> Evidence:
    """``files``: by ``member/name``. The events stand before the last one, as a run writes them."""
    evidence = evidence or evidence_of()
    journal = f"{run}/journal.jsonl"
    *lines, last = evidence[journal].splitlines(keepends=True)
    told = re.match(rb'\{"seq":(\d+),"t":(\d+)', last)
    assert told is not None
    seq, t = int(told[1]), int(told[2])
    events: list[dict[str, object]] = [
        {
            "kind": "log.collected",
            "member": name.partition("/")[0],
            "path": f"logs/{name}",
            "bytes": len(data),
            "truncated": False,
        }
        for name, data in files.items()
    ]
    if leaked:
        events.append({"kind": "secret.leaked", "secret": "TOKEN", "file": leaked})
    for event in events:
        lines.append(encode({"seq": seq, "t": t, "event": event}) + b"\n")
        seq += 1
    return {**evidence, journal: b"".join([*lines, re.sub(rb'"seq":\d+', b'"seq":%d' % seq, last, count=1)])}


def logged(
    folder: Path, files: Mapping[str, bytes], evidence: Evidence | None = None, *, leaked: str = "", run: str = RUN
) -> Path:
    """A results folder with these logs."""
    written(with_logs(files, evidence, leaked=leaked, run=run), folder)
    for name, data in files.items():
        path = folder / run / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
