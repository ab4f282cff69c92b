"""Rules about what a scenario demands: objectives that something can meet, miss and see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshkit_chaos.scenario.build import Draft
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_values import close_names
from meshkit_chaos.scenario.measured import Measured
from meshkit_chaos.scenario.model import FaultStep
from meshkit_chaos.slo import Duration, Objective

_SHARE_OF_LIMIT: Final = 4
_ROUNDS: Final = 2
_BLURRED_ROUNDS: Final = 10


def lint_objectives(draft: Draft, measured: Mapping[str, Measured]) -> None:
    """Find what is wrong with a scenario's objectives."""
    objectives = draft.scenario.objectives
    at = draft.at.below("objectives")
    if not objectives:
        at.say("MC108", f"scenario {draft.scenario.id} demands nothing", hint="add an objective: {converge: …, within: 5s}")
    elif all(objective.informational for objective in objectives):
        at.say("MC108", "every objective is informational: nothing is judged", hint="leave `informational` out of one")
    _lint_ids(objectives, at)
    faults = [placed.step.id for placed in draft.steps if isinstance(placed.step, FaultStep)]
    for number, objective in enumerate(objectives):
        place = at.below(number)
        _lint_after(objective, faults, place)
        if (found := measured.get(objective.indicator)) is not None:
            _lint_visible(objective, found, place)


def _lint_ids(objectives: tuple[Objective, ...], at: At) -> None:
    first: dict[str, int] = {}
    for number, objective in enumerate(objectives):
        if objective.id in first:
            line = at.below(first[objective.id]).line
            message = f"two objectives are called {objective.id!r}; the first is in line {line}"
            at.below(number).say("MC110", message, hint="give one of them an `id`")
        first.setdefault(objective.id, number)


def _lint_after(objective: Objective, faults: list[str], at: At) -> None:
    if objective.after is not None and objective.after not in faults:
        near = close_names(objective.after, faults)
        known = f"fault steps: {', '.join(faults)}" if faults else "the scenario has no fault step"
        hint = f"did you mean {near[0]}?" if near else known
        at.below("after").say("MC102", f"`after` names no fault step: {objective.after!r}", hint=hint)


def _lint_visible(objective: Objective, measured: Measured, at: At) -> None:
    """A limit must be long enough to be told from nothing, by rounds and by range windows."""
    limit, two_rounds = objective.within, measured.every * _ROUNDS
    if limit is not None and limit < two_rounds:
        message = f"a limit of {limit} is under two rounds of {measured.every}: it could not be told from none"
        at.below("within").say("MC107", message, hint=f"write at least {two_rounds}")
    if measured.facts is None:
        return
    window = Duration(measured.facts.longest_window_ns)
    if limit is not None and window.ns * _SHARE_OF_LIMIT > limit.ns:
        message = f"this query cannot see recovery faster than {window}: its range window is over a quarter of {limit}"
        hint = f"use a window of at most {Duration(limit.ns // _SHARE_OF_LIMIT)}"
        at.below("within").say("MC106", message, hint=hint)
    if limit is None and window > measured.every * _BLURRED_ROUNDS:
        message = f"the query's range window of {window} blurs what it sees: a short outage counts for as long as that"
        at.below(objective.form).say("MC106", message, hint="use a shorter window", severity="warning")


def lint_single(draft: Draft, measured: Mapping[str, Measured], told: set[str]) -> None:
    """Warn, at the first use of an indicator, that its query may give several series."""
    for name, at in draft.uses:
        found = measured.get(name)
        if found is None or found.facts is None or name in told:
            continue
        told.add(name)
        if not found.facts.single and found.indicator.kind == "state":
            message = f"{name}: the query may give several series, and then its value is unknown"
            at.say("MC115", message, hint=f"aggregate it: sum({found.indicator.query})")
