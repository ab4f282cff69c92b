"""Tickets on GitHub, against a server that checks every request: one per cause, whatever the network and people do."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from fake_github import Comment, FakeGitHub
from msgspec import structs
from served import Fault, certificates, closed_address, served
from tracker_world import DAY, START, TOKEN, World, action, github

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.deliver.action import (
    Action,
    Again,
    CannotLook,
    Delivered,
    Found,
    NotThere,
    Occasion,
    Outcome,
    Refused,
    Unsure,
)
from meshkit_chaos.deliver.github import open_github
from meshkit_chaos.deliver.sending import Sender
from meshkit_chaos.deliver.settings import GitHubIssues
from meshkit_chaos.measure.access import Secrets
from meshkit_chaos.measure.loopback import Answer, Request
from meshkit_chaos.scenario.metric_sources import SecretRef


def test_the_life_of_a_ticket(tmp_path: Path) -> None:
    """The first failure opens, the next ones comment, clean nights close, a relapse reopens; all in one ticket."""
    with github(tmp_path) as world:
        assert world.did(action(1, at=START)) == "opened"
        assert world.did(action(2, at=world.days(1))) == "commented"
        assert world.did(action(3, "changed", at=world.days(1))) == "commented"
        assert world.did(action(4, "clean", at=world.days(1), clean=1)) == "left"
        assert world.did(action(5, "clean", at=world.days(2), clean=3)) == "closed"
        assert world.did(action(6, at=world.days(2))) == "reopened"
    (issue,) = world.fake.issues.values()
    assert (issue.state, len(issue.comments), issue.assignees) == ("open", 4, ["octocat"])
    assert [label for label in issue.labels if not label.startswith("chaos-")] == ["chaos", "module:leadership"]
    assert world.fake.wrong == []


def test_the_sender_finds_its_ticket_without_its_record(tmp_path: Path) -> None:
    """Label and marker lead to the ticket where the history was lost, and so does the marker alone."""
    with github(tmp_path) as world:
        world.did(action(1))
        world.thread.clear()
        assert world.did(action(2)) == "commented"
        world.thread.clear()
        world.fake.issues[1].labels.clear()
        assert world.did(action(3)) == "commented"
    assert len(world.fake.issues) == 1


def test_the_sender_finds_its_ticket_when_people_rewrote_it(tmp_path: Path) -> None:
    """With our record alone, or with the label alone, a rewritten description is still the same ticket, and stays."""
    with github(tmp_path) as world:
        world.did(action(1))
        world.fake.issues[1].body, world.fake.issues[1].title = "We are on it.", "Leader election is slow"
        world.fake.issues[1].labels = ["p1"]
        assert world.did(action(2)) == "commented"
        world.fake.issues[1].labels.append(next(label for label in _labels_of(world) if label.startswith("chaos-")))
        world.thread.clear()
        assert world.did(action(3)) == "commented"
    (issue,) = world.fake.issues.values()
    assert (issue.body, issue.title, issue.labels[0]) == ("We are on it.", "Leader election is slow", "p1")


def _labels_of(world: World[FakeGitHub]) -> list[str]:
    """The labels with which a ticket is created."""
    rendered = world.sender.render(action(9), ())
    return [part for part in rendered.body.split('"') if part.startswith("chaos")]


def test_a_ticket_that_a_person_deleted_is_opened_anew(tmp_path: Path) -> None:
    """Our record names an issue that is gone, and the cause goes on."""
    with github(tmp_path) as world:
        world.did(action(1))
        del world.fake.issues[1]
        world.fake.gone.add(1)
        world.fake.opened_by_hand(title="other", body="other")
        world.fake.opened_by_hand(title="another", body="another")
        assert world.did(action(2)) == "opened"


def test_a_record_of_another_repository_leads_nowhere(tmp_path: Path) -> None:
    """The channel keeps its name and gets another repository: what has our ticket's number there is somebody else's."""
    with github(tmp_path) as world:
        world.did(action(1))
        recorded = world.thread[-1].receipt
        assert recorded is not None
        elsewhere = structs.replace(recorded, url=recorded.url.replace("acme/mesh", "acme/before"))
        world.thread[-1] = structs.replace(world.thread[-1], receipt=elsewhere)
        world.fake.issues.clear()
        theirs = world.fake.opened_by_hand(title="something else", body="by a person")
        assert str(theirs.number) == recorded.reference
        assert world.did(action(2, "clean", at=world.days(1), clean=3)) == "left"
        assert world.did(action(3, at=world.days(1))) == "opened"
    assert (theirs.state, theirs.comments) == ("open", [])


def test_what_a_person_will_not_fix_is_left(tmp_path: Path) -> None:
    """Closed as not planned: it is never reopened nor opened again, and the receipt says what is needed instead."""
    with github(tmp_path) as world:
        world.did(action(1))
        world.fake.close_by_hand(1, reason="not_planned")
        for night in range(2, 40):
            outcome = world.send(action(night, at=world.days(1)))
            assert isinstance(outcome, Delivered)
            assert outcome.receipt.did == "left"
            assert "waiver" in outcome.receipt.note
    assert len(world.fake.issues) == 1
    assert world.fake.issues[1].state == "closed"


def test_what_a_person_closed_as_done_comes_back_only_for_a_newer_failure(tmp_path: Path) -> None:
    """A failure from before the closing says nothing about the fix; one from after it does."""
    with github(tmp_path) as world:
        world.did(action(1))
        world.days(2)
        world.fake.close_by_hand(1)
        assert world.did(action(2, at=START + DAY)) == "left"
        assert world.did(action(3, at=world.days(1))) == "reopened"
        assert "fixed by 2026-01-03 00:00Z, back at 2026-01-04 00:00Z" in world.fake.issues[1].comments[-1].body


def test_two_tickets_of_one_cause_become_one(tmp_path: Path) -> None:
    """The oldest is kept; ours beside it is closed as its duplicate, with a comment; a person's copy is left."""
    with github(tmp_path) as world:
        world.did(action(1))
        first = world.fake.issues[1]
        twin = world.fake.opened_by_hand(title=first.title, body=first.body, labels=tuple(first.labels), by=first.author)
        copy = world.fake.opened_by_hand(title="copy", body=first.body, labels=tuple(first.labels), by="mona")
        assert world.did(action(2)) == "commented"
    assert (first.state, twin.state, twin.reason, copy.state) == ("open", "closed", "duplicate", "open")
    assert "ticket 1" in twin.comments[0].body
    assert len(first.comments) == 1
    assert world.fake.wrong == []


