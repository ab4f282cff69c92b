"""A small mesh of real processes that runs before anybody attaches to it, and the scripts by which an operator would handle it.

``member.py`` answers HTTP on its port; ``lever.py`` kills, starts, pauses, resumes and looks, by pid files. Files in the mesh's
folder make levers misbehave: ``slow`` (a number of seconds before the act), ``lies``, ``breaks``, ``hangs``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from meshkit_chaos.environments.processes import stat_of

MEMBER = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        if os.environ.get("MESH_TOKEN") and self.headers.get("Authorization") != "Bearer " + os.environ["MESH_TOKEN"]:
            self.send_response(401); self.end_headers(); return
        body = b"mesh_alive 1\\n"
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *words): pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
LEVER = """
import os, pathlib, signal, subprocess, sys, time
act, name, port = sys.argv[1:4]
here = pathlib.Path(__file__).parent
with (here / "acts").open("a") as acts: acts.write(f"{act} {name}\\n")
def stat(pid):
    try: return (pathlib.Path("/proc") / pid / "stat").read_text().rpartition(")")[2].split()
    except OSError: return None
pid = (here / f"{name}.pid").read_text()
now = stat(pid)
alive, stopped = now is not None and now[0] not in "ZX", now is not None and now[0] in "Tt"
if act in ("up", "paused", "who"):
    if (here / "blind").exists(): print("cannot reach the daemon", file=sys.stderr); sys.exit(7)
    if act == "who": print(f"{pid}@{now[19]}"); sys.exit(0)
    print("yes" if (alive if act == "up" else stopped) else "no"); sys.exit(0)
if (here / "hangs").exists(): print("waiting for the daemon", flush=True); subprocess.run(["sleep", "617.3"])
if (here / "slow").exists(): (here / "begun").touch(); time.sleep(float((here / "slow").read_text()))
if (here / "lies").exists(): sys.exit(0)
if (here / f"breaks-{act}").exists(): print("no such thing: " + " ".join(sys.argv[4:]), file=sys.stderr); sys.exit(3)
if act == "start":
    child = subprocess.Popen([sys.executable, "-I", "-S", str(here / "member.py"), port], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (here / f"{name}.pid").write_text(str(child.pid))
elif not alive: sys.exit(1)
else: os.kill(int(pid), getattr(signal, {"kill": "SIGKILL", "stop": "SIGTERM", "pause": "SIGSTOP", "resume": "SIGCONT"}[act]))
"""
ENVIRONMENT = """version: 1
name: %(name)s
kind: attached
members: [%(members)s]
host: 127.0.0.1
levers:
  kill: {do: [%(python)s, -I, -S, lever.py, kill, "${member.name}", "${member.port.http}"], undo_with: start}
  start: {do: [%(python)s, -I, -S, lever.py, start, "${member.name}", "${member.port.http}"]}
  pause: {do: [%(python)s, -I, -S, lever.py, pause, "${member.name}", "${member.port.http}"], undo_with: resume}
  resume: {do: [%(python)s, -I, -S, lever.py, resume, "${member.name}", "${member.port.http}"]}
observe:
  up: {command: [%(python)s, -I, -S, lever.py, up, "${member.name}", "-"], prints: "yes"}
  paused: {command: [%(python)s, -I, -S, lever.py, paused, "${member.name}", "-"], prints: "yes"}
  identity: {command: [%(python)s, -I, -S, lever.py, who, "${member.name}", "-"]}
lever_timeout: 3s
ready: {tcp: {address: "${member.host}:${member.port.http}"}, within: 10s}
metrics: {url: "http://${member.host}:${member.port.http}/metrics", every: 500ms, timeout: 500ms, names: [mesh_alive]}
"""
SCENARIOS = """version: 1
environment: mesh.yaml
indicators:
  all-alive: {promql: count(mesh_alive), good: "== 3"}
defaults:
  steady_state: {for: 1200ms, indicators: [all-alive]}
  rollback: {within: 10s, verify: [all-alive]}
scenarios:
  - id: member-%(fault)sd
    title: A member that was hit is missed and comes back
    steps: [{fault: %(fault)s, id: hit, target: {names: [node-2]}, hold: %(hold)s}]
    objectives: [{recover: all-alive, within: 4s, settle: 1s}]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mesh:
    """Three members in a folder; ``end`` leaves nothing of them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.ports = {f"node-{number}": free_port() for number in (1, 2, 3)}
        folder.mkdir(parents=True)
        (folder / "member.py").write_text(MEMBER)
        (folder / "lever.py").write_text(LEVER)
        self.write_environment()
        self.write_scenario("pause", "700ms")
        for member, port in self.ports.items():
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", str(folder / "member.py"), str(port)],
                start_new_session=True,
                env=self.member_env(),
            )
            child.returncode = 0  # it is not ours any more: it is a mesh that already runs
            (folder / f"{member}.pid").write_text(str(child.pid))
        for port in self.ports.values():
            wait_for(lambda port=port: answers(port), what=f"port {port} answers")

    def member_env(self) -> Mapping[str, str]:
        return {"PATH": os.defpath}

    def write_environment(self, change: Callable[[str], str] = lambda text: text) -> None:
        members = ", ".join(f"{{name: {member}, ports: {{http: {port}}}}}" for member, port in self.ports.items())
        text = ENVIRONMENT % {"name": self.name, "members": members, "python": sys.executable}
        (self.folder / "mesh.yaml").write_text(change(text))

    def write_scenario(self, fault: str, hold: str, change: Callable[[str], str] = lambda text: text) -> None:
        (self.folder / "chaos-scenarios.yaml").write_text(change(SCENARIOS % {"fault": fault, "hold": hold}))

    @property
    def file(self) -> str:
        return str(self.folder / "chaos-scenarios.yaml")

    def make(self, trouble: str, text: str = "") -> None:
        (self.folder / trouble).write_text(text)

    def cure(self, trouble: str) -> None:
        (self.folder / trouble).unlink()

    def pid(self, member: str) -> int:
        return int((self.folder / f"{member}.pid").read_text())

    def state(self, member: str) -> str:
        stat = stat_of(self.pid(member))
        return "down" if stat is None or stat[0] in "ZXx" else "paused" if stat[0] in "Tt" else "up"

    @property
    def states(self) -> dict[str, str]:
        return {member: self.state(member) for member in self.ports}

    @property
    def acts(self) -> list[str]:
        """What the levers were asked to do, in order; looks are left out."""
        file = self.folder / "acts"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if line.split()[0] not in {"up", "paused", "who"}]

    def end_member(self, member: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(member), signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid(member), 0)

    def end(self) -> None:
        for member in self.ports:
            self.end_member(member)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_for(look: Callable[[], object], *, what: str, within: float = 20.0) -> None:
    """Look again and again, soon enough for a moment that lasts a tenth of a second."""
    until = time.monotonic() + within
    while not look():
        assert time.monotonic() < until, f"not within {within} s: {what}"
        time.sleep(0.01)
