"""A run judged again by another limit, from its record: what would have been said. Nothing of it is kept.

Takes the results that hold the run, an objective and a limit. Refuses, as UsageError, an objective that the run does not have
or that has no limit. The answer is marked as a what-if by the judge itself, so it can enter no history and no gate.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct, structs

from meshkit_chaos.campaign.results import Results
from meshkit_chaos.errors import UsageError
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.judge.verdict import Finding, VerdictName
from meshkit_chaos.slo import Duration

LONGEST: Final = 366 * 24 * 3600 * 10**9
"""A limit beyond a year is a slip."""


class WhatIfAnswer(Struct, frozen=True, kw_only=True):
    """``verdict``: of the whole run by that limit. ``finding``: of the objective. ``recorded``: what the run really got."""

    run: str
    scenario: str
    objective: str
    within: str
    what_if: bool
    verdict: VerdictName
    recorded: VerdictName
    finding: Finding


def what_if(results: Results, run: str, *, objective: str, within: Duration) -> WhatIfAnswer | None:
    """None where the run left no record. Raises UsageError."""
    both = zip(results.records, results.verdict.runs, strict=True)
    found = next(((record, verdict) for record, verdict in both if verdict.run == run), None)
    if found is None:
        return None
    record, recorded = found
    if record is None or record.started is None:
        return None
    scenario = record.started.plan.scenario
    chosen = next((one for one in scenario.objectives if one.id == objective), None)
    if chosen is None or chosen.within is None:
        timed = ", ".join(one.id for one in scenario.objectives if one.within is not None) or "none"
        raise UsageError("the run has no objective of that name with a limit", hint=f"it has: {timed}")
    changed = structs.replace(chosen, within=within)
    objectives = tuple(changed if one.id == objective else one for one in scenario.objectives)
    verdict = judge(record, scenario=structs.replace(scenario, objectives=objectives))
    return WhatIfAnswer(
        run=run,
        scenario=scenario.id,
        objective=objective,
        within=str(within),
        what_if=verdict.what_if,
        verdict=verdict.verdict,
        recorded=recorded.verdict,
        finding=next(one for one in verdict.findings if one.about == "objective" and one.id == objective),
    )
