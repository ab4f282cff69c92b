"""Tickets in Jira, against a server that checks every request: one per cause, whatever the network, workflows and people do."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_jira import Status
from served import Fault
from tracker_world import DAY, START, TOKEN, action, jira

from meshkit_chaos.deliver.action import Again, CannotLook, Delivered, Found, NotThere, Outcome, Refused, Unsure
from meshkit_chaos.deliver.adf import plain_text
from meshkit_chaos.measure.loopback import Answer

WONT_DO, DONE, TO_DO = "31", "41", "11"


def test_the_life_of_a_ticket(tmp_path: Path) -> None:
    """The first failure opens, the next ones comment, clean nights close, a relapse reopens; all in one item."""
    with jira(tmp_path) as world:
        assert world.did(action(1, at=START)) == "opened"
        assert world.did(action(2, at=world.days(1))) == "commented"
        assert world.did(action(3, "clean", at=world.days(1), clean=1)) == "left"
        assert world.did(action(4, "clean", at=world.days(2), clean=3)) == "closed"
        assert world.fake.issues["MESH-1"].status.name == "Done", "never the transition that means a refusal"
        assert world.did(action(5, at=world.days(2))) == "reopened"
    (item,) = world.fake.issues.values()
    assert (item.status.category, len(item.comments), item.fields["assignee"]) == ("new", 3, {"id": "acc-mesh"})
    assert "module:leadership" in item.fields["labels"]
    assert list(item.properties) == ["meshkit-chaos"]
    assert world.fake.wrong == []


def test_the_sender_finds_its_ticket_without_its_record(tmp_path: Path) -> None:
    """Its label leads to it where the history was lost; without the label the words of its description do."""
    with jira(tmp_path) as world:
        world.did(action(1))
        world.thread.clear()
        assert world.did(action(2)) == "commented"
        world.thread.clear()
        world.fake.issues["MESH-1"].fields["labels"] = ["p1"]
        assert world.did(action(3)) == "commented"
    assert len(world.fake.issues) == 1


@pytest.mark.parametrize("resolution", ["Won't Do", "Won\N{RIGHT SINGLE QUOTATION MARK}t Fix", "Declined"])
def test_what_a_person_will_not_fix_is_left(tmp_path: Path, resolution: str) -> None:
    """Resolved as not to be fixed, by status or resolution: it is never reopened, and the receipt says what is needed."""
    with jira(tmp_path) as world:
        world.did(action(1))
        world.fake.workflow["51"] = Status(name="Closed", category="done", resolution=resolution)
        world.fake.moved_by_hand("MESH-1", "51")
        outcome = world.send(action(2, at=world.days(30)))
        assert isinstance(outcome, Delivered)
        assert (outcome.receipt.did, "waiver" in outcome.receipt.note) == ("left", True)
    assert len(world.fake.issues) == 1


def test_what_a_person_closed_as_done_comes_back_only_for_a_newer_failure(tmp_path: Path) -> None:
    """A failure from before the closing says nothing about the fix; one from after it does."""
    with jira(tmp_path) as world:
        world.did(action(1))
        world.days(2)
        world.fake.moved_by_hand("MESH-1", DONE)
        assert world.did(action(2, at=START + DAY)) == "left"
        assert world.did(action(3, at=world.days(1))) == "reopened"


def test_two_tickets_of_one_cause_become_one(tmp_path: Path) -> None:
    """The oldest is kept; ours beside it is closed with a comment that names it; a person's copy is left."""
    with jira(tmp_path) as world:
        world.did(action(1))
        first = world.fake.issues["MESH-1"]
        twin = world.fake.opened_by_hand(first.fields, properties=first.properties, by=first.creator)
        copy = world.fake.opened_by_hand(first.fields)
        assert world.did(action(2)) == "commented"
    assert [one.status.category for one in (first, twin, copy)] == ["new", "done", "new"]
    assert "ticket MESH-1" in plain_text(twin.comments[0][1])
    assert world.fake.wrong == []


def test_trap_17_a_creation_repeated_after_a_time_out_makes_one_ticket(tmp_path: Path) -> None:
    """The answer to the creation never came. Looking finds the item once Jira shows it; sending again doubles nothing."""
    with jira(tmp_path, timeout="1s", lag_s=30.0) as world:
        assert isinstance(world.send(action(1), None, None, "late"), Unsure)
        assert isinstance(world.sender.look(action(1), ()), NotThere), "Jira does not list it yet"
        world.days(31 / 86_400)
        found = world.sender.look(action(1), ())
        assert isinstance(found, Found)
        assert (found.receipt.did, found.receipt.reference) == ("opened", "MESH-1")
        assert world.did(action(1)) == "opened"
    assert len(world.fake.issues) == 1


SURELY_NOT: tuple[Fault, ...] = (Answer(status=429), Answer(status=429, headers={"Retry-After": "30"}))
PERHAPS: tuple[Fault, ...] = (
    "cut-before",
    "cut-after",
    "half",
    Answer(status=500),
    Answer(status=503, body=b"<html>maintenance</html>"),
    Answer.of({"errorMessages": ["Something went wrong"]}, status=200),
    Answer(status=201, body=b"{"),
)
NEVER: tuple[Fault, ...] = (
    Answer(status=401, body=b"Client must be authenticated"),
    Answer.of({"errorMessages": ["You do not have permission"]}, status=403),
    Answer.of({"errorMessages": ["removed"]}, status=410),
    Answer.of({"errorMessages": ["not there"]}, status=404),
)


