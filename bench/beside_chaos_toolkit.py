"""Ours beside the Chaos Toolkit, where both do the same: kill a process, look whether it answers, start it again.

The newest ``chaostoolkit`` that installs goes into a throwaway venv (``--chaos PATH`` names one that is there). The first table
is the wall time of whole processes; of a run, also without what its document asks to be waited for. The second says how each
ends when the run proves nothing, fails, or is broken off while the member is down, and whether the member is there afterwards.
Ours starts the member itself and removes it, which is in its time; the Chaos Toolkit is given one that runs. Asserts nothing.
Linux only: it looks into ``/proc``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

MEMBER: Final = """
import subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
if sys.argv[2:] == ["start"]:
    quiet = {"stdin": -3, "stdout": -3, "stderr": -3, "start_new_session": True}
    sys.exit(not subprocess.Popen([sys.executable, "-I", "-S", *sys.argv[:2]], **quiet).pid)
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"mesh_alive 1\\n"
        self.send_response(200 if self.path in ("/", "/metrics") else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
ENVIRONMENT: Final = """version: 1
name: mesh
kind: process
members: [a]
ports: [http]
command: [%(python)s, -I, -S, %(member)s, "${member.port.http}"]
ready: {http: {url: "http://${member.host}:${member.port.http}/"}, within: 10s}
metrics: {url: "http://${member.host}:${member.port.http}/metrics"}
"""
SCENARIOS: Final = """version: 1
environment: mesh.yaml
indicators:
  up: {probe: {http: {url: "http://${member.host}:${member.port.http}/"}, every: 100ms}}
  errors: {promql: sum(mesh_errors), good: "<= 5"}
defaults:
  steady_state: {for: 300ms, indicators: [up]}
scenarios:
  - id: killed
    title: A member comes back
    prerequisites: [%(need)s]
    steps: [{fault: kill, id: hit, target: {}, hold: %(hold)s}]
    objectives: [%(objective)s]
"""
GOOD: Final = {
    "need": "{indicator: up, within: 1s}",
    "objective": "{recover: up, within: 1s, settle: 300ms}",
    "hold": "1s",
}
WAITS_OURS: Final = 0.3 + 1 + 1.3
WAITS_THEIRS: Final = 1 + 0.3
WRONG: Final = "{check: {http: {url: 'http://${member.host}:${member.port.http}/missing'}}, within: 1s}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    seconds: float
    said: str


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=1) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def members(folder: Path) -> list[int]:
    """Processes that run our member's file."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(folder / "member.py").encode() in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return found


def clear(folder: Path) -> None:
    for pid in members(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_until(holds: Callable[[], bool], *, within: float) -> None:
    end = time.perf_counter() + within
    while time.perf_counter() < end and not holds():
        time.sleep(0.02)


def ended(
    command: Sequence[str], folder: Path, *, sent: signal.Signals | None = None, down: Callable[[], bool] = bool
) -> Ended:
    """Run to its end; ``sent``: once ``down`` holds, and a little later."""
    log = folder / "said.txt"
    start = time.perf_counter()
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if sent is not None:
            wait_until(down, within=20)
            time.sleep(0.3)
            process.send_signal(sent)
        code = process.wait(60)
    return Ended(code=code, seconds=time.perf_counter() - start, said=log.read_text(encoding="utf-8", errors="replace"))


class Ours:
    """Each run in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tool = shutil.which("meshkit-chaos", path=str(Path(sys.executable).parent)) or "meshkit-chaos"
        self._runs = 0

    def write(self, **changed: str) -> None:
        values = {"python": json.dumps(sys.executable), "member": json.dumps(str(self.folder / "member.py"))}
        (self.folder / "mesh.yaml").write_text(ENVIRONMENT % values, encoding="utf-8")
        (self.folder / "chaos-scenarios.yaml").write_text(SCENARIOS % {**GOOD, **changed}, encoding="utf-8")

    def run(self, *, sent: signal.Signals | None = None, **changed: str) -> tuple[Ended, str]:
        self.write(**changed)
        self._runs += 1
        log = self.folder / "said.txt"
        done = ended(
            [self.tool, "run", "--out", f"results-{self._runs}"],
            self.folder,
            sent=sent,
            down=lambda: "   inject " in log.read_text(encoding="utf-8"),
        )
        if sent == signal.SIGKILL:
            wait_until(lambda: not members(self.folder), within=8)
        left = len(members(self.folder))
        clear(self.folder)
        subprocess.run([self.tool, "recover"], cwd=self.folder, capture_output=True, check=False)
        return done, f"{left} left" if left else "nothing left"


