"""A whole record of one run as a value, and the folds that others read it through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from meshkit_chaos.faults import CATALOGUE, LeverCall
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.samples import Samples
from meshkit_chaos.slo import PhaseName

E = TypeVar("E")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """``damage``: what could not be read, in plain sentences. ``digest``: SHA-256 of the journal's bytes."""

    entries: tuple[ev.Entry, ...]
    samples: Samples = field(default_factory=Samples)
    damage: tuple[str, ...] = ()
    digest: str = ""

    def of(self, wanted: type[E]) -> Iterator[tuple[ev.Entry, E]]:
        """Every entry whose event is of one kind, with that event."""
        for entry in self.entries:
            if isinstance(entry.event, wanted):
                yield entry, entry.event

    def first(self, wanted: type[E]) -> tuple[ev.Entry, E] | None:
        return next(self.of(wanted), None)

    def last(self, wanted: type[E]) -> tuple[ev.Entry, E] | None:
        found = None
        for pair in self.of(wanted):
            found = pair
        return found

    @property
    def started(self) -> ev.RunStarted | None:
        """The first event, if it is what it must be."""
        head = self.entries[0].event if self.entries else None
        return head if isinstance(head, ev.RunStarted) else None

    @property
    def crashed(self) -> bool:
        return not (self.entries and isinstance(self.entries[-1].event, ev.RunFinished))


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSpan:
    """``end`` is the last known instant for a phase that never ended."""

    phase: PhaseName
    start: int
    end: int
    seq: int


def phase_spans(record: Record) -> tuple[PhaseSpan, ...]:
    """Every phase in order; one may come again (hold, inject, hold)."""
    entered = [(entry, event.phase) for entry, event in record.of(ev.PhaseEntered)]
    if not entered:  # a record cut before its first phase
        return ()
    ends = [entry.t for entry, _ in entered[1:]] + [record.entries[-1].t if record.entries else 0]
    return tuple(
        PhaseSpan(phase=phase, start=entry.t, end=end, seq=entry.seq) for (entry, phase), end in zip(entered, ends, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultWindow:
    """One injection from its intent to the end of its revert; an instant is None where it was not reached.

    ``intended`` and ``injected`` are ``[a0, a1]`` of the estimator, ``revert_intended`` and ``reverted`` the same of the
    revert.
    ``seqs`` are the journal entries that say so.
    """

    node: str
    fault: str
    members: tuple[str, ...]
    undo: tuple[LeverCall, ...]
    deadline: int
    intended: int
    injected: int | None = None
    revert_intended: int | None = None
    reverted: int | None = None
    failed: str = ""
    revert_failed: str = ""
    seqs: tuple[int, ...] = ()

    @property
    def outstanding(self) -> bool:
        """Whether it may still be in force: intended and not known to be undone."""
        return self.reverted is None

    @property
    def silences(self) -> bool:
        """Whether its members are down or frozen while it lasts, so that their silence is a fact. Of an unknown kind: yes."""
        return self.fault not in CATALOGUE or CATALOGUE[self.fault].silences


def fault_windows(record: Record) -> tuple[FaultWindow, ...]:
    """Every injection that was intended, in order of intent."""
    windows: dict[str, FaultWindow] = {}
    for entry in record.entries:
        match entry.event:
            case ev.FaultIntended() as intent:
                windows[intent.node] = _opened(intent, entry.t)
            case (
                ev.FaultInjected() | ev.FaultFailed() | ev.RevertIntended() | ev.RevertDone() | ev.RevertFailed()
            ) as event if event.node in windows:
                windows[event.node] = _moved(windows[event.node], event, entry.t)
            case _:
                continue
        node = entry.event.node
        windows[node] = replace(windows[node], seqs=(*windows[node].seqs, entry.seq))
    return tuple(windows.values())


def _opened(intent: ev.FaultIntended, t: int) -> FaultWindow:
    return FaultWindow(
        node=intent.node,
        fault=intent.fault,
        members=intent.members,
        undo=intent.undo,
        deadline=intent.deadline,
        intended=t,
    )


_WindowEvent = ev.FaultInjected | ev.FaultFailed | ev.RevertIntended | ev.RevertDone | ev.RevertFailed


def _moved(window: FaultWindow, event: _WindowEvent, t: int) -> FaultWindow:
    """Apply one later event; of several reverts the first intent and the last success count."""
    match event:
        case ev.FaultInjected():
            return replace(window, injected=t)
        case ev.FaultFailed():
            return replace(window, failed=event.reason)
        case ev.RevertIntended():
            return window if window.revert_intended is not None else replace(window, revert_intended=t)
        case ev.RevertDone():
            return replace(window, reverted=t)
        case ev.RevertFailed():
            return replace(window, revert_failed=event.reason)


def outstanding(record: Record) -> tuple[FaultWindow, ...]:
    """What may still be broken, newest first: the order in which to undo it."""
    return tuple(reversed([window for window in fault_windows(record) if window.outstanding]))
