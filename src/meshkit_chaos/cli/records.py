"""``judge``, ``report`` and ``recover``: what can be done with runs that are already recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import click

from meshkit_chaos.campaign.campaign import RUNS, VERDICT, write_derived, write_verdict
from meshkit_chaos.campaign.log import LOG
from meshkit_chaos.campaign.results import Results, read_results
from meshkit_chaos.cli.app import runs_in, say
from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.cli.outcome import show, write_documents
from meshkit_chaos.cli.reading import load_alone
from meshkit_chaos.clock import SystemClock, boot_id
from meshkit_chaos.environments.registry import environment_folder, registered
from meshkit_chaos.environments.state import open_run, quarantined
from meshkit_chaos.errors import ChaosError, EnvironmentBusy, EnvironmentDirty, JournalDamaged, UsageError
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.store import JOURNAL
from meshkit_chaos.judge.exit_code import exit_code
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.report.jsondoc import verdict_json
from meshkit_chaos.run.recovery import holds, look_without_record, read_facts, settled, undo_run
from meshkit_chaos.scenario.model import ScenarioFile

_NOTHING: Final = "no environment that stays up is to be recovered; a run that deployed its own is recovered by its folder"
_PLACE = click.argument("place", metavar="RUN", type=click.Path(path_type=Path))


@click.command("judge", epilog="Example: meshkit-chaos judge chaos-results/20260101-020000 --file changed.yaml")
@_PLACE
@click.option("--file", "-f", "file", type=click.Path(path_type=Path), help="Judge by this file's thresholds: a what-if.")
@FORMAT
def judge_command(place: Path, file: Path | None, form: str) -> int:
    """Judge RUN again (the folder of one run, or of a whole invocation). The same record gives the same bytes.

    With --file, thresholds are taken from there; the result is marked what-if and is not written anywhere.
    """
    changed = load_alone(file) if file else None
    runs_in(place)
    if (place / LOG).is_file():
        results = read_results(place, what_if=changed)
        if not results.verdict.what_if:
            _write_again(place, results)
        return show(results, [], form=form, recover=f"meshkit-chaos recover {place}")
    return _judge_run(place, changed, form)


def _judge_run(place: Path, changed: ScenarioFile | None, form: str) -> int:
    record = read_record(place)
    recorded = record.started.plan.scenario.id if record.started else ""
    scenario = next((item for item in changed.scenarios if item.id == recorded), None) if changed else None
    if changed and scenario is None:
        raise UsageError(f"{changed.path} has no scenario {recorded!r}", hint="a what-if needs the scenario that was run")
    if scenario is not None and record.started is not None and scenario.steps != record.started.plan.scenario.steps:
        raise UsageError(f"the steps of {recorded} are not those that were run", hint="a what-if can only change thresholds")
    verdict = judge(record, scenario=scenario)
    if not verdict.what_if:
        write_verdict(place, verdict)
    click.echo(verdict_json(verdict) if form == "json" else _told(verdict), nl=form != "json")
    return exit_code(verdict)


def _told(verdict: Verdict) -> str:
    what_if = " (what if: with other thresholds than were run)" if verdict.what_if else ""
    lines = [f"{verdict.scenario}: {verdict.verdict}{what_if}; {verdict.outcome}, environment {verdict.environment}"]
    for finding in verdict.findings:
        lines.append(f"  {finding.verdict:<12} {finding.sentence}")
        lines += [f"  {'':<12} hint: {finding.hint}"] if finding.hint else []
    return "\n".join(lines)


def _write_again(place: Path, results: Results) -> None:
    """Every run's verdict, and the joined one, as they were first written."""
    for folder, verdict, record in zip(results.folders, results.verdict.runs, results.records, strict=True):
        if record is not None:
            write_verdict(folder, verdict)
    try:
        write_derived(place / VERDICT, verdict_json(results.verdict))
    except OSError as error:
        say(f"{place / VERDICT} could not be written: {error.strerror}")


