"""Runs in progress: results folders that are being written, and what is new in their journals since it was last asked.

Takes a folder of results folders (or one itself). A journal is a file of another process, so only whole lines of it are
read, in bounded pieces, through no link, and no lock is touched: one that is held even for an instant could keep a watchdog
from taking over. A run is in progress while its journal has no end and changed of late; one that is silent says since when.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from meshkit_chaos.campaign.log import LOG
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.store import JOURNAL, read_lines
from meshkit_chaos.report.escape import clipped, one_line
from meshkit_chaos.report.narrative import roles, tell
from meshkit_chaos.report.progress import Progress, advance
from meshkit_chaos.slo import Duration

MOST: Final = 50
"""So many runs are followed at once, the newest."""
FORGOTTEN: Final = Duration.parse("1h")
"""A run without an end that wrote nothing for so long is a crashed one, and no longer shown as one in progress."""
SILENT: Final = Duration.parse("30s")
"""A watchdog ends a run that gives no sign of life for so long."""
_PIECE: Final = 256 * 1024
_LONGEST_LINE: Final = 8 * 2**20
_LONGEST_TEXT: Final = 300


class Line(Struct, frozen=True, kw_only=True):
    """One event as people read it. ``key``: of which run. ``alarm``: it is bad news."""

    key: str
    seconds: float
    word: str
    text: str
    alarm: bool


class Underway(Struct, frozen=True, kw_only=True):
    """Where a run is. ``silent``: for so many seconds nothing was written, where that is longer than a run is ever silent."""

    key: str
    scenario: str
    title: str
    phase: str
    faults: tuple[str, ...]
    alarm: str
    seconds: float
    silent: int


class Follower:
    """Reads one journal, piece by piece."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._path = folder, folder / JOURNAL
        self.key = key
        self._offset = 0
        self._count = 0
        self._began: int | None = None
        self._roles: dict[str, str] = {}
        self._progress = Progress()
        self._scenario = folder.parent.name
        self._title = ""
        self.broken = False

    @property
    def ended(self) -> bool:
        return bool(self._progress.ended)

    def underway(self, *, now: int) -> Underway:
        """Where it is, by what was read so far."""
        quiet = now - (changed(self._folder) or 0)
        return Underway(
            key=self.key,
            scenario=one_line(self._scenario),
            title=one_line(self._title) or one_line(self._scenario),
            phase="cannot be read on" if self.broken else one_line(str(self._progress.ended or self._progress.phase)),
            faults=tuple(one_line(fault) for _, fault in self._progress.faults),
            alarm=clipped(one_line(self._progress.alarm), _LONGEST_TEXT),
            seconds=self._progress.elapsed,
            silent=quiet // 10**9 if quiet > SILENT.ns else 0,
        )

    def more(self) -> list[Line]:
        """What is new and worth a line; the journal is read on until nothing more is there."""
        lines: list[Line] = []
        while not self.broken and (piece := self._piece()):
            entries, good, _ = read_lines(piece, first=self._count)
            if good == 0:
                break
            self._offset += good
            self._count += len(entries)
            for entry in entries:
                self._take(entry, lines)
        return lines

    def _piece(self) -> bytes:
        """From where we are to the last whole line of it; a line that never ends, or cannot be read, ends the following."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            self.broken = True
            return b""
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                self.broken = True
                return b""
            file.seek(self._offset)
            piece = file.read(_PIECE)
            while piece and b"\n" not in piece and len(piece) <= _LONGEST_LINE and (further := file.read(_PIECE)):
                piece += further
        whole = piece[: piece.rfind(b"\n") + 1]
        if whole:
            self.broken = read_lines(whole[: whole.index(b"\n") + 1], first=self._count)[1] == 0
        return b"" if self.broken else whole

    def _take(self, entry: ev.Entry, lines: list[Line]) -> None:
        if self._began is None:
            self._began = entry.t
        if isinstance(entry.event, ev.RunStarted):
            plan = entry.event.plan
            self._roles, self._scenario, self._title = roles(plan), plan.scenario.id, plan.scenario.title
        self._progress = advance(self._progress, entry)
        told = tell(entry.event, roles_by_node=self._roles)
        if told.weight in ("main", "alarm"):
            lines.append(
                Line(
                    key=self.key,
                    seconds=round((entry.t - self._began) / 1e9, 1),
                    word=one_line(told.word),
                    text=clipped(one_line(told.text), _LONGEST_TEXT),
                    alarm=told.weight == "alarm",
                )
            )


def changed(folder: Path) -> int | None:
    """When the journal of a run was last written, in wall-clock ns; None where there is none that may be read."""
    try:
        found = (folder / JOURNAL).lstat()
    except OSError:
        return None
    return found.st_mtime_ns if stat.S_ISREG(found.st_mode) else None


def lately(results: Path, *, now: int) -> list[tuple[str, Path]]:
    """Runs whose journal changed within ``FORGOTTEN``, the newest first: their key and their folder."""
    found = [
        (at, folder.relative_to(results).as_posix(), folder)
        for out in _outs(results)
        for folder in _folders(out)
        if (at := changed(folder)) is not None and now - at < FORGOTTEN.ns
    ]
    return [(key, folder) for _, key, folder in sorted(found, reverse=True)[:MOST]]


def _outs(results: Path) -> Iterator[Path]:
    if (results / LOG).is_file():
        yield results
    try:
        inside = sorted(results.iterdir())
    except OSError:
        return
    yield from (out for out in inside if not out.is_symlink() and (out / LOG).is_file())


def _folders(out: Path) -> Iterator[Path]:
    for journal in sorted(out.glob(f"runs/*/*/{JOURNAL}")):
        inside = journal.relative_to(out)
        if not any((out / part).is_symlink() for part in inside.parents if part.parts):
            yield journal.parent
