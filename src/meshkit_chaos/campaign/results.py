"""The results of an invocation, derived again from its folder: from the log and the journals, from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meshkit_chaos.campaign.log import InvocationStarted, RunAnnounced, ScenarioRefused, read_log
from meshkit_chaos.errors import JournalDamaged
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.invocation import invocation_verdict
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.judge.verdict import Finding, InvocationVerdict, Verdict
from meshkit_chaos.scenario.model import ScenarioFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """``records`` are in the order of the verdict's runs; None where there is no record to show."""

    started: InvocationStarted
    verdict: InvocationVerdict
    records: tuple[Record | None, ...]


def read_results(out: Path, *, what_if: ScenarioFile | None = None) -> Results:
    """Judge every announced run of an invocation. Raises JournalDamaged where the folder holds no invocation."""
    lines = read_log(out)
    started = lines[0]
    assert isinstance(started, InvocationStarted)
    refusals = {line.scenario: line.reason for line in lines if isinstance(line, ScenarioRefused)}
    scenarios = {scenario.id: scenario for scenario in what_if.scenarios} if what_if else {}
    verdicts: list[Verdict] = []
    records: list[Record | None] = []
    for line in lines:
        if not isinstance(line, RunAnnounced):
            continue
        record = _record(out / line.folder, out)
        verdict = (
            judge(record, scenario=scenarios.get(line.scenario))
            if record is not None
            else _without_record(line, started, refusals.get(line.scenario))
        )
        verdicts.append(verdict)
        records.append(record)
    joined = invocation_verdict(started.invocation, started.scenarios, verdicts, subject=started.subject)
    return Results(started=started, verdict=joined, records=tuple(records))


def _record(folder: Path, out: Path) -> Record | None:
    if not folder.resolve().is_relative_to(out.resolve()):
        raise JournalDamaged(f"the log names a run outside its own folder: {folder}")
    try:
        return read_record(folder)
    except JournalDamaged:
        return None


def _without_record(line: RunAnnounced, started: InvocationStarted, refusal: str | None) -> Verdict:
    """A run that was announced and left no record: refused with a reason, or missing."""
    title = next((scenario.title for scenario in started.scenarios if scenario.id == line.scenario), "")
    name, sentence = ("can-run", f"{line.scenario} was not run: {refusal}") if refusal else ("has-record", "it has no record")
    finding = Finding(about="assumption", id=name, verdict="not-run" if refusal else "inconclusive", sentence=sentence)
    return Verdict(
        run=line.run,
        scenario=line.scenario,
        title=title,
        verdict=finding.verdict,
        outcome="not-run" if refusal else "crashed",
        environment="untouched" if refusal else "unknown",
        findings=(finding,),
        repeat=line.number,
        subject=started.subject,
    )
