"""Lint: whether scenarios that the grammar admits make sense, together and in their environment.

Takes drafts, the indicators and what is known of the environment; adds findings. It executes nothing. The rules by their ids
are in ``rules``.
"""

from __future__ import annotations

from collections.abc import Mapping

from meshkit_chaos.scenario.build import Draft
from meshkit_chaos.scenario.checks import lint_check
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_values import close_names
from meshkit_chaos.scenario.lint_objectives import lint_objectives, lint_single
from meshkit_chaos.scenario.lint_steps import lint_role, lint_steps
from meshkit_chaos.scenario.measured import Measured, Surroundings
from meshkit_chaos.scenario.model import CheckPrerequisite, MembersPrerequisite


def lint_scenarios(
    drafts: list[Draft], *, measured: Mapping[str, Measured], broken: frozenset[str] | None, around: Surroundings
) -> None:
    """Find what is wrong with scenarios. ``broken``: names whose own text has problems; None where no name is known."""
    told_of_series: set[str] = set()
    first: dict[str, Draft] = {}
    for draft in drafts:
        if broken is not None:
            _lint_references(draft, measured, broken)
        _lint_itself(draft, first)
        _lint_prerequisites(draft, around)
        lint_objectives(draft, measured)
        lint_single(draft, measured, told_of_series)
        lint_steps(draft, around.environment)


def _lint_references(draft: Draft, measured: Mapping[str, Measured], broken: frozenset[str]) -> None:
    for name, at in draft.uses:
        if name not in measured and name not in broken:
            names = [*measured, *sorted(broken)]
            near = close_names(name, names)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names[:8]) or 'none'}"
            at.say("MC101", f"unknown indicator {name!r}", hint=hint)


def _lint_itself(draft: Draft, first: dict[str, Draft]) -> None:
    scenario = draft.scenario
    same = first.setdefault(scenario.id, draft)
    if same is not draft:
        message = f"two scenarios are called {scenario.id!r}; the first is in line {same.at.below('id').line}"
        draft.at.below("id").say("MC110", message, hint="rename one of them")
    if not scenario.steady_state.indicators:
        hint = "steady_state: {for: 2s, indicators: […]}, here or under `defaults:`"
        draft.at.below("id").say("MC120", f"scenario {scenario.id} does not say what normal is", hint=hint)
    if scenario.repeats.fail_at > scenario.repeats.up_to:
        message = (
            f"the failure that decides is number {scenario.repeats.fail_at} of {scenario.repeats.up_to} runs: it cannot fail"
        )
        draft.place("repeats").say("MC123", message, hint=f"write up_to: {scenario.repeats.fail_at} or more")


def _lint_prerequisites(draft: Draft, around: Surroundings) -> None:
    for number, need in enumerate(draft.scenario.prerequisites):
        at = draft.at.below("prerequisites", number)
        if isinstance(need, CheckPrerequisite):
            lint_check(need.check, at=at.below("check"), known=around.known_templates)
        elif isinstance(need, MembersPrerequisite) and need.role is not None and around.environment is not None:
            lint_role(need.role, at.below("role"), around.environment)


def lint_unused(drafts: list[Draft], measured: Mapping[str, Measured], *, at: At) -> None:
    """Warn of indicators that no scenario uses."""
    used = {name for draft in drafts for name, _ in draft.uses}
    for name in measured:
        if name not in used:
            at.below(name).say("MC114", f"no scenario uses the indicator {name!r}", hint="use it, or delete it", of_key=True)
