"""The repeat plan: verdicts of repeated runs → one, by an exact and bounded rule, for each scenario × objective.

"Up to n runs, fail at the k-th failure, pass at the (n-k+1)-th pass, stop then." Only passes and failures count towards it;
runs that say neither (inconclusive, invalid) are repeated within their own small budget. One of the two is reached after n
counted runs at the latest; where it is not reached, the result is never a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import Repetition, Verdict, VerdictName, worst
from meshkit_chaos.scenario.model import Repeats

_MOST_EXTRA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """``continue`` (``verdict`` is what it would be if no more runs came) or ``decided``. ``flaky``: a pass with failures."""

    state: Literal["continue", "decided"]
    verdict: VerdictName
    sentence: str
    flaky: bool = False


def extra_runs(repeats: Repeats) -> int:
    """How many runs that decide nothing are made up for: none for a single run, one or two for a repeated one."""
    return min(_MOST_EXTRA, repeats.up_to - 1)


def decide(repeats: Repeats, verdicts: Sequence[VerdictName]) -> Decision:
    """Apply the plan to runs in their order; what comes after the decision changes nothing."""
    passes_needed = repeats.up_to - repeats.fail_at + 1
    passes = failures = neither = 0
    for verdict in verdicts:
        passes += verdict == "pass"
        failures += verdict == "fail"
        neither += verdict not in ("pass", "fail")
        if failures >= repeats.fail_at:
            return _decided("fail", f"{_of(failures, passes + failures)} failed", neither)
        if passes >= passes_needed:
            sentence = f"{_of(passes, passes + failures)} passed"
            return _decided("pass", sentence + (f", {failures} failed: flaky" if failures else ""), neither, flaky=failures > 0)
        if neither > extra_runs(repeats) or verdict == "not-run":
            return _undecided("decided", verdicts, passes, failures)
    return _undecided("continue", verdicts, passes, failures)


def _of(some: int, runs: int) -> str:
    return f"{some} of {counted(runs, 'run')}" if runs > 1 else "the run"


def _decided(verdict: VerdictName, sentence: str, neither: int, *, flaky: bool = False) -> Decision:
    more = f" ({counted(neither, 'more run')} decided nothing)" if neither else ""
    return Decision(state="decided", verdict=verdict, sentence=sentence + more, flaky=flaky)


def _undecided(state: Literal["continue", "decided"], verdicts: Sequence[VerdictName], passes: int, failures: int) -> Decision:
    """Neither count was reached. Runs that all say the same, and that no pass or failure contradicts, say that together."""
    same = set(verdicts)
    verdict: VerdictName = worst(same) if len(same) == 1 and not passes and not failures else "inconclusive"
    tally = f"{passes} passed, {failures} failed, {len(verdicts) - passes - failures} decided nothing"
    sentence = f"the repeat plan is not decided after {counted(len(verdicts), 'run')}: {tally}"
    return Decision(state=state, verdict=verdict, sentence=sentence if len(verdicts) != 1 else f"the run is {verdicts[0]}")


def objective_verdicts(verdict: Verdict) -> dict[str, VerdictName]:
    """What one run says about each objective that counts, its broken assumptions, outcome and environment included."""
    around = [finding.verdict for finding in verdict.findings if finding.about != "objective" and not finding.informational]
    return {
        finding.id: worst([finding.verdict, *around])
        for finding in verdict.findings
        if finding.about == "objective" and not finding.informational
    }


def decide_scenario(repeats: Repeats, runs: Sequence[Verdict]) -> tuple[Decision, dict[str, Decision]]:
    """Decide each objective over all runs of one scenario, and the scenario as the worst of them.

    It is over as soon as one objective has failed, or all are decided. A run that says nothing about an objective (it never
    began, its record is damaged) counts for it with the verdict of the whole run.
    """
    spoken = [objective_verdicts(run) for run in runs]
    names = list(dict.fromkeys(name for said in spoken for name in said)) or [""]
    decisions = {
        name: decide(
            repeats, [said.get(name, _at_best_inconclusive(run.verdict)) for said, run in zip(spoken, runs, strict=True)]
        )
        for name in names
    }
    return _joined(decisions), {name: decision for name, decision in decisions.items() if name}


def _at_best_inconclusive(verdict: VerdictName) -> VerdictName:
    return "inconclusive" if verdict == "pass" else verdict


def _joined(decisions: dict[str, Decision]) -> Decision:
    failed = [name for name, decision in decisions.items() if decision.state == "decided" and decision.verdict == "fail"]
    going_on = not failed and any(decision.state == "continue" for decision in decisions.values())
    verdict: VerdictName = "fail" if failed else worst(decision.verdict for decision in decisions.values())
    told = [name for name in decisions if decisions[name].verdict == verdict]
    sentence = decisions[told[0]].sentence if told else "nothing was judged"
    if len(decisions) > 1 and verdict != "pass" and told[0]:
        sentence = f"{', '.join(told)}: {sentence}"
    return Decision(
        state="continue" if going_on else "decided",
        verdict=verdict,
        sentence=sentence,
        flaky=verdict == "pass" and any(decision.flaky for decision in decisions.values()),
    )


def join(
    scenario: str, runs: Sequence[Verdict], repeats: Repeats, *, title: str = "", severity: str = "medium", owner: str = ""
) -> Repetition:
    """Join all runs of one scenario, in their order. None at all, or too few for the plan, is never a pass."""
    decision, objectives = decide_scenario(repeats, runs)
    sentence = decision.sentence if runs else "it was announced, and no run of it has a result"
    if decision.verdict == "not-run":
        sentence = _why_not_run(runs) or sentence
    return Repetition(
        scenario=scenario,
        title=title,
        verdict=decision.verdict,
        sentence=sentence,
        runs=tuple(run.run for run in runs),
        flaky=decision.flaky,
        objectives={name: one.verdict for name, one in objectives.items()},
        severity=severity,
        owner=owner,
    )


def _why_not_run(runs: Sequence[Verdict]) -> str:
    """What kept the last run from beginning: whoever reads only the scenario's own line must find it there."""
    return next((finding.sentence for finding in runs[-1].findings if finding.verdict == "not-run"), "") if runs else ""


