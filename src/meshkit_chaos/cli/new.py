"""``new``: one more scenario in a scenario file, with its tests, as text: nothing else in the files changes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.options import duration
from meshkit_chaos.cli.reading import SCENARIOS, load_both, read_document, refused
from meshkit_chaos.cli.rehearse import load_test_document
from meshkit_chaos.errors import UsageError
from meshkit_chaos.judge.phrases import counted

if TYPE_CHECKING:
    from meshkit_chaos.campaign.proposing import Proposal
    from meshkit_chaos.scenario.environment import EnvironmentDescription
    from meshkit_chaos.scenario.model import Scenario, ScenarioFile
    from meshkit_chaos.scenario.sketch import Demand, Sketch
    from meshkit_chaos.slo import Duration

T = TypeVar("T")
_HOLD: Final = "4s"


@click.command(
    "new",
    epilog="Example: meshkit-chaos new leader-dies --fault kill --target role=leader "
    "--slo 'sum(etcd_server_is_leader) == 1 within 5s'",
)
@click.argument("name", metavar="ID")
@click.option("--fault", required=True, metavar="KIND", help="The kind of fault, such as kill or pause.")
@click.option(
    "--target",
    "targets",
    required=True,
    multiple=True,
    metavar="KEY=VALUE",
    help="Whom it hits: role=leader, count=1, share=30%, names=a,b or not_role=leader; repeatable.",
)
@click.option(
    "--slo",
    "slos",
    required=True,
    multiple=True,
    metavar="OBJECTIVE",
    help="'QUERY BAND within 5s', '… within 5s of the revert' or '… during hold'; or an indicator's name for query and band; "
    "repeatable.",
)
@click.option(
    "--with", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of the fault, such as delay=100ms; repeatable."
)
@click.option("--hold", metavar="DURATION", help=f"How long the fault is kept.  [default: {_HOLD}]")
@click.option("--title", metavar="TEXT", help="The claim that the scenario tests.  [default: made of the rest]")
@click.option(
    "--file",
    "-f",
    "file",
    type=click.Path(path_type=Path),
    default=Path(SCENARIOS),
    show_default=True,
    help="The scenario file to add to.",
)
def new_command(
    name: str,
    fault: str,
    targets: tuple[str, ...],
    slos: tuple[str, ...],
    given: tuple[str, ...],
    hold: str | None,
    title: str | None,
    file: Path,
) -> int:
    """Add the scenario ID to a scenario file, and its tests to the test file beside it.

    What stands in the files stays as it is, comments included. The tests are tried before they are written: one mesh that
    passes, and for each objective one that fails. Nothing is written if the file would not be lint-clean.
    """
    from meshkit_chaos.scenario import sketch as sketching  # noqa: PLC0415  # start-up time

    if not file.is_file():
        raise UsageError(f"there is no {file}", hint="`meshkit-chaos init` writes a first one")
    scenarios, described, _ = load_both(file, None)
    ids = [scenario.id for scenario in scenarios.scenarios]
    target = _read("--target", lambda: sketching.read_target(targets))
    kind = _read("--fault", lambda: sketching.read_fault(fault))
    demands = _demands(slos, scenarios, file)
    sketch = sketching.Sketch(
        id=_read("ID", lambda: sketching.read_id(name, ids)),
        title=title or f"After {kind} of {', '.join(targets)}: {'; '.join(slos)}",
        fault=kind,
        target=target,
        hold=_hold(kind, hold),
        demands=demands,
        parameters=_read("--with", lambda: sketching.read_parameters(given)),
    )
    text, scenario = _added(sketch, file, scenarios, described)
    _write_both(file, text, scenario, described)
    return 0


def _read(option: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _hold(kind: str, given: str | None) -> Duration | None:
    from meshkit_chaos.faults import CATALOGUE  # noqa: PLC0415  # start-up time

    if given is None and CATALOGUE[kind].momentary:
        return None
    return duration(given or _HOLD, option="--hold")


def _demands(slos: Sequence[str], scenarios: ScenarioFile, file: Path) -> tuple[Demand, ...]:
    from meshkit_chaos.scenario.insertion import keys_at  # noqa: PLC0415  # start-up time
    from meshkit_chaos.scenario.sketch import read_demand  # noqa: PLC0415  # start-up time

    used = {indicator.name: indicator for scenario in scenarios.scenarios for indicator in scenario.indicators}
    known = {name: (used[name].query, used[name].band) if name in used else None for name in keys_at(_text(file), "indicators")}
    demands = []
    for slo in slos:
        demand = _read("--slo", lambda slo=slo: read_demand(slo, known))  # type: ignore[misc]  # a default argument binds it
        if demand.query is not None and demand.band is not None:
            known[demand.indicator] = (demand.query, demand.band)
        demands.append(demand)
    return tuple(demands)


def _text(file: Path) -> str:
    return read_document(file).decode("utf-8")


def _added(sketch: Sketch, file: Path, scenarios: ScenarioFile, described: EnvironmentDescription) -> tuple[str, Scenario]:
    """The file's new text, and the scenario as it will be loaded. Raises what lint would say of it."""
    from meshkit_chaos.scenario.insertion import appended, keys_at, spaced  # noqa: PLC0415  # start-up time
    from meshkit_chaos.scenario.load import load_scenarios  # noqa: PLC0415  # start-up time

    text = _text(file)
    try:
        for block in sketch.indicators():
            text = appended(text, "indicators", block)
        gap = "\n" if spaced(text, "scenarios") else ""
        text = appended(text, "scenarios", gap + sketch.text(steady_state="steady_state" not in keys_at(text, "defaults")))
    except ValueError as error:
        raise UsageError(f"{file}: {error}", hint="edit it by hand, or bring it into that form first") from None
    loaded = load_scenarios(text.encode(), path=str(file), environment=described)
    if loaded.value is None:
        raise refused(loaded.errors, {str(file): text.encode()})
    assert [scenario.id for scenario in loaded.value.scenarios] == [*(item.id for item in scenarios.scenarios), sketch.id]
    return text, loaded.value.scenarios[-1]