WAITED_FOR: tuple[Fault, ...] = ("silent", "late", "drip")
"""Each costs a whole time-out, so they are tried at one step, and one of them while looking."""


def _patience(fault: Fault) -> str:
    return "1s" if fault in WAITED_FOR else "10s"


def _name(value: object) -> str:
    if isinstance(value, Answer):
        return f"{value.status} {value.body.decode()[:24]}{' Retry-After' if 'Retry-After' in value.headers else ''}"
    return value.__name__ if isinstance(value, type) else str(value)


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
    with jira(tmp_path, timeout=_patience(fault)) as world:
        if step != "opening":
            world.did(action(1))
        sent = action(2, "clean", clean=3) if step == "closing" else action(2)
        before = {"opening": 2, "comment": 3, "closing": 5}[step]
        outcome = world.send(sent, *[None] * before, fault)
        if step == "closing" and expected is Again:
            assert isinstance(outcome, Unsure), "the comment is there, the state is not: it must be looked for"
        elif step == "closing" and fault == "half":
            assert isinstance(outcome, Delivered), "an answer without a body is whole"
        else:
            assert isinstance(outcome, expected), outcome
        assert TOKEN not in str(outcome)
        for _ in range(2):
            assert isinstance(world.send(sent), Delivered)
    (item,) = world.fake.issues.values()
    assert (len(item.comments), item.status.category) == {"opening": (0, "new"), "comment": (1, "new"), "closing": (1, "done")}[
        step
    ]
    assert world.fake.wrong == []


@pytest.mark.parametrize("fault", [*SURELY_NOT, *PERHAPS, *NEVER, "silent"], ids=_name)
def test_a_fault_while_looking_changes_nothing(tmp_path: Path, fault: Fault) -> None:
    """Where Jira cannot say whether there is a ticket, none is opened, and a look says that it could not look."""
    with jira(tmp_path, timeout=_patience(fault)) as world:
        outcome = world.send(action(1), fault)
        assert isinstance(outcome, Again | Refused), outcome
        world.faulty.faults = [fault]
        look = world.sender.look(action(1), ())
        assert isinstance(look, CannotLook)
        assert look.retry is (isinstance(outcome, Again))
    assert world.fake.issues == {}


@pytest.mark.parametrize(
    ("missing", "note"),
    [("labels", "labels are not on"), ("assignee", "cannot be assigned"), ("labels assignee", "cannot be assigned")],
)
def test_what_the_create_screen_does_not_take_is_left_out(tmp_path: Path, missing: str, note: str) -> None:
    """A project without the field on its screen gets its ticket without it; the receipt says so, and it is found again."""
    taken = frozenset({"project", "issuetype", "summary", "description", "labels", "assignee"}) - set(missing.split())
    with jira(tmp_path, screen=taken) as world:
        outcome = world.send(action(1))
        assert isinstance(outcome, Delivered)
        assert note in outcome.receipt.note
        world.thread.clear()
        assert world.did(action(2)) == "commented"
    assert len(world.fake.issues) == 1


@pytest.mark.parametrize(
    ("settings", "hint"),
    [({"project": "OTHER"}, "does not exist under this key"), ({"issue_type": "Epic"}, "issue type")],
)
def test_what_an_operator_must_repair_is_said(tmp_path: Path, settings: dict[str, str], hint: str) -> None:
    """Another project or a wrong issue type: nothing will arrive, and the hint says what to look at."""
    with jira(tmp_path, settings=settings) as world:
        outcome = world.send(action(1))
    assert isinstance(outcome, Refused)
    assert (outcome.who, hint in outcome.hint) == ("operator", True), outcome


def test_every_page_is_read(tmp_path: Path) -> None:
    """More items with the label than a page holds, and our comment behind many others, are seen to the end."""
    with jira(tmp_path) as world:
        world.did(action(1))
        first = world.fake.issues["MESH-1"]
        for _ in range(45):
            world.fake.opened_by_hand({**first.fields, "description": None}, by="acc-mona")
        world.fake.opened_by_hand(first.fields, properties=first.properties, by=first.creator)
        assert world.did(action(2)) == "commented"
        assert world.fake.issues["MESH-47"].status.category == "done", "the double on the third page"
        first.comments += [(world.clock.wall_ns() + 10**9, "talk")] * 50
        first.comments.sort(key=lambda one: one[1] == "talk")
        assert world.did(action(2)) == "commented"
    assert len(first.comments) == 51


def test_a_workflow_that_cannot_be_closed_is_told(tmp_path: Path) -> None:
    """Where no transition leads to "done" but one that means a refusal, the state is left and the operator is told."""
    with jira(tmp_path) as world:
        world.did(action(1))
        del world.fake.workflow[DONE]
        outcome = world.send(action(2, "clean", clean=3))
    assert isinstance(outcome, Refused)
    assert "workflow" in outcome.hint
    assert world.fake.issues["MESH-1"].status.category == "new"


def test_tickets_without_a_resolution_have_a_time_of_closing(tmp_path: Path) -> None:
    """Where the workflow sets no resolution, the change of the status's category says when it was closed."""
    with jira(tmp_path) as world:
        world.did(action(1))
        world.fake.workflow["61"] = Status(name="Finished", category="done")
        world.days(2)
        world.fake.moved_by_hand("MESH-1", "61")
        assert world.did(action(2, at=START + DAY)) == "left"
        assert world.did(action(3, at=world.days(1))) == "reopened"
