"""What the HTML report shows, prepared: every text and drawing the template places. Pure; the template decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import Finding, Measurement, Repetition, Verdict, VerdictName
from meshkit_chaos.report.axis import TimeAxis
from meshkit_chaos.report.builds import binary_words
from meshkit_chaos.report.course import CourseView, acted, axis_of, course_of
from meshkit_chaos.report.decisive import reason
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.report.model import InvocationReport, RunReport, lasted
from meshkit_chaos.report.narrative import clock, roles, tell
from meshkit_chaos.report.timeline import interval_bar
from meshkit_chaos.report.wording import (
    ENVIRONMENT,
    OUTCOME,
    URGENCY,
    interval,
    limit,
    number,
    repro,
    seconds,
    sentence_of,
    subject_text,
)

MOST_EVENTS: Final = 2_000
_OPEN_RUNS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveRow:
    name: str
    verdict: VerdictName
    bar: Markup | None
    took: str
    limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRow:
    scenario: str
    title: str
    verdict: VerdictName
    flaky: bool
    sentence: str
    owner: str
    severity: str
    runs: str
    anchor: str
    objectives: tuple[ObjectiveRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    name: str
    about: str
    verdict: VerdictName
    sentence: str
    hint: str
    informational: bool
    facts: tuple[str, ...]
    evidence: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    seq: int
    anchor: str
    at: str
    when: str
    kind: str
    word: str
    text: str
    alarm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run as the page shows it, every text ready to be placed. ``further``: findings that need no attention."""

    anchor: str
    scenario: str
    title: str
    verdict: VerdictName
    sentence: str
    outcome: str
    environment: str
    dirty: bool
    lasted: str
    repeat: str
    open: bool
    findings: tuple[FindingRow, ...]
    further: tuple[FindingRow, ...]
    course: CourseView | None
    events: tuple[EventRow, ...]
    events_note: str
    damage: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    command: str


def scenario_rows(report: InvocationReport) -> tuple[ScenarioRow, ...]:
    """Every announced scenario, most urgent first."""
    invocation = report.invocation
    ordered = sorted(invocation.scenarios, key=lambda repetition: (URGENCY[repetition.verdict], not repetition.flaky))
    return tuple(
        _scenario_row(repetition, tuple(run for run in invocation.runs if run.scenario == repetition.scenario))
        for repetition in ordered
    )


def _scenario_row(repetition: Repetition, runs: tuple[Verdict, ...]) -> ScenarioRow:
    missing = len(set(repetition.runs) - {run.run for run in runs})
    told = counted(len(runs), "run") + (f", {missing} without a result" if missing else "")
    return ScenarioRow(
        scenario=one_line(repetition.scenario),
        title=one_line(repetition.title),
        verdict=repetition.verdict,
        flaky=repetition.flaky,
        sentence=one_line(reason(repetition, runs)),
        owner=one_line(repetition.owner),
        severity=one_line(repetition.severity),
        runs=told,
        anchor=f"run-{runs[0].run}" if runs else "",
        objectives=_objective_rows(repetition, runs),
    )


def _objective_rows(repetition: Repetition, runs: tuple[Verdict, ...]) -> tuple[ObjectiveRow, ...]:
    """One row an objective, with the intervals of all runs; those that are not measured as a time have no bar."""
    found: dict[str, list[Finding]] = {}
    for run in runs:
        for finding in run.findings:
            if finding.about == "objective" and not finding.informational:
                found.setdefault(finding.id, []).append(finding)
    return tuple(_objective_row(name, repetition=repetition, found=several) for name, several in found.items())


def _objective_row(name: str, *, repetition: Repetition, found: list[Finding]) -> ObjectiveRow:
    worst = min(found, key=lambda finding: URGENCY[finding.verdict])
    verdict = repetition.objectives.get(name, worst.verdict)
    measured = [(finding.measured, finding.verdict) for finding in found if finding.measured is not None]
    shown = next((f.measured for f in found if f.measured and f.verdict == verdict), measured[0][0] if measured else None)
    return ObjectiveRow(
        name=one_line(name),
        verdict=verdict,
        bar=interval_bar(measured) if measured else None,
        took=interval(shown) if shown else _share_text(worst),
        limit=limit(shown) if shown else "",
    )