def test_trap_17_a_creation_repeated_after_a_time_out_makes_one_ticket(tmp_path: Path) -> None:
    """The answer to the creation never came. Looking finds the issue, and sending again would not have doubled it."""
    with github(tmp_path, timeout="1s", lag_s=30.0) as world:
        outcome = world.send(action(1), None, None, "late")
        assert isinstance(outcome, Unsure)
        assert world.sender.when_unsure == "look"
        assert isinstance(world.sender.look(action(1), ()), NotThere), "GitHub does not list it yet"
        world.days(31 / 86_400)
        found = world.sender.look(action(1), ())
        assert isinstance(found, Found)
        assert (found.receipt.did, found.receipt.reference) == ("opened", "1")
        assert world.did(action(1)) == "opened"
    assert len(world.fake.issues) == 1
    assert world.fake.issues[1].comments == []


WAITED_FOR: tuple[Fault, ...] = ("silent", "late", "drip")
"""Each costs a whole time-out, so they are tried at one step, and one of them while looking."""


def _patience(fault: Fault) -> str:
    return "1s" if fault in WAITED_FOR else "10s"


def _name(value: object) -> str:
    if isinstance(value, Answer):
        return f"{value.status} {value.body.decode()[:24]}{' Retry-After' if 'Retry-After' in value.headers else ''}"
    return value.__name__ if isinstance(value, type) else str(value)


SURELY_NOT: tuple[Fault, ...] = (
    Answer.of({"message": "Validation Failed", "errors": ["was submitted too quickly"]}, status=422),
    Answer(status=429),
    Answer(status=429, headers={"Retry-After": "30"}),
    Answer.of({"message": "You have exceeded a secondary rate limit."}, status=403),
    Answer.of({"message": "API rate limit exceeded"}, status=403, x_ratelimit_remaining="0", x_ratelimit_reset="1767225700"),
)
PERHAPS: tuple[Fault, ...] = (
    "cut-before",
    "cut-after",
    "half",
    "oversized",
    Answer(status=500),
    Answer(status=502, body=b"<html>bad gateway</html>"),
    Answer.of({"message": "Something went wrong"}, status=200),
    Answer.of({"message": "Something went wrong"}, status=201),
    Answer(status=201, body=b"{"),
)
NEVER: tuple[Fault, ...] = (
    Answer.of({"message": "Bad credentials"}, status=401),
    Answer.of({"message": "Repository was archived so is read-only."}, status=403),
    Answer.of({"message": "Issues has been disabled in this repository."}, status=410),
    Answer.of({"message": "Moved Permanently"}, status=301),
    Answer.of({"message": "Not Found"}, status=404),
)


