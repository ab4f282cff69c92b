"""Undo what a dead runner left: the same acts whether the watchdog does them at once or ``recover`` does them later.

Only a record of this user, of this boot and of a registered environment is acted upon; the undo is typed lever calls, and how a
member is started is read from the environment's own folder, never from the journal.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from meshkit_chaos.clock import Clock, boot_id
from meshkit_chaos.environments import processes
from meshkit_chaos.environments.leaks import find_leaks, hiding
from meshkit_chaos.environments.logs import collect_logs
from meshkit_chaos.environments.opening import StandingEnvironment, open_environment
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.environments.processes import DATA_PREFIX
from meshkit_chaos.environments.registry import environment_folder
from meshkit_chaos.environments.state import (
    Quarantine,
    forget_open_run,
    leased,
    lift_quarantine,
    open_run,
    quarantine,
    quarantined,
)
from meshkit_chaos.errors import CannotRun, EnvironmentProblem, JournalDamaged, JournalUnwritable
from meshkit_chaos.faults import MemberState
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import FaultWindow, Record, fault_windows, outstanding
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
    try:
        owner = run_folder.lstat().st_uid
    except FileNotFoundError:  # the results were deleted; only a watchdog comes here, with what it read itself
        owner = started.owner
    if owner != os.getuid() or started.owner != os.getuid():
        raise CannotRun(f"the run in {run_folder} belongs to user {started.owner}", hint="let that user recover it")
    outlives_boots = started.plan.environment.kind == "attached" and not started.deployed
    if started.boot != boot_id() and not outlives_boots:
        raise CannotRun(
            f"the run in {run_folder} was of another boot of this machine: none of its processes is left",
            hint="`meshkit-chaos env down` forgets an environment that was up",
        )


async def undo_run(run_folder: Path, clock: Clock, *, writer: ev.Writer, reason: str, known: Record | None = None) -> Undone:
    """Take the journal over and undo. ``known``: what was read of it earlier, for when it is not there any more.

    Raises BlockingIOError while the runner lives, EnvironmentBusy while somebody holds a standing environment, CannotRun,
    JournalDamaged. A journal that cannot be written keeps nothing from being undone.
    """
    record = _read(run_folder, known)
    if record.started is None:
        raise JournalDamaged(f"the journal in {run_folder} does not begin with run.started", hint="it cannot be acted upon")
    refuse_foreign(run_folder, record.started)
    folder = folder_of_environment(run_folder, record.started)
    if not record.started.deployed and not holds(folder, run_folder, record.started.run):
        return Undone(acted=False)
    with _held(folder, writer) if not record.started.deployed else contextlib.nullcontext():
        if not _to_be_undone(record, run_folder, folder):
            return Undone(acted=False)
        journal, unwritable = _take_over(run_folder, clock, writer=writer, reason=reason)
        with journal or contextlib.nullcontext():
            recovery = _Recovery(run_folder, folder, record, journal, clock)
            undone = await (recovery.end_environment() if record.started.deployed else recovery.undo_faults())
    return replace(undone, left=(*undone.left, *unwritable)) if undone.acted else undone


def _held(folder: Path, writer: ev.Writer) -> AbstractContextManager[None]:
    """A standing environment's lease. The watchdog has it from its runner; where there is no environment, none is made."""
    return leased(folder, holder="`recover`") if writer == "recover" and folder.is_dir() else contextlib.nullcontext()


def read_facts(run_folder: Path) -> Record:
    """The journal without its samples. A torn last line is no damage: what it was to announce was never done."""
    entries, damage, data = read_journal(run_folder)
    return Record(entries=tuple(entries), damage=damage if data.count(b"\n") > len(entries) else ())


def _read(run_folder: Path, known: Record | None) -> Record:
    """The journal, or what is known of it where that is more."""
    try:
        record = read_facts(run_folder)
    except JournalDamaged:
        if known is None:
            raise
        return known
    return known if known is not None and len(known.entries) > len(record.entries) else record


