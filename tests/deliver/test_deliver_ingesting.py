"""Results and what people are told of them: in one transaction, once, by what everybody decided before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from history_builder import evidence_of, opened, variant, written
from msgspec import structs
from scripted_channel import action

from meshkit_chaos.deliver.action import Action, Told
from meshkit_chaos.deliver.ingesting import Decide, rehearsed, tell, tell_known, tell_results
from meshkit_chaos.deliver.outbox import Outbox, told
from meshkit_chaos.history.bundles import collect
from meshkit_chaos.history.index import derive
from meshkit_chaos.history.model import Ask, HistoryReader, PastInvocation, PastScenario


def deciding(invocation: PastInvocation, scenarios: tuple[PastScenario, ...]) -> Decide:
    """One summary for each invocation; the first result of each scenario there is, once."""

    def decide(history: HistoryReader, told: Sequence[Told], now: int) -> tuple[Action, ...]:
        assert any(one.invocation == invocation.invocation for one in history.invocations()), "it sees what was just taken in"
        first = [one.scenario for one in scenarios if len(history.results(Ask(scenarios=(one.scenario,)))) == 1]
        assert not {f"first-{name}" for name in first} & {one.action.key for one in told}
        summary = action(f"summary-{invocation.invocation}", occasion="summary", at=now)
        return (summary, *(action(f"first-{name}", thread=name, at=now) for name in first))

    return decide


def broken(invocation: PastInvocation, scenarios: tuple[PastScenario, ...]) -> Decide:
    del invocation, scenarios

    def decide(history: HistoryReader, told: Sequence[Told], now: int) -> tuple[Action, ...]:
        raise ZeroDivisionError("by design")

    return decide


def test_both_are_there_or_neither(tmp_path: Path) -> None:
    """A decision that breaks leaves no results behind that nobody was told of; done again, both are there."""
    out = written(evidence_of(), tmp_path / "out")
    with opened(tmp_path / "h") as history:
        with pytest.raises(ZeroDivisionError):
            tell_results(history, out, broken)
        assert history.invocations() == ()
        assert Outbox(history.database).entries() == ()
        added, decided = tell_results(history, out, deciding)
        assert added.how == "new"
        assert {one.key for one in decided.new} == {f"summary-{added.invocation}", "first-leader-killed"}
        assert len(Outbox(history.database).entries()) == 2


def test_twice_is_once(tmp_path: Path) -> None:
    """The same results again decide the same again, and nothing is added."""
    out = written(evidence_of(), tmp_path / "out")
    with opened(tmp_path / "h") as history:
        tell_results(history, out, lambda *given: lambda *_: (action("a"),))
        added, decided = tell_results(history, out, lambda *given: lambda *_: (action("a"), action("b")))
        assert added.how == "known"
        assert ([one.key for one in decided.new], [one.key for one in decided.known]) == (["b"], ["a"])


def test_what_was_taken_in_silently_can_be_told(tmp_path: Path) -> None:
    """`history import` tells nobody; telling later does."""
    with opened(tmp_path / "h") as history:
        added = history.add(written(evidence_of(), tmp_path / "out"))
        assert len(tell_known(history, added.invocation, deciding).new) == 2
        assert tell_known(history, "nonsense", deciding).new == ()
        assert len(tell(history, lambda *_: (action("a"),)).touched) == 1


def test_a_rehearsal_leaves_nothing(tmp_path: Path) -> None:
    """It decides exactly what telling would, in order, and takes all of it back."""
    first, second = evidence_of(), variant(evidence_of(), 60)
    with opened(tmp_path / "h") as history:
        states = [derive(collect(written(one, tmp_path / str(number)))) for number, one in enumerate((first, second))]
        decided, threads = rehearsed(history, states, (), deciding)
        assert [one.occasion for one in decided.new] == ["summary", "first-failure", "summary"]
        assert threads == {}
        assert history.invocations() == ()
        assert Outbox(history.database).entries() == ()
        _, again = tell_results(history, tmp_path / "0", deciding)
        assert again.new == decided.new[:2] or [one.key for one in again.new] == [one.key for one in decided.new[:2]]


def test_what_was_replaced_is_only_looked_at_where_it_matters(tmp_path: Path) -> None:
    """Thousands of replaced digests are not read again, but for those that tell of the invocation that is decided about."""
    first = structs.replace(action("a", occasion="still-failing"), invocations=("01KDVDNA00DECB4G9W1MCZ50J3",))
    with opened(tmp_path / "h") as history:
        tell(history, lambda *_: (first,))
        tell(history, lambda *_: (action("b", occasion="still-failing", replaces=("a",)),))
        with history.database.reading() as connection:
            assert [one.action.key for one in told(connection, since=0)] == ["b"]
            assert [one.action.key for one in told(connection, about=first.invocations[0], since=0)] == ["a", "b"]
            assert told(connection, since=first.at + 1) == ()
