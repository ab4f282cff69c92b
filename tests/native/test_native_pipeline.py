"""A pipeline with a native build, run by a real local runner of workflows: green when it builds, red when it does not."""

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
"""
ENVIRONMENT = """\
version: 1
name: mesh
kind: process
members: {count: 1, name: "mesh-${index}"}
command: ["${binary.mesh}"]
binaries:
  mesh: {path: mesh, build: [rustc, -O, -o, mesh, mesh.rs], forbid_output: ["warning:"]}
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
    (project / "mesh.yaml").write_text(ENVIRONMENT)
    (project / "mesh.rs").write_text(source)
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=project, check=True)
    options = ["-P", "ubuntu-latest=-self-hosted", "--pull=false"]
    servers = ["--artifact-server-addr", "127.0.0.1", "--cache-server-addr", "127.0.0.1", "--no-cache-server"]
    done = subprocess.run([act, "push", *options, *servers], cwd=project, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, out


def test_a_pipeline_goes_on_behind_a_good_build(tmp_path: Path) -> None:
    """A build that is what was demanded: the runner ends with 0 and the next step runs."""
    code, said, out = pipeline(tmp_path, GOOD)
    assert code == 0, said
    assert (out / "went-on").exists()


@pytest.mark.parametrize(
    "source", [BROKEN, GOOD.replace("fn main() {", "fn main() { let unused = 1;")], ids=["error", "warning"]
)
def test_a_broken_build_turns_the_pipeline_red(source: str, tmp_path: Path) -> None:
    """A compiler's error, or a forbidden warning: the runner ends with a failure, no step follows, and JUnit says why."""
    code, said, out = pipeline(tmp_path, source)
    assert code != 0
    assert "Job 'chaos' failed" in said
    assert not (out / "went-on").exists()
    report = (out / "native.xml").read_text()
    assert 'failures="1"' in report
    assert "mesh" in report
