"""One required scenario against the evidence: what the subject's results say, and what would open the gate. Pure.

Every failure of the subject counts, however old: a later success does not erase it. Other results that are no pass are made
up for by a newer pass, but not where the subject is compared with earlier releases: there each result of it counts. The newest
result must be a pass, and fresh, and enough runs must have passed. Nothing that was announced may be gone from history.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from meshkit_chaos.clock import minute
from meshkit_chaos.gate.comparing import Release, compare, new_sample, objective_of, releases
from meshkit_chaos.gate.decision import Code, Comparison, Item, Sighting
from meshkit_chaos.gate.evidence import SLACK, Evidence
from meshkit_chaos.gate.overrides import Override
from meshkit_chaos.gate.policy import Policy, Requirement
from meshkit_chaos.gate.selecting import in_class
from meshkit_chaos.history.model import PastInvocation, PastRun, PastScenario
from meshkit_chaos.judge.phrases import counted, listed
from meshkit_chaos.judge.verdict import VerdictName, worst
from meshkit_chaos.slo import Duration

_AGAIN: Final = "run it again for this subject, and import the results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A required scenario with everything that bears on it.

    ``waivers``: overrides that accept what did not pass, by objective; ``standby``: those of objectives that passed, which may
    accept that they are slower than in earlier releases.
    """

    requirement: Requirement
    scenario: str
    own: tuple[PastScenario, ...]
    vanished: tuple[PastInvocation, ...]
    elsewhere: tuple[PastScenario, ...]
    trail: tuple[PastScenario, ...]
    now: int
    set_aside: tuple[PastScenario, ...] = ()
    waivers: dict[str, Override] = field(default_factory=dict)
    standby: dict[str, Override] = field(default_factory=dict)

    @property
    def newest(self) -> PastScenario | None:
        return self.own[0] if self.own else None

    def wanted(self, result: PastScenario) -> tuple[str, ...]:
        """The objectives that count in a result."""
        return self.requirement.objectives or tuple(result.objectives)


def case(requirement: Requirement, scenario: str, evidence: Evidence, *, now: int) -> Case:
    """Put together what bears on one scenario of one requirement."""
    tested = evidence.tested.get(scenario, ())
    return Case(
        requirement=requirement,
        scenario=scenario,
        own=tuple(one for one in tested if in_class(requirement, one) or not one.runs),
        vanished=evidence.vanished.get(scenario, ()),
        elsewhere=tuple(one for one in tested if one.runs and not in_class(requirement, one)),
        trail=tuple(one for one in evidence.trail.get(scenario, ()) if in_class(requirement, one)),
        now=now,
        set_aside=evidence.set_aside.get(scenario, ()),
    )


def judged(about: Case, evidence: Evidence, policy: Policy) -> Item:
    """The item of one required scenario."""
    item = _absent(about) or _failed(about) or _undecided(about) or _unproven(about)
    if item is None:
        item = _compared(about, evidence, policy)
    first_bad, last_good = sightings(about, item.code)
    newest = about.newest
    return _replaced(item, about, newest, first_bad=first_bad, last_good=last_good)


def _replaced(
    item: Item, about: Case, newest: PastScenario | None, *, first_bad: Sighting | None, last_good: Sighting | None
) -> Item:
    return structs.replace(
        item,
        title=newest.title if newest else next((one.title for one in about.trail), ""),
        invocation=newest.invocation if newest else "",
        at=newest.at if newest else None,
        environment_class=newest.environment_class if newest else "",
        first_bad=first_bad,
        last_good=last_good,
        notes=(*item.notes, *_set_aside(about)),
    )


def _set_aside(about: Case) -> tuple[str, ...]:
    """What people marked as invalid was seen all the same: whoever reads the decision is told of it, and why."""
    reasons = {run.invalidated: None for result in about.set_aside for run in result.runs if run.invalidated}
    if not reasons:
        return ()
    does = "does" if len(about.set_aside) == 1 else "do"
    told = "; ".join(reasons)
    return (
        f"{counted(len(about.set_aside), 'result')} of this subject {does} not count, as people marked runs invalid: {told}",
    )


