"""What "not a pass" means: in the verdict, in JUnit, in the summary, in every verdict.json and in the exit code alike."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

from command_lines import command
from virtual_runs import Invoked


def check_not_a_pass(invoked: Invoked, *, code: int, verdict: str, scenarios: tuple[str, ...] = ()) -> dict[str, object]:
    """Check every document of an invocation, then that judging it again says the same; give the joined verdict.

    ``code`` is the expected exit code, ``verdict`` that of the (worst) run.
    """
    assert invoked.code == code, invoked.printed
    document = json.loads((invoked.out / "verdict.json").read_bytes())
    assert json.loads(invoked.printed) == document
    assert document["verdict"] == ("fail" if verdict == "fail" else "inconclusive")
    assert verdict in {run["verdict"] for run in document["runs"]} or (not document["runs"] and verdict == "inconclusive")
    named = scenarios or tuple(one["scenario"] for one in document["scenarios"] if one["verdict"] != "pass")
    assert named, "nothing says what did not pass"
    _check_junit(invoked.out / "junit.xml", named)
    _check_summary(invoked.out / "summary.md", named)
    _check_runs(invoked.out, document)
    again = command("judge", invoked.out, "--format", "json")
    assert again.code == code
    assert json.loads(again.out) == document
    return dict(document)


def _check_junit(path: Path, scenarios: tuple[str, ...]) -> None:
    """Each scenario that did not pass has a failure or an error, and nothing is skipped: CI counts that as harmless."""
    root = ET.parse(path).getroot()
    assert int(root.get("failures", "0")) + int(root.get("errors", "0")) > 0
    assert not list(root.iter("skipped"))
    for scenario in scenarios:
        suites = [suite for suite in root.iter("testsuite") if scenario in (suite.get("name") or "")]
        assert suites, f"JUnit does not know {scenario}"
        assert any(suite.find(f"testcase/{bad}") is not None for suite in suites for bad in ("failure", "error")), scenario


def _check_summary(path: Path, scenarios: tuple[str, ...]) -> None:
    """The headline does not say that it passed, and what did not pass is named."""
    text = path.read_text(encoding="utf-8")
    headline = text.splitlines()[0].lower()
    assert "pass" not in headline.replace("did not pass", ""), headline
    for scenario in scenarios:
        assert scenario in text.replace("\\", "")


def _check_runs(out: Path, document: dict[str, object]) -> None:
    """Every run's own verdict.json agrees with the joined one."""
    runs = document["runs"]
    assert isinstance(runs, list)
    for run in runs:
        path = out / "runs" / run["scenario"] / f"{run['repeat']:03d}" / "verdict.json"
        if path.exists():
            assert json.loads(path.read_bytes())["verdict"] == run["verdict"]
