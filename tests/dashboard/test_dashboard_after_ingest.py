"""Whatever is taken in, changed or thrown away, a page made of what is remembered is the page that is made from nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from gate_worlds import HOUR, NOW, invocation, one_run, policy, result
from history_builder import opened
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs
from postgres_server import server

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard.api import ENDPOINTS, Api, answer
from meshkit_chaos.dashboard.feeds import Feeds
from meshkit_chaos.dashboard.overviews import PAGES
from meshkit_chaos.dashboard.remembered import Remembered
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.history import writing
from meshkit_chaos.history.changed import changed_since, was_seen
from meshkit_chaos.history.database import Database
from meshkit_chaos.history.marking import Mark
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import Ask, Cell, OverviewReader, PastInvocation, PastScenario
from meshkit_chaos.history.overview import Overview
from meshkit_chaos.history.places import open_place
from meshkit_chaos.judge.verdict import VerdictName

SCENARIOS = ("leader-killed", "network-cut", "disk-slow")
POLICY = b"""version: 1
match: commit
requirements:
  - {id: all, scenarios: ["*"], regression: on}
regression: {false_alarms: 5%, baseline: {subject: {branch: main}, releases_by: version}, until_baseline: absolute-only}
"""
ASKS = (
    Ask(newest=1),
    Ask(newest=1, invalidated=True),
    Ask(newest=1, verdicts=("pass",)),
    Ask(newest=2, verdicts=("pass", "fail"), environment_class="lab-1"),
    Ask(newest=3, subject={"branch": "main"}, before=NOW - HOUR),
)


class Act(Struct, frozen=True):
    """What somebody does: with the invocation number ``which``, which began so many hours ago (its place is its age).

    ``verdicts``: of the scenarios in their order; None: it says nothing of one.
    """

    what: Literal["ingest", "prune", "mark", "unmark", "deliver"]
    which: int
    verdicts: tuple[VerdictName | None, ...] = ()
    branch: str = "main"
    runs: int = 1


VERDICTS = st.sampled_from(("pass", "fail", "inconclusive", "not-run", None))
ACTS = st.builds(
    Act,
    st.sampled_from(("ingest", "ingest", "ingest", "prune", "mark", "unmark", "deliver")),
    st.integers(0, 9),
    st.tuples(VERDICTS, VERDICTS, VERDICTS),
    st.sampled_from(("main", "release-1")),
    st.integers(1, 2),
)


def taken_in(act: Act) -> tuple[PastInvocation, list[PastScenario]]:
    """The same number began at the same instant, whatever is said of it: a run that goes on, or that is judged anew."""
    subject = {"commit": f"c{act.which}", "branch": act.branch, "version": f"1.{act.which // 3}"}
    results = [
        result(
            verdict,
            hours=act.which * 7 + 2,
            scenario=scenario,
            invocation=f"I{act.which}",
            subject=subject,
            modules=(scenario.partition("-")[0],),
            environment_class=f"lab-{act.which % 2}",
            runs=tuple(one_run(verdict, number, prefix=f"R{act.which}{scenario}") for number in range(act.runs)),
        )
        for scenario, verdict in zip(SCENARIOS, act.verdicts, strict=True)
        if verdict is not None
    ]
    nothing = result("not-run", hours=act.which * 7 + 2, invocation=f"I{act.which}", subject=subject, runs=())
    return invocation(results or [nothing], *SCENARIOS), results


class World:
    """Those who write, each with a connection of its own, and the two who read."""

    def __init__(self, writer: Database, reading: Database) -> None:
        self.writer, self.reading, self._marks = writer, reading, 0
        self.plain = Overview(reading)
        self.kept = Remembered(self.plain, reading.state, partial(changed_since, reading))

    def do(self, act: Act) -> None:
        with self.writer.writing() as connection:
            if act.what == "ingest":
                writing.put(connection, *taken_in(act), bundle="b")
            elif act.what == "prune":
                writing.prune(connection, f"I{act.which}", at=NOW)
            elif act.what == "deliver":
                connection.exec_driver_sql("INSERT INTO rates VALUES ('b', '', 1, 1) ON CONFLICT (bucket) DO NOTHING")
            else:
                self._marks += 1
                run, counts = f"R{act.which}{SCENARIOS[0]}0", act.what == "unmark"
                mark = Mark(mark=f"M{self._marks:09}", run=run, at=NOW + self._marks, reason="r", by="b", counts=counts)
                writing.put_mark(connection, mark)


@contextmanager
def world(location: str, folder: Path) -> Iterator[World]:
    clock = ManualClock(wall_ns=NOW)
    with (
        open_place(location, clock, artifacts=str(folder / "a")) as writer,
        open_place(location, clock, artifacts=str(folder / "a")) as reading,
    ):
        yield World(writer.database, reading.database)


def answers(reader: OverviewReader) -> dict[str, Any]:
    """Every question that is remembered, answered."""
    names = [f"I{number}" for number in range(10)]
    return {
        "known": reader.known(),
        "newest": (reader.newest(3), reader.newest(2, before=NOW - 20 * HOUR)),
        "instants": reader.instants(),
        "cells": sorted(reader.cells(names), key=in_order),
        "built": reader.built(names),
        "results": [reader.results(ask) for ask in ASKS],
        "heads": [reader.heads(name) for name in names],
        "invocation": [reader.invocation(name) for name in names],
    }


def in_order(cell: Cell) -> tuple[str, str]:
    return cell.invocation, cell.scenario


def pages(reader: OverviewReader) -> dict[str, object]:
    """Every overview, and what other programs read."""
    sources = Sources(
        reader=reader, settings=Settings(project="mesh", policy=policy(POLICY), served=True), clock=ManualClock(wall_ns=NOW)
    )
    site, feeds = Site(sources), Feeds(sources)
    api = Api(reader, feeds, sources.evidence)
    one = f"scenario/{SCENARIOS[0]}.html"
    return {
        **{path: site.page(path) for path in (*PAGES, one)},
        "metrics": feeds.metrics(),
        "badges": dict(feeds.badges()),
        "scenarios": answer(api, ENDPOINTS[0], {}),
    }


@settings(max_examples=12, deadline=None)
@given(st.lists(ACTS, min_size=1, max_size=12))
def test_after_any_change_every_answer_is_the_one_that_is_made_from_nothing(acts: list[Act]) -> None:
    """Late and grown ones, other branches, prunes, marks, several at once: memory says what the history says."""
    lived(acts)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.lists(ACTS, min_size=1, max_size=24))
def test_after_many_changes_every_answer_is_the_one_that_is_made_from_nothing(acts: list[Act]) -> None:
    """The same, in more and longer stories."""
    lived(acts)


def lived(acts: list[Act]) -> None:
    """Each act is done, and answers are looked at along the way, pages at the end."""
    with tempfile.TemporaryDirectory() as folder:
        with opened(Path(folder) / "h"):
            pass
        with world(str(Path(folder) / "h"), Path(folder)) as held:
            for number, act in enumerate(acts):
                held.do(act)
                if number % 3 != 1:  # sometimes nobody looks in between
                    assert answers(held.kept) == answers(held.plain)
            assert pages(held.kept) == pages(held.plain)


STORY = (
    Act("ingest", 4, ("pass", "pass", "fail")),
    Act("ingest", 2, ("pass", None, "pass")),
    Act("deliver", 0),
    Act("ingest", 7, ("fail", "pass", "pass")),
    Act("ingest", 1, ("pass", "pass", "pass"), "release-1"),
    Act("ingest", 2, ("fail", "pass", "pass"), runs=2),
    Act("mark", 2),
    Act("unmark", 2),
    Act("prune", 1),
    Act("prune", 9),
    Act("ingest", 0, (None, "fail", None)),
    Act("prune", 4),
    Act("ingest", 1, ("not-run", "pass", "pass")),
)


def test_every_page_follows_a_story_in_either_database(location: str, tmp_path: Path) -> None:
    """New, late, on another branch, grown, marked, taken back, pruned, pruned that was never there, and brought again."""
    with world(location, tmp_path) as held:
        for act in STORY:
            held.do(act)
            assert answers(held.kept) == answers(held.plain), act
            assert pages(held.kept) == pages(held.plain), act


def test_heads_are_the_results_without_their_runs(location: str, tmp_path: Path) -> None:
    """In the order in which they were announced, in a database and in memory; of what is not known there are none."""
    with world(location, tmp_path) as held:
        held.do(STORY[0])
        past, results = taken_in(STORY[0])
        expected = tuple(structs.replace(one, runs=()) for one in results)
        assert held.plain.heads("I4") == MemoryHistory([past], results).heads("I4") == expected
        assert held.plain.heads("I5") == MemoryHistory().heads("I5") == ()


def test_what_changed_is_named_and_nothing_else(location: str, tmp_path: Path) -> None:
    """Each act names its invocation; what only touches other tables names none."""
    with open_place(location, ManualClock(wall_ns=NOW), artifacts=str(tmp_path / "a")) as history:
        held = World(history.database, history.database)
        moment = changed_since(history.database, None).moment
        assert changed_since(history.database, None).invocations is None
        for act in STORY:
            held.do(act)
            told = changed_since(history.database, moment)
            gone = act.what == "prune" and act.which == 9
            assert told.invocations == (frozenset() if act.what == "deliver" or gone else {f"I{act.which}"}), act
            moment = told.moment
        assert changed_since(history.database, moment).invocations == frozenset()
        history.database._look_away()  # as after an error: it may be another database now
        history.database.state()
        assert changed_since(history.database, moment).invocations is None


@pytest.mark.parametrize(
    ("xact", "seen"), [(9, True), (10, False), (11, True), (12, False), (14, True), (15, False), (16, False), (150, False)]
)
def test_a_snapshot_saw_what_was_committed_before_it(xact: int, seen: bool) -> None:
    """All before its first, none from its end on, and in between those that were not under way."""
    assert was_seen(xact, "10:15:10,12") is seen
    assert was_seen(9, "10:10:")
    assert not was_seen(10, "10:10:")


@pytest.mark.slow
def test_a_change_that_is_committed_after_a_younger_one_is_not_missed(tmp_path: Path) -> None:
    """In PostgreSQL two transactions may end in the other order than they began: each is named once it can be seen."""
    with server() as url, world(url, tmp_path) as held:
        held.reading.state()  # begins to watch
        before = changed_since(held.reading, None).moment
        with held.writer.writing() as slow:
            writing.put(slow, *taken_in(STORY[0]), bundle="b")
            held.do(STORY[1])
            between = changed_since(held.reading, before)
            assert between.invocations == {"I2"}
            assert answers(held.kept) == answers(held.plain)
        assert changed_since(held.reading, between.moment).invocations == {"I4"}
        assert answers(held.kept) == answers(held.plain)
        assert len(held.kept.newest(3)) == 2