CHANGES = [
    *((fault, Again) for fault in SURELY_NOT),
    *((fault, Unsure) for fault in PERHAPS),
    *((fault, Refused) for fault in NEVER),
]


@pytest.mark.parametrize(
    ("fault", "expected", "step"),
    [
        *((fault, expected, step) for fault, expected in CHANGES for step in ("opening", "comment", "closing")),
        *((fault, Unsure, "opening") for fault in WAITED_FOR),
    ],
    ids=_name,
)
def test_a_fault_at_the_change_is_told_apart_and_doubles_nothing(
    tmp_path: Path, fault: Fault, expected: type[Outcome], step: str
) -> None:
    """Whatever happens to the request that changes something, the outcome says what is known, and repeating it is safe."""
    with github(tmp_path, timeout=_patience(fault)) as world:
        if step != "opening":
            world.did(action(1))
        sent = action(2, "clean", clean=3) if step == "closing" else action(2)
        before = {"opening": 2, "comment": 3, "closing": 4}[step]
        outcome = world.send(sent, *[None] * before, fault)
        if step == "closing" and expected is Again:
            assert isinstance(outcome, Unsure), "the comment is there, the state is not: it must be looked for"
        else:
            assert isinstance(outcome, expected), outcome
        assert TOKEN not in str(outcome)
        for _ in range(2):
            assert isinstance(world.send(sent), Delivered)
    (issue,) = world.fake.issues.values()
    assert (len(issue.comments), issue.state) == {"opening": (0, "open"), "comment": (1, "open"), "closing": (1, "closed")}[
        step
    ]
    assert world.fake.wrong == []


@pytest.mark.parametrize("fault", [*SURELY_NOT, *PERHAPS, *NEVER, "silent"], ids=_name)
def test_a_fault_while_looking_changes_nothing(tmp_path: Path, fault: Fault) -> None:
    """Where GitHub cannot say whether there is a ticket, none is opened, and a look says that it could not look."""
    with github(tmp_path, timeout=_patience(fault)) as world:
        outcome = world.send(action(1), fault)
        assert isinstance(outcome, Again | Refused), outcome
        world.faulty.faults = [fault]
        look = world.sender.look(action(1), ())
        assert isinstance(look, CannotLook)
        assert look.retry is (isinstance(outcome, Again))
    assert world.fake.issues == {}


def test_limits_are_waited_for_as_long_as_github_says(tmp_path: Path) -> None:
    """``Retry-After`` counts; without it a secondary limit is a minute; both hold for the whole channel."""
    with github(tmp_path, secondary_after=0) as world:
        told = world.send(action(1), None, None, Answer(status=429, headers={"Retry-After": "30"}))
        untold = world.send(action(1))
    assert isinstance(told, Again)
    assert isinstance(untold, Again)
    assert (str(told.after), told.everybody, str(untold.after), untold.everybody) == ("30s", True, "1m", True)


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"archived": True}, "read-only"),
        ({"disabled": True}, "switch issues on"),
        ({"repository": "acme/renamed"}, "does not exist"),
    ],
)
def test_what_an_operator_must_repair_is_said(tmp_path: Path, settings: dict[str, object], hint: str) -> None:
    """A repository that is archived, has no issues or another name: nothing will arrive, and the hint says what to do."""
    with github(tmp_path, **settings) as world:
        outcome = world.send(action(1))
    assert isinstance(outcome, Refused)
    assert (outcome.who, hint in outcome.hint) == ("operator", True), outcome


def test_an_enterprise_server_is_asked_below_its_own_path(tmp_path: Path) -> None:
    """The API of GitHub Enterprise Server begins at /api/v3."""
    behind = FakeGitHub(token=TOKEN)

    async def below(request: Request) -> Answer:
        assert request.path.startswith("/api/v3/repos/")
        return await behind(dataclasses.replace(request, path=request.path.removeprefix("/api/v3")))

    with served(below) as url:
        assert isinstance(_sender_to(f"{url}/api/v3/", tmp_path).send(action(1), ()), Delivered)
    assert len(behind.issues) == 1