def _item(about: Case, code: Code, sentence: str, *, remedy: str = "", verdict: VerdictName | None = None) -> Item:
    return Item(
        requirement=about.requirement.id,
        scenario=about.scenario,
        mode=about.requirement.mode,
        code=code,
        sentence=sentence,
        remedy=remedy,
        verdict=verdict,
    )


def _absent(about: Case) -> Item | None:
    """No result of this subject in this class at all, or one that was announced is gone from history."""
    if about.vanished:
        gone = max(one.at for one in about.vanished)
        sentence = f"it was announced at {minute(gone)}, and history holds nothing of it"
        return _item(about, "missing", sentence, remedy="import the results of that invocation")
    if about.own:
        return None
    if about.elsewhere:
        seen = about.elsewhere[0].environment_class or "of no known class"
        wanted = about.requirement.environment_class
        return _item(about, "other-class", f"it ran on {seen}; {wanted} is required", remedy=f"run it on {wanted}")
    if about.trail:
        last = about.trail[0]
        words = ", ".join(f"{key}={value}" for key, value in last.subject.items()) or "another subject"
        return _item(about, "other-subject", f"the newest result is of {words}, from {minute(last.at)}", remedy=_AGAIN)
    return _item(about, "missing", "history holds no result of it", remedy="run it for this subject, and import the results")


def _failed(about: Case) -> Item | None:
    """Any failure of the subject that nobody accepted, whenever it was."""
    for result in about.own:
        bad = [name for name in about.wanted(result) if result.objectives.get(name) == "fail" and name not in about.waivers]
        whole = result.verdict == "fail" and not about.requirement.objectives and not _explained(about, result)
        if bad or whole:
            sentence = _told(result, bad)
            remedy = "fix it and test the new build, or accept the number with an override"
            return _item(about, "failed", sentence, remedy=remedy, verdict="fail")
    return None


def _told(result: PastScenario, bad: Iterable[str]) -> str:
    """What failed, in the words of the run that failed."""
    names = list(bad)
    for run in result.runs:
        for name in names:
            one = objective_of(run, name)
            if one is not None and one.verdict == "fail" and one.sentence:
                others = [other for other in names if other != name]
                return f"{name}: {one.sentence}" + (f"; {', '.join(others)} failed, too" if others else "")
    return result.sentence or "it failed"


def _explained(about: Case, result: PastScenario) -> bool:
    """Whether a result that is no pass is one only because of objectives that somebody accepted."""
    bad = [name for name, verdict in result.objectives.items() if verdict != "pass"]
    return bool(bad) and bool(result.runs) and all(name in about.waivers for name in bad) and all(map(_whole, result.runs))


def _whole(run: PastRun) -> bool:
    return run.outcome == "completed" and run.environment == "clean"


def good(about: Case, result: PastScenario) -> bool:
    """Whether a result is a pass for this requirement, accepted exceptions included."""
    names = about.wanted(result)
    if not result.runs or not names or result.environment != "clean":
        return False
    if not all(_good_objective(about, result, name) for name in names):
        return False
    return bool(about.requirement.objectives) or result.verdict == "pass" or _explained(about, result)


def _good_objective(about: Case, result: PastScenario, name: str) -> bool:
    return result.objectives.get(name) == "pass" or (name in result.objectives and name in about.waivers)


