"""One invocation: what was announced and the verdicts of its runs → one verdict.

Any fail is fail; else any other non-pass is inconclusive; nothing judged is inconclusive. What was announced and has no
result is missing, never silence, and a run that nobody announced cannot make up for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from meshkit_chaos.judge.phrases import counted, listed
from meshkit_chaos.judge.repeats import join
from meshkit_chaos.judge.verdict import EnvironmentName, InvocationVerdict, Repetition, Verdict, VerdictName
from meshkit_chaos.scenario.model import Repeats

_WORST_FIRST: tuple[EnvironmentName, ...] = ("dirty", "unknown", "clean", "untouched")


class Announced(Protocol):
    """A scenario that an invocation said it would run."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def repeats(self) -> Repeats: ...
    @property
    def severity(self) -> str: ...
    @property
    def owner(self) -> str: ...


def invocation_verdict(
    invocation: str, announced: Sequence[Announced], runs: Sequence[Verdict], *, subject: Mapping[str, str]
) -> InvocationVerdict:
    """Join everything. ``runs`` are in the order in which they ran."""
    scenarios = tuple(
        join(
            one.id,
            [run for run in runs if run.scenario == one.id],
            one.repeats,
            title=one.title,
            severity=one.severity,
            owner=one.owner,
        )
        for one in announced
    )
    scenarios += tuple(_stray(runs, {one.id for one in announced}))
    verdict, sentence = _verdict(scenarios)
    return InvocationVerdict(
        invocation=invocation,
        verdict=verdict,
        environment=worst_environment(runs),
        sentence=sentence,
        subject=dict(subject),
        scenarios=scenarios,
        runs=tuple(runs),
        what_if=any(run.what_if for run in runs),
    )


def _stray(runs: Sequence[Verdict], announced: set[str]) -> list[Repetition]:
    """Runs of scenarios that were never announced: shown, and never a pass, because nobody knows what else was left out."""
    out = []
    for scenario in dict.fromkeys(run.scenario for run in runs if run.scenario not in announced):
        of_it = [run for run in runs if run.scenario == scenario]
        out.append(
            Repetition(
                scenario=scenario,
                title=of_it[0].title,
                verdict="fail" if any(run.verdict == "fail" for run in of_it) else "inconclusive",
                sentence="it ran without having been announced",
                runs=tuple(run.run for run in of_it),
            )
        )
    return out


def _verdict(scenarios: Sequence[Repetition]) -> tuple[VerdictName, str]:
    failed = [one.scenario for one in scenarios if one.verdict == "fail"]
    other = [one.scenario for one in scenarios if one.verdict not in ("pass", "fail")]
    if not scenarios:
        return "inconclusive", "nothing was judged: no scenario was announced"
    total = counted(len(scenarios), "scenario")
    if failed:
        more = f", {len(other)} without a decision" if other else ""
        return "fail", f"{len(failed)} of {total} failed ({listed(failed)}){more}"
    if other:
        return "inconclusive", f"{len(other)} of {total} without a decision ({listed(other)})"
    flaky = [one.scenario for one in scenarios if one.flaky]
    return "pass", f"{total} passed" + (f", flaky: {listed(flaky)}" if flaky else "")


def worst_environment(runs: Sequence[Verdict]) -> EnvironmentName:
    """The worst that any run left; untouched where there is none."""
    left = {run.environment for run in runs}
    return next((name for name in _WORST_FIRST if name in left), "untouched")