def test_labels_that_github_drops_are_told(tmp_path: Path) -> None:
    """Without the right to label, GitHub opens the issue without its labels; the ticket is found by its marker all the same."""
    with github(tmp_path, may_label=False) as world:
        outcome = world.send(action(1))
        assert isinstance(outcome, Delivered)
        assert "dropped the labels" in outcome.receipt.note
        world.thread.clear()
        assert world.did(action(2)) == "commented"
    assert len(world.fake.issues) == 1


def test_an_owner_who_cannot_be_assigned_does_not_stop_the_ticket(tmp_path: Path) -> None:
    """GitHub refuses the assignee and creates nothing; the ticket is opened without, and the receipt says so."""
    with github(tmp_path, assignable=()) as world:
        outcome = world.send(action(1))
    assert isinstance(outcome, Delivered)
    assert outcome.receipt.note == "octocat cannot be assigned in acme/mesh"
    assert len(world.fake.issues) == 1


def test_an_older_server_without_duplicates_closes_them_all_the_same(tmp_path: Path) -> None:
    """Where the state reason is not known, the double is closed without one."""
    with github(tmp_path, knows_reasons=False) as world:
        world.did(action(1))
        first = world.fake.issues[1]
        twin = world.fake.opened_by_hand(title=first.title, body=first.body, labels=tuple(first.labels), by=first.author)
        assert world.did(action(2)) == "commented"
    assert twin.state == "closed"


def test_pull_requests_and_quotations_are_no_tickets(tmp_path: Path) -> None:
    """A pull request with the label, and an issue that quotes a marker within a line, are not the ticket."""
    with github(tmp_path) as world:
        world.did(action(1))
        first = world.fake.issues.pop(1)
        world.thread.clear()
        marker = next(line for line in first.body.splitlines() if line.startswith("Chaos ticket"))
        world.fake.opened_by_hand(title="fix", body=first.body, labels=tuple(first.labels)).pull = True
        world.fake.opened_by_hand(title="talk", body=f"> {marker}\nas in {marker}")
        assert world.did(action(2)) == "opened"


def test_a_strangers_marker_is_no_ticket(tmp_path: Path) -> None:
    """Anybody may write to a public repository: with our lines in their issue or comment they can silence nothing."""
    with github(tmp_path) as world:
        draft = json.loads(world.sender.render(action(1), ()).body)
        forged = world.fake.opened_by_hand(title="forged", body=draft["body"], by="stranger", association="NONE")
        world.fake.close_by_hand(forged.number, reason="not_planned", by="stranger")
        assert world.did(action(1)) == "opened"
        ticket = world.fake.issues[2]
        told = json.loads(world.sender.render(action(2), world.thread).body)["body"]
        ticket.comments.append(
            Comment(id=99, body=told, author="stranger", at=world.clock.wall_ns(), association="CONTRIBUTOR")
        )
        assert world.did(action(2)) == "commented"
    assert [comment.author for comment in ticket.comments] == ["stranger", "chaos-bot"]
    assert world.fake.wrong == []


def test_every_page_is_read(tmp_path: Path) -> None:
    """A marker among the newest issues of a busy repository, and our text behind many comments, are found on later pages."""
    with github(tmp_path) as world:
        world.did(action(1))
        world.fake.issues[1].labels.clear()
        for number in range(40):
            world.fake.opened_by_hand(title=f"other {number}", body="nothing of ours")
        world.thread.clear()
        assert world.did(action(2)) == "commented"
        ours = world.fake.issues[1].comments
        for number in range(50):
            ours.insert(0, Comment(id=1000 + number, body="talk", author="mona", at=world.clock.wall_ns()))
        assert world.did(action(2)) == "commented"
    assert len([comment for comment in ours if comment.author == "chaos-bot"]) == 1