def _undecided(about: Case) -> Item | None:
    """The newest result is no pass: it lacks an objective, decided nothing, was refused, or left nothing."""
    result = about.newest
    if result is None or good(about, result):
        return None
    if not result.runs:
        code: Code = "not-run" if result.verdict == "not-run" else "missing"
        return _item(about, code, result.sentence or "it left no result", remedy=_AGAIN, verdict=result.verdict)
    lacking = [name for name in about.requirement.objectives if name not in result.objectives]
    if lacking:
        sentence = f"it has no objective {listed(lacking)} that counts"
        return _item(about, "no-objective", sentence, remedy="correct the policy, or put the objective back")
    if result.environment != "clean" and result.verdict == "pass":
        sentence = f"the environment was left {result.environment}"
        return _item(about, "inconclusive", sentence, remedy=_AGAIN, verdict="inconclusive")
    verdict = worst([result.objectives[name] for name in about.wanted(result)] or [result.verdict])
    verdict = verdict if verdict != "pass" else result.verdict
    verdict = "inconclusive" if verdict in ("pass", "fail") else verdict
    codes: dict[VerdictName, Code] = {"invalid": "invalid", "not-run": "not-run"}
    return _item(about, codes.get(verdict, "inconclusive"), result.sentence or verdict, remedy=_AGAIN, verdict=verdict)


