"""The watchdog process: waits beside the runner and undoes when it dies or hangs. Started by the runner, never by people.

It has its own session and ignores SIGINT, SIGTERM and SIGHUP: it ends by itself, soon after its run. It reads the journal for
deadlines; one that passes means that the runner hangs, and it is killed before anything is undone.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from pathlib import Path
from typing import Final

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.environments.processes import stat_of
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record, outstanding
from meshkit_chaos.journal.store import JOURNAL, read_lines
from meshkit_chaos.run.recovery import undo_run

_LOOK_EVERY_MS: Final = 100


def main() -> int:
    """``watchdog_main RUN_FOLDER RUNNER_PID RUNNER_START``; prints ``ready`` once it watches."""
    folder, pid, started = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    runner = _open_runner(pid, started)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    clock = SystemClock()
    reason = _watch(folder, runner, clock)
    if reason is None:
        return 0
    undone = asyncio.run(undo_run(folder, clock, writer="watchdog", reason=reason))
    return 3 if undone.left else 0


def _open_runner(pid: int, started: int) -> int | None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    stat = stat_of(pid)
    return descriptor if stat is not None and stat[1] == started else None


def _watch(folder: Path, runner: int | None, clock: SystemClock) -> str | None:
    """Wait until the runner ends; None if its journal has its end, otherwise why to undo."""
    tail = _Tail(folder / JOURNAL)
    poll = select.poll()
    if runner is not None:
        poll.register(runner, select.POLLIN)
    while runner is not None and not poll.poll(_LOOK_EVERY_MS):
        deadline = tail.deadline()
        if tail.finished:
            return None
        if deadline is not None and clock.monotonic_ns() > deadline:
            signal.pidfd_send_signal(runner, signal.SIGKILL)
            poll.poll(2000)
            return "a deadline passed: the runner hung and was killed"
    tail.deadline()
    return None if tail.finished else "the runner died"


class _Tail:
    """Reads what was appended since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._entries: list[ev.Entry] = []
        self._deadline: int | None = None

    @property
    def finished(self) -> bool:
        return bool(self._entries) and isinstance(self._entries[-1].event, ev.RunFinished)

    def deadline(self) -> int | None:
        """The earliest deadline of what is in force."""
        if self._path.stat().st_size > self._offset:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                entries, read, _ = read_lines(file.read(), first=len(self._entries))
            self._offset += read
            self._entries += entries
            self._deadline = earliest_deadline(Record(entries=tuple(self._entries)))
        return self._deadline


def earliest_deadline(record: Record) -> int | None:
    """The first instant by which something in force must have been undone; None where nothing is."""
    deadlines = [window.deadline for window in outstanding(record)]
    deployed, torn_down = record.last(ev.DeployIntended), record.last(ev.TeardownDone)
    if deployed is not None and torn_down is None:
        deadlines.append(deployed[1].deadline)
    return min(deadlines, default=None)


if __name__ == "__main__":
    sys.exit(main())
