"""Questions to the index: the same answers as a plain filter over all values would give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from history_builder import opened
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from meshkit_chaos.history import reading, writing
from meshkit_chaos.history.index import History
from meshkit_chaos.history.model import Ask, PastInvocation, PastObjective, PastRun, PastScenario
from meshkit_chaos.judge.verdict import VerdictName

SCENARIOS = ("a", "b-1", "b-10", "c")
VERDICTS: tuple[VerdictName, ...] = ("pass", "fail", "inconclusive", "invalid", "not-run")
SUBJECTS = ({}, {"version": "1"}, {"version": "2", "branch": "main"}, {"branch": "main"})


def plain(everything: Sequence[PastScenario], ask: Ask) -> tuple[PastScenario, ...]:
    """What an ``Ask`` means, written as simply as can be."""
    found: list[PastScenario] = []
    taken: dict[str, int] = {}
    for one in sorted(everything, key=lambda past: (past.at, past.invocation), reverse=True):
        fits = (
            (not ask.scenarios or one.scenario in ask.scenarios)
            and (not ask.environment_class or one.environment_class == ask.environment_class)
            and ask.subject.items() <= one.subject.items()
            and (not ask.verdicts or one.verdict in ask.verdicts)
            and (ask.since is None or one.at >= ask.since)
            and (ask.before is None or one.at < ask.before)
            and (ask.invalidated or one.counts)
        )
        if fits and (ask.newest is None or taken.get(one.scenario, 0) < ask.newest):
            taken[one.scenario] = taken.get(one.scenario, 0) + 1
            found.append(one)
    return tuple(found)


@st.composite
def past_invocations(draw: st.DrawFn) -> list[tuple[PastInvocation, tuple[PastScenario, ...]]]:
    count = draw(st.integers(0, 8))
    out = []
    for number in range(count):
        name, at = f"{number:026d}", draw(st.integers(0, 5))
        subject = draw(st.sampled_from(SUBJECTS))
        invocation = PastInvocation(
            invocation=name, at=at, subject=subject, verdict=draw(st.sampled_from(VERDICTS)), environment="clean",
            sentence="it did", tool="0", file_digest="d", announced=SCENARIOS,
        )  # fmt: skip
        chosen = draw(st.lists(st.sampled_from(SCENARIOS), unique=True))
        out.append((invocation, tuple(draw(past_scenarios(invocation, scenario)) for scenario in chosen)))
    return out


@st.composite
def past_scenarios(draw: st.DrawFn, invocation: PastInvocation, scenario: str) -> PastScenario:
    runs = tuple(
        PastRun(
            run=f"{invocation.invocation}-{scenario}-{number}", number=number, verdict="pass", outcome="completed",
            environment="clean", started=1, ended=2, environment_class="lab", plan_digest="p", journal_digest="j", seed=3,
            tool="0", binaries={"a": "b"}, invalidated=draw(st.sampled_from(["", "", "", "bad lab"])),
            objectives=(PastObjective(name="it", verdict="pass", sentence="ok", lo=1, hi=draw(st.none() | st.just(2))),),
        )
        for number in range(draw(st.integers(0, 2)))
    )  # fmt: skip
    return PastScenario(
        invocation=invocation.invocation, scenario=scenario, title="", verdict=draw(st.sampled_from(VERDICTS)), sentence="",
        at=invocation.at, subject=invocation.subject, environment="clean", tags=("x",), objectives={"it": "pass"},
        environment_class=draw(st.sampled_from(["lab", "staging", ""])), runs=runs,
    )  # fmt: skip


ASKS = st.builds(
    Ask,
    scenarios=st.lists(st.sampled_from((*SCENARIOS, "none")), max_size=3).map(tuple),
    environment_class=st.sampled_from(["", "", "lab"]),
    subject=st.sampled_from((*SUBJECTS, {"version": "9"})),
    verdicts=st.sampled_from([(), (), ("pass",), ("pass", "fail")]),
    since=st.none() | st.integers(0, 5),
    before=st.none() | st.integers(0, 6),
    newest=st.none() | st.integers(1, 3),
    invalidated=st.booleans(),
)


def fill(history: History, pasts: Sequence[tuple[PastInvocation, tuple[PastScenario, ...]]]) -> None:
    with history.database.writing() as connection:
        for invocation, scenarios in pasts:
            writing.put(connection, invocation, scenarios, bundle="b")


def empty(history: History) -> None:
    with history.database.writing() as connection:
        for invocation in history.bundles():
            writing.drop(connection, invocation)


@pytest.mark.parametrize("few", [1000, 1])
def test_answers_are_those_of_a_plain_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """For any history and question: the same results whole, newest first, whichever way the index is walked."""
    monkeypatch.setattr(reading, "_FEW", few)
    with opened(tmp_path / "history") as history:

        @settings(max_examples=30, deadline=None)
        @given(pasts=past_invocations(), asks=st.lists(ASKS, min_size=1, max_size=5))
        def law(pasts: list[tuple[PastInvocation, tuple[PastScenario, ...]]], asks: list[Ask]) -> None:
            empty(history)
            fill(history, pasts)
            every = [one for _, scenarios in pasts for one in scenarios]
            for ask in asks:
                found = history.results(ask)
                assert sorted(found, key=key) == sorted(plain(every, ask), key=key), ask
                assert [(one.at, one.invocation) for one in found] == sorted(
                    ((one.at, one.invocation) for one in found), reverse=True
                )
            newest = plain(every, Ask(newest=1, invalidated=True))
            assert sorted(history.known(), key=key) == sorted((structs.replace(one, runs=()) for one in newest), key=key)

        law()


def key(past: PastScenario) -> tuple[int, str, str]:
    return past.at, past.invocation, past.scenario


def test_invocations_come_newest_first_and_bounded(tmp_path: Path) -> None:
    """``since`` is inclusive, ``before`` exclusive."""
    with opened(tmp_path / "history") as history:
        for at in range(4):
            invocation = PastInvocation(
                invocation=f"{at:026d}", at=at, subject={}, verdict="pass", environment="clean", sentence="", tool="",
                file_digest="", announced=(),
            )  # fmt: skip
            fill(history, [(invocation, ())])
        assert [one.at for one in history.invocations()] == [3, 2, 1, 0]
        assert [one.at for one in history.invocations(since=1, before=3)] == [2, 1]
