"""``shrink`` from the command line, on a simulated mesh with planted weaknesses: runs in virtual time, all of them recorded."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshkit_chaos.campaign.attempts import TRIES, read_search
from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.cli.app import run
from meshkit_chaos.cli.rehearse import short_lived_folder
from meshkit_chaos.scenario.load import load_environment, load_scenarios

MESH = """version: 1
name: planted
kind: simulated
members: {count: 3, name: "node-${index}"}
ports: [client]
simulated: {election: 500ms}
roles:
  leader:
    http:
      method: POST
      url: http://${member.host}:${member.port.client}/v3/maintenance/status
      body: "{}"
      path: leader
      equals_path: header.member_id
metrics: {url: "http://${member.host}:${member.port.client}/metrics"}
"""
SCENARIOS = """version: 1
environment: mesh.yaml
indicators: {one-leader: {promql: sum(etcd_server_is_leader), good: "== 1"}}
scenarios:
  - id: quorum
    title: There is a leader again within two seconds
    steady_state: {for: 1s, indicators: [one-leader]}
    blast_radius: {members: 2}
    steps:
      - {fault: restart, target: {not_role: leader, count: 1}}
      - {fault: kill, id: first-dies, target: {names: [node-3]}}
      - {wait: 1s}
      - {fault: kill, id: leader-dies, target: {role: leader}, hold: 6s}
      - {revert: first-dies}
      - {fault: pause, target: {not_role: leader, count: 1}, hold: 1s}
    objectives:
      - {converge: one-leader, within: 2s, after: leader-dies}
      - {stay: one-leader, during: baseline}
  - id: fine
    title: One restart harms nobody
    steady_state: {for: 1s, indicators: [one-leader]}
    steps: [{fault: restart, target: {not_role: leader, count: 1}}]
    objectives: [{stay: one-leader, during: inject}]
"""


@pytest.fixture
def failed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a run that failed: with two of three members dead there is no leader.

    In memory, where that can be: a search makes dozens of runs, and most of their time is the disk's.
    """
    with tempfile.TemporaryDirectory(dir=short_lived_folder()) as place:
        monkeypatch.chdir(place)
        yield failed_run()
        monkeypatch.undo()


def failed_run() -> Path:
    Path("mesh.yaml").write_text(MESH, encoding="utf-8")
    Path("chaos-scenarios.yaml").write_text(SCENARIOS, encoding="utf-8")
    assert run(["run", "--out", "out", "--seed", "3"]) == 1
    return Path("out/runs/quorum/001")


