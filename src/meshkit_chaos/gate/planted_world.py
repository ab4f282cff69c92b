"""A made-up history in which a policy opens, so that bad evidence can be planted in it. Pure.

Takes a policy and an instant; gives a subject, results that pass for each requirement, an old release to compare with, and the
nightly that the schedule expects. Whatever the policy asks for is there; nothing in it was ever measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from meshkit_chaos.gate.policy import Policy, Requirement
from meshkit_chaos.gate.schedule import expected
from meshkit_chaos.gate.selecting import named
from meshkit_chaos.gate.subject import Subject
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import PastInvocation, PastObjective, PastRun, PastScenario

SECOND: Final = 10**9
SUBJECT: Final = Subject(pairs={"commit": "planted-commit", "version": "planted"}, digests=("planted-digest",))
OBJECTIVE: Final = "planted-objective"
_OLD_RUNS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """``current``: the subject's one invocation and its results. ``before``: everything else."""

    invocation: PastInvocation
    current: tuple[PastScenario, ...]
    before: tuple[tuple[PastInvocation, tuple[PastScenario, ...]], ...]

    def history(self) -> MemoryHistory:
        history = MemoryHistory()
        for invocation, results in (*self.before, (self.invocation, self.current)):
            history.add(invocation, results)
        return history


def opening_world(policy: Policy, *, now: int) -> World:
    """A history in which every requirement is met, as far as one can be made."""
    at = now - min(one.fresh.ns for one in policy.requirements) // 2
    current = tuple(_results(policy, at=at))
    before = (
        [_invocation("planted-nightly", ended, subject=policy.nightly.subject) for ended in _nightly(policy, now)]
        if (policy.nightly)
        else []
    )
    old = tuple(_old_releases(policy, current, now=now))
    return World(
        invocation=_invocation("planted-current", at, subject=SUBJECT.pairs, results=current),
        current=current,
        before=(*((one, ()) for one in before), *old),
    )


def _nightly(policy: Policy, now: int) -> Iterator[int]:
    at = expected(policy.nightly, now=now) if policy.nightly else None
    if at is not None:
        yield at


def _invocation(name: str, at: int, *, subject: dict[str, str], results: tuple[PastScenario, ...] = ()) -> PastInvocation:
    return PastInvocation(
        invocation=name,
        at=at,
        subject=subject,
        verdict="pass",
        environment="clean",
        sentence="planted",
        tool="planted",
        file_digest="planted",
        announced=tuple(one.scenario for one in results),
    )


def _results(policy: Policy, *, at: int) -> Iterator[PastScenario]:
    """One result for each scenario that a requirement names or selects; requirements that name the same one share it."""
    made: dict[str, PastScenario] = {}
    for requirement in policy.requirements:
        for name in _names(requirement):
            objectives = requirement.objectives or (OBJECTIVE,)
            result = _result(name, requirement, policy, at=at, objectives=objectives)
            earlier = made.get(name)
            if earlier is not None:
                every = tuple(dict.fromkeys((*earlier.objectives, *objectives)))
                more = max(len(earlier.runs), len(result.runs))
                result = structs.replace(
                    _result(name, requirement, policy, at=at, objectives=every, runs=more),
                    environment_class=earlier.environment_class,
                    tags=tuple({*earlier.tags, *result.tags}),
                )
            made[name] = result
    yield from made.values()


def _names(requirement: Requirement) -> tuple[str, ...]:
    """Names that a requirement asks for, and as many more that it selects as it needs."""
    wanted = dict.fromkeys(named(requirement))
    globs = [pattern for pattern in requirement.scenarios if pattern not in wanted] or ["*"]
    more = max(requirement.at_least - len(wanted), 0 if wanted else 1)
    made = (like(globs[0], f"{requirement.id}-{number}") for number in range(more))
    return tuple(dict.fromkeys((*wanted, *made)))


def like(pattern: str, word: str) -> str:
    """A name that fits a glob."""
    text = re.sub(r"\[!?(.)[^\]]*\]", r"\1", pattern).replace("?", "x")
    return text.replace("*", word, 1).replace("*", "")


def _result(
    name: str,
    requirement: Requirement,
    policy: Policy,
    *,
    at: int,
    objectives: tuple[str, ...],
    runs: int | None = None,
) -> PastScenario:
    environment_class = like(requirement.environment_class, "planted") or "planted"
    count = runs or requirement.runs
    return PastScenario(
        invocation="planted-current",
        scenario=name,
        title=name,
        verdict="pass",
        sentence="planted: it passed",
        at=at,
        subject=SUBJECT.pairs,
        environment="clean",
        environment_class=environment_class,
        severity=requirement.severity or "critical",
        modules=tuple(dict.fromkeys((*requirement.modules, *policy.exercised_within))),
        tags=requirement.tags,
        objectives=dict.fromkeys(objectives, "pass"),
        runs=tuple(one_run(number, objectives, environment_class=environment_class) for number in range(count)),
    )


def one_run(number: int, objectives: tuple[str, ...], *, environment_class: str, name: str = "new") -> PastRun:
    """A run that passed, with a time of a second and a bit for each objective; all times of a number differ a little."""
    took = SECOND + (number * 37 % 97) * 10**6
    return PastRun(
        run=f"planted-{name}-{number}",
        number=number,
        verdict="pass",
        outcome="completed",
        environment="clean",
        started=0,
        ended=0,
        environment_class=environment_class,
        plan_digest="planted",
        journal_digest="planted",
        seed=number,
        tool="planted",
        binaries={"planted-member": "planted-digest" if name == "new" else "another-digest"},
        objectives=tuple(
            PastObjective(name=one, verdict="pass", sentence="planted", lo=took, hi=took, limit=100 * SECOND)
            for one in objectives
        ),
    )


def _old_releases(
    policy: Policy, current: tuple[PastScenario, ...], *, now: int
) -> Iterator[tuple[PastInvocation, tuple[PastScenario, ...]]]:
    """One earlier release, measured often, where the policy compares with any."""
    if policy.regression is None:
        return
    rules = policy.regression.baseline
    before = min(rules.until if rules.until is not None else now, now - rules.lag.ns)
    subject = {**dict.fromkeys([rules.releases_by] if rules.releases_by else [], "planted-old"), **rules.subject}
    subject["commit"] = "another-commit"
    results = tuple(
        structs.replace(
            one,
            invocation="planted-old",
            at=before - SECOND,
            subject=subject,
            runs=tuple(
                one_run(number, tuple(one.objectives), environment_class=one.environment_class, name="old")
                for number in range(_OLD_RUNS)
            ),
        )
        for one in current
    )
    yield _invocation("planted-old", before - SECOND, subject=subject, results=results), results