def _to_be_undone(record: Record, run_folder: Path, folder: Path) -> bool:
    """Of a standing environment only the run that holds it is undone: since any other, it was put right or deployed anew."""
    assert record.started is not None
    if record.started.deployed:
        return not settled(record)
    if not holds(folder, run_folder, record.started.run):
        return False
    if settled(record) and not record.crashed:
        close_books(folder)
        return False
    return True


def holds(folder: Path, run_folder: Path, run: str) -> bool:
    """Whether a run is the one that an environment is open or quarantined for.

    It is known by its ULID, for its results may have been moved; by its folder where a note knows no ULID.
    """
    notes = [note for note in (quarantined(folder), open_run(folder)) if note is not None]
    return any(
        note.id == run if note.id else bool(note.run) and Path(note.run).resolve() == run_folder.resolve() for note in notes
    )


def close_books(folder: Path) -> None:
    """Nothing on this environment is to be undone any more: the next run may come."""
    lift_quarantine(folder)
    forget_open_run(folder)


def _take_over(run_folder: Path, clock: Clock, *, writer: ev.Writer, reason: str) -> tuple[Journal | None, tuple[str, ...]]:
    try:
        return Journal.take_over(run_folder, clock, writer=writer, reason=reason), ()
    except JournalUnwritable as error:
        return None, (error.message,)


def settled(record: Record) -> bool:
    """Whether the record itself says that nothing is left to undo. One that cannot be read to its end says nothing."""
    if record.started is None or record.damage:
        return False
    if record.started.deployed:
        torn_down = record.last(ev.TeardownDone)
        return record.first(ev.DeployIntended) is None or (torn_down is not None and not torn_down[1].left)
    verified = record.last(ev.EnvironmentVerified)
    touched = max((seq for window in fault_windows(record) for seq in window.seqs), default=None)
    if touched is None:
        return verified is None or verified[1].clean
    return verified is not None and verified[1].clean and verified[0].seq > touched


async def look_without_record(folder: Path, run_folder: Path) -> Undone:
    """For a standing environment without a record in ``run_folder``: nothing says how to undo, so it looks whether all run.

    Raises EnvironmentBusy while somebody holds it: a run that is just beginning has no record either.
    """
    with _held(folder, "recover"):
        return await _look(folder, run_folder)


async def _look(folder: Path, run_folder: Path) -> Undone:
    environment = open_environment(folder)
    if environment is None:
        raise CannotRun(f"there is no environment in {folder}", hint="`meshkit-chaos env status` lists what is up")
    seen = await environment.observe()
    await environment.close()
    wrong = not_running(seen)
    if not wrong:
        close_books(folder)
        return Undone(acted=False)
    by_hand = "put them right by hand, then recover again"
    anew = f"deploy it anew (`meshkit-chaos env down {folder.name}`, then `env up`)"
    attached = environment.state.description.kind == "attached"
    moved = "if the results were moved, `meshkit-chaos recover` the folder where they are now"
    lost = f"the record of its last run is not in {run_folder}: {moved}; if they are gone, {by_hand if attached else anew}"
    return Undone(acted=False, left=(*wrong, lost))


def not_running(seen: Mapping[str, MemberState]) -> tuple[str, ...]:
    """All that can be said of members where no fingerprint tells what they were before."""
    return tuple(
        f"{name} is {'paused' if state.paused else 'down'}" for name, state in seen.items() if state.paused or not state.up
    )