def shrunk(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert run(["shrink", *words]) == code
    said = capsys.readouterr()
    return said.out, said.err


def test_only_what_the_failure_needs_is_left(failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both kills are needed and stay; the rest is gone; what is printed lints clean and fails when it is run."""
    text, said = shrunk(capsys, str(failed), "--out", "small", "--confirm", "4")
    described = load_environment(MESH.encode(), path="mesh.yaml").value
    loaded = load_scenarios(text.encode(), path="smallest.yaml", environment=described)
    assert (loaded.problems, loaded.value is not None) == ((), True)
    assert loaded.value is not None
    steps = loaded.value.scenarios[0].steps
    assert [step.id for step in steps] == ["first-dies", "leader-dies", "revert-5"]
    assert "# 4 of 4 runs failed: 100 % (95 % interval 40 % to 100 %); only runs made after it was chosen count." in text
    assert "a reduction that fails 16 % of the time is kept in 4 % of cases" in said
    written = Path("small/smallest.yaml").read_text(encoding="utf-8")
    assert "environment: ../mesh.yaml" in written
    assert run(["lint", "small/smallest.yaml"]) == 0
    assert run(["run", "--file", "small/smallest.yaml", "--out", "again", "--seed", "3"]) == 1


def test_every_run_is_recorded(failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each try is an invocation of its own that can be judged again, and the log says what each was made for."""
    text, _ = shrunk(capsys, str(failed), "--out", "small", "--confirm", "3", "--format", "json")
    told = json.loads(text)
    started, ended = read_search(Path("small"))
    assert (started.scenario, started.objective, started.seed) == ("quorum", "converge-one-leader", 3)
    assert len(ended) == told["runs_made"] == len(list(Path("small", TRIES).iterdir()))
    assert [line.purpose for line in ended].count("confirm") == told["runs"] == 3
    for line in ended:
        results = read_results(Path("small") / line.folder)
        assert results.verdict.verdict == line.verdict
        assert line.failed is (line.verdict == "fail")


def test_a_spent_budget_is_not_the_end_of_it(failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cut short, it prints the best so far and ends with 2; resumed, it makes only the runs that are missing."""
    text, said = shrunk(capsys, str(failed), "--out", "small", "--runs", "7", "--confirm", "2", code=2)
    assert "the search was cut short: the budget of 7 runs is spent" in said
    assert "# The search was cut short" in text
    before = len(read_search(Path("small"))[1])
    whole, _ = shrunk(capsys, str(failed), "--out", "small", "--confirm", "2", "--resume", "--format", "json")
    once, _ = shrunk(capsys, str(failed), "--out", "other", "--confirm", "2", "--format", "json")
    assert json.loads(whole)["reductions"] == json.loads(once)["reductions"]
    assert json.loads(whole)["runs_made"] == json.loads(once)["runs_made"]
    assert before < len(read_search(Path("small"))[1]) <= json.loads(once)["runs_made"] + 2


def test_a_failure_that_does_not_come_again_is_no_success(failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the mesh was repaired, nothing is printed, and the exit code is 2."""
    Path("mesh.yaml").write_text(MESH.replace("count: 3", "count: 5"), encoding="utf-8")
    text, said = shrunk(capsys, str(failed), "--out", "small", "--first", "4", code=2)
    assert text == ""
    assert "quorum did not miss converge-one-leader again in 4 runs; it fails less often than 60%, or not any more" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("out/runs/fine/001",), "the run in out/runs/fine/001 missed no objective: its verdict is pass"),
        (("out/runs/quorum/001", "--objective", "stay-one-leader"), "missed no objective 'stay-one-leader'"),
        (("out/runs/quorum/001", "--out", "out"), "out is not an empty folder"),
        (("out/runs/quorum/001", "--env", "nowhere"), "nowhere is neither an environment file nor the id"),
        (("nowhere",), "nowhere"),
    ],
)
def test_what_cannot_be_shrunk_is_told(failed: Path, words: tuple[str, ...], said: str) -> None:
    """A pass, another objective, a folder in use: a usage error that says what was found, before any run."""
    code = run(["shrink", "--out", "small", *words])
    assert code in {2, 4}
    assert not Path("small", TRIES).exists()


def test_another_search_is_not_mixed_in(failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--resume goes on with the same search only."""
    shrunk(capsys, str(failed), "--out", "small", "--runs", "4", "--confirm", "2", code=2)
    _, said = shrunk(capsys, str(failed), "--out", "small", "--resume", "--error", "0.1", code=4)
    assert "small holds another search" in said


def test_ctrl_c_ends_the_search_and_not_what_was_found(failed: Path) -> None:
    """The best form so far is printed, the exit code is 2, and the search can be taken up again."""
    words = [sys.executable, "-P", "-m", "meshkit_chaos", "shrink", str(failed), "--out", "small"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as search:
        for _ in range(3000):
            if Path("small", TRIES, "0006").exists() or search.poll() is not None:
                break
            time.sleep(0.01)
        search.send_signal(signal.SIGINT)
        text, said = search.communicate(timeout=60)
    assert search.returncode == 2, said
    assert "# The search was cut short: " in text
    assert load_scenarios(text.encode(), path="smallest.yaml").value is not None
    assert run(["shrink", str(failed), "--out", "small", "--resume", "--runs", "9", "--confirm", "2"]) == 2
