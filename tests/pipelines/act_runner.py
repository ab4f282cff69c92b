"""GitHub workflows run for real on this machine: the local runner `act` in host mode, with stand-ins for six actions.

What is real: the workflow file, its expressions, matrix, conditions, needs, environment, scripts, and everything they start.
What stands in: checkout (clones the test's repository), setup-python (a virtual environment), the artifact store and GitHub
Pages (folders). What is left out: the length of a concurrency group's queue and a job's `continue-on-error`, which `act` does
not know.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from meshkit_chaos.pipelines.pins import PINS

ROOT = Path(__file__).resolve().parents[2]
STANDINS = Path(__file__).parent / "standins"


@dataclass(frozen=True)
class Ended:
    """What came of one event: its exit code, all that was said, how each job ended, and its steps that failed.

    Jobs of a matrix have one id; a job that failed once has failed.
    """

    code: int
    said: str
    jobs: dict[str, str]
    failed_steps: tuple[str, ...]

    @classmethod
    def read(cls, code: int, output: str) -> Ended:
        said: list[str] = []
        jobs: dict[str, str] = {}
        steps: list[str] = []
        for line in output.splitlines():
            try:
                told = json.loads(line)
            except ValueError:
                told = {"msg": line}
            said.append(str(told.get("msg", "")).rstrip("\n"))
            if (result := told.get("jobResult")) and jobs.get(told["jobID"]) != "failure":
                jobs[told["jobID"]] = result
            if told.get("stepResult") == "failure" and told.get("stage") == "Main" and len(told.get("stepID", [])) == 1:
                steps.append(told["step"])
        return cls(code, "\n".join(said), jobs, tuple(dict.fromkeys(steps)))


@dataclass
class Forge:
    """A repository, its artifacts and its history remote, in one folder of a test."""

    folder: Path
    events: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        copy_project(self.repository)
        git(self.folder, "init", "--quiet", "--bare", str(self.remote))
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("as it is")

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def remote(self) -> Path:
        return self.folder / "history.git"

    @property
    def artifacts(self) -> Path:
        """Where the last event put its artifacts."""
        return self.folder / f"artifacts-{self.events}"

    def git(self, *words: str) -> str:
        """Run git in the repository."""
        return git(self.repository, *words)

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def act(self, event: str, workflow: str, *words: str, inputs: Mapping[str, str] = MappingProxyType({})) -> Ended:
        """Run one workflow for one event, to its end."""
        self.events += 1
        self.artifacts.mkdir()
        for path in self.repository.glob(".github/workflows/*.yml"):
            path.write_text(path.read_text().replace("      queue: max\n", ""))
        given = self.folder / f"event-{self.events}.json"
        given.write_text(json.dumps({"inputs": dict(inputs)}))
        environment = {
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),  # HOME is another one here
            "STANDIN_ORIGIN": str(self.repository),
            "STANDIN_PYTHON": sys.executable,
            "STANDIN_ARTIFACTS": str(self.artifacts),
            "PIP_NO_BUILD_ISOLATION": "0",  # that is how pip spells "off": the build needs nothing that is not here
            "MESHKIT_CHAOS_STATE": str(self.folder / "state"),
            "TMPDIR": str(self.temporary),
            "TERM": "dumb",
            **self.environment,
        }
        done = subprocess.run(
            [
                str(Path(sys.executable).parent / "act"),
                event,
                "--workflows",
                f".github/workflows/{workflow}.yml",
                "--eventpath",
                str(given),
                "--platform",
                "ubuntu-24.04=-self-hosted",
                "--pull=false",
                "--no-skip-checkout",
                "--no-cache-server",
                "--json",
                "--action-offline-mode",
                f"--action-cache-path={self.folder / 'act'}",
                *(
                    f"--local-repository={pin.action}@{pin.commit}={STANDINS / pin.action.partition('/')[2]}"
                    for pin in PINS.values()
                ),
                *(f"--env={name}={value}" for name, value in environment.items()),
                f"--var=CHAOS_HISTORY=git:{self.remote}#chaos-history",
                "--secret=GITHUB_TOKEN=stand-in",
                *words,
            ],
            cwd=self.repository,
            env={**os.environ, "TMPDIR": str(self.temporary), "HOME": str(self.folder), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=480,
            check=False,
        )
        return Ended.read(done.returncode, done.stdout)

    @property
    def temporary(self) -> Path:
        place = self.folder / "tmp"
        place.mkdir(exist_ok=True)
        return place


def git(folder: Path, *words: str) -> str:
    """Run git with an identity of its own, whatever the machine's configuration says."""
    identity = {
        f"GIT_{who}_{what}": f"chaos{'@example.org' if what == 'EMAIL' else ''}"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy_project(to: Path) -> None:
    """The project's files as they are in the working tree, without what is ignored.

    But for the policy's schedule: a night of a test comes at any hour.
    """
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            target = to / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    policy = to / "chaos-gate.yaml"
    policy.write_text(re.sub(r"^nightly:.*\n", "", policy.read_text(), flags=re.MULTILINE))
