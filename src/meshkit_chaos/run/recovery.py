"""Undo what a dead runner left: the same acts whether the watchdog does them at once or ``recover`` does them later.

Only a record of this user, of this boot and of a registered environment is acted upon; the undo is typed lever calls, and how a
member is started is read from the environment's own folder, never from the journal.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from meshkit_chaos.clock import Clock, boot_id
from meshkit_chaos.environments import processes
from meshkit_chaos.environments.logs import collect_logs
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.environments.registry import environment_folder
from meshkit_chaos.environments.state import OPEN_RUN, Quarantine, lift_quarantine, quarantine
from meshkit_chaos.errors import CannotRun, JournalDamaged, JournalUnwritable
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import FaultWindow, Record, outstanding
from meshkit_chaos.journal.store import Journal, read_journal
from meshkit_chaos.run.acting import differences, undo

UNDO_WITHIN_NS = 30 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """``left``: what is still wrong, in words; empty when all is as it was. ``acted``: whether anything was to be done."""

    acted: bool
    left: tuple[str, ...] = ()


def folder_of_environment(run_folder: Path, started: ev.RunStarted) -> Path:
    """Where the run's environment keeps its state. Raises CannotRun for a place that is not the registered one."""
    if not started.deployed:
        folder = environment_folder(started.environment_id)
        if Path(started.environment_folder) != folder:
            raise CannotRun(f"the record names an environment that is not registered here: {started.environment_folder}")
        return folder
    folder = (run_folder / started.environment_folder).resolve()
    if not folder.is_relative_to(run_folder.resolve()):
        raise CannotRun(f"the record names an environment outside its own folder: {started.environment_folder}")
    return folder


def refuse_foreign(run_folder: Path, started: ev.RunStarted) -> None:
    """Raises CannotRun for the record of another user or of another boot of the machine."""
    owner = run_folder.lstat().st_uid
    if owner != os.getuid() or started.owner != os.getuid():
        raise CannotRun(f"the run in {run_folder} belongs to user {started.owner}", hint="let that user recover it")
    if started.boot != boot_id():
        raise CannotRun(
            f"the run in {run_folder} was of another boot of this machine: none of its processes is left",
            hint="`meshkit-chaos env down` forgets an environment that was up",
        )


async def undo_run(run_folder: Path, clock: Clock, *, writer: ev.Writer, reason: str) -> Undone:
    """Take the journal over and undo.

    Raises BlockingIOError while the runner lives, CannotRun, JournalDamaged, JournalUnwritable.
    """
    entries, _, _ = read_journal(run_folder)
    record = Record(entries=tuple(entries))
    if record.started is None:
        raise JournalDamaged(f"the journal in {run_folder} does not begin with run.started", hint="it cannot be acted upon")
    refuse_foreign(run_folder, record.started)
    if settled(record):
        return Undone(acted=False)
    folder = folder_of_environment(run_folder, record.started)
    with Journal.take_over(run_folder, clock, writer=writer, reason=reason) as journal:
        recovery = _Recovery(run_folder, folder, record, journal, clock)
        return await (recovery.end_environment() if record.started.deployed else recovery.undo_faults())


def settled(record: Record) -> bool:
    """Whether the record itself says that nothing is left to undo."""
    if record.started is None:
        return False
    if record.started.deployed:
        torn_down = record.last(ev.TeardownDone)
        return record.first(ev.DeployIntended) is None or (torn_down is not None and not torn_down[1].left)
    verified = record.last(ev.EnvironmentVerified)
    return not outstanding(record) and (verified is None or verified[1].clean)


class _Recovery:
    def __init__(self, run_folder: Path, folder: Path, record: Record, journal: Journal, clock: Clock) -> None:
        self._run_folder = run_folder
        self._folder = folder
        self._record = record
        self._journal = journal
        self._clock = clock

    def _note(self, event: ev.AnyEvent) -> None:
        """Record if it can be recorded; undoing goes on in any case."""
        try:
            self._journal.append(event, sync=True)
        except JournalUnwritable:
            self._journal.release_reserve()

    async def end_environment(self) -> Undone:
        """Teardown is the undo of an environment that dies with its run."""
        assert self._record.started is not None
        marker = self._record.started.run
        self._note(ev.TeardownIntended(marker=marker, deadline=self._clock.monotonic_ns() + UNDO_WITHIN_NS))
        processes.kill_all(marker, within_s=2.0)  # first of all, and without needing anything but the marker
        environment = ProcessEnvironment.load(self._folder)
        left: tuple[str, ...] = ()
        if environment is not None:
            for logged in collect_logs(environment.state, self._run_folder / "logs"):
                self._note(logged)
            left = await environment.teardown()
            await environment.close()
        self._note(ev.TeardownDone(left=left))
        return Undone(acted=True, left=left)

    async def undo_faults(self) -> Undone:
        """Each fault is undone, newest first, then the fingerprint is compared."""
        environment = ProcessEnvironment.load(self._folder)
        if environment is None:
            raise CannotRun(f"there is no environment in {self._folder}", hint="`meshkit-chaos env status` lists what is up")
        self._note(ev.RollbackStarted(reason="the runner is gone"))
        left = [window.node for window in outstanding(self._record) if not await self._revert(environment, window)]
        self._note(ev.RollbackFinished(left=tuple(left)))
        different = await self._verify(environment)
        await environment.close()
        if different:
            quarantine(self._folder, Quarantine(run=str(self._run_folder), differences=different))
        else:
            lift_quarantine(self._folder)
            (self._folder / OPEN_RUN).unlink(missing_ok=True)
        return Undone(acted=True, left=different)

    async def _revert(self, environment: ProcessEnvironment, window: FaultWindow) -> bool:
        deadline = self._clock.monotonic_ns() + UNDO_WITHIN_NS
        self._note(ev.RevertIntended(node=window.node, members=window.members, calls=window.undo, deadline=deadline))
        problem = await undo(environment, window.undo, UNDO_WITHIN_NS)
        self._note(ev.RevertFailed(node=window.node, reason=problem) if problem else ev.RevertDone(node=window.node))
        return not problem

    async def _verify(self, environment: ProcessEnvironment) -> tuple[str, ...]:
        after = await environment.observe()
        before = next((event.members for _, event in self._record.of(ev.FingerprintTaken) if event.when == "before"), None)
        different = differences(before, after) if before is not None else ()
        self._note(ev.FingerprintTaken(when="after", members=after))
        self._note(ev.EnvironmentVerified(clean=not different, differences=different))
        return different
