"""How far a run is, folded from its journal entries one by one: what a live view shows. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from meshkit_chaos.journal import events as ev
from meshkit_chaos.report.narrative import Told, fault_text, roles, tell
from meshkit_chaos.slo import Goodness

_NOTHING_YET: Final = Told("", "", "noise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """``faults`` maps a node to the fault that it holds now; ``indicators`` a name to its latest state."""

    title: str = ""
    began: int | None = None
    now: int = 0
    phase: str = "start"
    faults: tuple[tuple[str, str], ...] = ()
    indicators: tuple[tuple[str, Goodness], ...] = ()
    last: Told = _NOTHING_YET
    alarm: str = ""
    ended: str = ""
    roles: tuple[tuple[str, str], ...] = ()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, at the latest instant that is known."""
        return (self.now - self.began) / 1e9 if self.began is not None else 0.0


def advance(progress: Progress, entry: ev.Entry) -> Progress:
    """The same run after one more entry."""
    told = tell(entry.event, roles_by_node=dict(progress.roles))
    began = entry.t if progress.began is None else progress.began
    moved = replace(progress, began=began, now=max(entry.t, progress.now))
    if told.weight in ("main", "alarm"):
        moved = replace(moved, last=told)
    if told.weight == "alarm":
        moved = replace(moved, alarm=f"{told.word}: {told.text}")
    return _folded(moved, entry.event)


def _folded(progress: Progress, event: ev.AnyEvent | ev.Unknown) -> Progress:
    match event:
        case ev.RunStarted(plan=plan):
            return replace(progress, title=plan.scenario.title, roles=tuple(roles(plan).items()))
        case ev.PhaseEntered(phase=phase):
            return replace(progress, phase=phase)
        case ev.FaultIntended(node=node):
            return replace(progress, faults=(*_without(progress, node), (node, fault_text(event, dict(progress.roles)))))
        case ev.RevertDone(node=node):
            return replace(progress, faults=_without(progress, node))
        case ev.IndicatorChanged():
            return _observed(progress, event)
        case ev.RunFinished(outcome=outcome):
            return replace(progress, ended=outcome)
        case _:
            return progress


def _without(progress: Progress, node: str) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in progress.faults if pair[0] != node)


def _observed(progress: Progress, event: ev.IndicatorChanged) -> Progress:
    others = tuple(one for one in progress.indicators if one[0] != event.indicator)
    return replace(progress, indicators=tuple(sorted((*others, (event.indicator, event.state)))))


def passed(progress: Progress, now: int) -> Progress:
    """The same run at a later instant."""
    return replace(progress, now=max(now, progress.now))