def _unproven(about: Case) -> Item | None:
    """The newest result is a pass, and it is too old, or too few runs of it are."""
    result = about.newest
    assert result is not None
    limit = about.requirement.fresh
    if not _fresh(about, result):
        if result.at > about.now:
            return _item(about, "stale", f"its instant, {minute(result.at)}, is still to come", remedy="correct a clock")
        age = Duration((about.now - result.at) // 10**9 * 10**9)
        return _item(about, "stale", f"it passed {age} ago; at most {limit} is allowed", remedy=_AGAIN, verdict="pass")
    passed = sum(_counts(about, run) for one in about.own if _fresh(about, one) and good(about, one) for run in one.runs)
    if passed < about.requirement.runs:
        sentence = f"{counted(passed, 'run')} passed; {about.requirement.runs} are required"
        return _item(about, "too-few-runs", sentence, remedy="run it more often for this subject", verdict="pass")
    return None


def _fresh(about: Case, result: PastScenario) -> bool:
    return -SLACK.ns <= about.now - result.at <= about.requirement.fresh.ns


def _counts(about: Case, run: PastRun) -> bool:
    """Whether a run is among those that passed: all that is wanted of it did, or was accepted."""
    if not _whole(run):
        return False
    names = about.requirement.objectives or tuple(one.name for one in run.objectives if not one.informational)
    seen = [objective_of(run, name) for name in names]
    return bool(seen) and all(one is not None and (one.verdict == "pass" or one.name in about.waivers) for one in seen)


def _compared(about: Case, evidence: Evidence, policy: Policy) -> Item:
    """All limits are kept: what is left is whether it is worse than earlier releases."""
    result = about.newest
    assert result is not None
    used = [name for name in about.wanted(result) if name in about.waivers]
    base = _passed(about, result, used)
    rules = policy.regression
    if not about.requirement.regression or rules is None:
        return base
    silent = [one for one in about.own if not good(about, one)]
    if silent:
        sentence = f"its result of {minute(silent[0].at)} decided nothing, and a comparison takes every result"
        return _item(about, "inconclusive", sentence, remedy="mark that result as invalid, with the reason")
    earlier = releases([one for one in evidence.baseline.get(about.scenario, ()) if _comparable(about, one)], rules.baseline)
    found = {name: _of_objective(about, name, earlier, policy) for name in about.wanted(result)}
    return _verdict_of(base, about, policy, found=found)


def _comparable(about: Case, earlier: PastScenario) -> bool:
    """Of the very same class as the subject's newest result, not only of one that the policy allows."""
    return in_class(about.requirement, earlier) and about.own[0].environment_class == earlier.environment_class


def _of_objective(about: Case, name: str, earlier: tuple[Release, ...], policy: Policy) -> tuple[Comparison, ...]:
    assert policy.regression is not None
    new = new_sample(about.own, name, failures_count_as_times=name in about.waivers)
    return compare(name, new=new, earlier=earlier, rules=policy.regression)


def _passed(about: Case, result: PastScenario, used: list[str]) -> Item:
    flaky = ("it passed by the repeat plan, and some of its runs failed: flaky",) if result.flaky else ()
    if used:
        accepted = "; ".join(f"{name} {about.waivers[name].accept}, by {about.waivers[name].approver}" for name in used)
        item = _item(about, "waived", f"accepted by override: {accepted}", verdict=result.verdict)
    else:
        item = _item(about, "passed", result.sentence or "it passed", verdict="pass")
    return _with(item, overrides=tuple(about.waivers[name].id for name in used), notes=flaky)


def _verdict_of(base: Item, about: Case, policy: Policy, *, found: dict[str, tuple[Comparison, ...]]) -> Item:
    assert policy.regression is not None
    every = tuple(one for ones in found.values() for one in ones)
    accepted = {one.objective: entry for one in every if one.worse and (entry := _accepting(about, one)) is not None}
    worse = [one for one in every if one.worse and _accepting(about, one) is None]
    if worse:
        first = min(worse, key=lambda one: one.p)
        sentence = f"{first.objective} is worse than in {first.release}: {first.sentence} (p = {first.p:.2g})"
        remedy = "fix it and test the new build, or accept the time with an override"
        return _with(base, code="regression", sentence=sentence, remedy=remedy, comparisons=every)
    if fresh := [entry for name, entry in accepted.items() if name in about.standby]:
        ids = (*base.overrides, *(entry.id for entry in fresh))
        told = "; ".join(f"{entry.objective} {entry.accept}, by {entry.approver}" for entry in fresh)
        base = _with(base, code="waived", sentence=f"slower than before, accepted by override: {told}", overrides=ids)
    unseen = [name for name, ones in found.items() if all(one.blind for one in ones)]
    if unseen:
        why = f"there is too little history to compare {listed(unseen)} with"
        if policy.regression.until_baseline == "closed":
            return _with(base, code="no-baseline", sentence=why, remedy="until_baseline: absolute-only", comparisons=every)
        return _with(base, notes=(*base.notes, f"{why}: judged by its own limits only"), comparisons=every)
    return _with(base, comparisons=every)


def _accepting(about: Case, one: Comparison) -> Override | None:
    """The override that accepts a comparison: a time that is accepted may be slower than before, and failures more often."""
    entry = about.waivers.get(one.objective) or about.standby.get(one.objective)
    fits = entry is not None and (entry.accept.within is not None) == (one.kind == "time")
    return entry if fits else None


def _with(item: Item, **changes: object) -> Item:
    return structs.replace(item, **changes)


def sightings(about: Case, code: Code) -> tuple[Sighting | None, Sighting | None]:
    """The first bad result of the present streak, and the good one before it; of the scenario in its class.

    Looked for on the branch of the newest result, and if it never passed there, on any: what an old release does in between
    neither ends a streak nor is what lies before it. Of a failure that a later success followed, the streak that it ended; of
    a comparison neither, as every run passed.
    """
    if code == "regression":
        return None, None
    branch = about.newest.subject.get("branch") if about.newest is not None else None
    own = _turn(about, code, [one for one in about.trail if one.subject.get("branch") == branch])
    return own if own[1] is not None else _turn(about, code, about.trail)


def _turn(about: Case, code: Code, trail: Iterable[PastScenario]) -> tuple[Sighting | None, Sighting | None]:
    first_bad = None
    for result in trail:
        if not _simply_good(about, result):
            first_bad = _sighting(result)
        elif first_bad is not None or code != "failed":
            return first_bad, _sighting(result)
    return first_bad, None


def _simply_good(about: Case, result: PastScenario) -> bool:
    names = about.requirement.objectives
    return all(result.objectives.get(name) == "pass" for name in names) if names else result.verdict == "pass"


def _sighting(result: PastScenario) -> Sighting:
    return Sighting(invocation=result.invocation, at=result.at, verdict=result.verdict, subject=result.subject)
