"""The life of a ticket as a table of situations, and its laws under any history of failures, fixes and human hands."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from meshkit_chaos.deliver.action import Ticket, Wish
from meshkit_chaos.deliver.settings import Rules
from meshkit_chaos.deliver.ticket_life import Doing, Shown, Step, newest_closed, next_step
from meshkit_chaos.slo import Duration

DAY = 86_400 * 10**9
RULES = Rules(close_after=3, reopen_within=Duration(14 * DAY))
OPEN = Shown(reference="1", order=1, open=True, author="bot")
DONE = structs.replace(OPEN, open=False, closed_at=100 * DAY)
REFUSED = structs.replace(DONE, refused=True)
DUPLICATE = structs.replace(DONE, duplicate=True)


def wish(kind: Wish, *, day: float = 101, clean: int = 0, flapping: bool = False) -> Ticket:
    return Ticket(wish=kind, failed_at=round(day * DAY), clean=clean, flapping=flapping)


SITUATIONS: tuple[tuple[str, Ticket, tuple[Shown, ...], Doing, str], ...] = (
    ("nothing there", wish("failing"), (), "open", "no ticket"),
    ("nothing there, changed", wish("changed"), (), "open", "no ticket"),
    ("nothing there, clean", wish("clean", clean=9), (), "leave", "no ticket"),
    ("open, still failing", wish("failing"), (OPEN,), "comment", "still fails"),
    ("open, fails differently", wish("changed"), (OPEN,), "comment", "differently"),
    ("open, clean once", wish("clean", clean=1), (OPEN,), "leave", "clean 1 of the 3"),
    ("open, clean twice", wish("clean", clean=2), (OPEN,), "leave", "clean 2 of the 3"),
    ("open, clean often enough", wish("clean", clean=3), (OPEN,), "close", "3 times in a row"),
    ("open, clean, flapping", wish("clean", clean=3, flapping=True), (OPEN,), "comment", "a person must close it"),
    ("closed, clean", wish("clean", clean=4), (DONE,), "leave", "closed already"),
    ("closed, failing again soon", wish("failing", day=103), (DONE,), "reopen", "back at"),
    ("closed, failing at the window's end", wish("failing", day=114), (DONE,), "reopen", "back at"),
    ("closed, failing after the window", wish("failing", day=114.1), (DONE,), "open", "longer ago than 14d"),
    ("closed after the failure", wish("failing", day=99), (DONE,), "leave", "older than its closing"),
    ("closed at the failure", wish("failing", day=100), (DONE,), "leave", "older than its closing"),
    ("closed, nobody knows when", wish("failing"), (structs.replace(DONE, closed_at=None),), "reopen", "fails"),
    ("won't fix, failing", wish("failing"), (REFUSED,), "leave", "a waiver is needed"),
    ("won't fix, long ago", wish("failing", day=400), (REFUSED,), "leave", "a waiver is needed"),
    ("closed as a duplicate of something else", wish("failing"), (DUPLICATE,), "leave", "a waiver is needed"),
    (
        "ours was the duplicate, the proper one was solved",
        wish("failing"),
        (structs.replace(DUPLICATE, order=2), DONE),
        "reopen",
        "back",
    ),
    ("an old one solved, a new one open", wish("failing"), (DONE, structs.replace(OPEN, order=2)), "comment", "still"),
)


@pytest.mark.parametrize(
    ("asked", "shown", "doing", "reason"), [one[1:] for one in SITUATIONS], ids=[one[0] for one in SITUATIONS]
)
def test_every_situation_has_one_step(asked: Ticket, shown: tuple[Shown, ...], doing: Doing, reason: str) -> None:
    """What is done follows from what is asked and shown, and the reason says why."""
    step = next_step(asked, shown, rules=RULES)
    assert (step.do, reason in step.reason) == (doing, True), step


def test_a_new_ticket_names_the_solved_one() -> None:
    """Where the window is over, the new ticket points at the old one."""
    assert next_step(wish("failing", day=200), (DONE,), rules=RULES).earlier == DONE


def test_of_two_open_tickets_the_oldest_is_kept() -> None:
    """Only one of ours is a double: a person's copy and one without our marker stay."""
    twin = structs.replace(OPEN, reference="4", order=4)
    copy = structs.replace(OPEN, reference="3", order=3, author="mona")
    bare = structs.replace(OPEN, reference="2", order=2, marked=False)
    step = next_step(wish("failing"), (twin, copy, OPEN, bare), rules=RULES)
    assert (step.on, step.doubles) == (OPEN, (twin,))


