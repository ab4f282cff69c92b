"""A nightly that is cancelled in the middle of a fault: whatever signals that takes, nothing of the lab is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from act_runner import ROOT
from github_steps import cancel, start, step_of
from lab_runs import Corner, wait_for

from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.store import read_lines

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
NIGHTLY = (ROOT / ".github/workflows/chaos-nightly.yml").read_text()


@pytest.fixture
def corner(tmp_path: Path, etcd: None) -> Iterator[Corner]:
    """A job's workspace; whatever is left in it is ended in any case."""
    place = Corner(tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    place.extra = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ENVIRONMENT": "src/meshkit_chaos/demo/etcd-lab.yaml",
        "SHARD": "1/2",
        "GITHUB_SHA": "4f1c9e2",
        "GITHUB_REF_NAME": "main",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary-page.md"),
    }
    try:
        yield place
    finally:
        place.sweep()


def step(corner: Corner, name: str) -> subprocess.Popen[bytes]:
    return start(
        step_of(NIGHTLY, "chaos", name), folder=corner.folder, variables=corner.variables(), output=corner.folder / "said.txt"
    )


def later_step(corner: Corner, name: str) -> int:
    """A step with ``if: always()``, to its end."""
    assert step_of(NIGHTLY, "chaos", name)["if"] == "always()"
    return step(corner, name).wait(timeout=60)


def running_into_a_fault(corner: Corner) -> subprocess.Popen[bytes]:
    """The nightly's own step, just when its fault was injected."""
    process = step(corner, "Run the scenarios")
    journals = corner.folder / "chaos-results" / "runs"

    def injected() -> bool:
        entries = [entry for path in journals.glob("*/*/journal.jsonl") for entry in read_lines(path.read_bytes())[0]]
        assert process.poll() is None, (corner.folder / "said.txt").read_text()
        return any(isinstance(entry.event, ev.FaultInjected) for entry in entries)

    wait_for(injected, within=60, what="an injected fault")
    return process


def assert_nothing_left(corner: Corner) -> None:
    wait_for(lambda: not corner.alive(), within=5, what=corner.left)
    assert not corner.data_folders()


@pytest.mark.slow
def test_a_cancelled_run_rolls_back_at_the_first_signal(corner: Corner) -> None:
    """The step's entry process is meshkit-chaos itself, so SIGINT is all it takes; undo, publish and records follow."""
    process = running_into_a_fault(corner)
    assert cancel(process) == ["SIGINT"]
    assert process.returncode == 2
    assert later_step(corner, "Undo what a killed run left behind") == 0
    assert_nothing_left(corner)
    assert later_step(corner, "Publish the verdict") == 2
    results = read_results(corner.folder / "chaos-results")
    assert [run.outcome for run in results.verdict.runs] == ["aborted"]
    assert "Inconclusive" in (corner.folder / "summary-page.md").read_text()


@pytest.mark.slow
def test_a_run_that_hangs_is_killed_with_its_tree_and_undone_by_the_next_step(corner: Corner) -> None:
    """A stopped runner answers neither SIGINT nor SIGTERM: after SIGKILL of the tree, the step that always runs cleans up."""
    process = running_into_a_fault(corner)
    process.send_signal(signal.SIGSTOP)
    assert cancel(process) == ["SIGINT", "SIGTERM", "SIGKILL"]
    assert later_step(corner, "Undo what a killed run left behind") == 0
    assert_nothing_left(corner)
    assert later_step(corner, "Publish the verdict") == 2
    results = read_results(corner.folder / "chaos-results")
    assert results.verdict.verdict != "pass"
    assert (corner.folder / "chaos-results" / "junit.xml").is_file()
    assert "::error" in (corner.folder / "said.txt").read_text()
