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
    else:
        _lint_blind([objective for objective in objectives if not objective.informational], at)
    _lint_ids(objectives, at)
    faults = [placed.step.id for placed in draft.steps if isinstance(placed.step, FaultStep)]
    for number, objective in enumerate(objectives):
        place = at.below(number)
        _lint_after(objective, faults, place)
        _lint_share(objective, draft.scenario.steady_state.lasting, place)
        if (found := measured.get(objective.indicator)) is not None:
            _lint_visible(objective, found, place)


def _lint_blind(counting: list[Objective], at: At) -> None:
    """What counts must look past the fault, and be able to see it."""
    if all(objective.during == "baseline" for objective in counting):
        message = "every objective that counts looks at the baseline only: whatever the fault does, it passes"
        at.say("MC108", message, hint="add an objective that looks past the fault: {converge: …, within: 5s}")
    elif all(objective.disturbance == "optional" for objective in counting if objective.form != "stay") and not any(
        objective.form == "stay" and objective.during != "baseline" for objective in counting
    ):
        message = "every objective that counts may pass without having seen the fault"
        hint = "leave `disturbance: optional` out of one, so that an indicator that is blind to the fault is noticed"
        at.say("MC105", message, hint=hint, severity="warning")


def _lint_share(objective: Objective, steady: Duration, at: At) -> None:
    """An allowed share of everything, or a tolerated stretch as long as the phase, admits any mesh."""
    if objective.allowed.value >= 1:
        at.below("allowed").say("MC105", f"{objective.allowed} out of the band is allowed: this cannot fail", hint="write less")
    if objective.during == "baseline" and objective.tolerate is not None and objective.tolerate >= steady:
        message = f"a stretch of {objective.tolerate} is tolerated, and the baseline lasts {steady}: this cannot fail"
        at.below("tolerate").say("MC105", message, hint=f"write less than {steady}")


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
