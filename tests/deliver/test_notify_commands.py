"""``notify`` as people and pipelines call it, before a tracker that checks every request."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_lines import Ended, command, write_documents
from fake_github import FakeGitHub
from served import Faulty, served
from virtual_runs import document, invoke, scenario_text

from meshkit_chaos.measure.loopback import Answer

TOKEN = "ghp_hunter2hunter2hunter2"
FAILING = document(scenario_text(objectives="[{converge: one-leader, within: 500ms}]"))
ROUTES = """
version: 1
project: mesh
channels:
  - id: tickets
    github: {{repository: acme/mesh, token: {{file: token}}, api: "{api}"}}
  - id: chat
    slack_webhook: {{url: {{env: CHAT_URL}}}}
routes:
  - {{id: gate, to: [chat], occasions: [gate-blocked]}}
  - {{id: what-goes-wrong, to: [tickets], occasions: [{occasions}]}}
"""


@dataclass
class Place:
    """A working folder with a routes file, and the tracker that it names."""

    folder: Path
    fake: FakeGitHub
    door: Faulty

    def notify(self, what: str, *arguments: object, routes: bool = True) -> Ended:
        more = ("--routes", self.folder / "routes.yaml") if routes else ()
        place = () if what in ("test", "lint") else ("--history", self.folder / "history")
        return command("notify", what, *arguments, *more, *place)

    def results(self, text: str | None = None, *, name: str = "out") -> Path:
        return invoke(self.folder / name, text).out


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    fake = FakeGitHub(token=TOKEN)
    door = Faulty(fake)
    with served(door) as api:
        occasions = "first-failure, still-failing, changed, recovered, nightly-missing"
        (tmp_path / "routes.yaml").write_text(ROUTES.format(api=api, occasions=occasions), encoding="utf-8")
        (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
        yield Place(tmp_path, fake, door)


def test_a_failure_becomes_one_ticket(place: Place) -> None:
    """Results are taken in, decided and told; twice is once, and the exit code is about the telling, not the verdict."""
    out = place.results(FAILING)
    ended = place.notify("send", out, "--format", "json")
    assert ended.code == 0, ended
    (row,) = ended.data
    assert (row["state"], row["channel"], row["occasion"]) == ("delivered", "tickets", "first-failure")
    assert "opened" in ended.err
    assert place.notify("send", out).code == 0
    assert place.notify("send", "latest").code == 0
    assert len(place.fake.issues) == 1
    assert place.fake.wrong == []
    assert command("history", "list", "--history", place.folder / "history").code == 0


def test_a_pass_that_nobody_asked_for_is_told_to_nobody(place: Place) -> None:
    """No route takes it, so nothing is sent, and that is no failure."""
    ended = place.notify("send", place.results())
    assert (ended.code, len(place.fake.issues)) == (0, 0), ended


def test_what_cannot_be_delivered_is_kept_and_seen(place: Place) -> None:
    """An outage: 2, with the reason; status says so; the next flush delivers it, once."""
    place.door.faults[:] = [Answer(status=503)] * 20
    ended = place.notify("send", place.results(FAILING), "--wait", "0s")
    assert ended.code == 2
    assert "not yet" in ended.err
    assert TOKEN not in ended.out + ended.err
    seen = place.notify("status", "--format", "json", routes=False)
    assert seen.code == 2
    assert [(one["state"], one["undelivered"]) for one in seen.data] == [("pending", True)]
    assert "pending" in place.notify("status", routes=False).out
    place.door.faults.clear()
    assert place.notify("flush", "--wait", "30s").code == 0
    assert place.notify("status", routes=False).code == 0
    assert len(place.fake.issues) == 1
    assert "delivered" in place.notify("status", "--all", routes=False).out


def test_preview_shows_it_and_does_nothing(place: Place) -> None:
    """It says where, why and how large, without a secret, a history or a request; sending then does exactly that."""
    (place.folder / "token").unlink()
    out = place.results(FAILING)
    ended = place.notify("preview", out)
    assert ended.code == 0, ended
    assert "tickets: first-failure:" in ended.out
    assert "route what-goes-wrong" in ended.out
    assert "characters (" in ended.out or "bytes (" in ended.out
    assert place.fake.asked == []
    assert not (place.folder / "history").exists()
    (place.folder / "token").write_text(TOKEN, encoding="utf-8")
    shown = place.notify("preview", out, "--format", "json").data
    assert place.notify("send", out).code == 0
    assert len(place.fake.issues) == len(shown) == 1
    body = json.loads(shown[0]["rendered"]["body"])
    assert body["title"] == next(iter(place.fake.issues.values())).title
    again = place.notify("preview", out)
    assert (again.out, again.code) == ("", 0)
    assert "0 messages would be sent" in again.err


def test_preview_explains_what_no_route_takes(place: Place) -> None:
    """With ``--explain`` every route answers for everything that was seen, also for what is sent nowhere."""
    out = place.results(FAILING)
    ended = place.notify("preview", out, "--explain")
    assert ended.code == 0, ended
    assert "summary: the night (no route takes it)" in ended.out
    assert "does not  gate: it takes gate-blocked" in ended.out
    assert "takes it  what-goes-wrong: route what-goes-wrong" in ended.out
    told = place.notify("preview", out, "--explain", "--format", "json").data
    assert len(told["messages"]) == 1
    assert [one["occasion"] for one in told["explained"]] == ["first-failure", "summary"]


def test_a_channel_can_be_tried_out(place: Place) -> None:
    """A test ticket is opened and closed again; a wrong token is told with who must act, and is 2."""
    ended = place.notify("test", "tickets")
    assert ended.code == 0, ended
    assert [issue.state for issue in place.fake.issues.values()] == ["closed"]
    (place.folder / "token").write_text("wrong-token-wrong", encoding="utf-8")
    ended = place.notify("test", "tickets", "--format", "json")
    assert ended.code == 2
    assert ended.data["outcome"] == "refused"
    assert "wrong-token" not in ended.out + ended.err
    assert place.notify("test", "nonsense").code == 4


def test_a_missing_secret_is_told_and_nothing_is_lost(place: Place) -> None:
    """The channel cannot be opened: what waits for it stays, and the command says which secret and ends with 2."""
    (place.folder / "token").unlink()
    ended = place.notify("send", place.results(FAILING))
    assert ended.code == 2
    assert "token" in ended.err
    (place.folder / "token").write_text(TOKEN, encoding="utf-8")
    assert place.notify("flush").code == 0
    assert len(place.fake.issues) == 1


def test_people_settle_what_was_refused(place: Place) -> None:
    """What is dead is visible until somebody sends it again or gives it up."""
    (place.folder / "token").write_text("wrong-token-wrong", encoding="utf-8")
    assert place.notify("send", place.results(FAILING)).code == 2
    (row,) = place.notify("status", "--format", "json", routes=False).data
    assert row["state"] == "dead"
    assert place.notify("flush").code == 0, "it was dead before; status tells it, and no later night is red for it"
    assert place.notify("resolve", row["key"], routes=False).code == 4
    assert place.notify("resolve", row["key"], "--drop", "--reference", "x", routes=False).code == 4
    (place.folder / "token").write_text(TOKEN, encoding="utf-8")
    assert place.notify("resolve", row["key"], "--again", routes=False).code == 0
    assert place.notify("flush").code == 0
    assert len(place.fake.issues) == 1
    assert place.notify("resolve", row["key"], "--drop", routes=False).code == 4


def test_a_job_that_is_run_again_is_not_green_for_what_was_refused(place: Place) -> None:
    """The same results again, and what tells of them is dead: a 2 that names it, until a person settles it."""
    out = place.results(FAILING)
    (place.folder / "token").write_text("wrong", encoding="utf-8")
    assert place.notify("send", out).code == 2
    (place.folder / "token").write_text(TOKEN, encoding="utf-8")
    for what in (out, "latest"):
        ended = place.notify("send", what, "--wait", "0s")
        assert ended.code == 2, ended
        assert "dead for tickets" in ended.err
    (row,) = place.notify("status", "--format", "json", routes=False).data
    assert place.notify("resolve", row["key"], "--again", routes=False).code == 0
    assert place.notify("send", out).code == 0
    assert len(place.fake.issues) == 1


def test_a_folder_that_is_no_result_is_refused_and_the_rest_told(place: Place) -> None:
    """One bad folder makes it 2; the others are taken in and told."""
    (place.folder / "empty").mkdir()
    ended = place.notify("send", place.folder / "empty", place.results(FAILING))
    assert ended.code == 2
    assert "refused" in ended.err
    assert len(place.fake.issues) == 1


def test_what_was_told_travels_to_the_next_job(place: Place) -> None:
    """A job that pulls, sends and pushes, and the next one on an empty disk: one ticket, also for what could not be sent."""
    share, out = place.folder / "share", place.results(FAILING)
    place.door.faults[:] = [Answer(status=503)] * 20
    assert place.notify("send", out, "--wait", "0s").code == 2
    pushed = command("history", "push", share, "--history", place.folder / "history", "--format", "json")
    assert pushed.data["deliveries"] >= 1
    place.door.faults.clear()
    for job in ("second", "third"):
        history = ("--history", place.folder / job)
        assert command("history", "pull", share, *history).code == 0
        ended = command("notify", "send", out, "--routes", place.folder / "routes.yaml", "--wait", "30s", *history)
        assert ended.code == 0, ended
        assert command("history", "push", share, *history).code == 0
        assert command("history", "verify", *history).code == 0
    assert len(place.fake.issues) == 1
    assert sum(asked.startswith("POST") for asked in place.fake.asked) == 1


def test_it_can_be_stopped(place: Place) -> None:
    """SIGTERM, as a CI that gives up on a job sends it: nothing new is begun, the row waits, and the process ends with 2 at
    once.
    """
    place.door.faults[:] = [Answer(status=503)] * 1000
    out = place.results(FAILING)
    arguments = ("notify", "send", out, "--routes", place.folder / "routes.yaml", "--history", place.folder / "history")
    process = subprocess.Popen(
        [sys.executable, "-m", "meshkit_chaos", *map(str, arguments), "--wait", "10m"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = [next(line for line in process.stderr if "not yet" in line)]
    process.send_signal(signal.SIGTERM)
    said += process.stderr.readlines()
    assert process.wait(30) == 2
    process.stderr.close()
    assert any("stopping" in line for line in said)
    (row,) = place.notify("status", "--format", "json", routes=False).data
    assert (row["state"], row["error"] != "") == ("pending", True)
    assert list((place.folder / "history" / "artifacts" / "deliveries").rglob("*.json")), "and its record is kept"


def test_a_blocked_gate_is_told(place: Place) -> None:
    """The decision of a gate is told from its JSON and from its log; what is neither is refused."""
    out = place.results(FAILING)
    policy = place.folder / "chaos-gate.yaml"
    policy.write_text('{version: 1, match: commit, requirements: [{id: all, scenarios: ["*"]}]}', encoding="utf-8")
    assert command("history", "import", out, "--history", place.folder / "history").code == 0
    log = place.folder / "log.jsonl"
    checked = command(
        "gate", "check", "--policy", policy, "--subject", "commit=c", "--history", place.folder / "history", "--log", log,
        "--format", "json",
    )  # fmt: skip
    assert checked.code == 2
    (place.folder / "decision.json").write_text(checked.out, encoding="utf-8")
    by_log = place.notify("preview", "--decision", log, "--format", "json").data
    by_json = place.notify("preview", "--decision", place.folder / "decision.json", "--format", "json").data
    assert [one["occasion"] for one in by_log] == [one["occasion"] for one in by_json] == ["gate-blocked"]
    assert place.notify("preview", "--decision", policy).code == 4


def test_a_nightly_that_did_not_come_is_told(place: Place) -> None:
    """The watch tells it once, by the policy's schedule; without a schedule it is refused."""
    policy = place.folder / "chaos-gate.yaml"
    base = 'version: 1\nmatch: commit\nrequirements: [{id: all, scenarios: ["*"]}]\n'
    policy.write_text(base, encoding="utf-8")
    assert place.notify("watch").code == 4
    policy.write_text(base + "nightly: {cron: '0 2 * * *', grace: 1h, timezone: UTC}\n", encoding="utf-8")
    for _ in range(2):
        ended = place.notify("watch", "--policy", policy)
        assert ended.code == 0, ended
    assert [issue.state for issue in place.fake.issues.values()] == ["open"]


def test_lint_reads_only(place: Place) -> None:
    """A good file is 0, a bad one 4 with its line; it needs no secret."""
    (place.folder / "token").unlink()
    assert place.notify("lint").code == 0
    (place.folder / "routes.yaml").write_text("version: 1\nproject: mesh\nchannel: []\n", encoding="utf-8")
    ended = place.notify("lint")
    assert ended.code == 4
    assert "routes.yaml:3" in ended.out
    assert place.notify("lint", "--format", "json").code == 4


def test_documents_are_written_for_the_history(place: Place) -> None:
    """What `send` takes in is as complete as what `history import` takes in."""
    assert place.notify("send", place.results(FAILING)).code == 0
    assert command("history", "verify", "--history", place.folder / "history").code == 0
    assert write_documents(place.folder / "docs").exists()
