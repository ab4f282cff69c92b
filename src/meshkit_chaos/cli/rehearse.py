"""``test``: scenarios against worlds in virtual time and against recorded runs, with the verdicts that are expected."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.cli.reading import load_both, read_document, refused
from meshkit_chaos.errors import DocumentError, JournalDamaged, Problem, UsageError

if TYPE_CHECKING:
    from meshkit_chaos.report.rehearsal import Rehearsal
    from meshkit_chaos.scenario.environment import EnvironmentDescription
    from meshkit_chaos.scenario.model import Scenario, ScenarioFile
    from meshkit_chaos.scenario.world import ScenarioTest, TestFile

TESTS: Final = "chaos-scenarios.test.yaml"
NOT_AS_EXPECTED: Final = 1
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # the records of tests live for a moment: no disk has to sync them


@click.command("test", epilog="Example: meshkit-chaos test chaos-scenarios.test.yaml --strict --junit test-results.xml")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Fail where no test makes a key objective fail: nobody has seen that it can.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write the results as JUnit XML, too.")
@FORMAT
def test_command(files: tuple[Path, ...], strict: bool, junit: Path | None, form: str) -> int:
    """Run the tests of scenarios in FILES (default: chaos-scenarios.test.yaml).

    A test says how a mesh behaves (a world), or names a recorded run, and which verdict is expected. Worlds are simulated in
    virtual time: no member is started and no command is run. Key objectives that no test makes fail are reported.

    Ends with 0 when all came out as expected, with 1 when not, with 4 when a document is wrong.
    """
    from meshkit_chaos.report.rehearsal import rehearsal_json, rehearsal_junit, rehearsal_text  # noqa: PLC0415  # start-up time

    loaded = [load_test_document(file) for file in files or (Path(TESTS),)]
    rehearsals = tuple(_rehearsed(document, strict=strict) for document in loaded)
    if junit is not None:
        _write(junit, rehearsal_junit(rehearsals))
    if form == "json":
        shown = [rehearsal_json(rehearsal) for rehearsal in rehearsals]
        click.echo(json_text(shown[0] if len(shown) == 1 else shown))
    else:
        click.echo("\n".join(rehearsal_text(rehearsal) for rehearsal in rehearsals), nl=False)
    return 0 if all(rehearsal.ok for rehearsal in rehearsals) else NOT_AS_EXPECTED


def short_lived_folder() -> Path | None:
    """Where records may lie that nobody keeps: in memory, where the machine has such a place."""
    return _MEMORY if os.access(_MEMORY, os.W_OK) else None


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name another file with --junit") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDocument:
    """A test document with what it is about."""

    path: Path
    tests: TestFile
    scenarios: ScenarioFile
    environment: EnvironmentDescription


def load_test_document(file: Path) -> TestDocument:
    """Load a test document, its scenarios and their environment. Raises DocumentError with every problem of all three."""
    from meshkit_chaos.scenario.load_tests import load_tests  # noqa: PLC0415  # start-up time

    if not file.is_file():
        raise UsageError(f"there is no test document {file}", hint="`meshkit-chaos init` and `meshkit-chaos new` write one")
    data = read_document(file)
    sources = {str(file): data}
    alone = load_tests(data, path=str(file))
    if alone.value is None:
        raise refused(alone.problems, sources)
    place = file.parent / alone.value.scenarios
    own = file.parent / alone.value.environment if alone.value.environment else None
    try:
        scenarios, environment, _ = load_both(place, own)
    except DocumentError as error:
        checked = load_tests(data, path=str(file))
        raise refused((*error.problems, *checked.problems), _read_all(error.problems, sources)) from None
    checked = load_tests(data, path=str(file), scenarios=scenarios, environment=environment)
    if checked.value is None:
        raise refused(checked.problems, sources)
    return TestDocument(path=file, tests=checked.value, scenarios=scenarios, environment=environment)


def _read_all(problems: tuple[Problem, ...], sources: dict[str, bytes]) -> dict[str, bytes]:
    return {**{path: read_document(Path(path)) for path in {problem.path for problem in problems}}, **sources}


def _rehearsed(document: TestDocument, *, strict: bool) -> Rehearsal:
    from meshkit_chaos.campaign.rehearsal import rehearse, untested  # noqa: PLC0415  # start-up time
    from meshkit_chaos.report.rehearsal import Rehearsal  # noqa: PLC0415  # start-up time

    results = []
    with tempfile.TemporaryDirectory(dir=short_lived_folder(), prefix="meshkit-chaos-test-") as folder:
        for number, (test, scenario) in enumerate(_pairs(document)):
            own = Path(folder) / str(number)
            results.append(rehearse(test, scenario, document.environment, folder=own, base=document.path.parent))
    scenarios = document.scenarios.scenarios
    missing = untested(scenarios, results)
    if not results:
        say("nothing was tested")
    return Rehearsal(
        path=str(document.path),
        results=tuple(results),
        untested=missing,
        objectives=sum(not objective.informational for scenario in scenarios for objective in scenario.objectives),
        strict=strict,
    )


def _pairs(document: TestDocument) -> Iterator[tuple[ScenarioTest, Scenario]]:
    """Each test with each scenario that it is about, in the order of the document."""
    from meshkit_chaos.scenario.load_tests import scenarios_of  # noqa: PLC0415  # start-up time

    for test in document.tests.tests:
        about = scenarios_of(test, document.scenarios.scenarios)
        if test.record is not None:
            about = (_recorded(test, document),)
        for scenario in about:
            yield test, scenario


def _recorded(test: ScenarioTest, document: TestDocument) -> Scenario:
    """The scenario of today by which a recorded run is judged again."""
    from meshkit_chaos.journal.reading import read_record  # noqa: PLC0415  # start-up time

    place = f"{document.path}:{test.line}"
    assert test.record is not None
    try:
        started = read_record(document.path.parent / test.record).started
    except JournalDamaged as error:
        raise UsageError(f"{place}: {error.message}", hint=error.hint) from error
    name = test.scenario or (started.plan.scenario.id if started else "")
    found = next((scenario for scenario in document.scenarios.scenarios if scenario.id == name), None)
    if found is None or started is None or started.plan.scenario.id != name:
        ran = started.plan.scenario.id if started else "nothing that can be read"
        raise UsageError(f"{place}: the record is a run of {ran}; wanted {name or 'a scenario of ' + document.scenarios.path}")
    return found