class _Recovery:
    def __init__(self, run_folder: Path, folder: Path, record: Record, journal: Journal | None, clock: Clock) -> None:
        self._run_folder = run_folder.absolute()
        self._folder = folder
        self._record = record
        self._journal = journal
        self._clock = clock

    def _note(self, event: ev.AnyEvent) -> None:
        """Record if it can be recorded; undoing goes on in any case."""
        if self._journal is not None:
            with contextlib.suppress(JournalUnwritable):
                self._journal.append_from_reserve(event)

    def _hide(self, environment: StandingEnvironment) -> None:
        if self._journal is not None:
            self._journal.hide(hiding(environment.secrets.redactor))

    def _tell_leaks(self, environment: StandingEnvironment) -> None:
        for leaked in find_leaks(self._run_folder, environment.secrets.redactor):
            self._note(leaked)

    async def end_environment(self) -> Undone:
        """Teardown is the undo of an environment that dies with its run."""
        assert self._record.started is not None
        marker = self._record.started.run
        self._note(ev.TeardownIntended(marker=marker, deadline=self._clock.monotonic_ns() + UNDO_WITHIN_NS))
        alive = processes.kill_all(marker, within_s=2.0)  # first of all, and without needing anything but the marker
        environment = open_environment(self._folder)
        left = tuple(f"process {one.pid} ({one.member}) is still there" for one in alive)
        if environment is None:
            left = await self._remove_data(marker) or left
        if environment is not None:
            self._hide(environment)
            for logged in collect_logs(environment.state, self._run_folder / "logs", redactor=environment.secrets.redactor):
                self._note(logged)
            left = await environment.teardown()
            self._tell_leaks(environment)
            await environment.close()
        self._note(ev.TeardownDone(left=left))
        return Undone(acted=True, left=left)

    async def _remove_data(self, marker: str) -> tuple[str, ...]:
        """Without the environment's state there is only the intent to go by; what it names must still bear the marker."""
        intended = self._record.last(ev.DeployIntended)
        if intended is None or Path(intended[1].data).name != f"{DATA_PREFIX}{marker}":
            return ()
        assert self._record.started is not None
        environment = ProcessEnvironment(
            marker=marker, data=intended[1].data, description=self._record.started.plan.environment
        )
        left = await environment.teardown()
        await environment.close()
        return left

    async def undo_faults(self) -> Undone:
        """Each fault is undone, newest first, then the fingerprint is compared. An untouched environment is left alone."""
        if not fault_windows(self._record) and settled(self._record):
            close_books(self._folder)
            return Undone(acted=False)
        environment = open_environment(self._folder)
        if environment is None:
            raise CannotRun(f"there is no environment in {self._folder}", hint="`meshkit-chaos env status` lists what is up")
        self._hide(environment)
        self._note(ev.RollbackStarted(reason="the runner is gone"))
        acting = await environment.quiesce()  # what still acts would undo the undoing
        left = [window.node for window in outstanding(self._record) if not await self._revert(environment, window)]
        self._note(ev.RollbackFinished(left=tuple(left)))
        different = (*acting, *await self._verify(environment))
        self._tell_leaks(environment)
        await environment.close()
        if not different:
            close_books(self._folder)
            return Undone(acted=True)
        assert self._record.started is not None
        why = Quarantine(run=str(self._run_folder), id=self._record.started.run, differences=different)
        with contextlib.suppress(OSError):  # on a full disk, the note that the run is open still keeps the next one out
            quarantine(self._folder, why)
        return Undone(acted=True, left=different)

    async def _revert(self, environment: StandingEnvironment, window: FaultWindow) -> bool:
        within = _undo_within(environment)
        deadline = self._clock.monotonic_ns() + within
        self._note(ev.RevertIntended(node=window.node, members=window.members, calls=window.undo, deadline=deadline))
        problem = await undo(environment, window.undo, within)
        self._note(ev.RevertFailed(node=window.node, reason=problem) if problem else ev.RevertDone(node=window.node))
        return not problem

    async def _verify(self, environment: StandingEnvironment) -> tuple[str, ...]:
        try:
            after = await environment.observe()
        except EnvironmentProblem as error:
            unseen = (f"it could not be observed: {error.message}",)
            self._note(ev.EnvironmentVerified(clean=False, differences=unseen))
            return unseen
        before = next((event.members for _, event in self._record.of(ev.FingerprintTaken) if event.when == "before"), None)
        different = differences(before, after) if before is not None else not_running(after)
        self._note(ev.FingerprintTaken(when="after", members=after))
        self._note(ev.EnvironmentVerified(clean=not different, differences=different))
        return different


def _undo_within(environment: StandingEnvironment) -> int:
    """Commands may take as long as they are allowed to, each; members are undone side by side."""
    description = environment.state.description
    if description.kind != "attached":
        return UNDO_WITHIN_NS
    ready = description.ready.within.ns if description.ready is not None else 0
    return UNDO_WITHIN_NS + description.lever_timeout.ns * 3 + ready
