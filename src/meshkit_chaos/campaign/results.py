"""The results of an invocation, derived again from its folder: from the log and the journals, from nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from meshkit_chaos.campaign.campaign import RUNS
from meshkit_chaos.campaign.log import InvocationStarted, RunAnnounced, ScenarioRefused, read_log
from meshkit_chaos.errors import JournalDamaged
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.journal.store import JOURNAL, read_journal
from meshkit_chaos.judge.invocation import invocation_verdict
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.judge.surroundings import environment_of
from meshkit_chaos.judge.verdict import Finding, InvocationVerdict, Verdict
from meshkit_chaos.scenario.model import Scenario, ScenarioFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """``records`` and ``folders`` are in the order of the verdict's runs; a record is None where there is none to show."""

    started: InvocationStarted
    verdict: InvocationVerdict
    records: tuple[Record | None, ...]
    folders: tuple[Path, ...]


def read_results(out: Path, *, what_if: ScenarioFile | None = None) -> Results:
    """Judge every announced run of an invocation. Raises JournalDamaged where the folder holds no invocation."""
    lines = read_log(out)
    started = lines[0]
    assert isinstance(started, InvocationStarted)
    refusals = {line.scenario: line.reason for line in lines if isinstance(line, ScenarioRefused)}
    scenarios = {scenario.id: scenario for scenario in what_if.scenarios} if what_if else {}
    announced = [line for line in lines if isinstance(line, RunAnnounced)]
    folders = tuple(out / line.folder for line in announced)
    records = tuple(_record(folder, out) for folder in folders)
    verdicts = [
        _judged(line, record, started, scenarios.get(line.scenario))
        if record is not None
        else _without_record(line, started, refusals.get(line.scenario))
        for line, record in zip(announced, records, strict=True)
    ]
    joined = invocation_verdict(started.invocation, started.scenarios, verdicts, subject=started.subject)
    return Results(started=started, verdict=joined, records=records, folders=folders)


def left_dirty(out: Path) -> tuple[Path, ...]:
    """The runs in an invocation's folder, or in a run's own, whose journals alone say that something is left broken."""
    journals = (out / JOURNAL, *sorted((out / RUNS).glob(f"*/*/{JOURNAL}")))
    return tuple(journal.parent for journal in journals if journal.is_file() and _is_dirty(journal.parent))


def _is_dirty(folder: Path) -> bool:
    try:
        entries, _, _ = read_journal(folder)
    except JournalDamaged:
        return False
    return environment_of(Record(entries=tuple(entries)))[0] == "dirty"


def _record(folder: Path, out: Path) -> Record | None:
    if not folder.resolve().is_relative_to(out.resolve()):
        raise JournalDamaged(f"the log names a run outside its own folder: {folder}")
    try:
        return read_record(folder)
    except JournalDamaged:
        return None


def _judged(line: RunAnnounced, record: Record, invocation: InvocationStarted, scenario: Scenario | None) -> Verdict:
    """The verdict of an announced run. Which run that is, the announcement says: another run's record says nothing of it."""
    began = record.started
    if began is not None and (began.run, began.plan.scenario.id) == (line.run, line.scenario):
        return judge(record, scenario=scenario)
    if began is not None:
        record = replace(record, damage=(*record.damage, "it is the record of another run than was announced"))
    title = _title(line, invocation)
    return structs.replace(judge(record), run=line.run, scenario=line.scenario, title=title, repeat=line.number)


def _title(line: RunAnnounced, invocation: InvocationStarted) -> str:
    return next((scenario.title for scenario in invocation.scenarios if scenario.id == line.scenario), "")


def _without_record(line: RunAnnounced, started: InvocationStarted, refusal: str | None) -> Verdict:
    """A run that was announced and left no record: refused with a reason, or missing."""
    name, sentence = ("can-run", f"{line.scenario} was not run: {refusal}") if refusal else ("has-record", "it has no record")
    finding = Finding(about="assumption", id=name, verdict="not-run" if refusal else "inconclusive", sentence=sentence)
    return Verdict(
        run=line.run,
        scenario=line.scenario,
        title=_title(line, started),
        verdict=finding.verdict,
        outcome="not-run" if refusal else "crashed",
        environment="untouched" if refusal else "unknown",
        findings=(finding,),
        repeat=line.number,
        subject=started.subject,
    )
