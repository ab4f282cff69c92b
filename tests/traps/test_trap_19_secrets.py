"""Trap 19: a secret in output, journal, report, URL, exception. Here it is redacted, and a leak makes the run invalid.

Real members are given the secret and do their worst with it; then every byte that was written is searched for it.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from attached_mesh import Mesh, wait_for

from meshkit_chaos.cli import app
from meshkit_chaos.environments.processes import find_marked
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.judge import judge

TOKEN = 'k3y/of+the "mesh"&<more>'
MEMBER = """
import base64, json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import quote
token = os.environ["MESH_TOKEN"]
print("starting with token", token, base64.b64encode(b"admin:" + token.encode()).decode(), quote(token, safe=""), repr(token))
print("argv", sys.argv[1:], flush=True)
if "--die" in sys.argv: sys.exit("cannot log in as admin with " + token)
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/metrics":
            body = b"mesh_alive%s 1\\n" % (os.environ.get("LABELS", "").encode())
        elif self.headers.get("Authorization") == "Bearer " + token: body = b'{"ok": "yes"}'
        else: body = json.dumps({"ok": "'no', expected " + token}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *words): pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
ENVIRONMENT = """version: 1
name: secretive
kind: process
secrets: {TOKEN: {env: SOME_TOKEN}}
members: [a, b, c]
ports: [http]
command: [%(python)s, -I, -S, %(member)s, "${member.port.http}"]
env: {MESH_TOKEN: "${secret.TOKEN}"}
ready:
  http:
    url: http://${member.host}:${member.port.http}/health
    headers: {Authorization: "Bearer ${secret.TOKEN}"}
    path: ok
    equals: "yes"
  within: 10s
metrics: {url: "http://${member.host}:${member.port.http}/metrics"}
"""
SCENARIOS = """version: 1
environment: mesh.yaml
indicators:
  all-alive: {promql: count(mesh_alive), good: "== 3"}
  welcome:
    probe:
      http:
        url: http://${member.host}:${member.port.http}/?t=${secret.TOKEN}
        headers: {Authorization: "Bearer ${secret.TOKEN}"}
      need: any
defaults:
  steady_state: {for: 600ms, indicators: [all-alive, welcome]}
scenarios:
  - id: member-killed
    title: A member comes back
    prerequisites:
      - check: {http: {url: "http://${member.host}:${member.port.http}/", headers: {Authorization: "Bearer ${secret.TOKEN}"}}}
    steps: [{fault: kill, id: hit, target: {names: [b]}, hold: 600ms}]
    objectives: [{recover: all-alive, within: 2s, settle: 400ms}]
"""
WRITTEN_AS = (
    TOKEN.encode(),
    json.dumps(TOKEN)[1:-1].encode(),
    quote_plus(TOKEN).encode(),
    base64.b64encode(b"admin:" + TOKEN.encode())[8:-4],
    b"k3y/of+the",
    b"k3y%2Fof",
)


class Corner:
    """Documents, results and talk of one test."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.out, self._capsys = folder, folder / "out", capsys
        (folder / "member.py").write_text(MEMBER)
        self.environment(lambda text: text)
        self.scenarios(lambda text: text)

    def environment(self, change: Callable[[str], str]) -> None:
        text = ENVIRONMENT % {"python": sys.executable, "member": self.folder / "member.py"}
        (self.folder / "mesh.yaml").write_text(change(text))

    def scenarios(self, change: Callable[[str], str]) -> None:
        (self.folder / "chaos-scenarios.yaml").write_text(change(SCENARIOS))

    def run(self, *more: str) -> int:
        self.code = app.run(["run", "--file", str(self.folder / "chaos-scenarios.yaml"), "--out", str(self.out), *more])
        captured = self._capsys.readouterr()
        self.said = captured.out + captured.err
        return self.code

    @property
    def record(self) -> Record:
        (journal,) = self.out.glob("runs/*/001/journal.jsonl")
        return read_record(journal.parent)

    @property
    def journal(self) -> str:
        (journal,) = self.out.glob("runs/*/001/journal.jsonl")
        return journal.read_text()

    def leaks(self) -> list[str]:
        """Every place that has the secret in it, in whatever form."""
        found = [f"{form!r} was said" for form in WRITTEN_AS if form in self.said.encode()]
        for path in (path for path in (*self.out.rglob("*"), *(self.folder / "state").rglob("*")) if path.is_file()):
            data = path.read_bytes()
            if path.parent.name == "samples":
                data = zlib.decompress(data)
            found += [f"{form!r} in {path.relative_to(self.folder)}" for form in WRITTEN_AS if form in data]
        return found


@pytest.fixture
def corner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Corner]:
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SOME_TOKEN", TOKEN)
    yield Corner(tmp_path, capsys)
    app.conceal(str)


def test_trap_19_a_secret_that_members_are_given_and_print_reaches_no_file(corner: Corner) -> None:
    """A run with a secret in environments, headers, URLs and member output passes, and nothing that it wrote holds it."""
    assert corner.run("--subject", f"build={TOKEN}", "--format", "json") == 0, corner.said
    assert corner.leaks() == []
    log = (corner.out / "runs" / "member-killed" / "001" / "logs" / "a" / "a.log").read_text()
    assert log.startswith("starting with token [secret TOKEN] ")
    assert log.count("[secret TOKEN]") == 4
    assert json.loads((corner.out / "verdict.json").read_bytes())["subject"] == {"build": "[secret TOKEN]"}
    state = json.loads((corner.out / "runs" / "member-killed" / "001" / "environment" / "environment.json").read_bytes())
    assert state["members"][0]["env"]["MESH_TOKEN"] == "${secret.TOKEN}"
    assert corner.record.first(ev.SecretLeaked) is None


def test_the_url_of_a_failing_check_and_its_answer_are_redacted(corner: Corner) -> None:
    """A check that fails is told with what was seen, but for the secret that was in its address and in its answer."""
    corner.environment(
        lambda text: (
            text.replace("within: 10s", "within: 1s")
            .replace("/health", "/health?token=${secret.TOKEN}")
            .replace('headers: {Authorization: "Bearer ${secret.TOKEN}"}', "headers: {Authorization: none}")
        )
    )
    assert corner.run() == 2
    assert corner.leaks() == []
    failed = corner.record.first(ev.DeployFailed)
    assert failed is not None
    assert "ok is" in failed[1].reason


def test_the_last_words_of_a_member_that_dies_are_redacted(corner: Corner) -> None:
    """An exception that quotes a member's output quotes it without the secret."""
    corner.environment(lambda text: text.replace('"${member.port.http}"]', '"${member.port.http}", --die]'))
    assert corner.run() == 2
    assert corner.leaks() == []
    failed = corner.record.first(ev.DeployFailed)
    assert failed is not None
    assert "cannot log in as admin with [secret TOKEN]" in failed[1].reason


