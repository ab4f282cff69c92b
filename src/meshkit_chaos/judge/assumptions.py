"""What must be true of a run before its objectives say anything, judged first and by name.

Takes a record and the scenario; gives findings: the record is whole, the steady state held before the fault, the fault bit.
Only facts that the fault cannot cause count here; traffic that vanishes during the fault is for the objectives. A run that
never came to its scenario (deployment failed, a prerequisite false) gives one finding ``not-run`` with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import FaultWindow, PhaseSpan, Record, fault_windows, phase_spans
from meshkit_chaos.judge.estimator import missing_rounds
from meshkit_chaos.judge.indicators import Point, every_of, instants_of, near_names, series_of
from meshkit_chaos.judge.phrases import counted, listed, say
from meshkit_chaos.judge.verdict import Finding, VerdictName
from meshkit_chaos.plan.model import InjectNode
from meshkit_chaos.scenario.model import Scenario
from meshkit_chaos.slo import Indicator

SCHEMA = 1
_LEAST_ROUNDS = 2


def secrets_kept(record: Record) -> Iterator[Finding]:
    """Whether a secret was found in the run's own output: such a record must not be passed on, let alone believed."""
    leaks = [(entry.seq, event) for entry, event in record.of(ev.SecretLeaked)]
    if leaks:
        told = listed(dict.fromkeys(f"{event.secret} in {event.file}" for _, event in leaks))
        hint = "change the secret, delete the record, and keep the value out of what members print and serve"
        sentence = f"a secret leaked into the run's output: {told}"
        yield assumption("secrets-kept", "invalid", sentence, tuple(seq for seq, _ in leaks), hint=hint)


def not_run(record: Record) -> Finding | None:
    """Why the scenario never began, where it did not: deployment failed, or a prerequisite was false."""
    for entry, failed in record.of(ev.DeployFailed):
        return assumption("deployed", "not-run", f"the environment could not be deployed: {failed.reason}", (entry.seq,))
    wrong = [(entry.seq, checked) for entry, checked in record.of(ev.PrerequisiteChecked) if not checked.held]
    if not wrong or fault_windows(record):
        return None
    sentence = "a prerequisite does not hold: " + listed(f"{checked.name}: {checked.detail}" for _, checked in wrong)
    return assumption("prerequisites-held", "not-run", sentence, tuple(seq for seq, _ in wrong))


def prerequisites_checked(record: Record) -> Iterator[Finding]:
    """Whether every planned prerequisite was checked before the fault; a check that was left out has not held."""
    if record.started is None:
        return
    planned = len(record.started.plan.scenario.prerequisites)
    checked = tuple(entry.seq for entry, _ in record.of(ev.PrerequisiteChecked))
    if len(checked) < planned:
        told = f"{len(checked)} of {counted(planned, 'prerequisite')} were checked"
        yield assumption("prerequisites-held", "inconclusive", told, checked)
    elif planned:
        yield assumption("prerequisites-held", "pass", f"{counted(planned, 'prerequisite')} held", checked)


def record_whole(record: Record) -> Finding:
    """The journal begins with a known ``run.started``, its lines are dense and in order, and nothing of it is damaged."""
    complaints = list(record.damage)
    started = record.started
    if started is None:
        complaints.append("the journal does not begin with run.started")
    elif started.schema != SCHEMA:
        complaints.append(f"the journal has schema {started.schema}; this version reads {SCHEMA}")
    if any(entry.seq != place for place, entry in enumerate(record.entries)):
        complaints.append("lines of the journal are missing or out of order")
    if any(later.t < earlier.t for earlier, later in zip(record.entries, record.entries[1:], strict=False)):
        complaints.append("instants of the journal go backwards")
    if complaints:
        return assumption("record-whole", "invalid", f"the record is not whole: {listed(complaints)}")
    return assumption("record-whole", "pass", f"the record is whole: {counted(len(record.entries), 'line')}")


def steady_state(record: Record, scenario: Scenario) -> Iterator[Finding]:
    """Each indicator of the steady state was good in every round of the baseline, of which there were at least two."""
    spans = [span for span in phase_spans(record) if span.phase == "baseline"]
    if not spans:
        yield assumption("steady-state-held", "inconclusive", "the run ended before its baseline: no steady state was observed")
        return
    if not scenario.steady_state.indicators:
        yield assumption("steady-state-held", "inconclusive", "the scenario names no indicator of a steady state")
    for name in scenario.steady_state.indicators:
        indicator = next((known for known in scenario.indicators if known.name == name), None)
        if indicator is None:
            yield assumption(
                f"steady-state-held-{name}", "inconclusive", f"the steady state names the unknown indicator {name!r}"
            )
        else:
            yield _steady(record, scenario, indicator, spans[0])


def _steady(record: Record, scenario: Scenario, indicator: Indicator, span: PhaseSpan) -> Finding:
    points = [point for point in series_of(record, indicator) if point.start >= span.start and point.end <= span.end]
    checked = [(entry.seq, event) for entry, event in record.of(ev.SteadyStateChecked) if event.indicator == indicator.name]
    evidence = (span.seq, *(seq for seq, _ in checked))
    refused = next((event.detail for _, event in checked if not event.held), "")
    verdict, sentence = _steadiness(points, indicator, refused)
    if verdict == "pass" and (gap := _unwatched(record, scenario, indicator, points, span)):
        verdict, sentence = "inconclusive", f"it is not known whether {indicator.name} was good throughout the baseline: {gap}"
    hint = near_names(record, indicator.query) if verdict != "pass" else ""
    return assumption(f"steady-state-held-{indicator.name}", verdict, sentence, evidence, hint=hint, indicator=indicator.name)


