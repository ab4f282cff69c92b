"""The examples of other meshes on their real programs: each scenario comes to the verdict that its README says."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from lab_runs import Corner

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = {"nats": ("nats-server",), "redis-sentinel": ("redis-server", "redis-sentinel")}
_ROW = re.compile(r"^\| `(?P<scenario>[a-z0-9-]+)` \| (?P<verdict>[a-z-]+) \| ", re.MULTILINE)
_WITHIN_S = 300.0
_ATTEMPTS = 3
"""A busy machine may leave a scenario open; then, and only then, it is run again."""


def promised(example: str) -> dict[str, str]:
    """The verdict of each scenario, as the README's table has it."""
    found = _ROW.finditer((EXAMPLES / example / "README.md").read_text(encoding="utf-8"))
    return {row["scenario"]: row["verdict"] for row in found}


@pytest.mark.parametrize(
    ("example", "scenario"), [(example, scenario) for example in PROGRAMS for scenario in promised(example)]
)
def test_a_scenario_comes_to_what_its_readme_says(corner: Corner, example: str, scenario: str) -> None:
    """The verdict is the one in the table, the mesh was left clean, and no process of it is left."""
    for program in PROGRAMS[example]:
        if shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/bin") is None:
            pytest.skip(f"needs {program}: .ci/run installs it")
    verdict = "inconclusive"
    for attempt in range(_ATTEMPTS):
        out = corner.folder / f"results-{attempt}"
        words = ("run", scenario, "--file", str(EXAMPLES / example / "chaos-scenarios.yaml"), "--out", str(out), "--seed", "7")
        code, _, said = corner.command(*words, within=_WITHIN_S)
        told = json.loads((out / "verdict.json").read_bytes())
        verdict = told["scenarios"][0]["verdict"]
        assert told["runs"][0]["environment"] == "clean", said
        assert not corner.left()
        if verdict not in {"inconclusive", "invalid"}:
            break
    assert verdict == promised(example)[scenario], said
    assert code == {"pass": 0, "fail": 1}[verdict]