class Theirs:
    """One experiment a run, for a member that runs already."""

    def __init__(self, folder: Path, tool: str) -> None:
        self.folder, self.tool = folder, tool
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.flags = ["--no-version-check", "--settings", str(folder / "settings.yaml")]

    def write(self, *, path: str = "", tolerance: object = 200, restart: bool = True, hold: float = 1) -> None:
        pid = members(self.folder)[0] if members(self.folder) else 0
        http = {"type": "http", "url": f"http://127.0.0.1:{self.port}/{path}", "timeout": 1}
        start_it = [str(self.folder / "member.py"), str(self.port), "start"]
        start = {
            "type": "action",
            "name": "start",
            "provider": {"type": "process", "path": sys.executable, "arguments": start_it},
            "pauses": {"after": 0.3},
        }
        kill = {
            "type": "action",
            "name": "kill",
            "provider": {"type": "process", "path": "kill", "arguments": ["-9", str(pid)]},
            "pauses": {"after": hold},
        }
        probe = {"type": "probe", "name": "up", "tolerance": tolerance, "provider": http}
        document = {
            "title": "A member comes back",
            "description": "killed, and started again",
            "steady-state-hypothesis": {"title": "up", "probes": [probe]},
            "method": [kill, start] if restart else [kill],
            "rollbacks": [] if restart else [start],
        }
        (self.folder / "experiment.json").write_text(json.dumps(document), encoding="utf-8")

    def run(
        self, *more: str, sent: signal.Signals | None = None, path: str = "", tolerance: object = 200, restart: bool = True
    ) -> tuple[Ended, str]:
        subprocess.run([sys.executable, self.folder / "member.py", str(self.port), "start"], check=True)
        wait_until(lambda: answers(self.port), within=5)
        self.write(path=path, tolerance=tolerance, restart=restart, hold=5 if sent else 1)
        command = [self.tool, *self.flags, "run", *more, "experiment.json"]
        done = ended(command, self.folder, sent=sent, down=lambda: not answers(self.port))
        wait_until(lambda: answers(self.port), within=1)
        there = "member up" if answers(self.port) else "member down"
        clear(self.folder)
        return done, there


def times(ours: Ours, theirs: Theirs, often: int) -> None:
    """Whole processes: the least and the median."""
    ours.write()
    theirs.write()
    print(f"{'process':<26} {'ours min':>9} {'median':>7} {'theirs min':>11} {'median':>7}  x theirs (min)")
    pairs = {
        "--version": ([ours.tool, "--version"], [theirs.tool, *theirs.flags, "--version"]),
        "--help": ([ours.tool, "--help"], [theirs.tool, *theirs.flags, "--help"]),
        "lint / validate": ([ours.tool, "lint"], [theirs.tool, *theirs.flags, "validate", "experiment.json"]),
    }
    for title, (mine, other) in pairs.items():
        found = [[ended(command, ours.folder).seconds * 1000 for _ in range(often + 1)][1:] for command in (mine, other)]
        row(title, *found)
    runs = [[one().seconds * 1000 for _ in range(3)] for one in (lambda: ours.run()[0], lambda: theirs.run()[0])]
    row("run", *runs)
    row("run, less what it waits", [ms - WAITS_OURS * 1000 for ms in runs[0]], [ms - WAITS_THEIRS * 1000 for ms in runs[1]])


