"""What a round can tell: which members a fault held during it, and whether what another one does not say makes it unknown."""

from __future__ import annotations

from meshkit_chaos.faults import Start
from meshkit_chaos.journal.record import FaultWindow, Record, fault_windows, phase_spans
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.promql import Evaluator, Export


def overlaps(window: FaultWindow, start: int, end: int) -> bool:
    """Whether a fault was in force at any moment from ``start`` to ``end``: from its intent to the end of its revert."""
    return window.intended <= end and (window.reverted is None or window.reverted >= start)


def held_during(windows: tuple[FaultWindow, ...], start: int, end: int) -> frozenset[str]:
    """The members that a fault had taken away at any moment from ``start`` to ``end``.

    A fault of the network takes nobody away: its members are seen past it, and one that does not answer is as unknown as ever.
    """
    return frozenset(
        member for window in windows if window.silences and overlaps(window, start, end) for member in window.members
    )


def silence(a_round: Round, held: frozenset[str]) -> str:
    """Why a round tells nothing: its source says so, or a member that no fault held gave no answer. Empty where it tells.

    Any member counts, whichever series the query reads: a member that was not asked may be the one that is out of the band.
    """
    if a_round.doubt:
        return a_round.doubt
    failed = {member: cause for member, cause in a_round.failed.items() if member not in held}
    return "; ".join(f"no answer of {member}: {cause}" for member, cause in sorted(failed.items()))


def restarted_during(windows: tuple[FaultWindow, ...], start: int, end: int) -> frozenset[str]:
    """Members whose process a fault replaces: its undo starts them anew, and their counters begin at zero."""
    return frozenset(
        call.member for window in windows if overlaps(window, start, end) for call in window.undo if isinstance(call, Start)
    )


class Attendance:
    """Which members still export what they did in the baseline. Asked once for each round of a source, oldest first.

    A member that answers and leaves a metric out is no different from one that does not answer: it may be the one that is
    out of the band. What appears only after the baseline is not demanded.
    """

    def __init__(self, record: Record, evaluator: Evaluator, source: str) -> None:
        self._record, self._evaluator = record, evaluator
        until = max((a_round.tick for a_round in record.samples.rounds.get(source, ())), default=0)
        self._unbroken = evaluator.inputs.unbroken(record.samples, until, evaluator.settings)
        self._windows = fault_windows(record)
        self._begin, self._end = _baseline(record, self._windows)
        self._expected: set[Export] = set()

    def lack(self, a_round: Round, held: frozenset[str]) -> str:
        """What is not there in this round and should be, in a sentence; empty where nothing is."""
        if self._unbroken or a_round.start < self._begin or a_round.doubt:
            return ""
        now = self._evaluator.exported(self._record.samples, a_round.tick)
        if a_round.end <= self._end:
            self._expected |= now
        restarted = restarted_during(self._windows, self._end, a_round.end)
        silent = held | a_round.failed.keys()
        return self._evaluator.inputs.gone(self._expected, now, held=silent, restarted=restarted)


def _baseline(record: Record, windows: tuple[FaultWindow, ...]) -> tuple[int, int]:
    """From when to when what is exported shows what is normal: until the first fault. Nothing, where there was no baseline."""
    spans = [span for span in phase_spans(record) if span.phase == "baseline"]
    if not spans:
        return (record.entries[-1].t, 0) if record.entries else (0, 0)
    return spans[0].start, min([spans[-1].end, *(window.intended for window in windows)])
