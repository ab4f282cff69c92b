"""Reading an indicator's last round, and guard rails."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.watch import Evaluate, Reading, Watch, read
from meshkit_chaos.promql.value import NoData
from meshkit_chaos.slo import Band, Duration, Goodness, Indicator, IndicatorKind

S = 10**9


def an_indicator(kind: IndicatorKind = "state", band: str = "== 1") -> Indicator:
    return Indicator(name="one leader", query="q", band=Band.parse(band), kind=kind)


def rounds(*failed: dict[str, str]) -> list[Round]:
    return [Round(source="scrape", tick=i * S, start=i * S, end=i * S, failed=one) for i, one in enumerate(failed)]


def given_by(*values: float | NoData) -> Evaluate:
    return lambda t: values[t // S]


@pytest.mark.parametrize(
    ("value", "state"),
    [(1.0, "good"), (2.0, "bad"), (math.nan, "unknown"), (math.inf, "unknown"), (NoData("no series"), "unknown")],
)
def test_a_round_is_good_bad_or_unknown(value: float | NoData, state: Goodness) -> None:
    """Only a finite number is assessed; everything else is unknown."""
    assert read(an_indicator(), rounds=rounds({}), evaluate=given_by(value), held=()).state == state


def test_no_round_is_unknown() -> None:
    """Before the first round nothing is known."""
    reading = read(an_indicator(), rounds=[], evaluate=given_by(1.0), held=())
    assert reading == Reading(indicator="one leader", state="unknown", detail="no round of 'scrape' yet")


def test_only_a_held_member_may_be_absent() -> None:
    """A member that no fault holds and that was not seen makes the round unknown, and is named."""
    failed = {"n2": "no whole answer within 200ms"}
    assert read(an_indicator(), rounds=rounds(failed), evaluate=given_by(1.0), held={"n2"}).state == "good"
    reading = read(an_indicator(), rounds=rounds(failed), evaluate=given_by(1.0), held={"n1"})
    assert (reading.state, reading.detail) == ("unknown", "n2 was not seen: no whole answer within 200ms")


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ((5.0, 5.0), "good"),
        ((5.0, 6.0), "bad"),
        ((5.0, 4.0), "unknown"),
        ((NoData("gone"), 4.0), "unknown"),
        ((5.0, NoData("gone")), "unknown"),
        ((5.0, math.nan), "unknown"),
        ((math.nan, 5.0), "unknown"),
        ((math.inf, math.inf), "unknown"),
        ((5.0,), "unknown"),
    ],
)
def test_an_event_indicator_reads_the_last_increase(values: tuple[float | NoData, ...], state: Goodness) -> None:
    """What counts is the growth over the last span; a reset or a hole is unknown."""
    reading = read(an_indicator("event", "== 0"), rounds=rounds(*[{}] * len(values)), evaluate=given_by(*values), held=())
    assert reading.state == state


def test_a_hole_at_either_end_hides_an_increase() -> None:
    """A failed member in the earlier round makes the span unknown too."""
    reading = read(an_indicator("event", "== 0"), rounds=rounds({"n1": "x"}, {}), evaluate=given_by(1.0, 1.0), held=())
    assert reading.state == "unknown"


def fed(states: list[Goodness], bad_for: str = "2s") -> Watch:
    watch = Watch(indicator="one leader", bad_for=Duration.parse(bad_for))
    for second, state in enumerate(states):
        watch = watch.fed(Reading(indicator="one leader", state=state, detail="its value is 2", tick=second * S))
    return watch


@pytest.mark.parametrize(
    ("letters", "tripped"),
    [
        ("", False),
        ("b", False),
        ("bb", False),
        ("bbb", True),
        ("bbgbb", False),
        ("bbgbbb", True),
        ("bubub", True),
        ("buuuuuuub", False),
        ("uuuuuuuu", False),
        ("bbbggg", True),
    ],
)
def test_a_guard_trips_when_bad_without_a_break(letters: str, tripped: bool) -> None:
    """Good is a break; unknown is none, and does not count either; once tripped stays tripped."""
    names: dict[str, Goodness] = {"b": "bad", "g": "good", "u": "unknown"}
    assert fed([names[letter] for letter in letters]).tripped is tripped


def test_a_tripped_guard_says_why() -> None:
    """The detail names the indicator, how long, the limit and what was seen last."""
    assert fed(["bad", "bad", "bad"]).detail == ("one leader was bad for 2s without a break (limit 2s): its value is 2")


def test_no_patience_trips_on_the_first_bad_round() -> None:
    """With ``bad_for`` 0 one bad round is enough, and an unknown one never is."""
    assert fed(["bad"], "0s").tripped
    assert not fed(["unknown", "unknown"], "0s").tripped


def test_a_round_counts_once() -> None:
    """Feeding the same reading again adds nothing."""
    watch = fed(["bad", "bad"])
    again = Reading(indicator="one leader", state="bad", detail="", tick=S)
    assert watch.fed(again) == watch
    assert watch.fed(Reading(indicator="one leader", state="unknown", detail="")) == watch


states = st.sampled_from(["good", "bad", "unknown"])


@settings(deadline=None)
@given(st.lists(states, max_size=30), st.integers(0, 6))
def test_a_guard_never_trips_without_that_much_bad(history: list[Goodness], limit: int) -> None:
    """Tripped means: some stretch without a good round had more bad rounds than the limit has seconds."""
    longest = max(
        (stretch.count("b") for stretch in "".join(state[0] for state in history).split("g")),
        default=0,
    )
    watch = fed(history, f"{limit}s")
    assert watch.tripped == (longest > limit)