def row(title: str, mine: list[float], other: list[float]) -> None:
    ratio = min(mine) / min(other)
    print(
        f"{title:<26} {min(mine):>9.0f} {statistics.median(mine):>7.0f} {min(other):>11.0f} {statistics.median(other):>7.0f}"
        f"  {ratio:.2f}",
        flush=True,
    )


def endings(ours: Ours, theirs: Theirs) -> None:
    """How each ends, and its word for it."""
    print(f"\n{'case':<26} {'tool':<7} {'exit':>4}  {'afterwards':<13} its word")
    errors = {"type": "regex", "target": "body", "pattern": "mesh_errors [0-5]"}
    objective = "{converge: errors, within: 1s, settle: 300ms, disturbance: optional}"
    missed = "{converge: up, within: 200ms, settle: 300ms}"
    cases = {
        "all is well": (ours.run, theirs.run),
        "prerequisite is false": (lambda: ours.run(need=WRONG), lambda: theirs.run(path="missing")),
        "no data (metric is absent)": (
            lambda: ours.run(objective=objective),
            lambda: theirs.run(path="metrics", tolerance=errors),
        ),
        "objective is missed": (lambda: ours.run(objective=missed), lambda: theirs.run(restart=False)),
        "… rollbacks: always": (None, lambda: theirs.run("--rollback-strategy=always", restart=False)),
        "SIGINT while it is down": (
            lambda: ours.run(sent=signal.SIGINT, hold="5s"),
            lambda: theirs.run(sent=signal.SIGINT, restart=False),
        ),
        "… + rollbacks: always": (
            None,
            lambda: theirs.run("--rollback-strategy=always", sent=signal.SIGINT, restart=False),
        ),
        "SIGKILL while it is down": (
            lambda: ours.run(sent=signal.SIGKILL, hold="5s"),
            lambda: theirs.run("--rollback-strategy=always", sent=signal.SIGKILL, restart=False),
        ),
    }
    for title, pair in cases.items():
        for tool, one in zip(("ours", "theirs"), pair, strict=True):
            if one is not None:
                done, after = one()
                print(f"{title:<26} {tool:<7} {done.code:>4}  {after:<13} {word(done.said)}", flush=True)


def word(said: str) -> str:
    """The line that says how it ended."""
    lines = [" ".join(line.split()) for line in said.splitlines()]
    wanted = [line for line in lines if "ended with status" in line or line.startswith(("✓ ", "✗ ", "? ", "! ", "- ", "– "))]
    found = (wanted or [line for line in lines if line] or ["(nothing)"])[-1]
    return found.split("INFO] ")[-1][:80]


def chaos(folder: Path, given: str) -> tuple[str, str]:
    """The command and its version, or why there is none."""
    tool = given
    if not tool:
        python, tool = folder / "venv" / "bin" / "python", str(folder / "venv" / "bin" / "chaos")
        for command in (
            [sys.executable, "-m", "venv", folder / "venv"],
            [python, "-m", "pip", "install", "-q", "chaostoolkit"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return "", f"chaostoolkit cannot be installed: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}"
    done = subprocess.run([tool, "--version"], capture_output=True, text=True, cwd=folder, check=False)
    return tool, done.stdout.strip() or done.stderr.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description="Ours beside the Chaos Toolkit.")
    parser.add_argument("-n", type=int, default=5, help="how often each short process is started (default 5)")
    parser.add_argument("--chaos", default="", help="a chaos command that is installed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "member.py").write_text(MEMBER, encoding="utf-8")
        tool, version = chaos(folder, given.chaos)
        print(version)
        if not tool:
            return
        ours, theirs = Ours(folder), Theirs(folder, tool)
        try:
            times(ours, theirs, given.n)
            endings(ours, theirs)
        finally:
            clear(folder)


if __name__ == "__main__":
    sys.exit(main())
