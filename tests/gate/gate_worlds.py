"""Small histories for the gate's tests: results of a scenario by verdict, age and subject, and policies to judge them by."""

from __future__ import annotations

from typing import Any

from meshkit_chaos.gate.decide import decide
from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.gate.evidence import gather
from meshkit_chaos.gate.grammar import instant_ns
from meshkit_chaos.gate.load import load_policy, read_overrides
from meshkit_chaos.gate.overrides import Overrides
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.gate.subject import Subject
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import HistoryReader, PastInvocation, PastObjective, PastRun, PastScenario
from meshkit_chaos.judge.verdict import EnvironmentName, OutcomeName, VerdictName

NOW = instant_ns("2026-11-25T08:00:00Z")
HOUR = 3600 * 10**9
SECOND = 10**9
SUBJECT = Subject(pairs={"version": "1.4.2", "commit": "c0ffee"}, digests=("aaa",))
COMMIT_POLICY = b"""version: 1
match: commit
requirements:
  - {id: leadership, scenarios: [leader-killed]}
"""


def policy(text: str | bytes = COMMIT_POLICY) -> Policy:
    """A policy without a problem."""
    loaded = load_policy(text.encode() if isinstance(text, str) else text, path="chaos-gate.yaml")
    assert loaded.value is not None, loaded.problems
    return loaded.value


def overrides(text: str, *, commit: str = "9999999", protected: bool = True) -> Overrides:
    """Overrides as read from a protected branch. Errors of lint are let through: the gate must refuse by itself."""
    from msgspec import structs  # noqa: PLC0415  # only here

    loaded = read_overrides(text.encode(), path="chaos-overrides.yaml")
    value = loaded.value
    assert value is not None, loaded.problems
    return structs.replace(value, source="chaos-overrides.yaml", commit=commit, protected=protected)


def one_run(verdict: VerdictName, number: int = 1, **changes: Any) -> PastRun:
    """A run with one timed objective, whose time fits its verdict: a second, or eight where it failed."""
    times: dict[VerdictName, tuple[int | None, int | None]] = {
        "pass": (SECOND, SECOND + 200_000_000),
        "fail": (7_800_000_000, 8 * SECOND),
    }
    lo, hi = changes.pop("time", times.get(verdict, (None, None)))
    outcomes: dict[VerdictName, OutcomeName] = {"inconclusive": "crashed", "not-run": "not-run"}
    environment: EnvironmentName = changes.pop("environment", "clean")
    objective = PastObjective(
        name="converge-one-leader",
        verdict=changes.pop("objective", verdict),
        sentence=f"one-leader took {hi} ns" if hi else "not measured",
        lo=lo,
        hi=hi,
        limit=5 * SECOND,
        resolution=200_000_000,
    )
    return PastRun(
        run=f"{changes.pop('prefix', 'R')}{number}",
        number=number,
        verdict=verdict,
        outcome=changes.pop("outcome", outcomes.get(verdict, "completed")),
        environment=environment,
        started=0,
        ended=0,
        environment_class=changes.pop("environment_class", "lab-1"),
        plan_digest="p",
        journal_digest="j",
        seed=1,
        tool="0",
        binaries=changes.pop("binaries", {"node-1": "aaa"}),
        objectives=(objective,),
        **changes,
    )


def result(
    verdict: VerdictName,
    *,
    hours: float = 2,
    commit: str = "c0ffee",
    scenario: str = "leader-killed",
    runs: tuple[PastRun, ...] | None = None,
    **changes: Any,
) -> PastScenario:
    """One scenario in one invocation, so many hours ago."""
    at = NOW - int(hours * HOUR)
    held = (one_run(verdict),) if runs is None else runs
    return PastScenario(
        invocation=changes.pop("invocation", f"I{at}"),
        scenario=scenario,
        title=f"About {scenario}",
        verdict=verdict,
        sentence=f"the run is {verdict}",
        at=at,
        subject=changes.pop("subject", {"commit": commit, "branch": "main", "version": "1.4.2"}),
        environment=changes.pop("environment", "clean"),
        environment_class=changes.pop("environment_class", "lab-1"),
        objectives=changes.pop("objectives", {"converge-one-leader": verdict} if held else {}),
        runs=held,
        **changes,
    )


def invocation(results: list[PastScenario], *more: str) -> PastInvocation:
    """The invocation that a list of results is of; ``more``: scenarios that it announced besides."""
    first = results[0]
    return PastInvocation(
        invocation=first.invocation,
        at=first.at,
        subject=first.subject,
        verdict=first.verdict,
        environment="clean",
        sentence="",
        tool="0",
        file_digest="f",
        announced=(*(one.scenario for one in results), *more),
    )


def history(*results: PastScenario) -> MemoryHistory:
    """A history of results; those with the same invocation are of one."""
    grouped: dict[str, list[PastScenario]] = {}
    for one in results:
        grouped.setdefault(one.invocation, []).append(one)
    return MemoryHistory([invocation(ones) for ones in grouped.values()], results)


def decided(
    reader: HistoryReader, about: Policy | None = None, file: Overrides | None = None, subject: Subject = SUBJECT
) -> Decision:
    """The decision about the usual subject, now."""
    rules = about or policy()
    return decide(rules, gather(reader, rules, subject, now=NOW), subject=subject, now=NOW, overrides=file)