def _write_both(file: Path, text: str, scenario: Scenario, described: EnvironmentDescription) -> None:
    tests = test_file_of(file)
    shared: dict[str, Any] = {}
    if tests.is_file():
        from meshkit_chaos.scenario.load_tests import shared_parts  # noqa: PLC0415  # start-up time

        load_test_document(tests)  # what is wrong there is told before anything is written
        shared = shared_parts(tests.read_bytes(), path=str(tests))
    proposal = _proposed(scenario, described, shared)
    test_text = _with_tests(tests, file, proposal)
    _replace({file: text} if test_text is None else {file: text, tests: test_text})
    say(f"{file}: scenario {scenario.id} added")
    if test_text is not None:
        say(f"{tests}: {counted(len(proposal.tests), 'test')} added; run with: meshkit-chaos test {tests}")
    if not proposal.passes:
        say(f"{tests}: no world was found in which {scenario.id} passes; write its tests by hand, with the series it reads")
    elif proposal.never_failed:
        say(f"{tests}: no world was found in which these fail: {', '.join(proposal.never_failed)}; write such a test by hand")


def _replace(texts: dict[Path, str]) -> None:
    """Put new texts in place of files: all of them are on the disk before the first is put in its place."""
    fresh = {path.resolve(): path.resolve().with_name(f".{path.name}.new") for path in texts}
    try:
        for path, text in texts.items():
            fresh[path.resolve()].write_bytes(text.encode())
        for path, written in fresh.items():
            if path.exists():
                shutil.copymode(path, written)
            written.replace(path)
    except OSError as error:
        for written in fresh.values():
            written.unlink(missing_ok=True)
        raise UsageError(
            f"{error.filename} cannot be written: {error.strerror}", hint="check the folder's permissions"
        ) from error


def test_file_of(file: Path) -> Path:
    """The test document that belongs to a scenario document: beside it, ``.test`` before its ending."""
    return file.with_name(f"{file.stem}.test{file.suffix}")


def _proposed(scenario: Scenario, described: EnvironmentDescription, shared: dict[str, Any]) -> Proposal:
    from meshkit_chaos.campaign.proposing import propose  # noqa: PLC0415  # start-up time
    from meshkit_chaos.cli.rehearse import short_lived_folder  # noqa: PLC0415  # start-up time

    with tempfile.TemporaryDirectory(dir=short_lived_folder(), prefix="meshkit-chaos-new-") as folder:
        return propose(scenario, described, folder=Path(folder), shared=shared)


def _with_tests(tests: Path, file: Path, proposal: Proposal) -> str | None:
    from meshkit_chaos.scenario.insertion import appended, quoted, spaced  # noqa: PLC0415  # start-up time

    if not proposal.tests:
        return None
    if not tests.is_file():
        items = "\n".join("".join(f"  {line}\n" for line in item.splitlines()) for item in proposal.tests)
        return f"version: 1\nscenarios: {quoted(file.name)}\n\ntests:\n{items}"
    text = tests.read_bytes().decode("utf-8")
    try:
        for item in proposal.tests:
            gap = "\n" if spaced(text, "tests") else ""
            text = appended(text, "tests", gap + item)
    except ValueError as error:
        raise UsageError(f"{tests}: {error}", hint="bring it into that form first; nothing was written") from None
    return text
