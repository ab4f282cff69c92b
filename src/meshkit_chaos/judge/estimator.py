"""The convergence estimator: what was seen, instant by instant → the interval in which recovery lies. Pure arithmetic.

Takes instants (rounds of a state indicator, spans between rounds of an event indicator) that are good, bad or unknown, and a
question: counted from when, watched how long, against which limit. Gives a ``Measurement`` ``[lo, hi]``, open at the top where
recovery was not sustained, or ``NotSeen``. Never gives a bare number, and never takes unknown for good: ``lo`` is what would be
true if every unknown instant had been good, ``hi`` what would be true if every one had been bad.

The law: for an outage of at least two rounds (their own length included) the interval contains the truth, and is no wider than
one span plus the unknown spans behind the last bad one, the round's own length and the length of the subtracted act. A shorter
outage is contained or not seen. Terms follow RFC 6412 and 6413 (convergence event and recovery instants, sustained validation).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from meshkit_chaos.judge.verdict import Measurement
from meshkit_chaos.slo import Goodness, IndicatorKind

# One skipped tick cannot hide an outage of two rounds with their own length; two skipped ticks can.
_GAP_ROUNDS: Final = 2.5
_SLACK_ROUNDS: Final = 2  # the last round may have been on its way when observation ended

Censored = Literal["", "bad", "unknown", "short"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """One look at an indicator, from the first sample's ``start`` to the last sample's ``end``.

    Of an event indicator it is the span between two rounds: from the earlier one's start to the later one's end. ``tick`` is
    when the (later) round was due. ``beyond`` is how far the value was out of its band.
    """

    tick: int
    start: int
    end: int
    state: Goodness
    beyond: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, all in ns.

    ``since``: from when a disturbance belongs to the fault (its intent). ``origin``: the act that is subtracted, from intent
    to last acknowledgement. ``watched``: how long after the origin must have been observed. ``every``: nominal time between
    rounds. ``until``: instants that end later do not count. ``ended``: until when there must have been rounds; where they are
    missing, the indicator is unknown.
    """

    kind: IndicatorKind
    since: int
    origin: tuple[int, int]
    limit: int
    settle: int
    watched: int
    every: int
    until: int
    ended: int
    required: bool = True
    flaps_allowed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """``censored`` says why there is no upper end: bad instants, unknown ones, or an observation that was too short."""

    measurement: Measurement
    censored: Censored = ""
    seen: bool = True
    instants: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSeen:
    """No bad instant in the window: of ``instants`` looked at, so many were ``unknown``."""

    instants: int
    unknown: int
    resolution: int
    window: tuple[int, int]


def estimate(instants: Sequence[Instant], question: Question) -> Measured | NotSeen:
    """Answer the question from instants in order of their ticks."""
    window = windowed(instants, question)
    seen = any(instant.state == "bad" and instant.start >= question.since for instant in window)
    unknown = sum(instant.state == "unknown" for instant in window)
    if question.required and not seen:
        return NotSeen(
            instants=len(window), unknown=unknown, resolution=_longest_span(window), window=_bounds(window, question.since)
        )
    bracket = _first_sustained(window, question) if question.flaps_allowed and seen else _after_last_doubt(window, question)
    return Measured(
        measurement=_measurement(window, question, bracket),
        censored=bracket.censored,
        seen=seen,
        instants=len(window),
        unknown=unknown,
    )


def windowed(instants: Sequence[Instant], question: Question) -> tuple[Instant, ...]:
    """The instants that count, with an unknown one wherever two or more rounds are missing."""
    counted = [instant for instant in instants if instant.end <= question.until]
    inside = [instant for instant in _with_gaps(counted, question) if instant.end >= question.since]
    if not inside:
        return ()
    first, last = inside[0], inside[-1]
    if first.start > question.since + _SLACK_ROUNDS * question.every:
        inside.insert(0, Instant(tick=question.since, start=question.since, end=first.start, state="unknown"))
    if question.ended - last.tick > _GAP_ROUNDS * question.every:
        inside.append(Instant(tick=question.ended, start=min(last.end, question.ended), end=question.ended, state="unknown"))
    return tuple(inside)


def _with_gaps(instants: Sequence[Instant], question: Question) -> Iterator[Instant]:
    if question.kind == "event":  # a counter integrates: a longer span between two rounds misses nothing
        yield from instants
        return
    for earlier, later in pairwise(instants):
        yield earlier
        if later.tick - earlier.tick > _GAP_ROUNDS * question.every:
            yield Instant(tick=earlier.tick, start=earlier.end, end=max(earlier.end, later.start), state="unknown")
    yield from instants[-1:]


def missing_rounds(instants: Sequence[Instant], *, every: int, start: int, end: int) -> int:
    """For how long there were no rounds from ``start`` to ``end``, in stretches that could hide an outage of two rounds."""
    ticks = [start, *(instant.tick for instant in instants), end]
    return sum(later - earlier for earlier, later in pairwise(ticks) if later - earlier > _GAP_ROUNDS * every)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bracket:
    """The recovery instant's bounds, absolute; None where there is no bad instant, or no sustained recovery."""

    lo: int | None
    hi: int | None
    censored: Censored = ""


