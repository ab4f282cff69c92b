"""Single steps of a shipped workflow, started as GitHub's runner starts and cancels them.

Its sequence, in its own times: SIGINT to the step's entry process, SIGTERM 7.5 s later, SIGKILL to the whole tree 2.5 s after
that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from meshkit_chaos.environments.processes import stat_of

INTERRUPTED_S, TERMINATED_S = 7.5, 2.5
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")


def step_of(workflow: str, job: str, name: str) -> dict[str, Any]:
    """A step by its name."""
    steps: list[dict[str, Any]] = yaml.safe_load(workflow)["jobs"][job]["steps"]
    return next(step for step in steps if step.get("name") == name)


def start(step: Mapping[str, Any], *, folder: Path, variables: Mapping[str, str], output: Path) -> subprocess.Popen[bytes]:
    """Start a step's script, in the shell that ``shell: bash`` means."""
    assert step["shell"] == "bash"
    script = folder / "step.sh"
    script.write_text(step["run"])
    with output.open("wb") as said:
        return subprocess.Popen(
            [*SHELL, str(script)], cwd=folder, env=dict(variables), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )


def cancel(process: subprocess.Popen[bytes]) -> list[str]:
    """The runner's sequence, literally. Gives the signals that it took."""
    sent = []
    for number, patience in ((signal.SIGINT, INTERRUPTED_S), (signal.SIGTERM, TERMINATED_S)):
        process.send_signal(number)
        sent.append(number.name)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
            return sent
    kill_tree(process.pid)
    process.wait(timeout=10)
    return [*sent, "SIGKILL"]


def kill_tree(pid: int) -> None:
    """The process first, then its children, as the runner does it: whoever was reparented by then gets away."""
    children = children_of(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for child in children:
        kill_tree(child)


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError, ValueError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == pid and stat_of(int(entry.name)) is not None:
                    found.append(int(entry.name))
    return found
