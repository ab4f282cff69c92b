"""The watchdog process: waits beside the runner and undoes when it dies or hangs. Started by the runner, never by people.

It has its own session and ignores SIGINT, SIGTERM and SIGHUP: it ends by itself, soon after its run. It reads the journal for
deadlines; one that passes means that the runner hangs, and it is killed before anything is undone. So it is when it shows no
sign of life for a long while: between faults no deadline may be near.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
from pathlib import Path
from typing import Final

from meshkit_chaos.clock import Clock, SystemClock
from meshkit_chaos.environments.processes import stat_of
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record, outstanding
from meshkit_chaos.journal.store import JOURNAL, read_lines
from meshkit_chaos.run.recovery import Undone, undo_run

_LOOK_EVERY_MS: Final = 100
_LONGEST_LOOK_NS: Final = 2 * _LOOK_EVERY_MS * 10**6
_SILENT_NS: Final = 30 * 10**9
_SIGNS: Final = 4096
_FREE_WITHIN_NS: Final = 5 * 10**9
_FREE_EVERY_S: Final = 0.005
_GIVE_UP_NS: Final = 2 * 10**9
"""A living runner stops undoing at the deadline itself and records that it failed; so long it may take to do so."""


def main() -> int:
    """``watchdog_main RUN_FOLDER RUNNER_PID RUNNER_START``; prints ``ready`` once it watches."""
    folder, pid, started = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    runner = _open_runner(pid, started)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    clock = SystemClock()
    tail = _Tail(folder / JOURNAL)
    reason = _watch(tail, runner, clock, SignsOfLife(sys.stdin.fileno(), pid))
    if reason is None:
        return 0
    return 3 if asyncio.run(_undo(folder, reason, tail.record, clock)).left else 0


async def _undo(folder: Path, reason: str, known: Record, clock: SystemClock) -> Undone:
    """Undo, once the journal is free.

    Its lock outlives the runner for as long as a child of it is between fork and exec: only when that has become a member does
    it bear the marker by which it is found. Somebody else who has the journal for longer is undoing already.
    """
    until = clock.monotonic_ns() + _FREE_WITHIN_NS
    while True:
        try:
            return await undo_run(folder, clock, writer="watchdog", reason=reason, known=known)
        except BlockingIOError:
            if clock.monotonic_ns() >= until:
                raise
            await asyncio.sleep(_FREE_EVERY_S)


def _open_runner(pid: int, started: int) -> int | None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    stat = stat_of(pid)
    return descriptor if stat is not None and stat[1] == started else None


def _watch(tail: _Tail, runner: int | None, clock: Clock, signs: SignsOfLife) -> str | None:
    """Wait until the runner ends; None if its journal has its end, otherwise why to undo."""
    poll = select.poll()
    if runner is not None:
        poll.register(runner, select.POLLIN)
    while runner is not None and not poll.poll(_LOOK_EVERY_MS):
        deadline, now = tail.deadline(), clock.monotonic_ns()
        silent = signs.missing(now)
        if tail.finished:
            return None
        late = deadline is not None and now > deadline
        if late or silent:
            with contextlib.suppress(ProcessLookupError):  # it may end in this very instant, and must be undone all the more
                signal.pidfd_send_signal(runner, signal.SIGKILL)
            poll.poll(2000)
            why = "a deadline passed" if late else f"no sign of life for {signs.limit_ns // 10**9} s"
            return f"{why}: the runner hung and was killed"
    tail.deadline()
    return None if tail.finished else "the runner died"


class SignsOfLife:
    """What the runner writes into a pipe as long as it turns.

    Silence is counted by what this process itself lived through, look by look: a machine that slept, or was too busy to run
    either of us, proves nothing. Nor does a runner that waits for a disk: it could not be killed now either. A pipe that was
    closed is a runner that has gone on to something else.
    """

    def __init__(self, descriptor: int, pid: int, *, limit_ns: int = _SILENT_NS) -> None:
        os.set_blocking(descriptor, False)
        self.limit_ns = limit_ns
        self._descriptor = descriptor
        self._pid = pid
        self._looked: int | None = None
        self._silent_ns = 0

    def missing(self, now: int) -> bool:
        """Look again; whether there was none for too long."""
        lived = min(now - self._looked, _LONGEST_LOOK_NS) if self._looked is not None else 0
        self._looked = now
        self._silent_ns = 0 if self._heard() else self._silent_ns + lived
        return self._silent_ns > self.limit_ns

    def _heard(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, _SIGNS)
            return True  # no bytes at all: it was closed
        stat = stat_of(self._pid)
        return stat is None or stat[0] == "D"


class _Tail:
    """Reads what was appended since the last look. What was read once is known, also when the journal is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._entries: list[ev.Entry] = []
        self._deadline: int | None = None

    @property
    def finished(self) -> bool:
        return bool(self._entries) and isinstance(self._entries[-1].event, ev.RunFinished)

    @property
    def record(self) -> Record:
        return Record(entries=tuple(self._entries))

    def deadline(self) -> int | None:
        """The earliest deadline of what is in force."""
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(self._offset)
            entries, read, _ = read_lines(file.read(), first=len(self._entries))
            if entries:
                self._offset += read
                self._entries += entries
                self._deadline = earliest_deadline(self.record)
        return self._deadline


def earliest_deadline(record: Record) -> int | None:
    """The first instant by which something in force must have been undone; None where nothing is."""
    windows = outstanding(record)
    deadlines = [window.deadline for window in windows]
    reverting = _reverting(record)
    deadlines += [reverting[window.node] + _GIVE_UP_NS for window in windows if window.node in reverting]
    deployed, torn_down = record.last(ev.DeployIntended), record.last(ev.TeardownDone)
    if deployed is not None and torn_down is None:
        deadlines.append(deployed[1].deadline)
        deadlines += [event.deadline + _GIVE_UP_NS for _, event in record.of(ev.TeardownIntended)]
    return min(deadlines, default=None)


def _reverting(record: Record) -> dict[str, int]:
    """The deadline of each revert that was begun and has not failed."""
    deadlines: dict[str, int] = {}
    for entry in record.entries:
        match entry.event:
            case ev.RevertIntended() as event:
                deadlines[event.node] = event.deadline
            case ev.RevertFailed() as event:
                deadlines.pop(event.node, None)
            case _:
                continue
    return deadlines


if __name__ == "__main__":
    sys.exit(main())