def _after_last_doubt(window: Sequence[Instant], question: Question) -> _Bracket:
    """The last bad instant counts: detection may be late, and early health proves nothing."""
    last_bad = max((i for i, instant in enumerate(window) if instant.state == "bad"), default=None)
    last_doubt = max((i for i, instant in enumerate(window) if instant.state != "good"), default=None)
    lo = None if last_bad is None else window[last_bad].start
    first_good = 0 if last_doubt is None else last_doubt + 1
    hi = _sustained(window, first_good, len(window) - 1, question)
    if hi is None:
        return _Bracket(lo=lo, hi=None, censored=_why(window, last_doubt))
    if window[-1].end + _SLACK_ROUNDS * question.every < question.origin[1] + question.watched:
        return _Bracket(lo=lo, hi=None, censored="short")
    return _Bracket(lo=lo, hi=hi)


def _first_sustained(window: Sequence[Instant], question: Question) -> _Bracket:
    """The first good stretch after a seen onset counts; what comes later is a flap, accepted and counted."""
    bads = [instant for instant in window if instant.state == "bad"]
    lo = next(
        (earlier.start for earlier, later in pairwise(bads) if later.end - earlier.start >= question.settle), bads[-1].start
    )
    onset = window.index(bads[0])
    for first, last in _good_stretches(window, onset):
        hi = _sustained(window, first, last, question)
        if hi is not None:
            return _Bracket(lo=lo, hi=hi)
    last_doubt = max(i for i, instant in enumerate(window) if instant.state != "good")
    return _Bracket(lo=lo, hi=None, censored=_why(window, last_doubt))


def _good_stretches(window: Sequence[Instant], after: int) -> Iterator[tuple[int, int]]:
    first = None
    for i in range(after + 1, len(window) + 1):
        good = i < len(window) and window[i].state == "good"
        if good and first is None:
            first = i
        elif not good and first is not None:
            yield first, i - 1
            first = None


def _sustained(window: Sequence[Instant], first: int, last: int, question: Question) -> int | None:
    """By when the indicator was good, if the stretch of good instants ``first`` to ``last`` lasts long enough."""
    if first > last or not window:
        return None
    by = window[first].end
    if question.kind == "event":  # the last bad event lies in the last doubtful span
        by = window[first - 1].end if first else window[first].start
    return by if window[last].end - by >= question.settle else None


def _why(window: Sequence[Instant], last_doubt: int | None) -> Censored:
    if last_doubt is None:
        return "short"
    return "bad" if window[last_doubt].state == "bad" else "unknown"


def _measurement(window: Sequence[Instant], question: Question, bracket: _Bracket) -> Measurement:
    begun, acknowledged = question.origin
    bads = [instant for instant in window if instant.state == "bad"]
    lo = 0 if bracket.lo is None else max(0, bracket.lo - acknowledged)
    hi = None if bracket.hi is None else max(0, bracket.hi - begun)
    resolution = _longest_span(window)
    doubts = any(instant.state != "good" for instant in window)
    if bracket.lo is not None and bracket.hi is not None:
        resolution = bracket.hi - bracket.lo
    elif hi is not None and not bads:
        # Nothing was seen: a disturbance shorter than the longest span may still have been.
        hi = max(hi, resolution) if doubts else resolution
    onset = next((instant.start for instant in bads if instant.start >= question.since), None)
    return Measurement(
        lo=lo,
        hi=hi,
        limit=question.limit,
        resolution=resolution,
        window=_bounds(window, question.since),
        onset=onset,
        recovered=(bracket.lo, bracket.hi) if bracket.lo is not None and bracket.hi is not None else None,
        flaps=_flaps(window),
        lost=_bad_time(window),
        overshoot=max((instant.beyond for instant in bads), default=None) if question.kind == "state" else None,
    )


def _bounds(window: Sequence[Instant], since: int) -> tuple[int, int]:
    return (window[0].start, window[-1].end) if window else (since, since)


def _longest_span(window: Sequence[Instant]) -> int:
    """The longest time in which something could have happened between two looks, their own lengths included."""
    spans = [later.end - earlier.start for earlier, later in pairwise(window)]
    return max([*spans, *(instant.end - instant.start for instant in window)], default=0)


def _flaps(window: Sequence[Instant]) -> int:
    """How often it went bad again after it had been good. An unknown stretch between two bad ones is none."""
    known = [instant.state for instant in window if instant.state != "unknown"]
    first_bad = known.index("bad") if "bad" in known else len(known)
    return sum(earlier == "good" and later == "bad" for earlier, later in pairwise(known[first_bad:]))


def _bad_time(window: Sequence[Instant]) -> int:
    """The area under bad time: each bad instant lasts until the next one starts."""
    starts = [instant.start for instant in window[1:]]
    ends = [*starts, *(instant.end for instant in window[-1:])]
    return sum(max(0, end - instant.start) for instant, end in zip(window, ends, strict=True) if instant.state == "bad")


def deciding_interval(measurement: Measurement, *, fixed: int) -> int | None:
    """How often one must sample to decide a measurement that straddles its limit, in ns; None if no sampling decides it.

    A bracket is as wide as the time between rounds plus what is ``fixed`` (the round's own length, the act that is subtracted).
    One half as wide as the larger side of the straddled interval, around the middle of that side, excludes the limit.
    """
    if measurement.hi is None or not measurement.lo <= measurement.limit < measurement.hi:
        return None
    side = max(measurement.limit - measurement.lo, measurement.hi - measurement.limit)
    needed = side // 2 - fixed
    return needed if needed > 0 else None