@dataclass
class Tracker:
    """A tracker as the pure part sees it, with people at it."""

    tickets: list[Shown] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def take(self, step: Step, *, day: float) -> None:
        for double in step.doubles:
            self._set(double.reference, open=False, duplicate=True, closed_at=round(day * DAY))
        match step.do:
            case "open":
                number = len(self.tickets) + 1
                self.tickets.append(Shown(reference=str(number), order=number, open=True, author="bot"))
            case "close":
                assert step.on is not None
                self._set(step.on.reference, open=False, closed_at=round(day * DAY))
            case "reopen":
                assert step.on is not None
                assert step.on.reference not in self.refused, "what a person refused is never reopened"
                self._set(step.on.reference, open=True, closed_at=None)

    def person(self, what: str, *, day: float) -> None:
        """A person closes the open one in some way, reopens the last one, or copies the open one."""
        standing = next((one for one in self.tickets if one.open), None)
        if what == "copies" and standing is not None:
            number = len(self.tickets) + 1
            self.tickets.append(structs.replace(standing, reference=str(number), order=number, author="mona"))
        elif what == "reopens" and standing is None and (last := newest_closed(self.tickets)) is not None:
            self.refused.discard(last.reference)
            self._set(last.reference, open=True, refused=False, duplicate=False, closed_at=None)
        elif what in {"done", "refuses"} and standing is not None:
            self._set(standing.reference, open=False, refused=what == "refuses", closed_at=round(day * DAY))
            if what == "refuses":
                self.refused.add(standing.reference)

    def _set(self, reference: str, **changes: object) -> None:
        place = next(place for place, one in enumerate(self.tickets) if one.reference == reference)
        self.tickets[place] = structs.replace(self.tickets[place], **changes)


NIGHTS = st.lists(
    st.tuples(st.sampled_from(["fails", "changes", "clean"]), st.sampled_from(["", "", "", "done", "refuses", "reopens"])),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(nights=NIGHTS, close_after=st.integers(1, 5), window=st.integers(0, 20), flapping_after=st.integers(1, 5))
def test_the_laws_of_a_ticket(nights: list[tuple[str, str]], close_after: int, window: int, flapping_after: int) -> None:
    """Never two open tickets, never a refused one reopened or replaced, never closed without enough clean nights in a row."""
    rules = Rules(close_after=close_after, reopen_within=Duration(window * DAY))
    tracker, clean, reopened, failed_at = Tracker(), 0, 0, 0
    for day, (night, hand) in enumerate(nights, start=1):
        clean = clean + 1 if night == "clean" else 0
        failed_at = failed_at if night == "clean" else day * DAY
        kind: Wish = {"fails": "failing", "changes": "changed", "clean": "clean"}[night]  # type: ignore[assignment]  # as listed
        asked = Ticket(wish=kind, failed_at=failed_at, clean=clean, flapping=reopened >= flapping_after)
        step = next_step(asked, tracker.tickets, rules=rules)
        reopened += step.do == "reopen"
        assert step.do != "close" or (clean >= close_after and not asked.flapping)
        last = newest_closed(tracker.tickets)
        standing = [one for one in tracker.tickets if one.open]
        if not standing and last is not None and last.reference in tracker.refused:
            assert step.do == "leave"
        tracker.take(step, day=day)
        assert sum(one.open for one in tracker.tickets) <= 1
        if night != "clean" and not (last is not None and last.reference in tracker.refused and not standing):
            assert any(one.open for one in tracker.tickets), "what fails has an open ticket, unless a person refused it"
        tracker.person(hand, day=day + 0.5)


@given(nights=st.lists(st.sampled_from(["fails", "copies", "twin"]), max_size=20))
def test_doubles_of_ours_do_not_last(nights: list[str]) -> None:
    """However many tickets of ours a lagging tracker let us open, one delivery later one of ours is open."""
    tracker = Tracker()
    for day, what in enumerate(nights, start=1):
        if what == "twin":
            number = len(tracker.tickets) + 1
            tracker.tickets.append(Shown(reference=str(number), order=number, open=True, author="bot"))
        elif what == "copies":
            tracker.person("copies", day=day)
        else:
            tracker.take(next_step(wish("failing", day=day), tracker.tickets, rules=RULES), day=day)
            assert sum(one.open and one.author == "bot" for one in tracker.tickets) == 1


@given(
    asked=st.builds(wish, st.sampled_from(["failing", "changed", "clean"]), clean=st.integers(0, 9), flapping=st.booleans()),
    shown=st.lists(
        st.builds(
            Shown,
            reference=st.uuids().map(str),
            order=st.integers(1, 9),
            open=st.booleans(),
            closed_at=st.none() | st.integers(0, 200 * DAY),
            refused=st.booleans(),
            duplicate=st.booleans(),
            marked=st.booleans(),
        ),
        max_size=5,
    ),
    seed=st.randoms(use_true_random=False),
)
def test_the_order_of_a_listing_does_not_matter(asked: Ticket, shown: list[Shown], seed: object) -> None:
    """A tracker may list in any order: what is done is the same."""
    unique = list({one.order: one for one in shown}.values())
    mixed = list(unique)
    seed.shuffle(mixed)  # type: ignore[attr-defined]  # a random.Random
    one, other = (next_step(asked, listed, rules=RULES) for listed in (unique, mixed))
    assert (one.do, one.on, one.reason, set(one.doubles)) == (other.do, other.on, other.reason, set(other.doubles))