def _steadiness(points: Sequence[Point], indicator: Indicator, refused: str) -> tuple[VerdictName, str]:
    name = indicator.name
    bad = [point for point in points if point.state == "bad"]
    unknown = [point for point in points if point.state == "unknown"]
    good = len(points) - len(bad) - len(unknown)
    if bad:
        seen = f"bad in {len(bad)} of {counted(len(points), 'round')} of the baseline"
        seen += f" (value {bad[0].value:g}, expected {indicator.band})"
        return "invalid", f"the steady state did not hold before the fault: {name} was {seen}"
    if refused:
        return "invalid", f"the steady state did not hold before the fault: {refused}"
    if points and not good:
        return "invalid", f"the steady state never held before the fault: {name} was unknown: {unknown[0].reason}"
    if unknown:
        told = f"{len(unknown)} of {counted(len(points), 'round')} are unknown: {unknown[0].reason}"
        return "inconclusive", f"it is not known whether {name} was good throughout the baseline: {told}"
    if good < _LEAST_ROUNDS:
        told = f"{counted(good, 'round')} known, at least {_LEAST_ROUNDS} are needed"
        return "inconclusive", f"it is not known whether {name} was good throughout the baseline: {told}"
    return "pass", f"{name} was good in all {counted(good, 'round')} of the baseline"


def _unwatched(record: Record, scenario: Scenario, indicator: Indicator, points: Sequence[Point], span: PhaseSpan) -> str:
    """What of the baseline was not watched: missing rounds, or a baseline that was cut short."""
    every = every_of(record, indicator)
    if span.end - span.start + _LEAST_ROUNDS * every < scenario.steady_state.lasting.ns:
        return f"it lasted {say(span.end - span.start)} instead of {say(scenario.steady_state.lasting.ns)}"
    missing = missing_rounds(instants_of(tuple(points), indicator.band), every=every, start=span.start, end=span.end)
    if missing and indicator.kind == "state":
        return f"rounds are missing for {say(missing)}"
    return ""


def faults_bit(record: Record) -> Iterator[Finding]:
    """Every planned fault was injected (or the run stopped first, which its outcome says), and was seen to bite each member."""
    started = record.started
    if started is None:
        return
    windows = {window.node: window for window in fault_windows(record)}
    planned = [node for node in started.plan.nodes if isinstance(node, InjectNode)]
    if not planned:
        yield assumption("fault-bit", "inconclusive", "the plan holds no fault: nothing was injected")
    for node in planned:
        yield _bit(record, node, windows.get(node.id))


def _bit(record: Record, node: InjectNode, window: FaultWindow | None) -> Finding:
    name = f"fault-bit-{node.id}"
    failed = [(entry.seq, event.reason) for entry, event in record.of(ev.FaultFailed) if event.node == node.id]
    if failed:
        return assumption(
            name, "invalid", f"{node.step.fault} ({node.id}) could not be injected: {failed[0][1]}", (failed[0][0],)
        )
    if window is None or window.injected is None:
        return _never_injected(record, node, window)
    seen = [(entry.seq, event) for entry, event in record.of(ev.EffectObserved) if event.node == node.id]
    evidence = (*window.seqs, *(seq for seq, _ in seen))
    blunt = [event for _, event in seen if not event.bit]
    if blunt:
        told = listed(f"{event.member}: {event.detail}" for event in blunt)
        return assumption(name, "invalid", f"the fault did not bite: {node.step.fault} ({node.id}) on {told}", evidence)
    unseen = sorted(set(window.members) - {event.member for _, event in seen})
    if unseen or not window.members:
        told = listed(unseen) if unseen else "any member: it had none"
        return assumption(name, "invalid", f"no effect of {node.step.fault} ({node.id}) was observed on {told}", evidence)
    return assumption(name, "pass", f"{node.step.fault} ({node.id}) bit {listed(window.members)}", evidence)


def _never_injected(record: Record, node: InjectNode, window: FaultWindow | None) -> Finding:
    evidence = window.seqs if window else ()
    if not record.crashed and isinstance(record.entries[-1].event, ev.RunFinished):
        finished = record.entries[-1].event
        if finished.outcome == "completed":
            told = f"{node.step.fault} ({node.id}) was planned and never injected, in a run that says it completed"
            return assumption(f"fault-bit-{node.id}", "invalid", told, evidence)
    return assumption(
        f"fault-bit-{node.id}", "inconclusive", f"{node.step.fault} ({node.id}) was not injected: the run ended first", evidence
    )


def assumption(
    name: str,
    verdict: VerdictName,
    sentence: str,
    evidence: tuple[int, ...] = (),
    *,
    hint: str = "",
    indicator: str = "",
) -> Finding:
    """A finding about an assumption."""
    return Finding(
        about="assumption", id=name, verdict=verdict, sentence=sentence, hint=hint, evidence=evidence, indicator=indicator
    )
