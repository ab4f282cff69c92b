"""``lint``, ``schema`` and ``plan``: everything that reads documents and executes nothing."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click

from meshkit_chaos.cli.app import USAGE, say
from meshkit_chaos.cli.options import ENVIRONMENT, FILE, FORMAT, SEED, TAGS, json_text
from meshkit_chaos.cli.reading import OVERRIDES, POLICY, ROUTES, SCENARIOS, load_both, load_scenarios_for, read_document
from meshkit_chaos.cli.rehearse import TESTS
from meshkit_chaos.cli.timeline import timeline
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.errors import CannotRun, Problem, UsageError
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.scenario.load import load_environment, load_scenarios
from meshkit_chaos.scenario.render import github_annotations, render_problems
from meshkit_chaos.slo.codec import builtins

if TYPE_CHECKING:
    from meshkit_chaos.gate.schema import GateDocument
    from meshkit_chaos.scenario.environment import EnvironmentDescription
    from meshkit_chaos.scenario.exported import Exported
    from meshkit_chaos.scenario.model import ScenarioFile
    from meshkit_chaos.scenario.schema import DocumentKind

_ENVIRONMENT_KEYS: Final = re.compile(rb"^(members|command|ports|joined|roles)\s*:", re.MULTILINE)
_TESTS_KEY: Final = re.compile(rb"^tests\s*:", re.MULTILINE)
_POLICY_KEY: Final = re.compile(rb"^requirements\s*:", re.MULTILINE)
_OVERRIDES_KEY: Final = re.compile(rb"^overrides\s*:", re.MULTILINE)
_ROUTES_KEY: Final = re.compile(rb"^routes\s*:", re.MULTILINE)
CANNOT_RUN: Final = 2


@click.command("lint", epilog="Example: meshkit-chaos lint chaos-scenarios.yaml --env etcd-lab.yaml --exposition metrics.txt")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--env",
    "environment",
    metavar="ENV",
    help="Check against this environment, not the file's own: a document, or the id of one that is up.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How to print problems.",
)
@click.option(
    "--exposition",
    type=click.Path(path_type=Path),
    help="A saved page of metrics: names and labels of all queries are checked against it. By default the one that the "
    "environment names.",
)
@click.option("--live", metavar="URL", help="The same, with the page that this address answers now.")
@click.option("--target", is_flag=True, help="The same, with the pages that the members of --env answer now.")
def lint_command(
    files: tuple[Path, ...], environment: str | None, form: str, exposition: Path | None, live: str | None, target: bool
) -> int:
    """Check FILES: scenarios, tests, environments, a gate's policy or overrides, routes. Executes nothing.

    By default chaos-scenarios.yaml, and its tests.

    Asks nobody, but for --live and --target.

    Ends with 0 where there is no error (warnings are no errors), with 4 otherwise.
    """
    problems: list[Problem] = []
    sources: dict[str, bytes] = {}
    linting = _Linting(place=_document_of(environment), exported=_exported(exposition, live, environment if target else None))
    if target and environment is None:
        raise UsageError("--target asks the members of an environment", hint="name it: --env ENV")
    for file in files or _usual():
        problems += _lint_one(file, linting, sources)
    problems = list(dict.fromkeys(problems))
    match form:
        case "json":
            click.echo(json_text([dataclasses.asdict(problem) for problem in problems]))
        case "github":
            click.echo(github_annotations(problems), nl=False)
        case _:
            click.echo(render_problems(problems, sources), nl=False)
    errors = sum(problem.severity == "error" for problem in problems)
    say(", ".join((counted(len(sources), "file"), counted(errors, "error"), counted(len(problems) - errors, "warning"))))
    return USAGE if errors else 0


def _usual() -> tuple[Path, ...]:
    tests = Path(TESTS)
    return (Path(SCENARIOS), tests) if tests.is_file() else (Path(SCENARIOS),)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Linting:
    """What documents are checked against: another environment than their own, and what is exported."""

    place: Path | None
    exported: Exported | None


def _document_of(environment: str | None) -> Path | None:
    """The document of an environment; of one that is up, the one that it was made from."""
    if environment is None or Path(environment).exists():
        return Path(environment) if environment else None
    from meshkit_chaos.environments.registry import environment_folder, registered  # noqa: PLC0415  # start-up time
    from meshkit_chaos.environments.state import load_state  # noqa: PLC0415  # start-up time

    state = load_state(environment_folder(environment)) if environment in registered() else None
    return Path(state.description.path) if state is not None else Path(environment)


def _exported(exposition: Path | None, live: str | None, target: str | None) -> Exported | None:
    given = [
        name for name, value in (("--exposition", exposition), ("--live", live), ("--target", target)) if value is not None
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} are both given", hint="keep one of them")
    if not given:
        return None
    from meshkit_chaos.cli.pages import fetched_page, saved_page, target_pages  # noqa: PLC0415  # only asked for here

    if target is not None:
        return target_pages(target)
    return saved_page(exposition) if exposition is not None else fetched_page(str(live))


def _lint_one(file: Path, linting: _Linting, sources: dict[str, bytes]) -> tuple[Problem, ...]:
    data = sources[str(file)] = read_document(file)
    if _POLICY_KEY.search(data) or _OVERRIDES_KEY.search(data) or file.name in (POLICY, OVERRIDES):
        return _lint_gate(file, data)
    if _ROUTES_KEY.search(data) or file.name == ROUTES:
        from meshkit_chaos.deliver.load import load_routing  # noqa: PLC0415  # only for routes

        return load_routing(data, path=str(file)).problems
    if _TESTS_KEY.search(data):
        return _lint_tests(file, data, linting, sources)
    if _ENVIRONMENT_KEYS.search(data):
        return load_environment(data, path=str(file)).problems
    return _lint_scenarios(file, data, linting, sources)[0]


def _lint_gate(file: Path, data: bytes) -> tuple[Problem, ...]:
    """Problems of a gate's policy, or of its overrides: told apart by their keys, or by the usual names."""
    from meshkit_chaos.gate.load import load_overrides, load_policy  # noqa: PLC0415  # only for the gate's documents

    if _OVERRIDES_KEY.search(data) or (file.name == OVERRIDES and not _POLICY_KEY.search(data)):
        return load_overrides(data, path=str(file), now=SystemClock().wall_ns()).problems
    return load_policy(data, path=str(file)).problems


