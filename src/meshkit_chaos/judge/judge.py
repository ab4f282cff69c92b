"""A record → its verdict. The same record gives the same bytes, today and in a year.

Takes a ``Record`` (and, to ask what other thresholds would have said, another ``Scenario``). Assumptions are judged first and
by name, then how the run went and what it left, then the objectives. Refuses nothing: a part of the judge that breaks becomes
an inconclusive finding that carries the error, and a record that says nothing is invalid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.assumptions import faults_bit, not_run, prerequisites_checked, record_whole, secrets_kept, steady_state
from meshkit_chaos.judge.conduct import judge_deaths, judge_outcome, judge_problems, judge_steps, outcome_of
from meshkit_chaos.judge.objectives import judge_objective, judge_rollback
from meshkit_chaos.judge.surroundings import environment_of, judge_environment
from meshkit_chaos.judge.verdict import Finding, FindingAbout, Verdict, worst
from meshkit_chaos.scenario.model import Scenario

Part = Callable[[], Iterable[Finding]]


def judge(record: Record, *, scenario: Scenario | None = None) -> Verdict:
    """Judge one run. With ``scenario``, judge by its thresholds; where they differ from the recorded ones it is a what-if."""
    started = record.started
    if started is None:
        return _unreadable(record, scenario)
    recorded = started.plan.scenario
    chosen = scenario or recorded
    findings = tuple(_findings(record, chosen))
    return Verdict(
        run=started.run,
        scenario=chosen.id,
        title=chosen.title,
        verdict=worst(finding.verdict for finding in findings if not finding.informational),
        outcome=outcome_of(record),
        environment=environment_of(record)[0],
        findings=findings,
        what_if=differs(chosen, recorded),
        repeat=started.repeat,
        severity=chosen.severity,
        owner=chosen.owner,
        modules=chosen.modules,
        tags=chosen.tags,
        subject=started.subject,
        environment_class=started.environment_class,
        binaries=_binaries(record),
        seed=started.plan.seed,
        tool=started.tool,
        journal_digest=record.digest,
    )


def refused(scenario: Scenario, *, run: str, reason: str, subject: Mapping[str, str], environment_class: str = "") -> Verdict:
    """The verdict of a scenario that could not start (a lever is missing, the environment is busy): nothing was touched."""
    finding = Finding(about="assumption", id="can-run", verdict="not-run", sentence=f"{scenario.id} was not run: {reason}")
    return Verdict(
        run=run,
        scenario=scenario.id,
        title=scenario.title,
        verdict="not-run",
        outcome="not-run",
        environment="untouched",
        findings=(finding,),
        severity=scenario.severity,
        owner=scenario.owner,
        modules=scenario.modules,
        tags=scenario.tags,
        subject=dict(subject),
        environment_class=environment_class,
    )


def differs(scenario: Scenario, recorded: Scenario) -> bool:
    """Whether anything that the judge reads of a scenario is not what the run was made with."""
    return any(
        getattr(scenario, part) != getattr(recorded, part)
        for part in ("id", "objectives", "indicators", "steady_state", "rollback")
    )


def _unreadable(record: Record, scenario: Scenario | None) -> Verdict:
    """A record that does not say what was run."""
    return Verdict(
        run="",
        scenario=scenario.id if scenario else "",
        title=scenario.title if scenario else "",
        verdict="invalid",
        outcome="crashed",
        environment="unknown",
        findings=(record_whole(record),),
        journal_digest=record.digest,
    )


def _findings(record: Record, scenario: Scenario) -> Iterator[Finding]:
    yield from _guarded("record-whole", "assumption", lambda: [record_whole(record)])
    yield from _guarded("secrets-kept", "assumption", partial(secrets_kept, record))
    never_began = not_run(record)
    if never_began is not None:
        yield never_began
    else:
        yield from _guarded("prerequisites-held", "assumption", partial(prerequisites_checked, record))
        yield from _guarded("steady-state-held", "assumption", partial(steady_state, record, scenario))
        yield from _guarded("fault-bit", "assumption", partial(faults_bit, record))
    yield from _conduct(record)
    if never_began is None:
        yield from _guarded("rollback-verified", "environment", partial(judge_rollback, record, scenario))
        yield from _objectives(record, scenario)


def _conduct(record: Record) -> Iterator[Finding]:
    yield from _guarded("completed", "outcome", lambda: [judge_outcome(record)])
    yield from _guarded("steps-done", "outcome", partial(judge_steps, record))
    yield from _guarded("member-died", "outcome", partial(judge_deaths, record))
    yield from _guarded("problem", "outcome", partial(judge_problems, record))
    yield from _guarded("environment", "environment", lambda: [judge_environment(record)])


def _objectives(record: Record, scenario: Scenario) -> Iterator[Finding]:
    for objective in scenario.objectives:
        yield from _guarded(objective.id, "objective", partial(_judged, record, scenario, objective.id))
    if all(objective.informational for objective in scenario.objectives):
        sentence = "nothing was judged: the scenario has no objective that counts"
        yield Finding(about="objective", id="nothing-judged", verdict="inconclusive", sentence=sentence)


def _judged(record: Record, scenario: Scenario, name: str) -> list[Finding]:
    return [judge_objective(record, objective, scenario) for objective in scenario.objectives if objective.id == name]


def _guarded(name: str, about: FindingAbout, part: Part) -> list[Finding]:
    """What a part finds; where it breaks, that it broke: a verdict must not be lost to an error of ours."""
    try:
        return list(part())
    except Exception as error:  # noqa: BLE001  # whatever broke, the other findings must still be told
        sentence = f"judging {name} broke: {type(error).__name__}: {error}"
        hint = "this is a defect of meshkit-chaos; the record can be judged again once it is fixed"
        return [Finding(about=about, id=name, verdict="inconclusive", sentence=sentence, hint=hint)]


def _binaries(record: Record) -> dict[str, str]:
    """The digest of what each member ran: as deployed, or as seen before the first fault."""
    deployed = record.last(ev.DeployDone)
    if deployed is not None:
        return {member.name: member.binary_digest for member in deployed[1].members}
    taken = record.first(ev.FingerprintTaken)
    return {name: state.binary_digest for name, state in taken[1].members.items()} if taken is not None else {}
