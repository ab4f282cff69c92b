"""``mutate``: distort the samples of a stored run in memory and judge again: which objectives stay green all the same?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meshkit_chaos.campaign.campaign import RUNS
from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.cli.reading import load_alone
from meshkit_chaos.errors import UsageError
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.store import JOURNAL
from meshkit_chaos.judge.mutations import MUTATIONS, Mutant, mutants
from meshkit_chaos.judge.phrases import counted

if TYPE_CHECKING:
    from meshkit_chaos.journal.record import Record
    from meshkit_chaos.scenario.model import Scenario, ScenarioFile

SURVIVED, NOTHING = 1, 2


@click.command("mutate", epilog="Example: meshkit-chaos mutate chaos-results/20260101-020000")
@click.argument("place", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--file", "-f", "file", type=click.Path(path_type=Path), help="Try the objectives of this file instead.")
@FORMAT
def mutate_command(place: Path, file: Path | None, form: str) -> int:
    """Try the objectives of RUN (the folder of a run, or of a whole invocation) on distorted samples.

    For each key objective that passed, the samples of its indicator are changed in memory, so that the mesh never recovers,
    recovers too late, vanishes, is NaN, stays flat, or is not sampled. An objective that stays green is a defect of the
    scenario. The record is left as it is.

    Ends with 0 when every objective noticed, with 1 when one stayed green, with 2 when no objective had passed to begin with.
    """
    changed = load_alone(file) if file else None
    told: list[dict[str, Any]] = []
    for folder in _runs(place):
        record = read_record(folder)
        scenario = _scenario(record, changed)
        name = record.started.plan.scenario.id if record.started else folder.name
        told += [_told(folder, name, mutant) for mutant in mutants(record, scenario=scenario)]
    click.echo(json_text({"mutants": told}) if form == "json" else "\n".join(_lines(told)))
    return _concluded(told)


def _runs(place: Path) -> list[Path]:
    if (place / JOURNAL).is_file():
        return [place]
    found = [journal.parent for journal in sorted((place / RUNS).glob(f"*/*/{JOURNAL}"))]
    if not found:
        raise UsageError(f"{place} is neither a run nor an invocation with runs", hint="name a folder that `run` wrote")
    return found


def _scenario(record: Record, changed: ScenarioFile | None) -> Scenario | None:
    if changed is None or record.started is None:
        return None
    wanted = record.started.plan.scenario.id
    found = next((scenario for scenario in changed.scenarios if scenario.id == wanted), None)
    if found is None:
        raise UsageError(f"{changed.path} has no scenario {wanted!r}", hint="it must hold the scenario that was run")
    return found


def _told(folder: Path, scenario: str, mutant: Mutant) -> dict[str, Any]:
    return {
        "run": str(folder),
        "scenario": scenario,
        "objective": mutant.objective,
        "mutation": mutant.mutation,
        "verdict": mutant.verdict,
        "must_not_pass": mutant.must,
        "survives": mutant.survives,
        "sentence": mutant.sentence,
    }


def _lines(told: list[dict[str, Any]]) -> Iterator[str]:
    for scenario, run in dict.fromkeys((mutant["scenario"], mutant["run"]) for mutant in told):
        yield f"{scenario}  ({run})"
        mine = [mutant for mutant in told if mutant["run"] == run]
        for objective in dict.fromkeys(mutant["objective"] for mutant in mine):
            yield f"  {objective}"
            for mutant in (one for one in mine if one["objective"] == objective):
                yield f"    {_sign(mutant)} {mutant['mutation']:<15} {mutant['verdict']:<12} {_remark(mutant)}".rstrip()


def _sign(mutant: dict[str, Any]) -> str:
    return "✗" if mutant["survives"] else "·" if mutant["verdict"] == "pass" else "✓"


def _remark(mutant: dict[str, Any]) -> str:
    if mutant["survives"]:
        return f"stays green although {MUTATIONS[mutant['mutation']]}: {mutant['sentence']}"
    return "as the objective allows" if mutant["verdict"] == "pass" else ""


def _concluded(told: list[dict[str, Any]]) -> int:
    if not told:
        say("nothing was tried: no key objective passed to begin with")
        return NOTHING
    green = [mutant for mutant in told if mutant["survives"]]
    say(f"{counted(len(told), 'distortion')}, {len(green)} not noticed")
    return SURVIVED if green else 0
