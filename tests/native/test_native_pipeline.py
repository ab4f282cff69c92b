"""A pipeline with a native build, run by a real local runner of workflows: a build that fails is red, and the gate names it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
BIN = Path(sys.executable).parent
GOOD = 'fn main() { println!("hello"); }\n'
BROKEN = 'fn main() { println!("hello") \n'

WORKFLOW = """\
name: native
on: push
jobs:
  chaos:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: BIN/meshkit-chaos native build --env mesh.yaml --out OUT --junit OUT/native.xml --allow-commands
      - run: touch OUT/went-on
      - if: ${{ success() || failure() }}
        run: BIN/meshkit-chaos run --file scenarios.yaml --built OUT --subject commit=c1 --out OUT/results --allow-commands
  gate:
    needs: chaos
    if: always()
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: BIN/meshkit-chaos history import OUT/results --history OUT/history
      - run: BIN/meshkit-chaos gate check --policy gate.yaml --history OUT/history --subject commit=c1 > OUT/gate.txt
"""
ENVIRONMENT = """\
version: 1
name: mesh
kind: process
members: {count: 1, name: "mesh-${index}"}
command: ["${binary.mesh}"]
binaries:
  mesh: {path: mesh, build: [rustc, -O, -o, mesh, mesh.rs], forbid_output: ["warning:"]}
ports: [http]
metrics: {url: "http://${member.host}:${member.port.http}/metrics"}
"""
SCENARIOS = """\
version: 1
environment: mesh.yaml
indicators:
  up: {promql: sum(up), good: "== 1", description: the member answers}
scenarios:
  - id: killed
    title: A member that is killed comes back
    steady_state: {for: 1s, indicators: [up]}
    steps:
      - {fault: kill, target: {names: [mesh-1]}, hold: 1s}
    objectives:
      - {converge: up, within: 5s}
"""
POLICY = """\
version: 1
match: commit
requirements:
  - {id: all, scenarios: [killed]}
"""


def pipeline(folder: Path, source: str) -> tuple[int, str, Path]:
    """Commit a project and push it to the local runner: its exit code, what it said, and the folder of results."""
    act = shutil.which("act", path=str(BIN))
    if act is None or shutil.which("rustc") is None:
        pytest.skip(f"needs {'act: make .venv/.ci' if act is None else 'rustc: .ci/run installs it'}")
    project, out = folder / "project", folder / "out"
    (project / ".github" / "workflows").mkdir(parents=True)
    text = WORKFLOW.replace("BIN", str(BIN)).replace("OUT", str(out))
    (project / ".github" / "workflows" / "native.yml").write_text(textwrap.dedent(text))
    for name, document in (("mesh.yaml", ENVIRONMENT), ("scenarios.yaml", SCENARIOS), ("gate.yaml", POLICY)):
        (project / name).write_text(document)
    (project / "mesh.rs").write_text(source)
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=project, check=True)
    options = ["-P", "ubuntu-latest=-self-hosted", "--pull=false"]
    servers = ["--artifact-server-addr", "127.0.0.1", "--cache-server-addr", "127.0.0.1", "--no-cache-server"]
    done = subprocess.run([act, "push", *options, *servers], cwd=project, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, out


def test_a_pipeline_goes_on_behind_a_good_build(tmp_path: Path) -> None:
    """A build that is what was demanded: the next step runs, and the gate says of the program what the run found out."""
    _, said, out = pipeline(tmp_path, GOOD)
    assert (out / "went-on").exists(), said
    decision = (out / "gate.txt").read_text()
    assert decision.startswith("BLOCKED: killed")  # it only says hello: no mesh, but what was built is what was run
    assert "build" not in decision


@pytest.mark.parametrize(
    "source", [BROKEN, GOOD.replace("fn main() {", "fn main() { let unused = 1;")], ids=["error", "warning"]
)
def test_a_broken_build_turns_the_pipeline_red(source: str, tmp_path: Path) -> None:
    """A compiler's error, or a forbidden warning: a failed job, nothing deployed, JUnit says why, the gate names the build."""
    code, said, out = pipeline(tmp_path, source)
    assert code != 0
    assert "Job 'chaos' failed" in said
    assert not (out / "went-on").exists()
    report = (out / "native.xml").read_text()
    assert 'failures="1"' in report
    assert "mesh" in report
    decision = (out / "gate.txt").read_text()
    assert decision.startswith("BLOCKED: killed did not run")
    assert "the native build failed, so nothing is deployed: mesh: the build " in decision
