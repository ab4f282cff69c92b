"""The commands: init writes and never overwrites, check has its exit codes, publish says what the service keeps."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from shipped import ACTION, ROOT, own_files

from meshkit_chaos.cli.app import run
from meshkit_chaos.pipelines.pins import PINS

INIT = ("pipelines", "init", "github", "--env", "etcd-lab.yaml")


def test_what_this_repository_runs_is_what_the_templates_say(tmp_path: Path) -> None:
    """The command at the top of each file writes that file again, byte for byte."""
    written: dict[str, str] = {}
    (tmp_path / "chaos-notify.yaml").write_text((ROOT / "chaos-notify.yaml").read_text())
    for platform, place in (("github", ".github/workflows/chaos-nightly.yml"), ("azure", "azure-pipelines/chaos-nightly.yml")):
        first = (ROOT / place).read_text(encoding="utf-8").partition("\n")[0]
        words = shlex.split(first.removeprefix("# Written by: "))
        assert words[:4] == ["meshkit-chaos", "pipelines", "init", platform]
        assert run([*words[1:], "--dir", str(tmp_path)]) == 0
    for path in sorted(tmp_path.rglob("*.yml")):
        written[path.relative_to(tmp_path).as_posix()] = path.read_text(encoding="utf-8")
    own = own_files()
    del own[ACTION]
    assert written == own


def test_the_composite_action_has_the_same_pins() -> None:
    """It is written by hand, with the commits of the table."""
    used = re.findall(r"uses: (.*)", own_files()[ACTION])
    assert used
    assert set(used) <= {str(pin) for pin in PINS.values()}


def test_init_writes_and_says_what(own_state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The places on standard output, as text or as JSON."""
    assert run(INIT) == 0
    places = capsys.readouterr().out.split()
    assert ".github/workflows/chaos-nightly.yml" in places
    assert all((own_state / place).is_file() for place in places)
    assert run([*INIT[:2], "azure", *INIT[3:], "--format", "json"]) == 0
    assert "azure-pipelines/chaos-nightly.yml" in json.loads(capsys.readouterr().out)