def _lint_scenarios(
    file: Path, data: bytes, linting: _Linting, sources: dict[str, bytes]
) -> tuple[tuple[Problem, ...], ScenarioFile | None, EnvironmentDescription | None]:
    alone = load_scenarios(data, path=str(file))
    named = alone.value.environment if alone.value else None
    place = linting.place or (file.parent / named if named else None)
    exported = linting.exported
    if place is None:
        alone = load_scenarios(data, path=str(file), exported=exported) if exported is not None else alone
        return alone.problems, alone.value, None
    sources[str(place)] = read_document(place)
    described = load_environment(sources[str(place)], path=str(place))
    if exported is None and described.value is not None and described.value.metrics and described.value.metrics.exposition:
        from meshkit_chaos.cli.pages import described_page  # noqa: PLC0415  # only where a page is named

        exported = described_page(described.value)
    checked = load_scenarios(data, path=str(file), environment=described.value, exported=exported)
    return (*described.problems, *checked.problems), checked.value, described.value


def _lint_tests(file: Path, data: bytes, linting: _Linting, sources: dict[str, bytes]) -> tuple[Problem, ...]:
    """Problems of a test document and, because its tests are about them, of the documents that it names."""
    from meshkit_chaos.scenario.load_tests import load_tests  # noqa: PLC0415  # only for test documents

    alone = load_tests(data, path=str(file))
    if alone.value is None:
        return alone.problems
    about = file.parent / alone.value.scenarios
    own = file.parent / alone.value.environment if alone.value.environment else None
    sources[str(about)] = read_document(about)
    here = dataclasses.replace(linting, place=linting.place or own)
    problems, scenarios, described = _lint_scenarios(about, sources[str(about)], here, sources)
    return (*problems, *load_tests(data, path=str(file), scenarios=scenarios, environment=described).problems)


