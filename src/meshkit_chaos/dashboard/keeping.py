"""What is kept of one run, as a list: its journal, its sample blocks, its members' logs; each with its size and digest.

Reads the results while their evidence is spread out. Follows no link, and lists only what a history keeps.
"""

from __future__ import annotations

from msgspec import Struct

from meshkit_chaos.campaign.results import Results
from meshkit_chaos.history.evidence import digest
from meshkit_chaos.history.logs import Logs
from meshkit_chaos.journal.store import JOURNAL, SAMPLES
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.report.escape import one_line


class Kept(Struct, frozen=True, kw_only=True):
    """``digest``: SHA-256; of several files, where their digests stand."""

    name: str
    bytes: int
    digest: str


def kept_of(results: Results, run: str, logs: Logs | None) -> tuple[Kept, ...]:
    """Empty where the run left nothing."""
    names = (verdict.run for verdict in results.verdict.runs)
    folder = next((folder for name, folder in zip(names, results.folders, strict=True) if name == run), None)
    if folder is None or not (folder / JOURNAL).is_file():
        return ()
    journal = (folder / JOURNAL).read_bytes()
    kept = [Kept(name=JOURNAL, bytes=len(journal), digest=digest(journal))]
    blocks = [path for path in sorted((folder / SAMPLES).glob("*")) if path.is_file() and not path.is_symlink()]
    if blocks:
        size = sum(path.stat().st_size for path in blocks)
        kept.append(Kept(name=f"{SAMPLES}/ ({counted(len(blocks), 'block')})", bytes=size, digest="each is named by its own"))
    inside = "/".join(folder.parts[-3:])
    return (*kept, *_logs(logs, inside))


def _logs(logs: Logs | None, folder: str) -> list[Kept]:
    found = logs.data if logs is not None else {}
    return [
        Kept(name=one_line(name.removeprefix(f"{folder}/")), bytes=len(data), digest=digest(data))
        for name, data in found.items()
        if name.startswith(f"{folder}/logs/")
    ]