def test_a_secret_on_the_command_line_of_a_lever_is_redacted(corner: Corner, tmp_path: Path) -> None:
    """A lever that fails and echoes its arguments is quoted without the secret; the state holds only a reference."""
    mesh = Mesh(tmp_path / "mesh", "staging-mesh")
    try:
        mesh.write_environment(
            lambda text: (
                text.replace(
                    'pause, "${member.name}", "${member.port.http}"]', 'pause, "${member.name}", x, "${secret.TOKEN}"]'
                )
                + 'secrets: {TOKEN: {env: SOME_TOKEN}}\nenv: {MESH_TOKEN: "${secret.TOKEN}"}\n'
            )
        )
        mesh.make("breaks-pause")
        corner.code = app.run(["run", "--file", mesh.file, "--out", str(corner.out), "--allow-commands"])
        captured = corner._capsys.readouterr()
        corner.said = captured.out + captured.err
    finally:
        mesh.end()
    assert corner.code == 2, corner.said
    assert corner.leaks() == []
    failed = corner.record.first(ev.FaultFailed)
    assert failed is not None
    assert "its last words: no such thing: [secret TOKEN]" in failed[1].reason
    assert "${secret.TOKEN}" in (tmp_path / "state" / "environments" / "staging-mesh" / "environment.json").read_text()


def test_trap_19_a_secret_that_gets_into_the_record_all_the_same_makes_the_run_invalid(
    corner: Corner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member that exports the secret as a label is told by file and name, never by value, and the run is no pass."""
    labels = "LABELS: '{token=\"${secret.TOKEN}\"}'"
    corner.environment(lambda text: text.replace("env: {MESH", f"env: {{{labels}, MESH"))
    token = "plain-but-secret"
    monkeypatch.setenv("SOME_TOKEN", token)
    assert corner.run() == 2, corner.said
    leaked = [event for _, event in corner.record.of(ev.SecretLeaked)]
    assert leaked
    assert {event.secret for event in leaked} == {"TOKEN"}
    assert all(event.file.startswith("samples/") for event in leaked)
    verdict = judge(corner.record)
    assert verdict.verdict == "invalid"
    (finding,) = [found for found in verdict.findings if found.id == "secrets-kept"]
    assert "a secret leaked into the run's output: TOKEN in samples/" in finding.sentence
    assert "the record" in finding.hint
    assert token not in corner.journal
    assert token not in corner.said
    assert all(
        token not in (corner.out / name).read_text() for name in ("junit.xml", "summary.md", "verdict.json", "report.html")
    )


def test_the_watchdog_keeps_secrets_too(corner: Corner) -> None:
    """When the runner is killed, whoever undoes collects the logs, and redacts them as well."""
    corner.scenarios(lambda text: text.replace("hold: 600ms", "hold: 60s"))
    file = str(corner.folder / "chaos-scenarios.yaml")
    words = [sys.executable, "-m", "meshkit_chaos", "run", "--file", file, "--out", str(corner.out)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: list(corner.out.glob("runs/*/001/journal.jsonl")), what="there is a journal")
    wait_for(lambda: corner.record.first(ev.FaultInjected), what="the fault was injected")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: corner.record.last(ev.TeardownDone), what="it was torn down")
    assert corner.record.started is not None
    assert find_marked(corner.record.started.run) == ()
    assert {event.member for _, event in corner.record.of(ev.LogCollected)} == {"a", "b", "c"}
    corner.said = ""
    assert corner.leaks() == []


def test_a_secret_that_is_not_there_is_told_before_anything_starts(corner: Corner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is not set ends with 2, and nothing was begun."""
    monkeypatch.delenv("SOME_TOKEN")
    assert corner.run() == 2
    assert "secret TOKEN: the environment variable SOME_TOKEN is not set" in corner.said
    assert not corner.out.exists()
