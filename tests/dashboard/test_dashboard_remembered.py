"""What is remembered between pages: never longer than it is true. And the gate's decision, which pages do not wait for."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from gate_worlds import decided, history, result
from history_builder import START, TWO, evidence_of, opened, variant, written

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard.deciding import AGAIN, Beside
from meshkit_chaos.dashboard.kept import Kept
from meshkit_chaos.dashboard.remembered import Remembered
from meshkit_chaos.dashboard.steps import Steps, anything
from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.history.changed import changed_since
from meshkit_chaos.history.model import Ask, Cell
from meshkit_chaos.history.overview import Overview
from meshkit_chaos.history.places import open_place

PATIENT = 60.0
DECISION = decided(history(result("pass")))


def test_what_was_taken_in_or_marked_is_shown_at_once(location: str, tmp_path: Path) -> None:
    """After each change by another connection every question is answered anew, as a reader without memory answers it."""
    evidence, clock, artifacts = evidence_of(TWO), ManualClock(wall_ns=START), str(tmp_path / "artifacts")
    with (
        open_place(location, clock, artifacts=artifacts) as writer,
        open_place(location, clock, artifacts=artifacts) as reading,
    ):
        plain = Overview(reading.database)
        kept = Remembered(plain, reading.database.state, partial(changed_since, reading.database))
        for number in range(3):
            writer.add(written(variant(evidence, number * 90_000), tmp_path / f"out{number}"))
            same_answers(kept, plain)
            assert len(kept.newest(9)) == number + 1
        run = plain.results(Ask())[0].runs[0].run
        writer.mark(run, counts=False, reason="its network was down", by="somebody")
        same_answers(kept, plain)
        assert sum(not one.counts for one in kept.cells([one.invocation for one in kept.newest(9)])) == 1


def in_order(cell: Cell) -> tuple[str, str]:
    return cell.invocation, cell.scenario


def same_answers(kept: Remembered, plain: Overview) -> None:
    for _ in range(2):  # the second time from memory
        names = [one.invocation for one in plain.newest(9)]
        assert kept.newest(9) == plain.newest(9)
        assert kept.instants() == plain.instants() == tuple(one.at for one in plain.invocations())
        assert kept.known() == plain.known()
        assert sorted(kept.cells(names), key=in_order) == sorted(plain.cells(names), key=in_order)
        assert kept.built(names) == plain.built(names)
        assert kept.results(Ask(newest=1)) == plain.results(Ask(newest=1))
        assert kept.results(Ask(newest=1, verdicts=("pass",))) == plain.results(Ask(newest=1, verdicts=("pass",)))


def test_a_question_is_asked_once_while_nothing_changes(tmp_path: Path) -> None:
    """The database's word for its state stays the same, also for many threads; any change gives another."""
    with opened(tmp_path / "history") as held:
        with ThreadPoolExecutor(8) as pool:
            words = set(pool.map(lambda _: held.database.state(), range(50)))
        assert len(words) == 1
        with closing(sqlite3.connect(tmp_path / "history" / "index.sqlite")) as other, other:
            other.execute("INSERT INTO pruned VALUES ('I', 1)")
        assert held.database.state() not in words


def test_a_change_is_seen_though_the_connection_that_looked_was_lost(tmp_path: Path) -> None:
    """A new connection of SQLite counts from the beginning, so its count alone could be a word that was said before."""
    with opened(tmp_path / "history") as held:
        before = held.database.state()
        held.database._look_away()  # as after an error of the database
        with closing(sqlite3.connect(tmp_path / "history" / "index.sqlite")) as other, other:
            other.execute("INSERT INTO pruned VALUES ('I', 1)")
        assert held.database.state() != before


def test_only_a_few_answers_are_kept_and_those_of_an_older_state_never() -> None:
    """The one that nobody wanted for longest goes; another state empties all."""
    made: list[str] = []
    state = ["one"]
    kept = Kept(Steps(lambda: state[0], anything), most=2)
    for key in ("a", "b", "a", "c", "a", "b"):
        assert kept.answer(key, lambda key=key: made.append(key) or f"{key} of {state[0]}") == f"{key} of one"
    assert made == ["a", "b", "c", "b"]
    state[0] = "two"
    assert kept.answer("a", lambda: f"a of {state[0]}") == "a of two"


