"""The results of one invocation → what history keeps of them. Pure: the same results give the same values, on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from msgspec import structs

from meshkit_chaos.campaign.results import Results
from meshkit_chaos.history.model import PastInvocation, PastObjective, PastRun, PastScenario
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.invocation import worst_environment
from meshkit_chaos.judge.repeats import objective_verdicts
from meshkit_chaos.judge.verdict import Finding, Repetition, Verdict, VerdictName
from meshkit_chaos.slo.codec import encode


def past(results: Results) -> tuple[PastInvocation, tuple[PastScenario, ...]]:
    """An invocation and every scenario of it, in the order in which they were announced; one without a result is there too.

    Refuses a what-if with ValueError: what other thresholds would have said is no history.
    """
    verdict, started = results.verdict, results.started
    if verdict.what_if:
        raise ValueError("a what-if verdict never enters history")
    records = {run.run: record for run, record in zip(verdict.runs, results.records, strict=True)}
    verdicts = {run.run: run for run in verdict.runs}
    invocation = PastInvocation(
        invocation=started.invocation,
        at=started.wall_ns,
        subject=dict(started.subject),
        verdict=verdict.verdict,
        environment=verdict.environment,
        sentence=verdict.sentence,
        tool=started.tool,
        file_digest=started.file_digest,
        announced=tuple(scenario.id for scenario in started.scenarios),
    )
    scenarios = tuple(
        _scenario(one, results, invocation, [verdicts[run] for run in one.runs], records) for one in verdict.scenarios
    )
    return invocation, scenarios


def _scenario(
    one: Repetition, results: Results, invocation: PastInvocation, runs: list[Verdict], records: Mapping[str, Record | None]
) -> PastScenario:
    announced = next((told for told in results.started.scenarios if told.id == one.scenario), None)
    known_class = next((run.environment_class for run in runs if run.environment_class), results.started.environment_class)
    return PastScenario(
        invocation=invocation.invocation,
        scenario=one.scenario,
        title=one.title,
        verdict=one.verdict,
        sentence=one.sentence,
        at=invocation.at,
        subject=invocation.subject,
        environment=worst_environment(runs),
        environment_class=known_class,
        flaky=one.flaky,
        severity=one.severity,
        owner=one.owner,
        modules=next((run.modules for run in runs if run.modules), announced.modules if announced else ()),
        tags=next((run.tags for run in runs if run.tags), announced.tags if announced else ()),
        objectives=dict(one.objectives),
        runs=tuple(_run(run, record) for run in runs if (record := records[run.run]) is not None),
    )


def _run(verdict: Verdict, record: Record) -> PastRun:
    begun, ended = instants(record)
    return PastRun(
        run=verdict.run,
        number=verdict.repeat,
        verdict=verdict.verdict,
        outcome=verdict.outcome,
        environment=verdict.environment,
        started=begun,
        ended=ended,
        environment_class=verdict.environment_class,
        plan_digest=plan_digest(record),
        journal_digest=verdict.journal_digest,
        seed=verdict.seed,
        tool=verdict.tool,
        binaries=dict(verdict.binaries),
        executables=executables(record),
        faults=faults(record),
        objectives=past_objectives(verdict),
    )


def instants(record: Record) -> tuple[int, int]:
    """First and last event in wall-clock ns; zeros where the record does not tell."""
    if record.started is None:
        return 0, 0
    return record.started.wall_ns, record.started.wall_ns + record.entries[-1].t - record.entries[0].t


def plan_digest(record: Record) -> str:
    """SHA-256 of the plan without its seed: runs of one digest did the same to the same kind of mesh. Empty without a plan."""
    if record.started is None:
        return ""
    return hashlib.sha256(encode(structs.replace(record.started.plan, seed=0))).hexdigest()


def executables(record: Record) -> tuple[BinaryFacts, ...]:
    """The binaries of the environment as they were verified at deployment, each once, by name."""
    deployed = record.last(ev.DeployDone)
    members = deployed[1].members if deployed is not None else ()
    found = {member.executable.name: member.executable for member in members if member.executable is not None}
    return tuple(found[name] for name in sorted(found))


def faults(record: Record) -> tuple[str, ...]:
    """The kinds of faults that bit a member, in the order in which they were meant to."""
    bit = {observed.node for _, observed in record.of(ev.EffectObserved) if observed.bit}
    return tuple(dict.fromkeys(intent.fault for _, intent in record.of(ev.FaultIntended) if intent.node in bit))


def past_objectives(verdict: Verdict) -> tuple[PastObjective, ...]:
    """Every objective of a run, the informational ones with their own verdict."""
    joined = objective_verdicts(verdict)
    return tuple(
        _objective(finding, joined.get(finding.id, finding.verdict))
        for finding in verdict.findings
        if finding.about == "objective"
    )


def _objective(finding: Finding, verdict: VerdictName) -> PastObjective:
    measured = finding.measured
    return PastObjective(
        name=finding.id,
        verdict=verdict,
        sentence=finding.sentence,
        indicator=finding.indicator,
        informational=finding.informational,
        lo=measured.lo if measured else None,
        hi=measured.hi if measured else None,
        limit=measured.limit if measured else None,
        resolution=measured.resolution if measured else None,
    )
