"""The estimator by hand: small windows whose answers can be read off."""

from __future__ import annotations

from dataclasses import replace

from meshkit_chaos.judge.estimator import Instant, Measured, NotSeen, Question, deciding_interval, estimate
from meshkit_chaos.judge.times import against_limit
from meshkit_chaos.judge.verdict import Measurement
from meshkit_chaos.slo import Goodness

STATES: dict[str, Goodness] = {".": "good", "X": "bad", "?": "unknown"}
ASK = Question(kind="state", since=0, origin=(0, 2), limit=40, settle=20, watched=60, every=10, until=10_000, ended=0)


def rounds(text: str, *, first: int = -25) -> list[Instant]:
    """One round for each character, every 10, taking 4; a blank is a round that is missing."""
    ticks = [(first + 10 * place, mark) for place, mark in enumerate(text)]
    return [Instant(tick=tick, start=tick, end=tick + 4, state=STATES[mark], beyond=1.0) for tick, mark in ticks if mark != " "]


def measured(text: str, question: Question = ASK) -> Measured:
    found = estimate(rounds(text), question)
    assert isinstance(found, Measured)
    return found


def test_the_interval_reaches_from_the_last_bad_to_the_first_good_round() -> None:
    """The bad round counts from its start, the good one from its end, less the injection's two ends."""
    found = measured("...XX......")  # rounds at 5 and 15 are bad, the one at 25 is good
    assert (found.measurement.lo, found.measurement.hi) == (15 - 2, 29 - 0)
    assert found.measurement.recovered == (15, 29)
    assert found.measurement.resolution == 14
    assert (found.measurement.onset, found.measurement.flaps, found.measurement.lost) == (5, 0, 20)
    assert found.measurement.overshoot == 1.0
    assert against_limit(found.measurement) == "pass"


def test_unknown_rounds_move_the_upper_end_only() -> None:
    """Adjoining or later unknown rounds move the end behind them; earlier ones change nothing."""
    assert measured("...XX?......").measurement.hi == 39
    assert measured("...XX..?....").measurement.hi == 59
    assert measured("...X?X......").measurement.hi == 39
    assert {measured(text).measurement.lo for text in ("...XX?......", "...XX..?....")} == {13}


def test_two_missing_rounds_are_unknown_and_one_is_not() -> None:
    """A gap that could hide an outage of two rounds moves the end behind it."""
    assert measured("...XX.. .....").measurement.hi == 29
    assert measured("...XX..  .....").measurement.hi == 69


def test_what_is_not_sustained_has_no_upper_end() -> None:
    """Good for less than the settle time, bad, unknown, or not watched for long enough: 'more than'."""
    for text, why in (("...X....X.", "bad"), ("...X....X", "bad"), ("...X...??", "unknown"), ("...X...", "short")):
        found = measured(text)
        assert (found.measurement.hi, found.censored) == (None, why), text


def test_a_missing_end_is_unknown() -> None:
    """Where there must have been rounds and there are none, nothing is known."""
    found = measured("...X.......", replace(ASK, ended=200))
    assert (found.measurement.hi, found.censored) == (None, "unknown")


def test_an_open_interval_fails_only_if_the_limit_has_surely_passed() -> None:
    """Bad beyond the limit is a fail however it ends; before it, nothing is decided."""
    assert against_limit(measured("...XXXXXXX").measurement) == "fail"
    assert against_limit(measured("...XX").measurement) == "inconclusive"
    assert against_limit(measured("...XX????????").measurement) == "inconclusive"


def test_bad_before_the_injection_is_not_the_fault_seen() -> None:
    """Only a bad round that began after the injection shows that the indicator saw the fault."""
    found = estimate(rounds("X.X........"), ASK)  # the last of them at -5 to -1
    assert isinstance(found, NotSeen)
    assert estimate(rounds(""), ASK) == NotSeen(instants=0, unknown=0, resolution=0, window=(0, 0))


def test_without_a_required_disturbance_the_resolution_is_the_answer() -> None:
    """Nothing seen: [0, resolution]; with unknown rounds, until behind the last of them; with no rounds, open."""
    calm = replace(ASK, required=False)
    assert (measured("...........", calm).measurement.lo, measured("...........", calm).measurement.hi) == (0, 14)
    assert measured("....?.......", calm).measurement.hi == 29
    assert measured("", calm).measurement.hi is None
    assert measured("...????????", calm).measurement.hi is None


def test_flaps_are_counted_and_can_be_allowed() -> None:
    """The last bad instant counts; where flaps are allowed, the first good stretch that lasts."""
    text = "...XX....X........"
    assert (measured(text).measurement.lo, measured(text).measurement.flaps) == (63, 1)
    allowed = measured(text, replace(ASK, flaps_allowed=True))
    assert (allowed.measurement.lo, allowed.measurement.hi, allowed.measurement.flaps) == (13, 29, 1)
    perhaps = measured("...XX..X.......", replace(ASK, flaps_allowed=True, settle=30))  # good for 20 to 34 in between
    assert (perhaps.measurement.lo, perhaps.measurement.hi) == (13, 59)


def test_rounds_between_an_acts_two_ends_widen_the_interval() -> None:
    """An injection that took long is subtracted at both its ends."""
    found = measured("...XX......", replace(ASK, origin=(0, 12)))
    assert (found.measurement.lo, found.measurement.hi) == (3, 29)


def test_recovery_before_the_revert_is_nothing() -> None:
    """Counted from an act after the recovery, the time is [0, 0]."""
    found = measured("...XX................", replace(ASK, origin=(100, 102)))
    assert (found.measurement.lo, found.measurement.hi) == (0, 0)


def test_the_last_bad_span_holds_the_last_event() -> None:
    """For an event indicator recovery lies in the last bad span itself."""
    spans = [
        Instant(tick=tick, start=tick - 10, end=tick + 4, state="bad" if tick in (15, 25) else "good")
        for tick in range(-25, 90, 10)
    ]
    found = estimate(spans, replace(ASK, kind="event"))
    assert isinstance(found, Measured)
    assert found.measurement.recovered == (15, 29)
    assert found.measurement.overshoot is None


def _interval(lo: int, hi: int | None, limit: int) -> Measurement:
    return Measurement(lo=lo, hi=hi, limit=limit, resolution=0, window=(0, 0))


def test_the_interval_that_would_decide() -> None:
    """Half of the larger side, less what no sampling can narrow; none where that leaves nothing or nothing is open."""
    assert deciding_interval(_interval(10, 50, 20), fixed=5) == 10
    assert deciding_interval(_interval(10, 50, 20), fixed=15) is None
    assert deciding_interval(_interval(10, None, 20), fixed=0) is None
    assert deciding_interval(_interval(10, 15, 20), fixed=0) is None