def _share_text(finding: Finding) -> str:
    share = finding.share
    if share is None or not share.observed:
        return "not measured"
    return f"{number(100 * share.bad / share.observed, 1)}% bad of {seconds(share.observed)}"


def run_views(report: InvocationReport) -> tuple[RunView, ...]:
    """Every run that has a verdict, in the order of the scenario table; those without a record only in words."""
    records = {run.verdict.run: run for run in report.runs}
    several = {run.scenario: 0 for run in report.invocation.runs}
    for run in report.invocation.runs:
        several[run.scenario] += 1
    ordered = sorted(report.invocation.runs, key=lambda run: URGENCY[run.verdict])
    return tuple(
        _run_view(
            records.get(run.run) or RunReport(verdict=run, record=Record(entries=())),
            file=report.file,
            several=several[run.scenario] > 1,
            opened=run.verdict != "pass" or index < _OPEN_RUNS,
        )
        for index, run in enumerate(ordered)
    )


def _run_view(run: RunReport, *, file: str, several: bool, opened: bool) -> RunView:
    verdict, record = run.verdict, run.record
    axis = axis_of(record)
    events, note = _event_rows(run, axis=axis)
    linked = {row.seq: row.anchor for row in events}
    findings = [_finding_row(finding, record=record, linked=linked) for finding in _reading_order(verdict)]
    return RunView(
        anchor=f"run-{verdict.run}",
        scenario=one_line(verdict.scenario),
        title=one_line(verdict.title),
        verdict=verdict.verdict,
        sentence=one_line(sentence_of(verdict)),
        outcome=OUTCOME[verdict.outcome],
        environment=ENVIRONMENT[verdict.environment],
        dirty=verdict.environment == "dirty",
        lasted=seconds(round(lasted(record) * 1e9)) if record.entries else "",
        repeat=f"repeat {verdict.repeat}" if several else "",
        open=opened,
        findings=tuple(row for row in findings if not _taken_as_read(row)),
        further=tuple(row for row in findings if _taken_as_read(row)),
        course=course_of(run, axis=axis) if record.entries else None,
        events=events,
        events_note=note,
        damage=tuple(one_line(text) for text in record.damage),
        facts=_facts(run),
        command=repro(file, verdict),
    )


def _taken_as_read(row: FindingRow) -> bool:
    """What held and is not an objective: needed for a pass, but nobody reads it first."""
    return row.verdict == "pass" and row.about != "objective"


def _reading_order(verdict: Verdict) -> list[Finding]:
    return sorted(verdict.findings, key=lambda f: (f.informational, URGENCY[f.verdict], f.about != "objective"))


def _finding_row(finding: Finding, *, record: Record, linked: dict[int, str]) -> FindingRow:
    return FindingRow(
        name=one_line(finding.id),
        about=finding.about,
        verdict=finding.verdict,
        sentence=one_line(finding.sentence),
        hint=one_line(finding.hint),
        informational=finding.informational,
        facts=_measured_facts(finding.measured, began=acted(record, finding)[0]) if finding.measured else _share_facts(finding),
        evidence=tuple((seq, linked.get(seq, "")) for seq in finding.evidence),
    )


def _measured_facts(measured: Measurement, *, began: int) -> tuple[str, ...]:
    facts = [f"{interval(measured)} of {limit(measured)}", f"resolution {seconds(measured.resolution)}"]
    if measured.onset is not None:
        after = measured.onset - began
        facts.append(f"first bad {seconds(abs(after))} {'after' if after >= 0 else 'before'} the act")
    if measured.flaps:
        facts.append(counted(measured.flaps, "flap"))
    if measured.overshoot is not None:
        facts.append(f"overshoot {number(measured.overshoot, 3)}")
    if measured.lost:
        facts.append(f"bad for {seconds(measured.lost)} in all")
    return tuple(facts)