def blame(repeats: Repeats, p_fail: float) -> float:
    """The chance that a plan blames a scenario × objective that fails each run with chance ``p_fail``, exactly.

    Stopping early does not change who wins: it is the chance of at least k failures in n runs.
    """
    n, k = repeats.up_to, repeats.fail_at
    return sum(comb(n, failures) * p_fail**failures * (1 - p_fail) ** (n - failures) for failures in range(k, n + 1))


def chances(repeats: Repeats, p_fail: float, *, objectives: int = 1) -> float:
    """The chance that at least one of so many independent, equal objectives is blamed."""
    return 1 - (1 - blame(repeats, p_fail)) ** objectives


def sees(repeats: Repeats, *, objectives: int = 1, p_seldom: float = 0.02, p_often: float = 0.5) -> str:
    """What a plan can see, in one sentence."""
    runs = f"up to {counted(repeats.up_to, 'run')}, fail at the {_ordinal(repeats.fail_at)} failure"
    seldom = f"blames a scenario that fails {_percent(p_seldom)} of the time in {_percent(blame(repeats, p_seldom))} of nights"
    whole = f" ({objectives} such objectives: {_percent(chances(repeats, p_seldom, objectives=objectives))})"
    often = f"catches one that fails {_share(p_often)} in {_percent(blame(repeats, p_often))}"
    return f"{runs}: {seldom}{whole if objectives > 1 else ''}, {often}"


def _share(share: float) -> str:
    return "half the time" if share == 0.5 else f"{_percent(share)} of the time"


def _percent(share: float) -> str:
    percent = share * 100
    return f"{percent:.1f} %" if 0 < percent < 1 else f"{percent:.0f} %"


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
