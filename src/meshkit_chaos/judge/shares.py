"""``stay`` objectives: the share of a phase in which an indicator was out of its band, as one finding.

Each round stands for the time until the next one is due (of an event indicator: since the one before). Bad stretches no
longer than ``tolerate`` do not count. Unknown time cannot hide anything: a pass must hold had all of it been bad, and a fail
had all of it been good. A phase without a known good round never passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from msgspec import structs

from meshkit_chaos.journal.record import PhaseSpan, Record, phase_spans
from meshkit_chaos.judge.indicators import Point, every_of, near_names
from meshkit_chaos.judge.observation import observed
from meshkit_chaos.judge.phrases import say, say_share
from meshkit_chaos.judge.times import finding, unknown_reasons
from meshkit_chaos.judge.verdict import Finding, Share, VerdictName
from meshkit_chaos.slo import Goodness, Indicator, IndicatorKind, Objective

_GAP_ROUNDS = 1.5  # beyond this a round is missing
_TOLERATED_ROUNDS = 2  # a clean hand-over inside one round can show none or two


@dataclass(frozen=True, slots=True)
class Cell:
    """A stretch of time for which one state is known."""

    start: int
    end: int
    state: Goodness


def judge_share(record: Record, objective: Objective, indicator: Indicator) -> Finding:
    """Judge one ``stay`` objective."""
    spans = [span for span in phase_spans(record) if span.phase == objective.during and span.end > span.start]
    if not spans:
        return finding(objective, "inconclusive", f"{indicator.name} was not judged: the run has no phase {objective.during}")
    points = observed(record, indicator)
    every = every_of(record, indicator)
    tolerate = objective.tolerate.ns if objective.tolerate is not None else _TOLERATED_ROUNDS * every
    cells = tuple(cells_of(points, every, indicator.kind))
    share = measure(cells, spans, tolerate=tolerate, every=every, allowed=objective.allowed.value)
    good = any(span.start <= point.tick <= span.end for point in points if point.state == "good" for span in spans)
    verdict = verdict_of(share, pessimistic=_pessimistic(cells, spans, tolerate=tolerate, every=every), any_good=good)
    within = [point for point in points if any(point.end >= span.start and point.start <= span.end for span in spans)]
    return _told(record, objective, indicator, verdict=verdict, share=share, points=within, spans=spans)


def cells_of(points: Sequence[Point], every: int, kind: IndicatorKind) -> Iterator[Cell]:
    """Give each point its time; where rounds are missing the time is unknown."""
    for earlier, later in pairwise(points):
        if kind == "event":  # a counter's span holds for all the time since the earlier round
            yield Cell(earlier.tick, later.tick, later.state)
            continue
        missing = later.tick - earlier.tick > _GAP_ROUNDS * every
        until = earlier.tick + every if missing else later.tick
        yield Cell(earlier.tick, until, earlier.state)
        if missing:
            yield Cell(until, later.tick, "unknown")
    if points and kind == "state":
        yield Cell(points[-1].tick, points[-1].tick + every, points[-1].state)


def measure(cells: Sequence[Cell], spans: Sequence[PhaseSpan], *, tolerate: int, every: int, allowed: float) -> Share:
    """The share's numbers; stretches are followed beyond the phase's ends, and counted inside it."""
    padded = _padded(cells, spans, every)
    unknown = sum(_inside(cell, span) for cell in padded if cell.state == "unknown" for span in spans)
    stretches = list(_stretches(padded, lambda cell: cell.state == "bad"))
    longest = max((_overlap(start, end, span.start, span.end) for start, end in stretches for span in spans), default=0)
    return Share(
        observed=sum(_inside(cell, span) for cell in padded for span in spans),
        bad=_counted(stretches, spans, tolerate),
        unknown=unknown,
        longest=longest,
        allowed=allowed,
    )


def _pessimistic(cells: Sequence[Cell], spans: Sequence[PhaseSpan], *, tolerate: int, every: int) -> int:
    """Bad time beyond what is tolerated, had all unknown time been bad."""
    return _counted(list(_stretches(_padded(cells, spans, every), lambda cell: cell.state != "good")), spans, tolerate)


def verdict_of(share: Share, *, pessimistic: int, any_good: bool) -> VerdictName:
    if share.observed <= 0:
        return "inconclusive"
    if share.bad > share.allowed * share.observed:
        return "fail"
    return "pass" if any_good and pessimistic <= share.allowed * share.observed else "inconclusive"


def _padded(cells: Sequence[Cell], spans: Sequence[PhaseSpan], every: int) -> tuple[Cell, ...]:
    """Add unknown time where a phase began before the first round or ended after the last one."""
    first, last = (cells[0].start, cells[-1].end) if cells else (spans[-1].end, spans[-1].end)
    before = spans[0].start
    after = spans[-1].end
    head = [Cell(before, first, "unknown")] if first - before > _GAP_ROUNDS * every or not cells else []
    tail = [Cell(last, after, "unknown")] if after - last > _GAP_ROUNDS * every else []
    return (*head, *cells, *tail)


def _stretches(cells: Sequence[Cell], counts: Callable[[Cell], bool]) -> Iterator[tuple[int, int]]:
    for wanted, group in groupby(cells, key=counts):
        stretch = list(group)
        if wanted:
            yield stretch[0].start, stretch[-1].end


def _counted(stretches: Sequence[tuple[int, int]], spans: Sequence[PhaseSpan], tolerate: int) -> int:
    return sum(
        _overlap(start, end, span.start, span.end) for start, end in stretches if end - start > tolerate for span in spans
    )


def _inside(cell: Cell, span: PhaseSpan) -> int:
    return _overlap(cell.start, cell.end, span.start, span.end)


def _overlap(start: int, end: int, other_start: int, other_end: int) -> int:
    return max(0, min(end, other_end) - max(start, other_start))


def _told(
    record: Record,
    objective: Objective,
    indicator: Indicator,
    *,
    verdict: VerdictName,
    share: Share,
    points: Sequence[Point],
    spans: Sequence[PhaseSpan],
) -> Finding:
    name, during = indicator.name, objective.during
    if not points:
        sentence = f"{name} was not observed during {during}: no round"
    else:
        bad = f"bad for {say(share.bad)} of {say(share.observed)} during {during}"
        allowed = f"({say_share(share.allowed)} allowed)"
        sentence = {
            "pass": f"{name} stayed good: {bad} {allowed}",
            "fail": f"{name} did not stay good: {bad} {allowed}, longest stretch {say(share.longest)}",
        }.get(verdict, f"it is not known whether {name} stayed good: {bad}, unknown for {say(share.unknown)} {allowed}")
    reasons = unknown_reasons(tuple(points), (spans[0].start, spans[-1].end))
    hints = [f"unknown because {reasons}"] if reasons and verdict != "pass" else []
    if verdict == "inconclusive" and (near := near_names(record, indicator.query)):
        hints.append(f"query {indicator.query!r}: {near}")
    judged = finding(objective, verdict, sentence, hint="; ".join(hints), evidence=tuple(span.seq for span in spans))
    return structs.replace(judged, share=share)