def _share_facts(finding: Finding) -> tuple[str, ...]:
    share = finding.share
    if share is None:
        return ()
    facts = [_share_text(finding), f"allowed {number(100 * share.allowed, 2)}%"]
    if share.longest:
        facts.append(f"longest bad stretch {seconds(share.longest)}")
    if share.unknown:
        facts.append(f"unknown for {seconds(share.unknown)}")
    return tuple(facts)


def _event_rows(run: RunReport, *, axis: TimeAxis) -> tuple[tuple[EventRow, ...], str]:
    """Every event but the flushed sample blocks, which are only counted unless a finding points at one."""
    evidence = {seq for finding in run.verdict.findings for seq in finding.evidence}
    by_node = roles(run.record.started.plan) if run.record.started else {}
    told = [(entry, tell(entry.event, roles_by_node=by_node)) for entry in run.record.entries]
    kept = [(entry, what) for entry, what in told if what.weight != "noise" or entry.seq in evidence]
    shown = [pair for index, pair in enumerate(kept) if index < MOST_EVENTS or pair[0].seq in evidence]
    rows = tuple(
        EventRow(
            seq=entry.seq,
            anchor=f"event-{run.verdict.run}-{entry.seq}",
            at=f"{(entry.t - axis.zero) / 1e9:.3f}",
            when=clock(entry.t, axis.zero),
            kind=_kind(entry.event),
            word=what.word,
            text=what.text,
            alarm=what.weight == "alarm",
        )
        for entry, what in shown
    )
    quiet = len(told) - len(kept)
    notes = [f"{counted(quiet, 'flushed sample block')} not listed"] if quiet else []
    notes += [f"{len(kept) - len(shown)} later events not listed"] if len(shown) < len(kept) else []
    return rows, "; ".join(notes)


def _kind(event: ev.AnyEvent | ev.Unknown) -> str:
    return event.kind if isinstance(event, ev.Unknown) else str(event.__struct_config__.tag)


def _began(started: ev.RunStarted) -> str:
    """When; a simulated mesh has a calendar of its own."""
    return _wall(started.wall_ns) + (" in virtual time" if started.plan.environment.kind == "simulated" else "")


def _facts(run: RunReport) -> tuple[tuple[str, str], ...]:
    """What one needs to know to repeat the run or to doubt it."""
    verdict, started = run.verdict, run.record.started
    facts = [
        ("run", verdict.run),
        ("started", _began(started) if started else "not recorded"),
        ("seed", str(verdict.seed)),
        ("subject", subject_text(verdict.subject)),
        ("environment class", verdict.environment_class or "not recorded"),
        ("tool", f"meshkit-chaos {verdict.tool}" if verdict.tool else "not recorded"),
    ]
    if started:
        described = started.plan.environment
        facts += [
            ("environment", f"{described.name} ({described.kind}), {described.path}, {described.digest}"),
            ("platform", f"Python {started.python}, {started.platform}"),
            ("rounds every", str(started.plan.round_every)),
        ]
    facts += [("owner", verdict.owner), ("severity", verdict.severity), ("modules", ", ".join(verdict.modules))]
    known = _executables(run)
    facts += [(f"binary of {members}", known.get(digest, digest)) for digest, members in _by_digest(verdict.binaries)]
    facts += [("journal digest", verdict.journal_digest or run.record.digest or "not recorded")]
    return tuple((key, one_line(value)) for key, value in facts if value)


def _executables(run: RunReport) -> dict[str, str]:
    """What is known of verified binaries, by digest."""
    deployed = run.record.last(ev.DeployDone)
    members = deployed[1].members if deployed is not None else ()
    found = [member.executable for member in members if member.executable is not None]
    return {facts.digest: f"{facts.digest}, {binary_words(facts)}" for facts in found}


def _by_digest(binaries: dict[str, str]) -> list[tuple[str, str]]:
    """Members that run the same executable share one line."""
    members: dict[str, list[str]] = {}
    for member, digest in binaries.items():
        members.setdefault(digest, []).append(member)
    return [(digest, ", ".join(names)) for digest, names in members.items()]


def _wall(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // 10**9, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