def test_a_tracker_slower_than_its_lag_ends_with_one_open_ticket(tmp_path: Path) -> None:
    """It showed the first issue only after it was looked for: the second one is closed by the next delivery."""
    with github(tmp_path, timeout="1s", lag_s=300.0) as world:
        assert isinstance(world.send(action(1), None, None, "late"), Unsure)
        world.days(61 / 86_400)
        assert isinstance(world.sender.look(action(1), ()), NotThere)
        assert world.did(action(1)) == "opened"
        assert len(world.fake.open_ones()) == 2
        assert world.did(action(2, at=world.days(1))) == "commented"
    assert [issue.number for issue in world.fake.open_ones()] == [1]
    assert world.fake.issues[2].reason == "duplicate"


def test_what_has_not_changed_is_not_fetched_again(tmp_path: Path) -> None:
    """Answers are asked for with their ETag, and 304 stands for what is known."""
    with github(tmp_path) as world:
        world.did(action(1))
        world.did(action(2, "clean", clean=1))
        asked = len(world.faulty.requests)
        assert world.did(action(3, "clean", clean=2)) == "left"
    again = world.faulty.requests[asked:]
    assert [request.method for request in again] == ["GET", "GET"]
    assert all(request.headers.get("if-none-match") for request in again)


def test_a_message_about_no_cause_is_no_ticket(tmp_path: Path) -> None:
    """A summary routed to a tracker is the author's mistake, and said to be."""
    with github(tmp_path) as world:
        outcome = world.send(_without_ticket("summary"))
    assert isinstance(outcome, Refused)
    assert outcome.who == "author"
    assert world.fake.asked == []


def test_a_test_message_leaves_a_closed_ticket(tmp_path: Path) -> None:
    """``notify test`` shows that the token may open and close, and leaves nothing open; the next one uses the same issue."""
    with github(tmp_path) as world:
        assert world.did(_without_ticket("test")) == "opened"
        world.days(1)
        again = _without_ticket("test", number=2, at=world.clock.wall_ns())
        assert world.did(again) == "reopened"
    assert [issue.state for issue in world.fake.issues.values()] == ["closed"]


def _sender_to(url: str, folder: Path) -> Sender:
    settings = GitHubIssues(id="tracker", repository="acme/mesh", token=SecretRef(env="TOKEN"), api=url)
    return open_github(
        settings, secrets=Secrets(folder=folder, variables={"TOKEN": TOKEN}), clock=ManualClock(wall_ns=START), folder=folder
    )


def test_a_server_that_is_not_reached_gets_the_ticket_later(tmp_path: Path) -> None:
    """A name that is not resolved, a port nobody listens on, a certificate of an unknown authority: surely not arrived."""
    with served(FakeGitHub(token=TOKEN), tls=certificates(tmp_path)) as behind_tls:
        for url in ("http://github.invalid", closed_address(), behind_tls):
            outcome = _sender_to(url, tmp_path).send(action(1), ())
            assert isinstance(outcome, Again), outcome
            assert TOKEN not in str(outcome)


def test_the_fake_is_a_server_of_its_own(tmp_path: Path) -> None:
    """Started as a process it serves the same, and shows what it holds and what was wrong."""
    program = Path(__file__).parent / "fake_github.py"
    with subprocess.Popen([sys.executable, program, "--token", TOKEN], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert isinstance(_sender_to(url, tmp_path).send(action(1), ()), Delivered)
            state = httpx2.get(f"{url}/_fake/state", trust_env=False).json()
        finally:
            process.kill()
    assert [(issue["number"], issue["state"]) for issue in state["issues"]] == [(1, "open")]
    assert state["wrong"] == []


def test_a_preview_shows_what_would_be_sent_and_sends_nothing(tmp_path: Path) -> None:
    """The first text in full, its size and budget, without a request and without the token."""
    with github(tmp_path) as world:
        first = world.sender.render(action(1), ())
        world.did(action(1))
        asked = len(world.fake.asked)
        second = world.sender.render(action(2), world.thread)
        assert len(world.fake.asked) == asked
    assert world.sender.render(action(3, "clean", clean=3), ()).target.endswith("/issues/…/comments")
    assert first.target.endswith("/repos/acme/mesh/issues")
    assert json.loads(first.body)["body"] == world.fake.issues[1].body
    assert second.target.endswith("/repos/acme/mesh/issues/1/comments")
    assert (first.budget, first.unit, 0 < first.size < first.budget) == (65_536, "characters", True)
    assert TOKEN not in str((first, second))


def _without_ticket(occasion: Occasion, *, number: int = 1, at: int = START) -> Action:
    return structs.replace(action(number, at=at), occasion=occasion, ticket=None)