def test_what_could_not_be_read_is_not_kept() -> None:
    """An error is told to whoever asked, and the next one asks again."""
    kept = Kept(Steps(lambda: "", anything), most=2)

    def fails() -> str:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        kept.answer("a", fails)
    assert kept.answer("a", lambda: "there") == "there"


def test_a_page_does_not_wait_for_a_slow_decision_and_is_told_so() -> None:
    """Until it is made nothing is said to be decided; afterwards it is there, and is made once."""
    may, begun, clock = threading.Event(), [], ManualClock()

    def slow() -> Decision:
        begun.append(1)
        assert may.wait(PATIENT)
        clock.advance_to(10**9)
        return DECISION

    hasty = Beside(lambda: "", clock, patience_s=0.001)
    assert hasty.standing("", slow).decision is None
    assert not hasty.standing("", slow).current
    may.set()
    while not (told := hasty.standing("", slow)).current:
        assert told.decision is None
    assert told.decision is DECISION
    assert begun == [1]


def test_a_decision_about_an_older_state_is_never_told_as_the_one_of_now() -> None:
    """After a change, or with other overrides, the page shows it as what was said before, until there is a new one."""
    state, blocked = ["one"], threading.Event()
    beside = Beside(lambda: state[0], ManualClock(), patience_s=PATIENT)
    assert beside.standing("", lambda: DECISION).current
    beside = Beside(lambda: state[0], ManualClock(), patience_s=0.2)
    assert beside.standing("", lambda: DECISION).current
    state[0] = "two"

    def waits() -> Decision | None:
        blocked.wait(PATIENT)
        return None

    told = beside.standing("", waits)
    assert (told.decision, told.current) == (DECISION, False)
    blocked.set()
    patient = Beside(lambda: state[0], ManualClock(), patience_s=PATIENT)
    assert patient.standing("mine", lambda: DECISION).decision is DECISION
    assert patient.standing("other", lambda: None).decision is None


def test_a_decision_is_made_again_when_it_has_grown_old() -> None:
    """Time alone lets evidence grow old; a decision that took a second is good for some of them."""
    clock, made = ManualClock(), []

    def decide() -> Decision:
        made.append(1)
        clock.advance_to(clock.monotonic_ns() + 10**9)
        return DECISION

    beside = Beside(lambda: "", clock, patience_s=PATIENT)
    for _ in range(3):
        beside.standing("", decide)
    assert len(made) == 1
    clock.advance_to(clock.monotonic_ns() + AGAIN * 10**9)
    beside.standing("", decide)
    assert len(made) == 2


def test_what_broke_while_deciding_is_told_and_tried_again() -> None:
    """An unreadable history is no decision, and no page hides it."""
    beside = Beside(lambda: "", ManualClock(), patience_s=PATIENT)

    def breaks() -> Decision:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        beside.standing("", breaks)
    assert beside.standing("", lambda: DECISION).decision is DECISION


def test_a_decision_that_nobody_asked_for_all_night_does_not_speak_for_now() -> None:
    """Until there is a new one it is only what was said before: meanwhile its evidence may have grown too old."""
    clock, blocked = ManualClock(), threading.Event()
    beside = Beside(lambda: "", clock, patience_s=0.05)
    while not beside.standing("", lambda: DECISION).current:
        pass
    clock.advance_to(10 * 3600 * 10**9)

    def waits() -> Decision:
        blocked.wait(PATIENT)
        return DECISION

    told = beside.standing("", waits)
    assert (told.decision, told.current) == (DECISION, False)
    blocked.set()


def test_what_broke_when_nobody_waited_any_more_is_told_to_the_next_one() -> None:
    """Else a page would say for ever that the gate is deciding."""
    clock, may = ManualClock(), threading.Event()
    beside = Beside(lambda: "", clock, patience_s=0.01)

    def breaks() -> Decision:
        assert may.wait(PATIENT)
        clock.advance_to(clock.monotonic_ns() + 10**9)
        raise OSError("gone")

    assert not beside.standing("", breaks).current
    may.set()
    with pytest.raises(OSError, match="gone"):
        any(beside.standing("", breaks).current for _ in range(1000))