_DOCUMENTS: Final = ("scenarios", "environment", "tests", "gate", "overrides", "notify", "verdict", "decision")


@click.command("schema", epilog="Example: meshkit-chaos schema scenarios > chaos-scenarios.schema.json")
@click.argument("document", metavar="[DOCUMENT]", type=click.Choice(_DOCUMENTS), default="scenarios")
def schema_command(document: str) -> int:
    """Print the JSON Schema of a DOCUMENT: draft-07, as editors read it, of what people write.

    DOCUMENT is scenarios (the default), environment, tests, gate, overrides, notify, verdict or decision.
    """
    click.echo(json_text(_schema(document)))
    return 0


def _schema(document: str) -> dict[str, Any]:
    if document == "verdict":
        from meshkit_chaos.report.jsondoc import verdict_schema  # noqa: PLC0415  # only asked for here

        return verdict_schema()
    if document == "decision":
        from meshkit_chaos.report.gate_json import decision_schema  # noqa: PLC0415  # only asked for here

        return decision_schema()
    if document in ("gate", "overrides"):
        from meshkit_chaos.gate.schema import gate_schema  # noqa: PLC0415  # imports pydantic's schema writer

        return gate_schema(cast("GateDocument", document))
    if document == "notify":
        from meshkit_chaos.deliver.schema import notify_schema  # noqa: PLC0415  # imports pydantic's schema writer

        return notify_schema()
    from meshkit_chaos.scenario.schema import json_schema  # noqa: PLC0415  # imports pydantic's schema writer

    return json_schema(cast("DocumentKind", document))


def load_for_plan(file: Path, environment: str | None) -> tuple[ScenarioFile, EnvironmentDescription]:
    """The documents of a plan; ``environment`` is a file, or the id of an environment that is up."""
    from meshkit_chaos.environments.registry import environment_folder, registered  # noqa: PLC0415  # start-up time
    from meshkit_chaos.environments.state import load_state  # noqa: PLC0415  # start-up time

    if environment is not None and not Path(environment).exists() and environment in registered():
        state = load_state(environment_folder(environment))
        if state is not None:
            return load_scenarios_for(file, state.description), state.description
    scenarios, described, _ = load_both(file, Path(environment) if environment else None)
    return scenarios, described


@click.command("plan", epilog="Example: meshkit-chaos plan leader-killed --file chaos-scenarios.yaml --seed 7")
@click.argument("selection", nargs=-1)
@FILE
@ENVIRONMENT
@TAGS
@SEED
@FORMAT
def plan_command(
    selection: tuple[str, ...], file: Path, environment: str | None, tags: tuple[str, ...], seed: int | None, form: str
) -> int:
    """Show what a run of the SELECTION would do: time line, targets, what is undone when, and why something cannot run.

    SELECTION are scenario ids or globs; all scenarios where there is none. Executes nothing.

    Ends with 2 if something cannot run.
    """
    from meshkit_chaos.campaign.selection import select  # noqa: PLC0415  # start-up time
    from meshkit_chaos.environments.opening import capabilities_by_kind  # noqa: PLC0415  # start-up time
    from meshkit_chaos.plan import make_plan  # noqa: PLC0415  # start-up time

    scenarios, described = load_for_plan(file, environment)
    chosen = select(scenarios.scenarios, patterns=selection, tags=tags)
    plans, refusals = [], []
    for scenario in chosen:
        try:
            plans.append(make_plan(scenario, described, capabilities_by_kind(described), seed=seed or 0))
        except CannotRun as error:
            refusals.append(error.message)
    if form == "json":
        click.echo(json_text({"plans": [builtins(plan) for plan in plans], "cannot_run": refusals}))
    else:
        click.echo("\n\n".join(timeline(plan) for plan in plans))
        for refusal in refusals:
            click.echo(f"cannot run: {refusal}", file=sys.stdout)
    if not chosen:
        say("nothing was selected")
    return CANNOT_RUN if refusals or not chosen else 0