def test_init_says_which_documents_are_missing(own_state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt environment, or a policy that is still to be written, is told before a night fails for it."""
    (own_state / "chaos-scenarios.yaml").write_text("version: 1")
    assert run(["pipelines", "init", "github", "--env", "mish.yaml", "--env", "an-id-of-one-that-is-up"]) == 0
    told = [line.split()[1] for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert told == ["chaos-scenarios.test.yaml", "mish.yaml", "chaos-gate.yaml"]


def test_init_overwrites_nothing_unless_told(own_state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file in the way, and none is written; --force writes all of them."""
    mine = own_state / ".github" / "workflows" / "chaos-nightly.yml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert run(INIT) == 4
    assert "chaos-nightly.yml" in capsys.readouterr().err
    assert [path.name for path in mine.parent.iterdir()] == ["chaos-nightly.yml"]
    assert run([*INIT, "--force"]) == 0
    assert mine.read_text() != "mine"


@pytest.mark.parametrize(
    "words",
    [
        ("--env", "../etcd-lab.yaml"),
        ("--env", "/etc/lab.yaml"),
        ("--env", "a b.yaml"),
        ("--env", "${{ github.event.x }}"),
        ("--env", "a.yaml", "--file", "x;rm"),
        ("--env", "a.yaml", "--tag", "a b"),
        ("--env", "a.yaml", "--install", "pip install ${{ inputs.x }}"),
        ("--env", "a.yaml", "--install", "pip\ninstall"),
        (),
    ],
)
def test_init_refuses_what_would_mean_something_else(own_state: Path, words: tuple[str, ...]) -> None:
    """Nothing given on the command line can become an expression, a path outside, or a second command."""
    assert run(["pipelines", "init", "github", *words]) == 4
    assert list(own_state.iterdir()) == []


ROUTES = """\
version: 1
project: MeshKit
channels:
  - id: issues
    github: {repository: mesh/meshkit, token: {env: TOKEN}}
  - id: chat
    slack: {channel: C0123456789, token: {env: SLACK_TOKEN}}
routes:
  - {id: all, to: [issues, chat]}
"""


def test_init_gives_each_secret_that_the_routes_name_to_the_steps_that_tell(own_state: Path) -> None:
    """And to no other step; the right to write issues is only asked for where GitHub's own token is named."""
    (own_state / "chaos-notify.yaml").write_text(ROUTES.replace("TOKEN}}", "GITHUB_TOKEN}}", 1))
    assert run([*INIT, "--routes", "chaos-notify.yaml"]) == 0
    for name in ("nightly", "on-demand", "tell", "watch"):
        text = (own_state / f".github/workflows/chaos-{name}.yml").read_text()
        assert [place for place in steps_of(text) if "SLACK_TOKEN" in place[1].get("env", {})] == [
            (job, step) for job, step in steps_of(text) if step.get("name") in ("Tell people", "Did the night come?")
        ]
        writing = [job for job in yaml.safe_load(text)["jobs"].values() if job["permissions"].get("issues")]
        assert len(writing) == 1
    (own_state / "chaos-notify.yaml").write_text(ROUTES)
    assert run([*INIT, "--routes", "chaos-notify.yaml", "--force"]) == 0
    assert "issues: write" not in (own_state / ".github/workflows/chaos-nightly.yml").read_text()


def steps_of(workflow: str) -> list[tuple[str, dict[str, Any]]]:
    """Every step with the id of its job."""
    return [(name, step) for name, job in yaml.safe_load(workflow)["jobs"].items() for step in job["steps"]]


@pytest.mark.parametrize("text", [None, "version: 1\n", ROUTES.replace("{env: TOKEN}", "{env: GITHUB_PAT}")])
def test_init_with_routes_that_cannot_be_used_writes_nothing(own_state: Path, text: str | None) -> None:
    """Not there, wrong, or with a secret that GitHub admits none of that name: the names come from it, so it must be right."""
    if text is not None:
        (own_state / "chaos-notify.yaml").write_text(text)
    assert run([*INIT, "--routes", "chaos-notify.yaml"]) == 4
    assert not (own_state / ".github").exists()


@pytest.mark.parametrize("schedule", ["", 'nightly: {cron: "17 2 * * *"}\n'], ids=["none", "one"])
def test_init_says_when_the_watch_could_not_know_when_a_night_is_due(
    own_state: Path, schedule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The schedule is the policy's; without it the watch is red every day, which is better known before."""
    (own_state / "chaos-notify.yaml").write_text(ROUTES)
    policy = "version: 1\nmatch: commit\nrequirements:\n  - {id: all, scenarios: [a]}\n"
    (own_state / "chaos-gate.yaml").write_text(policy + schedule)
    assert run([*INIT, "--routes", "chaos-notify.yaml"]) == 0
    assert ("chaos-watch fails until it does" in capsys.readouterr().err) is (not schedule)


def test_init_allows_commands_only_where_nobody_elses_documents_are_run(own_state: Path) -> None:
    """Nights and runs on demand may start commands then; a pull request never may."""
    assert run([*INIT, "--simulated", "mesh.yaml", "--allow-commands"]) == 0
    folder = own_state / ".github/workflows"
    allowed = {path.stem for path in folder.glob("*.yml") if "--allow-commands \\" in path.read_text()}
    assert allowed == {"chaos-nightly", "chaos-on-demand"}


def test_init_deploys_to_pages_only_when_asked(own_state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A public page is a decision. The right to deploy is asked for in that one job; Azure has no such pages."""
    nightly = own_state / ".github/workflows/chaos-nightly.yml"
    assert run(INIT) == 0
    jobs = yaml.safe_load(nightly.read_text())["jobs"]
    assert "dashboard" in jobs
    assert "pages" not in jobs
    assert "pages-artifact" not in nightly.read_text()
    assert run([*INIT, "--pages", "--force"]) == 0
    jobs = yaml.safe_load(nightly.read_text())["jobs"]
    writing = {name: [right for right, may in job["permissions"].items() if may == "write"] for name, job in jobs.items()}
    assert writing == {"chaos": [], "history": ["contents"], "gate": [], "dashboard": [], "pages": ["pages", "id-token"]}
    capsys.readouterr()
    assert run(["pipelines", "init", "azure", *INIT[3:], "--pages"]) == 4
    assert "--pages is for GitHub only" in capsys.readouterr().err


def test_check_ends_as_it_says(own_state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 nothing found, 1 found, 2 nothing checked, 4 not readable; a finding has its place in every format."""
    assert run(["pipelines", "check"]) == 2
    assert run(INIT) == 0
    assert run(["pipelines", "check"]) == 0
    nightly = own_state / ".github" / "workflows" / "chaos-nightly.yml"
    nightly.write_text(nightly.read_text().replace("--out chaos-results\n", "--out chaos-results || true\n"))
    capsys.readouterr()
    assert run(["pipelines", "check"]) == 1
    assert "[MP101 failure-tolerated]" in capsys.readouterr().out
    assert run(["pipelines", "check", "--format", "json", ".github/workflows"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)
    line = nightly.read_text().split("\n")[problem["line"] - 1]
    assert line[problem["column"] - 1 :].startswith("meshkit-chaos run")
    assert run(["pipelines", "check", "--format", "github"]) == 1
    assert capsys.readouterr().out.startswith("::error file=.github/workflows/chaos-nightly.yml,line=")
    nightly.write_text("jobs: [")
    assert run(["pipelines", "check"]) == 4
    assert run(["pipelines", "check", "nowhere.yml"]) == 4


def test_check_of_pipelines_without_us_is_no_pass(own_state: Path) -> None:
    """Where no file calls meshkit-chaos, nothing was checked."""
    (own_state / "a.yml").write_text("jobs:\n  a:\n    steps:\n    - run: make\n")
    assert run(["pipelines", "check", "a.yml"]) == 2