@click.command("report", epilog="Example: meshkit-chaos report chaos-results/20260101-020000")
@click.argument("place", metavar="OUT", type=click.Path(path_type=Path))
@FORMAT
def report_command(place: Path, form: str) -> int:
    """Write all documents of an invocation again from its records: verdict.json, junit.xml, summary.md, report.html."""
    runs_in(place)
    results = read_results(place)
    recover = f"meshkit-chaos recover {place}"
    return show(results, write_documents(place, results, recover=recover), form=form, recover=recover)


@click.command("recover", epilog="Example: meshkit-chaos recover chaos-results/20260101-020000")
@click.argument("target", required=False)
@FORMAT
def recover_command(target: str | None, form: str) -> int:
    """Undo what a crashed run left behind, and say what is still wrong.

    TARGET is the folder of a run or of an invocation, or the id of an environment that is up; every environment of this user
    where there is none. Ends with 0 when nothing is left, with 3 otherwise.
    """
    told = [_recover(run, environment) for run, environment in _targets(target)]
    if form == "json":
        click.echo(json_text(told))
    else:
        for line in told:
            click.echo(f"{line['run']}: {line['said']}")
        if not told:
            click.echo(_NOTHING if target is None else "nothing to recover")
    return EnvironmentDirty.exit_code if any(line["left"] for line in told) else 0


def _recover(run: Path, environment: Path | None) -> dict[str, object]:
    try:
        undone = asyncio.run(
            look_without_record(environment, run)
            if environment is not None and not _is_there(run, environment)
            else undo_run(run, SystemClock(), writer="recover", reason="recover was asked for")
        )
    except (BlockingIOError, EnvironmentBusy):
        return {
            "run": str(run),
            "left": ["it is still running"],
            "said": "it is still running, or its watchdog is undoing it now",
        }
    except ChaosError as error:
        return {"run": str(run), "left": [error.message], "said": f"refused: {error.message} {error.hint}".rstrip()}
    left = list(undone.left)
    said = (
        f"still wrong: {'; '.join(left)}"
        if left
        else "undone; nothing is left"
        if undone.acted
        else "nothing of it is left to be undone"
    )
    return {"run": str(run), "left": left, "said": said}


def _is_there(run: Path, environment: Path) -> bool:
    """Whether the record is where the environment's note says: not moved, with another run's in its place meanwhile."""
    if not (run / JOURNAL).is_file():
        return False
    started = read_facts(run).started
    return started is None or holds(environment, run, started.run)


def _targets(target: str | None) -> list[tuple[Path, Path | None]]:
    """Runs to undo, with the folder of the environment where that is how they were found."""
    if target is None:
        return [found for name in registered() for found in _run_of(name)]
    place = Path(target)
    if (place / JOURNAL).is_file():
        return [(place, None)]
    if (place / LOG).is_file() or (place / RUNS).is_dir():
        return [(run, None) for run in runs_to_recover(place)]
    if environment_folder(target).is_dir():
        return _run_of(target)
    raise UsageError(
        f"{target} is neither a run, an invocation nor an environment", hint="`meshkit-chaos env status` lists them"
    )


def _run_of(environment_id: str) -> list[tuple[Path, Path | None]]:
    """The run that left an environment open or dirty; where that is not known, the environment's own folder, which is none."""
    folder = environment_folder(environment_id)
    notes = [note for note in (quarantined(folder), open_run(folder)) if note is not None]
    if not notes:
        return []
    named = next((note.run for note in notes if note.run), "")
    return [(Path(named) if named else folder, folder)]


def runs_to_recover(out: Path) -> list[Path]:
    """The runs of an invocation whose records do not say that all is undone."""
    found = []
    for journal in sorted((out / RUNS).glob(f"*/*/{JOURNAL}")):
        try:
            record = read_facts(journal.parent)
        except JournalDamaged:
            continue
        if record.started is not None and _can_be_undone(record.started) and not settled(record):
            found.append(journal.parent)
    return found


def _can_be_undone(started: ev.RunStarted) -> bool:
    """Processes of another boot are gone; members of an attached mesh never were of this machine's boot."""
    return started.boot == boot_id() or started.plan.environment.kind == "attached"
