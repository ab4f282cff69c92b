"""The gate decides beside the pages and gives way to them: it waits for those being made, and is never stopped by them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from gate_worlds import history, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard.deciding import Beside
from meshkit_chaos.dashboard.giving_way import AT_ONCE, Polite, Traffic
from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.history.model import Ask

PATIENT = 60.0
NAMES = tuple(f"scenario-{number}" for number in range(2 * AT_ONCE + 1))
HISTORY = history(*(result("pass", scenario=name, hours=hours) for name in NAMES for hours in (2, 9, 4)))


def test_work_waits_until_the_last_page_is_made() -> None:
    """As long as one page of several is being made, whoever gives way goes on waiting."""
    traffic, went_on = Traffic(), threading.Event()
    first, second = threading.Event(), threading.Event()
    both = threading.Barrier(3)

    def page(until: threading.Event) -> None:
        with traffic.page():
            both.wait(PATIENT)
            assert until.wait(PATIENT)

    def work() -> None:
        while traffic.give_way(PATIENT) is False:
            pass
        went_on.set()

    with ThreadPoolExecutor(3) as pool:
        pages = [pool.submit(page, until) for until in (first, second)]
        both.wait(PATIENT)
        pool.submit(work)
        first.set()
        pages[0].result(PATIENT)
        assert not went_on.is_set()
        second.set()
        assert went_on.wait(PATIENT)


def test_a_page_that_never_ends_does_not_stop_the_work() -> None:
    """After a moment it goes on beside the page."""
    traffic = Traffic()
    with traffic.page():
        assert not traffic.give_way(0.001)
    assert traffic.give_way(0.001)


def test_nobody_gives_way_to_a_page_that_waits_for_the_work() -> None:
    """A page that waits for the decision does not keep it from being made, and is then a page again."""
    traffic = Traffic()
    beside = Beside(lambda: "", ManualClock(), patience_s=PATIENT, traffic=traffic)

    def decide() -> Decision | None:
        assert traffic.give_way(PATIENT)
        return None

    with traffic.page():
        assert beside.standing("", decide).current
        assert traffic.making == 1
    with traffic.aside():  # this thread makes none
        assert traffic.making == 0
    assert traffic.making == 0


def test_a_question_in_parts_has_the_answer_of_the_whole_one() -> None:
    """Of many scenarios a few are asked for at once, and before each part it gives way."""
    gave_way: list[int] = []
    polite = Polite(HISTORY, lambda: gave_way.append(1))
    for ask in (Ask(scenarios=NAMES), Ask(scenarios=NAMES, newest=2), Ask(scenarios=NAMES[:2]), Ask(newest=1)):
        key = {(one.scenario, one.at): one for one in HISTORY.results(ask)}
        found = polite.results(ask)
        assert {(one.scenario, one.at): one for one in found} == key
        assert [one.at for one in found] == sorted((one.at for one in found), reverse=True)
    assert len(gave_way) == 3 + 3 + 1 + 1
    assert polite.known() == HISTORY.known()
    assert polite.invocations(since=1) == HISTORY.invocations(since=1)


def test_after_a_decision_that_took_seconds_no_page_waits_for_the_next() -> None:
    """It could not be made in time, so waiting would only make the page later."""
    state, clock, may = ["one"], ManualClock(), threading.Event()
    beside = Beside(lambda: state[0], clock, patience_s=0.05)

    def slow() -> Decision | None:
        clock.advance_to(clock.monotonic_ns() + 10 * 10**9)
        return None

    while not beside.standing("", slow).current:
        pass
    state[0] = "two"

    def waits() -> Decision | None:
        assert may.wait(PATIENT)
        return None

    beside._patience_s = PATIENT  # a page that waited would now be seen to
    assert not beside.standing("", waits).current
    may.set()
